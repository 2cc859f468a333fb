"""The time as the guardian takes it: a wall clock that is set must not expire anything."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from .status import Alert, Status

type Clock = Callable[[], datetime]
type Monotonic = Callable[[], float]

LEAST_JUMP: Final = timedelta(seconds=60)
_NONE: Final = timedelta(0)
_INSTANTS: Final = (
    "since",
    "deadline",
    "retry_at",
    "resend_at",
    "stop_at",
    "look_asked_at",
    "went_down_at",
)


class Timekeeper:
    """Tell the time by the wall clock, and notice by a monotonic one when that was set.

    Shorter corrections are followed: they move a deadline by less than anybody would notice.
    """

    def __init__(self, clock: Clock, monotonic: Monotonic) -> None:
        """Start from what both clocks show now; `monotonic` counts seconds."""
        self._clock, self._monotonic = clock, monotonic
        self._wall, self._seconds = clock(), monotonic()

    def read(self) -> tuple[datetime, timedelta]:
        """Give the instant, and by how much the wall clock was set since the last reading."""
        wall, seconds = self._clock(), self._monotonic()
        jump = (wall - self._wall) - timedelta(seconds=seconds - self._seconds)
        self._wall, self._seconds = wall, seconds
        return wall, jump if abs(jump) > LEAST_JUMP else _NONE


def shifted(status: Status, by: timedelta) -> Status:
    """Give a status as it is after the wall clock was set."""
    moved: dict[str, Any] = {
        name: instant + by for name in _INSTANTS if (instant := getattr(status, name)) is not None
    }
    alerts = tuple(Alert(code=alert.code, at=alert.at + by) for alert in status.alerts)
    return replace(status, **moved, alerts=alerts)
