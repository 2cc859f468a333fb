"""The fixture of the tests about the bot: a stand-in for Discord with a guild."""

from collections.abc import AsyncIterator

from homeassistant.core import HomeAssistant
import pytest
import pytest_socket

from custom_components.cubeguardian import bot_link
from custom_components.cubeguardian.bot_link import async_get_bot

from .discord_bridge.bridge_world import QUICK, BridgeWorld, no_heartbeats
from .lab.discord import DiscordStandIn, redirected
from .webhooks import until


@pytest.fixture
async def town(
    hass: HomeAssistant,
    socket_enabled: None,
    hass_that_settles: None,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[BridgeWorld]:
    """Run a Discord with a guild, and leave no thread of a bot behind."""
    pytest_socket.socket_allow_hosts(["127.0.0.0/8"])
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(bot_link, "PACE", QUICK)
    async with DiscordStandIn() as discord:
        with redirected(discord.origin):
            yield BridgeWorld(discord)
            await async_get_bot(hass).async_close()
            await until(no_heartbeats)
