"""Sensors of the host and of its game servers."""

from datetime import datetime
from typing import Any, override

from homeassistant.components.sensor import SensorEntity
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .coordinator import (
    GuardianCoordinator,
    HostCoordinator,
    MinecraftCoordinator,
    PacedCoordinator,
)
from .entity import CubeGuardianEntity, reads_api
from .observed import GameData, HostData
from .runtime import CubeGuardianConfigEntry
from .sensor_tables import (
    API_SENSORS,
    GAME_SENSORS,
    GAME_VIEW_SENSORS,
    HOST_SENSORS,
    HOST_VIEW_SENSORS,
    ReadingDescription,
    ViewDescription,
)

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: CubeGuardianConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the sensors of the host and of each game server."""
    runtime = entry.runtime_data
    readings = HOST_SENSORS + (API_SENSORS if reads_api(entry) else ())
    async_add_entities(
        [
            *(ViewSensor(runtime.decisions, entry, one) for one in HOST_VIEW_SENSORS),
            *(HostSensor(runtime.host, entry, one) for one in readings),
        ]
    )
    for game_id, game in runtime.games.items():
        async_add_entities(
            [
                *(ViewSensor(runtime.decisions, entry, one, game_id) for one in GAME_VIEW_SENSORS),
                *(GameSensor(game, entry, one, game_id) for one in GAME_SENSORS),
            ],
            config_subentry_id=game_id,
        )


class ViewSensor(CubeGuardianEntity[GuardianCoordinator], SensorEntity):
    """Show what the guardian makes of the host or game server."""

    entity_description: ViewDescription
    _unrecorded_attributes = frozenset({"held"})

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """Return the value."""
        return self.entity_description.value_fn(self.view)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """Return what explains the value."""
        return self.entity_description.attributes_fn(self.view)


class ReadingSensor[DataT, CoordinatorT: PacedCoordinator[Any]](
    CubeGuardianEntity[CoordinatorT], SensorEntity
):
    """Show what was read of the host or game server."""

    entity_description: ReadingDescription[DataT]
    _unrecorded_attributes = frozenset({"players"})

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """Return the value."""
        return self.entity_description.value_fn(self.coordinator.data)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """Return what explains the value."""
        return self.entity_description.attributes_fn(self.coordinator.data)


class HostSensor(ReadingSensor[HostData, HostCoordinator]):
    """Show what was read of the host."""


class GameSensor(ReadingSensor[GameData, MinecraftCoordinator]):
    """Show what was read of a game server."""
