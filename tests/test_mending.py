"""What is offered to a person when the host refuses."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.const import CONF_UNCHECKED, DOMAIN
from custom_components.cubeguardian.guardian import (
    HOST,
    ApiState,
    Caller,
    GuardianPortError,
    HoldUpKey,
    State,
)
from custom_components.cubeguardian.server_manager import (
    ApiError,
    AuthenticationError,
    BackupJob,
    CertificateError,
    HostTimeoutError,
    MissingRight,
    NetworkUnavailableError,
    PermissionDeniedError,
    ProxmoxAPI,
    ServerManagerError,
    TlsTrust,
)

from .conftest import Load, PassTime
from .machines import CREATIVE, OTHER_VMID, SURVIVAL, FakeGuest, FakeMachines

SOMEBODY = Caller(name="Robin")
OLD, NEW = "0a" * 32, "ff" * 32
REFUSED = AuthenticationError("no such token")
POWER = MissingRight(path="/vms/101", privilege="VM.PowerMgmt")


def repairs(hass: HomeAssistant) -> set[str]:
    """Return the kinds of repair that are offered for the host."""
    found = {key for domain, key in ir.async_get(hass).issues if domain == DOMAIN}
    assert all(key.endswith("_01HOST") for key in found)
    return {key.removesuffix("_01HOST") for key in found}


def placeholders(hass: HomeAssistant, kind: str) -> dict[str, str]:
    """Return what a repair shows."""
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"{kind}_01HOST")
    assert issue is not None
    return issue.translation_placeholders or {}


def reauths(hass: HomeAssistant, entry: MockConfigEntry) -> int:
    """Return how often a person is asked for the token."""
    return len(list(entry.async_get_active_flows(hass, {SOURCE_REAUTH})))


def change(hass: HomeAssistant, entry: MockConfigEntry, **data: object) -> None:
    """Change what the entry says; a loaded one is reloaded by that."""
    if hass.config_entries.async_get_entry(entry.entry_id) is None:
        entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, data={**entry.data, **data})


async def test_a_refused_token_is_asked_for_once_and_polling_goes_on(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    asked: Counter[str],
    config_entry: MockConfigEntry,
) -> None:
    machines.host_up()
    machines.fails("read_node", REFUSED)
    await load()
    assert reauths(hass, config_entry) == 1
    asked.clear()
    for _ in range(3):
        await machines.glance()
    assert reauths(hass, config_entry) == 1
    assert asked["read_node"] == 3
    assert config_entry.runtime_data.host.data.api is ApiState.UNAUTHORISED
    assert not repairs(hass)


async def test_a_token_that_is_refused_again_after_it_was_good_is_asked_for_anew(
    hass: HomeAssistant, load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    machines.host_up()
    machines.fails("read_node", REFUSED)
    await load()
    (flow,) = config_entry.async_get_active_flows(hass, {SOURCE_REAUTH})
    hass.config_entries.flow.async_abort(flow["flow_id"])
    machines.works("read_node")
    await machines.glance()
    assert reauths(hass, config_entry) == 0
    machines.fails("read_node", REFUSED)
    await machines.glance()
    assert reauths(hass, config_entry) == 1


async def test_a_host_that_has_just_booted_is_given_three_minutes(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    pass_time: PassTime,
    config_entry: MockConfigEntry,
) -> None:
    await load()
    await pass_time(60, 15)
    machines.host_up()
    machines.game_up(SURVIVAL)
    machines.game_up(CREATIVE)
    machines.fails("read_node", REFUSED)
    await pass_time(180, 15)
    assert config_entry.runtime_data.host.data.api is ApiState.UNAUTHORISED
    assert reauths(hass, config_entry) == 0
    await pass_time(60, 15)
    assert reauths(hass, config_entry) == 1


async def test_a_good_answer_within_the_three_minutes_asks_nobody(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    pass_time: PassTime,
    config_entry: MockConfigEntry,
) -> None:
    await load()
    await pass_time(60, 15)
    machines.host_up()
    machines.fails("read_node", REFUSED)
    await pass_time(60, 15)
    machines.works("read_node")
    await pass_time(240, 15)
    assert reauths(hass, config_entry) == 0


async def test_a_changed_certificate_is_shown_beside_the_old_one_until_it_is_trusted(
    hass: HomeAssistant, load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    change(hass, config_entry, trust=TlsTrust.pin_leaf(OLD).to_dict())
    machines.host_up()
    machines.fails("read_node", CertificateError("another certificate", fingerprint=NEW))
    await load()
    assert repairs(hass) == {"certificate_changed"}
    shown = placeholders(hass, "certificate_changed")
    assert (shown["old"], shown["new"]) == (":".join(["0A"] * 32), ":".join(["FF"] * 32))
    assert reauths(hass, config_entry) == 0
    machines.works("read_node")
    await machines.glance()
    assert not repairs(hass)


async def test_a_certificate_that_the_system_should_know_has_no_old_one_to_show(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    machines.fails("read_node", CertificateError("another certificate", fingerprint=NEW))
    await load()
    assert placeholders(hass, "certificate_changed")["old"] == ""


async def test_missing_rights_are_named_until_they_are_there(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    machines.missing_rights = (POWER,)
    await load()
    assert placeholders(hass, "missing_rights")["missing"] == "VM.PowerMgmt (/vms/101)"
    machines.missing_rights = ()
    machines.host_down()
    await machines.seen()
    assert repairs(hass) == {"missing_rights"}
    machines.host_up()
    await machines.glance()
    assert not repairs(hass)


async def test_the_rights_are_asked_for_the_guests_of_the_game_servers(
    load: Load, machines: FakeMachines, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_for: list[set[int]] = []

    async def missing_rights(api: ProxmoxAPI, vmids: set[int]) -> tuple[MissingRight, ...]:
        asked_for.append(vmids)
        return ()

    monkeypatch.setattr(ProxmoxAPI, "missing_rights", missing_rights)
    machines.host_up()
    await load()
    await machines.glance()
    assert asked_for == [{101}]


async def test_an_answer_that_forbids_leads_to_the_rights_as_well(
    hass: HomeAssistant, load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    machines.host_up()
    machines.missing_rights = (MissingRight(path="/nodes/pve", privilege="Sys.Audit"),)
    machines.fails("read_node", PermissionDeniedError("Sys.Audit"))
    await load()
    assert repairs(hass) == {"missing_rights"}
    assert reauths(hass, config_entry) == 0


async def test_a_right_that_was_taken_away_is_named_once_it_is_missed(
    hass: HomeAssistant, load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    machines.host_up()
    await load()
    await machines.seen()
    machines.missing_rights = (POWER,)
    machines.fails("shut_down", PermissionDeniedError("Sys.PowerMgmt"))
    with pytest.raises(GuardianPortError):
        await config_entry.runtime_data.guardian.shut_down(HOST, Caller(name="Ada"))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert repairs(hass) == {"missing_rights"}


async def test_rights_that_cannot_be_read_are_no_news(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def failing(*_: object) -> tuple[MissingRight, ...]:
        raise ApiError("not ready", status=500)

    monkeypatch.setattr(ProxmoxAPI, "missing_rights", failing)
    machines.host_up()
    await load()
    assert not repairs(hass)
    told = [one.levelname for one in caplog.records if "rights of Attic" in one.getMessage()]
    assert told == ["DEBUG"]


@pytest.mark.parametrize("error", [ApiError("not ready", status=500), HostTimeoutError("silent")])
async def test_an_api_that_only_fails_leaves_nothing_to_mend(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    error: ServerManagerError,
) -> None:
    machines.host_up()
    machines.fails("read_node", error)
    await load()
    await machines.glance()
    assert not repairs(hass)
    assert reauths(hass, config_entry) == 0


@pytest.mark.parametrize(
    "error", [None, CertificateError("unknown", fingerprint=NEW), PermissionDeniedError("Sys")]
)
async def test_a_host_that_was_added_asleep_asks_for_its_checks_and_for_nothing_else(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    error: ServerManagerError | None,
) -> None:
    change(hass, config_entry, **{CONF_UNCHECKED: True})
    machines.missing_rights = (POWER,)
    if error is not None:
        machines.fails("read_node", error)
    await load()
    await machines.seen()
    assert not repairs(hass)
    machines.host_up()
    await machines.glance()
    assert repairs(hass) == {"unchecked_host"}


async def test_checks_that_were_made_elsewhere_settle_the_repair(
    hass: HomeAssistant, load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    change(hass, config_entry, **{CONF_UNCHECKED: True})
    machines.host_up()
    await load()
    assert repairs(hass) == {"unchecked_host"}
    change(hass, config_entry, **{CONF_UNCHECKED: False})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not repairs(hass)


async def test_without_a_token_there_is_nothing_to_mend(
    hass: HomeAssistant, load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    change(hass, config_entry, token_id=None, token_secret=None)
    machines.missing_rights = (POWER,)
    machines.host_up()
    await load()
    await machines.glance()
    assert not repairs(hass)


async def test_an_address_where_only_a_ping_answers_is_told_until_the_host_comes_up(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    pass_time: PassTime,
    config_entry: MockConfigEntry,
) -> None:
    machines.host_booting()
    await load()
    await pass_time(290, 10)
    assert not repairs(hass)
    await pass_time(30, 10)
    assert repairs(hass) == {"address_conflict"}
    machines.host_up()
    await pass_time(30, 15)
    assert config_entry.runtime_data.guardian.snapshot.host.state is State.RUNNING
    assert not repairs(hass)


async def test_a_host_that_comes_up_late_was_no_address_conflict(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    pass_time: PassTime,
    config_entry: MockConfigEntry,
) -> None:
    await load()
    await pass_time(60, 15)
    await config_entry.runtime_data.guardian.wake(HOST, Caller(name="Robin"))
    machines.host_booting()
    await pass_time(605, 5)
    assert config_entry.runtime_data.guardian.snapshot.host.state is State.FAILED
    assert repairs(hass) == {"address_conflict"}
    machines.host_up()
    await pass_time(30, 15)
    assert config_entry.runtime_data.guardian.snapshot.host.state is State.RUNNING
    assert not repairs(hass)


async def test_a_host_that_reboots_slowly_was_no_address_conflict(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    pass_time: PassTime,
    config_entry: MockConfigEntry,
) -> None:
    machines.host_up()
    await load()
    await pass_time(60, 15)
    machines.host_down()
    await pass_time(60, 15)
    machines.host_booting()
    await pass_time(360, 10)
    assert repairs(hass) == {"address_conflict"}
    machines.host_up()
    await pass_time(60, 15)
    journal = config_entry.runtime_data.guardian.snapshot.journal
    assert [entry.kind for entry in journal if entry.target == HOST][-1] == "rebooted"
    assert not repairs(hass)


async def test_three_failed_wakes_in_a_row_are_told_until_one_works(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
) -> None:
    await load()
    await machines.seen()
    guardian = config_entry.runtime_data.guardian
    machines.fails("wake", NetworkUnavailableError("no route"))
    for offered in (set(), set(), {"wake_failed"}):
        with pytest.raises(GuardianPortError):
            await guardian.wake(HOST, SOMEBODY)
        assert repairs(hass) == offered

    machines.works("wake")
    await guardian.wake(HOST, SOMEBODY)
    assert repairs(hass) == {"wake_failed"}
    machines.host_up()
    await machines.glance()
    assert guardian.snapshot.host.state is State.RUNNING
    assert repairs(hass) == set()

    machines.host_down()
    await machines.seen()
    machines.fails("wake", NetworkUnavailableError("no route"))
    with pytest.raises(GuardianPortError):
        await guardian.wake(HOST, SOMEBODY)
    assert repairs(hass) == set()


@pytest.mark.parametrize(("pings", "text"), [(False, "wake_failed"), (True, "wake_failed_ping")])
async def test_a_wake_that_fails_again_and_again_says_where_it_stops(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
    pings: bool,
    text: str,
) -> None:
    await load()
    await machines.seen()
    for _ in range(3):
        await config_entry.runtime_data.guardian.wake(HOST, SOMEBODY)
        machines.pings = pings
        await machines.seen()
        freezer.tick(601)
        await machines.seen()
    assert "wake_failed" in repairs(hass)
    issue = ir.async_get(hass).async_get_issue(DOMAIN, "wake_failed_01HOST")
    assert issue is not None
    assert issue.translation_key == text


async def test_running_guests_without_a_role_are_asked_for_until_all_have_one(
    hass: HomeAssistant, load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    machines.host_up()
    await load()
    await machines.seen()
    assert not repairs(hass)
    machines.guests[OTHER_VMID].running = True
    await machines.glance()
    assert placeholders(hass, "guests_without_role")["guests"] == "nextcloud (200)"

    machines.guests[300] = FakeGuest("dns", running=True)
    await machines.glance()
    assert placeholders(hass, "guests_without_role")["guests"] == "nextcloud (200), dns (300)"

    lists = {"sleep_with_host": ["200"], "keep_awake": ["300"]}
    hass.config_entries.async_update_entry(config_entry, options={"guests": lists})
    await hass.async_block_till_done(wait_background_tasks=True)
    await machines.glance()
    assert not repairs(hass)


async def test_a_guest_that_was_asked_for_and_then_stopped_is_asked_for_no_more(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    machines.guests[OTHER_VMID].running = True
    await load()
    assert repairs(hass) == {"guests_without_role"}
    machines.guests[OTHER_VMID].running = False
    await machines.glance()
    assert not repairs(hass)


async def test_home_assistants_own_guest_is_asked_for_no_role(
    hass: HomeAssistant, load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    machines.host_up()
    machines.guests[OTHER_VMID].running = True
    await load()
    config_entry.runtime_data.guardian.protect(frozenset({OTHER_VMID}))
    await machines.glance()
    assert "guests_without_role" not in repairs(hass)


async def test_backup_jobs_that_are_not_caught_up_on_are_told_until_they_are(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    missed, caught_up, off = (
        BackupJob(
            id=f"job-{number}",
            enabled=number < 3,
            next_run=None,
            repeat_missed=number == 2,
            node="",
        )
        for number in (1, 2, 3)
    )
    machines.host_up()
    machines.backups = (caught_up, off)
    await load()
    await machines.seen()
    assert not repairs(hass)
    machines.backups = (missed, caught_up, off)
    await machines.glance()
    commands = placeholders(hass, "backup_missed")["commands"]
    assert commands == "pvesh set /cluster/backup/job-1 --repeat-missed 1"
    machines.backups = None
    await machines.glance()
    assert repairs(hass) == {"backup_missed"}
    machines.backups = (replace(missed, repeat_missed=True),)
    await machines.glance()
    assert not repairs(hass)


async def test_a_host_that_draws_power_in_silence_is_told_after_ten_minutes(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    pass_time: PassTime,
    config_entry: MockConfigEntry,
) -> None:
    _measure(hass, config_entry, "35")
    machines.everything_up()
    await load()
    await pass_time(60, 15)
    machines.host_down()
    await pass_time(9 * 60, 15)
    assert config_entry.runtime_data.guardian.snapshot.host.hung
    assert not repairs(hass)
    await pass_time(120, 15)
    assert repairs(hass) == {"host_hung"}
    hass.states.async_set("sensor.plug", "2", {"unit_of_measurement": "W"})
    await pass_time(60, 15)
    assert not config_entry.runtime_data.guardian.snapshot.host.hung
    assert not repairs(hass)


async def test_a_host_that_sleeps_has_not_hung(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    pass_time: PassTime,
    config_entry: MockConfigEntry,
) -> None:
    _measure(hass, config_entry, "3")
    machines.everything_up()
    await load()
    await pass_time(60, 15)
    machines.host_down()
    await pass_time(15 * 60, 30)
    assert config_entry.runtime_data.guardian.snapshot.host.state is State.OFF
    assert not repairs(hass)


async def test_a_host_that_guests_have_kept_awake_for_a_day_is_told_with_their_names(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    pass_time: PassTime,
    freezer: FrozenDateTimeFactory,
    config_entry: MockConfigEntry,
) -> None:
    await _held_by_a_guest(hass, load, machines, pass_time, config_entry)
    assert not repairs(hass)
    freezer.tick(timedelta(hours=23))
    await machines.seen()
    assert not repairs(hass)
    freezer.tick(timedelta(hours=1, minutes=5))
    await machines.seen()
    assert placeholders(hass, "kept_awake")["guests"] == "nextcloud (200)"
    machines.guests[OTHER_VMID].running = False
    await machines.glance()
    assert not repairs(hass)


async def test_an_evening_of_play_does_not_begin_the_day_anew(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    pass_time: PassTime,
    freezer: FrozenDateTimeFactory,
    config_entry: MockConfigEntry,
) -> None:
    await _held_by_a_guest(hass, load, machines, pass_time, config_entry)
    freezer.tick(timedelta(hours=20))
    machines.game_up(SURVIVAL, "Alex")
    await pass_time(60, 15)
    guardian = config_entry.runtime_data.guardian
    assert guardian.snapshot.host.state is State.RUNNING
    machines.game_up(SURVIVAL)
    await pass_time(15 * 60, 15)
    assert guardian.snapshot.host.held
    assert not repairs(hass)
    freezer.tick(timedelta(hours=4))
    await machines.seen()
    assert repairs(hass) == {"kept_awake"}
    machines.host_down()
    await pass_time(60, 15)
    assert guardian.snapshot.host.state is State.OFF
    assert not repairs(hass)


async def test_a_host_that_was_off_meanwhile_begins_the_day_anew(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    pass_time: PassTime,
    freezer: FrozenDateTimeFactory,
    config_entry: MockConfigEntry,
) -> None:
    await _held_by_a_guest(hass, load, machines, pass_time, config_entry)
    freezer.tick(timedelta(hours=20))
    machines.host_down()
    await pass_time(60, 15)
    machines.everything_up()
    machines.guests[OTHER_VMID].running = True
    await pass_time(20 * 60, 15)
    freezer.tick(timedelta(hours=5))
    await machines.seen()
    assert config_entry.runtime_data.guardian.snapshot.host.held
    assert not repairs(hass)


async def _held_by_a_guest(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    pass_time: PassTime,
    entry: MockConfigEntry,
) -> None:
    """Let an idle host be at the end of its countdown, with a guest that keeps it awake."""
    entry.add_to_hass(hass)
    options = {"automatic": {"found_hours": 0}, "guests": {"keep_awake": ["200"]}}
    hass.config_entries.async_update_entry(
        entry, data=entry.data | {"mode": "automatic"}, options=options
    )
    machines.everything_up()
    machines.guests[OTHER_VMID].running = True
    await load()
    await pass_time(20 * 60, 15)
    host = entry.runtime_data.guardian.snapshot.host
    assert host.state is State.COUNTDOWN
    assert [held.key for held in host.held] == [HoldUpKey.GUEST]


def _measure(hass: HomeAssistant, entry: MockConfigEntry, watts: str) -> None:
    """Let a power sensor measure the host."""
    hass.states.async_set("sensor.plug", watts, {"unit_of_measurement": "W"})
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(
        entry, options={"energy": {"power_sensor": "sensor.plug"}}
    )
