"""The sensors of the host and of its game servers."""

from dataclasses import replace
from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import EVENT_STATE_CHANGED, Platform
from homeassistant.core import Event, EventStateChangedData, HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)
from syrupy.assertion import SnapshotAssertion

from custom_components.cubeguardian.guardian import HOST, Caller
from custom_components.cubeguardian.sensor_tables import PACE_SENSORS
from custom_components.cubeguardian.server_manager import ApiError

from .conftest import Load
from .machines import BOOTED_AT, NODE, OTHER_VMID, SURVIVAL, FakeMachines
from .portraits import attribute_of, portraits, state_of

STATE = "sensor.attic_state"
SHUTDOWN_AT = "sensor.attic_shutdown_at"
CPU = "sensor.attic_cpu_load"
GUESTS = "sensor.attic_running_guests"
GAME_STATE = "sensor.survival_state"
PLAYERS = "sensor.survival_players_online"
READY_AT = "sensor.attic_ready_at"
PROGRESS = "sensor.attic_progress"
GAME_READY_AT = "sensor.survival_ready_at"
GAME_PROGRESS = "sensor.survival_progress"
SOMEBODY = Caller(name="Robin")


@pytest.mark.usefixtures("everything_enabled")
async def test_a_sleeping_host_is_off_and_what_only_it_could_tell_is_unknown(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    snapshot: SnapshotAssertion,
) -> None:
    await load(Platform.SENSOR)
    await machines.seen()
    assert portraits(hass, config_entry.entry_id) == snapshot


@pytest.mark.usefixtures("everything_enabled")
async def test_a_host_at_work_shows_what_it_does(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
    snapshot: SnapshotAssertion,
) -> None:
    freezer.move_to(BOOTED_AT + timedelta(hours=2))
    machines.host_up()
    machines.game_up(SURVIVAL, "Alex", "Steve")
    await load(Platform.SENSOR)
    await machines.seen()
    assert portraits(hass, config_entry.entry_id) == snapshot


async def test_noisy_sensors_are_disabled_at_first(
    hass: HomeAssistant, load: Load, entity_registry: er.EntityRegistry
) -> None:
    await load(Platform.SENSOR)
    disabled = {
        entity.entity_id for entity in entity_registry.entities.values() if entity.disabled_by
    }
    assert disabled == {
        "sensor.attic_latency",
        "sensor.creative_latency",
        "sensor.creative_message_of_the_day",
        "sensor.survival_latency",
        "sensor.survival_message_of_the_day",
    }


async def test_waking_shows_who_asked_and_how_far_it_is(
    hass: HomeAssistant, load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    await load(Platform.SENSOR)
    await machines.seen()
    await config_entry.runtime_data.guardian.wake(HOST, SOMEBODY)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, STATE) == "waking"
    assert attribute_of(hass, STATE, "by") == "Robin"
    assert attribute_of(hass, STATE, "phase") == "packet"
    machines.host_booting()
    await machines.seen()
    assert attribute_of(hass, STATE, "phase") == "ping"


async def test_an_announced_shutdown_shows_when_it_comes(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    machines.host_up()
    await load(Platform.SENSOR)
    await machines.seen()
    due = dt_util.utcnow().replace(microsecond=0) + timedelta(minutes=5)
    freezer.move_to(due - timedelta(minutes=5))
    await machines.glance()
    await config_entry.runtime_data.guardian.shut_down(HOST, SOMEBODY, timedelta(minutes=5))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, STATE) == "countdown"
    assert attribute_of(hass, STATE, "cause") == "asked"
    assert state_of(hass, SHUTDOWN_AT) == due.isoformat()


async def test_a_held_shutdown_has_no_time_and_says_what_holds_it(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL, "Steve")
    await load(Platform.SENSOR)
    await machines.seen()
    guardian = config_entry.runtime_data.guardian
    await guardian.shut_down(HOST, SOMEBODY, timedelta(minutes=5))
    for _ in range(5):
        freezer.tick(timedelta(minutes=1))
        await machines.glance()
    guardian.tick()
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, STATE) == "countdown"
    assert state_of(hass, SHUTDOWN_AT) == "unknown"
    assert attribute_of(hass, STATE, "held") == [
        {"reason": "players", "subject": "Survival", "count": "1", "players": "Steve"}
    ]
    assert machines.calls == []


async def test_one_lost_probe_leaves_the_last_readings_standing(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL, "Steve")
    await load(Platform.SENSOR)
    await machines.seen()
    machines.awake = machines.pings = False
    await machines.glance()
    assert state_of(hass, CPU) == "12.5"
    assert state_of(hass, PLAYERS) == "1"
    await machines.glance()
    assert state_of(hass, CPU) == "unknown"
    assert state_of(hass, PLAYERS) == "unknown"


async def test_nothing_flickers_when_a_lost_probe_is_followed_by_a_good_one(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL, "Steve")
    await load(Platform.SENSOR, Platform.BINARY_SENSOR)
    await machines.seen()
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)
    machines.awake = machines.pings = False
    await machines.glance()
    machines.host_up()
    await machines.seen()
    assert [change.data["entity_id"] for change in changes] == []


