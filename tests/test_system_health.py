"""What the system information shows of the hosts."""

from collections import Counter

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry, get_system_health_info

from custom_components.cubeguardian.const import CONF_TOKEN_ID, CONF_TOKEN_SECRET, DOMAIN
from custom_components.cubeguardian.server_manager import AuthenticationError

from .conftest import Load
from .flows import all_texts
from .machines import FakeMachines

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
