"""The lab does what the tests built on it believe."""

import asyncio
from collections.abc import AsyncGenerator
import errno
import hashlib
import os
from pathlib import Path
import ssl
import subprocess
import sys

import aiohttp
from mcstatus import JavaServer
import pytest

from .minecraft import Status, StatusFault, StatusServer, favicon
from .nic import LoopbackNic, send_magic_packet
from .pve import TOKEN_ID, TOKEN_SECRET, LabPve
from .pve_record import Fault
from .sleeping_host import MAC, Power, SleepingHost, lab_host

HEADERS = {"Authorization": f"PVEAPIToken={TOKEN_ID}={TOKEN_SECRET}"}


@pytest.fixture
async def client() -> AsyncGenerator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=False, force_close=True)
    async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as session:
        yield session


@pytest.fixture
async def pve(tmp_path: Path) -> AsyncGenerator[LabPve]:
    node = LabPve(tmp_path)
    node.add_guest(101, "minecraft")
    node.add_guest(200, "dns", kind="lxc")
    node.add_token(game_guests=(101,))
    async with node:
        yield node


async def _data(client: aiohttp.ClientSession, pve: LabPve, path: str) -> object:
    async with client.get(f"{pve.url}/api2/json{path}") as response:
        response.raise_for_status()
        return (await response.json())["data"]


