"""The bot from its first start to its removal, whatever its host does meanwhile."""

import asyncio
from datetime import timedelta
from importlib import import_module
import threading
from typing import Any

from discord.http import HTTPClient
from homeassistant.config_entries import ConfigEntryDisabler, ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryError
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.cubeguardian import bot_link
from custom_components.cubeguardian.bot_link import async_get_bot
from custom_components.cubeguardian.const import DOMAIN
from custom_components.cubeguardian.discord_bridge.bot import Bridge
from custom_components.cubeguardian.guardian import HOST, Caller, Refused, State

from .bots import BOT, add_bot, bot_data, connected, embeds, give, noted, voices
from .conftest import Load
from .discord_bridge.bridge_world import BridgeWorld
from .lab.discord import Intent, Permission, ServerError
from .machines import FakeMachines
from .webhooks import guardian, until

pytest_plugins = ("tests.webhook_peer", "tests.bot_peer")

ROBIN = Caller(name="Robin")
KEY = "cubeguardian.discord_bot"


def cellar(config_entry: MockConfigEntry) -> MockConfigEntry:
    """Return another host."""
    return MockConfigEntry(
        domain=DOMAIN,
        title="Cellar",
        entry_id="01CELLAR",
        unique_id="02:00:5e:10:00:02",
        data={**config_entry.data, "mac": "02:00:5e:10:00:02"},
    )


def issue(hass: HomeAssistant, kind: str) -> ir.IssueEntry | None:
    """Return a repair."""
    return ir.async_get(hass).async_get_issue(DOMAIN, kind)


