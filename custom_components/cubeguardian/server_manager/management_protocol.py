"""Speak Minecraft's Server Management Protocol, which game servers have from 1.21.9 on.

JSON-RPC 2.0 in the text frames of a WebSocket (protocols page, section 2.6). The server carries
out a call on its main thread and then answers: the answer to a save is what tells that the world is
on disk, while the notification `saved` may come before or after it. A server that saves for long
does not even answer pings meanwhile, hence there are none.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
import json
from logging import Logger

import aiohttp
from yarl import URL

from .errors import (
    ApiError,
    AuthenticationError,
    HostTimeoutError,
    InvalidInputError,
    ServerManagerError,
)
from .http_errors import from_client_error
from .management_settings import (
    ANSWERED,
    COMPLAINT_LIMIT,
    VERSION_LIMIT,
    ManagementSettings,
    announcement,
    player_names,
)
from .tls import TlsTrust, ssl_option

_CALL_ID = 1
_MESSAGE_LIMIT = 1024 * 1024
_MOST_MESSAGES = 1000
_CLOSING = aiohttp.ClientWSTimeout(ws_close=0.5)

type _Answer = dict[str, object]


class ManagementProtocol:
    """Manage a game server over its management port."""

    def __init__(
        self,
        logger: Logger,
        settings: ManagementSettings,
        *,
        session: aiohttp.ClientSession | None,
    ) -> None:
        """Borrow the connector of `session`; without one, each call has its own."""
        self.logger = logger
        self._settings = settings
        self._session = session

    async def announce(self, text: str, *, timeout: float) -> None:
        """Show `text` to everybody in the game, as it is."""
        message = {"message": {"literal": announcement(text)}, "overlay": False}
        await self._call("minecraft:server/system_message", [message], _confirmed, timeout)

    async def save(self, *, timeout: float) -> None:
        """Write the world to disk; return once that is done."""
        await self._call("minecraft:server/save", [True], _confirmed, timeout)

    async def players(self, *, timeout: float) -> tuple[str, ...]:
        """Return the names of everybody in the game."""
        return await self._call("minecraft:players", [], _players, timeout)

    async def check(self, *, timeout: float) -> str:
        """Return the version of the server, "" where it does not tell."""
        version = await self._call("minecraft:server/status", [], _version, timeout)
        return self._settings.harmless(version, VERSION_LIMIT)

    async def _call[ResultT](
        self,
        method: str,
        params: list[object],
        read: Callable[[object], ResultT],
        timeout: float,
    ) -> ResultT:
        """Call `method` and return what `read` makes of its result."""
        async with AsyncExitStack() as closing:
            try:
                async with asyncio.timeout(timeout):
                    answer = await self._exchange(closing, method, params)
            except TimeoutError:
                raise HostTimeoutError(f"{self._settings.where} does not answer") from None
        if "error" in answer:
            raise self._refused(method, answer["error"])
        try:
            return read(answer.get("result"))
        except (ValueError, KeyError, TypeError) as error:
            raise ApiError(
                f"The answer to {method} is not the expected one",
                status=ANSWERED,
                reason="unexpected content",
            ) from error

    async def _exchange(
        self, closing: AsyncExitStack, method: str, params: list[object]
    ) -> _Answer:
        """Open a connection that `closing` closes, send a call, and return the answer."""
        try:
            session = await closing.enter_async_context(self._own_session())
            socket = await session.ws_connect(
                self._url(),
                headers={"Authorization": f"Bearer {self._settings.secret}"},
                ssl=await ssl_option(self._settings.trust or TlsTrust()),
                max_msg_size=_MESSAGE_LIMIT,
                timeout=_CLOSING,
            )
            closing.push_async_callback(socket.close)
            call = {"jsonrpc": "2.0", "id": _CALL_ID, "method": method, "params": params}
            await socket.send_json(call)
            return await self._answer(socket)
        except aiohttp.ClientError as error:
            caught = error
        # Not inside of the handler: aiohttp's errors may hold the request and so the secret, and
        # what is raised there would hold them in turn.
        raise await self._failure(caught)

    def _own_session(self) -> aiohttp.ClientSession:
        """Return a session without cookies, which takes nothing but an upgrade for an answer."""
        shared = self._session.connector if self._session else None
        return aiohttp.ClientSession(
            connector=shared,
            connector_owner=shared is None,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            middlewares=(self._only_upgrades,),
        )

    async def _only_upgrades(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Raise what any other answer is; above all, aiohttp would follow a redirect."""
        response = await handler(request)
        status = response.status
        if status == 101:
            return response
        response.close()
        self.logger.debug("%s answered %s to the upgrade", self._settings.where, status)
        if status == 401:
            raise AuthenticationError("The game server does not accept the secret")
        raise ApiError(
            f"{self._settings.where} answered {status}", status=status, reason="no upgrade"
        )

    async def _answer(self, socket: aiohttp.ClientWebSocketResponse) -> _Answer:
        """Return the answer to the call, passing over all the notifications before it."""
        where = self._settings.where
        for _ in range(_MOST_MESSAGES):
            message = await socket.receive()
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise ApiError(f"{where} hung up without an answer", reason=message.type.name)
            answer = _parsed(message.data)
            if answer is not None:
                return answer
        raise ApiError(f"{where} talks without answering", reason="too many messages")

    async def _failure(self, error: aiohttp.ClientError) -> ServerManagerError:
        """Return our own error for one of aiohttp; no answer but an upgrade gets this far."""
        settings = self._settings
        if isinstance(error, aiohttp.ClientResponseError):
            return ApiError(
                f"{settings.where} does not speak the management protocol",
                status=ANSWERED,
                reason="no WebSocket",
            )
        return await from_client_error(error, settings.host, settings.port)

    def _url(self) -> URL:
        """Return the address of the management port."""
        settings = self._settings
        scheme = "wss" if settings.tls else "ws"
        try:
            return URL.build(scheme=scheme, host=settings.host, port=settings.port, path="/")
        except ValueError:
            raise InvalidInputError("Not a host name or an IP address", field="host") from None

    def _refused(self, method: str, error: object) -> ApiError:
        """Return the error for a call that the server did not carry out."""
        told = error.get("message") if isinstance(error, dict) else None
        reason = self._settings.harmless(told, COMPLAINT_LIMIT)
        self.logger.debug("%s refused %s: %s", self._settings.where, method, reason)
        return ApiError(
            f"The game server refused {method}: {reason}", status=ANSWERED, reason=reason
        )


def _parsed(text: str) -> _Answer | None:
    """Return a message if it is the answer to the call; raise ApiError if it is not JSON.

    An error without an id is one, too: no other call is under way.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ApiError(
            "The management port sends no JSON", status=ANSWERED, reason="no JSON"
        ) from error
    if not isinstance(message, dict) or "method" in message:
        return None
    call_id = message.get("id")
    if call_id == _CALL_ID and not isinstance(call_id, bool):
        return message
    return message if call_id is None and "error" in message else None


def _confirmed(result: object) -> None:
    """Raise ValueError unless the server says that it did what it was told."""
    if result is not True:
        raise ValueError("Not done")


def _players(result: object) -> tuple[str, ...]:
    """Return the names in a list of players."""
    if not isinstance(result, list):
        raise TypeError("Not a list")
    return player_names([player["name"] for player in result])


def _version(result: object) -> object:
    """Return the name of the version in a status."""
    if not isinstance(result, dict):
        raise TypeError("Not a status")
    version = result.get("version")
    return version.get("name") if isinstance(version, dict) else None
