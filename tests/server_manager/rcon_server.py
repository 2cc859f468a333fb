"""A game server's remote console, as touchy as the real one, which remembers what it was told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
import struct

SECRET = "korrekt-horse-battery"
SAVED = "Saving the game (this may take a moment!)Saved the game"
UNKNOWN = "Unknown or incomplete command, see below for error{}<--[HERE]"
_READ = 1460
_PART = 4096


def packet(number: int, kind: int, payload: str | bytes) -> bytes:
    """Return a packet as it goes over the wire."""
    data = payload.encode() if isinstance(payload, str) else payload
    return struct.pack("<iii", len(data) + 10, number, kind) + data + b"\0\0"


@dataclass(slots=True, kw_only=True)
class RconServer:
    """One remote console on loopback; what is set here decides how it behaves.

    As the real server, it takes what one read gives for one packet, and hangs up if it is not.
    """

    port: int = 0
    players: list[str] = field(default_factory=list)
    answers: dict[str, str | None] = field(default_factory=dict)
    may_save: asyncio.Event = field(default_factory=asyncio.Event)
    saving: asyncio.Event = field(default_factory=asyncio.Event)
    # Bytes instead of the answer to the login, or to a command.
    instead_of_welcome: bytes | None = None
    raw: Callable[[int], bytes] | None = None
    commands: list[str] = field(default_factory=list)
    heard: bytearray = field(default_factory=bytearray)
    connections: int = 0
    all_closed: asyncio.Event = field(default_factory=asyncio.Event)
    _open: int = 0

    @asynccontextmanager
    async def running(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[RconServer]:
        """Listen until the block ends."""
        self.may_save.set()
        server = await asyncio.start_server(self._serve, host, port)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self
            self.may_save.set()
            server.close_clients()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open += 1
        self.all_closed.clear()
        try:
            await self._converse(reader, writer)
        except ConnectionError:
            pass
        finally:
            self._open -= 1
            if not self._open:
                self.all_closed.set()
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        welcome = False
        while data := await reader.read(_READ):
            self.heard += data
            length, number, kind = struct.unpack_from("<iii", data)
            if length != len(data) - 4:
                return
            payload = data[12:-2].decode()
            if kind == 3:
                if self.instead_of_welcome is not None:
                    writer.write(self.instead_of_welcome)
                    continue
                welcome = payload == SECRET
                writer.write(packet(number if welcome else -1, 2, ""))
            elif not welcome:
                writer.write(packet(-1, 2, ""))
            else:
                await self._command(writer, number, payload)

    async def _command(self, writer: asyncio.StreamWriter, number: int, command: str) -> None:
        self.commands.append(command)
        if self.raw is not None:
            writer.write(self.raw(number))
            return
        answer = self.answers[command] if command in self.answers else await self._run(command)
        if answer is None:
            writer.transport.abort()
            return
        parts = [answer[at : at + _PART] for at in range(0, len(answer), _PART)] or [""]
        for part in parts:
            writer.write(packet(number, 0, part))
            await writer.drain()

    async def _run(self, command: str) -> str:
        if command == "save-all flush":
            self.saving.set()
            await self.may_save.wait()
            return SAVED
        if command.startswith("tellraw @a "):
            return "" if self.players else "No player was found"
        if command in ("list", "list uuids"):
            return self._list(with_ids=command != "list")
        return UNKNOWN.format(command)

    def _list(self, *, with_ids: bool) -> str:
        tail = " (069a79f4-44e9-4726-a5be-fca90e38aaf5)" if with_ids else ""
        names = ", ".join(f"{name}{tail}" for name in self.players)
        return f"There are {len(self.players)} of a max of 20 players online: {names}"
