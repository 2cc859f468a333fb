"""How the stand-in can be made to misbehave."""

import asyncio
from dataclasses import dataclass, field
import re
import time

from .world import Guild, Json


class ApiError(Exception):
    """An answer that is no success: status, Discord's own code, text."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """Answer 429; without `is_discord` it looks like the ban of the proxy before it."""

    retry_after: float
    is_global: bool = False
    is_discord: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerError:
    """Answer with a 5xx, in HTML as the proxy before Discord does, or in JSON."""

    status: int = 502
    is_html: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Answer that it may not be, or is not there."""

    status: int
    code: int
    message: str = "Missing Permissions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Answer properly, but only after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage:
    """Answer 200 with something that is no JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Never answer; the connection is torn when it is mended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Torn:
    """Tear the connection in place of an answer; `done` tells if the request still took effect."""

    done: bool = False


type Fault = RateLimit | ServerError | Refusal | Latency | Garbage | Silence | Torn


@dataclass(slots=True, kw_only=True)
class ActiveFault:
    """A fault in force: for which requests, how many times still (None: for ever)."""

    fault: Fault
    method: str = ""
    path: re.Pattern[str]
    times: int | None = None

    def strikes(self, method: str, path: str) -> bool:
        """Tell whether this request is hit, and count it."""
        if self.times == 0 or self.method not in ("", method) or not self.path.search(path):
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass(slots=True, kw_only=True)
class Bucket:
    """A rate limit of one kind of request: so many in so many seconds."""

    name: str
    method: str
    path: re.Pattern[str]
    limit: int
    per: float
    taken: dict[str, list[float]] = field(default_factory=dict)

    def take(self, key: str) -> tuple[bool, int, float]:
        """Count a request: whether it may pass, how many may follow, seconds until all may."""
        now = time.monotonic()
        recent = [moment for moment in self.taken.get(key, []) if moment > now - self.per]
        passes = len(recent) < self.limit
        if passes:
            recent.append(now)
        self.taken[key] = recent
        return passes, self.limit - len(recent), recent[0] + self.per - now


@dataclass(slots=True)
class Troubles:
    """Everything that is wrong at the moment."""

    faults: list[ActiveFault] = field(default_factory=list)
    buckets: list[Bucket] = field(default_factory=list)
    gateway_latency: float = 0.0
    answers_heartbeats: bool = True
    _open: asyncio.Event = field(default_factory=asyncio.Event)
    _mended: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._open.set()

    def swallow(self) -> None:
        """Let nothing through from now on, in neither direction."""
        self._open.clear()

    def mend(self) -> None:
        """Take everything back; what hangs goes on."""
        self.faults.clear()
        self.gateway_latency = 0.0
        self.answers_heartbeats = True
        self._open.set()
        self._mended.set()
        self._mended = asyncio.Event()

    @property
    def swallows(self) -> bool:
        """Whether nothing gets through."""
        return not self._open.is_set()

    async def passage(self) -> None:
        """Wait while nothing gets through."""
        await self._open.wait()

    async def mending(self) -> None:
        """Wait until somebody mends it all."""
        await self._mended.wait()

    def find(self, method: str, path: str) -> Fault | None:
        """Return the fault that hits this request."""
        hits = (one.fault for one in self.faults if one.strikes(method, path))
        return next(hits, None)

    def bucket(self, method: str, path: str) -> Bucket | None:
        """Return the rate limit that this request falls under."""
        for bucket in self.buckets:
            if bucket.method == method and bucket.path.search(path):
                return bucket
        return None


def check_available(guild: Guild | None) -> None:
    """Answer as Discord does while a guild is in an outage: nothing is known to be gone."""
    if guild is not None and not guild.available:
        raise ApiError(500, 0, "Internal Server Error")


def limited(retry_after: float, *, is_global: bool = False) -> Json:
    """Return the body of a 429."""
    return {
        "message": "You are being rate limited.",
        "retry_after": retry_after,
        "global": is_global,
    }
