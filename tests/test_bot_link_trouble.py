"""What goes wrong with the bot stays with the bot, and nothing is left behind."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
import time
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian import bot_link
from custom_components.cubeguardian.bot_link import BOT_TASK, async_get_bot
from custom_components.cubeguardian.const import DOMAIN
from custom_components.cubeguardian.discord_bridge.bot import Bridge
from custom_components.cubeguardian.guardian import (
    HOST,
    Caller,
    Mode,
    State,
)

from .bots import add_bot, connected, embeds, voices
from .conftest import Load, PassTime
from .discord_bridge.bridge_world import BridgeWorld, no_heartbeats
from .evenings import play_evening, twin
from .machines import FakeMachines
from .webhooks import guardian, until

pytest_plugins = ("tests.webhook_peer", "tests.bot_peer")

GAME = "01SURVIVAL"
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
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    add_bot(hass, config_entry, town, guild="nonsense")
    await load()
    assert not async_get_bot(hass).is_listening
    assert town.discord.token not in caplog.text


async def test_a_bot_that_fails_begins_anew_and_shows_no_traceback(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run, failures = Bridge.run, [RuntimeError(town.discord.token)]

    async def failing(own: Bridge) -> Any:
        if failures:
            raise failures.pop()
        return await run(own)

    monkeypatch.setattr(Bridge, "run", failing)
    monkeypatch.setattr(bot_link, "RESTART_SECONDS", 0.01)
    add_bot(hass, config_entry, town)
    await load()
    await connected(hass)
    assert "The bot has failed: RuntimeError" in caplog.text
    assert town.discord.token not in caplog.text


async def test_a_revoked_token_stops_the_bot_and_no_reload_tries_it_again(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    add_bot(hass, config_entry, town)
    await load()
    await machines.seen()
    bot = await connected(hass)
    town.discord.revoke_token()
    issues = ir.async_get(hass)
    await until(lambda: issues.async_get_issue(DOMAIN, "bot_token"))
    assert not bot.connected
    before = len(town.discord.record.events)
    assert await hass.config_entries.async_reload(config_entry.entry_id)
    await guardian(config_entry).wake(HOST, ROBIN)
    assert guardian(config_entry).snapshot.host.state is State.WAKING
    assert len(town.discord.record.events) == before
    assert town.discord.token not in caplog.text


async def test_what_a_bot_with_a_bad_token_could_not_say_is_counted_for_the_next(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    subentry = add_bot(hass, config_entry, town)
    await load()
    await machines.seen()
    bot = await connected(hass)
    town.discord.revoke_token()
    await until(lambda: ir.async_get(hass).async_get_issue(DOMAIN, "bot_token"))
    await guardian(config_entry).wake(HOST, ROBIN)
    machines.everything_up()
    await machines.seen()

    data = {**subentry.data, "token": town.discord.renew_token()}
    hass.config_entries.async_update_subentry(config_entry, subentry, data=data)
    await until(lambda: bot.connected)
    assert embeds(town) == []
    assert bot.async_say("Good evening") and bot.async_say("Good night")
    await until(lambda: len(_said(town)) == 2)
    note = "⚠️ 4 messages before this one could not be delivered."
    assert _said(town) == [f"{note}\nGood evening", "Good night"]


def _said(town: BridgeWorld) -> list[str]:
    """Return what was said in the channel in plain text."""
    return [one.content for one in town.discord.messages(town.lobby) if one.content]


@pytest.mark.parametrize("when", ["from the start", "once it was connected"])
async def test_the_guardian_steps_at_the_same_instants_with_discord_in_a_black_hole(
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
    pass_time: PassTime,
    when: str,
) -> None:
    bot = async_get_bot(hass)

    async def begin() -> None:
        for _ in range(20):
            freezer.tick(0.1)
            await hass.async_add_executor_job(time.sleep, 0.02)
        if bot.is_listening and when == "once it was connected":
            assert bot.connected
            town.discord.blackhole()

    other = twin(config_entry)
    config_entry.add_to_hass(hass)
    without = await play_evening(hass, config_entry, machines, pass_time, begin)

    if when == "from the start":
        town.discord.blackhole()
    add_bot(hass, other, town, voice_targets=[other.entry_id])
    assert await play_evening(hass, other, machines, pass_time, begin) == without
    assert {kind for _, kind, _ in without} >= {"wake_sent", "woken", "refused", "asleep", "wake"}
    assert town.discord.record.events


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


async def _away(town: BridgeWorld, how: str) -> None:
    """Take Discord away."""
    if how == "gone":
        await town.discord.go_away()
    else:
        town.discord.blackhole()


async def _back(town: BridgeWorld, how: str) -> None:
    """Give Discord back."""
    if how == "gone":
        await town.discord.come_back()
    else:
        town.discord.mend()


@pytest.mark.parametrize("how", ["gone", "swallowing everything"])
async def test_a_shutdown_goes_its_way_while_discord_is_away_for_ten_minutes(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    pass_time: PassTime,
    goes_on: Goes,
    how: str,
) -> None:
    add_bot(hass, config_entry, town)
    machines.everything_up()
    await load()
    await machines.seen()
    bot = async_get_bot(hass)
    await goes_on(lambda: bot.connected and town.panels)
    await guardian(config_entry).shut_down(HOST, ROBIN, timedelta(minutes=2))
    await goes_on(lambda: "Attic: Countdown to shutdown" in embeds(town))
    due = guardian(config_entry).snapshot.host.deadline
    assert due is not None

    await _away(town, how)
    told = embeds(town)
    await pass_time((due - dt_util.utcnow()).total_seconds() - 2, 1)
    assert guardian(config_entry).snapshot.host.state is State.COUNTDOWN
    await pass_time(4, 1)
    assert guardian(config_entry).snapshot.host.state is State.STOPPING
    machines.host_down()
    await pass_time(8 * 60, 1)
    assert guardian(config_entry).snapshot.host.state is State.OFF
    assert embeds(town) == told

    await _back(town, how)
    await goes_on(lambda: bot.connected and "Asleep" in town.panels[0].text)
    missed = ["Attic: Shutting down", "Attic: Asleep"]
    await goes_on(lambda: embeds(town)[len(told) :] == missed)
    assert len(town.panels) == 1


async def test_voice_holds_for_half_an_hour_while_discord_is_away_and_what_is_lost_is_told(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    pass_time: PassTime,
    goes_on: Goes,
) -> None:
    add_bot(hass, config_entry, town)
    machines.everything_up()
    await load()
    await machines.seen()
    bot, brain = async_get_bot(hass), guardian(config_entry)
    await goes_on(lambda: bot.connected)
    town.discord.join_voice(town.kim, town.voice)
    kim = str(town.kim.user.id)
    await goes_on(lambda: voices(config_entry) == [(HOST, kim, False)])
    happened: list[str] = []
    config_entry.runtime_data.decisions.async_listen_events(
        lambda event: happened.append(event.kind.value)
    )

    await town.discord.go_away()
    await goes_on(lambda: voices(config_entry) == [(HOST, kim, True)])
    brain.set_mode(Mode.MAINTENANCE, "New disk", ROBIN)
    brain.set_mode(Mode.MANUAL, "", ROBIN)
    await pass_time(29 * 60, 2)
    assert voices(config_entry) == [(HOST, kim, True)]
    assert "demand_unknown" not in happened
    await pass_time(2 * 60, 2)
    assert voices(config_entry) == []
    assert happened.count("demand_unknown") == 1

    await town.discord.come_back()
    await goes_on(lambda: voices(config_entry) == [(HOST, kim, False)])
    await goes_on(lambda: "Attic: Nobody said whether it is still wanted" in embeds(town))
    assert _said(town) == ["⚠️ 2 messages before this one could not be delivered."]
    assert brain.snapshot.host.state is State.RUNNING


def _tasks() -> list[str]:
    """Return the tasks of the bot."""
    return [one.get_name() for one in asyncio.all_tasks() if BOT_TASK in one.get_name()]


async def test_nothing_is_left_of_the_bot_after_reloads_and_its_removal(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    before = asyncio.all_tasks()
    add_bot(hass, config_entry, town)
    await load()
    bot = await connected(hass)
    for _ in range(3):
        assert await hass.config_entries.async_reload(config_entry.entry_id)
    assert len(_tasks()) == 1
    assert town.discord.identifies == 1
    assert await hass.config_entries.async_remove(config_entry.entry_id)
    await until(lambda: not bot.is_listening)
    await until(lambda: not _tasks() and no_heartbeats())
    left = {one.get_name() for one in asyncio.all_tasks() - before}
    assert not {one for one in left if "discord" in one}
