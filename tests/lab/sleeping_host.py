"""A machine that sleeps until a magic packet wakes it, and goes down when it is told to."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Mapping
import contextlib
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
import socket
import time
from typing import Any, Protocol

from .minecraft import GameServer
from .nic import LoopbackNic, Nic
from .pve import LabPve

MAC = "02:00:00:00:00:42"
_GUEST_POLL = 0.02


class Power(StrEnum):
    """The states that the machine itself knows."""

    ASLEEP = "asleep"
    BOOTING = "booting"
    UP = "up"
    STOPPING = "stopping"


class Link(Protocol):
    """What makes the machine's address answer, or not, to a ping."""

    async def up(self) -> None:
        """Take the address."""

    async def down(self) -> None:
        """Give the address up."""


class LoopbackLink:
    """Loopback: every address always answers, so there is nothing to do."""

    async def up(self) -> None:
        """Do nothing."""

    async def down(self) -> None:
        """Do nothing."""


class InterfaceLink:
    """An address on an interface of a namespace of our own."""

    def __init__(self, interface: str, address: str) -> None:
        """Remember interface and address ("10.77.0.2/24")."""
        self._interface = interface
        self._address = address

    async def up(self) -> None:
        """Take the address."""
        await _run("ip", "addr", "add", self._address, "brd", "+", "dev", self._interface)

    async def down(self) -> None:
        """Give the address up."""
        # Its own address alone: other machines of the lab may share the interface.
        only = ("to", self._address.partition("/")[0])
        await _run("ip", "addr", "flush", "dev", self._interface, *only)


@dataclass(frozen=True, slots=True, kw_only=True)
class BootTimes:
    """How long each part of a start takes, and `halt` after the last guest's end, in seconds."""

    firmware: float = 0.1
    api: float = 0.1
    guests: float = 0.05
    game: float = 0.05
    halt: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One thing that happened to the machine."""

    at: float
    what: str
    detail: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it in a form that JSON can hold."""
        return {"at": self.at, "what": self.what, "detail": self.detail}


@dataclass(slots=True, kw_only=True)
class _Game:
    server: GameServer
    vmid: int
    started_at: float | None = None
    up: asyncio.Event = field(default_factory=asyncio.Event)


