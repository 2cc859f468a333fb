"""The options of a host, section by section."""

from collections.abc import AsyncGenerator
import logging
import os
from pathlib import Path
from typing import Any

import asyncssh
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.const import DOMAIN
from custom_components.cubeguardian.server_manager import ServerManager, TlsTrust
from custom_components.cubeguardian.wiring import manager_config
from tests.flows import MAC, check_texts, guest, known_host, pretend_loaded
from tests.lab.pve import LabPve
from tests.lab.pve_record import Fault

AUTOMATIC: dict[str, Any] = {
    "wanting": [],
    "forbidding": [],
    "quiet_minutes": 2,
    "least_up_minutes": 5,
    "asked_minutes": 30,
    "cancelled_minutes": 60,
    "found_hours": 4,
    "unreadable_is_empty": False,
}
GUESTS: dict[str, list[str]] = {"sleep_with_host": [], "keep_awake": [], "protected": []}
DEFAULTS: dict[str, dict[str, Any]] = {
    "automatic": AUTOMATIC,
    "guests": GUESTS,
    "timeouts": {"wake_minutes": 10, "stop_minutes": 8},
    "wake_on_lan": {},
    "ssh": {"port": 22},
    "probing": {"ping": True},
    "energy": {"watts_on": 40.0, "watts_asleep": 2.0},
}


pytest_plugins = ("tests.flow_peers",)
pytestmark = pytest.mark.usefixtures("quiet_loopback", "entries_stay_still")


