"""Find the host or game server that an action is aimed at."""

from dataclasses import dataclass, replace
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import HomeAssistant, ServiceCall, callback
from homeassistant.helpers import device_registry as dr

from .const import DOMAIN, SUBENTRY_MINECRAFT_SERVER
from .guardian import HOST, Guardian, ThingView
from .helpers import invalid
from .runtime import CubeGuardianConfigEntry, RuntimeData


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A host, or one of its game servers.

    It keeps its `runtime`: the entry loses it if it is unloaded while a command is under way.
    """

    entry: CubeGuardianConfigEntry
    runtime: RuntimeData
    thing: str = HOST

    @property
    def guardian(self) -> Guardian:
        """Return the guardian that takes the command."""
        return self.runtime.guardian

    @property
    def view(self) -> ThingView:
        """Return what the guardian makes of it now."""
        snapshot = self.guardian.snapshot
        return snapshot.host if self.thing == HOST else snapshot.games[self.thing]

    @property
    def name(self) -> str:
        """Return what people call it."""
        return self.entry.title if self.thing == HOST else self.entry.subentries[self.thing].title

    @property
    def game_data(self) -> dict[str, Any]:
        """Return how a game server was set up."""
        return dict(self.entry.subentries[self.thing].data)


@callback
def async_host_or_game(call: ServiceCall) -> Target:
    """Return what the call is aimed at; without a device, the only host."""
    if (device_id := call.data.get(ATTR_DEVICE_ID)) is not None:
        return _of_device(call.hass, device_id)
    entries = _entries(call.hass)
    if len(entries) > 1:
        raise invalid("several_hosts")
    return _host(entries[0])


@callback
def async_host(call: ServiceCall) -> Target:
    """Return the host that the call is aimed at, be it by one of its game servers."""
    return _host(async_host_or_game(call).entry)


@callback
def async_game(call: ServiceCall) -> Target:
    """Return the game server that the call is aimed at; a host stands for its only one."""
    if (device_id := call.data.get(ATTR_DEVICE_ID)) is not None:
        target = _of_device(call.hass, device_id)
        return target if target.thing != HOST else _only_game([target.entry])
    return _only_game(_entries(call.hass))


def _entries(hass: HomeAssistant) -> list[CubeGuardianConfigEntry]:
    """Return every host that was set up."""
    entries = hass.config_entries.async_entries(
        DOMAIN, include_ignore=False, include_disabled=False
    )
    if not entries:
        raise invalid("no_host")
    return entries


def _only_game(entries: list[CubeGuardianConfigEntry]) -> Target:
    """Return the one game server on these hosts."""
    games = [
        (entry, subentry.subentry_id)
        for entry in entries
        for subentry in entry.get_subentries_of_type(SUBENTRY_MINECRAFT_SERVER)
    ]
    if not games:
        raise invalid("not_a_game_server")
    if len(games) > 1:
        raise invalid("several_game_servers")
    entry, game_id = games[0]
    return _game(entry, game_id)


def _of_device(hass: HomeAssistant, device_id: str) -> Target:
    """Return the host or game server that a device stands for."""
    device = dr.async_get(hass).async_get(device_id)
    owned = {key for domain, key in device.identifiers if domain == DOMAIN} if device else set()
    for entry in hass.config_entries.async_entries(DOMAIN):
        if entry.entry_id in owned:
            return _host(entry)
        if game_id := next(iter(owned & set(entry.subentries)), None):
            return _game(entry, game_id)
    raise invalid("unknown_device")


def _game(entry: CubeGuardianConfigEntry, game_id: str) -> Target:
    """Return a game server of a loaded host."""
    host = _host(entry)
    if game_id not in host.runtime.games:
        raise invalid("not_a_game_server")
    return replace(host, thing=game_id)


def _host(entry: CubeGuardianConfigEntry) -> Target:
    """Return a host if it is loaded."""
    if entry.state is not ConfigEntryState.LOADED:
        raise invalid("not_loaded", host=entry.title)
    return Target(entry=entry, runtime=entry.runtime_data)
