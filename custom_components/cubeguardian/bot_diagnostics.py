"""Say how the bot does, without where it is and who is there."""

from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_LANGUAGE
from homeassistant.core import HomeAssistant, callback

from .bot_link import async_get_bot
from .bot_settings import async_find_bot
from .const import (
    CONF_ADMIN_ROLES,
    CONF_ADMINS,
    CONF_CHANNEL,
    CONF_GROUPS,
    CONF_PANEL_CHANNEL,
    CONF_PLAYER_ROLES,
    CONF_RELAY,
    CONF_RELAY_IN_GAME,
    CONF_SHOW_NAMES,
    CONF_VOICE_CHANNELS,
    CONF_VOICE_TARGETS,
)

SHOWN: Final = (
    CONF_GROUPS,
    CONF_LANGUAGE,
    CONF_SHOW_NAMES,
    CONF_RELAY,
    CONF_RELAY_IN_GAME,
)
TOLD_WHETHER: Final = (CONF_CHANNEL, CONF_PANEL_CHANNEL)
COUNTED: Final = (
    CONF_VOICE_CHANNELS,
    CONF_VOICE_TARGETS,
    CONF_PLAYER_ROLES,
    CONF_ADMIN_ROLES,
    CONF_ADMINS,
)


@callback
def async_describe_bot(hass: HomeAssistant, entry: ConfigEntry[Any]) -> dict[str, Any] | None:
    """Return what helps to understand the bot; None for a host that does not have it."""
    found = async_find_bot(hass)
    if found is None or found[0] is not entry:
        return None
    bot, data = async_get_bot(hass), found[1].data
    return {
        "connected": bot.connected,
        "in_voice": bot.present.count,
        "hosts": len(bot.boards()),
        **{key: data.get(key) for key in SHOWN},
        **{key: bool(data.get(key)) for key in TOLD_WHETHER},
        **{key: len(data.get(key, ())) for key in COUNTED},
    }
