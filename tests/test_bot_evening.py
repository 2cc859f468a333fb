"""Discord never delays the guardian: an evening that is played twice shows whatever would."""

import asyncio
from collections.abc import Awaitable, Callable
import time
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.bot_link import BotLink, async_get_bot
from custom_components.cubeguardian.discord_bridge.bot import Bridge
from custom_components.cubeguardian.discord_bridge.view import EventView, Happening
from custom_components.cubeguardian.ports import HostBinding

from .bots import add_bot, connected
from .conftest import Load, PassTime
from .discord_bridge.bridge_world import BridgeWorld
from .discord_bridge.discord_peer import DiscordPeer, hangs
from .evenings import play_evening, twin
from .lab.discord import Latency
from .machines import FakeMachines
from .webhooks import add_webhook, until

pytest_plugins = ("tests.webhook_peer", "tests.bot_peer")

type Begin = Callable[[], Awaitable[None]]


@pytest.fixture
def begin(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Begin:
    """Return what gives a bot time to connect, the same amount of the clock to every evening."""

    async def wait() -> None:
        for _ in range(20):
            freezer.tick(0.1)
            await hass.async_add_executor_job(time.sleep, 0.02)

    return wait


async def test_the_guardian_steps_at_the_same_instants_with_a_slow_bot_and_a_lost_webhook(
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    peer: DiscordPeer,
    config_entry: MockConfigEntry,
    begin: Begin,
    pass_time: PassTime,
) -> None:
    other = twin(config_entry)
    config_entry.add_to_hass(hass)
    without = await play_evening(hass, config_entry, machines, pass_time, begin)
    town.discord.break_with(Latency(seconds=0.5))
    peer.answers.extend([hangs] * 100)
    add_webhook(hass, other)
    add_bot(hass, other, town, voice_targets=[other.entry_id])
    assert await play_evening(hass, other, machines, pass_time, begin) == without
    assert town.discord.record.events


async def wait_in_the_port(own: HostBinding) -> None:
    """Wake the host once Discord was told, as nobody may."""
    await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.3)
    await _WAKE(own)


_WAKE = HostBinding.wake


def fail(*_: Any) -> None:
    """Choke on whatever is told."""
    raise RuntimeError("choked")


async def test_the_evening_notices_a_guardian_that_waits_for_discord(
    hass: HomeAssistant,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    pass_time: PassTime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config_entry.add_to_hass(hass)
    monkeypatch.setattr(HostBinding, "wake", wait_in_the_port)
    with pytest.raises(AssertionError, match="waits for something"):
        await play_evening(hass, config_entry, machines, pass_time)


@pytest.mark.parametrize("broken", ["tell", "show", "boards", "voice_report"])
async def test_a_bot_that_chokes_on_everything_changes_no_instant(
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    begin: Begin,
    pass_time: PassTime,
    monkeypatch: pytest.MonkeyPatch,
    broken: str,
) -> None:
    other = twin(config_entry)
    config_entry.add_to_hass(hass)
    without = await play_evening(hass, config_entry, machines, pass_time, begin)
    add_bot(hass, other, town, voice_targets=[other.entry_id])
    monkeypatch.setattr(BotLink, broken, fail)
    assert await play_evening(hass, other, machines, pass_time, begin) == without
    assert async_get_bot(hass) is not None


async def test_to_tell_a_bot_whose_discord_is_a_black_hole_takes_no_time(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    add_bot(hass, config_entry, town)
    await load()
    bot = await connected(hass)
    town.discord.blackhole()
    view = EventView(kind=Happening.WAKE_FAILED, name="Attic", at=dt_util.utcnow(), is_alert=True)
    (board,) = bot.boards()
    began = time.perf_counter()
    for _ in range(300):
        bot.tell(view)
        bot.show(board.view)
        bot.async_say("Good evening")
        await asyncio.sleep(0)
    assert time.perf_counter() - began < 3
    running = bot._running
    assert running is not None
    assert isinstance(running.bridge, Bridge)
    await until(lambda: running.bridge._exchange.outbox.dropped > 500)
