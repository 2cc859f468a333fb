"""Events: what the guardian did, and who came and went."""

from typing import Any, Final, override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .bot_entity import BotEntity, bot_of
from .const import CONF_RELAY, DOMAIN
from .coordinator import GuardianCoordinator, MinecraftCoordinator
from .discord_bridge.access import Rank
from .discord_bridge.bridge_port import ChannelMessage
from .entity import CubeGuardianEntity
from .guardian import Event, EventKind
from .helpers import title_of
from .roster import Roster
from .runtime import CubeGuardianConfigEntry
from .sensor_tables import told

PARALLEL_UPDATES = 0

JOINED: Final = "joined"
LEFT: Final = "left"
RECEIVED: Final = "received"
RANKS: Final = {Rank.NOBODY: "nobody", Rank.PLAYER: "player", Rank.ADMIN: "admin"}
# What happens to a game server while nobody asked anything of it is told by its host.
OF_GAMES: Final = frozenset(
    {
        EventKind.DEMAND_UNKNOWN,
        EventKind.SAVE_FAILED,
        EventKind.SERVER_CRASHED,
        EventKind.SERVER_UNREADABLE,
    }
)

ACTIVITY: Final = EventEntityDescription(
    key="activity", translation_key="activity", event_types=[kind.value for kind in EventKind]
)
MESSAGE: Final = EventEntityDescription(
    key="message", translation_key="message", event_types=[RECEIVED]
)
PLAYERS: Final = EventEntityDescription(
    key="players", translation_key="players", event_types=[JOINED, LEFT]
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: CubeGuardianConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the activity of the host and the players of each game server."""
    runtime = entry.runtime_data
    async_add_entities([ActivityEvent(runtime.decisions, entry, ACTIVITY)])
    for game_id, game in runtime.games.items():
        async_add_entities(
            [PlayersEvent(game, entry, PLAYERS, game_id)], config_subentry_id=game_id
        )
    for subentry in bot_of(hass, entry):
        if subentry.data.get(CONF_RELAY):
            async_add_entities(
                [MessageEvent(hass, subentry, MESSAGE)], config_subentry_id=subentry.subentry_id
            )
        else:
            _forget_messages(hass, subentry)


@callback
def _forget_messages(hass: HomeAssistant, subentry: ConfigSubentry) -> None:
    """Leave no dead entity where the channel was read and is not any more."""
    entities = er.async_get(hass)
    unique_id = f"{subentry.subentry_id}_{MESSAGE.key}"
    known = entities.async_get_entity_id(Platform.EVENT, DOMAIN, unique_id)
    if known is not None:
        entities.async_remove(known)


class ActivityEvent(CubeGuardianEntity[GuardianCoordinator], EventEntity):
    """Show what happened to the host, and what its game servers have to say."""

    _unrecorded_attributes = frozenset({"held", "who"})

    @override
    async def async_added_to_hass(self) -> None:
        """Listen to the guardian."""
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.async_listen_events(self._happened))

    @callback
    def _happened(self, event: Event) -> None:
        """Show one event."""
        if event.target != self.target and event.kind not in OF_GAMES:
            return
        self._trigger_event(event.kind.value, _attributes(event))
        self.async_write_ha_state()


class PlayersEvent(CubeGuardianEntity[MinecraftCoordinator], EventEntity):
    """Tell who joined and who left."""

    _unrecorded_attributes = frozenset({"names"})
    _roster: Roster

    @override
    async def async_added_to_hass(self) -> None:
        """Take bearings from what was already seen."""
        await super().async_added_to_hass()
        self._roster = Roster(self.coordinator.data, self.view)

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Compare who is there with who was."""
        left, joined = self._roster.changes(self.coordinator.data, self.view)
        self._tell(LEFT, left)
        self._tell(JOINED, joined)

    def _tell(self, what: str, names: frozenset[str]) -> None:
        """Show one event for all who came, or went, between two samples."""
        if names:
            self._trigger_event(what, {"names": sorted(names)})
            self.async_write_ha_state()


class MessageEvent(BotEntity, EventEntity):
    """Pass on what people write in the channel of the bot."""

    _unrecorded_attributes = frozenset({"name", "text", "user"})

    @override
    async def async_added_to_hass(self) -> None:
        """Read along."""
        await super().async_added_to_hass()
        self.async_on_remove(self.bot.async_read(self._heard))

    @callback
    def _heard(self, message: ChannelMessage) -> None:
        """Show one message."""
        attributes = {
            "name": message.name,
            "text": message.text,
            "user": str(message.user_id),
            "may": RANKS[message.rank],
        }
        self._trigger_event(RECEIVED, attributes)
        self.async_write_ha_state()


def _attributes(event: Event) -> dict[str, Any]:
    """Return what explains an event, without what is not known."""
    details = event.placeholders
    attributes = {
        "by": event.by,
        "error": details.get("code"),
        "reason": event.reason.value if event.reason else None,
        "command": details.get("command"),
        "phase": details.get("phase"),
        "seconds": details.get("seconds"),
        "server": title_of(event.target) or None,
        "guest": details.get("name") or details.get("vmid"),
        "who": details.get("source"),
        "held": told(event.hold_ups) or None,
    }
    return {key: value for key, value in attributes.items() if value is not None}
