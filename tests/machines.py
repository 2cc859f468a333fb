"""Machines that only pretend: a host and its game servers behind ServerManager's methods."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from unittest.mock import create_autospec

from homeassistant.core import HomeAssistant
import pytest

from custom_components.cubeguardian.const import DOMAIN
from custom_components.cubeguardian.server_manager import (
    BackupJob,
    Edition,
    Guest,
    GuestKind,
    HostTimeoutError,
    MinecraftStatus,
    MissingRight,
    NodeReading,
    NodeStatus,
    PortClosedError,
    ProxmoxAPI,
    Reachability,
    ServerManager,
    ServerManagerError,
    Task,
    WakeReport,
)

SURVIVAL: Final = "192.0.2.21:25565"
CREATIVE: Final = "192.0.2.22:25566"
SURVIVAL_VMID: Final = 101
OTHER_VMID: Final = 200
BOOTED_AT: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)

NODE: Final = NodeStatus(
    uptime=timedelta(hours=2),
    cpu_percent=12.5,
    memory_used=4 * 1024**3,
    memory_total=16 * 1024**3,
    booted_at=BOOTED_AT,
    version="9.0.3",
)
STATUS: Final = MinecraftStatus(
    players_online=0,
    players_max=20,
    players=(),
    version="1.21.11",
    protocol=774,
    motd="A cosy place",
    latency_ms=7.5,
)


@dataclass(slots=True)
class FakeGuest:
    """A guest as Proxmox lists it."""

    name: str
    running: bool = False
    macs: frozenset[str] = frozenset()


class FakeMachines:
    """Hold the world's state: what is awake, who plays, what runs, what fails.

    Tests change the world by the methods below and then say how the integration learns of it:
    `await machines.glance()` is one look at everything, `await machines.seen()` as many as it
    takes to believe that something is gone.
    """

    def __init__(self, hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> None:
        """Start with everything asleep, in the place of what would reach the network."""
        self._hass = hass
        self.awake = False
        self.pings = False
        self.network = True
        self.node = NODE
        self.guests = {
            SURVIVAL_VMID: FakeGuest("survival"),
            OTHER_VMID: FakeGuest("nextcloud"),
        }
        self.tasks: tuple[Task, ...] = ()
        self.backups: tuple[BackupJob, ...] | None = ()
        self.secretive: set[int] = set()
        self.sees_all_guests = True
        self.games: dict[str, MinecraftStatus | ServerManagerError] = {}
        self.failures: dict[str, ServerManagerError] = {}
        self.calls: list[str] = []
        self.missing_rights: tuple[MissingRight, ...] = ()
        for name, answer in self._answers().items():
            method = create_autospec(getattr(ServerManager, name), side_effect=answer)
            monkeypatch.setattr(ServerManager, name, method)
        rights = create_autospec(ProxmoxAPI.missing_rights, side_effect=self._missing_rights)
        monkeypatch.setattr(ProxmoxAPI, "missing_rights", rights)

    def host_up(self) -> None:
        """Let the host answer everywhere, with the guest of Survival running."""
        self.awake = self.pings = True
        self.guests[SURVIVAL_VMID].running = True

    def everything_up(self) -> None:
        """Let the host answer everywhere, and both of its game servers with nobody on them."""
        self.host_up()
        self.game_up(SURVIVAL)
        self.game_up(CREATIVE)

    def host_booting(self) -> None:
        """Let the host answer pings alone."""
        self.awake, self.pings = False, True

    def host_down(self) -> None:
        """Let the host and all that runs on it fall silent."""
        self.awake = self.pings = False
        self.games.clear()
        for guest in self.guests.values():
            guest.running = False

    def game_up(self, address: str, *players: str, online: int | None = None) -> None:
        """Let a game server answer, with these players listed and `online` of them in all."""
        count = len(players) if online is None else online
        self.games[address] = replace(STATUS, players=players, players_online=count)

    def game_silent(self, address: str) -> None:
        """Let a game server take connections without answering."""
        self.games[address] = HostTimeoutError("no answer", port_open=True)

    def game_crashed(self, address: str) -> None:
        """Close the port of a game server."""
        self.games.pop(address, None)

    def backup_runs(self) -> None:
        """Let a backup run that somebody else started."""
        self.tasks = (
            Task(
                upid="UPID:pve-attic:1",
                kind="vzdump",
                target="200",
                user="root@pam",
                started_at=BOOTED_AT,
                ours=False,
            ),
        )

    def fails(self, method: str, error: ServerManagerError) -> None:
        """Let one of the server manager's methods fail from now on."""
        self.failures[method] = error

    def works(self, method: str) -> None:
        """Let it work again."""
        self.failures.pop(method, None)

    async def glance(self) -> None:
        """Let the integration look at everything once."""
        for entry in self._hass.config_entries.async_loaded_entries(DOMAIN):
            await entry.runtime_data.host.async_look()
            for game in entry.runtime_data.games.values():
                await game.async_refresh()
        await self._hass.async_block_till_done(wait_background_tasks=True)

    async def seen(self) -> None:
        """Let the integration look often enough to believe it."""
        await self.glance()
        await self.glance()

    def _answers(self) -> dict[str, Any]:
        """Return what stands in for each method."""
        return {
            "probe": self._probe,
            "read_node": self._read_node,
            "minecraft_status": self._minecraft_status,
            "wake": self._wake,
            "shut_down": self._shut_down,
            "reboot": self._reboot,
            "start_guest": self._start_guest,
            "shutdown_guest": self._shutdown_guest,
            "reboot_guest": self._reboot_guest,
            "stop_guest": self._stop_guest,
            "guest_macs": self._guest_macs,
        }

    def _fail_if_told(self, method: str) -> None:
        if (error := self.failures.get(method)) is not None:
            raise error

    def _command(self, method: str, *arguments: object) -> None:
        self.calls.append(" ".join([method, *map(str, arguments)]))
        self._fail_if_told(method)

    async def _probe(self, manager: ServerManager, timeout: float) -> Reachability:
        self._fail_if_told("probe")
        if not self.network:
            return Reachability(ping=None, port=None, latency_ms=None, network=False)
        return Reachability(
            ping=self.pings,
            port=self.awake,
            latency_ms=0.5 if self.pings else None,
            network=True,
        )

    async def _read_node(
        self, manager: ServerManager, timeout: float, *, anew: bool = False
    ) -> NodeReading:
        # A real API takes its time: what waits for it must show.
        await asyncio.sleep(0)
        self._fail_if_told("read_node")
        return NodeReading(
            status=self.node,
            guests=tuple(
                Guest(
                    vmid=vmid,
                    name=guest.name,
                    kind=GuestKind.QEMU,
                    status="running" if guest.running else "stopped",
                    running=guest.running,
                    uptime=timedelta(hours=1) if guest.running else timedelta(0),
                    lock=None,
                    template=False,
                )
                for vmid, guest in self.guests.items()
            ),
            tasks=self.tasks,
            backups=self.backups,
            sees_all_guests=self.sees_all_guests,
        )

    async def _missing_rights(self, *_: object, **__: object) -> tuple[MissingRight, ...]:
        return self.missing_rights

    async def _minecraft_status(
        self, manager: ServerManager, address: str, edition: Edition, timeout: float
    ) -> MinecraftStatus:
        answer = self.games.get(address, PortClosedError("refused"))
        if isinstance(answer, ServerManagerError):
            raise answer
        return answer

    async def _wake(self, manager: ServerManager) -> WakeReport:
        self._command("wake")
        return WakeReport(packets_sent=3, destinations=("255.255.255.255",))

    async def _shut_down(self, manager: ServerManager) -> None:
        self._command("shut_down")

    async def _reboot(self, manager: ServerManager) -> None:
        self._command("reboot")

    async def _start_guest(self, manager: ServerManager, vmid: int) -> None:
        self._command("start_guest", vmid)
        self.guests[vmid].running = True

    async def _shutdown_guest(self, manager: ServerManager, vmid: int) -> None:
        self._command("shutdown_guest", vmid)
        self.guests[vmid].running = False

    async def _reboot_guest(self, manager: ServerManager, vmid: int) -> None:
        self._command("reboot_guest", vmid)

    async def _stop_guest(self, manager: ServerManager, vmid: int, patience: timedelta) -> None:
        self._command("stop_guest", vmid)
        self.guests[vmid].running = False
        if vmid == SURVIVAL_VMID:
            self.game_crashed(SURVIVAL)

    async def _guest_macs(
        self, manager: ServerManager, vmids: Iterable[int]
    ) -> Mapping[int, frozenset[str]]:
        self._fail_if_told("guest_macs")
        return {vmid: self.guests[vmid].macs for vmid in vmids if vmid not in self.secretive}
