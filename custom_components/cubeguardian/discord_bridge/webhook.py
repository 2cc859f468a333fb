"""Post to a Discord webhook by the library discord-webhook, off the event loop.

requests' errors and urllib3's debug lines hold the address of the webhook, which is a secret. So
nothing that is raised in the thread leaves it, and nothing that these libraries log in it is kept.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
import json
import logging
import math
import queue
import re
import threading
from types import ModuleType
from typing import Any, Final, Protocol, override

from .message import Embed, Message
from .webhook_url import WebhookUrl

_READ_TIMEOUT: Final = 10.0
_JOIN_TIMEOUT: Final = 0.5
_MOST_ABANDONED: Final = 2
_LONGEST_WAIT: Final = 24 * 3600.0
_UNTOLD_WAIT: Final = 60.0
_UNKNOWN_MESSAGE: Final = 10008
_MESSAGE_ID = re.compile(r"\d{1,20}", re.ASCII)
# Whatever the library's own sending goes through, and what they are known to log from.
_LIBRARIES: Final = ("discord_webhook", "requests", "urllib3", "charset_normalizer", "chardet")


class Verdict(StrEnum):
    """What an attempt came to.

    `unclear`: it may have been delivered. `rejected`: this message will never be taken.
    """

    DELIVERED = "delivered"
    GONE = "gone"
    DENIED = "denied"
    MESSAGE_GONE = "message_gone"
    LIMITED = "limited"
    REJECTED = "rejected"
    AWAY = "away"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an attempt came to, without anything secret.

    `wait`: how many seconds Discord wants to be left in peace. `why`: a status, or the name of
    an error.
    """

    verdict: Verdict
    why: str = ""
    wait: float = 0.0
    message_id: str | None = None


class _Response(Protocol):
    """What is used of an answer of requests."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes
    history: list[_Response]


class _Webhook(Protocol):
    """What is used of the library's message."""

    def add_embed(self, embed: object) -> None: ...

    def api_post_request(self) -> _Response: ...

    def edit(self) -> _Response: ...


class _Worker(threading.Thread):
    """The thread of one webhook. It is a daemon: nobody waits for it when Home Assistant stops."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    @override
    def run(self) -> None:
        """Do one job after the other, until there is none to come."""
        while (job := self.jobs.get()) is not None:
            job()


class _Hush(logging.Filter):
    """Let nothing through that a library logs in one of our threads."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is somebody else's."""
        return not isinstance(threading.current_thread(), _Worker)


_HUSH: Final = _Hush()


class Poster:
    """Post and edit the messages of one webhook, one at a time."""

    def __init__(self, url: WebhookUrl, *, patience: float = 15.0) -> None:
        """Wait at most `patience` seconds for an answer."""
        self._url = url
        self._patience = patience
        self._worker: _Worker | None = None
        self._abandoned: list[_Worker] = []

    async def post(self, message: Message) -> Answer:
        """Send a message."""
        return await self._do(message, None)

    async def edit(self, message_id: str, message: Message) -> Answer:
        """Replace a message that was sent before."""
        return await self._do(message, message_id)

    def close(self) -> None:
        """End the thread; between two messages it is gone at once."""
        worker = self._dismiss()
        if worker is not None:
            worker.join(_JOIN_TIMEOUT)

    async def _do(self, message: Message, message_id: str | None) -> Answer:
        """Have the thread do it; one that does not come back is left behind."""
        self._abandoned = [worker for worker in self._abandoned if worker.is_alive()]
        if len(self._abandoned) >= _MOST_ABANDONED:
            return Answer(verdict=Verdict.AWAY, why="threads are stuck")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Answer] = loop.create_future()
        url = self._url

        def job() -> None:
            answer = _sent(url, message, message_id)
            # The loop is gone only where Home Assistant has stopped meanwhile.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_hand_over, done, answer)

        self._hired().jobs.put(job)
        try:
            async with asyncio.timeout(self._patience):
                return await done
        except TimeoutError:
            self._abandon()
            return Answer(verdict=Verdict.UNCLEAR, why="no answer in time")
        except asyncio.CancelledError:
            self._abandon()
            raise

    def _hired(self) -> _Worker:
        if self._worker is None:
            self._worker = _Worker(f"cubeguardian webhook {self._url.webhook_id}")
            self._worker.start()
        return self._worker

    def _dismiss(self) -> _Worker | None:
        """Let the thread end after what it is at."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.jobs.put(None)
        return worker

    def _abandon(self) -> None:
        worker = self._dismiss()
        if worker is not None:
            self._abandoned.append(worker)


def _hand_over(done: asyncio.Future[Answer], answer: Answer) -> None:
    if not done.done():
        done.set_result(answer)


def _sent(url: WebhookUrl, message: Message, message_id: str | None) -> Answer:
    """Send, and judge what came of it. Runs in the thread; raises nothing, logs nothing."""
    try:
        library = import_module("discord_webhook")
        _hush()
        webhook = _webhook(library, url, message, message_id)
        response = webhook.api_post_request() if message_id is None else webhook.edit()
        return _answered(response, edited=message_id is not None)
    except Exception as err:
        return _failed(err)


def _hush() -> None:
    """Silence the libraries in our threads; a logger's filter does not reach those below it."""
    known = tuple(logging.root.manager.loggerDict)
    for name in {*_LIBRARIES, *known}:
        if name.partition(".")[0] in _LIBRARIES:
            logging.getLogger(name).addFilter(_HUSH)


