"""What the entities of the bot have in common."""

from collections.abc import Iterator
from typing import Any, override

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import Entity, EntityDescription

from .bot_link import async_get_bot
from .bot_settings import async_find_bot
from .const import DOMAIN


def bot_of(hass: HomeAssistant, entry: ConfigEntry[Any]) -> Iterator[ConfigSubentry]:
    """Give the bot, if it belongs to this host."""
    found = async_find_bot(hass)
    if found is not None and found[0] is entry:
        yield found[1]


class BotEntity(Entity):
    """An entity of the bot; a bot that is away is no reason to be unavailable."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(
        self, hass: HomeAssistant, subentry: ConfigSubentry, description: EntityDescription
    ) -> None:
        """Belong to the device of the bot."""
        self.bot = async_get_bot(hass)
        self.entity_description = description
        self._attr_unique_id = f"{subentry.subentry_id}_{description.key}"
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, subentry.subentry_id)})

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the bot."""
        self.async_on_remove(self.bot.async_listen(self.async_write_ha_state))
