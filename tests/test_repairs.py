"""The repairs of a host: what they say, and how they are mended."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from homeassistant.components.repairs import repairs_flow_manager
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.const import DOMAIN
from custom_components.cubeguardian.repairs import (
    KINDS,
    async_clear,
    async_clear_all,
    async_raise_address_conflict,
    async_raise_backup_missed,
    async_raise_certificate_changed,
    async_raise_guests_without_role,
    async_raise_host_hung,
    async_raise_kept_awake,
    async_raise_missing_rights,
    async_raise_own_guest,
    async_raise_storage_damaged,
    async_raise_unchecked,
    async_raise_wake_failed,
)
from custom_components.cubeguardian.server_manager import (
    BackupJob,
    Guest,
    GuestKind,
    MissingRight,
    TlsTrust,
)
from tests.flows import MAC, all_texts, check_texts, known_host, placeholders
from tests.lab.pve import LabPve
from tests.lab.pve_record import Fault

OLD, NEW = "0a" * 32, "ff" * 32
POWER = MissingRight(path="/nodes/pve", privilege="Sys.PowerMgmt")


def guest(vmid: int, name: str) -> Guest:
    """Return a guest that runs."""
    return Guest(
        vmid=vmid,
        name=name,
        kind=GuestKind.LXC,
        status="running",
        running=True,
        uptime=timedelta(hours=1),
        lock=None,
        template=False,
    )


GUESTS = (guest(200, "nextcloud"), guest(1000, "dns"))
ABOUT_GUESTS = {
    "guests": "nextcloud (200), dns (1000)",
    "known": '{"200": "nextcloud", "1000": "dns"}',
}
JOBS = tuple(
    BackupJob(id=job, enabled=True, next_run=None, repeat_missed=False, node="")
    for job in ("backup-1", "bad; job")
)

pytest_plugins = ("tests.flow_peers",)
pytestmark = pytest.mark.usefixtures("quiet_loopback", "repairs_ready")


@pytest.fixture
async def repairs_ready(hass: HomeAssistant) -> None:
    """Have the repairs of Home Assistant and of the integration ready."""
    assert await async_setup_component(hass, "repairs", {})
    assert await async_setup_component(hass, DOMAIN, {})


@pytest.mark.parametrize(
    ("kind", "offer", "said", "fixable"),
    [
        (
            "certificate_changed",
            lambda hass, entry: async_raise_certificate_changed(hass, entry, OLD, NEW),
            {"old": ":".join(["0A"] * 32), "new": ":".join(["FF"] * 32)},
            True,
        ),
        (
            "missing_rights",
            lambda hass, entry: async_raise_missing_rights(hass, entry, (POWER,)),
            {"missing": "Sys.PowerMgmt (/nodes/pve)"},
            True,
        ),
        ("unchecked_host", async_raise_unchecked, {}, True),
        ("address_conflict", async_raise_address_conflict, {}, False),
        (
            "wake_failed",
            lambda hass, entry: async_raise_wake_failed(hass, entry, sent=True, pinged=False),
            {"mac": MAC},
            False,
        ),
        (
            "guests_without_role",
            lambda hass, entry: async_raise_guests_without_role(hass, entry, GUESTS),
            ABOUT_GUESTS,
            True,
        ),
        (
            "kept_awake",
            lambda hass, entry: async_raise_kept_awake(hass, entry, GUESTS),
            ABOUT_GUESTS,
            True,
        ),
        (
            "backup_missed",
            lambda hass, entry: async_raise_backup_missed(hass, entry, JOBS),
            {
                "commands": "pvesh set /cluster/backup/backup-1 --repeat-missed 1\n"
                "pvesh set /cluster/backup/'bad; job' --repeat-missed 1"
            },
            False,
        ),
        ("host_hung", async_raise_host_hung, {}, False),
        (
            "own_guest",
            lambda hass, entry: async_raise_own_guest(hass, entry, GUESTS[:1]),
            {"guests": "nextcloud (200)"},
            False,
        ),
    ],
)
async def test_a_repair_names_its_host_and_goes_when_it_is_cleared(
    hass: HomeAssistant,
    issue_registry: ir.IssueRegistry,
    kind: str,
    offer: Callable[[HomeAssistant, ConfigEntry[Any]], None],
    said: dict[str, str],
    fixable: bool,
) -> None:
    entry = known_host(hass)
    offer(hass, entry)

    issue = issue_registry.async_get_issue(DOMAIN, f"{kind}_{entry.entry_id}")
    assert issue is not None
    assert (issue.translation_key, issue.is_fixable) == (kind, fixable)
    shown = {"name": "pve", "host": "127.0.0.1", **said}
    assert issue.translation_placeholders == shown
    for texts in all_texts("issues", kind):
        assert (("fix_flow" in texts), ("description" in texts)) == (fixable, not fixable)
        assert placeholders((texts["title"], texts.get("description"))) <= set(shown)

    async_clear(hass, entry, kind)
    assert issue_registry.async_get_issue(DOMAIN, f"{kind}_{entry.entry_id}") is None


async def test_a_changed_certificate_is_compared_and_its_authority_pinned(
    hass: HomeAssistant, pve: LabPve, issue_registry: ir.IssueRegistry
) -> None:
    entry = known_host(hass, pve.port, trust=_authority(pve))
    pve.replace_authority()
    async_raise_certificate_changed(hass, entry, OLD, NEW)

    shown = await _mend(hass, entry, "certificate_changed")
    assert (shown["type"], shown["step_id"]) == (FlowResultType.FORM, "certificate")
    compared = shown["description_placeholders"]
    assert compared["old"] == ":".join(["0A"] * 32)
    assert compared["fingerprint"] == pve.certificates.leaf.fingerprint
    assert not pve.calls

    done = await _go_on(hass, shown)
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert entry.data["trust"] == _authority(pve)
    assert entry.data["mode"] == "manual"
    assert not issue_registry.issues


async def test_a_certificate_that_is_the_old_one_again_needs_no_answer(
    hass: HomeAssistant, pve: LabPve
) -> None:
    entry = known_host(hass, pve.port, trust=_authority(pve))
    async_raise_certificate_changed(hass, entry, OLD, NEW)
    done = await _mend(hass, entry, "certificate_changed")
    assert done["type"] is FlowResultType.CREATE_ENTRY


async def test_missing_rights_are_shown_until_they_are_there(
    hass: HomeAssistant, pve: LabPve, issue_registry: ir.IssueRegistry
) -> None:
    entry = known_host(hass, pve.port, trust=_authority(pve))
    pve.revoke("Sys.PowerMgmt")
    async_raise_missing_rights(hass, entry, (POWER,))

    menu = await _mend(hass, entry, "missing_rights")
    assert (menu["type"], menu["step_id"]) == (FlowResultType.MENU, "rights")
    assert menu["menu_options"] == ["check_rights"]
    assert "pveum acl modify /nodes/pve" in menu["description_placeholders"]["commands"]
    again = await _go_on(hass, menu, {"next_step_id": "check_rights"})
    assert again["step_id"] == "rights"

    pve.grant("cubeguardian@pve", "/nodes/pve", "Sys.PowerMgmt")
    done = await _go_on(hass, menu, {"next_step_id": "check_rights"})
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert not issue_registry.issues


async def test_a_host_that_was_added_asleep_is_checked_when_it_is_awake(
    hass: HomeAssistant, pve: LabPve
) -> None:
    entry = known_host(hass, pve.port, unchecked=True, node=None)
    pve.revoke("VM.Audit")
    async_raise_unchecked(hass, entry)

    shown = await _mend(hass, entry, "unchecked_host")
    assert shown["step_id"] == "certificate"
    menu = await _go_on(hass, shown)
    assert menu["menu_options"] == ["check_rights", "ignore_rights"]
    done = await _go_on(hass, menu, {"next_step_id": "ignore_rights"})

    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert (entry.data["unchecked"], entry.data["node"]) == (False, "pve")
    assert entry.data["trust"] == _authority(pve)


@pytest.mark.parametrize("pings", [False, True])
async def test_a_host_that_sleeps_again_keeps_its_repair(
    hass: HomeAssistant,
    pve: LabPve,
    issue_registry: ir.IssueRegistry,
    monkeypatch: pytest.MonkeyPatch,
    pings: bool,
) -> None:
    if pings:
        monkeypatch.undo()
    await pve.stop()
    entry = known_host(hass, pve.port, unchecked=True)
    async_raise_unchecked(hass, entry)
    ended = await _mend(hass, entry, "unchecked_host")
    assert (ended["type"], ended["reason"]) == (FlowResultType.ABORT, "host_asleep")
    assert len(issue_registry.issues) == 1


async def test_a_refused_token_leads_to_reauthentication(
    hass: HomeAssistant, pve: LabPve, issue_registry: ir.IssueRegistry
) -> None:
    entry = known_host(hass, pve.port, unchecked=True, token_secret="wrong")
    async_raise_unchecked(hass, entry)
    ended = await _go_on(hass, await _mend(hass, entry, "unchecked_host"))
    assert ended["reason"] == "invalid_auth"
    await hass.async_block_till_done()
    (flow,) = entry.async_get_active_flows(hass, {SOURCE_REAUTH})
    assert flow["step_id"] == "reauth_confirm"
    assert f"unchecked_host_{entry.entry_id}" in {key for _, key in issue_registry.issues}


async def test_a_host_that_cannot_be_checked_keeps_its_repair(
    hass: HomeAssistant, pve: LabPve, issue_registry: ir.IssueRegistry
) -> None:
    entry = known_host(hass, pve.port, trust=_authority(pve))
    pve.break_with(Fault.SERVER_ERROR)
    async_raise_missing_rights(hass, entry, (POWER,))
    ended = await _mend(hass, entry, "missing_rights")
    assert ended["reason"] == "check_failed"
    assert len(issue_registry.issues) == 1


@pytest.mark.parametrize(
    ("sent", "pinged", "text"),
    [
        (True, False, "wake_failed"),
        (True, True, "wake_failed_ping"),
        (False, False, "wake_failed_unsent"),
    ],
)
async def test_failed_wakes_are_told_by_how_far_they_came_in_one_repair(
    hass: HomeAssistant, issue_registry: ir.IssueRegistry, sent: bool, pinged: bool, text: str
) -> None:
    entry = known_host(hass)
    async_raise_wake_failed(hass, entry, sent=not sent, pinged=False)
    async_raise_wake_failed(hass, entry, sent=sent, pinged=pinged)
    (issue,) = issue_registry.issues.values()
    assert (issue.translation_key, issue.is_persistent) == (text, True)
    for texts in all_texts("issues", text):
        assert placeholders(texts) <= set(issue.translation_placeholders or {})


async def test_damaged_storage_is_dismissed_by_confirming(
    hass: HomeAssistant, issue_registry: ir.IssueRegistry
) -> None:
    entry = known_host(hass)
    async_raise_storage_damaged(hass, entry)
    form = await _mend(hass, entry, "storage_damaged")
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "confirm")
    file = f".storage/cubeguardian.{entry.entry_id}.damaged"
    assert form["description_placeholders"]["file"] == file
    assert issue_registry.issues
    done = await _go_on(hass, form)
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert not issue_registry.issues


@pytest.mark.parametrize("kind", ["guests_without_role", "kept_awake"])
async def test_guests_are_given_their_roles_where_they_are_asked_for(
    hass: HomeAssistant, issue_registry: ir.IssueRegistry, kind: str
) -> None:
    options = {"probing": {"ping": False}, "guests": {"sleep_with_host": ["300"]}}
    entry = known_host(hass, options=options)
    _raise_about_guests(hass, entry, kind)
    form = await _mend(hass, entry, kind)
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "roles")
    assert form["description_placeholders"]["guests"] == "nextcloud (200), dns (1000)"
    assert _suggested(form) == {
        "sleep_with_host": ["300"],
        "keep_awake": ["200", "1000"],
        "protected": [],
    }
    assert _labels(form) == ["200 · nextcloud", "300", "1000 · dns"]

    typed = {"sleep_with_host": ["300", "200"], "keep_awake": [], "protected": ["1000"]}
    done = await _go_on(hass, form, typed)
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == {
        "probing": {"ping": False},
        "guests": {"sleep_with_host": ["200", "300"], "keep_awake": [], "protected": ["1000"]},
    }
    assert not issue_registry.issues


async def test_a_guest_cannot_have_two_roles(hass: HomeAssistant) -> None:
    entry = known_host(hass)
    _raise_about_guests(hass, entry, "guests_without_role")
    form = await _mend(hass, entry, "guests_without_role")
    both = {"sleep_with_host": ["200"], "keep_awake": [], "protected": ["200", "1000"]}
    again = await _go_on(hass, form, both)
    check_texts(again, "issues", "guests_without_role", "fix_flow")
    assert again["errors"] == {"base": "guest_in_two_lists"}
    assert _suggested(again) == both
    assert not entry.options
    done = await _go_on(hass, again, both | {"protected": ["1000"]})
    assert done["type"] is FlowResultType.CREATE_ENTRY


async def test_lists_may_all_be_left_empty(hass: HomeAssistant) -> None:
    entry = known_host(hass, options={"guests": {"protected": ["200"]}})
    _raise_about_guests(hass, entry, "kept_awake")
    form = await _mend(hass, entry, "kept_awake")
    await _go_on(hass, form, {"sleep_with_host": [], "keep_awake": [], "protected": []})
    assert entry.options["guests"] == {"sleep_with_host": [], "keep_awake": [], "protected": []}


@pytest.mark.parametrize("kind", ["unchecked_host", "guests_without_role"])
async def test_the_repair_of_a_host_that_was_removed_says_so(
    hass: HomeAssistant, kind: str
) -> None:
    entry = known_host(hass)
    await hass.config_entries.async_remove(entry.entry_id)
    async_raise_unchecked(hass, entry)
    _raise_about_guests(hass, entry, "guests_without_role")
    ended = await _mend(hass, entry, kind)
    assert ended["reason"] == "entry_gone"


async def test_a_host_that_is_removed_takes_all_its_repairs_with_it(
    hass: HomeAssistant, issue_registry: ir.IssueRegistry
) -> None:
    entry = known_host(hass)
    for kind in ("guests_without_role", "kept_awake"):
        _raise_about_guests(hass, entry, kind)
    async_raise_backup_missed(hass, entry, JOBS)
    async_raise_host_hung(hass, entry)
    async_raise_own_guest(hass, entry, GUESTS)
    assert {issue.translation_key for issue in issue_registry.issues.values()} <= set(KINDS)
    async_clear_all(hass, entry)
    assert not issue_registry.issues


def _raise_about_guests(hass: HomeAssistant, entry: MockConfigEntry, kind: str) -> None:
    """Raise a repair that roles mend."""
    offers = {
        "guests_without_role": async_raise_guests_without_role,
        "kept_awake": async_raise_kept_awake,
    }
    offers[kind](hass, entry, GUESTS)


def _suggested(form: Any) -> dict[str, list[str]]:
    """Return what a form proposes."""
    return {
        str(key): (key.description or {}).get("suggested_value", [])
        for key in form["data_schema"].schema
    }


def _labels(form: Any) -> list[str]:
    """Return the guests that each list of a form offers."""
    offered = [
        [option["label"] for option in selector.config["options"]]
        for selector in form["data_schema"].schema.values()
    ]
    assert offered[0] == offered[1] == offered[2]
    return offered[0]


def _authority(pve: LabPve) -> dict[str, str]:
    """Return the trust in a node's authority as an entry holds it."""
    return TlsTrust.pin_authority(pve.certificates.authority.pem).to_dict()


async def _mend(hass: HomeAssistant, entry: MockConfigEntry, kind: str) -> Any:
    """Open a repair."""
    flows = repairs_flow_manager(hass)
    assert flows is not None
    step = await flows.async_init(DOMAIN, context={"issue_id": f"{kind}_{entry.entry_id}"})
    check_texts(step, "issues", kind, "fix_flow")
    return step


async def _go_on(hass: HomeAssistant, step: Any, typed: dict[str, Any] | None = None) -> Any:
    """Submit a step of a repair."""
    flows = repairs_flow_manager(hass)
    assert flows is not None
    return await flows.async_configure(step["flow_id"], typed or {})
