"""How an entry becomes the parts of one host."""

from datetime import timedelta
from types import MappingProxyType
from typing import Any
from unittest.mock import patch

from homeassistant.components import network
from homeassistant.components.network.models import Adapter
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.guardian import (
    Caller,
    GuestRole,
    LeaseTimes,
    Mode,
    Policy,
    Settings,
)
from custom_components.cubeguardian.savings import Rates, async_draws_power
from custom_components.cubeguardian.server_manager import ServerManager, TlsTrust
from custom_components.cubeguardian.server_manager.settings import Settings as ReachSettings
from custom_components.cubeguardian.wiring import (
    async_broadcasts,
    async_wire,
    management,
    manager_config,
    policy,
    settings,
)

from .flows import known_host

DATA = {"host": "192.0.2.10", "port": 8006, "mac": "02:00:5e:10:00:01"}
FOUND = ["255.255.255.255", "192.0.2.255"]


def reached(options: dict[str, Any], **data: Any) -> ReachSettings:
    """Return how the server manager understands an entry."""
    return ReachSettings.from_config(manager_config(DATA | data, options, FOUND))


def adapter(name: str, *addresses: tuple[str, int]) -> Adapter:
    """Return a network adapter as Home Assistant describes it."""
    return Adapter(
        name=name,
        index=1,
        enabled=True,
        auto=True,
        default=False,
        ipv6=[],
        ipv4=[{"address": address, "network_prefix": prefix} for address, prefix in addresses],
    )


def test_an_entry_that_says_nothing_more_gets_the_defaults() -> None:
    reach = reached({})
    assert (reach.host, reach.proxmox_port, reach.mac_address) == tuple(DATA.values())
    assert reach.broadcast_addresses == tuple(FOUND)
    assert reach.wake_ports == (9, 7)
    assert (reach.source_address, reach.secure_on) == (None, None)
    assert (reach.ssh_user, reach.ssh_key_path, reach.ssh_port) == ("", "", 22)
    assert reach.ssh_host_key is None
    assert reach.ping
    assert not reach.has_token


def test_token_node_and_trust_come_from_the_entry() -> None:
    trust = TlsTrust.pin_leaf("ab" * 32)
    reach = reached(
        {}, token_id="cubeguardian@pve!wake", token_secret="s", node="pve", trust=trust.to_dict()
    )
    assert reach.has_token
    assert (reach.token_id, reach.token_secret) == ("cubeguardian@pve!wake", "s")
    assert (reach.node, reach.trust) == ("pve", trust)


@pytest.mark.parametrize(
    ("typed", "broadcasts"),
    [
        ("", tuple(FOUND)),
        ("192.0.2.127", ("192.0.2.127",)),
        ("192.0.2.127, 198.51.100.255", ("192.0.2.127", "198.51.100.255")),
        ("192.0.2.127 198.51.100.255", ("192.0.2.127", "198.51.100.255")),
    ],
)
def test_what_a_person_typed_goes_before_what_was_found(
    typed: str, broadcasts: tuple[str, ...]
) -> None:
    assert reached({"wake_on_lan": {"broadcast": typed}}).broadcast_addresses == broadcasts


def test_the_other_ways_to_wake_and_to_reach_come_from_the_options() -> None:
    reach = reached(
        {
            "wake_on_lan": {
                "port": 40000,
                "interface": "192.0.2.2",
                "secure_on": "0a:0b:0c:0d:0e:0f",
                "peer": "192.0.2.11",
            },
            "ssh": {
                "user": "root",
                "key_path": "/config/key",
                "port": 2222,
                "host_key": "ssh-ed25519 AAAA",
            },
            "probing": {"ping": False},
        }
    )
    assert reach.wake_ports == (40000,)
    assert reach.source_address == "192.0.2.2"
    assert (reach.secure_on, reach.peer) == ("0a:0b:0c:0d:0e:0f", "192.0.2.11")
    assert (reach.ssh_user, reach.ssh_key_path) == ("root", "/config/key")
    assert (reach.ssh_port, reach.ssh_host_key) == (2222, "ssh-ed25519 AAAA")
    assert not reach.ping


