"""Stopping guests in order, and what their configurations and backups tell."""

import asyncio
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from custom_components.cubeguardian.server_manager import (
    ApiError,
    GuestIgnoresError,
    HostTimeoutError,
    InvalidInputError,
    PermissionDeniedError,
    ProxmoxAPI,
)
from custom_components.cubeguardian.server_manager.proxmox_models import (
    read_backup_jobs,
    read_macs,
)
from tests.lab.pve import TOKEN_ID, LabPve
from tests.lab.pve_record import Fault

from .conftest import make_api

PATIENCE = timedelta(seconds=5)
SHUTDOWN = {101: "/nodes/pve/qemu/101/status/shutdown", 200: "/nodes/pve/lxc/200/status/shutdown"}
API = "custom_components.cubeguardian.server_manager.proxmox_api"


async def stop(
    api: ProxmoxAPI, vmid: int = 101, patience: timedelta = PATIENCE, timeout: float = 5
) -> None:
    await api.stop_guest(vmid, patience=patience, timeout=timeout, every=0.02)


@pytest.mark.parametrize("vmid", [101, 200])
async def test_a_guest_is_asked_to_shut_down_and_waited_for_until_it_is_stopped(
    pve: LabPve, api: ProxmoxAPI, vmid: int
) -> None:
    pve.time_scale = 0.05
    pve.find_guest(vmid).shutdown_secs = 4
    stopping = asyncio.create_task(stop(api, vmid))
    while not pve.heard("POST", SHUTDOWN[vmid]):
        await asyncio.sleep(0.01)
    assert pve.find_guest(vmid).status == "running"
    await asyncio.wait_for(stopping, 5)
    assert pve.find_guest(vmid).status == "stopped"
    (asked,) = pve.heard("POST", SHUTDOWN[vmid])
    assert asked.parameters == {"timeout": "5"}


async def test_a_guest_that_is_stopped_already_is_not_asked(pve: LabPve, api: ProxmoxAPI) -> None:
    pve.find_guest(101).status = "stopped"
    await stop(api)
    assert pve.heard("POST", SHUTDOWN[101]) == []


@pytest.mark.parametrize("vmid", [101, 200])
async def test_a_guest_that_ignores_the_request_is_told_of_and_never_killed(
    pve: LabPve, api: ProxmoxAPI, vmid: int
) -> None:
    pve.time_scale = 0.01
    pve.find_guest(vmid).shutdown_secs = float("inf")
    with pytest.raises(GuestIgnoresError) as ignored:
        await stop(api, vmid)
    assert ignored.value.code == "guest_ignores"
    assert str(vmid) in str(ignored.value)
    assert pve.find_guest(vmid).status == "running"
    assert [call.path for call in pve.calls if call.method == "POST"] == [SHUTDOWN[vmid]]


async def test_a_guest_that_high_availability_stops_is_followed_beyond_its_task(
    pve: LabPve, api: ProxmoxAPI
) -> None:
    pve.time_scale = 0.05
    pve.ha_delay = 4
    pve.find_guest(101).ha_state = "started"
    await stop(api)
    assert pve.find_guest(101).status == "stopped"