async def test_one_silence_of_a_game_server_leaves_its_players_standing(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL, "Steve")
    await load(Platform.SENSOR)
    await machines.seen()
    machines.game_silent(SURVIVAL)
    await machines.glance()
    assert state_of(hass, PLAYERS) == "1"
    assert attribute_of(hass, PLAYERS, "players") == ["Steve"]
    await machines.glance()
    assert state_of(hass, PLAYERS) == "unknown"
    assert attribute_of(hass, PLAYERS, "players") == []


async def test_a_game_server_that_fell_silent_is_degraded_not_off(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL)
    await load(Platform.SENSOR)
    await machines.seen()
    assert state_of(hass, GAME_STATE) == "running"
    machines.game_silent(SURVIVAL)
    await machines.seen()
    assert state_of(hass, GAME_STATE) == "degraded"


async def test_an_api_that_stops_working_leaves_its_readings_unknown(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    await load(Platform.SENSOR)
    await machines.seen()
    machines.fails("read_node", ApiError("broken", status=500))
    await machines.glance()
    assert state_of(hass, CPU) == "unknown"
    assert state_of(hass, GUESTS) == "unknown"


async def test_running_guests_are_counted_and_named(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    machines.guests[OTHER_VMID].running = True
    await load(Platform.SENSOR)
    await machines.seen()
    assert state_of(hass, GUESTS) == "2"
    assert attribute_of(hass, GUESTS, "guests") == ["survival", "nextcloud"]


async def test_memory_that_the_node_does_not_know_is_unknown(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    machines.node = replace(NODE, memory_used=0, memory_total=0)
    await load(Platform.SENSOR)
    await machines.seen()
    assert state_of(hass, "sensor.attic_memory_in_use") == "unknown"


async def test_a_wake_shows_how_far_it_is_and_when_it_will_be_over(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    await load(Platform.SENSOR)
    await machines.seen()
    assert [state_of(hass, one) for one in (READY_AT, PROGRESS)] == ["unknown", "unknown"]
    began = dt_util.utcnow().replace(microsecond=0)
    freezer.move_to(began)
    await config_entry.runtime_data.guardian.wake("01SURVIVAL", SOMEBODY)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, READY_AT) == (began + timedelta(seconds=120)).isoformat()
    assert state_of(hass, GAME_READY_AT) == (began + timedelta(seconds=180)).isoformat()
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)
    for _ in range(20):
        freezer.tick(timedelta(seconds=1))
        await machines.glance()
    assert _shown(changes, PROGRESS) == ["3", "7", "11", "15"]
    assert _shown(changes, GAME_PROGRESS) == ["2", "5", "7", "10"]
    assert {change.data["entity_id"] for change in changes} == {PROGRESS, GAME_PROGRESS}
    machines.host_up()
    freezer.tick(timedelta(seconds=1))
    await machines.glance()
    assert [state_of(hass, one) for one in (READY_AT, PROGRESS)] == ["unknown", "unknown"]
    assert state_of(hass, GAME_READY_AT) == (began + timedelta(seconds=61)).isoformat()


async def test_a_late_wake_is_promised_anew_every_ten_seconds_at_most(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    await load(Platform.SENSOR)
    await machines.seen()
    began = dt_util.utcnow().replace(microsecond=0)
    freezer.move_to(began)
    await config_entry.runtime_data.guardian.wake(HOST, SOMEBODY)
    await hass.async_block_till_done(wait_background_tasks=True)
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)
    for _ in range(121):
        freezer.tick(timedelta(seconds=1))
        await machines.glance()
    assert _shown(changes, READY_AT) == [
        (began + timedelta(seconds=late)).isoformat() for late in (130, 140, 150)
    ]


async def test_a_stop_shows_its_progress_until_it_is_down(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    machines.host_up()
    await load(Platform.SENSOR)
    await machines.seen()
    await config_entry.runtime_data.guardian.shut_down(HOST, SOMEBODY)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert [state_of(hass, one) for one in (READY_AT, PROGRESS)] == ["unknown", "0"]
    freezer.tick(timedelta(seconds=30))
    await machines.glance()
    assert state_of(hass, PROGRESS) == "47"
    machines.host_down()
    for _ in range(2):
        freezer.tick(timedelta(seconds=1))
        await machines.glance()
    assert state_of(hass, PROGRESS) == "unknown"
    learned = config_entry.runtime_data.guardian.stored().learned
    assert learned[HOST].to_dict()["stop"] == [pytest.approx(32, abs=1)]


@pytest.mark.parametrize(
    ("shown", "progress", "age", "news"),
    [
        (10, 11, 4.9, False),
        (10, 11, 5, True),
        (10, 10, 60, False),
        (80, 0, 0, True),
        (10, 11, -3600, True),
    ],
)
def test_progress_is_written_every_five_seconds_at_most(
    shown: int, progress: int, age: float, news: bool
) -> None:
    described = next(one for one in PACE_SENSORS if one.key == "progress")
    assert described.is_news_fn(shown, progress, timedelta(seconds=age)) is news


def _shown(changes: list[Event[EventStateChangedData]], entity_id: str) -> list[str]:
    """Return the states that an entity went through."""
    return [
        change.data["new_state"].state
        for change in changes
        if change.data["entity_id"] == entity_id and change.data["new_state"]
    ]
