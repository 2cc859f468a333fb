"""Guests, backups, consoles and rights of the lab are what the stories take them for."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
import time
from typing import Any

import aiohttp
import pytest

from .companions import ManagedServer, Neighbours
from .minecraft import StatusServer
from .plan import Console, GamePlan, GuestPlan, read_games, read_guests, written
from .pve import TOKEN_ID, TOKEN_SECRET, LabPve
from .sleeping_host import BootTimes, Power, free_port, lab_host

USER = TOKEN_ID.partition("!")[0]
HEADERS = {"Authorization": f"PVEAPIToken={TOKEN_ID}={TOKEN_SECRET}"}


@pytest.fixture
async def client() -> AsyncGenerator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=False, force_close=True)
    async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as session:
        yield session


@pytest.fixture
async def pve(tmp_path: Path) -> AsyncGenerator[LabPve]:
    node = LabPve(tmp_path)
    node.add_token(game_guests=(101, 102, 200))
    async with node:
        yield node


async def _ask(
    client: aiohttp.ClientSession, pve: LabPve, path: str, method: str = "GET", **form: object
) -> tuple[int, Any]:
    async with client.request(method, f"{pve.url}/api2/json{path}", data=form) as response:
        return response.status, (await response.json())["data"]


async def _end_of(client: aiohttp.ClientSession, pve: LabPve, upid: object) -> str:
    async with asyncio.timeout(10):
        while True:
            _, task = await _ask(client, pve, f"/nodes/pve/tasks/{upid}/status")
            if task["status"] == "stopped":
                return str(task["exitstatus"])
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(("kind", "vmid"), [("qemu", 101), ("lxc", 200)])
async def test_a_guest_that_ignores_the_request_runs_on(
    pve: LabPve, client: aiohttp.ClientSession, kind: str, vmid: int
) -> None:
    pve.time_scale = 0.01
    guest = pve.add_guest(vmid, "deaf", kind=kind, ignores_shutdown=True)
    _, upid = await _ask(
        client, pve, f"/nodes/pve/{kind}/{vmid}/status/shutdown", "POST", timeout=20
    )
    assert await _end_of(client, pve, upid) != "OK"
    assert guest.status == "running"


@pytest.mark.parametrize(("kind", "vmid"), [("qemu", 101), ("lxc", 200)])
async def test_a_guest_shows_the_addresses_of_its_cards(
    pve: LabPve, client: aiohttp.ClientSession, kind: str, vmid: int
) -> None:
    pve.grant(USER, "/vms", "VM.Audit")
    pve.add_guest(vmid, "homeassistant", kind=kind, macs=("bc:24:11:00:00:01",))
    status, config = await _ask(client, pve, f"/nodes/pve/{kind}/{vmid}/config")
    assert status == 200
    assert "BC:24:11:00:00:01" in config["net0"]


async def test_backup_jobs_tell_their_next_run_to_whoever_may_see_them(
    pve: LabPve, client: aiohttp.ClientSession
) -> None:
    pve.schedule_backup("backup-nightly", 600)
    assert (await _ask(client, pve, "/cluster/backup"))[0] == 403
    pve.grant(USER, "/", "Sys.Audit")
    _, jobs = await _ask(client, pve, "/cluster/backup")
    (job,) = jobs
    assert (job["id"], job["enabled"], job["repeat-missed"]) == ("backup-nightly", 1, 0)
    assert job["next-run"] == pytest.approx(time.time() + 600, abs=5)


async def test_a_token_that_was_taken_away_is_refused_until_it_is_back(
    pve: LabPve, client: aiohttp.ClientSession
) -> None:
    pve.remove_token()
    async with client.get(f"{pve.url}/api2/json/nodes") as response:
        assert response.status == 401
    pve.restore_token()
    assert (await _ask(client, pve, "/nodes"))[0] == 200


@pytest.mark.parametrize("kind", [Console.RCON, Console.PROTOCOL])
async def test_a_console_listens_while_its_game_server_runs(kind: Console) -> None:
    port = free_port("127.0.0.1")
    server = ManagedServer(StatusServer(), kind, "127.0.0.1", port)
    for _ in range(2):
        await server.start()
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await server.stop()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_two_game_servers_share_a_guest(tmp_path: Path) -> None:
    survival, creative = StatusServer("127.0.0.2"), StatusServer("127.0.0.2")
    both = Neighbours(survival, creative)
    async with lab_host(tmp_path, games={101: both}) as host:
        await host.power_button()
        await host.games_up()
        for game in both.games:
            _, writer = await asyncio.open_connection("127.0.0.2", game.port)  # type: ignore[attr-defined]
            writer.close()
        host.pve.find_guest(101).status = "stopped"
        await _gone(creative)
        await _gone(survival)
        assert len(host.evidence()["games"]["101"]) == 2


async def test_a_host_that_reboots_itself_was_asked_by_nobody(tmp_path: Path) -> None:
    async with lab_host(tmp_path, times=BootTimes(halt=0.05)) as host:
        await host.power_button()
        await host.reached(Power.UP)
        await host.reboot_itself()
        await host.reached(Power.STOPPING)
        await host.reached(Power.UP)
        assert host.nic.packets == []
        assert host.pve.power_commands == []


def test_plans_survive_the_command_line() -> None:
    games = (GamePlan(), GamePlan(vmid=102, port=25566, console=Console.RCON))
    guests = (GuestPlan(vmid=200, name="nas", macs=("bc:24:11:00:00:01",)),)
    assert read_games(written(games)) == games
    assert read_guests(written(guests)) == guests


async def _gone(game: StatusServer) -> None:
    async with asyncio.timeout(5):
        while True:
            try:
                _, writer = await asyncio.open_connection(game.host, game.port)
            except ConnectionRefusedError:
                return
            writer.close()
            await asyncio.sleep(0.02)
