"""Plug the server manager into the guardian's ports."""

from collections.abc import Awaitable
from dataclasses import replace
from datetime import datetime
from typing import Any

from .coordinator import HostCoordinator, MinecraftCoordinator
from .guardian import (
    GameSighting,
    GuardianPortError,
    GuestSighting,
    HostSighting,
    RunningTask,
)
from .observed import GameData, HostData
from .server_manager import (
    InvalidInputError,
    ServerManager,
    ServerManagerError,
)


class HostBinding:
    """Let the guardian wake, shut down and look at the host."""

    def __init__(self, manager: ServerManager, coordinator: HostCoordinator) -> None:
        """Bind the host that `manager` reaches and `coordinator` watches."""
        self._manager = manager
        self._coordinator = coordinator

    async def wake(self) -> None:
        """Send the magic packets."""
        await _translated(self._manager.wake())

    async def shut_down(self) -> None:
        """Ask the host to power off."""
        await _translated(self._manager.shut_down())

    async def reboot(self) -> None:
        """Ask the host to restart."""
        await _translated(self._manager.reboot())

    async def look(self) -> HostSighting:
        """Look at the host afresh."""
        return host_sighting(await self._coordinator.async_look())


class GameBinding:
    """Let the guardian start, stop and look at one game server."""

    def __init__(
        self, manager: ServerManager, coordinator: MinecraftCoordinator, vmid: int | None
    ) -> None:
        """Bind the game server that runs in the guest `vmid`, where that is known."""
        self.vmid = vmid
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

    async def look(self) -> GameSighting:
        """Look at the game server afresh."""
        return game_sighting(await self._coordinator.async_look())

    def _guest(self) -> int:
        """Return the guest's id; the guardian refuses such commands where there is none."""
        if self.vmid is None:
            raise GuardianPortError(InvalidInputError.code, "No guest is set")
        return self.vmid


def host_sighting(data: HostData) -> HostSighting:
    """Say what `data` shows in the guardian's words."""
    reach, reading = data.reachability, data.reading
    sighting = HostSighting(seen_at=_seen_at(data), network=False, api=data.api)
    if reach is not None:
        sighting = replace(sighting, ping=reach.ping, port=reach.port, network=reach.network)
    if reading is not None:
        sighting = replace(
            sighting,
            read_at=data.read_at,
            tasks=tuple(
                RunningTask(kind=task.kind, target=task.target)
                for task in reading.tasks
                if not task.ours
            ),
            guests=tuple(
                GuestSighting(vmid=guest.vmid, running=guest.running) for guest in reading.guests
            ),
        )
    return sighting


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
