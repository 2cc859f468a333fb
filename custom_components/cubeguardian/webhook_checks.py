"""Try out the address of a Discord webhook that a person has typed."""

from typing import Any, Final

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from .const import SUBENTRY_DISCORD_WEBHOOK
from .discord_bridge.webhook_url import (
    BadWebhookUrlError,
    WebhookFetchError,
    WebhookUrl,
    fetch_webhook,
    parse_webhook_url,
)
from .flow_input import InputRefusedError

CHANNEL_LINK: Final = "https://discord.com/channels/{guild}/{channel}"


async def async_ask_webhook(
    hass: HomeAssistant, entry: ConfigEntry[Any], typed: str, own_id: str | None = None
) -> dict[str, str]:
    """Return what Discord tells of a webhook, as placeholders; raise InputRefusedError.

    `own_id` is the subentry that is being changed.
    """
    url = _read(typed)
    if any(_leads_there(one.data[CONF_URL], url) for one in _others(entry, own_id)):
        raise InputRefusedError({CONF_URL: "webhook_used"})
    try:
        facts = await fetch_webhook(url, async_get_clientsession(hass))
    except WebhookFetchError as err:
        raise InputRefusedError({CONF_URL: err.refusal.value}) from None
    channel = url.thread_id or facts.channel_id
    return {
        "webhook": facts.name or "?",
        "channel": channel,
        "link": CHANNEL_LINK.format(guild=facts.guild_id or "@me", channel=channel),
    }


def _read(typed: str) -> WebhookUrl:
    try:
        return parse_webhook_url(typed)
    except BadWebhookUrlError as err:
        raise InputRefusedError({CONF_URL: err.flaw.value}) from None


def _others(entry: ConfigEntry[Any], own_id: str | None) -> list[ConfigSubentry]:
    """Return the other webhooks of the host."""
    return [
        subentry
        for subentry in entry.get_subentries_of_type(SUBENTRY_DISCORD_WEBHOOK)
        if subentry.subentry_id != own_id
    ]


def _leads_there(stored: str, url: WebhookUrl) -> bool:
    """Tell whether a stored address posts to the same place."""
    try:
        known = parse_webhook_url(stored)
    except BadWebhookUrlError:
        return False
    return (known.webhook_id, known.thread_id) == (url.webhook_id, url.thread_id)
