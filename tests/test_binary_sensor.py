"""The binary sensors: what answers, and whether anybody wants the host."""

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from syrupy.assertion import SnapshotAssertion

from custom_components.cubeguardian.const import CONF_TOKEN_ID, CONF_TOKEN_SECRET
from custom_components.cubeguardian.guardian import HOST, Caller, Source
from custom_components.cubeguardian.server_manager import (
    ApiError,
    AuthenticationError,
    CertificateError,
    HostTimeoutError,
    NameNotFoundError,
    PermissionDeniedError,
    ServerManagerError,
)

from .conftest import Load
from .machines import SURVIVAL, FakeMachines
from .portraits import attribute_of, portraits, state_of

REACHABLE = "binary_sensor.attic_reachable"
API = "binary_sensor.attic_proxmox_api"
ONLINE = "binary_sensor.survival_online"
DEMAND = "binary_sensor.attic_demand"
SOMEBODY = Caller(name="Robin")


async def test_everything_that_sleeps_is_known_to_be_off(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    snapshot: SnapshotAssertion,
) -> None:
    await load(Platform.BINARY_SENSOR)
    await machines.seen()
    assert portraits(hass, config_entry.entry_id) == snapshot


async def test_everything_that_answers_is_on(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
    snapshot: SnapshotAssertion,
) -> None:
    freezer.move_to("2026-11-22 14:30:00+00:00")
    machines.host_up()
    machines.game_up(SURVIVAL)
    await load(Platform.BINARY_SENSOR)
    await machines.seen()
    assert portraits(hass, config_entry.entry_id) == snapshot


