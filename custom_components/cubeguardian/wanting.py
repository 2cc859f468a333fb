"""Follow the entities that want the host awake, and those that forbid waking it."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from homeassistant.const import (
    STATE_HOME,
    STATE_ON,
    STATE_OPEN,
    STATE_OPENING,
    STATE_PAUSED,
    STATE_PLAYING,
    STATE_PROBLEM,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
)
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, State, callback
from homeassistant.helpers.event import async_track_state_change_event

from .const import CONF_AUTOMATIC, CONF_FORBIDDING, CONF_WANTING
from .guardian import HOST, Source
from .runtime import CubeGuardianConfigEntry

# What other kinds of entities call `on`.
ACTIVE: Final = frozenset(
    {
        STATE_HOME,
        STATE_ON,
        STATE_OPEN,
        STATE_OPENING,
        STATE_PAUSED,
        STATE_PLAYING,
        STATE_PROBLEM,
        "above_horizon",
        "active",
        "auto",
        "buffering",
        "cleaning",
        "connected",
        "cool",
        "dry",
        "fan_only",
        "heat",
        "heat_cool",
        "mowing",
        "recording",
        "returning",
        "running",
        "streaming",
        "triggered",
        "unlocked",
    }
)
NOBODY_KNOWS: Final = frozenset({STATE_UNAVAILABLE, STATE_UNKNOWN})


@callback
def async_follow_wishes(hass: HomeAssistant, entry: CubeGuardianConfigEntry) -> None:
    """Tell the guardian now, and at every change until the entry is unloaded."""
    wishes = _Wishes(hass, entry)
    if followed := wishes.entities:
        entry.async_on_unload(async_track_state_change_event(hass, followed, wishes.changed))
    wishes.tell()


def is_active(state: State | None) -> bool | None:
    """Tell whether a state means `on`; None where nobody knows.

    A number means nothing: which numbers would want a host is for a threshold helper to say.
    """
    if state is None or state.state in NOBODY_KNOWS:
        return None
    return state.state in ACTIVE


class _Wishes:
    """What the entities of one host's options say at the moment."""

    def __init__(self, hass: HomeAssistant, entry: CubeGuardianConfigEntry) -> None:
        """Start with nothing known."""
        automatic: Mapping[str, Any] = entry.options.get(CONF_AUTOMATIC, {})
        self._hass = hass
        self._guardian = entry.runtime_data.guardian
        self._wanting: list[str] = automatic.get(CONF_WANTING, [])
        self._forbidding: list[str] = automatic.get(CONF_FORBIDDING, [])
        self._vetoes: dict[str, str] = {}

    @property
    def entities(self) -> list[str]:
        """Return everything that is followed."""
        return list({*self._wanting, *self._forbidding})

    @callback
    def changed(self, event: Event[EventStateChangedData]) -> None:
        """Tell the guardian if what an entity says has changed, not only how it looks."""
        before, after = event.data["old_state"], event.data["new_state"]
        if is_active(before) is not is_active(after):
            self.tell()

    @callback
    def tell(self) -> None:
        """Tell the guardian who wants the host, who cannot be asked, and who forbids.

        An entity that has fallen silent goes on forbidding, or not, as it last said.
        """
        self._vetoes = dict(self._said(self._forbidding, self._vetoes))
        self._guardian.set_vetoes(self._vetoes)
        present = dict(self._said(self._wanting, {}))
        unknown = frozenset(key for key in self._wanting if self._asked(key) is None)
        self._guardian.report(Source.ENTITY, HOST, present, unknown)

    def _said(
        self, entities: Iterable[str], before: Mapping[str, str]
    ) -> Iterable[tuple[str, str]]:
        """Yield the active entities with their names, and the silent ones that were so `before`."""
        for key in entities:
            active = self._asked(key)
            if active or (active is None and key in before):
                state = self._hass.states.get(key)
                yield key, state.name if active and state else before[key]

    def _asked(self, key: str) -> bool | None:
        return is_active(self._hass.states.get(key))