class SleepingHost:
    """The machine: a network card, a Proxmox node, game servers in its guests.

    A game server runs while its guest runs, and ends as soon as that is told to end. Used as an
    async context manager; it begins asleep.
    """

    def __init__(
        self,
        pve: LabPve,
        *,
        games: Mapping[int, GameServer] | None = None,
        nic: Nic | None = None,
        link: Link | None = None,
        times: BootTimes | None = None,
    ) -> None:
        """Put the machine together; `games` maps the vmid of a guest to what runs in it."""
        self.pve = pve
        self.nic: Nic = nic or LoopbackNic(MAC, ((pve.host, 0),))
        self.times = times or BootTimes()
        self.power = Power.ASLEEP
        self.history: list[Moment] = []
        self._games = [_Game(server=s, vmid=v) for v, s in (games or {}).items()]
        self._link: Link = link or LoopbackLink()
        self._commands: asyncio.Queue[str] = asyncio.Queue()
        self._button = asyncio.Event()
        self._changed = asyncio.Event()
        self._life: asyncio.Task[None] | None = None
        self._guests: asyncio.Task[None] | None = None
        pve.power_handler = self._commands.put

    @property
    def address(self) -> str:
        """The address that the host has while it is up."""
        return str(self.pve.host)

    async def __aenter__(self) -> SleepingHost:
        """Plug the machine in: its card listens, everything else is off."""
        self.pve.port = self.pve.port or free_port(self.address)
        for guest in self.pve.all_guests():
            guest.status = "stopped"
        await self.nic.open()
        self._begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Unplug the machine."""
        await self._end()
        self.nic.close()

    async def power_cut(self) -> None:
        """Tear the power away, whatever the machine is doing; it is asleep afterwards."""
        await self._end()
        self._note("power_cut")
        self._begin()

    async def power_button(self) -> None:
        """Press the button: a sleeping machine boots, a running one shuts down cleanly."""
        if self.power is Power.ASLEEP:
            self._button.set()
        elif self.power is Power.UP:
            await self._commands.put("shutdown")

    async def reboot_itself(self) -> None:
        """Restart as after an update: nobody asked for it over the API."""
        await self._commands.put("reboot")

    async def reached(self, power: Power, timeout: float = 20) -> None:
        """Wait until the machine is in this state."""
        async with asyncio.timeout(timeout):
            while self.power is not power:
                self._changed.clear()
                await self._changed.wait()

    async def games_up(self, timeout: float = 20) -> None:
        """Wait until every game server can be joined."""
        async with asyncio.timeout(timeout):
            await asyncio.gather(*(game.up.wait() for game in self._games))

    def evidence(self) -> dict[str, Any]:
        """Return all that the machine saw, in a form that JSON can hold."""
        return {
            "address": self.address,
            "api_port": self.pve.port,
            "power": self.power,
            "history": [moment.to_dict() for moment in self.history],
            "packets": [packet.to_dict() for packet in self.nic.packets],
            "requests": [call.to_dict() for call in self.pve.calls],
            "games": {str(game.vmid): game.server.evidence() for game in self._games},
        }

    def _begin(self) -> None:
        self._fall_asleep()
        self._life = asyncio.create_task(self._live())

    async def _end(self) -> None:
        for task in (self._life, self._guests):
            await _cancelled(task)
        await asyncio.gather(*(self._game_down(game) for game in self._games))
        await self.pve.cut()
        await self._link.down()
        while not self._commands.empty():
            self._commands.get_nowait()

    async def _live(self) -> None:
        while True:
            await self._sleep()
            command = "reboot"
            while command == "reboot":
                await self._boot()
                command = await self._commands.get()
                await self._halt(command)
            self._fall_asleep()

    def _fall_asleep(self) -> None:
        self.nic.forget()
        self._button.clear()
        self._enter(Power.ASLEEP)

    async def _sleep(self) -> None:
        waits = {
            "magic_packet": asyncio.create_task(self.nic.woken()),
            "power_button": asyncio.create_task(self._button.wait()),
        }
        try:
            await asyncio.wait(waits.values(), return_when=asyncio.FIRST_COMPLETED)
            self._note("woken", next(cause for cause, task in waits.items() if task.done()))
        finally:
            for task in waits.values():
                task.cancel()

    async def _boot(self) -> None:
        self._enter(Power.BOOTING)
        await asyncio.sleep(self.times.firmware)
        await self._link.up()
        self._note("network_up")
        await asyncio.sleep(self.times.api)
        await self.pve.start()
        self._note("api_up")
        self._guests = asyncio.create_task(self._follow_guests())
        await asyncio.sleep(self.times.guests)
        self.pve.boot_guests()
        self._note("guests_started")
        self._enter(Power.UP)

    async def _halt(self, command: str) -> None:
        self._enter(Power.STOPPING, command)
        await self.pve.stop_guests()
        await _cancelled(self._guests)
        await asyncio.gather(*(self._game_down(game) for game in self._games))
        self._note("guests_stopped")
        await asyncio.sleep(self.times.halt)
        await self.pve.stop()
        self._note("api_down")
        await self._link.down()
        self._note("network_down")

    async def _follow_guests(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            for game in self._games:
                await stack.enter_async_context(_companion(self._follow(game)))
            await asyncio.Event().wait()

    async def _follow(self, game: _Game) -> None:
        guest = self.pve.find_guest(game.vmid)
        while True:
            runs = guest.status == "running" and game.vmid not in self.pve.going_down
            if game.up.is_set() and not (runs and guest.started_at == game.started_at):
                await self._game_down(game)
            elif runs and not game.up.is_set():
                game.started_at = guest.started_at
                await asyncio.sleep(self.times.game)
                await self._game_up(game)
            await asyncio.sleep(_GUEST_POLL)

    async def _game_up(self, game: _Game) -> None:
        try:
            await game.server.start()
        except (OSError, RuntimeError) as error:
            self._note("game_failed", f"{game.vmid}: {error}")
            return
        game.up.set()
        self._note("game_up", str(game.vmid))

    async def _game_down(self, game: _Game) -> None:
        await game.server.stop()
        if game.up.is_set():
            game.up.clear()
            self._note("game_down", str(game.vmid))

    def _enter(self, power: Power, detail: str = "") -> None:
        self.power = power
        self._note(power, detail)
        self._changed.set()

    def _note(self, what: str, detail: str = "") -> None:
        self.history.append(Moment(at=time.time(), what=str(what), detail=detail))


@contextlib.asynccontextmanager
async def _companion(work: Coroutine[None, None, None]) -> AsyncGenerator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        await _cancelled(task)


async def _cancelled(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def free_port(address: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port of this address that nobody uses now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def lab_host(
    directory: Path,
    *,
    address: str = "127.0.0.2",
    games: Mapping[int, GameServer] | None = None,
    times: BootTimes | None = None,
    api_port: int = 0,
    shutdown_seconds: float = 0.1,
) -> SleepingHost:
    """Return a sleeping host on loopback with a token, its rights and one VM per game server."""
    pve = LabPve(directory, host=address, port=api_port)
    for vmid in games or {}:
        pve.add_guest(vmid, f"minecraft-{vmid}", running=False, shutdown_seconds=shutdown_seconds)
    pve.add_token(game_guests=tuple(games or {}))
    return SleepingHost(pve, games=games, times=times)


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command)
    if code := await process.wait():
        raise RuntimeError(f"{command[0]} ended with {code}")
