"""Keep the bot from introducing itself too often: Discord resets the token after 1,000 a day."""

from collections import deque
from datetime import timedelta
from typing import Final

_DAY: Final = timedelta(days=1).total_seconds()


class TooManyIdentifiesError(Exception):
    """There were enough for now; `wait` is in seconds."""

    def __init__(self, wait: float) -> None:
        """Keep how long to wait."""
        super().__init__(f"no identify for {wait:.0f} s")
        self.wait = wait


class IdentifyBudget:
    """Count identifies. It belongs to a token, and outlives the bridges that use it.

    `now` is of a clock that only goes forward, in seconds.
    """

    def __init__(self, *, daily: int = 500, burst: int = 20, span: float = 1800.0) -> None:
        """Allow `daily` in 24 hours, of them `burst` in `span` seconds."""
        self._daily = daily
        self._burst = burst
        self._span = span
        self._taken: deque[float] = deque()

    def take(self, now: float) -> None:
        """Count one; TooManyIdentifiesError where it has to wait."""
        while self._taken and self._taken[0] <= now - _DAY:
            self._taken.popleft()
        wait = max(self._wait(now, self._daily, _DAY), self._wait(now, self._burst, self._span))
        if wait > 0:
            raise TooManyIdentifiesError(wait)
        self._taken.append(now)

    def _wait(self, now: float, most: int, span: float) -> float:
        if len(self._taken) < most:
            return 0.0
        return self._taken[-most] + span - now
