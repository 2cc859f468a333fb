"""The switches of the host and of its game servers."""

from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.homeassistant.exposed_entities import async_should_expose
from homeassistant.components.switch import (
    DOMAIN as SWITCH,
    SERVICE_TURN_OFF,
    SERVICE_TURN_ON,
)
from homeassistant.const import ATTR_ENTITY_ID, Platform
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockUser,
    async_fire_time_changed,
)
from syrupy.assertion import SnapshotAssertion

from custom_components.cubeguardian.guardian import Caller, Mode, Source
from custom_components.cubeguardian.server_manager import (
    AuthenticationError,
    NetworkUnavailableError,
)

from .conftest import Load
from .machines import CREATIVE, SURVIVAL, FakeMachines
from .portraits import attribute_of, portraits, state_of

HOST = "switch.attic"
GAME = "switch.survival"
NO_GUEST = "switch.creative"
KEEP_AWAKE = "switch.attic_keep_awake"
SOMEBODY = Caller(name="Robin")


async def turn(
    hass: HomeAssistant, entity_id: str, service: str, context: Context | None = None
) -> None:
    """Turn a switch."""
    await hass.services.async_call(
        SWITCH, service, {ATTR_ENTITY_ID: entity_id}, blocking=True, context=context
    )
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_switches_of_sleeping_machines_are_off_and_available(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    snapshot: SnapshotAssertion,
) -> None:
    await load(Platform.SWITCH)
    await machines.seen()
    assert portraits(hass, config_entry.entry_id) == snapshot


async def test_assist_can_use_the_switches_without_being_told(
    hass: HomeAssistant, load: Load
) -> None:
    assert await async_setup_component(hass, "homeassistant", {})
    await load()
    assert async_should_expose(hass, "conversation", HOST)
    assert async_should_expose(hass, "conversation", GAME)
    assert not async_should_expose(hass, "conversation", "button.attic_restart")


