"""Manage a game server by RCON, the remote console of every Minecraft server.

Little-endian packets over TCP, unencrypted (protocols page, section 2.5). The server takes one read
for one packet, so the next is only sent once the answer to the last is here. An answer is cut every
4096 characters, and nothing tells which part is the last.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import json
from logging import Logger
import re
import struct

from .errors import (
    ApiError,
    AuthenticationError,
    HostTimeoutError,
    NameNotFoundError,
    ServerManagerError,
)
from .management_settings import (
    ANSWERED,
    COMPLAINT_LIMIT,
    ManagementSettings,
    announcement,
    player_names,
)
from .network import from_os_error
from .text import plain

_RESPONSE, _COMMAND, _LOGIN = 0, 2, 3
_NOT_LOGGED_IN = -1
_PAYLOAD_LIMIT = 1446
_PART = 4096
# Four bytes for a character are more than Java's UTF-8 ever takes.
_PACKET_LIMIT = 4 * _PART + 10
_ANSWER_LIMIT = 64 * 1024

# Accounts' names come with `uuids`, mere `list` decorates them; plugins replace `list`.
_LISTS = ("list uuids", "minecraft:list uuids", "list")
_ONLINE = re.compile(r"There are (\d{1,4})\b[^:]*\bonline:(.*)", re.DOTALL | re.IGNORECASE)
_UUID = re.compile(r" \([0-9a-f-]{36}\)$", re.IGNORECASE)
_NOBODY_THERE = re.compile(r"no player|found nothing|cannot be found", re.IGNORECASE)
# Several messages arrive as one, with nothing in between.
_SAVED = re.compile(r"saved the (game|world)", re.IGNORECASE)


class Rcon:
    """Manage a game server over its remote console."""

    def __init__(self, logger: Logger, settings: ManagementSettings) -> None:
        """Log to `logger`."""
        self.logger = logger
        self._settings = settings

    async def announce(self, text: str, *, timeout: float) -> None:
        """Show `text` to everybody in the game, as it is."""
        command = _tellraw(announcement(text))
        async with self._console(timeout) as console:
            told = await console.run(command)
        # The command has nothing to say, except that nobody is there.
        if told.strip() and not _NOBODY_THERE.search(told):
            raise self._refused("tellraw", told)

    async def save(self, *, timeout: float) -> None:
        """Write the world to disk; return once that is done."""
        async with self._console(timeout) as console:
            told = await console.run("save-all flush")
        if not _SAVED.search(told):
            raise self._refused("save-all", told)

    async def players(self, *, timeout: float) -> tuple[str, ...]:
        """Return the names of everybody in the game."""
        told = ""
        async with self._console(timeout) as console:
            for command in _LISTS:
                told = await console.run(command)
                names = _listed(told)
                if names is not None:
                    return names
        raise self._refused("list", told)

    async def check(self, *, timeout: float) -> str:
        """Find out whether the console takes commands; it knows no version."""
        async with self._console(timeout) as console:
            await console.run("list")
        return ""

    @asynccontextmanager
    async def _console(self, timeout: float) -> AsyncIterator[_Console]:
        """Open a console within `timeout` seconds, which also limit what is done with it."""
        where = self._settings.where
        try:
            async with asyncio.timeout(timeout):
                reader, writer = await self._connect()
                try:
                    console = _Console(reader, writer, where)
                    await console.log_in(self._settings.secret)
                    yield console
                finally:
                    writer.transport.abort()
        except TimeoutError:
            raise HostTimeoutError(f"{where} does not answer") from None
        except (asyncio.IncompleteReadError, OSError) as error:
            raise ApiError(
                f"{where} hung up without an answer", reason=type(error).__name__
            ) from error

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection."""
        settings = self._settings
        try:
            return await asyncio.open_connection(settings.host, settings.port)
        except OSError as error:
            raise from_os_error(error, settings.where) from error
        except ValueError as error:
            raise NameNotFoundError(f"{settings.host} does not resolve") from error

    def _refused(self, command: str, told: str) -> ServerManagerError:
        """Return the error for a command that was not carried out."""
        reason = self._settings.harmless(told, COMPLAINT_LIMIT)
        self.logger.debug("%s answered %s: %s", self._settings.where, command, reason)
        return ApiError(
            f"The game server did not carry out {command}: {reason}",
            status=ANSWERED,
            reason=reason,
        )


class _Console:
    """Send one packet, wait for its answer, and only then the next."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, where: str
    ) -> None:
        """Talk over a connection to `where`."""
        self._reader = reader
        self._writer = writer
        self._where = where
        self._last_id = 0

    async def log_in(self, secret: str) -> None:
        """Show the secret; raise AuthenticationError where it is the wrong one."""
        own_id = self._send(_LOGIN, secret)
        answered_id, kind, _ = await self._receive()
        if (answered_id, kind) != (own_id, _COMMAND):
            raise self._nonsense()

    async def run(self, command: str) -> str:
        """Return the whole answer to a command."""
        own_id = self._send(_COMMAND, command)
        answered_id, kind, answer = await self._receive()
        if (answered_id, kind) != (own_id, _RESPONSE):
            raise self._nonsense()
        if len(answer) >= _PART:
            answer += await self._rest_of(own_id)
        return answer.decode(errors="replace")

    async def _rest_of(self, own_id: int) -> bytes:
        """Return what follows the first part of an answer, which is as long as a part can be.

        With that part here the server has read the command. So it gets another one now: the answer
        to it comes after the last part.
        """
        next_id = self._send(_COMMAND, "list")
        rest = b""
        while len(rest) < _ANSWER_LIMIT:
            answered_id, _, part = await self._receive()
            if answered_id == next_id:
                return rest
            if answered_id != own_id:
                raise self._nonsense()
            rest += part
        raise ApiError(f"{self._where} answers without end", status=ANSWERED, reason="too long")

    def _send(self, kind: int, payload: str) -> int:
        """Send a packet in one piece and return its number."""
        self._last_id += 1
        content = struct.pack("<ii", self._last_id, kind) + payload.encode() + b"\0\0"
        self._writer.write(struct.pack("<i", len(content)) + content)
        return self._last_id

    async def _receive(self) -> tuple[int, int, bytes]:
        """Return number, kind and payload of the next packet."""
        (length,) = struct.unpack("<i", await self._reader.readexactly(4))
        if not 10 <= length <= _PACKET_LIMIT:
            raise self._nonsense()
        packet = await self._reader.readexactly(length)
        answered_id, kind = struct.unpack_from("<ii", packet)
        if answered_id == _NOT_LOGGED_IN:
            raise AuthenticationError("The game server does not accept the secret")
        return answered_id, kind, packet[8:-2]

    def _nonsense(self) -> ApiError:
        """Return the error for an answer that RCON does not know."""
        return ApiError(f"{self._where} does not speak RCON", status=ANSWERED, reason="no RCON")


def _tellraw(text: str) -> str:
    """Return the command that shows `text`, shortened to what fits into a packet.

    JSON without anything but ASCII reads the same in every encoding that a server may use.
    """
    command = f"tellraw @a {json.dumps({'text': text})}"
    return command if len(command) <= _PAYLOAD_LIMIT else _tellraw(text[:-1])


def _listed(told: str) -> tuple[str, ...] | None:
    """Return the names that an answer to `list` holds, None unless they are as many as it says."""
    found = _ONLINE.search(plain(told, _ANSWER_LIMIT))
    if found is None:
        return None
    names = [_UUID.sub("", name.strip()) for name in found[2].split(",") if name.strip()]
    if len(names) != int(found[1]):
        return None
    try:
        return player_names([*names])
    except ValueError:
        return None
