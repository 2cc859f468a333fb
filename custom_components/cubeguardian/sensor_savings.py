"""Sensors of what the host saved by sleeping."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import UnitOfEnergy, UnitOfTime

from .coordinator import HostCoordinator
from .entity import CubeGuardianEntity
from .savings import Savings


@dataclass(frozen=True, kw_only=True)
class SavingsDescription(SensorEntityDescription):
    """Describe a total that only grows."""

    value_fn: Callable[[Savings], float]


SAVINGS_SENSORS: Final = (
    SavingsDescription(
        key="time_asleep",
        translation_key="time_asleep",
        device_class=SensorDeviceClass.DURATION,
        state_class=SensorStateClass.TOTAL_INCREASING,
        native_unit_of_measurement=UnitOfTime.HOURS,
        suggested_display_precision=1,
        value_fn=lambda savings: round(savings.asleep / 3600, 3),
    ),
    SavingsDescription(
        key="energy_saved",
        translation_key="energy_saved",
        device_class=SensorDeviceClass.ENERGY,
        state_class=SensorStateClass.TOTAL_INCREASING,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=2,
        value_fn=lambda savings: round(savings.saved, 4),
    ),
)


class SavingsSensor(CubeGuardianEntity[HostCoordinator], SensorEntity):
    """Show a total: it is counted whenever somebody has looked at the host."""

    entity_description: SavingsDescription

    @property
    @override
    def native_value(self) -> float:
        """Return the total, across restarts."""
        return self.entity_description.value_fn(self.runtime.savings.shown)
