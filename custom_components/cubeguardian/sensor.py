"""Sensors of the host and of its game servers."""

from datetime import datetime
from typing import Any, Final, override

from homeassistant.components.sensor import (
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType
from homeassistant.util import dt as dt_util

from .bot_entity import BotEntity, bot_of
from .coordinator import (
    GuardianCoordinator,
    HostCoordinator,
    MinecraftCoordinator,
    PacedCoordinator,
)
from .entity import CubeGuardianEntity, reads_api
from .observed import GameData, HostData
from .runtime import CubeGuardianConfigEntry
from .sensor_savings import SAVINGS_SENSORS, SavingsSensor
from .sensor_tables import (
    API_SENSORS,
    GAME_SENSORS,
    GAME_VIEW_SENSORS,
    HOST_SENSORS,
    HOST_VIEW_SENSORS,
    PACE_SENSORS,
    PaceDescription,
    ReadingDescription,
    ViewDescription,
)

PARALLEL_UPDATES = 0

VOICE_MEMBERS: Final = SensorEntityDescription(
    key="voice_members",
    translation_key="voice_members",
    state_class=SensorStateClass.MEASUREMENT,
)


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
            *(PaceSensor(runtime.decisions, entry, one) for one in PACE_SENSORS),
            *(HostSensor(runtime.host, entry, one) for one in readings),
            *(SavingsSensor(runtime.host, entry, one) for one in SAVINGS_SENSORS),
        ]
    )
    for game_id, game in runtime.games.items():
        async_add_entities(
            [
                *(ViewSensor(runtime.decisions, entry, one, game_id) for one in GAME_VIEW_SENSORS),
                *(PaceSensor(runtime.decisions, entry, one, game_id) for one in PACE_SENSORS),
                *(GameSensor(game, entry, one, game_id) for one in GAME_SENSORS),
            ],
            config_subentry_id=game_id,
        )
    for subentry in bot_of(hass, entry):
        async_add_entities(
            [VoiceMembers(hass, subentry, VOICE_MEMBERS)], config_subentry_id=subentry.subentry_id
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


class PaceSensor[ValueT: (int, datetime)](CubeGuardianEntity[GuardianCoordinator], SensorEntity):
    """Show how far a wake or a stop is, or when it will be over.

    It is worked out anew whenever the host was looked at, which is each second while that
    matters, and written only where it has news.
    """

    entity_description: PaceDescription[ValueT]
    _attr_native_value: ValueT | None = None
    _written_at: datetime | None = None

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the looks at the host as well as the guardian."""
        await super().async_added_to_hass()
        self.async_on_remove(self.runtime.host.async_add_listener(self._handle_coordinator_update))

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Write the value if it has news."""
        if self._take_over(dt_util.utcnow()):
            self.async_write_ha_state()

    def _take_over(self, now: datetime) -> bool:
        """Take the value of this instant over, and tell whether it has news."""
        shown, value = self._attr_native_value, self.entity_description.value_fn(self.view, now)
        if value is None and shown is None:
            return False
        if value is not None and shown is not None:
            age = now - (self._written_at or now)
            if not self.entity_description.is_news_fn(shown, value, age):
                return False
        self._attr_native_value, self._written_at = value, now
        return True


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


class VoiceMembers(BotEntity, SensorEntity):
    """Count who is in the watched voice channels; names only where they may be shown."""

    _unrecorded_attributes = frozenset({"names"})

    @property
    @override
    def native_value(self) -> int | None:
        """Return how many there are; None where Discord cannot tell."""
        return self.bot.present.count

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """Return who they are."""
        names = self.bot.shown_members
        return {"names": list(names)} if names else None