async def test_turning_the_host_on_sends_the_packet_and_shows_on_at_once(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    await load(Platform.SWITCH)
    await machines.seen()
    await turn(hass, HOST, SERVICE_TURN_ON)
    assert machines.calls == ["wake"]
    assert state_of(hass, HOST) == "on"


async def test_the_switch_does_not_bounce_while_the_host_boots(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    await load(Platform.SWITCH)
    await machines.seen()
    await turn(hass, HOST, SERVICE_TURN_ON)
    await machines.seen()
    assert state_of(hass, HOST) == "on"
    machines.host_booting()
    await machines.seen()
    assert state_of(hass, HOST) == "on"
    machines.host_up()
    await machines.seen()
    assert state_of(hass, HOST) == "on"


async def test_turning_the_host_off_looks_first_and_shuts_it_down(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    await load(Platform.SWITCH)
    await machines.seen()
    assert state_of(hass, HOST) == "on"
    await turn(hass, HOST, SERVICE_TURN_OFF)
    assert machines.calls == ["stop_guest 101", "shut_down"]
    assert state_of(hass, HOST) == "off"
    machines.host_down()
    await machines.seen()
    assert state_of(hass, HOST) == "off"


@pytest.mark.parametrize(
    ("players", "key", "placeholders"),
    [
        (["Steve"], "held_player", {"players": "Steve", "server": "Survival"}),
        (["Alex", "Steve"], "held_players", {"players": "Alex, Steve", "server": "Survival"}),
    ],
)
async def test_players_keep_the_host_up_and_are_named(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    players: list[str],
    key: str,
    placeholders: dict[str, str],
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL, *players)
    await load(Platform.SWITCH)
    await machines.seen()
    with pytest.raises(ServiceValidationError) as refused:
        await turn(hass, HOST, SERVICE_TURN_OFF)
    assert refused.value.translation_key == key
    assert refused.value.translation_placeholders == placeholders
    assert machines.calls == []
    assert state_of(hass, HOST) == "on"


async def test_players_whose_names_are_hidden_are_counted(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL, online=3)
    await load(Platform.SWITCH)
    await machines.seen()
    with pytest.raises(ServiceValidationError) as refused:
        await turn(hass, HOST, SERVICE_TURN_OFF)
    assert refused.value.translation_key == "held_players_unnamed"
    assert refused.value.translation_placeholders == {"count": "3", "server": "Survival"}


async def test_a_running_backup_keeps_the_host_up(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    machines.backup_runs()
    await load(Platform.SWITCH)
    await machines.seen()
    with pytest.raises(ServiceValidationError) as refused:
        await turn(hass, HOST, SERVICE_TURN_OFF)
    assert refused.value.translation_key == "held_task"
    assert refused.value.translation_placeholders == {"tasks": "vzdump"}


async def test_an_api_that_refuses_the_token_keeps_the_host_up(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    machines.fails("read_node", AuthenticationError("no such token"))
    await load(Platform.SWITCH)
    await machines.seen()
    with pytest.raises(ServiceValidationError) as refused:
        await turn(hass, HOST, SERVICE_TURN_OFF)
    assert refused.value.translation_key == "held_unauthorised"
    assert machines.calls == []


async def test_a_server_that_takes_connections_but_cannot_be_read_keeps_the_host_up(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    machines.game_silent(SURVIVAL)
    await load(Platform.SWITCH)
    await machines.seen()
    with pytest.raises(ServiceValidationError) as refused:
        await turn(hass, HOST, SERVICE_TURN_OFF)
    assert refused.value.translation_key == "held_unreadable"
    assert refused.value.translation_placeholders == {"server": "Survival"}


async def test_a_packet_that_could_not_be_sent_is_an_error_and_the_switch_stays_off(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    await load(Platform.SWITCH)
    await machines.seen()
    machines.fails("wake", NetworkUnavailableError("no route"))
    with pytest.raises(HomeAssistantError) as failed:
        await turn(hass, HOST, SERVICE_TURN_ON)
    assert failed.value.translation_key == "connection_error"
    assert not isinstance(failed.value, ServiceValidationError)
    assert state_of(hass, HOST) == "off"


async def test_turning_a_game_server_on_wakes_its_host_and_then_starts_its_guest(
    hass: HomeAssistant, load: Load, machines: FakeMachines, freezer: FrozenDateTimeFactory
) -> None:
    await load(Platform.SWITCH)
    await machines.seen()
    await turn(hass, GAME, SERVICE_TURN_ON)
    assert machines.calls == ["wake"]
    assert state_of(hass, GAME) == "on"
    assert state_of(hass, HOST) == "on"
    machines.host_up()
    machines.guests[101].running = False
    await machines.seen()
    for _ in range(4):
        freezer.tick(timedelta(seconds=20))
        await machines.seen()
    assert "start_guest 101" in machines.calls
    machines.game_up(SURVIVAL)
    await machines.seen()
    assert state_of(hass, GAME) == "on"


async def test_turning_a_game_server_off_stops_its_guest_and_leaves_the_host_alone(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL)
    await load(Platform.SWITCH)
    await machines.seen()
    await turn(hass, GAME, SERVICE_TURN_OFF)
    assert machines.calls == ["shutdown_guest 101"]
    assert state_of(hass, GAME) == "off"
    assert state_of(hass, HOST) == "on"


async def test_a_game_server_without_a_known_guest_cannot_be_stopped(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    machines.game_up(CREATIVE)
    await load(Platform.SWITCH)
    await machines.seen()
    with pytest.raises(ServiceValidationError) as refused:
        await turn(hass, NO_GUEST, SERVICE_TURN_OFF)
    assert refused.value.translation_key == "no_guest"


async def test_the_journal_names_the_person_who_used_the_switch(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    hass_admin_user: MockUser,
) -> None:
    await load(Platform.SWITCH)
    await machines.seen()
    await turn(hass, HOST, SERVICE_TURN_ON, Context(user_id=hass_admin_user.id))
    journal = config_entry.runtime_data.guardian.snapshot.journal
    assert {entry.by for entry in journal if entry.kind == "wake_sent"} == {hass_admin_user.name}


async def test_an_automation_is_journalled_as_home_assistant(
    hass: HomeAssistant, load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    await load(Platform.SWITCH)
    await machines.seen()
    await turn(hass, HOST, SERVICE_TURN_ON)
    journal = config_entry.runtime_data.guardian.snapshot.journal
    assert {entry.by for entry in journal if entry.kind == "wake_sent"} == {"Home Assistant"}


async def test_the_host_is_kept_awake_until_somebody_ends_it(
    hass: HomeAssistant, load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    machines.host_up()
    await load(Platform.SWITCH)
    await machines.seen()
    assert state_of(hass, KEEP_AWAKE) == "off"
    await turn(hass, KEEP_AWAKE, SERVICE_TURN_ON)
    assert state_of(hass, KEEP_AWAKE) == "on"
    assert attribute_of(hass, KEEP_AWAKE, "until") is None
    snapshot = config_entry.runtime_data.guardian.snapshot
    assert snapshot.keep_awake in snapshot.live("host")
    await turn(hass, KEEP_AWAKE, SERVICE_TURN_OFF)
    assert state_of(hass, KEEP_AWAKE) == "off"
    assert config_entry.runtime_data.guardian.snapshot.keep_awake is None


async def test_keeping_awake_for_a_time_ends_by_itself(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    machines.host_up()
    await load(Platform.SWITCH)
    await machines.seen()
    config_entry.runtime_data.guardian.keep_awake(True, SOMEBODY, timedelta(hours=1))
    await hass.async_block_till_done()
    assert attribute_of(hass, KEEP_AWAKE, "until") == dt_util.utcnow() + timedelta(hours=1)
    freezer.tick(timedelta(hours=1, seconds=1))
    async_fire_time_changed(hass)
    await machines.seen()
    assert state_of(hass, KEEP_AWAKE) == "off"


@pytest.mark.parametrize(("mode", "calls"), [(Mode.AUTOMATIC, ["wake"]), (Mode.MANUAL, [])])
async def test_keeping_a_sleeping_host_awake_wakes_it_in_automatic_mode_only(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    mode: Mode,
    calls: list[str],
) -> None:
    await load(Platform.SWITCH)
    await machines.seen()
    config_entry.runtime_data.guardian.set_mode(mode, "", SOMEBODY)
    await turn(hass, KEEP_AWAKE, SERVICE_TURN_ON)
    assert machines.calls == calls
    assert state_of(hass, KEEP_AWAKE) == "on"


async def test_a_host_that_was_switched_on_is_wanted_by_the_switch(
    hass: HomeAssistant, load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    await load(Platform.SWITCH)
    await machines.seen()
    await turn(hass, HOST, SERVICE_TURN_ON)
    [lease] = config_entry.runtime_data.guardian.snapshot.leases
    assert lease.source is Source.SWITCH
