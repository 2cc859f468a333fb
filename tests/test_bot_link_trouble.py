"""What goes wrong with the bot stays with the bot, and nothing is left behind."""

import asyncio
import time
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian import bot_link
from custom_components.cubeguardian.bot_link import BOT_TASK, async_get_bot
from custom_components.cubeguardian.const import DOMAIN
from custom_components.cubeguardian.discord_bridge.bot import Bridge
from custom_components.cubeguardian.guardian import (
    HOST,
    Caller,
    State,
)

from .bots import add_bot, connected
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
