"""Plug the server manager into the guardian's ports."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from .coordinator import HostCoordinator, MinecraftCoordinator
from .guardian import (
    BackupDue,
    GameSighting,
    GuardianPortError,
    GuestSighting,
    HostSighting,
    RunningTask,
)
from .observed import GameData, HostData
from .server_manager import (
    GameManagement,
    InvalidInputError,
    NodeReading,
    ServerManager,
    ServerManagerError,
)

SAVE_TIMEOUT: Final = 60.0
# What we start in Proxmox. Anything else by our token was begun by somebody who shares it.
OUR_TASKS: Final = frozenset(
    {
        "hashutdown",
        "hastart",
        "hastop",
        "qmreboot",
        "qmshutdown",
        "qmstart",
        "vzreboot",
        "vzshutdown",
        "vzstart",
    }
)


class HostBinding:
    """Let the guardian wake, shut down and look at the host, and rule its guests."""

    def __init__(
        self,
        manager: ServerManager,
        coordinator: HostCoordinator,
        draws_power: Callable[[], bool | None] = lambda: None,
    ) -> None:
        """Bind the host that `manager` reaches and `coordinator` watches, and its power meter."""
        self._manager = manager
        self._coordinator = coordinator
        self._draws_power = draws_power

    async def wake(self) -> None:
        """Send the magic packets."""
        await _translated(self._manager.wake())

    async def shut_down(self) -> None:
        """Ask the host to power off."""
        await _translated(self._manager.shut_down())

    async def reboot(self) -> None:
        """Ask the host to restart."""
        await _translated(self._manager.reboot())

    async def stop_guest(self, vmid: int, patience: timedelta) -> None:
        """Ask a guest to shut down, and return once it is stopped."""
        await _translated(self._manager.stop_guest(vmid, patience))

    async def start_guest(self, vmid: int) -> None:
        """Start a guest."""
        await _translated(self._manager.start_guest(vmid))

    async def look(self) -> HostSighting:
        """Look at the host afresh."""
        data = await self._coordinator.async_look()
        return host_sighting(data, draws_power=self._draws_power())


class GameBinding:
    """Let the guardian start, stop and look at one game server."""

    def __init__(
        self,
        manager: ServerManager,
        coordinator: MinecraftCoordinator,
        vmid: int | None,
        management: GameManagement | None = None,
    ) -> None:
        """Bind the game server that runs in the guest `vmid`, where that is known."""
        self.vmid = vmid
        self._management = management
        self._manager = manager
        self._coordinator = coordinator

    async def start(self) -> None:
        """Start the guest."""
        await _translated(self._manager.start_guest(self._guest()))

    async def shut_down(self) -> None:
        """Ask the guest to shut down."""
        await _translated(self._manager.shutdown_guest(self._guest()))

    async def reboot(self) -> None:
        """Ask the guest to restart."""
        await _translated(self._manager.reboot_guest(self._guest()))

    async def save(self) -> None:
        """Write the world to disk, where the game server can be told to."""
        if self._management is not None:
            await _translated(self._management.save(timeout=SAVE_TIMEOUT))

    async def look(self) -> GameSighting:
        """Look at the game server afresh."""
        return game_sighting(await self._coordinator.async_look())

    def _guest(self) -> int:
        """Return the guest's id; the guardian refuses such commands where there is none."""
        if self.vmid is None:
            raise GuardianPortError(InvalidInputError.code, "No guest is set")
        return self.vmid


def host_sighting(data: HostData, *, draws_power: bool | None = None) -> HostSighting:
    """Say what `data`, and a power meter where there is one, show in the guardian's words."""
    reach = data.reachability
    sighting = HostSighting(
        seen_at=_seen_at(data), network=False, api=data.api, draws_power=draws_power
    )
    if reach is not None:
        sighting = replace(sighting, ping=reach.ping, port=reach.port, network=reach.network)
    if data.reading is None:
        return sighting
    return _with_reading(sighting, data.reading, data.read_at)


def _with_reading(
    sighting: HostSighting, reading: NodeReading, read_at: datetime | None
) -> HostSighting:
    """Add what Proxmox says of the node."""
    return replace(
        sighting,
        read_at=read_at,
        tasks=tuple(
            RunningTask(kind=task.kind, target=task.target)
            for task in reading.tasks
            if not (task.ours and task.kind in OUR_TASKS)
        ),
        guests=tuple(
            GuestSighting(vmid=guest.vmid, running=guest.running, name=guest.name)
            for guest in reading.guests
        ),
        sees_all_guests=reading.sees_all_guests,
        backups_due=_backups_due(reading),
    )


def _backups_due(reading: NodeReading) -> tuple[BackupDue, ...] | None:
    """Say which backups are planned; None where the jobs cannot be read."""
    if reading.backups is None:
        return None
    return tuple(
        BackupDue(at=job.next_run, job=job.id)
        for job in reading.backups
        if job.enabled and job.next_run is not None
    )


def game_sighting(data: GameData) -> GameSighting:
    """Say what `data` shows in the guardian's words."""
    sighting = GameSighting(seen_at=_seen_at(data), answers=data.answers, port_open=data.port_open)
    if not data.answers or data.status is None:
        return sighting
    return replace(sighting, players_online=data.status.players_online, players=data.status.players)


def _seen_at(data: HostData | GameData) -> datetime:
    """Return when `data` was seen; a look that never came about cannot be judged."""
    if data.seen_at is None:
        raise GuardianPortError(ServerManagerError.code, "The look failed")
    return data.seen_at


async def _translated(call: Awaitable[Any]) -> None:
    """Await `call` and turn its typed error into the guardian's.

    Whether a command without an answer was heard is open: what is seen then decides.
    """
    try:
        await call
    except ServerManagerError as err:
        raise GuardianPortError(err.code, str(err), sent=err.sent) from err
