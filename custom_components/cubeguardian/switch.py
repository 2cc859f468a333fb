"""Switches that wake, keep awake and shut down the host and its game servers."""

from typing import Any, Final, override

from homeassistant.components.switch import (
    SwitchDeviceClass,
    SwitchEntity,
    SwitchEntityDescription,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import GuardianCoordinator
from .entity import CubeGuardianEntity
from .guardian import Source
from .helpers import translate_errors
from .runtime import CubeGuardianConfigEntry

# A shutdown takes minutes: whoever turns it back must not wait for its end.
PARALLEL_UPDATES = 0

HOST_SWITCH: Final = SwitchEntityDescription(
    key="power", translation_key="power", device_class=SwitchDeviceClass.SWITCH
)
GAME_SWITCH: Final = SwitchEntityDescription(
    key="server", translation_key="server", device_class=SwitchDeviceClass.SWITCH
)

KEEP_AWAKE: Final = SwitchEntityDescription(key="keep_awake", translation_key="keep_awake")


async def async_setup_entry(
    hass: HomeAssistant,
    entry: CubeGuardianConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the switches of the host and one for each game server."""
    decisions = entry.runtime_data.decisions
    async_add_entities(
        [
            PowerSwitch(decisions, entry, HOST_SWITCH),
            KeepAwakeSwitch(decisions, entry, KEEP_AWAKE),
        ]
    )
    for game_id in entry.runtime_data.games:
        async_add_entities(
            [PowerSwitch(decisions, entry, GAME_SWITCH, game_id)], config_subentry_id=game_id
        )


class PowerSwitch(CubeGuardianEntity[GuardianCoordinator], SwitchEntity):
    """Show what is wanted rather than what is: a host that boots for a minute must not bounce."""

    _attr_name = None

    @property
    @override
    def is_on(self) -> bool:
        """Return whether the host or game server is wanted up."""
        return self.view.wanted

    @override
    @translate_errors
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Wake it; return once the packet is out."""
        await self.guardian.wake(self.target, await self.async_caller(), Source.SWITCH)

    @override
    @translate_errors
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Shut it down, unless players or tasks hold it up."""
        await self.guardian.shut_down(self.target, await self.async_caller())


class KeepAwakeSwitch(CubeGuardianEntity[GuardianCoordinator], SwitchEntity):
    """Keep the host up although nobody needs it."""

    @property
    @override
    def is_on(self) -> bool:
        """Return whether the host is kept awake."""
        return self.coordinator.data.keep_awake is not None

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return when it ends by itself; None where somebody has to end it."""
        lease = self.coordinator.data.keep_awake
        return {"until": lease.until if lease else None}

    @override
    @translate_errors
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Keep the host awake until somebody ends it."""
        self.guardian.keep_awake(True, await self.async_caller())

    @override
    @translate_errors
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Let the host sleep again when nobody needs it."""
        self.guardian.keep_awake(False, await self.async_caller())
