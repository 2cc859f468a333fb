"""How long the host slept, and how much energy that saved.

Only what is known counts: an interval at whose start the host was off and seen down, and at whose
end it was still seen down. While Home Assistant itself was away nobody watched, so such a gap
counts only where the first sight after it is a sleeping host again, and not beyond a day.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
import math
from typing import Any, Final, Self

from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, UnitOfPower
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util
from homeassistant.util.unit_conversion import PowerConverter

from .const import (
    CONF_ENERGY,
    CONF_POWER_SENSOR,
    CONF_WATTS_ASLEEP,
    CONF_WATTS_ON,
    DEFAULT_WATTS_ASLEEP,
    DEFAULT_WATTS_ON,
    HIGHEST_WATTS,
)
from .guardian import Presence, State, ThingView

STORED_VERSION: Final = 1
LONGEST_GAP: Final = timedelta(days=1)
# Longer than this without a look, and the guardian itself calls the host unknown.
LONGEST_INTERVAL: Final = 90.0
PUBLISH_EVERY: Final = 300.0
# The mean follows a host whose load changes: older running time fades.
LONGEST_MEMORY: Final = timedelta(days=7).total_seconds()
_RUNNING: Final = frozenset({State.RUNNING, State.COUNTDOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What the host draws, as the options say, and the sensor that knows better."""

    watts_on: float = DEFAULT_WATTS_ON
    watts_asleep: float = DEFAULT_WATTS_ASLEEP
    power_sensor: str | None = None

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        """Read the options; what was never set has its default."""
        energy = options.get(CONF_ENERGY, {})
        return cls(
            watts_on=energy.get(CONF_WATTS_ON, DEFAULT_WATTS_ON),
            watts_asleep=energy.get(CONF_WATTS_ASLEEP, DEFAULT_WATTS_ASLEEP),
            power_sensor=energy.get(CONF_POWER_SENSOR),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    """The totals so far, in seconds and kWh.

    `asleep_at` is the instant up to which sleep was counted, None for a host that was not asleep
    then. `mean_watts` is what `power_sensor` measured over `measured` seconds of running time.
    """

    asleep: float = 0.0
    saved: float = 0.0
    asleep_at: datetime | None = None
    mean_watts: float | None = None
    measured: float = 0.0
    power_sensor: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain JSON."""
        return {
            "version": STORED_VERSION,
            "asleep": self.asleep,
            "saved": self.saved,
            "asleep_at": self.asleep_at and self.asleep_at.isoformat(),
            "mean_watts": self.mean_watts,
            "measured": self.measured,
            "power_sensor": self.power_sensor,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Read it back; ValueError, KeyError or TypeError where it makes no sense."""
        if stored["version"] != STORED_VERSION:
            message = f"stored by another version: {stored['version']}"
            raise ValueError(message)
        at, mean = stored["asleep_at"], stored["mean_watts"]
        return cls(
            asleep=_amount(stored["asleep"]),
            saved=_amount(stored["saved"]),
            asleep_at=None if at is None else _instant(at),
            mean_watts=None if mean is None else _amount(mean),
            measured=_amount(stored["measured"]),
            power_sensor=stored["power_sensor"],
        )


def _amount(stored: float) -> float:
    """Return a stored number that can be a total."""
    if not math.isfinite(stored) or stored < 0:
        message = f"no amount: {stored}"
        raise ValueError(message)
    return float(stored)


def _instant(stored: str) -> datetime:
    """Return a stored instant; one without a time zone cannot be compared."""
    instant = datetime.fromisoformat(stored)
    if instant.tzinfo is None:
        message = f"no instant: {stored}"
        raise ValueError(message)
    return instant


class SavingsMeter:
    """Count the sleep of one host whenever somebody has looked at it.

    `shown` moves only when the totals are about to be stored, so that a power cut of Home
    Assistant's own machine never lets a total that was shown go back.
    """

    def __init__(
        self,
        kept: Savings,
        rates: Rates,
        *,
        power: Callable[[], float | None],
        monotonic: Callable[[], float],
        clock: Callable[[], datetime] = dt_util.utcnow,
    ) -> None:
        """Go on from what was kept; `power` gives watts, None where nobody knows.

        Intervals are measured with `monotonic` seconds: setting the wall clock saves no energy.
        """
        if kept.power_sensor != rates.power_sensor:
            kept = replace(kept, mean_watts=None, measured=0.0, power_sensor=rates.power_sensor)
        self._rates, self._power = rates, power
        self._clock, self._monotonic = clock, monotonic
        self.kept = self.shown = kept
        self._started_at = clock()
        self._counted_at = self._published_at = monotonic()
        self._gap_from = kept.asleep_at
        self._asleep = self._running = False

    @property
    def watts_running(self) -> float:
        """Give what the host draws while it runs: measured, or else as the options say."""
        mean = self.kept.mean_watts
        return self._rates.watts_on if mean is None else mean

    @property
    def watts_saved(self) -> float:
        """Give what a sleeping host does not draw."""
        return max(0.0, self.watts_running - self._rates.watts_asleep)

    @property
    def asleep(self) -> bool:
        """Tell whether the host was asleep when it was last counted."""
        return self._asleep

    def count(self, host: ThingView) -> bool:
        """Count up to now; tell whether there is something to show and to store."""
        interval = self._interval()
        down = host.presence is Presence.DOWN
        asleep = down and host.state is State.OFF
        running = host.presence is Presence.UP and host.state in _RUNNING
        closed = self._close_gap(host.presence)
        if self._asleep and down:
            self._add(interval)
        if self._running and running:
            self._measure(interval)
        turned, self._asleep, self._running = asleep is not self._asleep, asleep, running
        if self._gap_from is None:
            self.kept = replace(self.kept, asleep_at=self._clock() if asleep else None)
        worth_showing = turned or closed or (asleep and self._is_old())
        if worth_showing:
            self._published_at, self.shown = self._monotonic(), self.kept
        return worth_showing

    def _interval(self) -> float:
        """Return the seconds since the last count; during a long silence nothing was known."""
        now = self._monotonic()
        elapsed, self._counted_at = now - self._counted_at, now
        return elapsed if elapsed <= LONGEST_INTERVAL else 0.0

    def _close_gap(self, presence: Presence) -> bool:
        """Count the time before the start, if the first thing seen is that the host is down."""
        asleep_at = self._gap_from
        if asleep_at is None or presence is Presence.UNKNOWN:
            return False
        self._gap_from = None
        now = self._clock()
        gap = min(now, self._started_at) - asleep_at
        if presence is Presence.DOWN and gap > timedelta(0) and now - asleep_at <= LONGEST_GAP:
            self._add(gap.total_seconds())
        return True

    def _add(self, seconds: float) -> None:
        """Add sleep, and what it saved, to the totals."""
        self.kept = replace(
            self.kept,
            asleep=self.kept.asleep + seconds,
            saved=self.kept.saved + self.watts_saved * seconds / 3_600_000,
        )

    def _measure(self, seconds: float) -> None:
        """Let the power sensor, if it has a value now, weigh in for these seconds."""
        watts = self._power()
        if watts is None or not seconds:
            return
        measured = min(self.kept.measured + seconds, LONGEST_MEMORY)
        mean = watts if self.kept.mean_watts is None else self.kept.mean_watts
        mean += (watts - mean) * seconds / measured
        self.kept = replace(self.kept, mean_watts=mean, measured=measured)

    def _is_old(self) -> bool:
        """Tell whether what is shown is some minutes old."""
        return self._monotonic() - self._published_at >= PUBLISH_EVERY


@callback
def async_power(hass: HomeAssistant, entity_id: str | None) -> float | None:
    """Return what a power sensor shows now, in watts; None where that is no sensible power."""
    state = hass.states.get(entity_id) if entity_id else None
    if state is None:
        return None
    unit = state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
    try:
        watts = PowerConverter.convert(float(state.state), unit, UnitOfPower.WATT)
    except ValueError, HomeAssistantError:
        return None
    return watts if 0 <= watts <= HIGHEST_WATTS else None


@callback
def async_draws_power(hass: HomeAssistant, rates: Rates) -> bool | None:
    """Tell whether the host runs, by what it draws now; None where nobody measures that.

    The middle between the two figures of the options leaves room for noise on both sides.
    """
    watts = async_power(hass, rates.power_sensor)
    if watts is None or rates.watts_on <= rates.watts_asleep:
        return None
    return watts > (rates.watts_asleep + rates.watts_on) / 2
