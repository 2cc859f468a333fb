"""What goes wrong with the bot stays with the bot, and nothing is left behind."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
import time
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest

from custom_components.cubeguardian import bot_link
from custom_components.cubeguardian.bot_link import BOT_TASK, async_get_bot
from custom_components.cubeguardian.guardian import (
    HOST,
    Caller,
    Mode,
    State,
)

from .bots import BotHouse, fail_once
from .conftest import Load, PassTime
from .discord_bridge.bridge_world import no_heartbeats
from .evenings import play_evening, twin
from .machines import FakeMachines
from .webhooks import until

pytest_plugins = ("tests.webhook_peer", "tests.bot_peer")

ROBIN = Caller(name="Robin")


async def test_discord_is_not_imported_for_a_house_without_a_bot(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked_for: list[str] = []
    monkeypatch.setattr(bot_link, "import_module", lambda *names: asked_for.append(names[0]))
    await load()
    assert not async_get_bot(hass).is_listening
    assert asked_for == []


async def test_a_bot_that_makes_no_sense_is_left_alone(
    house: BotHouse, caplog: pytest.LogCaptureFixture
) -> None:
    house.add(guild="nonsense")
    await house.load()
    assert not house.bot.is_listening
    assert house.discord.token not in caplog.text


async def test_a_bot_that_fails_begins_anew_and_shows_no_traceback(
    house: BotHouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fail_once(monkeypatch, RuntimeError(house.discord.token), 0.01)
    await house.serve()
    assert "The bot has failed: RuntimeError" in caplog.text
    assert house.discord.token not in caplog.text


async def test_a_revoked_token_stops_the_bot_and_no_reload_tries_it_again(
    house: BotHouse, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    bot = await house.serve()
    house.discord.revoke_token()
    await until(lambda: house.issue("bot_token"))
    assert not bot.connected
    before = len(house.discord.record.events)
    await house.reload()
    await house.guardian.wake(HOST, ROBIN)
    assert house.host_state is State.WAKING
    assert len(house.discord.record.events) == before
    assert house.discord.token not in caplog.text


async def test_what_a_bot_with_a_bad_token_could_not_say_is_counted_for_the_next(
    house: BotHouse,
) -> None:
    bot = await house.serve()
    house.discord.revoke_token()
    await until(lambda: house.issue("bot_token"))
    await house.guardian.wake(HOST, ROBIN)
    house.machines.everything_up()
    await house.machines.seen()

    house.change(token=house.discord.renew_token())
    await house.connected()
    assert house.embeds() == []
    assert bot.async_say("Good evening") and bot.async_say("Good night")
    await until(lambda: len(_said(house)) == 2)
    note = "⚠️ 4 messages before this one could not be delivered."
    assert _said(house) == [f"{note}\nGood evening", "Good night"]


def _said(house: BotHouse) -> list[str]:
    """Return what was said in the channel in plain text."""
    return [one.content for one in house.messages() if one.content]


@pytest.mark.parametrize("when", ["from the start", "once it was connected"])
async def test_the_guardian_steps_at_the_same_instants_with_discord_in_a_black_hole(
    house: BotHouse, freezer: FrozenDateTimeFactory, pass_time: PassTime, when: str
) -> None:
    bot = house.bot

    async def begin() -> None:
        for _ in range(20):
            freezer.tick(0.1)
            await house.hass.async_add_executor_job(time.sleep, 0.02)
        if bot.is_listening and when == "once it was connected":
            assert bot.connected
            house.discord.blackhole()

    other = twin(house.entry)
    house.entry.add_to_hass(house.hass)
    without = await play_evening(house.hass, house.entry, house.machines, pass_time, begin)

    if when == "from the start":
        house.discord.blackhole()
    house.add(other, voice_targets=[other.entry_id])
    assert await play_evening(house.hass, other, house.machines, pass_time, begin) == without
    assert {kind for _, kind, _ in without} >= {"wake_sent", "woken", "refused", "asleep", "wake"}
    assert house.discord.record.events


type Goes = Callable[[Callable[[], Any]], Awaitable[None]]


@pytest.fixture
def goes_on(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Goes:
    """Return a function that lets the clock go on in small steps until something is true."""

    async def go_on(true: Callable[[], Any]) -> None:
        for _ in range(1500):
            if true():
                return
            freezer.tick(0.1)
            await hass.async_add_executor_job(time.sleep, 0.01)
        pytest.fail("it has not happened")

    return go_on


async def _away(house: BotHouse, how: str) -> None:
    """Take Discord away."""
    if how == "gone":
        await house.discord.go_away()
    else:
        house.discord.blackhole()


async def _back(house: BotHouse, how: str) -> None:
    """Give Discord back."""
    if how == "gone":
        await house.discord.come_back()
    else:
        house.discord.mend()


@pytest.mark.parametrize("how", ["gone", "swallowing everything"])
async def test_a_shutdown_goes_its_way_while_discord_is_away_for_ten_minutes(
    house: BotHouse, pass_time: PassTime, goes_on: Goes, how: str
) -> None:
    house.add()
    house.machines.everything_up()
    await house.load()
    await house.machines.seen()
    bot = house.bot
    await goes_on(lambda: bot.connected and house.town.panels)
    await house.guardian.shut_down(HOST, ROBIN, timedelta(minutes=2))
    await goes_on(lambda: "Attic: Countdown to shutdown" in house.embeds())
    due = house.guardian.snapshot.host.deadline
    assert due is not None

    await _away(house, how)
    told = house.embeds()
    await pass_time((due - dt_util.utcnow()).total_seconds() - 2, 1)
    assert house.host_state is State.COUNTDOWN
    await pass_time(4, 1)
    assert house.host_state is State.STOPPING
    house.machines.host_down()
    await pass_time(8 * 60, 1)
    assert house.host_state is State.OFF
    assert house.embeds() == told

    await _back(house, how)
    await goes_on(lambda: bot.connected and "Asleep" in house.town.panels[0].text)
    missed = ["Attic: Shutting down", "Attic: Asleep"]
    await goes_on(lambda: house.embeds()[len(told) :] == missed)
    assert len(house.town.panels) == 1


async def test_voice_holds_for_half_an_hour_while_discord_is_away_and_what_is_lost_is_told(
    house: BotHouse, pass_time: PassTime, goes_on: Goes
) -> None:
    house.add()
    house.machines.everything_up()
    await house.load()
    await house.machines.seen()
    bot, brain = house.bot, house.guardian
    await goes_on(lambda: bot.connected)
    house.kim_enters()
    kim = house.kim_id
    await goes_on(lambda: house.voices() == [(HOST, kim, False)])
    happened: list[str] = []
    house.entry.runtime_data.decisions.async_listen_events(
        lambda event: happened.append(event.kind.value)
    )

    await house.discord.go_away()
    await goes_on(lambda: house.voices() == [(HOST, kim, True)])
    brain.set_mode(Mode.MAINTENANCE, "New disk", ROBIN)
    brain.set_mode(Mode.MANUAL, "", ROBIN)
    await pass_time(29 * 60, 2)
    assert house.voices() == [(HOST, kim, True)]
    assert "demand_unknown" not in happened
    await pass_time(2 * 60, 2)
    assert house.voices() == []
    assert happened.count("demand_unknown") == 1

    await house.discord.come_back()
    await goes_on(lambda: house.voices() == [(HOST, kim, False)])
    await goes_on(lambda: "Attic: Nobody said whether it is still wanted" in house.embeds())
    assert _said(house) == ["⚠️ 2 messages before this one could not be delivered."]
    assert brain.snapshot.host.state is State.RUNNING


def _tasks() -> list[str]:
    """Return the tasks of the bot."""
    return [one.get_name() for one in asyncio.all_tasks() if BOT_TASK in one.get_name()]


async def test_nothing_is_left_of_the_bot_after_reloads_and_its_removal(house: BotHouse) -> None:
    before = asyncio.all_tasks()
    bot = await house.serve()
    for _ in range(3):
        await house.reload()
    assert len(_tasks()) == 1
    assert house.discord.identifies == 1
    assert await house.hass.config_entries.async_remove(house.entry.entry_id)
    await until(lambda: not bot.is_listening)
    await until(lambda: not _tasks() and no_heartbeats())
    left = {one.get_name() for one in asyncio.all_tasks() - before}
    assert not {one for one in left if "discord" in one}
