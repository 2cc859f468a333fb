"""Speak HTTP with a Proxmox VE node: the one place that knows what its answers mean.

The text of an error is in the reason phrase, a 401 comes three seconds late, 595 to 599 mean that
the node could not reach another one, an address that pveproxy does not allow is cut off without
an answer (protocols page, section 1.4).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
import json
from logging import Logger
import re
import ssl
from urllib.parse import quote

import aiohttp
from yarl import URL

from .errors import (
    ApiError,
    AuthenticationError,
    HostTimeoutError,
    InvalidInputError,
    PermissionDeniedError,
    ServerManagerError,
)
from .http_errors import from_client_error
from .text import plain
from .tls import TlsTrust, ssl_option

_ANSWER_LIMIT = 8 * 1024 * 1024
_DENIED = re.compile(r"\((?P<path>/[^,\s)]*),\s*(?P<privilege>[A-Za-z.|]+)")


class ProxmoxClient:
    """Send one request at a time to one node, and return its data or raise a typed error."""

    def __init__(
        self,
        logger: Logger,
        *,
        session: aiohttp.ClientSession | None,
        host: str,
        port: int,
        token_id: str,
        token_secret: str,
        trust: TlsTrust,
    ) -> None:
        """Borrow the connections of `session`; without one, each request opens its own."""
        self.logger = logger
        self._session = session
        self._host = host
        self._port = port
        self._token_id = token_id
        self._token_secret = token_secret
        self._trust = trust
        self._ssl: dict[str, ssl.SSLContext | aiohttp.Fingerprint] = {}

    async def get[ResultT](
        self,
        path: str,
        read: Callable[[object], ResultT],
        *,
        timeout: float,
        query: Mapping[str, str] | None = None,
    ) -> ResultT:
        """GET a path below /api2/json and return what `read` makes of its data."""
        data = await self._request("GET", path, query, timeout)
        try:
            return read(data)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ApiError(
                f"The answer to {path} makes no sense", status=200, reason="unexpected content"
            ) from error

    async def post(
        self, path: str, *, timeout: float, form: Mapping[str, str] | None = None
    ) -> object:
        """POST to a path below /api2/json and return the data.

        Never sent twice. An error that is `sent` leaves open whether the node acts on it.
        """
        sent = asyncio.Event()
        try:
            return await self._request("POST", path, form, timeout, sent)
        except (ApiError, HostTimeoutError) as error:
            unanswered = isinstance(error, HostTimeoutError) or error.status == 0
            error.sent = unanswered and sent.is_set()
            raise

    async def _request(
        self,
        method: str,
        path: str,
        values: Mapping[str, str] | None,
        timeout: float,
        sent: asyncio.Event | None = None,
    ) -> object:
        """Send a request once the certificate is trusted; return the data of the answer."""
        async with (
            self._typed_errors(timeout),
            self._cookieless(sent) as session,
            session.request(
                method,
                self._url(path),
                params=values if method == "GET" else None,
                data=values if method == "POST" else None,
                headers=self._headers(method),
                ssl=await self._ssl_option(method),
                allow_redirects=False,
            ) as response,
        ):
            body = await _read(response)
        self._raise_for_status(response, body)
        return _data(body, response.status)

    @asynccontextmanager
    async def _typed_errors(self, timeout: float) -> AsyncIterator[None]:
        """Limit the time and turn aiohttp's errors into our own."""
        try:
            async with asyncio.timeout(timeout):
                yield
        except TimeoutError:
            raise HostTimeoutError(
                f"{self._host}:{self._port} did not answer the request"
            ) from None
        except aiohttp.ClientError as error:
            raise await from_client_error(error, self._host, self._port) from None

    @asynccontextmanager
    async def _cookieless(self, sent: asyncio.Event | None) -> AsyncIterator[aiohttp.ClientSession]:
        """Lend a session without cookies: Proxmox prefers a stray ticket cookie to the token.

        It sets `sent` once the connection stands and the request goes out on it.
        """
        shared = self._session.connector if self._session else None
        async with aiohttp.ClientSession(
            connector=shared,
            connector_owner=shared is None,
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[_telling(sent)] if sent else None,
            timeout=aiohttp.ClientTimeout(total=None),
        ) as session:
            yield session

    async def _ssl_option(self, method: str) -> ssl.SSLContext | aiohttp.Fingerprint:
        """Return the option that verifies the certificate before anything is sent.

        Proxmox drops idle connections after 5 s. A POST on one of those fails, and whether it was
        carried out cannot be told: hence a new connection for each.
        """
        if method not in self._ssl:
            self._ssl[method] = await ssl_option(self._trust, kept=method == "GET")
        return self._ssl[method]

    def _url(self, path: str) -> URL:
        """Return the address of a path."""
        try:
            return URL.build(
                scheme="https", host=self._host, port=self._port, path=f"/api2/json{path}"
            )
        except ValueError:
            raise InvalidInputError("Not a host name or an IP address", field="host") from None

    def _headers(self, method: str) -> dict[str, str]:
        """Return the headers; Proxmox decodes percents in a token."""
        token = quote(f"{self._token_id}={self._token_secret}", safe="@!=:+,$&/()*~'")
        headers = {"Authorization": f"PVEAPIToken={token}", "Accept": "application/json"}
        return headers if method == "GET" else {**headers, "Connection": "close"}

    def _raise_for_status(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        """Raise the error that an answer is."""
        status = response.status
        if status < 300:
            return
        reason = plain(_error_text(body) or response.reason or "", 300)
        reason = reason.replace(self._token_secret, "***") if self._token_secret else reason
        self.logger.debug("%s answered %s %s", self._host, status, reason)
        if status == 401:
            raise AuthenticationError("Proxmox does not accept the token")
        if status == 403:
            raise _denied(reason)
        raise ApiError(f"Proxmox answered {status} {reason}".rstrip(), status=status, reason=reason)


def _telling(sent: asyncio.Event) -> aiohttp.TraceConfig:
    """Return what sets `sent` as a request goes out."""

    async def goes_out(*_: object) -> None:
        sent.set()

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(goes_out)
    return trace


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Read the body, but not without end."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _ANSWER_LIMIT:
            raise ApiError("The answer is too long", status=response.status, reason="too long")
    return bytes(body)


def _data(body: bytes, status: int) -> object:
    """Return what an answer carries."""
    try:
        data: object = json.loads(body)["data"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ApiError(
            "The answer is not one of Proxmox", status=status, reason="not Proxmox"
        ) from error
    return data


def _error_text(body: bytes) -> str:
    """Return what a JSON error says beyond the reason phrase, or ""."""
    try:
        answer = json.loads(body)
    except ValueError, RecursionError:
        return ""
    if not isinstance(answer, dict):
        return ""
    errors = answer.get("errors")
    fields = errors.items() if isinstance(errors, dict) else ()
    return " ".join(
        [str(answer.get("message") or ""), *(f"{field}: {text}" for field, text in fields)]
    ).strip()


def _denied(reason: str) -> ServerManagerError:
    """Return the error for a missing right, with what the text tells of it."""
    found = _DENIED.search(reason)
    return PermissionDeniedError(
        f"The token lacks a right: {reason}",
        path=found["path"] if found else "",
        privilege=found["privilege"] if found else "",
    )