def make_automatic(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Let a host decide by itself."""
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, data={**entry.data, "mode": "automatic"})


@pytest.fixture
def held_import(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let the import of what speaks with Discord take until this is set."""
    let_go = threading.Event()

    def hold(*names: str) -> Any:
        let_go.wait(10)
        return import_module(*names)

    monkeypatch.setattr(bot_link, "import_module", hold)
    return let_go


# Starting


@pytest.mark.parametrize("error", [ImportError("no discord"), AttributeError("Intents")])
async def test_a_library_that_is_missing_or_another_one_is_a_repair_and_no_crash(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    def broken(*names: str) -> Any:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(bot_link, "import_module", broken)
        add_bot(hass, config_entry, town)
        await load()
        await until(lambda: issue(hass, "bot_library"))
    assert f"discord.py cannot be used: {type(error).__name__}" in caplog.text
    assert "Traceback" not in caplog.text
    assert guardian(config_entry).snapshot.host.state is State.OFF
    assert await hass.config_entries.async_reload(config_entry.entry_id)
    await connected(hass)
    assert issue(hass, "bot_library") is None


async def test_a_host_that_is_loaded_anew_while_the_bot_starts_costs_no_second_connection(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    held_import: threading.Event,
) -> None:
    add_bot(hass, config_entry, town)
    assert await hass.config_entries.async_setup(config_entry.entry_id)
    bot = async_get_bot(hass)
    assert await hass.config_entries.async_unload(config_entry.entry_id)
    held_import.set()
    await connected(hass)
    assert await hass.config_entries.async_setup(config_entry.entry_id)
    await hass.async_block_till_done()
    assert bot.connected
    assert town.discord.identifies == 1


async def test_home_assistant_that_stops_while_the_bot_starts_leaves_no_bot(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    held_import: threading.Event,
) -> None:
    add_bot(hass, config_entry, town)
    assert await hass.config_entries.async_setup(config_entry.entry_id)
    bot = async_get_bot(hass)
    closing = hass.async_create_task(bot.async_close())
    await asyncio.sleep(0)
    held_import.set()
    async with asyncio.timeout(5):
        await closing
    assert not bot.is_listening
    assert town.discord.record.events == []


async def test_home_assistant_stops_within_five_seconds_in_the_middle_of_a_connect(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    town.discord.blackhole()
    add_bot(hass, config_entry, town)
    await load()
    bot = async_get_bot(hass)
    await until(lambda: bot.is_listening)
    async with asyncio.timeout(5):
        await bot.async_close()
    assert not bot.is_listening


async def test_a_connection_that_is_being_left_is_left_properly_when_the_bot_stops(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    close, began, closed = HTTPClient.close, asyncio.Event(), []

    async def slowly(own: HTTPClient) -> None:
        began.set()
        await asyncio.sleep(0.1)
        await close(own)
        closed.append(own)

    add_bot(hass, config_entry, town)
    await load()
    bot = await connected(hass)
    monkeypatch.setattr(HTTPClient, "close", slowly)
    town.discord.break_with(ServerError(), path="/gateway")
    town.discord.close_gateway()
    await until(began.is_set)
    await bot.async_close()
    assert len(closed) == 1


async def test_the_bot_waits_for_its_own_host_whichever_is_loaded_first(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    other = cellar(config_entry)
    other.add_to_hass(hass)
    by = ConfigEntryDisabler.USER
    await hass.config_entries.async_set_disabled_by(other.entry_id, by)
    add_bot(hass, other, town, voice_targets=["01CELLAR"])
    await load()
    assert not async_get_bot(hass).is_listening
    await hass.config_entries.async_set_disabled_by(other.entry_id, None)
    bot = await connected(hass)
    assert {one.view.host.name for one in bot.boards()} == {"Cellar", "Attic"}
    assert town.discord.identifies == 1


async def test_a_host_whose_set_up_fails_is_let_go_of(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: Any) -> None:
        raise ConfigEntryError("no")

    add_bot(hass, config_entry, town)
    await load()
    bot = await connected(hass)
    forward = hass.config_entries.async_forward_entry_setups
    monkeypatch.setattr(hass.config_entries, "async_forward_entry_setups", fails)
    await hass.config_entries.async_reload(config_entry.entry_id)
    given = await give(town, "start", town.alex, {"server": "01HOST"})
    await given.replied("no answer in time")
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=31))
    await until(lambda: not bot.is_listening)
    monkeypatch.setattr(hass.config_entries, "async_forward_entry_setups", forward)
    assert await hass.config_entries.async_reload(config_entry.entry_id)
    await connected(hass)


async def test_what_is_said_while_the_bot_begins_anew_waits_for_it(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, failures = Bridge.run, [RuntimeError()]

    async def failing(own: Bridge) -> Any:
        if failures:
            raise failures.pop()
        return await run(own)

    monkeypatch.setattr(Bridge, "run", failing)
    monkeypatch.setattr(bot_link, "RESTART_SECONDS", 0.3)
    add_bot(hass, config_entry, town)
    await load()
    bot = async_get_bot(hass)
    await until(lambda: bot.is_listening)
    assert not bot.connected
    assert bot.async_say("Good evening")
    await connected(hass)
    await until(lambda: [m for m in town.discord.messages(town.lobby) if "evening" in m.text])


# Moving and removing


async def test_the_bot_moves_to_another_host(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    other = cellar(config_entry)
    other.add_to_hass(hass)
    add_bot(hass, config_entry, town)
    await load()
    bot = await connected(hass)
    town.discord.join_voice(town.kim, town.voice)
    await until(lambda: voices(config_entry))
    hass.config_entries.async_remove_subentry(config_entry, BOT)
    await until(lambda: not bot.is_listening)
    assert voices(config_entry) == []
    moved = ConfigSubentry(
        subentry_id="01MOVED",
        subentry_type="discord_bot",
        title="cube",
        unique_id=None,
        data=bot_data(town, voice_targets=["01CELLAR"]),  # type: ignore[arg-type]
    )
    hass.config_entries.async_add_subentry(other, moved)
    await connected(hass)
    await until(lambda: voices(other))
    assert voices(other) == [(HOST, str(town.kim.user.id), False)]
    assert guardian(other).snapshot.host.state is State.OFF
    states = {one.entity_id: one.state for one in hass.states.async_all("binary_sensor")}
    assert [state for name, state in states.items() if "connected" in name] == ["on"]


async def test_of_two_bots_only_one_is_there_and_the_other_takes_over(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    other = cellar(config_entry)
    add_bot(hass, config_entry, town)
    other.add_to_hass(hass)
    second = ConfigSubentry(
        subentry_id="01SECOND",
        subentry_type="discord_bot",
        title="second",
        unique_id=None,
        data=bot_data(town, voice_targets=["01CELLAR"]),  # type: ignore[arg-type]
    )
    hass.config_entries.async_add_subentry(other, second)
    await load()
    bot = await connected(hass)
    await hass.async_block_till_done()
    assert town.discord.identifies == 1
    hass.config_entries.async_remove_subentry(config_entry, BOT)
    await until(lambda: town.discord.identifies == 2)
    await until(lambda: bot.connected)


async def test_a_bot_that_is_removed_while_it_is_disabled_leaves_nothing(
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
    await until(lambda: town.panels)
    town.discord.revoke_token()
    await until(lambda: issue(hass, "bot_token"))
    by = ConfigEntryDisabler.USER
    await hass.config_entries.async_set_disabled_by(config_entry.entry_id, by)
    await until(lambda: not bot.is_listening)
    await hass.async_block_till_done()
    assert KEY in hass_storage
    await hass.config_entries.async_remove(config_entry.entry_id)
    await until(lambda: issue(hass, "bot_token") is None)
    await until(lambda: KEY not in hass_storage)


async def test_a_bot_that_is_disabled_has_nothing_to_mend_on_discord(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    town.discord.application.bot_public = True
    everybody = town.guild.roles[town.guild.id]
    town.discord.overwrite(town.lobby, everybody, deny=Permission.EMBED_LINKS)
    add_bot(hass, config_entry, town)
    await load()
    await connected(hass)
    await until(lambda: issue(hass, "bot_permission") and issue(hass, "bot_public"))
    by = ConfigEntryDisabler.USER
    await hass.config_entries.async_set_disabled_by(config_entry.entry_id, by)
    await until(lambda: not async_get_bot(hass).is_listening)
    assert not issue(hass, "bot_permission")
    assert not issue(hass, "bot_public")


async def test_a_storm_of_reloads_never_connects_anew_and_leaves_no_listener(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    subentry = add_bot(hass, config_entry, town)
    await load()
    bot = await connected(hass)
    listeners, readers = len(bot._listeners), len(bot._readers)
    for number in range(8):
        options = {"automatic": {"quiet_minutes": number + 1}}
        hass.config_entries.async_update_entry(config_entry, options=options)
        hass.config_entries.async_update_subentry(config_entry, subentry, title=f"cube {number}")
    await hass.async_block_till_done()
    assert bot.connected
    assert town.discord.identifies == 1
    assert (len(bot._listeners), len(bot._readers)) == (listeners, readers)
    assert len(bot.boards()) == 1


async def test_a_channel_that_is_read_no_longer_leaves_no_dead_entity(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    town.discord.application.privileged = Intent.MESSAGE_CONTENT
    subentry = add_bot(hass, config_entry, town, relay=True)
    await load()
    await connected(hass)
    entities = er.async_get(hass)
    assert entities.async_get("event.cube_message")
    data = bot_data(town, relay=False)
    hass.config_entries.async_update_subentry(config_entry, subentry, data=data)
    await until(lambda: town.discord.identifies == 2)
    await hass.async_block_till_done()
    assert entities.async_get("event.cube_message") is None
    assert hass.states.get("event.cube_message") is None
    assert entities.async_get("binary_sensor.cube_connected")


# What is stored


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
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    hass_storage: dict[str, Any],
    stored: dict[str, Any],
) -> None:
    hass_storage[KEY] = {"minor_version": 1, "key": KEY, **stored}
    add_bot(hass, config_entry, town)
    await load()
    await connected(hass)
    await until(lambda: len(town.panels) == 1)
    await give(town, "start", town.alex, {"server": "01HOST"})
    await until(lambda: noted(config_entry))


async def test_a_panel_of_no_number_is_put_up_anew(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    hass_storage: dict[str, Any],
) -> None:
    data = {"access": None, "panel_channel_id": town.lobby.id, "panel_message_id": "nonsense/.."}
    hass_storage[KEY] = {"version": 1, "minor_version": 1, "key": KEY, "data": data}
    add_bot(hass, config_entry, town)
    await load()
    await connected(hass)
    await until(lambda: len(town.panels) == 1)


# Commands while a host is away


async def test_a_command_for_a_host_that_is_loaded_anew_is_in_its_own_journal(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    other = cellar(config_entry)
    other.add_to_hass(hass)
    add_bot(hass, config_entry, town)
    await load()
    await connected(hass)
    assert await hass.config_entries.async_unload(config_entry.entry_id)
    given = await give(town, "start", town.alex, {"server": "01HOST"})
    await given.replied("no answer in time")
    assert noted(other) == []
    assert await hass.config_entries.async_setup(config_entry.entry_id)
    assert [(one.by, one.error) for one in noted(config_entry)] == [("alex", "timeout_error")]
    assert await hass.config_entries.async_reload(config_entry.entry_id)
    assert len(noted(config_entry)) == 1


async def test_the_end_of_maintenance_is_the_mode_before_however_long_ago_it_was_chosen(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    make_automatic(hass, config_entry)
    add_bot(hass, config_entry, town)
    await load()
    await connected(hass)
    target = {"entity_id": "select.attic_mode"}
    await hass.services.async_call(
        "select", "select_option", {"option": "manual"}, target=target, blocking=True
    )
    for _ in range(250):
        with pytest.raises(Refused, match="nothing_to_cancel"):
            await guardian(config_entry).cancel_shutdown(HOST, ROBIN)
    for on in (True, False):
        await give(town, "maintenance", town.ada, {"host": "01HOST", "on": on, "reason": "Disk"})
    await until(lambda: guardian(config_entry).snapshot.mode.value != "maintenance")
    assert guardian(config_entry).snapshot.mode.value == "manual"


async def test_a_player_under_a_veto_is_told_why_nothing_is_kept_awake(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    make_automatic(hass, config_entry)
    add_bot(hass, config_entry, town)
    await load()
    await machines.seen()
    await connected(hass)
    guardian(config_entry).set_vetoes({"binary_sensor.night": "Quiet hours"})
    given = await give(town, "keep-awake", town.kim, {"host": "01HOST", "minutes": 30})
    assert "Quiet hours" in str(await given.replied("Quiet hours"))
    assert guardian(config_entry).snapshot.host.state is State.OFF
    assert noted(config_entry)[-1].error == "forbidden"


async def test_an_entity_that_chokes_does_not_keep_the_bot_from_connecting_anew(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    def choke() -> None:
        raise RuntimeError("choked")

    add_bot(hass, config_entry, town)
    await load()
    bot = await connected(hass)
    stop = bot.async_listen(choke)
    bot.async_restart()
    await until(lambda: town.discord.identifies == 2)
    await until(lambda: bot.connected)
    stop()


# Voice


@pytest.mark.parametrize("remembered", [True, False])
async def test_who_sat_in_voice_all_along_wakes_nothing_when_home_assistant_starts(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    remembered: bool,
) -> None:
    town.discord.join_voice(town.kim, town.voice)
    make_automatic(hass, config_entry)
    add_bot(hass, config_entry, town)
    await load()
    bot = await connected(hass)
    await until(lambda: voices(config_entry) == [(HOST, str(town.kim.user.id), False)])
    await machines.seen()
    assert guardian(config_entry).snapshot.host.state is State.OFF
    if remembered:
        await bot.async_close()
        hass.data.pop(bot_link.DATA)
        assert await hass.config_entries.async_reload(config_entry.entry_id)
        assert async_get_bot(hass) is not bot
        await connected(hass)
        await until(lambda: voices(config_entry) == [(HOST, str(town.kim.user.id), False)])
        await machines.seen()
        assert guardian(config_entry).snapshot.host.state is State.OFF
    town.discord.leave_voice(town.kim)
    await until(lambda: not voices(config_entry))
    town.discord.join_voice(town.kim, town.voice)
    await until(lambda: guardian(config_entry).snapshot.host.state is State.WAKING)


async def test_two_hosts_and_a_game_server_that_is_gone_may_be_wanted_by_voice(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    other = cellar(config_entry)
    other.add_to_hass(hass)
    targets = ["01SURVIVAL", "01CELLAR", "01CREATIVE", "01GONE"]
    add_bot(hass, config_entry, town, voice_targets=targets)
    await load()
    await connected(hass)
    town.discord.join_voice(town.kim, town.voice)
    kim = str(town.kim.user.id)
    await until(lambda: voices(other) == [(HOST, kim, False)])
    wanted = {("01SURVIVAL", kim, False), ("01CREATIVE", kim, False)}
    assert set(voices(config_entry)) == wanted
    hass.config_entries.async_remove_subentry(config_entry, "01CREATIVE")
    await hass.async_block_till_done()
    assert voices(config_entry) == [("01SURVIVAL", kim, False)]
    assert town.discord.identifies == 1
    town.discord.leave_voice(town.kim)
    await until(lambda: not voices(config_entry) and not voices(other))


async def test_the_bot_that_is_disabled_lets_nobody_in_voice_keep_a_host_up(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    other = cellar(config_entry)
    other.add_to_hass(hass)
    add_bot(hass, config_entry, town, voice_targets=["01CELLAR"])
    await load()
    await connected(hass)
    town.discord.join_voice(town.kim, town.voice)
    await until(lambda: voices(other))
    by = ConfigEntryDisabler.USER
    await hass.config_entries.async_set_disabled_by(config_entry.entry_id, by)
    await until(lambda: not voices(other))


async def test_a_bot_that_was_removed_while_a_host_was_not_loaded_keeps_nothing_up(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    other = cellar(config_entry)
    other.add_to_hass(hass)
    add_bot(hass, config_entry, town, voice_targets=["01CELLAR"])
    await load()
    bot = await connected(hass)
    town.discord.join_voice(town.kim, town.voice)
    await until(lambda: voices(other))
    assert await hass.config_entries.async_unload(other.entry_id)
    hass.config_entries.async_remove_subentry(config_entry, BOT)
    await until(lambda: not bot.is_listening)
    assert await hass.config_entries.async_setup(other.entry_id)
    assert voices(other) == []


async def test_a_host_that_is_loaded_anew_tells_everything_once(
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
    for _ in range(3):
        assert await hass.config_entries.async_reload(config_entry.entry_id)
    await machines.seen()
    await guardian(config_entry).wake(HOST, ROBIN)
    await until(lambda: "Attic: Waking up" in embeds(town))
    machines.everything_up()
    await machines.seen()
    await until(lambda: "Attic: The host is up" in embeds(town))
    assert embeds(town).count("Attic: Waking up") == 1
