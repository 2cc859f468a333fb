"""Show in the system information how the hosts are, from what is known already."""

from collections import Counter
from typing import Any

from homeassistant.components import system_health
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN
from .guardian import State
from .runtime import CubeGuardianConfigEntry


@callback
def async_register(hass: HomeAssistant, register: system_health.SystemHealthRegistration) -> None:
    """Register what is shown."""
    register.async_register_info(_async_info)


async def _async_info(hass: HomeAssistant) -> dict[str, Any]:
    """Return counts alone: this is posted in public, so it names nobody and nothing."""
    loaded: list[CubeGuardianConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    states = [entry.runtime_data.guardian.snapshot.host.state for entry in loaded]
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
        "proxmox_api": _counted(apis),
        "game_servers": sum(len(entry.runtime_data.games) for entry in loaded),
    }


def _counted(values: list[str] | list[State]) -> str:
    """Write values down with how often they occur."""
    return ", ".join(f"{value}: {count}" for value, count in sorted(Counter(values).items()))