@pytest.mark.parametrize(
    ("host", "broadcasts"),
    [
        pytest.param("127.0.0.2", [], id="loopback never leaves"),
        pytest.param("192.0.2.10", ["255.255.255.255", "192.0.2.255"], id="its /24"),
        pytest.param("198.51.100.70", ["255.255.255.255", "198.51.100.127"], id="its /26"),
        pytest.param("203.0.113.5", ["255.255.255.255"], id="nobody shares its net"),
    ],
)
async def test_the_adapter_that_shares_the_hosts_net_has_its_broadcast(
    hass: HomeAssistant, host: str, broadcasts: list[str]
) -> None:
    adapters = [
        adapter("lo", ("127.0.0.1", 8)),
        adapter("eth0", ("192.0.2.2", 24)),
        adapter("vlan7", ("198.51.100.66", 26)),
        adapter("wg0"),
    ]
    with patch.object(network, "async_get_adapters", return_value=adapters):
        assert await async_broadcasts(hass, host) == broadcasts


@pytest.mark.parametrize("host", ["attic.example", "2001:db8::10"])
async def test_a_host_without_an_ipv4_address_is_woken_on_every_adapter(
    hass: HomeAssistant, host: str
) -> None:
    adapters = [adapter("eth0", ("192.0.2.2", 24))]
    with patch.object(network, "async_get_adapters", return_value=adapters):
        found = await async_broadcasts(hass, host)
    assert sorted(found) == ["192.0.2.255", "255.255.255.255"]


def test_timeouts_come_from_the_options_and_default_to_ten_and_eight_minutes() -> None:
    assert settings({}) == Settings(
        wake_timeout=timedelta(minutes=10), stop_timeout=timedelta(minutes=8)
    )
    chosen = settings({"timeouts": {"wake_minutes": 20, "stop_minutes": 15}})
    assert chosen == Settings(
        wake_timeout=timedelta(minutes=20), stop_timeout=timedelta(minutes=15)
    )


async def test_every_game_server_is_wired_to_its_guest_and_nothing_else_is(
    hass: HomeAssistant, config_entry: MockConfigEntry
) -> None:
    config_entry.add_to_hass(hass)
    stranger = ConfigSubentry(
        data=MappingProxyType({}), subentry_type="another", title="Another", unique_id=None
    )
    hass.config_entries.async_add_subentry(config_entry, stranger)
    runtime = await async_wire(hass, config_entry)
    assert set(runtime.games) == {"01SURVIVAL", "01CREATIVE"}
    assert runtime.games["01SURVIVAL"].address == "192.0.2.21:25565"
    assert set(runtime.guardian.snapshot.games) == set(runtime.games)
    assert isinstance(runtime.manager, ServerManager)
    assert runtime.manager.proxmox is not None
    assert runtime.host.manager is runtime.manager
    assert runtime.decisions.guardian is runtime.guardian


def test_quiet_and_least_time_up_come_from_the_options() -> None:
    chosen = settings({"automatic": {"quiet_minutes": 0, "least_up_minutes": 15}})
    assert (chosen.quiet_for, chosen.up_for) == (timedelta(0), timedelta(minutes=15))


def test_a_house_that_has_decided_nothing_has_the_usual_policy(hass: HomeAssistant) -> None:
    assert policy(known_host(hass)) == Policy()


def test_what_the_house_has_decided_becomes_the_policy(hass: HomeAssistant) -> None:
    game = {"address": "192.0.2.21", "edition": "java", "vmid": 101}
    entry = known_host(
        hass,
        mode="automatic",
        games=[game | {"stop_when_idle": True}, game],
        options={
            "automatic": {
                "wanting": ["calendar.games"],
                "forbidding": ["schedule.night"],
                "asked_minutes": 45,
                "cancelled_minutes": 90,
                "found_hours": 1,
                "unreadable_is_empty": True,
            },
            "guests": {"sleep_with_host": ["200", "102"], "keep_awake": ["300"]},
        },
    )
    idle, _ = entry.subentries
    assert policy(entry) == Policy(
        automatic=True,
        roles={
            200: GuestRole.SLEEPS_WITH_HOST,
            102: GuestRole.SLEEPS_WITH_HOST,
            300: GuestRole.KEEPS_AWAKE,
        },
        stop_when_idle=frozenset({idle}),
        wanting=frozenset({"calendar.games"}),
        unreadable_is_empty=True,
        times=LeaseTimes(
            asked=timedelta(minutes=45),
            cancelled=timedelta(minutes=90),
            found=timedelta(hours=1),
        ),
    )


