"""Home Assistant notices that it runs on the very host it guards."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
import uuid

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian import own_guest
from custom_components.cubeguardian.const import DOMAIN
from custom_components.cubeguardian.guardian import HOST, Caller, HoldUpKey, Refused
from custom_components.cubeguardian.own_guest import own_macs
from custom_components.cubeguardian.server_manager import ApiError

from .conftest import Load
from .machines import NODE, OTHER_VMID, SURVIVAL_VMID, FakeMachines

OURS, THEIRS = "bc:24:11:00:00:01", "bc:24:11:00:00:02"
ISSUE = "own_guest_01HOST"


@pytest.fixture
def adapters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which this machine lists its adapters: one network card, no more."""
    monkeypatch.setattr(own_guest, "ADAPTERS", tmp_path)
    add_adapter(tmp_path, "lo", "00:00:00:00:00:00")
    add_adapter(tmp_path, "eth0", OURS.upper())
    return tmp_path


def add_adapter(folder: Path, name: str, mac: str) -> None:
    """Add an adapter as the kernel shows it."""
    (folder / name).mkdir()
    (folder / name / "address").write_text(f"{mac}\n")


@pytest.fixture
def at_home(machines: FakeMachines, adapters: Path) -> FakeMachines:
    """Return a host on which Home Assistant runs in the other guest."""
    machines.host_up()
    machines.guests[OTHER_VMID].running = True
    machines.guests[OTHER_VMID].macs = frozenset({THEIRS, OURS})
    machines.guests[SURVIVAL_VMID].macs = frozenset({"bc:24:11:00:00:03"})
    return machines


def protected(entry: MockConfigEntry) -> frozenset[int]:
    """Return the guests that the guardian takes for Home Assistant."""
    found: frozenset[int] = entry.runtime_data.guardian.snapshot.protected
    return found


def test_the_addresses_of_all_adapters_count_but_that_of_the_loopback(adapters: Path) -> None:
    add_adapter(adapters, "wlan0", THEIRS)
    (adapters / "tun0").mkdir()
    assert own_macs() == {OURS, THEIRS}


@pytest.mark.parametrize(
    ("node", "macs"),
    [
        pytest.param(0xBC2411000001, {OURS}, id="found"),
        pytest.param(0xBD2411000001, set(), id="made up"),
    ],
)
def test_where_no_adapters_are_listed_python_may_know_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, node: int, macs: set[str]
) -> None:
    monkeypatch.setattr(own_guest, "ADAPTERS", tmp_path / "none")
    monkeypatch.setattr(uuid, "getnode", lambda: node)
    assert own_macs() == macs


async def test_home_assistants_own_guest_is_protected_and_told(
    hass: HomeAssistant,
    load: Load,
    at_home: FakeMachines,
    config_entry: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
) -> None:
    await load()
    await at_home.seen()
    assert protected(config_entry) == {OTHER_VMID}
    issue = issue_registry.async_get_issue(DOMAIN, ISSUE)
    assert issue is not None
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["guests"] == "nextcloud (200)"
    with pytest.raises(Refused) as refused:
        await config_entry.runtime_data.guardian.shut_down(HOST, Caller(name="Robin"), force=True)
    assert HoldUpKey.PROTECTED in {held.key for held in refused.value.hold_ups}
    assert at_home.calls == []


async def test_a_host_is_asked_once_per_boot_while_the_same_guests_run(
    hass: HomeAssistant, load: Load, at_home: FakeMachines, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    looked_up = own_guest.own_macs
    monkeypatch.setattr(own_guest, "own_macs", lambda: asked.append("") or looked_up())
    await load()
    await at_home.seen()
    assert len(asked) == 1
    await _boot_again(at_home)
    assert len(asked) == 2


async def _boot_again(machines: FakeMachines) -> None:
    """Let the host have booted anew, and be seen."""
    assert NODE.booted_at is not None
    machines.node = replace(NODE, booted_at=NODE.booted_at + timedelta(hours=1))
    await machines.seen()


async def test_a_home_assistant_that_has_moved_away_is_not_protected_any_more(
    hass: HomeAssistant,
    load: Load,
    at_home: FakeMachines,
    config_entry: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
) -> None:
    await load()
    await at_home.seen()
    at_home.guests[OTHER_VMID].macs = frozenset({THEIRS})
    await _boot_again(at_home)
    assert not protected(config_entry)
    assert issue_registry.async_get_issue(DOMAIN, ISSUE) is None


async def test_a_guest_whose_adapters_cannot_be_read_stays_as_protected_as_it_was(
    hass: HomeAssistant,
    load: Load,
    at_home: FakeMachines,
    config_entry: MockConfigEntry,
) -> None:
    await load()
    await at_home.seen()
    at_home.secretive.add(OTHER_VMID)
    await _boot_again(at_home)
    assert protected(config_entry) == {OTHER_VMID}


async def test_adapters_that_cannot_be_read_are_asked_for_again_after_a_while(
    hass: HomeAssistant,
    load: Load,
    at_home: FakeMachines,
    config_entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    at_home.fails("guest_macs", ApiError("not ready", status=500))
    await load()
    await at_home.seen()
    at_home.works("guest_macs")
    await at_home.glance()
    assert not protected(config_entry)
    freezer.tick(601)
    await at_home.glance()
    assert protected(config_entry) == {OTHER_VMID}


async def test_a_home_assistant_that_is_moved_here_while_it_runs_is_protected(
    hass: HomeAssistant,
    load: Load,
    at_home: FakeMachines,
    config_entry: MockConfigEntry,
) -> None:
    at_home.guests[OTHER_VMID].running = False
    await load()
    await at_home.seen()
    assert not protected(config_entry)
    at_home.guests[OTHER_VMID].running = True
    await at_home.seen()
    assert protected(config_entry) == {OTHER_VMID}


async def test_a_guest_whose_adapters_could_not_be_read_is_looked_at_again_after_a_while(
    hass: HomeAssistant,
    load: Load,
    at_home: FakeMachines,
    config_entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    at_home.secretive.add(OTHER_VMID)
    await load()
    await at_home.seen()
    assert not protected(config_entry)
    at_home.secretive.clear()
    freezer.tick(601)
    await at_home.glance()
    assert protected(config_entry) == {OTHER_VMID}


async def test_on_a_machine_of_its_own_home_assistant_protects_nothing(
    hass: HomeAssistant,
    load: Load,
    at_home: FakeMachines,
    config_entry: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
) -> None:
    at_home.guests[OTHER_VMID].macs = frozenset({THEIRS})
    await load()
    await at_home.seen()
    assert not protected(config_entry)
    assert issue_registry.async_get_issue(DOMAIN, ISSUE) is None
