"""Loading, unloading, reloading and removing a host."""

import asyncio
from datetime import timedelta
import logging
from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import ConfigEntryState, ConfigSubentry
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    issue_registry as ir,
)
from homeassistant.util.async_ import get_scheduled_timer_handles
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian import PLATFORMS, async_unload_entry
from custom_components.cubeguardian.const import DOMAIN, SUBENTRY_MINECRAFT_SERVER
from custom_components.cubeguardian.guardian import (
    HOST,
    Caller,
    Guardian,
)
from custom_components.cubeguardian.repairs import async_raise_address_conflict

from .conftest import Hang, Load, turn
from .machines import FakeMachines
from .portraits import state_of
from .webhooks import add_webhook

pytest_plugins = ("tests.webhook_peer",)

ROBIN = Caller(name="Robin")
GAME = "01SURVIVAL"
KEY = "cubeguardian.01HOST"
SKYBLOCK = ConfigSubentry(
    subentry_id="01SKYBLOCK",
    subentry_type=SUBENTRY_MINECRAFT_SERVER,
    title="Skyblock",
    unique_id=None,
    data=MappingProxyType(
        {"address": "192.0.2.23", "public_address": "", "edition": "bedrock", "vmid": None}
    ),
)


@pytest.fixture
def loads(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows with every load of an entry."""
    loaded: list[str] = []
    forward = hass.config_entries.async_forward_entry_setups

    async def noted(entry: MockConfigEntry, *args: Any) -> None:
        loaded.append(entry.entry_id)
        await forward(entry, *args)

    monkeypatch.setattr(hass.config_entries, "async_forward_entry_setups", noted)
    return loaded


def guardian(entry: MockConfigEntry) -> Guardian:
    """Return the guardian of the loaded entry."""
    found: Guardian = entry.runtime_data.guardian
    return found


async def test_set_up_waits_for_nothing_on_the_network(
    hass: HomeAssistant, machines: FakeMachines, hang: Hang, config_entry: MockConfigEntry
) -> None:
    hang("probe")
    config_entry.add_to_hass(hass)
    async with asyncio.timeout(10):
        assert await hass.config_entries.async_setup(config_entry.entry_id)
    assert config_entry.state is ConfigEntryState.LOADED
    assert state_of(hass, "switch.attic") == "off"
    assert state_of(hass, "sensor.attic_state") == "off"
    assert state_of(hass, "binary_sensor.attic_reachable") == "unknown"
    assert await hass.config_entries.async_unload(config_entry.entry_id)


async def test_a_sleeping_host_has_every_entity_available_and_says_nothing(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    caplog: pytest.LogCaptureFixture,
    everything_enabled: None,
) -> None:
    await load()
    await machines.seen()
    states = {state.entity_id: state.state for state in hass.states.async_all()}
    assert STATE_UNAVAILABLE not in states.values()
    assert {
        key: states[key]
        for key in (
            "switch.attic",
            "switch.survival",
            "sensor.attic_state",
            "binary_sensor.attic_reachable",
            "binary_sensor.survival_online",
            "sensor.survival_players_online",
        )
    } == {
        "switch.attic": "off",
        "switch.survival": "off",
        "sensor.attic_state": "off",
        "binary_sensor.attic_reachable": "off",
        "binary_sensor.survival_online": "off",
        "sensor.survival_players_online": "unknown",
    }
    ours = [one for one in caplog.records if one.name.startswith("custom_components")]
    assert max((one.levelno for one in ours), default=0) <= logging.DEBUG


async def test_every_platform_is_loaded(
    hass: HomeAssistant,
    load: Load,
    config_entry: MockConfigEntry,
    entity_registry: er.EntityRegistry,
    hass_that_settles: None,
) -> None:
    add_webhook(hass, config_entry)
    await load()
    entities = er.async_entries_for_config_entry(entity_registry, "01HOST")
    assert {entity.domain for entity in entities} == set(PLATFORMS)
    assert set(hass.services.async_services_for_domain(DOMAIN)) >= {"wake_server", "get_journal"}


async def test_host_and_game_servers_are_devices_and_the_version_shows_once_it_is_known(
    load: Load,
    machines: FakeMachines,
    device_registry: dr.DeviceRegistry,
) -> None:
    await load()
    host = device_registry.async_get_device_by_identifier((DOMAIN, "01HOST"), "01HOST")
    game = device_registry.async_get_device_by_identifier((DOMAIN, GAME), "01HOST")
    assert host is not None
    assert game is not None
    assert host.connections == {(dr.CONNECTION_NETWORK_MAC, "02:00:5e:10:00:01")}
    assert (host.configuration_url, host.sw_version) == ("https://192.0.2.10:8006", None)
    assert (game.via_device_id, game.model) == (host.id, "Minecraft Java Edition")
    machines.host_up()
    await machines.glance()
    seen = device_registry.async_get(host.id)
    assert seen is not None
    assert seen.sw_version == "9.0.3"


async def test_the_page_of_a_host_with_an_ipv6_address_can_be_opened(
    hass: HomeAssistant,
    load: Load,
    config_entry: MockConfigEntry,
    device_registry: dr.DeviceRegistry,
) -> None:
    config_entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(
        config_entry, data={**config_entry.data, "host": "2001:db8::10"}
    )
    await load()
    host = device_registry.async_get_device_by_identifier((DOMAIN, "01HOST"), "01HOST")
    assert host is not None
    assert host.configuration_url == "https://[2001:db8::10]:8006"


@pytest.mark.parametrize("hanging", ["probe", "read_node", "minecraft_status"])
async def test_unloading_leaves_no_task_and_no_timer_behind(
    hass: HomeAssistant,
    machines: FakeMachines,
    hang: Hang,
    config_entry: MockConfigEntry,
    hanging: str,
) -> None:
    hang(hanging)
    machines.everything_up()
    config_entry.add_to_hass(hass)
    tasks = asyncio.all_tasks()
    assert await hass.config_entries.async_setup(config_entry.entry_id)
    await guardian(config_entry).wake(HOST, ROBIN)
    await turn()
    assert asyncio.all_tasks() - tasks, f"{hanging} hangs"
    assert _our_timers(hass)

    assert await hass.config_entries.async_unload(config_entry.entry_id)
    await hass.async_block_till_done()
    assert not asyncio.all_tasks() - tasks
    assert not _our_timers(hass)
    assert not hasattr(config_entry, "runtime_data")


def _our_timers(hass: HomeAssistant) -> list[str]:
    """Return every timer of the integration that is set."""
    handles = get_scheduled_timer_handles(hass.loop)
    timers = [f"{handle!r} {handle._args}" for handle in handles if not handle.cancelled()]
    return [timer for timer in timers if "Attic" in timer or "cubeguardian" in timer]


async def test_a_removed_host_leaves_no_file_no_device_and_no_repair(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    hass_storage: dict[str, Any],
    device_registry: dr.DeviceRegistry,
    issue_registry: ir.IssueRegistry,
) -> None:
    machines.host_up()
    await load()
    async_raise_address_conflict(hass, config_entry)
    assert KEY in hass_storage
    await hass.config_entries.async_remove(config_entry.entry_id)
    await hass.async_block_till_done()
    assert KEY not in hass_storage
    assert not dr.async_entries_for_config_entry(device_registry, "01HOST")
    assert not hass.states.async_entity_ids("switch")
    assert not issue_registry.issues


async def test_changed_options_reload_once_and_count(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    loads: list[str],
) -> None:
    await load()
    loads.clear()
    hass.config_entries.async_update_entry(
        config_entry, options={"timeouts": {"wake_minutes": 30, "stop_minutes": 8}}
    )
    await hass.async_block_till_done(wait_background_tasks=True)
    assert loads == ["01HOST"]
    await guardian(config_entry).wake(HOST, ROBIN)
    view = guardian(config_entry).snapshot.host
    assert view.deadline is not None
    assert view.deadline - view.since == timedelta(minutes=30)


async def test_a_game_server_comes_and_goes_with_its_device_and_its_entities(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    loads: list[str],
    device_registry: dr.DeviceRegistry,
) -> None:
    machines.everything_up()
    machines.game_up("192.0.2.23")
    await load()
    loads.clear()
    hass.config_entries.async_add_subentry(config_entry, SKYBLOCK)
    await hass.async_block_till_done(wait_background_tasks=True)
    await machines.seen()
    assert loads == ["01HOST"]
    assert state_of(hass, "binary_sensor.skyblock_online") == "on"
    device = device_registry.async_get_device_by_identifier((DOMAIN, "01SKYBLOCK"), "01HOST")
    assert device is not None
    assert device.model == "Minecraft Bedrock Edition"

    loads.clear()
    hass.config_entries.async_remove_subentry(config_entry, "01SKYBLOCK")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert loads == ["01HOST"]
    assert hass.states.get("switch.skyblock") is None
    assert device_registry.async_get(device.id) is None
    assert set(guardian(config_entry).snapshot.games) == {"01SURVIVAL", "01CREATIVE"}


async def test_platforms_that_will_not_unload_keep_the_host_as_it_is(
    hass: HomeAssistant,
    load: Load,
    config_entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    hass_storage: dict[str, Any],
) -> None:
    async def refused(*_: Any) -> bool:
        return False

    await load()
    hass_storage.pop(KEY, None)
    with monkeypatch.context() as patch:
        patch.setattr(hass.config_entries, "async_unload_platforms", refused)
        assert not await async_unload_entry(hass, config_entry)
    assert KEY not in hass_storage
