"""What the tests about webhooks set up, and how they read what was posted."""

import asyncio
from collections.abc import Callable
import time
from types import MappingProxyType
from typing import Any, Final

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.const import SUBENTRY_DISCORD_WEBHOOK
from custom_components.cubeguardian.discord_bridge.notifier import Pace, WebhookNotifier
from custom_components.cubeguardian.guardian import Guardian

from .discord_bridge.discord_peer import TOKEN, TYPED, WEBHOOK_ID, DiscordPeer, Received

WEBHOOK: Final = "01WEBHOOK"
KEY: Final = "cubeguardian.01HOST.webhooks"
WEBHOOK_TASK: Final = "cubeguardian webhook "
EVERYTHING: Final = ["start", "ready", "countdown", "shutdown", "players", "problems"]
FACTS: Final = {
    "type": 1,
    "id": WEBHOOK_ID,
    "token": TOKEN,
    "name": "Evening",
    "channel_id": "223344556677889900",
    "guild_id": "334455667788990011",
}
FAST: Final = Pace(first_pause=0.02, longest_pause=0.05, edit_every=0.02, patience=2.0)


def add_webhook(
    hass: HomeAssistant, entry: MockConfigEntry, key: str = WEBHOOK, **changes: Any
) -> ConfigSubentry:
    """Give a host a webhook that is told everything."""
    data = {
        "url": TYPED,
        "groups": EVERYTHING,
        "alerts": True,
        "live_status": False,
        "language": "en",
    }
    subentry = ConfigSubentry(
        subentry_id=key,
        subentry_type=SUBENTRY_DISCORD_WEBHOOK,
        title="Evening",
        unique_id=None,
        data=MappingProxyType(data | changes),
    )
    if hass.config_entries.async_get_entry(entry.entry_id) is None:
        entry.add_to_hass(hass)
    hass.config_entries.async_add_subentry(entry, subentry)
    return subentry


async def until(true: Callable[[], Any]) -> None:
    """Wait for what another thread, or the peer, has to do; also while time stands still."""
    for _ in range(2000):
        if true():
            return
        await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.005)
    pytest.fail("it has not happened within ten seconds")


def posts(peer: DiscordPeer) -> list[Received]:
    """Return what was posted, without the changes of the status."""
    return [one for one in peer.received if one.method == "POST"]


def title(message: Received) -> str:
    """Return the title of the only embed."""
    (embed,) = message.body["embeds"]
    return str(embed["title"])


def told(peer: DiscordPeer) -> list[str]:
    """Return the titles of what was posted, each after the name of what it is about."""
    return [f"{one.body['embeds'][0]['author']['name']}: {title(one)}" for one in posts(peer)]


def guardian(entry: MockConfigEntry) -> Guardian:
    """Return the guardian of the loaded host."""
    found: Guardian = entry.runtime_data.guardian
    return found


def notifier(entry: MockConfigEntry) -> WebhookNotifier:
    """Return what sends to the webhook."""
    found: WebhookNotifier = entry.runtime_data.discord.webhooks[WEBHOOK].notifier
    return found
