"""How long an idle host is given before it is shut down."""

from typing import Final, override

from homeassistant.components.number import (
    NumberDeviceClass,
    NumberEntity,
    NumberEntityDescription,
    NumberMode,
)
from homeassistant.const import EntityCategory, UnitOfTime
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import GuardianCoordinator
from .entity import CubeGuardianEntity
from .runtime import CubeGuardianConfigEntry

PARALLEL_UPDATES = 1

IDLE_MINUTES: Final = NumberEntityDescription(
    key="idle_minutes",
    translation_key="idle_minutes",
    device_class=NumberDeviceClass.DURATION,
    entity_category=EntityCategory.CONFIG,
    native_unit_of_measurement=UnitOfTime.MINUTES,
    native_min_value=1,
    native_max_value=180,
    native_step=1,
    mode=NumberMode.BOX,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: CubeGuardianConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the length of the idle countdown."""
    async_add_entities([IdleMinutes(entry.runtime_data.decisions, entry, IDLE_MINUTES)])


class IdleMinutes(CubeGuardianEntity[GuardianCoordinator], NumberEntity):
    """Say how long the countdown lasts that announces the shutdown of an idle host."""

    @property
    @override
    def native_value(self) -> int:
        """Return the minutes."""
        return self.coordinator.data.idle_minutes

    @override
    async def async_set_native_value(self, value: float) -> None:
        """Change the minutes."""
        self.guardian.set_idle_minutes(round(value))
