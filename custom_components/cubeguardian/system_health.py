"""Show in the system information how the hosts are, from what is known already."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from homeassistant.components import system_health
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN
from .guardian import HOST, EventKind, Snapshot, State
from .runtime import CubeGuardianConfigEntry


@callback
def async_register(hass: HomeAssistant, register: system_health.SystemHealthRegistration) -> None:
    """Register what is shown."""
    register.async_register_info(_async_info)


async def _async_info(hass: HomeAssistant) -> dict[str, Any]:
    """Return counts alone: this is posted in public, so it names nobody and nothing."""
    loaded: list[CubeGuardianConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    snapshots = [entry.runtime_data.guardian.snapshot for entry in loaded]
    states = [snapshot.host.state for snapshot in snapshots]
    asleep = states.count(State.OFF)
    apis = [
        entry.runtime_data.host.data.api.value if entry.runtime_data.manager.proxmox else "no_token"
        for entry in loaded
    ]
    return {
        "hosts": len(loaded),
        "asleep": asleep,
        "awake": len(loaded) - asleep,
        "states": _counted(states),
        "modes": _counted(snapshot.mode for snapshot in snapshots),
        "leases": _counted(lease.source for one in snapshots for lease in one.leases),
        "vetoes": sum(len(snapshot.vetoes) for snapshot in snapshots),
        "hold_ups": _counted(held.key for one in snapshots for held in one.host.held),
        "last_events": _counted(kind for one in snapshots if (kind := _last_event(one))),
        "proxmox_api": _counted(apis),
        "game_servers": sum(len(entry.runtime_data.games) for entry in loaded),
    }


def _last_event(snapshot: Snapshot) -> str | None:
    """Return what happened to a host last."""
    kinds = {kind.value for kind in EventKind}
    happened = (
        entry.kind
        for entry in reversed(snapshot.journal)
        if entry.target == HOST and entry.kind in kinds
    )
    return next(happened, None)


def _counted(values: Iterable[str]) -> str:
    """Write values down with how often they occur."""
    return ", ".join(f"{value}: {count}" for value, count in sorted(Counter(values).items()))
