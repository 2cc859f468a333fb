"""A Discord on loopback that answers as it is told to, and keeps what it was sent."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
import json
import socket
import ssl
import struct
from typing import Any

from custom_components.cubeguardian.discord_bridge.webhook_url import WebhookUrl, parse_webhook_url

WEBHOOK_ID = "112233445566778899"
TOKEN = "tOkEn-that_Nobody.may-see" + "0aZ9" * 11
THREAD = "998877665544332211"
MESSAGE_ID = "123456789012345678"
TYPED = f"https://discord.com/api/webhooks/{WEBHOOK_ID}/{TOKEN}"

type Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request as it came in."""

    method: str
    target: str
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def content(self) -> str:
        return str(self.body.get("content", ""))


class DiscordPeer:
    """Answer in the order of `answers`, and with a message once there are none left."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: deque[Answer] = deque()
        self.port = 0
        self.scheme = "http"
        self.arrived = asyncio.Event()
        self.posted = 0

    @property
    def url(self) -> WebhookUrl:
        base = f"{self.scheme}://127.0.0.1:{self.port}/api/v10"
        return replace(parse_webhook_url(TYPED), base=base)

    @property
    def contents(self) -> list[str]:
        return [one.content for one in self.received]

    async def wait_for(self, count: int) -> list[Received]:
        async with asyncio.timeout(10):
            while len(self.received) < count:
                self.arrived.clear()
                await self.arrived.wait()
        return self.received

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[DiscordPeer]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        self.scheme = "https" if tls else "http"
        try:
            yield self
        finally:
            server.close()
            server.close_clients()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            size = next(
                (
                    int(line.partition(":")[2])
                    for line in head.splitlines()
                    if line.lower().startswith("content-length:")
                ),
                0,
            )
            body = json.loads(await reader.readexactly(size)) if size else {}
            method, target, _ = head.split(" ", 2)
            self.received.append(Received(method=method, target=target, body=body))
            self.arrived.set()
            answer = self.answers.popleft() if self.answers else self._message(target)
            await answer(writer)
        except asyncio.IncompleteReadError, ConnectionError:
            pass
        finally:
            writer.close()

    def _message(self, target: str) -> Answer:
        self.posted += "/messages/" not in target
        return says(200, {"id": str(int(MESSAGE_ID) + self.posted - 1)})


def says(status: int, body: object = None, **headers: str) -> Answer:
    """Answer properly; underscores in the names of headers are dashes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    content = b"" if body is None else content
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = [f"HTTP/1.1 {status} So", f"Content-Length: {len(content)}", "Connection: close", *lines]

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join([*head, "", ""]).encode() + content)
        await writer.drain()

    return answer


def sends(raw: bytes) -> Answer:
    """Answer with these bytes, and hang up."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return answer


async def hangs(writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await writer.wait_closed()


async def resets(writer: asyncio.StreamWriter) -> None:
    """Break the connection off without a word."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
