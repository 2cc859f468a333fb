"""The facade: which way it takes, and what it does with missing settings."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from custom_components.cubeguardian.server_manager import (
    Edition,
    HostTimeoutError,
    InvalidInputError,
    NetworkUnavailableError,
    ServerManager,
    TlsTrust,
    WakeReport,
)
from tests.lab.minecraft import StatusServer
from tests.lab.pve import TOKEN_ID, TOKEN_SECRET, LabPve
from tests.lab.pve_record import Fault

from .conftest import LOGGER, MAC, closed_port
from .ssh_host import USER, SshHost


def config_of(pve: LabPve, **more: Any) -> dict[str, Any]:
    return {
        "proxmox": {
            "ipv4": pve.host,
            "port": pve.port,
            "mac_address": MAC,
            "node": "pve",
            "token_id": TOKEN_ID,
            "token_secret": TOKEN_SECRET,
            "trust": TlsTrust.pin_authority(pve.certificates.authority.pem).to_dict(),
            "ping": False,
            **more,
        },
        "wake_on_lan": {"ports": [closed_port()]},
    }


def ssh_of(host: SshHost) -> dict[str, Any]:
    return {
        "ssh_user": USER,
        "ssh_key_path": host.key_path,
        "ssh_port": host.port,
        "ssh_host_key": host.host_key,
    }


@pytest.fixture
def manager(pve: LabPve, session: aiohttp.ClientSession) -> ServerManager:
    return ServerManager(config_of(pve), LOGGER, session=session)


async def test_one_reading_holds_everything_of_the_node(
    pve: LabPve, manager: ServerManager
) -> None:
    pve.run_task("vzdump", "101")
    reading = await manager.read_node(5)
    assert reading.status.memory_total
    assert [guest.vmid for guest in reading.guests] == [101, 200]
    assert [task.kind for task in reading.tasks] == ["vzdump"]


async def test_jobs_and_rights_are_read_again_only_after_a_while_or_when_asked_to(
    pve: LabPve, manager: ServerManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    pve.grant(TOKEN_ID.partition("!")[0], "/", "Sys.Audit")
    reading = await manager.read_node(5)
    assert (reading.backups, reading.sees_all_guests) == ((), True)
    pve.schedule_backup("nightly", 600)
    pve.revoke("VM.Audit", "/vms")
    reading = await manager.read_node(5)
    assert (reading.backups, reading.sees_all_guests) == ((), True)
    reading = await manager.read_node(5, anew=True)
    assert [job.id for job in reading.backups or ()] == ["nightly"]
    assert not reading.sees_all_guests
    assert len(pve.heard("GET", "/cluster/backup")) == 2
    monkeypatch.setattr("custom_components.cubeguardian.server_manager.server_manager._SELDOM", 0)
    await manager.read_node(5)
    assert len(pve.heard("GET", "/cluster/backup")) == 3


async def test_without_the_right_to_see_backup_jobs_everything_else_is_read(
    pve: LabPve, manager: ServerManager
) -> None:
    pve.schedule_backup("nightly", 600)
    reading = await manager.read_node(5, anew=True)
    assert reading.backups is None
    assert [guest.vmid for guest in reading.guests] == [101, 200]
    assert reading.sees_all_guests


async def test_a_reading_keeps_to_its_time_altogether(pve: LabPve, manager: ServerManager) -> None:
    pve.break_with(Fault.HANG, path="/lxc")
    started = asyncio.get_running_loop().time()
    with pytest.raises(HostTimeoutError):
        await manager.read_node(0.5)
    assert asyncio.get_running_loop().time() - started < 1.5


async def test_the_host_is_probed_at_its_proxmox_port(pve: LabPve, manager: ServerManager) -> None:
    seen = await manager.probe(2)
    assert (seen.port, seen.ping) == (True, None)


async def test_a_token_shuts_down_and_restarts_by_proxmox(
    pve: LabPve, manager: ServerManager
) -> None:
    commands: asyncio.Queue[str] = asyncio.Queue()
    pve.power_handler = commands.put
    await manager.shut_down()
    assert await asyncio.wait_for(commands.get(), 5) == "shutdown"
    await manager.reboot()
    assert await asyncio.wait_for(commands.get(), 5) == "reboot"


async def test_guests_are_commanded_by_proxmox(pve: LabPve, manager: ServerManager) -> None:
    await manager.shutdown_guest(101)
    assert pve.find_guest(101).status == "stopped"
    await manager.start_guest(101)
    assert pve.find_guest(101).status == "running"
    await manager.reboot_guest(101)
    assert pve.heard("POST", "/nodes/pve/qemu/101/status/reboot")


async def test_a_guest_is_stopped_and_its_cards_are_read_by_proxmox(
    pve: LabPve, manager: ServerManager
) -> None:
    pve.add_guest(300, "files", macs=("bc:24:11:00:00:01",))
    assert await manager.guest_macs({300}) == {300: {"bc:24:11:00:00:01"}}
    await manager.stop_guest(101, timedelta(seconds=5))
    assert pve.find_guest(101).status == "stopped"


async def test_without_a_token_ssh_shuts_down_and_restarts(tmp_path: Path) -> None:
    async with SshHost(directory=tmp_path).running() as host:
        config = {"proxmox": {"ipv4": "127.0.0.1", "port": None, "ping": False, **ssh_of(host)}}
        manager = ServerManager(config, LOGGER)
        assert manager.proxmox is None
        assert (await manager.probe(2)).port is True
        await manager.shut_down()
        await manager.reboot()
        assert host.commands == ["shutdown -h +0", "shutdown -r +0"]


async def test_without_any_way_the_missing_token_is_named() -> None:
    manager = ServerManager({"proxmox": {"ipv4": "127.0.0.1"}}, LOGGER)
    for call in (manager.shut_down, manager.reboot, lambda: manager.read_node(1)):
        with pytest.raises(InvalidInputError) as refused:
            await call()
        assert refused.value.field == "token_id"


async def test_the_seeds_shutdown_takes_proxmox_unless_ssh_is_asked_for(
    pve: LabPve, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with SshHost(directory=tmp_path).running() as host:
        manager = ServerManager(config_of(pve, **ssh_of(host)), LOGGER, session=session)
        result = await manager.shutdown_server()
        assert result["details"] == {
            "target_host": pve.host,
            "delay_minutes": 0,
            "method": "proxmox",
            "operation": "shutdown",
        }
        assert host.commands == []
        assert (await manager.shutdown_server(delay_minutes=5))["success"]
        assert (await manager.shutdown_server(ssh_user=USER))["success"]
        assert host.commands == ["shutdown -h +5", "shutdown -h +0"]
        assert len(pve.heard("POST", "/nodes/pve/status")) == 1


async def test_a_shutdown_that_proxmox_refuses_is_a_failed_result(
    pve: LabPve, manager: ServerManager
) -> None:
    pve.break_with(Fault.FORBIDDEN)
    result = await manager.shutdown_server()
    assert (result["success"], result["error"]) == (False, "permission_error")
    assert TOKEN_SECRET not in str(result)


async def test_the_status_of_any_game_server_can_be_read(manager: ServerManager) -> None:
    async with StatusServer() as server:
        status = await manager.minecraft_status(server.address, Edition.JAVA, 2)
    assert status.players_max == 20


def test_secrets_do_not_show_in_what_is_printed(pve: LabPve) -> None:
    config = config_of(pve)
    config["wake_on_lan"]["secure_on"] = "01:02:03:04:05:06"
    manager = ServerManager(config, LOGGER)
    shown = f"{manager!r} {manager._settings!r} {manager.proxmox!r}"
    assert TOKEN_ID in shown
    assert TOKEN_SECRET not in shown
    assert "01:02:03" not in shown


async def test_the_packet_goes_where_the_settings_say(pve: LabPve, manager: ServerManager) -> None:
    sent = await manager.wake()
    assert sent.packets_sent == 3
    assert len(sent.destinations) == 1
    assert sent.destinations[0].startswith("127.0.0.1:")


async def test_a_cluster_peer_sends_the_packet_too(
    pve: LabPve, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    pve.add_node("sleeper")
    pve.grant(TOKEN_ID.partition("!")[0], "/nodes/sleeper", "Sys.PowerMgmt")
    pve.peer_nics["sleeper"] = (MAC, "127.0.0.1", closed_port())
    config = config_of(pve, node="sleeper")
    config["wake_on_lan"]["peer"] = pve.host
    manager = ServerManager(config, LOGGER, session=session)
    sent = await manager.wake()
    assert (sent.packets_sent, sent.destinations[-1]) == (3, pve.host)
    assert len(pve.heard("POST", "/nodes/sleeper/wakeonlan")) == 1

    async def no_network(*_: object, **__: object) -> None:
        raise NetworkUnavailableError("made up")

    monkeypatch.setattr(manager.wake_on_lan, "send", no_network)
    assert await manager.wake() == WakeReport(packets_sent=1, destinations=(pve.host,))
    pve.break_with(Fault.SERVER_ERROR)
    with pytest.raises(NetworkUnavailableError):
        await manager.wake()


async def test_a_peer_that_is_down_does_not_spoil_our_own_packet(
    pve: LabPve, session: aiohttp.ClientSession
) -> None:
    config = config_of(pve)
    config["wake_on_lan"]["peer"] = "127.0.0.250"
    sent = await ServerManager(config, LOGGER, session=session).wake()
    assert sent.packets_sent == 3
    assert "127.0.0.250" not in sent.destinations


@pytest.mark.parametrize("config", [{}, {"proxmox": None, "wake_on_lan": {}, "minecraft": {}}])
async def test_missing_settings_give_failed_results_and_no_surprises(
    config: dict[str, Any],
) -> None:
    manager = ServerManager(config, LOGGER)
    assert (await manager.wake_server())["error"] == "invalid_input"
    assert (await manager.shutdown_server())["error"] == "invalid_input"
    assert (await manager.check_proxmox_status())["error"] == "connection_error"
    assert (await manager.check_minecraft_status())["error"] == "invalid_input"
