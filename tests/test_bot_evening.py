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

from custom_components.cubeguardian.bot_link import BotLink
from custom_components.cubeguardian.discord_bridge.bot import Bridge
from custom_components.cubeguardian.discord_bridge.view import EventView, Happening
from custom_components.cubeguardian.ports import HostBinding

from .bots import BotHouse
from .conftest import PassTime
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
    house: BotHouse, peer: DiscordPeer, begin: Begin, pass_time: PassTime
) -> None:
    other = twin(house.entry)
    house.entry.add_to_hass(house.hass)
    without = await play_evening(house.hass, house.entry, house.machines, pass_time, begin)
    house.discord.break_with(Latency(seconds=0.5))
    peer.answers.extend([hangs] * 100)
    add_webhook(house.hass, other)
    house.add(other, voice_targets=[other.entry_id])
    assert await play_evening(house.hass, other, house.machines, pass_time, begin) == without
    assert house.discord.record.events


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
    house: BotHouse, begin: Begin, pass_time: PassTime, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    other = twin(house.entry)
    house.entry.add_to_hass(house.hass)
    without = await play_evening(house.hass, house.entry, house.machines, pass_time, begin)
    house.add(other, voice_targets=[other.entry_id])
    monkeypatch.setattr(BotLink, broken, fail)
    assert await play_evening(house.hass, other, house.machines, pass_time, begin) == without
    assert house.bot is not None


async def test_to_tell_a_bot_whose_discord_is_a_black_hole_takes_no_time(house: BotHouse) -> None:
    bot = await house.serve()
    house.discord.blackhole()
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
