"""What the system information shows of the hosts."""

from collections import Counter
from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, get_system_health_info

from custom_components.cubeguardian.const import CONF_TOKEN_ID, CONF_TOKEN_SECRET, DOMAIN
from custom_components.cubeguardian.guardian import HOST, Caller, Mode, Refused
from custom_components.cubeguardian.server_manager import AuthenticationError

from .conftest import Load
from .flows import all_texts
from .machines import SURVIVAL, FakeMachines

SOMEBODY = Caller(name="Robin")
NO_TOKEN = {CONF_TOKEN_ID: None, CONF_TOKEN_SECRET: None}


async def test_a_sleeping_host_is_counted_without_being_asked(
    hass: HomeAssistant, load: Load, machines: FakeMachines, asked: Counter[str]
) -> None:
    await load()
    await machines.seen()
    await _ready(hass)
    asked.clear()
    assert await get_system_health_info(hass, DOMAIN) == {
        "hosts": 1,
        "asleep": 1,
        "awake": 0,
        "states": "off: 1",
        "modes": "manual: 1",
        "leases": "",
        "vetoes": 0,
        "hold_ups": "",
        "last_events": "",
        "proxmox_api": "unknown: 1",
        "game_servers": 2,
    }
    assert not asked


async def test_hosts_that_are_up_are_counted_by_what_their_api_says(
    hass: HomeAssistant, load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    data = {**config_entry.data, **NO_TOKEN}
    other = MockConfigEntry(domain=DOMAIN, title="Shed", entry_id="02HOST", data=data)
    other.add_to_hass(hass)
    machines.host_up()
    machines.fails("read_node", AuthenticationError("no such token"))
    await load()
    await machines.seen()
    await _ready(hass)
    info = await get_system_health_info(hass, DOMAIN)
    assert (info["hosts"], info["asleep"], info["awake"]) == (2, 0, 2)
    assert info["states"] == "running: 2"
    assert info["proxmox_api"] == "no_token: 1, unauthorised: 1"
    assert await hass.config_entries.async_unload(other.entry_id)


async def test_what_is_wanted_held_and_done_is_counted_without_a_name(
    hass: HomeAssistant, load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL, "Steve")
    await load()
    await machines.seen()
    await _ready(hass)
    guardian = config_entry.runtime_data.guardian
    guardian.keep_awake(True, SOMEBODY)
    guardian.set_vetoes({"input_boolean.quiet_hours": "Quiet hours"})
    guardian.set_mode(Mode.AUTOMATIC, "", SOMEBODY)
    with pytest.raises(Refused):
        await guardian.shut_down(HOST, SOMEBODY)
    info = await get_system_health_info(hass, DOMAIN)
    assert info["modes"] == "automatic: 1"
    assert "keep_awake: 1" in info["leases"]
    assert "players: 1" in info["leases"]
    assert info["vetoes"] == 1
    assert info["last_events"] == "refused: 1"
    assert not [name for name in ("Steve", "Robin", "Quiet", "quiet_hours") if name in str(info)]


async def test_what_holds_an_announced_shutdown_up_is_counted(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    machines.host_up()
    machines.backup_runs()
    await load()
    await machines.seen()
    await _ready(hass)
    guardian = config_entry.runtime_data.guardian
    await guardian.shut_down(HOST, SOMEBODY, timedelta(minutes=1))
    freezer.tick(timedelta(seconds=61))
    await machines.glance()
    guardian.tick()
    await hass.async_block_till_done(wait_background_tasks=True)
    info = await get_system_health_info(hass, DOMAIN)
    assert info["hold_ups"] == "task: 1"
    assert info["last_events"] == "shutdown_held: 1"


async def test_without_a_host_there_is_nothing_to_count(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    await _ready(hass)
    info = await get_system_health_info(hass, DOMAIN)
    assert (info["hosts"], info["states"]) == (0, "")
    for texts in all_texts("system_health", "info"):
        assert set(texts) == set(info)


async def _ready(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, "system_health", {})
    await hass.async_block_till_done()
