"""The Proxmox client against a node that answers as a real one does."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from yarl import URL

from custom_components.cubeguardian.server_manager import (
    ApiError,
    AuthenticationError,
    GuestKind,
    HostConnectionError,
    HostTimeoutError,
    InvalidInputError,
    MissingRight,
    NameNotFoundError,
    NodeInfo,
    PermissionDeniedError,
    ProxmoxAPI,
    ServerManagerError,
    TlsTrust,
    pveum_lines,
)
from custom_components.cubeguardian.server_manager.proxmox_models import (
    read_authority,
    read_node_status,
    read_nodes,
    read_privileges,
    read_running_tasks,
    read_upid,
)
from tests.lab.pve import TOKEN_ID, TOKEN_SECRET, LabPve
from tests.lab.pve_record import Fault

from .conftest import LOGGER, closed_port, make_api

GIB = 1024**3


async def test_the_version_proves_that_the_token_works(pve: LabPve, api: ProxmoxAPI) -> None:
    assert await api.version() == pve.version
    assert pve.heard("GET", "/version")[0].who == TOKEN_ID


async def test_the_only_node_is_found(pve: LabPve, api: ProxmoxAPI) -> None:
    assert await api.nodes() == (NodeInfo(name="pve", status="online"),)
    assert await api.find_node() == "pve"
    assert await api.find_node() == "pve"
    assert len(pve.heard("GET", "/nodes")) == 2


async def test_a_given_node_is_not_looked_for(pve: LabPve, session: aiohttp.ClientSession) -> None:
    assert await make_api(pve, session, node="pve2").find_node() == "pve2"
    assert pve.calls == []


async def test_in_a_cluster_the_node_that_answers_is_found(pve: LabPve, api: ProxmoxAPI) -> None:
    pve.add_node("zeta")
    pve.grant(TOKEN_ID.partition("!")[0], "/", "Sys.Audit")
    assert await api.find_node() == "pve"


async def test_in_a_cluster_that_may_not_be_seen_the_node_must_be_chosen(
    pve: LabPve, api: ProxmoxAPI
) -> None:
    pve.add_node("zeta")
    pve.break_with(Fault.FORBIDDEN, path="/cluster/status")
    with pytest.raises(InvalidInputError) as refused:
        await api.find_node()
    assert refused.value.field == "node"


async def test_the_node_status_is_read(pve: LabPve, api: ProxmoxAPI) -> None:
    pve.cpu = 0.125
    pve.booted_at = datetime.now(UTC).timestamp() - 3600
    status = await api.node_status()
    assert status.cpu_percent == 12.5
    assert (status.memory_used, status.memory_total) == (4 * GIB, 16 * GIB)
    assert status.version == pve.version
    assert timedelta(seconds=3595) < status.uptime < timedelta(seconds=3605)
    assert status.booted_at is not None
    assert abs(datetime.now(UTC) - timedelta(hours=1) - status.booted_at) < timedelta(seconds=5)


async def test_one_boot_has_one_time(pve: LabPve, api: ProxmoxAPI) -> None:
    pve.booted_at = datetime.now(UTC).timestamp() - 3600
    first = (await api.node_status()).booted_at
    pve.booted_at += 3
    assert (await api.node_status()).booted_at == first
    pve.booted_at += 600
    assert (await api.node_status()).booted_at != first


async def test_guests_of_both_kinds_are_listed(pve: LabPve, api: ProxmoxAPI) -> None:
    pve.add_guest(102, "windows", running=False)
    pve.find_guest(102).lock = "backup"
    guests = await api.guests()
    assert [(guest.vmid, guest.name, guest.kind, guest.running) for guest in guests] == [
        (101, "minecraft", GuestKind.QEMU, True),
        (102, "windows", GuestKind.QEMU, False),
        (200, "dns", GuestKind.LXC, True),
    ]
    assert [guest.lock for guest in guests] == [None, "backup", None]
    assert guests[1].status == "stopped"
    assert not any(guest.template for guest in guests)


async def test_guests_that_may_not_be_seen_are_missing(pve: LabPve, api: ProxmoxAPI) -> None:
    pve.revoke("VM.Audit")
    assert await api.guests() == ()


async def test_running_tasks_tell_ours_from_others(pve: LabPve, api: ProxmoxAPI) -> None:
    backup = pve.run_task("vzdump", "101", "root@pam")
    pve.run_task("qmstart", "101", TOKEN_ID)
    pve.run_task("qmstop", "101", TOKEN_ID.partition("!")[0])
    pve.run_task("vzdump", "200").finish()
    tasks = {task.kind: task for task in await api.running_tasks()}
    assert set(tasks) == {"vzdump", "qmstart", "qmstop"}
    assert (tasks["vzdump"].target, tasks["vzdump"].user) == ("101", "root@pam")
    assert [tasks[kind].ours for kind in ("vzdump", "qmstart", "qmstop")] == [False, True, False]
    assert abs(tasks["vzdump"].started_at - datetime.now(UTC)) < timedelta(seconds=5)
    backup.finish()
    assert "vzdump" not in {task.kind for task in await api.running_tasks()}


async def test_nothing_is_missing_with_the_documented_rights(api: ProxmoxAPI) -> None:
    assert await api.missing_rights([101]) == ()


async def test_missing_rights_are_named_with_the_commands_that_grant_them(
    pve: LabPve, api: ProxmoxAPI
) -> None:
    pve.revoke("Sys.PowerMgmt")
    pve.revoke("VM.Audit")
    pve.revoke("VM.PowerMgmt", "/vms/101")
    missing = await api.missing_rights([101, 200])
    assert missing == (
        MissingRight(path="/nodes/pve", privilege="Sys.PowerMgmt"),
        MissingRight(path="/vms", privilege="VM.Audit"),
        MissingRight(path="/vms/101", privilege="VM.PowerMgmt"),
    )
    role = 'CubeGuardian -privs "Sys.Audit Sys.PowerMgmt VM.PowerMgmt"'
    assert pveum_lines(TOKEN_ID, missing) == (
        "pveum user token modify cubeguardian@pve ha -privsep 0",
        f"pveum role add {role} || pveum role modify {role}",
        "pveum acl modify /nodes/pve -user cubeguardian@pve -role CubeGuardian",
        "pveum acl modify /vms -user cubeguardian@pve -role PVEAuditor",
        "pveum acl modify /vms/101 -user cubeguardian@pve -role CubeGuardian",
    )


def test_no_command_is_printed_for_nothing_and_none_for_a_bad_token() -> None:
    assert pveum_lines(TOKEN_ID, ()) == ()
    only_audit = (MissingRight(path="/vms", privilege="VM.Audit"),)
    assert not any("role add" in line for line in pveum_lines("a@pve!$(reboot)", only_audit))
    assert "'$(reboot)'" in pveum_lines("a@pve!$(reboot)", only_audit)[0]
    with pytest.raises(InvalidInputError, match="user@realm!name"):
        pveum_lines("root@pam", only_audit)


def test_a_right_on_all_guests_must_propagate() -> None:
    here_only = {"/vms": {"VM.Audit": 0}}
    assert read_privileges(here_only, "/vms", propagated=True) == frozenset()
    assert read_privileges(here_only, "/vms", propagated=False) == {"VM.Audit"}
    from_above = {"/": {"VM.Audit": 1, "Sys.Audit": 0}}
    assert read_privileges(from_above, "/vms", propagated=True) == {"VM.Audit"}
    assert read_privileges({"/vms/10": {"VM.PowerMgmt": 1}}, "/vms/101", propagated=False) == set()


async def test_the_authority_of_the_node_is_read(pve: LabPve, api: ProxmoxAPI) -> None:
    assert await api.ca_certificate() == pve.certificates.authority.pem


async def test_the_wake_on_lan_address_is_read_where_it_may_be(
    pve: LabPve, api: ProxmoxAPI
) -> None:
    pve.grant(TOKEN_ID.partition("!")[0], "/", "Sys.Audit")
    assert await api.wakeonlan_mac() is None
    pve.wakeonlan = "00:23:7D:FD:C0:5C,bind-interface=vmbr0"
    assert await api.wakeonlan_mac() == "00:23:7d:fd:c0:5c"
    pve.wakeonlan = "none of your business"
    assert await api.wakeonlan_mac() is None
    pve.break_with(Fault.FORBIDDEN, path="/config")
    assert await api.wakeonlan_mac() is None


@pytest.mark.parametrize("command", ["shutdown", "reboot"])
async def test_the_node_is_told_exactly_once(command: str, pve: LabPve, api: ProxmoxAPI) -> None:
    told = asyncio.get_running_loop().create_future()

    async def obey(power_command: str) -> None:
        told.set_result(power_command)

    pve.power_handler = obey
    await getattr(api, command)()
    assert await told == command
    assert [call.parameters for call in pve.heard("POST", "/nodes/pve/status")] == [
        {"command": command}
    ]


async def test_a_missing_right_to_shut_down_is_named(pve: LabPve, api: ProxmoxAPI) -> None:
    pve.revoke("Sys.PowerMgmt")
    with pytest.raises(PermissionDeniedError) as refused:
        await api.shutdown()
    assert (refused.value.path, refused.value.privilege) == ("/nodes/pve", "Sys.PowerMgmt")
    assert pve.power_commands == []


async def test_a_guest_is_started_and_its_task_followed(pve: LabPve, api: ProxmoxAPI) -> None:
    pve.find_guest(101).status = "stopped"
    upid = await api.start_guest(101)
    assert upid is not None
    status = await api.task(upid)
    assert (status.running, status.ok, status.exit_text) == (False, True, "OK")
    assert pve.find_guest(101).status == "running"


async def test_starting_what_runs_and_stopping_what_is_stopped_is_success(
    pve: LabPve, api: ProxmoxAPI
) -> None:
    assert await api.start_guest(200) is None
    pve.find_guest(101).status = "stopped"
    assert await api.shutdown_guest(101) is None
    assert not [call for call in pve.calls if call.method == "POST"]


async def test_a_guest_that_somebody_else_started_meanwhile_is_success(
    pve: LabPve, api: ProxmoxAPI
) -> None:
    pve.find_guest(101).status = "stopped"
    path = "/nodes/pve/qemu/101/status/start"
    pve.fail("POST", path, status=500, message="VM 101 already running", times=1)
    assert await api.start_guest(101) is None
    pve.fail("POST", path, status=500, message="VM is locked (backup)", times=1)
    with pytest.raises(ApiError, match="locked"):
        await api.start_guest(101)


async def test_a_container_is_shut_down_in_the_time_it_is_given(
    pve: LabPve, api: ProxmoxAPI
) -> None:
    assert await api.shutdown_guest(200, timeout_s=300) is not None
    assert pve.find_guest(200).status == "stopped"
    (call,) = pve.heard("POST", "/nodes/pve/lxc/200/status/shutdown")
    assert call.parameters == {"timeout": "300"}


async def test_restarting_a_stopped_guest_starts_it(pve: LabPve, api: ProxmoxAPI) -> None:
    assert await api.reboot_guest(101) is not None
    assert pve.heard("POST", "/nodes/pve/qemu/101/status/reboot")
    pve.find_guest(101).status = "stopped"
    assert await api.reboot_guest(101) is not None
    assert pve.find_guest(101).status == "running"


async def test_an_unknown_guest_and_a_bad_task_are_bad_input(api: ProxmoxAPI) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await api.start_guest(999)
    assert refused.value.field == "vmid"
    with pytest.raises(InvalidInputError) as refused:
        await api.task("UPID")
    assert refused.value.field == "upid"


async def test_a_task_that_failed_says_why(pve: LabPve, api: ProxmoxAPI) -> None:
    backup = pve.run_task()
    assert (await api.task(backup.upid)).running
    backup.finish("got timeout")
    status = await api.task(backup.upid)
    assert (status.running, status.ok, status.exit_text) == (False, False, "got timeout")
    backup.finish("WARNINGS: 2")
    assert (await api.task(backup.upid)).ok


async def test_an_awake_node_wakes_its_peer(pve: LabPve, api: ProxmoxAPI) -> None:
    pve.add_node("sleeper")
    pve.grant(TOKEN_ID.partition("!")[0], "/nodes/sleeper", "Sys.PowerMgmt")
    pve.peer_nics["sleeper"] = ("00:23:7D:FD:C0:5C", "127.0.0.1", closed_port())
    await api.wake_peer("sleeper")
    assert pve.heard("POST", "/nodes/sleeper/wakeonlan")
    with pytest.raises(ApiError, match="cannot wake my self"):
        await api.wake_peer("pve")


@pytest.mark.parametrize(
    ("fault", "error", "status"),
    [
        (Fault.UNAUTHORISED, AuthenticationError, None),
        (Fault.FORBIDDEN, PermissionDeniedError, None),
        (Fault.SERVER_ERROR, ApiError, 500),
        (Fault.PROXY_ERROR, ApiError, 595),
        (Fault.HTML, ApiError, 200),
        (Fault.CLOSED, ApiError, 0),
    ],
)
async def test_each_way_of_failing_has_its_error(
    pve: LabPve,
    api: ProxmoxAPI,
    fault: Fault,
    error: type[ServerManagerError],
    status: int | None,
) -> None:
    pve.break_with(fault)
    with pytest.raises(error) as raised:
        await api.node_status()
    if status is not None:
        assert isinstance(raised.value, ApiError)
        assert raised.value.status == status
    assert TOKEN_SECRET not in f"{raised.value!r}"
    pve.mend()
    assert (await api.node_status()).memory_total


async def test_errors_are_read_from_the_reason_phrase_alone(pve: LabPve, api: ProxmoxAPI) -> None:
    pve.break_with(Fault.SERVER_ERROR)
    with pytest.raises(ApiError) as raised:
        await api.version()
    assert raised.value.reason == "cluster not ready - no quorum?"


async def test_a_refused_parameter_is_named(pve: LabPve, api: ProxmoxAPI) -> None:
    with pytest.raises(ApiError) as raised:
        await api.shutdown_guest(101, timeout_s=-1)
    assert raised.value.status == 400
    assert "timeout" in raised.value.reason


async def test_a_wrong_secret_is_refused_late_but_clearly(
    pve: LabPve, session: aiohttp.ClientSession
) -> None:
    pve.refusal_delay = 0.3
    wrong = make_api(pve, session, secret="wrong;%\n secret")
    with pytest.raises(AuthenticationError):
        await wrong.version()


async def test_a_node_that_hangs_is_given_up_in_time(pve: LabPve, api: ProxmoxAPI) -> None:
    pve.break_with(Fault.HANG)
    started = asyncio.get_running_loop().time()
    with pytest.raises(HostTimeoutError):
        await api.version(timeout=0.2)
    assert asyncio.get_running_loop().time() - started < 2


async def test_a_host_that_is_down_and_a_name_that_is_none(
    session: aiohttp.ClientSession,
) -> None:
    def at(host: str, port: int) -> ProxmoxAPI:
        return ProxmoxAPI(
            LOGGER,
            session=session,
            host=host,
            port=port,
            token_id=TOKEN_ID,
            token_secret=TOKEN_SECRET,
            trust=TlsTrust(),
        )

    with pytest.raises(HostConnectionError, match="ECONNREFUSED"):
        await at("127.0.0.1", closed_port()).version()
    with pytest.raises(InvalidInputError) as refused:
        await at("not a host", 8006).version()
    assert refused.value.field == "host"


async def test_a_name_that_does_not_resolve_is_told_apart(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(*_: object, **__: object) -> None:
        raise OSError(-2, "Name or service not known")

    assert session.connector is not None
    monkeypatch.setattr(session.connector, "_resolve_host", nobody)
    lost = ProxmoxAPI(
        LOGGER,
        session=session,
        host="pve.invalid",
        token_id=TOKEN_ID,
        token_secret=TOKEN_SECRET,
        trust=TlsTrust(),
    )
    with pytest.raises(NameNotFoundError):
        await lost.version()


async def test_without_a_session_each_request_opens_its_own_connection(pve: LabPve) -> None:
    assert await make_api(pve, None).version() == pve.version


async def test_reading_keeps_a_connection_and_each_command_opens_one(
    pve: LabPve, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert session.connector is not None
    opened = []
    original = session.connector._create_connection

    async def counted(*arguments: Any) -> Any:
        opened.append(1)
        return await original(*arguments)

    monkeypatch.setattr(session.connector, "_create_connection", counted)
    first = make_api(pve, session)
    for _ in range(3):
        await first.version()
    await make_api(pve, session).version()
    assert len(opened) == 1
    await first.shutdown()
    assert len(opened) == 2
    await first.reboot()
    assert len(opened) == 3


async def test_no_cookie_is_ever_sent(pve: LabPve, session: aiohttp.ClientSession) -> None:
    session.cookie_jar.update_cookies({"PVEAuthCookie": "PVE:stray"}, URL(pve.url))
    assert session.cookie_jar.filter_cookies(URL(pve.url))
    assert await make_api(pve, session).version() == pve.version
    assert all(call.who == TOKEN_ID for call in pve.calls)


@pytest.mark.parametrize("data", [None, "text", {"uptime": "long"}, {"uptime": 1, "memory": []}])
def test_nonsense_is_never_taken_for_a_status(data: object) -> None:
    with pytest.raises((TypeError, ValueError, KeyError)):
        read_node_status(data, datetime.now(UTC), None)


def test_old_and_odd_answers_are_understood() -> None:
    upid = "UPID:pve:0000C530:001C9BEC:68A1B2C3:vncshell::root@pam:"
    ended = {"upid": upid, "type": "vncshell", "starttime": 1, "status": "OK"}
    assert read_running_tasks([ended, {**ended, "endtime": 2}], TOKEN_ID) == ()
    del ended["status"]
    (task,) = read_running_tasks([ended], TOKEN_ID)
    assert (task.target, task.user) == ("", "root@pam")
    assert read_authority([{"filename": "pve-ssl.pem", "pem": "x"}]) is None
    assert read_nodes([{"node": "pve"}])[0].status == "unknown"
    assert read_upid(None) is None
    status = {"uptime": 0, "cpu": 0, "memory": {"used": 1, "total": 2}, "pveversion": "fake"}
    booting = read_node_status(status, datetime.now(UTC), None)
    assert (booting.booted_at, booting.version) == (None, "fake")
