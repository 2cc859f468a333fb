"""Buttons that stop a countdown and restart the host or a game server."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, override

from homeassistant.components.button import (
    ButtonDeviceClass,
    ButtonEntity,
    ButtonEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import GuardianCoordinator
from .entity import CubeGuardianEntity
from .guardian import Caller, Guardian
from .helpers import translate_errors
from .runtime import CubeGuardianConfigEntry

# A shutdown takes minutes: whoever turns it back must not wait for its end.
PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class CommandDescription(ButtonEntityDescription):
    """Describe a button by the command that it gives."""

    press_fn: Callable[[Guardian, str, Caller], Awaitable[None]]


RESTART: Final = CommandDescription(
    key="restart",
    translation_key="restart",
    device_class=ButtonDeviceClass.RESTART,
    entity_category=EntityCategory.CONFIG,
    press_fn=lambda guardian, target, caller: guardian.restart(target, caller),
)
CANCEL_SHUTDOWN: Final = CommandDescription(
    key="cancel_shutdown",
    translation_key="cancel_shutdown",
    press_fn=lambda guardian, target, caller: guardian.cancel_shutdown(target, caller),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: CubeGuardianConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the buttons of the host and of each game server."""
    decisions = entry.runtime_data.decisions
    async_add_entities(
        CommandButton(decisions, entry, description) for description in (CANCEL_SHUTDOWN, RESTART)
    )
    for game_id in entry.runtime_data.games:
        async_add_entities(
            [CommandButton(decisions, entry, RESTART, game_id)], config_subentry_id=game_id
        )


class CommandButton(CubeGuardianEntity[GuardianCoordinator], ButtonEntity):
    """Give one command to the guardian."""

    entity_description: CommandDescription

    @override
    @translate_errors
    async def async_press(self) -> None:
        """Give the command."""
        await self.entity_description.press_fn(
            self.guardian, self.target, await self.async_caller()
        )
