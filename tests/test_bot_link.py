"""The bot of the house on its hosts: the real discord.py, the real Home Assistant."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.cubeguardian.guardian import (
    HOST,
    GuardianPortError,
    Mode,
    Source,
    State,
)
from custom_components.cubeguardian.ports import HostBinding

from .bots import BotHouse
from .webhooks import until

pytest_plugins = ("tests.webhook_peer", "tests.bot_peer")

GAME = "01SURVIVAL"


async def test_the_bot_wakes_follows_and_writes_down_who_asked(house: BotHouse) -> None:
    await house.serve()
    await house.give("start", house.town.kim, server="01HOST")
    await until(lambda: house.host_state is State.WAKING)
    await until(lambda: "Attic: Waking up" in house.embeds())
    house.machines.everything_up()
    await house.machines.seen()
    await until(lambda: "Attic: The host is up" in house.embeds())
    (done,) = house.noted()
    assert (done.by, done.target, done.success) == ("kim", HOST, True)
    assert done.details == {"command": "start", "result": "done", "user": house.kim_id}


async def test_refusals_and_denials_are_in_the_journal_with_who(house: BotHouse) -> None:
    house.machines.everything_up()
    await house.serve()
    await house.give("cancel", house.town.kim, server="01HOST")
    await house.give("start", house.town.stranger, server="01HOST")
    await until(lambda: len(house.noted()) == 2)
    refused, denied = house.noted()
    assert (refused.by, refused.error, refused.success) == ("kim", "nothing_to_cancel", False)
    assert (denied.by, denied.error) == ("stranger", "not_allowed")


async def test_admins_begin_and_end_maintenance_and_players_are_told_why(house: BotHouse) -> None:
    await house.serve()
    ada = house.town.ada
    await house.give("maintenance", ada, host="01HOST", on=True, reason="New disk")
    assert house.guardian.snapshot.mode is Mode.MAINTENANCE
    given = await house.give("start", house.town.kim, server="01HOST")
    assert "New disk" in str(await given.replied("disk"))
    await house.give("maintenance", ada, host="01HOST", on=False, reason="New disk")
    await until(lambda: house.guardian.snapshot.mode is Mode.MANUAL)


async def test_the_report_and_keeping_awake_reach_the_guardian(house: BotHouse) -> None:
    house.machines.everything_up()
    await house.serve()
    await house.give("keep-awake", house.town.kim, host="01HOST", minutes=30)
    kept = [one for one in house.guardian.snapshot.leases if one.name == "kim"]
    assert [one.source for one in kept] == [Source.KEEP_AWAKE]
    report = await house.give("report", house.town.alex, host="01HOST")
    await report.replied("days")
    assert "7 days" in report.message.text


async def test_a_shutdown_that_something_holds_up_is_refused_by_name(house: BotHouse) -> None:
    house.machines.everything_up()
    await house.serve()
    house.machines.backup_runs()
    await house.machines.glance()
    given = await house.give("stop", house.town.ada, server="01HOST")
    question = await given.replied("Really")
    pressed = house.discord.press(question.buttons[0], by=house.town.ada)
    (answer,) = await pressed.followed_up()
    assert "vzdump" in answer.text
    await until(lambda: house.noted()[-1].error == "held")


@pytest.mark.parametrize("mode", ["automatic", "manual"])
async def test_whoever_enters_voice_wakes_the_host_in_automatic_mode(
    house: BotHouse, mode: str
) -> None:
    house.start_in(mode)
    await house.serve()
    house.kim_enters()
    await until(lambda: house.voices() == [(HOST, house.kim_id, False)])
    wanted = State.WAKING if mode == "automatic" else State.OFF
    assert house.host_state is wanted
    house.kim_leaves()
    await until(lambda: house.voices() == [])


async def test_voice_can_want_a_game_server(house: BotHouse) -> None:
    await house.serve(voice_targets=[GAME])
    house.kim_enters()
    await until(lambda: house.voices() == [(GAME, house.kim_id, False)])


async def test_the_bot_stays_connected_while_its_host_is_loaded_anew(house: BotHouse) -> None:
    bot = await house.serve()
    house.kim_enters()
    await until(house.voices)
    before = house.guardian
    await house.reload()
    await house.machines.seen()
    assert house.guardian is not before
    assert bot.connected
    assert house.discord.identifies == 1
    await until(lambda: len(house.town.panels) == 1)
    assert house.voices() == [(HOST, house.kim_id, False)]
    await house.give("start", house.town.kim, server="01HOST")
    await until(lambda: house.host_state is State.WAKING)


async def test_whoever_enters_while_the_host_is_loaded_anew_wakes_it_all_the_same(
    house: BotHouse,
) -> None:
    house.start_in("automatic")
    bot = await house.serve()
    await house.unload()
    shown = bot.boards()
    house.kim_enters()
    await until(lambda: bot.present.count == 1)
    assert [one.view.host.name for one in shown] == ["Attic"]
    turned = await house.give("cancel", house.town.alex, server="01HOST")
    await turned.replied("no answer in time")
    await house.load()
    assert house.host_state is State.WAKING
    assert house.discord.identifies == 1


async def test_only_other_settings_connect_it_anew(house: BotHouse) -> None:
    await house.serve()
    house.kim_enters()
    await until(house.voices)
    house.change(voice_channels=[str(house.town.afk.id)])
    await until(lambda: house.discord.identifies == 2)
    await house.connected()
    assert house.voices() == []
    await until(lambda: len(house.town.panels) == 1)


async def test_no_name_is_left_once_names_are_not_to_be_shown(house: BotHouse) -> None:
    await house.serve(show_names=True)
    house.kim_enters()
    await until(lambda: [one.name for one in house.in_voice()] == ["kim"])
    house.change(show_names=False)
    await until(lambda: house.discord.identifies == 2)
    await house.connected()
    await until(lambda: [one.name for one in house.in_voice()] == [""])


@pytest.mark.parametrize("how", ["subentry", "entry", "disabled", "unloaded"])
async def test_it_leaves_when_it_is_not_wanted_any_more(
    house: BotHouse, hass_storage: dict[str, Any], how: str
) -> None:
    bot = await house.serve()
    await until(lambda: bot._store._is_due)
    match how:
        case "subentry":
            house.remove_bot()
        case "entry":
            await house.hass.config_entries.async_remove(house.entry.entry_id)
        case "disabled":
            await house.disable()
        case _:
            await house.unload()
            async_fire_time_changed(house.hass, fire_all=True)
    async with asyncio.timeout(5):
        await until(lambda: not bot.is_listening)
    assert not bot.connected
    await house.hass.async_block_till_done()
    assert bot.boards() == () or how == "subentry"
    assert ("cubeguardian.discord_bot" in hass_storage) is (how in {"disabled", "unloaded"})


async def test_home_assistant_stops_within_five_seconds_and_the_panel_is_remembered(
    house: BotHouse, hass_storage: dict[str, Any]
) -> None:
    bot = await house.serve()
    await until(lambda: bot._store._is_due)
    house.discord.blackhole()
    async with asyncio.timeout(5):
        await bot.async_close()
    assert not bot.connected
    kept = hass_storage["cubeguardian.discord_bot"]["data"]
    assert kept["panel_message_id"] == house.town.panels[0].id


@pytest.mark.parametrize("stored", [{"nonsense": 1}, {"dropped": "many"}, {"dropped": None}])
async def test_what_was_stored_and_makes_no_sense_costs_only_another_panel(
    house: BotHouse, hass_storage: dict[str, Any], stored: dict[str, Any]
) -> None:
    key = "cubeguardian.discord_bot"
    hass_storage[key] = {"version": 1, "key": key, "data": stored}
    bot = await house.serve()
    await until(lambda: house.town.panels)
    assert bot.async_say("still here")
    await until(lambda: "still here" in [one.content for one in house.messages()])


async def test_two_hosts_share_the_bot_and_either_may_be_loaded_anew(house: BotHouse) -> None:
    other = house.add_cellar()
    assert await house.hass.config_entries.async_setup(other.entry_id)
    bot = await house.serve()
    await house.give("start", house.town.alex, server=other.entry_id)
    await until(lambda: "Cellar: Waking up" in house.embeds())
    assert house.host_state is State.OFF
    for entry in (other, house.entry):
        assert await house.hass.config_entries.async_reload(entry.entry_id)
    assert {one.view.host.name for one in bot.boards()} == {"Cellar", "Attic"}
    assert house.discord.identifies == 1
    assert await house.hass.config_entries.async_remove(other.entry_id)
    assert [one.view.host.name for one in bot.boards()] == ["Attic"]
    assert bot.connected


async def test_refresh_on_the_panel_looks_at_everything_at_once(
    house: BotHouse, asked: Counter[str]
) -> None:
    await house.serve()
    await until(lambda: house.town.panels)
    before = asked["probe"]
    house.discord.press(house.town.panels[0].button("Refresh"), by=house.town.alex)
    await until(lambda: asked["probe"] > before)


async def test_a_restart_is_carried_out_and_what_fails_is_written_down(
    house: BotHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: Any, **__: Any) -> None:
        raise GuardianPortError("permission_error")

    house.machines.everything_up()
    await house.serve()
    monkeypatch.setattr(HostBinding, "reboot", refused)
    given = await house.give("restart", house.town.ada, server="01HOST")
    question = await given.replied("Really")
    house.discord.press(question.button("Yes"), by=house.town.ada)
    await until(lambda: house.noted()[-1].error == "permission_error")
    assert house.noted()[-1].details["command"] == "restart"
