"""How long wakes and stops take: what was learned, and what it says of one that is under way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
import math
from statistics import median
from typing import Any, Final

from .status import Phase

KEPT: Final = 10
_NEARLY: Final = 95.0
_ALMOST: Final = 99.0
_SHORTEST: Final = timedelta(seconds=1)
_NOTHING: Final = timedelta(0)


class Leg(StrEnum):
    """A part of a wake or of a stop whose duration is learned."""

    PACKET_TO_API = "packet_to_api"
    PACKET_TO_PING = "packet_to_ping"
    PING_TO_API = "ping_to_api"
    API_TO_GAME = "api_to_game"
    API_TO_GUEST = "api_to_guest"
    GUEST_TO_GAME = "guest_to_game"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The way up of a thing, and its two parts where the phase `between` them is seen."""

    whole: Leg
    first: Leg
    second: Leg
    between: Phase


HOST_ROUTE: Final = Route(
    whole=Leg.PACKET_TO_API,
    first=Leg.PACKET_TO_PING,
    second=Leg.PING_TO_API,
    between=Phase.PING,
)
GAME_ROUTE: Final = Route(
    whole=Leg.API_TO_GAME,
    first=Leg.API_TO_GUEST,
    second=Leg.GUEST_TO_GAME,
    between=Phase.GUEST,
)

# Mid-range values of reference/protocols.md section 6, which found no solid measurement.
DEFAULTS: Final[Mapping[Leg, timedelta]] = {
    Leg.PACKET_TO_API: timedelta(seconds=120),
    Leg.PACKET_TO_PING: timedelta(seconds=90),
    Leg.PING_TO_API: timedelta(seconds=30),
    Leg.API_TO_GAME: timedelta(seconds=60),
    Leg.API_TO_GUEST: timedelta(seconds=20),
    Leg.GUEST_TO_GAME: timedelta(seconds=40),
    Leg.STOP: timedelta(seconds=60),
}
_WHOLE_OF: Final = {
    part: route.whole for route in (HOST_ROUTE, GAME_ROUTE) for part in (route.first, route.second)
}


@dataclass(frozen=True, slots=True)
class Learned:
    """The last ten durations of each leg of one thing, in seconds, the newest last."""

    seconds: Mapping[Leg, tuple[float, ...]] = field(default_factory=dict)

    def add(self, leg: Leg, took: timedelta) -> Learned:
        """Learn a duration; a negative one, which only a clock set back can give, is ignored."""
        if took < _NOTHING:
            return self
        kept = (*self.seconds.get(leg, ()), round(took.total_seconds(), 1))[-KEPT:]
        return Learned({**self.seconds, leg: kept})

    def expected(self, leg: Leg) -> timedelta:
        """Give the median, or the default; a part that was never seen is a share of the whole."""
        if known := self.seconds.get(leg):
            return timedelta(seconds=median(known))
        whole = _WHOLE_OF.get(leg)
        if whole is None or not self.seconds.get(whole):
            return DEFAULTS[leg]
        return self.expected(whole) * (DEFAULTS[leg] / DEFAULTS[whole])

    def slowest(self, leg: Leg) -> timedelta | None:
        """Give the longest of the last durations; None where there is none."""
        known = self.seconds.get(leg)
        return timedelta(seconds=max(known)) if known else None

    def rest(self, route: Route) -> timedelta:
        """Give what still comes after the phase between the two parts.

        Nothing, where wakes were learned and none of them ever showed it: a host that boots with
        ping switched off, a game server whose guest cannot be seen.
        """
        hidden = route.whole in self.seconds and route.second not in self.seconds
        return _NOTHING if hidden else self.expected(route.second)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain JSON."""
        return {leg.value: list(kept) for leg, kept in self.seconds.items()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Learned:
        """Read it back; ValueError or TypeError where it makes no sense."""
        return cls({Leg(leg): _durations(kept) for leg, kept in stored.items()})


def _durations(stored: list[Any]) -> tuple[float, ...]:
    durations = tuple(float(one) for one in stored)[-KEPT:]
    if not all(math.isfinite(one) and one >= 0 for one in durations):
        message = "a learned duration is not a number of seconds"
        raise ValueError(message)
    return durations


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """When something under way should be over, as it was known at `known_at`.

    It changes only when more is known; what the clock adds is worked out on demand. `rest` comes
    after a sign that is still awaited, and so is always still ahead. `floor` is the progress that
    was shown when this became known, so that it never goes back.
    """

    known_at: datetime
    due: datetime
    rest: timedelta = _NOTHING
    floor: float = 0.0

    def ready_at(self, now: datetime) -> datetime:
        """Give the instant; what is late is expected to take half as long again as it is late."""
        late = max(now - self.due, _NOTHING)
        return max(self.due, now + max(self.rest, late / 2))

    def progress(self, now: datetime) -> float:
        """Give percent: even up to the expected end, then ever slower, and never 100."""
        elapsed = max(now - self.known_at, _NOTHING)
        span = max(self.due - self.known_at, _SHORTEST)
        top = max(_NEARLY, self.floor)
        share = min(1.0, elapsed / max(span, elapsed + self.rest))
        late = max(elapsed - span, _NOTHING)
        return self.floor + (top - self.floor) * share + (_ALMOST - top) * (late / (late + span))
