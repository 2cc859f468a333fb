"""Binary sensors that tell what answers, and whether anybody wants the host."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, override

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .bot_entity import BotEntity, bot_of
from .const import CONF_PUBLIC_ADDRESS
from .coordinator import GuardianCoordinator, HostCoordinator
from .entity import CubeGuardianEntity, reads_api
from .guardian import ApiState, Lease, Presence, Source, ThingView
from .helpers import title_of
from .runtime import CubeGuardianConfigEntry

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class PresenceDescription(BinarySensorEntityDescription):
    """Describe a binary sensor that shows what the guardian judged; None means nobody knows."""

    is_on_fn: Callable[[ThingView], bool | None]


def _reachable(view: ThingView) -> bool | None:
    """Tell whether the host answers at all, booting included."""
    if view.presence is Presence.UNKNOWN:
        return None
    return view.presence is not Presence.DOWN


def _online(view: ThingView) -> bool | None:
    """Tell whether the game server answers as one."""
    if view.presence is Presence.UNKNOWN:
        return None
    return view.presence is Presence.UP


REACHABLE: Final = PresenceDescription(
    key="reachable",
    translation_key="reachable",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    is_on_fn=_reachable,
)
ONLINE: Final = PresenceDescription(
    key="online",
    translation_key="online",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    is_on_fn=_online,
)
PROXMOX_API: Final = BinarySensorEntityDescription(
    key="proxmox_api",
    translation_key="proxmox_api",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    entity_category=EntityCategory.DIAGNOSTIC,
)

CONNECTED: Final = BinarySensorEntityDescription(
    key="connected",
    translation_key="connected",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    entity_category=EntityCategory.DIAGNOSTIC,
)
DEMAND: Final = BinarySensorEntityDescription(key="demand", translation_key="demand")


async def async_setup_entry(
    hass: HomeAssistant,
    entry: CubeGuardianConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add what the host and each game server show; the API only where there is a token for it."""
    runtime = entry.runtime_data
    entities: list[BinarySensorEntity] = [
        PresenceSensor(runtime.decisions, entry, REACHABLE),
        DemandSensor(runtime.decisions, entry, DEMAND),
    ]
    if reads_api(entry):
        entities.append(ApiSensor(runtime.host, entry, PROXMOX_API))
    async_add_entities(entities)
    for game_id in runtime.games:
        async_add_entities(
            [GamePresenceSensor(runtime.decisions, entry, ONLINE, game_id)],
            config_subentry_id=game_id,
        )
    for subentry in bot_of(hass, entry):
        async_add_entities(
            [BotConnected(hass, subentry, CONNECTED)], config_subentry_id=subentry.subentry_id
        )


class PresenceSensor(CubeGuardianEntity[GuardianCoordinator], BinarySensorEntity):
    """Show the guardian's judgement, which one lost probe does not change."""

    entity_description: PresenceDescription

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether it answers."""
        return self.entity_description.is_on_fn(self.view)


class GamePresenceSensor(PresenceSensor):
    """Show whether a game server answers, and where players find it."""

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """Return what players type, if it was told."""
        entry = self.runtime.decisions.config_entry
        public = entry.subentries[self.target].data.get(CONF_PUBLIC_ADDRESS)
        return {CONF_PUBLIC_ADDRESS: public} if public else None


class ApiSensor(CubeGuardianEntity[HostCoordinator], BinarySensorEntity):
    """Show whether the Proxmox API answers and accepts the token."""

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether the API works; that of a sleeping host does not."""
        api = self.coordinator.data.api
        if api is ApiState.UNKNOWN and self.view.presence is not Presence.DOWN:
            return None
        return api is ApiState.OK

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return why it is off."""
        return {"reason": self.coordinator.data.api.value}


class DemandSensor(CubeGuardianEntity[GuardianCoordinator], BinarySensorEntity):
    """Show whether anybody wants the host up, who, and why."""

    _unrecorded_attributes = frozenset({"forbidden_by", "leases"})

    @property
    @override
    def is_on(self) -> bool:
        """Return whether a lease keeps the host up, be it by one of its game servers."""
        return bool(self.coordinator.data.live(self.target))

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return every lease, declined ones included, and what forbids players to wake."""
        snapshot = self.coordinator.data
        return {
            "leases": [self._told(lease) for lease in snapshot.leases],
            "forbidden_by": sorted(snapshot.vetoes.values()),
        }

    def _told(self, lease: Lease) -> dict[str, Any]:
        """Describe a lease as attributes can hold it."""
        return {
            "source": lease.source.value,
            "target": title_of(lease.target) or self.runtime.decisions.config_entry.title,
            "who": lease.name or (None if lease.source is Source.VOICE else lease.who) or None,
            "since": lease.since,
            "until": lease.until,
            "declined": lease.declined,
            "unknown": lease.unknown,
        }


class BotConnected(BotEntity, BinarySensorEntity):
    """Show whether the bot can talk to Discord."""

    @property
    @override
    def is_on(self) -> bool:
        """Return what the bot last told."""
        return self.bot.connected
