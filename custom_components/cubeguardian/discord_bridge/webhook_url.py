"""Understand the address of a Discord webhook, which is a secret, and ask what it belongs to."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
import json
import re
from typing import Final
from urllib.parse import SplitResult, parse_qs, urlsplit

import aiohttp
from yarl import URL

from .quoting import plain

API: Final = "https://discord.com/api/v10"

_HOSTS: Final = frozenset(
    f"{branch}{name}"
    for branch in ("", "www.", "canary.", "ptb.")
    for name in ("discord.com", "discordapp.com")
)
_PATH = re.compile(r"/api(?:/v\d{1,2})?/webhooks/(\d{17,20})/([A-Za-z0-9._-]{60,128})/?")
_ID = re.compile(r"\d{17,20}", re.ASCII)
_LONGEST: Final = 512
_TIMEOUT: Final = 10.0
_ANSWER_LIMIT: Final = 64 * 1024
_INCOMING: Final = 1


class Flaw(StrEnum):
    """Say what is wrong with the address of a webhook."""

    NOT_A_WEBHOOK = "not_a_webhook"
    BAD_THREAD = "bad_thread"


class Refusal(StrEnum):
    """Say why nothing is known of a webhook."""

    GONE = "gone"
    DENIED = "denied"
    NOT_INCOMING = "not_incoming"
    BUSY = "busy"
    AWAY = "away"


class BadWebhookUrlError(Exception):
    """A text is not the address of a webhook; it holds nothing of that text."""

    def __init__(self, flaw: Flaw) -> None:
        """Keep what is wrong."""
        super().__init__(flaw.value)
        self.flaw = flaw


class WebhookFetchError(Exception):
    """A webhook could not be asked; nothing of its address is in here."""

    def __init__(self, refusal: Refusal) -> None:
        """Keep why."""
        super().__init__(refusal.value)
        self.refusal = refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookUrl:
    """Where to post. Whoever knows the token may, so that it shows in no representation.

    `base` is Discord's own for everything that is parsed: another one is for tests.
    """

    webhook_id: str
    token: str = field(repr=False)
    thread_id: str | None = None
    base: str = API

    def secret(self) -> str:
        """Give the whole address, without the thread."""
        return f"{self.base}/webhooks/{self.webhook_id}/{self.token}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookFacts:
    """What Discord tells of a webhook."""

    name: str
    channel_id: str
    guild_id: str


def parse_webhook_url(text: str) -> WebhookUrl:
    """Read what Discord lets people copy; raise BadWebhookUrlError.

    Only the number, the token and the thread are taken over, so that nothing is ever sent to any
    host but Discord's.
    """
    given = text.strip().removeprefix("<").removesuffix(">")
    parts = _split(given)
    found = _PATH.fullmatch(parts.path) if parts and _is_discords(parts) else None
    if parts is None or found is None:
        raise BadWebhookUrlError(Flaw.NOT_A_WEBHOOK)
    threads = parse_qs(parts.query, keep_blank_values=True).get("thread_id", [])
    if len(threads) > 1 or not all(_ID.fullmatch(thread) for thread in threads):
        raise BadWebhookUrlError(Flaw.BAD_THREAD)
    return WebhookUrl(
        webhook_id=found[1], token=found[2], thread_id=threads[0] if threads else None
    )


def _split(text: str) -> SplitResult | None:
    """Take an address apart; None for what is none."""
    if len(text) > _LONGEST or not text.isascii() or not text.isprintable():
        return None
    with suppress(ValueError):
        return urlsplit(text)
    return None


def _is_discords(parts: SplitResult) -> bool:
    """Say whether it leads to Discord and nowhere else; a port or a user is a disguise."""
    return parts.scheme == "https" and parts.netloc.lower() in _HOSTS


async def fetch_webhook(url: WebhookUrl, session: aiohttp.ClientSession) -> WebhookFacts:
    """Ask Discord what the webhook belongs to; raise WebhookFetchError."""
    status, body = 0, b""
    with suppress(aiohttp.ClientError, TimeoutError, OSError, asyncio.IncompleteReadError):
        status, body = await _get(url, session)
    refusal = _refusal(status)
    if refusal is not None:
        raise WebhookFetchError(refusal)
    return _facts(body)


async def _get(url: WebhookUrl, session: aiohttp.ClientSession) -> tuple[int, bytes]:
    async with (
        asyncio.timeout(_TIMEOUT),
        session.get(URL(url.secret(), encoded=True), allow_redirects=False) as response,
    ):
        body = bytearray()
        async for part in response.content.iter_chunked(4096):
            body += part
            if len(body) > _ANSWER_LIMIT:
                return 0, b""
        return response.status, bytes(body)


def _refusal(status: int) -> Refusal | None:
    match status:
        case 200:
            return None
        case 404:
            return Refusal.GONE
        case 401 | 403:
            return Refusal.DENIED
        case 429:
            return Refusal.BUSY
        case _:
            return Refusal.AWAY


def _facts(body: bytes) -> WebhookFacts:
    """Read the answer; it holds the token as well, which goes no further."""
    facts = None
    with suppress(ValueError, TypeError, KeyError, RecursionError):
        told = json.loads(body)
        if told["type"] != _INCOMING:
            raise WebhookFetchError(Refusal.NOT_INCOMING)
        facts = WebhookFacts(
            name=plain(str(told.get("name") or ""), 80),
            channel_id=_identifier(told["channel_id"]),
            guild_id=_identifier(told.get("guild_id")),
        )
    if facts is None:
        raise WebhookFetchError(Refusal.AWAY)
    return facts


def _identifier(told: object) -> str:
    """Return one of Discord's numbers, which come as texts; "" for anything else."""
    return told if isinstance(told, str) and _ID.fullmatch(told) else ""
