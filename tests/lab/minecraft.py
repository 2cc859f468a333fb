"""A small Minecraft server in Python: it shows its status, nobody can join it."""

import asyncio
import base64
import contextlib
from dataclasses import dataclass, field
from enum import StrEnum
import json
import struct
from typing import Any, Protocol
import uuid
import zlib

_STATUS, _LOGIN = 1, 2
_LARGEST_PACKET = 64 * 1024


class GameServer(Protocol):
    """What the sleeping host needs of a game server: it can be started again after a stop."""

    @property
    def address(self) -> str:
        """Host and port that players use."""

    async def start(self) -> None:
        """Listen."""

    async def stop(self) -> None:
        """Stop listening and throw everybody out."""

    def evidence(self) -> dict[str, Any]:
        """Return what it saw, in a form that JSON can hold."""


class StatusFault(StrEnum):
    """A way in which something behind the port is no healthy Minecraft server."""

    SILENT = "silent"
    GARBAGE = "garbage"
    HTTP = "http"
    CLOSES = "closes"
    HALF = "half"
    NOT_JSON = "not_json"


@dataclass(slots=True, kw_only=True)
class Status:
    """What the server says about itself; change it while it runs."""

    version: str = "1.21.4"
    protocol: int = 769
    motd: Any = "§aA lab server"
    players: list[str] = field(default_factory=list)
    players_max: int = 20
    players_online: int | None = None
    shows_sample: bool = True
    favicon: str | None = None

    def to_json(self) -> str:
        """Return the status response of the Java edition."""
        answer: dict[str, Any] = {
            "version": {"name": self.version, "protocol": self.protocol},
            "players": {"max": self.players_max, "online": self._online()},
            "description": self.motd,
        }
        if self.shows_sample and self.players:
            answer["players"]["sample"] = [
                {"name": name, "id": str(uuid.uuid3(uuid.NAMESPACE_OID, name))}
                for name in self.players
            ]
        if self.favicon:
            answer["favicon"] = self.favicon
        return json.dumps(answer)

    def _online(self) -> int:
        return len(self.players) if self.players_online is None else self.players_online


class StatusServer:
    """A Java server that answers status and ping requests, and kicks who logs in.

    `fault` may be set while it runs. It can be stopped and started again at the same address.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        status: Status | None = None,
        fault: StatusFault | None = None,
        delay: float = 0,
    ) -> None:
        """Prepare a server; port 0 takes a free one at the first start, `delay` in seconds."""
        self.host = host
        self.port = port
        self.status = status or Status()
        self.fault = fault
        self.delay = delay
        self.connections = 0
        self.statuses = 0
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> StatusServer:
        """Start the server."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the server."""
        await self.stop()

    @property
    def address(self) -> str:
        """Host and port that players use."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and throw everybody out."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    def evidence(self) -> dict[str, Any]:
        """Return what it saw, in a form that JSON can hold."""
        return {"connections": self.connections, "statuses": self.statuses}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            with contextlib.suppress(OSError, EOFError, ValueError, asyncio.CancelledError):
                await (self._misbehave if self.fault else self._converse)(reader, writer)
        finally:
            self._clients.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wanted = (await _read_packet(reader))[-1]
        if wanted == _LOGIN:
            writer.write(_packet(0, _text(json.dumps({"text": "Nobody can join this one."}))))
            await writer.drain()
            return
        while wanted == _STATUS:
            packet = await _read_packet(reader)
            await asyncio.sleep(self.delay)
            writer.write(self._reply(packet))
            await writer.drain()

    def _reply(self, packet: bytes) -> bytes:
        if packet[0] == 1:
            return _packet(1, packet[1:])
        self.statuses += 1
        return _packet(0, _text(self.status.to_json()))

    async def _misbehave(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.fault is StatusFault.CLOSES:
            return
        if self.fault is not StatusFault.SILENT:
            await _read_packet(reader)
            writer.write(self._nonsense())
            await writer.drain()
        if self.fault in (StatusFault.SILENT, StatusFault.HALF):
            await reader.read(-1)
            await asyncio.Event().wait()

    def _nonsense(self) -> bytes:
        proper = _packet(0, _text(self.status.to_json()))
        answers = {
            StatusFault.GARBAGE: b"\x00\xff" * 64,
            StatusFault.HTTP: b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
            StatusFault.HALF: proper[: len(proper) // 2],
            StatusFault.NOT_JSON: _packet(0, _text("{ no json")),
        }
        assert self.fault is not None
        return answers[self.fault]


def favicon(red: int, green: int, blue: int) -> str:
    """Return a 64 x 64 icon of one colour as the data URL that a server sends."""
    size = 64
    rows = (b"\0" + bytes((red, green, blue)) * size) * size
    header = struct.pack("!IIBBBBB", size, size, 8, 2, 0, 0, 0)
    image = b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, data)
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )
    return "data:image/png;base64," + base64.b64encode(image).decode()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _text(text: str) -> bytes:
    data = text.encode()
    return _varint(len(data)) + data


def _packet(number: int, payload: bytes) -> bytes:
    body = _varint(number) + payload
    return _varint(len(body)) + body


async def _read_packet(reader: asyncio.StreamReader) -> bytes:
    length = shift = 0
    while True:
        (byte,) = await reader.readexactly(1)
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    if not 0 < length <= _LARGEST_PACKET:
        raise ValueError(length)
    return await reader.readexactly(length)