async def test_a_host_that_boots_is_reachable_before_its_api_is(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    await load(Platform.BINARY_SENSOR)
    await machines.seen()
    machines.host_booting()
    await machines.seen()
    assert state_of(hass, REACHABLE) == "on"
    assert state_of(hass, ONLINE) == "off"


async def test_one_lost_probe_changes_nothing(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL)
    await load(Platform.BINARY_SENSOR)
    await machines.seen()
    machines.awake = machines.pings = False
    await machines.glance()
    for entity_id in (REACHABLE, API, ONLINE):
        assert state_of(hass, entity_id) == "on"
    await machines.glance()
    assert state_of(hass, API) == "off"
    assert state_of(hass, REACHABLE) == "off"
    assert state_of(hass, ONLINE) == "off"


async def test_without_a_network_of_our_own_nobody_knows(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.network = False
    await load(Platform.BINARY_SENSOR)
    await machines.seen()
    assert state_of(hass, REACHABLE) == "unknown"
    assert state_of(hass, API) == "unknown"


async def test_a_name_that_does_not_resolve_leaves_the_host_unknown(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.fails("probe", NameNotFoundError("no such name"))
    await load(Platform.BINARY_SENSOR)
    await machines.seen()
    assert state_of(hass, REACHABLE) == "unknown"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (AuthenticationError("401"), "unauthorised"),
        (PermissionDeniedError("403"), "forbidden"),
        (CertificateError("changed"), "untrusted"),
        (HostTimeoutError("slow"), "timeout"),
        (ApiError("html", status=200), "failing"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_an_api_that_does_not_work_says_why_and_the_host_stays_reachable(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    error: ServerManagerError,
    reason: str,
) -> None:
    machines.host_up()
    machines.fails("read_node", error)
    await load(Platform.BINARY_SENSOR)
    await machines.seen()
    assert state_of(hass, API) == "off"
    assert attribute_of(hass, API, "reason") == reason
    assert state_of(hass, REACHABLE) == "on"


async def test_an_api_that_works_again_is_seen_to(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    machines.fails("read_node", ApiError("broken", status=500))
    await load(Platform.BINARY_SENSOR)
    await machines.seen()
    machines.works("read_node")
    await machines.glance()
    assert state_of(hass, API) == "on"
    assert attribute_of(hass, API, "reason") == "ok"


async def test_a_host_without_a_token_has_no_api_to_show(
    hass: HomeAssistant,
    load: Load,
    config_entry: MockConfigEntry,
    entity_registry: er.EntityRegistry,
) -> None:
    without = {CONF_TOKEN_ID: None, CONF_TOKEN_SECRET: None}
    config_entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(config_entry, data={**config_entry.data, **without})
    await load(Platform.BINARY_SENSOR)
    assert entity_registry.async_get(REACHABLE) is not None
    assert entity_registry.async_get(API) is None


async def test_a_silent_game_server_is_offline_only_after_two_silences(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL)
    await load(Platform.BINARY_SENSOR)
    await machines.seen()
    machines.game_silent(SURVIVAL)
    await machines.glance()
    assert state_of(hass, ONLINE) == "on"
    await machines.glance()
    assert state_of(hass, ONLINE) == "off"


async def test_players_find_their_server_by_the_address_that_was_told(
    hass: HomeAssistant, load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    survival = config_entry.subentries["01SURVIVAL"]
    config_entry.add_to_hass(hass)
    hass.config_entries.async_update_subentry(
        config_entry, survival, data={**survival.data, "public_address": "play.example.org"}
    )
    await load(Platform.BINARY_SENSOR)
    assert attribute_of(hass, ONLINE, "public_address") == "play.example.org"
    untold = hass.states.get("binary_sensor.creative_online")
    assert untold and "public_address" not in untold.attributes


async def test_whoever_wakes_a_game_server_wants_its_host(
    hass: HomeAssistant, load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    await load(Platform.BINARY_SENSOR)
    await machines.seen()
    assert state_of(hass, DEMAND) == "off"
    await config_entry.runtime_data.guardian.wake("01SURVIVAL", SOMEBODY, Source.SWITCH)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, DEMAND) == "on"
    told = attribute_of(hass, DEMAND, "leases")
    assert {(one["source"], one["who"], one["declined"]) for one in told} == {
        ("switch", "Robin", False)
    }
    assert "Survival" in {one["target"] for one in told}


async def test_players_want_the_host_as_long_as_they_play(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL, "Alex", "Steve")
    await load(Platform.BINARY_SENSOR)
    await machines.seen()
    [players] = [one for one in attribute_of(hass, DEMAND, "leases") if one["source"] == "players"]
    assert players["who"] == "Alex, Steve"
    assert players["target"] == "Survival"
    machines.game_up(SURVIVAL)
    await machines.seen()
    sources = [one["source"] for one in attribute_of(hass, DEMAND, "leases")]
    assert "players" not in sources


async def test_a_declined_wish_is_shown_but_is_no_demand(
    hass: HomeAssistant, load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    machines.host_up()
    await load(Platform.BINARY_SENSOR)
    await machines.seen()
    guardian = config_entry.runtime_data.guardian
    guardian.report(Source.ENTITY, HOST, {"calendar.games": "Games night"})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, DEMAND) == "on"
    await guardian.shut_down(HOST, SOMEBODY)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, DEMAND) == "off"
    [wish] = [one for one in attribute_of(hass, DEMAND, "leases") if one["source"] == "entity"]
    assert (wish["who"], wish["target"], wish["until"]) == ("Games night", "Attic", None)
    assert wish["declined"] is True


async def test_what_forbids_players_to_wake_is_told(
    hass: HomeAssistant, load: Load, config_entry: MockConfigEntry
) -> None:
    await load(Platform.BINARY_SENSOR)
    assert attribute_of(hass, DEMAND, "forbidden_by") == []
    config_entry.runtime_data.guardian.set_vetoes({"input_boolean.night": "Quiet hours"})
    await hass.async_block_till_done()
    assert attribute_of(hass, DEMAND, "forbidden_by") == ["Quiet hours"]


async def test_who_wants_the_host_is_not_recorded(hass: HomeAssistant, load: Load) -> None:
    await load(Platform.BINARY_SENSOR)
    entity = hass.data["entity_components"]["binary_sensor"].get_entity(DEMAND)
    assert entity is not None
    assert {"leases", "forbidden_by"} <= set(entity._state_info["unrecorded_attributes"])
