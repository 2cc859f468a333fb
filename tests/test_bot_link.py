"""The bot of the house on its hosts: the real discord.py, the real Home Assistant."""

import asyncio
from collections import Counter
from typing import Any

from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.cubeguardian.const import DOMAIN
from custom_components.cubeguardian.guardian import (
    HOST,
    Caller,
    GuardianPortError,
    Lease,
    Mode,
    Source,
    State,
)
from custom_components.cubeguardian.ports import HostBinding

from .bots import BOT, add_bot, bot_data, connected, embeds, give, noted, voices
from .conftest import Load
from .discord_bridge.bridge_world import BridgeWorld
from .machines import FakeMachines
from .webhooks import guardian, until

pytest_plugins = ("tests.webhook_peer", "tests.bot_peer")

GAME = "01SURVIVAL"
ROBIN = Caller(name="Robin")


async def test_the_bot_wakes_follows_and_writes_down_who_asked(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    add_bot(hass, config_entry, town)
    await load()
    await machines.seen()
    await connected(hass)
    await give(town, "start", town.kim, {"server": "01HOST"})
    await until(lambda: guardian(config_entry).snapshot.host.state is State.WAKING)
    await until(lambda: "Attic: Waking up" in embeds(town))
    machines.everything_up()
    await machines.seen()
    await until(lambda: "Attic: The host is up" in embeds(town))
    (done,) = noted(config_entry)
    assert (done.by, done.target, done.success) == ("kim", HOST, True)
    assert done.details == {"command": "start", "result": "done", "user": str(town.kim.user.id)}


async def test_refusals_and_denials_are_in_the_journal_with_who(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    add_bot(hass, config_entry, town)
    machines.everything_up()
    await load()
    await machines.seen()
    await connected(hass)
    await give(town, "cancel", town.kim, {"server": "01HOST"})
    await give(town, "start", town.stranger, {"server": "01HOST"})
    await until(lambda: len(noted(config_entry)) == 2)
    refused, denied = noted(config_entry)
    assert (refused.by, refused.error, refused.success) == ("kim", "nothing_to_cancel", False)
    assert (denied.by, denied.error) == ("stranger", "not_allowed")


async def test_admins_begin_and_end_maintenance_and_players_are_told_why(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    add_bot(hass, config_entry, town)
    await load()
    await machines.seen()
    await connected(hass)
    options = {"host": "01HOST", "on": True, "reason": "New disk"}
    await give(town, "maintenance", town.ada, options)
    assert guardian(config_entry).snapshot.mode is Mode.MAINTENANCE
    given = await give(town, "start", town.kim, {"server": "01HOST"})
    assert "New disk" in str(await given.replied("disk"))
    await give(town, "maintenance", town.ada, options | {"on": False})
    await until(lambda: guardian(config_entry).snapshot.mode is Mode.MANUAL)


async def test_the_report_and_keeping_awake_reach_the_guardian(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    add_bot(hass, config_entry, town)
    machines.everything_up()
    await load()
    await machines.seen()
    await connected(hass)
    await give(town, "keep-awake", town.kim, {"host": "01HOST", "minutes": 30})
    kept = [one for one in guardian(config_entry).snapshot.leases if one.name == "kim"]
    assert [one.source for one in kept] == [Source.KEEP_AWAKE]
    report = await give(town, "report", town.alex, {"host": "01HOST"})
    await report.replied("days")
    assert "7 days" in report.message.text


async def test_a_shutdown_that_something_holds_up_is_refused_by_name(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    add_bot(hass, config_entry, town)
    machines.everything_up()
    await load()
    await machines.seen()
    machines.backup_runs()
    await machines.glance()
    await connected(hass)
    given = await give(town, "stop", town.ada, {"server": "01HOST"})
    question = await given.replied("Really")
    pressed = town.discord.press(question.buttons[0], by=town.ada)
    (answer,) = await pressed.followed_up()
    assert "vzdump" in answer.text
    await until(lambda: noted(config_entry)[-1].error == "held")


@pytest.mark.parametrize("mode", ["automatic", "manual"])
async def test_whoever_enters_voice_wakes_the_host_in_automatic_mode(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    mode: str,
) -> None:
    data = {**config_entry.data, "mode": mode}
    config_entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(config_entry, data=data)
    add_bot(hass, config_entry, town)
    await load()
    await machines.seen()
    await connected(hass)
    town.discord.join_voice(town.kim, town.voice)
    await until(lambda: voices(config_entry) == [(HOST, str(town.kim.user.id), False)])
    wanted = State.WAKING if mode == "automatic" else State.OFF
    assert guardian(config_entry).snapshot.host.state is wanted
    town.discord.leave_voice(town.kim)
    await until(lambda: voices(config_entry) == [])


async def test_voice_can_want_a_game_server(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    add_bot(hass, config_entry, town, voice_targets=[GAME])
    await load()
    await machines.seen()
    await connected(hass)
    town.discord.join_voice(town.kim, town.voice)
    await until(lambda: voices(config_entry) == [(GAME, str(town.kim.user.id), False)])


async def test_the_bot_stays_connected_while_its_host_is_loaded_anew(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    add_bot(hass, config_entry, town)
    await load()
    await machines.seen()
    bot = await connected(hass)
    town.discord.join_voice(town.kim, town.voice)
    await until(lambda: voices(config_entry))
    before = guardian(config_entry)
    assert await hass.config_entries.async_reload(config_entry.entry_id)
    await machines.seen()
    assert guardian(config_entry) is not before
    assert bot.connected
    assert town.discord.identifies == 1
    await until(lambda: len(town.panels) == 1)
    assert voices(config_entry) == [(HOST, str(town.kim.user.id), False)]
    await give(town, "start", town.kim, {"server": "01HOST"})
    await until(lambda: guardian(config_entry).snapshot.host.state is State.WAKING)


async def test_whoever_enters_while_the_host_is_loaded_anew_wakes_it_all_the_same(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    config_entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(
        config_entry, data={**config_entry.data, "mode": "automatic"}
    )
    add_bot(hass, config_entry, town)
    await load()
    await machines.seen()
    bot = await connected(hass)
    assert await hass.config_entries.async_unload(config_entry.entry_id)
    shown = bot.boards()
    town.discord.join_voice(town.kim, town.voice)
    await until(lambda: bot.present.count == 1)
    assert [one.view.host.name for one in shown] == ["Attic"]
    turned = await give(town, "cancel", town.alex, {"server": "01HOST"})
    await turned.replied("no answer in time")
    await load()
    assert guardian(config_entry).snapshot.host.state is State.WAKING
    assert town.discord.identifies == 1


async def test_only_other_settings_connect_it_anew(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    subentry = add_bot(hass, config_entry, town)
    await load()
    await connected(hass)
    town.discord.join_voice(town.kim, town.voice)
    await until(lambda: voices(config_entry))
    data = bot_data(town, voice_channels=[str(town.afk.id)])
    hass.config_entries.async_update_subentry(config_entry, subentry, data=data)
    await until(lambda: town.discord.identifies == 2)
    await connected(hass)
    assert voices(config_entry) == []
    await until(lambda: len(town.panels) == 1)


async def test_no_name_is_left_once_names_are_not_to_be_shown(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    subentry = add_bot(hass, config_entry, town, show_names=True)
    await load()
    await connected(hass)
    town.discord.join_voice(town.kim, town.voice)
    await until(lambda: [one.name for one in _in_voice(config_entry)] == ["kim"])
    data = bot_data(town, show_names=False)
    hass.config_entries.async_update_subentry(config_entry, subentry, data=data)
    await until(lambda: town.discord.identifies == 2)
    await connected(hass)
    await until(lambda: [one.name for one in _in_voice(config_entry)] == [""])


@pytest.mark.parametrize("how", ["subentry", "entry", "disabled", "unloaded"])
async def test_it_leaves_when_it_is_not_wanted_any_more(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    hass_storage: dict[str, Any],
    how: str,
) -> None:
    add_bot(hass, config_entry, town)
    await load()
    bot = await connected(hass)
    await until(lambda: bot._store._is_due)
    entry_id = config_entry.entry_id
    match how:
        case "subentry":
            hass.config_entries.async_remove_subentry(config_entry, BOT)
        case "entry":
            await hass.config_entries.async_remove(entry_id)
        case "disabled":
            by = ConfigEntryDisabler.USER
            await hass.config_entries.async_set_disabled_by(entry_id, by)
        case _:
            await hass.config_entries.async_unload(entry_id)
            async_fire_time_changed(hass, fire_all=True)
    async with asyncio.timeout(5):
        await until(lambda: not bot.is_listening)
    assert not bot.connected
    await hass.async_block_till_done()
    assert bot.boards() == () or how == "subentry"
    assert ("cubeguardian.discord_bot" in hass_storage) is (how in {"disabled", "unloaded"})


async def test_home_assistant_stops_within_five_seconds_and_the_panel_is_remembered(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    hass_storage: dict[str, Any],
) -> None:
    add_bot(hass, config_entry, town)
    await load()
    bot = await connected(hass)
    await until(lambda: bot._store._is_due)
    town.discord.blackhole()
    async with asyncio.timeout(5):
        await bot.async_close()
    assert not bot.connected
    kept = hass_storage["cubeguardian.discord_bot"]["data"]
    assert kept["panel_message_id"] == town.panels[0].id


async def test_what_was_stored_and_makes_no_sense_costs_only_another_panel(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    hass_storage: dict[str, Any],
) -> None:
    key = "cubeguardian.discord_bot"
    hass_storage[key] = {"version": 1, "key": key, "data": {"nonsense": 1}}
    add_bot(hass, config_entry, town)
    await load()
    await connected(hass)
    await until(lambda: town.panels)


async def test_two_hosts_share_the_bot_and_either_may_be_loaded_anew(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    other = MockConfigEntry(
        domain=DOMAIN,
        title="Cellar",
        unique_id="02:00:5e:10:00:02",
        data={**config_entry.data, "mac": "02:00:5e:10:00:02"},
    )
    other.add_to_hass(hass)
    assert await hass.config_entries.async_setup(other.entry_id)
    add_bot(hass, config_entry, town)
    await load()
    await machines.seen()
    bot = await connected(hass)
    await give(town, "start", town.alex, {"server": other.entry_id})
    await until(lambda: "Cellar: Waking up" in embeds(town))
    assert guardian(config_entry).snapshot.host.state is State.OFF
    for entry in (other, config_entry):
        assert await hass.config_entries.async_reload(entry.entry_id)
    assert {one.view.host.name for one in bot.boards()} == {"Cellar", "Attic"}
    assert town.discord.identifies == 1
    assert await hass.config_entries.async_remove(other.entry_id)
    assert [one.view.host.name for one in bot.boards()] == ["Attic"]
    assert bot.connected


async def test_refresh_on_the_panel_looks_at_everything_at_once(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    asked: Counter[str],
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    add_bot(hass, config_entry, town)
    await load()
    await connected(hass)
    await until(lambda: town.panels)
    before = asked["probe"]
    town.discord.press(town.panels[0].button("Refresh"), by=town.alex)
    await until(lambda: asked["probe"] > before)


async def test_a_restart_is_carried_out_and_what_fails_is_written_down(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refused(*_: Any, **__: Any) -> None:
        raise GuardianPortError("permission_error")

    add_bot(hass, config_entry, town)
    machines.everything_up()
    await load()
    await machines.seen()
    await connected(hass)
    monkeypatch.setattr(HostBinding, "reboot", refused)
    given = await give(town, "restart", town.ada, {"server": "01HOST"})
    question = await given.replied("Really")
    town.discord.press(question.button("Yes"), by=town.ada)
    await until(lambda: noted(config_entry)[-1].error == "permission_error")
    assert noted(config_entry)[-1].details["command"] == "restart"


def _in_voice(entry: MockConfigEntry) -> list[Lease]:
    return [one for one in guardian(entry).snapshot.leases if one.source is Source.VOICE]
