"""An evening in a channel: from the form to the last message, with nothing of ours replaced."""

from collections.abc import AsyncIterator
from datetime import timedelta
import threading

from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import pytest_socket

from custom_components.cubeguardian import discord_link
from custom_components.cubeguardian.const import SUBENTRY_DISCORD_WEBHOOK
from custom_components.cubeguardian.guardian import HOST, Caller, Guardian

from .conftest import Load
from .lab.discord import Channel, DiscordStandIn, redirected
from .machines import SURVIVAL, FakeMachines
from .webhooks import EVERYTHING, FAST, until

pytest_plugins = ("tests.webhook_peer",)
pytestmark = pytest.mark.usefixtures("hass_that_settles", "lobby")

ROBIN = Caller(name="Robin")
SLY = "@everyone`*x*"


@pytest.fixture
async def discord(
    socket_enabled: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[DiscordStandIn]:
    """Run a Discord that this process takes for the real one."""
    pytest_socket.socket_allow_hosts(["127.0.0.0/8"])
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(discord_link, "PACE", FAST)
    async with DiscordStandIn() as running:
        with redirected(running.origin):
            yield running
    await until(lambda: not any("webhook" in one.name for one in threading.enumerate()))


@pytest.fixture
def lobby(discord: DiscordStandIn) -> Channel:
    """Return the channel that is told."""
    return discord.add_text_channel(discord.add_guild("home"), "lobby")


async def add(hass: HomeAssistant, entry: MockConfigEntry, url: str) -> None:
    """Add a webhook that is told everything, as a person does."""
    step = await hass.config_entries.subentries.async_init(
        (entry.entry_id, SUBENTRY_DISCORD_WEBHOOK), context={"source": SOURCE_USER}
    )
    typed = {
        "name": "Evening",
        "url": url,
        "groups": EVERYTHING,
        "alerts": True,
        "live_status": True,
        "language": "en",
    }
    step = await hass.config_entries.subentries.async_configure(step["flow_id"], typed)
    assert step["description_placeholders"]["webhook"] == "attic"
    await hass.config_entries.subentries.async_configure(step["flow_id"], {})
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_a_channel_follows_the_whole_evening(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    discord: DiscordStandIn,
    lobby: Channel,
) -> None:
    await load()
    await machines.seen()
    await add(hass, config_entry, discord.add_webhook(lobby, "attic").url)
    await until(lambda: discord.messages(lobby))
    brain: Guardian = config_entry.runtime_data.guardian

    await brain.wake("01SURVIVAL", ROBIN)
    machines.everything_up()
    await machines.seen()
    machines.game_up(SURVIVAL, SLY)
    await machines.glance()
    machines.game_up(SURVIVAL)
    await machines.glance()
    await brain.shut_down(HOST, ROBIN, timedelta(minutes=5))
    await brain.cancel_shutdown(HOST, ROBIN)

    def titles() -> list[str]:
        return [one.embeds[0].title for one in discord.messages(lobby)]

    await until(lambda: titles()[-1] == "Shutdown cancelled" and titles()[0] == "🟢 Running")
    assert titles() == [
        "🟢 Running",
        "Waking up",
        "Ready to play",
        "Ready to play",
        "The host is up",
        "Joined",
        "Left",
        "Countdown to shutdown",
        "Shutdown cancelled",
    ]
    assert all(SLY not in one.text for one in discord.messages(lobby))
    assert not any(one.pings.everyone for one in discord.messages(lobby))
