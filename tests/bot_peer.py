"""The fixtures of the tests about the bot: a stand-in for Discord, and a house with it."""

from collections.abc import AsyncIterator

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import pytest_socket

from custom_components.cubeguardian import bot_link
from custom_components.cubeguardian.bot_link import async_get_bot

from .bots import BotHouse
from .conftest import Load
from .discord_bridge.bridge_world import QUICK, BridgeWorld, no_heartbeats
from .lab.discord import DiscordStandIn, redirected
from .machines import FakeMachines
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


@pytest.fixture
def house(
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    load: Load,
    config_entry: MockConfigEntry,
) -> BotHouse:
    """Return a house whose host may have a bot; Discord is there before the host is loaded."""
    return BotHouse(hass=hass, entry=config_entry, machines=machines, town=town, load=load)