def _webhook(
    library: ModuleType, url: WebhookUrl, message: Message, message_id: str | None
) -> _Webhook:
    """Build the library's message. Nobody is ever mentioned by a webhook."""
    webhook: _Webhook = library.DiscordWebhook(
        url.secret(),
        content=message.content or None,
        embeds=[],
        attachments=[],
        thread_id=url.thread_id,
        allowed_mentions={"parse": []},
        timeout=_READ_TIMEOUT,
        id=message_id,
    )
    for embed in message.embeds:
        webhook.add_embed(_embed(library, embed))
    return webhook


def _embed(library: ModuleType, embed: Embed) -> object:
    built = library.DiscordEmbed(
        title=embed.title or None, description=embed.description or None, color=embed.colour
    )
    if embed.author:
        built.set_author(embed.author)
    if embed.footer:
        built.set_footer(embed.footer)
    if embed.at is not None:
        built.set_timestamp(embed.at)
    for field in embed.fields:
        built.add_embed_field(name=field.name, value=field.value, inline=field.inline)
    return built


def _answered(response: _Response, *, edited: bool) -> Answer:
    """Judge the first answer: one that came by a redirection is not Discord's to us."""
    first = response.history[0] if response.history else response
    return judged(first.status_code, first.headers, first.content, edited=edited)


def judged(status: int, headers: Mapping[str, str], content: bytes, *, edited: bool) -> Answer:
    """Say what an answer of Discord means. `edited`: a message was to be replaced."""
    body = _json(content)
    why = f"status {status}"
    match status:
        case 200 | 204:
            return Answer(
                verdict=Verdict.DELIVERED,
                why=why,
                wait=_reset(headers) if headers.get("X-RateLimit-Remaining") == "0" else 0.0,
                message_id=_message_id(body),
            )
        case 404 if edited and body.get("code") == _UNKNOWN_MESSAGE:
            return Answer(verdict=Verdict.MESSAGE_GONE, why=why)
        case 404:
            return Answer(verdict=Verdict.GONE, why=why)
        case 401 | 403 if "code" in body:
            return Answer(verdict=Verdict.DENIED, why=why)
        case 429:
            return Answer(verdict=Verdict.LIMITED, why=why, wait=_retry_after(headers, body))
        case 401 | 403:
            # Not Discord itself, but what stands before it, and only for a while.
            return Answer(verdict=Verdict.AWAY, why=why, wait=_UNTOLD_WAIT)
        case _ if 400 <= status < 500:
            return Answer(verdict=Verdict.REJECTED, why=why)
    return Answer(verdict=Verdict.AWAY, why=why)


def _json(content: bytes) -> Mapping[str, Any]:
    """Read an answer; what is no JSON object says nothing."""
    with suppress(ValueError, RecursionError):
        body = json.loads(content)
        if isinstance(body, dict):
            return body
    return {}


def _message_id(body: Mapping[str, Any]) -> str | None:
    given = body.get("id")
    return given if isinstance(given, str) and _MESSAGE_ID.fullmatch(given) else None


def _retry_after(headers: Mapping[str, str], body: Mapping[str, Any]) -> float:
    """Return how long to wait; long where that is not told, since asking anew makes it worse."""
    told = (
        body.get("retry_after"),
        headers.get("Retry-After"),
        headers.get("X-RateLimit-Reset-After"),
    )
    seconds = [number for number in map(_number, told) if number is not None]
    return max(seconds[0], 0.1) if seconds else _UNTOLD_WAIT


def _reset(headers: Mapping[str, str]) -> float:
    return _number(headers.get("X-RateLimit-Reset-After")) or 0.0


def _number(told: object) -> float | None:
    """Return a number of seconds; None for what is none."""
    if isinstance(told, bool) or not isinstance(told, int | float | str):
        return None
    try:
        seconds = float(told)
    except ValueError, OverflowError:
        return None
    return min(seconds, _LONGEST_WAIT) if math.isfinite(seconds) and seconds >= 0 else None


def _failed(error: Exception) -> Answer:
    """Judge an error by its kind alone, since its text may hold the secret."""
    name = type(error).__name__
    if isinstance(error, ImportError):
        return Answer(verdict=Verdict.AWAY, why=name)
    errors = import_module("requests.exceptions")
    unsent = (errors.ConnectTimeout, errors.SSLError, errors.ProxyError)
    if isinstance(error, unsent) or _has_not_connected(error):
        return Answer(verdict=Verdict.AWAY, why=name)
    if isinstance(error, errors.RequestException):
        return Answer(verdict=Verdict.UNCLEAR, why=name)
    return Answer(verdict=Verdict.REJECTED, why=name)


def _has_not_connected(error: Exception) -> bool:
    """Say whether no connection came about: what requests wraps tells, by its name."""
    cause = getattr(error.args[0] if error.args else None, "reason", None)
    return type(cause).__name__ in {"NewConnectionError", "NameResolutionError"}
