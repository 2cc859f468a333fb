"""Read from its subentry how the bot is set up."""

from dataclasses import dataclass
import logging
from typing import Any, Self

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_LANGUAGE, CONF_TOKEN
from homeassistant.core import HomeAssistant, callback

from .announcing import LANGUAGES
from .const import (
    CONF_ADMIN_ROLES,
    CONF_ADMINS,
    CONF_APPLICATION,
    CONF_CHANNEL,
    CONF_GROUPS,
    CONF_GUILD,
    CONF_PANEL_CHANNEL,
    CONF_PLAYER_ROLES,
    CONF_RELAY,
    CONF_RELAY_IN_GAME,
    CONF_SHOW_NAMES,
    CONF_VOICE_CHANNELS,
    CONF_VOICE_TARGETS,
    DOMAIN,
    SUBENTRY_DISCORD_BOT,
)
from .discord_bridge.access import People
from .discord_bridge.bridge_settings import BridgeSettings
from .discord_bridge.view import Group

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BotSettings:
    """What was chosen: for the bridge, and which things those in voice want up (by their keys).

    The key of a host is the id of its entry, that of a game server the id of its subentry.
    """

    entry_id: str
    subentry_id: str
    application_id: str
    voice_targets: frozenset[str]
    bridge: BridgeSettings

    @classmethod
    def from_subentry(
        cls, entry: ConfigEntry[Any], subentry: ConfigSubentry, house_language: str
    ) -> Self:
        """Read it; KeyError, TypeError or ValueError where it makes no sense."""
        data = subentry.data
        return cls(
            entry_id=entry.entry_id,
            subentry_id=subentry.subentry_id,
            application_id=data[CONF_APPLICATION],
            voice_targets=frozenset(data[CONF_VOICE_TARGETS]),
            bridge=BridgeSettings(
                token=data[CONF_TOKEN],
                guild_id=int(data[CONF_GUILD]),
                channel_id=_number(data.get(CONF_CHANNEL)),
                panel_channel_id=_number(data.get(CONF_PANEL_CHANNEL)),
                voice_channel_ids=_numbers(data[CONF_VOICE_CHANNELS]),
                people=People(
                    player_roles=_numbers(data[CONF_PLAYER_ROLES]),
                    admin_roles=_numbers(data[CONF_ADMIN_ROLES]),
                    admin_users=_numbers(data[CONF_ADMINS]),
                ),
                alert_ids=tuple(int(one) for one in data[CONF_ADMINS]),
                groups=frozenset(Group(one) for one in data[CONF_GROUPS]),
                language=_spoken(data[CONF_LANGUAGE], house_language),
                relays=data[CONF_RELAY],
                shows_names=data[CONF_SHOW_NAMES],
            ),
        )


@callback
def async_find_bot(
    hass: HomeAssistant,
) -> tuple[ConfigEntry[Any], ConfigSubentry] | None:
    """Return the one bot of the house, and the host that it was added to."""
    for entry in hass.config_entries.async_entries(DOMAIN):
        for subentry in entry.get_subentries_of_type(SUBENTRY_DISCORD_BOT):
            return entry, subentry
    return None


@callback
def async_read_bot(hass: HomeAssistant) -> BotSettings | None:
    """Return how the bot is set up; None without one, or with one that makes no sense."""
    found = async_find_bot(hass)
    if found is None or found[0].disabled_by is not None:
        return None
    try:
        return BotSettings.from_subentry(*found, hass.config.language)
    except (KeyError, TypeError, ValueError) as err:
        _LOGGER.warning("The bot %s cannot be used: %s", found[1].title, type(err).__name__)
        return None


@callback
def async_relays_in_game(hass: HomeAssistant) -> bool:
    """Say whether what is written in the channel is shown in the game as well."""
    found = async_find_bot(hass)
    if found is None or not found[1].data.get(CONF_RELAY):
        return False
    return bool(found[1].data.get(CONF_RELAY_IN_GAME))


def _spoken(chosen: str, house_language: str) -> str:
    """Return the language that was chosen, else that of the house, else English."""
    for language in (chosen, house_language.partition("-")[0]):
        if language in LANGUAGES:
            return language
    return "en"


def _number(typed: str | None) -> int | None:
    return int(typed) if typed else None


def _numbers(typed: list[str]) -> frozenset[int]:
    return frozenset(int(one) for one in typed)
