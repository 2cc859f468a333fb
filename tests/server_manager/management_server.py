"""A game server that speaks the Server Management Protocol, and remembers what it was told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
import json
import ssl
from typing import Any

from aiohttp import WSMsgType, web

SECRET = "abcdefghijABCDEFGHIJ0123456789qrstuvwxyz"

type Upset = Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]


class CallError(Exception):
    """What the server answers instead of a result."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True, kw_only=True)
class ManagementServer:
    """One management port on loopback; what is set here decides how it behaves."""

    context: ssl.SSLContext | None = None
    port: int = 0
    version: str = "1.21.11"
    started: bool = True
    players: list[Any] = field(default_factory=list)
    save_succeeds: bool = True
    saved_is_told_first: bool = True
    may_save: asyncio.Event = field(default_factory=asyncio.Event)
    saving: asyncio.Event = field(default_factory=asyncio.Event)
    # Sent before every answer; instead of the answer to a method; instead of the upgrade.
    chatter: list[str] = field(default_factory=list)
    frames: dict[str, list[str | bytes]] = field(default_factory=dict)
    upset: Upset | None = None
    hangs_up_on: str = ""
    silent_on: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    saves: int = 0
    headers: list[dict[str, str]] = field(default_factory=list)
    open_sockets: int = 0
    close_codes: list[int | None] = field(default_factory=list)
    all_closed: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def running(
        self, host: str = "127.0.0.1", port: int = 0
    ) -> AsyncIterator[ManagementServer]:
        """Listen until the block ends."""
        self.may_save.set()
        application = web.Application()
        application.router.add_get("/", self._upgrade)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, host, port, ssl_context=self.context)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            self.may_save.set()
            self.released.set()
            await runner.cleanup()

    async def _upgrade(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        if self.upset is not None:
            return await self.upset(request)
        given = request.headers.get("Authorization", "")
        if given != f"Bearer {SECRET}":
            fault = "Invalid API key" if given else "Missing API key"
            return web.json_response({"error": "Unauthorized", "message": fault}, status=401)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.open_sockets += 1
        self.all_closed.clear()
        try:
            await self._serve(request, socket)
        finally:
            self.close_codes.append(socket.close_code)
            self.open_sockets -= 1
            if not self.open_sockets:
                self.all_closed.set()
        return socket

    async def _serve(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        async for frame in socket:
            assert frame.type is WSMsgType.TEXT
            call = json.loads(frame.data)
            self.calls.append(call)
            method = call["method"]
            if method == self.hangs_up_on:
                assert request.transport is not None
                request.transport.abort()
                return
            if method == self.silent_on:
                await self.released.wait()
                return
            for text in self.chatter:
                await socket.send_str(text)
            if method in self.frames:
                for data in self.frames[method]:
                    await (
                        socket.send_str(data) if isinstance(data, str) else socket.send_bytes(data)
                    )
            else:
                await self._answer(socket, call)

    async def _answer(self, socket: web.WebSocketResponse, call: dict[str, Any]) -> None:
        head = {"jsonrpc": "2.0", "id": call["id"]}
        saves = call["method"] == "minecraft:server/save"
        try:
            result = await self._carry_out(call["method"], call["params"])
        except CallError as error:
            fault = {"code": error.code, "message": str(error)}
            await socket.send_json({**head, "error": fault})
            return
        told = [notification("server/saving"), notification("server/saved")] if saves else []
        answer = json.dumps({**head, "result": result})
        for text in [*told, answer] if self.saved_is_told_first else [answer, *told]:
            await socket.send_str(text)

    async def _carry_out(self, method: str, params: list[Any]) -> Any:
        match method, params:
            case "minecraft:server/system_message", [
                {"message": {"literal": str(text)}, "overlay": bool(), **rest}
            ] if not rest:
                self.said.append(text)
                return True
            case "minecraft:server/save", [bool(flush)]:
                assert flush
                self.saving.set()
                await self.may_save.wait()
                self.saves += self.save_succeeds
                return self.save_succeeds
            case "minecraft:players", []:
                return self.players
            case "minecraft:server/status", []:
                version = {"name": self.version, "protocol": 774}
                return {"started": self.started, "players": self.players, "version": version}
        raise CallError(-32602, "Invalid params")


def notification(name: str, *params: Any) -> str:
    """Return a notification as the server sends it."""
    given = {"params": list(params)} if params else {}
    return json.dumps(
        {"jsonrpc": "2.0", "method": f"minecraft:notification/{name}", **given},
    )


def player(name: str) -> dict[str, str]:
    """Return a player as the server lists him."""
    return {"id": "069a79f4-44e9-4726-a5be-fca90e38aaf5", "name": name}