def test_a_found_host_gets_no_lease_where_that_was_chosen(hass: HomeAssistant) -> None:
    entry = known_host(hass, options={"automatic": {"found_hours": 0}})
    assert policy(entry).times.found is None


@pytest.mark.parametrize("mode", ["manual", "maintenance", None])
def test_only_who_asked_for_it_gets_automatic_shutdown(
    hass: HomeAssistant, mode: str | None
) -> None:
    assert not policy(known_host(hass, mode=mode)).automatic


def test_the_most_careful_role_wins_and_what_is_no_guest_is_left_out(hass: HomeAssistant) -> None:
    lists = {
        "protected": ["101"],
        "keep_awake": ["102", "101"],
        "sleep_with_host": ["101", "102", "all"],
    }
    entry = known_host(hass, options={"guests": lists})
    assert policy(entry).roles == {101: GuestRole.PROTECTED, 102: GuestRole.KEEPS_AWAKE}


@pytest.mark.parametrize(("mode", "first"), [("automatic", "automatic"), ("manual", "manual")])
async def test_the_mode_that_was_asked_for_is_only_the_first_one(
    hass: HomeAssistant, config_entry: MockConfigEntry, mode: str, first: str
) -> None:
    config_entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(config_entry, data=config_entry.data | {"mode": mode})
    runtime = await async_wire(hass, config_entry)
    assert runtime.guardian.snapshot.mode is Mode(first)
    runtime.guardian.set_mode(Mode.MAINTENANCE, "", Caller(name="Robin"))
    await runtime.store.async_save(runtime.guardian.stored())
    again = await async_wire(hass, config_entry)
    assert again.guardian.snapshot.mode is Mode.MAINTENANCE


def game_server(**chosen: Any) -> ConfigSubentry:
    """Return a game server that can be managed as `chosen`."""
    data = {"address": "mc.example:25570", "edition": "java", "management": chosen}
    return ConfigSubentry(
        data=MappingProxyType(data), subentry_type="minecraft_server", title="A", unique_id=None
    )


@pytest.mark.parametrize(
    "chosen",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"kind": "none"}, id="none"),
        pytest.param({"kind": "rcon", "port": 25575}, id="no secret"),
        pytest.param({"kind": "rcon", "port": 0, "secret": "s"}, id="no port"),
        pytest.param(
            {"kind": "protocol", "port": 1, "secret": "s", "trust": {"kind": "leaf"}}, id="no pin"
        ),
    ],
)
async def test_a_game_server_whose_management_cannot_work_is_not_managed(
    hass: HomeAssistant, chosen: dict[str, Any]
) -> None:
    assert management(game_server(**chosen), async_get_clientsession(hass)) is None


@pytest.mark.parametrize(
    ("watts", "draws"), [("3", False), ("20", False), ("22", True), ("unavailable", None)]
)
async def test_the_power_sensor_is_a_witness_above_the_middle(
    hass: HomeAssistant, watts: str, draws: bool | None
) -> None:
    hass.states.async_set("sensor.plug", watts, {"unit_of_measurement": "W"})
    rates = Rates(watts_on=40, watts_asleep=2, power_sensor="sensor.plug")
    assert async_draws_power(hass, rates) is draws


async def test_nobody_is_a_witness_without_a_sensor_or_with_figures_that_make_no_sense(
    hass: HomeAssistant,
) -> None:
    hass.states.async_set("sensor.plug", "50", {"unit_of_measurement": "W"})
    assert async_draws_power(hass, Rates()) is None
    assert (
        async_draws_power(hass, Rates(watts_on=2, watts_asleep=40, power_sensor="sensor.plug"))
        is None
    )