async def test_patience_ends_although_proxmox_has_not_given_up(
    pve: LabPve, api: ProxmoxAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{API}._TASK_ENDS_FIRST", 0.0)
    pve.time_scale = 0.5
    pve.find_guest(101).shutdown_secs = float("inf")
    with pytest.raises(GuestIgnoresError):
        await stop(api, patience=timedelta(seconds=0.1))
    assert await api.running_tasks()
    while await api.running_tasks():
        await asyncio.sleep(0.02)


async def test_a_lost_answer_on_the_way_changes_nothing(pve: LabPve, api: ProxmoxAPI) -> None:
    pve.break_with(Fault.SERVER_ERROR, path="/status/current", times=2)
    await stop(api)
    assert len(pve.heard("GET", "/nodes/pve/qemu/101/status/current")) == 3


async def test_a_request_whose_answer_got_lost_is_followed_all_the_same(
    pve: LabPve, api: ProxmoxAPI
) -> None:
    pve.break_with(Fault.CLOSED, path="/status/shutdown", times=1)
    stopping = asyncio.create_task(stop(api))
    while not pve.heard("GET", "/nodes/pve/qemu/101/status/current"):
        await asyncio.sleep(0.01)
    assert not stopping.done()
    pve.find_guest(101).status = "stopped"
    await asyncio.wait_for(stopping, 5)
    assert len(pve.heard("POST", SHUTDOWN[101])) == 1


async def test_a_host_that_stops_answering_is_an_error_of_its_own(
    pve: LabPve, api: ProxmoxAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{API}._TASK_ENDS_FIRST", 0.0)
    pve.break_with(Fault.HANG, path="/status/current")
    with pytest.raises(HostTimeoutError):
        await stop(api, patience=timedelta(seconds=0.3), timeout=0.2)


async def test_a_guest_that_may_not_be_stopped_is_a_missing_right(
    pve: LabPve, api: ProxmoxAPI
) -> None:
    pve.revoke("VM.PowerMgmt", "/vms/101")
    with pytest.raises(PermissionDeniedError) as denied:
        await stop(api)
    assert (denied.value.path, denied.value.privilege) == ("/vms/101", "VM.PowerMgmt")


async def test_a_guest_that_cannot_be_seen_cannot_be_stopped(api: ProxmoxAPI) -> None:
    with pytest.raises(InvalidInputError):
        await stop(api, 999)


async def test_a_guest_in_a_backup_is_left_alone(pve: LabPve, api: ProxmoxAPI) -> None:
    pve.find_guest(101).lock = "backup"
    with pytest.raises(ApiError):
        await stop(api)
    assert pve.find_guest(101).status == "running"


async def test_the_network_cards_of_both_kinds_of_guests_are_read(
    pve: LabPve, api: ProxmoxAPI
) -> None:
    pve.add_guest(300, "files", macs=("bc:24:11:00:00:01", "bc:24:11:00:00:02"))
    pve.add_guest(301, "proxy", kind="lxc", macs=("bc:24:11:00:00:03",))
    assert await api.guest_macs([101, 300, 301, 999]) == {
        101: frozenset(),
        300: {"bc:24:11:00:00:01", "bc:24:11:00:00:02"},
        301: {"bc:24:11:00:00:03"},
    }


async def test_a_guest_whose_configuration_cannot_be_read_is_missing(
    pve: LabPve, api: ProxmoxAPI
) -> None:
    pve.break_with(Fault.FORBIDDEN, path="/qemu/101/config")
    assert await api.guest_macs([101, 200]) == {200: frozenset()}


async def test_nobody_is_asked_for_the_cards_of_no_guests(pve: LabPve, api: ProxmoxAPI) -> None:
    assert await api.guest_macs([]) == {}
    assert pve.calls == []


def test_only_network_cards_hold_addresses() -> None:
    config = {
        "net0": "virtio=BC:24:11:00:00:01,bridge=vmbr0",
        "net1": "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:02,ip=dhcp",
        "net2": "name=eth1,bridge=vmbr0",
        "smbios1": "uuid=00:00:00:00:00:00",
        "netless": "virtio=BC:24:11:00:00:03",
        "cores": 4,
    }
    assert read_macs(config) == {"bc:24:11:00:00:01", "bc:24:11:00:00:02"}


async def test_backup_jobs_are_read_with_their_next_run(pve: LabPve, api: ProxmoxAPI) -> None:
    pve.grant(TOKEN_ID.partition("!")[0], "/", "Sys.Audit")
    pve.schedule_backup("nightly", 600)
    pve.schedule_backup("weekly", 6000, enabled=False, repeats_missed=True)
    nightly, weekly = await api.backup_jobs() or ()
    assert (nightly.id, nightly.enabled, nightly.repeat_missed) == ("nightly", True, False)
    assert (weekly.id, weekly.enabled, weekly.repeat_missed) == ("weekly", False, True)
    assert nightly.next_run is not None
    soon = datetime.now(UTC) + timedelta(seconds=600)
    assert abs(nightly.next_run - soon) < timedelta(seconds=5)


async def test_backup_jobs_of_other_nodes_are_not_ours(pve: LabPve, api: ProxmoxAPI) -> None:
    pve.grant(TOKEN_ID.partition("!")[0], "/", "Sys.Audit")
    pve.backup_jobs = [{"id": "ours", "node": "pve"}, {"id": "theirs", "node": "attic"}]
    assert [job.id for job in await api.backup_jobs() or ()] == ["ours"]


@pytest.mark.parametrize("fault", [None, Fault.SERVER_ERROR, Fault.HTML])
async def test_backup_jobs_that_cannot_be_read_are_not_none_at_all(
    pve: LabPve, api: ProxmoxAPI, fault: Fault | None
) -> None:
    if fault:
        pve.break_with(fault, path="/cluster/backup")
    assert await api.backup_jobs() is None


def test_what_a_job_leaves_out_is_as_by_default() -> None:
    (job,) = read_backup_jobs([{"id": "nightly"}])
    assert (job.enabled, job.next_run, job.repeat_missed, job.node) == (True, None, False, "")


async def test_a_right_on_one_guest_alone_does_not_show_all(
    pve: LabPve, session: aiohttp.ClientSession
) -> None:
    api = make_api(pve, session)
    assert await api.sees_all_guests()
    pve.revoke("VM.Audit", "/vms")
    pve.grant(TOKEN_ID.partition("!")[0], "/vms/101", "VM.Audit")
    assert not await api.sees_all_guests()
