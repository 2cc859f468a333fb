"""The bot as it starts and stops: its library, its hosts, what it kept on disk."""

import asyncio
from datetime import timedelta
from importlib import import_module
import threading
from typing import Any

from discord.http import HTTPClient
from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.exceptions import ConfigEntryError
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.cubeguardian import bot_link
from custom_components.cubeguardian.guardian import State

from .bots import BotHouse, fail_once
from .webhooks import until

pytest_plugins = ("tests.webhook_peer", "tests.bot_peer")

KEY = "cubeguardian.discord_bot"


@pytest.fixture
def held_import(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let the import of what speaks with Discord take until this is set."""
    let_go = threading.Event()

    def hold(*names: str) -> Any:
        let_go.wait(10)
        return import_module(*names)

    monkeypatch.setattr(bot_link, "import_module", hold)
    return let_go


@pytest.mark.parametrize("error", [ImportError("no discord"), AttributeError("Intents")])
async def test_a_library_that_is_missing_or_another_one_is_a_repair_and_no_crash(
    house: BotHouse,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    def broken(*names: str) -> Any:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(bot_link, "import_module", broken)
        house.add()
        await house.load()
        await until(lambda: house.issue("bot_library"))
    assert f"discord.py cannot be used: {type(error).__name__}" in caplog.text
    assert "Traceback" not in caplog.text
    assert house.host_state is State.OFF
    await house.reload()
    await house.connected()
    assert house.issue("bot_library") is None


async def test_a_host_that_is_loaded_anew_while_the_bot_starts_costs_no_second_connection(
    house: BotHouse, held_import: threading.Event
) -> None:
    house.add()
    await house.set_up()
    bot = house.bot
    await house.unload()
    held_import.set()
    await house.connected()
    await house.set_up()
    await house.hass.async_block_till_done()
    assert bot.connected
    assert house.discord.identifies == 1


async def test_home_assistant_that_stops_while_the_bot_starts_leaves_no_bot(
    house: BotHouse, held_import: threading.Event
) -> None:
    house.add()
    await house.set_up()
    bot = house.bot
    closing = house.hass.async_create_task(bot.async_close())
    await asyncio.sleep(0)
    held_import.set()
    async with asyncio.timeout(5):
        await closing
    assert not bot.is_listening
    assert house.discord.record.events == []


async def test_home_assistant_stops_within_five_seconds_in_the_middle_of_a_connect(
    house: BotHouse,
) -> None:
    house.discord.blackhole()
    house.add()
    await house.load()
    bot = house.bot
    await until(lambda: bot.is_listening)
    async with asyncio.timeout(5):
        await bot.async_close()
    assert not bot.is_listening


async def test_a_connection_that_is_being_left_is_left_properly_when_the_bot_stops(
    house: BotHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    close, began, closed = HTTPClient.close, asyncio.Event(), []

    async def slowly(own: HTTPClient) -> None:
        began.set()
        await asyncio.sleep(0.1)
        await close(own)
        closed.append(own)

    bot = await house.serve()
    monkeypatch.setattr(HTTPClient, "close", slowly)
    house.lose_gateway()
    await until(began.is_set)
    await bot.async_close()
    assert len(closed) == 1


async def test_the_bot_waits_for_its_own_host_whichever_is_loaded_first(house: BotHouse) -> None:
    other = house.add_cellar()
    by = ConfigEntryDisabler.USER
    await house.hass.config_entries.async_set_disabled_by(other.entry_id, by)
    house.add(other, voice_targets=["01CELLAR"])
    await house.load()
    assert not house.bot.is_listening
    await house.hass.config_entries.async_set_disabled_by(other.entry_id, None)
    bot = await house.connected()
    assert {one.view.host.name for one in bot.boards()} == {"Cellar", "Attic"}
    assert house.discord.identifies == 1


async def test_a_host_whose_set_up_fails_is_let_go_of(
    house: BotHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise ConfigEntryError("no")

    bot = await house.serve()
    forward = house.hass.config_entries.async_forward_entry_setups
    monkeypatch.setattr(house.hass.config_entries, "async_forward_entry_setups", fails)
    await house.hass.config_entries.async_reload(house.entry.entry_id)
    given = await house.give("start", house.town.alex, server="01HOST")
    await given.replied("no answer in time")
    async_fire_time_changed(house.hass, dt_util.utcnow() + timedelta(seconds=31))
    await until(lambda: not bot.is_listening)
    monkeypatch.setattr(house.hass.config_entries, "async_forward_entry_setups", forward)
    await house.reload()
    await house.connected()


async def test_what_is_said_while_the_bot_begins_anew_waits_for_it(
    house: BotHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_once(monkeypatch, RuntimeError(), 0.3)
    house.add()
    await house.load()
    bot = house.bot
    await until(lambda: bot.is_listening)
    assert not bot.connected
    assert bot.async_say("Good evening")
    await house.connected()
    await until(lambda: [m for m in house.messages() if "evening" in m.text])


@pytest.mark.parametrize(
    "stored",
    [
        {"version": 1, "data": ["nonsense"]},
        {"version": 1, "data": "nonsense"},
        {"version": 1, "data": {"access": 5, "panel_channel_id": "?", "panel_message_id": {}}},
        {"version": 1, "data": {"access": {"version": 1, "people": {"x": None}}}},
        {"version": 9, "data": {"panel_message_id": 1}},
    ],
    ids=["list", "text", "types", "people", "newer"],
)
async def test_a_damaged_or_newer_file_costs_only_another_panel(
    house: BotHouse, hass_storage: dict[str, Any], stored: dict[str, Any]
) -> None:
    hass_storage[KEY] = {"minor_version": 1, "key": KEY, **stored}
    await house.serve()
    await until(lambda: len(house.town.panels) == 1)
    await house.give("start", house.town.alex, server="01HOST")
    await until(house.noted)


async def test_a_panel_of_no_number_is_put_up_anew(
    house: BotHouse, hass_storage: dict[str, Any]
) -> None:
    data = {
        "access": None,
        "panel_channel_id": house.town.lobby.id,
        "panel_message_id": "nonsense/..",
    }
    hass_storage[KEY] = {"version": 1, "minor_version": 1, "key": KEY, "data": data}
    await house.serve()
    await until(lambda: len(house.town.panels) == 1)