@pytest.fixture
def entry(hass: HomeAssistant) -> MockConfigEntry:
    """Return a host without options."""
    return known_host(hass)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Return the file of a private key."""
    path = tmp_path / "id_ed25519"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(path)
    return path


@pytest.fixture
async def ssh_port(host_keys: list[asyncssh.SSHKey]) -> AsyncGenerator[int]:
    """Run an SSH server that presents the first of `host_keys`; return its port."""
    server = await asyncssh.listen("127.0.0.1", 0, server_host_keys=host_keys[:1])
    yield server.get_port()
    server.close()
    await server.wait_closed()


@pytest.fixture
def host_keys() -> list[asyncssh.SSHKey]:
    """Return the key of the host, and another one."""
    return [asyncssh.generate_private_key("ssh-ed25519") for _ in range(2)]


async def test_what_is_left_alone_keeps_its_default(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    form = await hass.config_entries.options.async_init(entry.entry_id)
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "init")

    empty: dict[str, Any] = {name: {} for name in DEFAULTS}
    done = await hass.config_entries.options.async_configure(form["flow_id"], empty)
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == DEFAULTS


async def test_options_of_other_parts_survive(hass: HomeAssistant) -> None:
    entry = known_host(hass, options={"gate": {"port": 25565}})
    await _submit(hass, entry, {})
    assert entry.options == {"gate": {"port": 25565}, **DEFAULTS}


async def test_what_decides_about_sleeping_by_itself_is_kept(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    automatic = {
        "wanting": ["calendar.games", "person.alex"],
        "forbidding": ["binary_sensor.ups_on_battery"],
        "quiet_minutes": 0,
        "least_up_minutes": 60,
        "asked_minutes": 720,
        "cancelled_minutes": 1,
        "found_hours": 0,
        "unreadable_is_empty": True,
    }
    await _submit(hass, entry, {"automatic": automatic})
    assert entry.options["automatic"] == automatic
    await _submit(hass, entry, {"automatic": AUTOMATIC})
    assert entry.options["automatic"] == AUTOMATIC


@pytest.mark.parametrize(
    "wrong",
    [
        {"quiet_minutes": 61},
        {"least_up_minutes": -1},
        {"asked_minutes": 0},
        {"cancelled_minutes": 721},
        {"found_hours": 49},
        {"wanting": ["sensor.temperature"]},
    ],
)
async def test_what_cannot_decide_is_not_taken(
    hass: HomeAssistant, entry: MockConfigEntry, wrong: dict[str, Any]
) -> None:
    form = await hass.config_entries.options.async_init(entry.entry_id)
    with pytest.raises(InvalidData):
        await hass.config_entries.options.async_configure(
            form["flow_id"], DEFAULTS | {"automatic": AUTOMATIC | wrong}
        )


async def test_a_host_cannot_be_wanted_by_its_own_entities(
    hass: HomeAssistant, entry: MockConfigEntry, entity_registry: er.EntityRegistry
) -> None:
    own = entity_registry.async_get_or_create("switch", DOMAIN, "x", config_entry=entry)
    form = await hass.config_entries.options.async_init(entry.entry_id)
    wanting = form["data_schema"].schema["automatic"].schema.schema["wanting"]
    assert wanting.config["exclude_entities"] == [own.entity_id]


async def test_guests_are_picked_from_what_was_last_seen_on_the_host(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    pretend_loaded(hass, entry, guest(102, "nas"), guest(101, "survival"), guest(900, "base"))
    form = await hass.config_entries.options.async_init(entry.entry_id)
    for field in form["data_schema"].schema["guests"].schema.schema.values():
        assert field.config["options"] == [
            {"value": "101", "label": "101 · survival"},
            {"value": "102", "label": "102 · nas"},
        ]


async def test_guests_can_be_typed_while_the_host_sleeps(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    typed = {"sleep_with_host": [" 1000", "101", "101"], "keep_awake": [], "protected": ["102"]}
    await _submit(hass, entry, {"guests": typed})
    assert entry.options["guests"] == typed | {"sleep_with_host": ["101", "1000"]}


async def test_a_power_sensor_can_be_picked_and_let_go(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    energy = {"watts_on": 85.5, "watts_asleep": 1.5}
    await _submit(hass, entry, {"energy": energy | {"power_sensor": "sensor.plug_power"}})
    assert entry.options["energy"] == energy | {"power_sensor": "sensor.plug_power"}
    await _submit(hass, entry, {"energy": energy})
    assert entry.options["energy"] == energy


async def test_options_that_were_saved_before_there_was_as_much_to_choose_can_be_changed(
    hass: HomeAssistant,
) -> None:
    newer = ("automatic", "guests", "energy")
    before = {name: values for name, values in DEFAULTS.items() if name not in newer}
    entry = known_host(hass, options=before | {"timeouts": {"wake_minutes": 3, "stop_minutes": 4}})
    form = await hass.config_entries.options.async_init(entry.entry_id)
    typed = dict(entry.options) | {name: {} for name in newer}
    await hass.config_entries.options.async_configure(form["flow_id"], typed)
    assert entry.options == DEFAULTS | {"timeouts": {"wake_minutes": 3, "stop_minutes": 4}}


async def test_broadcasts_are_put_in_order_and_blanks_left_out(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    wake = {
        "broadcast": " 192.168.1.255;10.0.0.255 ",
        "port": 40000,
        "interface": "192.168.1.2",
        "secure_on": "01-02-03-04-05-06",
    }
    await _submit(hass, entry, {"wake_on_lan": wake, "ssh": {"user": "  ", "port": 22}})
    assert entry.options["wake_on_lan"] == wake | {"broadcast": "192.168.1.255, 10.0.0.255"}
    assert entry.options["ssh"] == {"port": 22}


@pytest.mark.parametrize("missing", ["token_id", "node"])
async def test_another_node_cannot_be_asked_without_token_and_node_name(
    hass: HomeAssistant, missing: str
) -> None:
    entry = known_host(hass, **{missing: None})
    form = await _submit(hass, entry, {"wake_on_lan": {"peer": "192.0.2.9"}})
    assert form["errors"] == {"wake_on_lan": "peer_needs_token"}


async def test_another_node_sends_the_packet_too_and_may_fail(
    hass: HomeAssistant, pve: LabPve
) -> None:
    pve.add_node("sleeper")
    pve.grant("cubeguardian@pve", "/nodes/sleeper", "Sys.PowerMgmt")
    pve.peer_nics["sleeper"] = (MAC, "127.0.0.1", 40009)
    authority = TlsTrust.pin_authority(pve.certificates.authority.pem).to_dict()
    entry = known_host(hass, pve.port, host="127.0.0.9", node="sleeper", trust=authority)
    await _submit(hass, entry, {"wake_on_lan": {"peer": " 127.0.0.1 ", "port": 40009}})
    assert entry.options["wake_on_lan"]["peer"] == "127.0.0.1"

    config = manager_config(entry.data, entry.options, [])
    manager = ServerManager(config, logging.getLogger(__name__))
    sent = await manager.wake()
    assert sent.destinations == ("127.0.0.9:40009", "127.0.0.1")
    assert len(pve.heard("POST", "/nodes/sleeper/wakeonlan")) == 1
    pve.break_with(Fault.SERVER_ERROR)
    assert (await manager.wake()).destinations == ("127.0.0.9:40009",)
    assert len(pve.heard("POST", "/nodes/sleeper/wakeonlan")) == 2


@pytest.mark.parametrize(
    ("section", "wrong", "error"),
    [
        (
            "automatic",
            AUTOMATIC | {"wanting": ["switch.nas"], "forbidding": ["switch.nas"]},
            "wants_and_forbids",
        ),
        ("guests", GUESTS | {"keep_awake": ["101"], "protected": ["101"]}, "guest_in_two_lists"),
        ("guests", GUESTS | {"protected": ["nas"]}, "not_a_guest"),
        ("guests", GUESTS | {"protected": ["99"]}, "not_a_guest"),
        ("wake_on_lan", {"broadcast": "192.168.1.0/24"}, "invalid_broadcast"),
        ("wake_on_lan", {"interface": "eth0"}, "invalid_interface"),
        ("wake_on_lan", {"secure_on": "secret"}, "invalid_secure_on"),
        ("wake_on_lan", {"peer": "https://192.0.2.9:8006"}, "invalid_peer"),
        ("wake_on_lan", {"peer": "127.0.0.1"}, "invalid_peer"),
        ("ssh", {"user": "root", "port": 22}, "ssh_key_missing"),
        ("ssh", {"key_path": "/config/key", "port": 22}, "ssh_user_missing"),
        ("ssh", {"user": "root", "key_path": "/no/such/key", "port": 22}, "key_not_found"),
        ("energy", {"watts_on": 40, "watts_asleep": 40}, "nothing_saved"),
    ],
)
async def test_a_wrong_value_opens_its_section_and_can_be_mended(
    hass: HomeAssistant, entry: MockConfigEntry, section: str, wrong: dict[str, Any], error: str
) -> None:
    form = await _submit(hass, entry, {section: wrong})
    assert (form["step_id"], form["errors"]) == ("init", {section: error})
    sections = {str(name): fields.options for name, fields in form["data_schema"].schema.items()}
    assert [name for name, shown in sections.items() if not shown["collapsed"]] == [section]

    done = await hass.config_entries.options.async_configure(form["flow_id"], DEFAULTS)
    assert done["type"] is FlowResultType.CREATE_ENTRY


async def test_a_key_that_may_not_be_read_is_refused(
    hass: HomeAssistant, entry: MockConfigEntry, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may read everything, whatever the file's mode says.
    monkeypatch.setattr(os, "access", lambda *_: False)
    form = await _submit(hass, entry, {"ssh": _ssh(key_file, 22)})
    assert form["errors"] == {"ssh": "key_not_readable"}


async def test_the_host_key_is_shown_before_it_is_pinned(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    key_file: Path,
    ssh_port: int,
    host_keys: list[asyncssh.SSHKey],
) -> None:
    shown = await _submit(hass, entry, {"ssh": _ssh(key_file, ssh_port)})
    assert (shown["type"], shown["step_id"]) == (FlowResultType.FORM, "host_key")
    assert shown["description_placeholders"]["fingerprint"] == host_keys[0].get_fingerprint()
    assert entry.options == {}

    await hass.config_entries.options.async_configure(shown["flow_id"], {})
    assert entry.options["ssh"] == _ssh(key_file, ssh_port) | {"host_key": _pin(host_keys[0])}


async def test_a_pinned_host_key_is_not_asked_about_again(
    hass: HomeAssistant, key_file: Path, ssh_port: int, host_keys: list[asyncssh.SSHKey]
) -> None:
    ssh = _ssh(key_file, ssh_port) | {"host_key": _pin(host_keys[0])}
    entry = known_host(hass, options={"ssh": ssh})
    done = await _submit(hass, entry, {"ssh": _ssh(key_file, ssh_port)})
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options["ssh"] == ssh


async def test_another_host_key_than_the_pinned_one_is_warned_about(
    hass: HomeAssistant, key_file: Path, ssh_port: int, host_keys: list[asyncssh.SSHKey]
) -> None:
    ssh = _ssh(key_file, ssh_port) | {"host_key": _pin(host_keys[1])}
    entry = known_host(hass, options={"ssh": ssh})
    shown = await _submit(hass, entry, {"ssh": _ssh(key_file, ssh_port)})
    assert shown["step_id"] == "host_key_changed"
    assert entry.options["ssh"]["host_key"] == _pin(host_keys[1])

    await hass.config_entries.options.async_configure(shown["flow_id"], {})
    assert entry.options["ssh"]["host_key"] == _pin(host_keys[0])


async def test_ssh_to_a_sleeping_host_is_kept_without_a_pin_and_says_so(
    hass: HomeAssistant, entry: MockConfigEntry, key_file: Path, unused_tcp_port: int
) -> None:
    told = await _submit(hass, entry, {"ssh": _ssh(key_file, unused_tcp_port)})
    assert (told["type"], told["step_id"]) == (FlowResultType.FORM, "host_key_later")

    await hass.config_entries.options.async_configure(told["flow_id"], {})
    assert entry.options["ssh"] == _ssh(key_file, unused_tcp_port)


async def test_a_sleeping_host_keeps_its_pinned_key(
    hass: HomeAssistant, key_file: Path, unused_tcp_port: int
) -> None:
    ssh = _ssh(key_file, unused_tcp_port) | {"host_key": "ssh-ed25519 AAAA"}
    entry = known_host(hass, options={"ssh": ssh})
    done = await _submit(hass, entry, {"ssh": _ssh(key_file, unused_tcp_port)})
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options["ssh"] == ssh


async def test_a_pin_does_not_move_to_another_port(
    hass: HomeAssistant, key_file: Path, unused_tcp_port: int
) -> None:
    ssh = _ssh(key_file, 22) | {"host_key": "ssh-ed25519 AAAA"}
    entry = known_host(hass, options={"ssh": ssh})
    told = await _submit(hass, entry, {"ssh": _ssh(key_file, unused_tcp_port)})
    assert told["step_id"] == "host_key_later"


def _ssh(key_file: Path, port: int) -> dict[str, Any]:
    """Return a complete SSH section."""
    return {"user": "guardian", "key_path": str(key_file), "port": port}


def _pin(key: asyncssh.SSHKey) -> str:
    """Return a host key as the options hold it."""
    return " ".join(key.export_public_key().decode().split()[:2])


async def _submit(hass: HomeAssistant, entry: MockConfigEntry, changes: dict[str, Any]) -> Any:
    """Submit the options with some sections changed."""
    form = await hass.config_entries.options.async_init(entry.entry_id)
    check_texts(form, "options")
    typed = DEFAULTS | changes
    step = await hass.config_entries.options.async_configure(form["flow_id"], typed)
    check_texts(step, "options")
    return step
