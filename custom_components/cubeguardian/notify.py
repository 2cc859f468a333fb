"""Notify: what automations say in a channel of Discord."""

from typing import Final, override

from homeassistant.components.notify import (
    NotifyEntity,
    NotifyEntityDescription,
    NotifyEntityFeature,
)
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .bot_entity import BotEntity, bot_of
from .const import DOMAIN
from .discord_bridge.message import Message
from .discord_link import WebhookLink
from .discord_view import notice
from .helpers import invalid
from .runtime import CubeGuardianConfigEntry

# Each message only joins a queue.
PARALLEL_UPDATES = 0

CHANNEL: Final = NotifyEntityDescription(key="channel", translation_key="channel")


async def async_setup_entry(
    hass: HomeAssistant,
    entry: CubeGuardianConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the channel of each webhook."""
    for subentry_id, link in entry.runtime_data.discord.webhooks.items():
        async_add_entities([WebhookChannel(subentry_id, link)], config_subentry_id=subentry_id)
    for subentry in bot_of(hass, entry):
        async_add_entities(
            [BotChannel(hass, subentry, CHANNEL)], config_subentry_id=subentry.subentry_id
        )


class WebhookChannel(NotifyEntity):
    """The channel that a webhook posts to."""

    _attr_has_entity_name = True
    _attr_supported_features = NotifyEntityFeature.TITLE
    entity_description = CHANNEL

    def __init__(self, subentry_id: str, link: WebhookLink) -> None:
        """Belong to the device of the webhook."""
        self._link = link
        self._attr_unique_id = f"{subentry_id}_{CHANNEL.key}"
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, subentry_id)})

    @override
    async def async_send_message(self, message: str, title: str | None = None) -> None:
        """Have it sent; whoever asks does not wait for Discord."""
        if not self._link.send(_notice(message, title)):
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="webhook_gone")


class BotChannel(BotEntity, NotifyEntity):
    """The channel that the bot tells what happens."""

    _attr_supported_features = NotifyEntityFeature.TITLE

    @override
    async def async_send_message(self, message: str, title: str | None = None) -> None:
        """Have it sent; whoever asks does not wait for Discord."""
        if not self.bot.async_say(_notice(message, title).content):
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="bot_silent")


def _notice(message: str, title: str | None) -> Message:
    """Return what is sent; ServiceValidationError where nothing is left to be."""
    said = notice(message, title)
    if not said.content:
        raise invalid("message_empty")
    return said