async def test_a_magic_packet_wakes_the_host_and_a_shutdown_puts_it_to_sleep(
    tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    game = StatusServer("127.0.0.2")
    async with lab_host(tmp_path, games={101: game}) as host:
        assert isinstance(host.nic, LoopbackNic)
        with pytest.raises(aiohttp.ClientConnectorError):
            await _data(client, host.pve, "/version")
        send_magic_packet("02:00:00:00:00:43", "127.0.0.2", host.nic.port)
        send_magic_packet(MAC, "127.0.0.2", host.nic.port)
        await host.games_up()
        assert (await JavaServer("127.0.0.2", game.port).async_status(tries=1)).players.max == 20
        url = f"{host.pve.url}/api2/json/nodes/pve/status"
        async with client.post(url, data={"command": "shutdown"}) as response:
            assert response.status == 200
        await host.reached(Power.STOPPING)
        await host.reached(Power.ASLEEP)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.2", game.port)
        evidence = host.evidence()
    assert [packet["wakes"] for packet in evidence["packets"]] == [False, True]
    assert evidence["packets"][1]["raw"] == "ff" * 6 + "020000000042" * 16
    assert [moment["what"] for moment in evidence["history"]] == [
        "asleep", "woken", "booting", "network_up", "api_up", "guests_started", "up", "game_up",
        "stopping", "game_down", "guests_stopped", "api_down", "network_down", "asleep",
    ]  # fmt: skip


async def test_a_reboot_comes_back_without_a_packet(
    tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    async with lab_host(tmp_path, games={101: StatusServer("127.0.0.2")}) as host:
        await host.power_button()
        await host.games_up()
        url = f"{host.pve.url}/api2/json/nodes/pve/status"
        async with client.post(url, data={"command": "reboot"}) as response:
            assert response.status == 200
        await host.reached(Power.STOPPING)
        await host.reached(Power.UP)
        await host.games_up()
        assert host.nic.packets == []


async def test_a_power_cut_takes_everything_at_once(tmp_path: Path) -> None:
    game = StatusServer("127.0.0.2")
    async with lab_host(tmp_path, games={101: game}) as host:
        await host.power_button()
        await host.games_up()
        await host.power_cut()
        await host.reached(Power.ASLEEP)
        assert not host.pve.listening
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.2", game.port)


async def test_a_game_server_follows_its_guest(
    tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    async with lab_host(tmp_path, games={101: StatusServer("127.0.0.2")}) as host:
        await host.power_button()
        await host.games_up()
        url = f"{host.pve.url}/api2/json/nodes/pve/qemu/101/status/reboot"
        async with client.post(url) as response:
            assert response.status == 200
        await _happened(host, "game_down")
        await host.games_up()


async def test_a_card_with_a_password_ignores_a_packet_without_it() -> None:
    nic = LoopbackNic(MAC, secure_on="0a:0b:0c:0d:0e:0f")
    await nic.open()
    send_magic_packet(MAC, "127.0.0.2", nic.port)
    send_magic_packet(MAC, "127.0.0.2", nic.port, "0a:0b:0c:0d:0e:0f")
    async with asyncio.timeout(5):
        packet = await nic.woken()
    nic.close()
    assert packet.secure_on == "0a:0b:0c:0d:0e:0f"
    assert [heard.wakes for heard in nic.packets] == [False, True]


async def test_the_node_shows_running_tasks_only_when_asked_for_them(
    pve: LabPve, client: aiohttp.ClientSession
) -> None:
    task = pve.run_task("vzdump", "101")
    running = await _data(client, pve, "/nodes/pve/tasks?source=active")
    assert [row["status"] for row in running] == ["RUNNING"]  # type: ignore[attr-defined]
    assert await _data(client, pve, "/nodes/pve/tasks") == []
    task.finish()
    assert await _data(client, pve, "/nodes/pve/tasks?source=active") == []


async def test_a_revoked_right_is_gone(pve: LabPve, client: aiohttp.ClientSession) -> None:
    path = "/access/permissions?path=/nodes/pve"
    assert await _data(client, pve, path) == {"/nodes/pve": {"Sys.Audit": 1, "Sys.PowerMgmt": 1}}
    pve.revoke("Sys.PowerMgmt")
    url = f"{pve.url}/api2/json/nodes/pve/status"
    async with client.post(url, data={"command": "shutdown"}) as response:
        assert (response.status, response.reason) == (
            403, "Permission check failed (/nodes/pve, Sys.PowerMgmt)",
        )  # fmt: skip
    assert pve.power_commands == []


async def test_the_authority_of_the_node_verifies_a_renewed_leaf_but_no_other_node(
    pve: LabPve,
) -> None:
    context = ssl.create_default_context(cadata=pve.certificates.authority.pem)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    first = await _presented(pve, context)
    pve.renew_leaf()
    assert await _presented(pve, context) != first
    pve.replace_authority()
    with pytest.raises(ssl.SSLCertVerificationError):
        await _presented(pve, context)


@pytest.mark.parametrize(
    ("fault", "status"),
    [(Fault.UNAUTHORISED, 401), (Fault.SERVER_ERROR, 500), (Fault.PROXY_ERROR, 595)],
)
async def test_a_fault_is_answered_until_mended(
    pve: LabPve, client: aiohttp.ClientSession, fault: Fault, status: int
) -> None:
    pve.break_with(fault, path="/version")
    async with client.get(f"{pve.url}/api2/json/version") as response:
        assert response.status == status
    pve.mend()
    assert await _data(client, pve, "/version")
    assert [call.status for call in pve.heard("GET", "/version")] == [status, 200]


async def test_a_node_that_closes_or_hangs_gives_no_answer(
    pve: LabPve, client: aiohttp.ClientSession
) -> None:
    pve.break_with(Fault.CLOSED, path="/version")
    with pytest.raises(aiohttp.ClientError):
        await _data(client, pve, "/version")
    pve.mend()
    pve.break_with(Fault.HANG, path="/version")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await _data(client, pve, "/version")


async def test_no_secret_is_recorded(pve: LabPve, client: aiohttp.ClientSession) -> None:
    form = {"username": "root@pam", "password": "swordfish"}
    await client.post(f"{pve.url}/api2/json/access/ticket", data=form)
    assert TOKEN_SECRET not in str(pve.calls)
    assert "swordfish" not in str(pve.calls)
    assert pve.calls[0].who == TOKEN_ID


async def test_a_node_wakes_its_peer(pve: LabPve, client: aiohttp.ClientSession) -> None:
    nic = LoopbackNic(MAC)
    await nic.open()
    pve.add_node("pve2", online=False)
    pve.acl[TOKEN_ID.partition("!")[0]].append(("/nodes/pve2", {"Sys.PowerMgmt"}))
    pve.peer_nics["pve2"] = (MAC, "127.0.0.2", nic.port)
    async with client.post(f"{pve.url}/api2/json/nodes/pve2/wakeonlan") as response:
        assert (await response.json())["data"] == MAC
    async with asyncio.timeout(5):
        await nic.woken()
    nic.close()


async def test_mcstatus_reads_the_status_server() -> None:
    status = Status(players=["Alex", "Steve"], favicon=favicon(10, 120, 40), version="1.21.11")
    async with StatusServer(status=status) as server:
        seen = await JavaServer("127.0.0.1", server.port).async_status(tries=1)
    assert seen.motd.to_plain() == "A lab server"
    assert [player.name for player in seen.players.sample or ()] == ["Alex", "Steve"]
    assert (seen.version.name, seen.icon) == ("1.21.11", status.favicon)


@pytest.mark.parametrize("fault", list(StatusFault))
async def test_mcstatus_fails_on_every_fault_of_the_status_server(fault: StatusFault) -> None:
    async with StatusServer(fault=fault) as server:
        with pytest.raises((OSError, ValueError)):
            await JavaServer("127.0.0.1", server.port, timeout=0.2).async_status(tries=1)


def test_the_guard_of_home_assistant_keeps_its_sockets_on_loopback() -> None:
    guard = Path(__file__).parent / "loopback_only"
    code = """
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("", 0))
print(sock.getsockname()[0])
for reach in (lambda: sock.sendto(b"x", ("10.1.2.3", 9)), lambda: sock.connect(("10.1.2.3", 9))):
    try:
        reach()
    except OSError as error:
        print(error.strerror)
print(sock.sendto(b"x", ("127.0.0.1", sock.getsockname()[1])))
"""
    environment = {**os.environ, "PYTHONPATH": str(guard)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    unreachable = os.strerror(errno.ENETUNREACH)
    assert done.stdout.splitlines() == ["127.0.0.1", unreachable, unreachable, "1"]


async def _presented(pve: LabPve, context: ssl.SSLContext) -> str:
    _, writer = await asyncio.open_connection("127.0.0.1", pve.port, ssl=context)
    der = writer.get_extra_info("ssl_object").getpeercert(True)
    writer.close()
    return hashlib.sha256(der).hexdigest()


async def _happened(host: SleepingHost, what: str) -> None:
    async with asyncio.timeout(5):
        while what not in [moment.what for moment in host.history]:
            await asyncio.sleep(0.01)
