"""The mode in which the guardian works."""

from typing import Any, Final, override

from homeassistant.components.select import SelectEntity, SelectEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import MODES
from .coordinator import GuardianCoordinator
from .entity import CubeGuardianEntity
from .guardian import Mode
from .helpers import translate_errors
from .runtime import CubeGuardianConfigEntry

PARALLEL_UPDATES = 1

MODE: Final = SelectEntityDescription(
    key="mode",
    translation_key="mode",
    entity_category=EntityCategory.CONFIG,
    options=list(MODES),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: CubeGuardianConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the mode of the host."""
    async_add_entities([ModeSelect(entry.runtime_data.decisions, entry, MODE)])


class ModeSelect(CubeGuardianEntity[GuardianCoordinator], SelectEntity):
    """Choose who decides: CubeGuardian itself, commands only, or those who maintain the host."""

    @property
    @override
    def current_option(self) -> str:
        """Return the mode."""
        return self.coordinator.data.mode.value

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return why maintenance is on, where a reason was given."""
        return {"reason": self.coordinator.data.mode_reason or None}

    @override
    @translate_errors
    async def async_select_option(self, option: str) -> None:
        """Change the mode."""
        self.guardian.set_mode(Mode(option), "", await self.async_caller())
