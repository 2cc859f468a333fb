"""What the tests about the bot set up, and how they read what it said."""

from types import MappingProxyType
from typing import Any, Final

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.bot_link import BotLink, async_get_bot
from custom_components.cubeguardian.const import SUBENTRY_DISCORD_BOT
from custom_components.cubeguardian.guardian import JournalEntry, Source

from .discord_bridge.bridge_world import BridgeWorld
from .lab.discord import Interaction, Member
from .webhooks import EVERYTHING, guardian, until

BOT: Final = "01BOT"


def bot_data(town: BridgeWorld, **changes: Any) -> dict[str, Any]:
    """Return what the subentry of the bot holds."""
    return {
        "token": town.discord.token,
        "application": str(town.discord.application.id),
        "guild": str(town.guild.id),
        "channel": str(town.lobby.id),
        "panel_channel": str(town.lobby.id),
        "voice_channels": [str(town.voice.id)],
        "voice_targets": ["01HOST"],
        "player_roles": [str(town.players.id)],
        "admin_roles": [str(town.admins.id)],
        "admins": [str(town.ada.id)],
        "groups": EVERYTHING,
        "language": "en",
        "show_names": False,
        "relay": False,
        "relay_in_game": False,
    } | changes


def add_bot(
    hass: HomeAssistant, entry: MockConfigEntry, town: BridgeWorld, **changes: Any
) -> ConfigSubentry:
    """Give a host the bot."""
    subentry = ConfigSubentry(
        subentry_id=BOT,
        subentry_type=SUBENTRY_DISCORD_BOT,
        title="cube",
        unique_id=None,
        data=MappingProxyType(bot_data(town, **changes)),
    )
    if hass.config_entries.async_get_entry(entry.entry_id) is None:
        entry.add_to_hass(hass)
    hass.config_entries.async_add_subentry(entry, subentry)
    return subentry


async def connected(hass: HomeAssistant) -> BotLink:
    """Wait until the bot is there."""
    bot = async_get_bot(hass)
    await until(lambda: bot.connected)
    return bot


def embeds(town: BridgeWorld) -> list[str]:
    """Return the titles of what was said in the lobby beside the panel."""
    return [
        f"{embed.author}: {embed.title}"
        for message in town.discord.messages(town.lobby)
        if not message.buttons
        for embed in message.embeds
    ]


async def give(
    town: BridgeWorld, command: str, by: Member, options: dict[str, Any] | None = None
) -> Interaction:
    """Give a command and wait for its answer."""
    given = town.discord.invoke(command, options or {}, by=by, channel=town.lobby)
    await given.replied()
    return given


def noted(entry: MockConfigEntry) -> list[JournalEntry]:
    """Return what the journal says of commands on Discord."""
    return [one for one in guardian(entry).snapshot.journal if one.kind == "discord_command"]


def voices(entry: MockConfigEntry) -> list[tuple[str, str, bool]]:
    """Return who in voice wants what."""
    return [
        (one.target, one.who, one.unknown)
        for one in guardian(entry).snapshot.leases
        if one.source is Source.VOICE
    ]
