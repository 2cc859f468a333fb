"""A host and its game servers as the guardian's ports see them, and a clock moved by hand."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from custom_components.cubeguardian.guardian import (
    HOST,
    ApiState,
    BackupDue,
    Caller,
    Event,
    GameSighting,
    Guardian,
    GuardianPortError,
    GuestSighting,
    HostSighting,
    Policy,
    Role,
    RunningTask,
    Settings,
    StoredGuardian,
    ThingView,
)

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOME = Caller(name="Home Assistant", role=Role.HOME_ASSISTANT)
ADMIN = Caller(name="Ada", role=Role.ADMIN)
PLAYER = Caller(name="Alex", role=Role.PLAYER)
SECOND = timedelta(seconds=1)


@dataclass
class Clock:
    """The one clock of a world, or of several; it can be set without time passing."""

    now: datetime = START
    seconds: float = 0.0

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.seconds += seconds

    def be_set(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class HostMachine:
    """What can be seen of the host, and what it was asked to do."""

    clock: Clock
    ping: bool | None = False
    port: bool | None = False
    network: bool = True
    tasks: tuple[RunningTask, ...] | None = ()
    running_guests: set[int] = field(default_factory=set)
    known_guests: tuple[int, ...] = (101,)
    fails: dict[str, GuardianPortError] = field(default_factory=dict)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    seen_before: timedelta = timedelta(0)
    backups_due: tuple[BackupDue, ...] | None = ()
    draws_power: bool | None = None
    names: dict[int, str] = field(default_factory=dict)
    always_running: set[int] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def appear(self) -> None:
        self.ping = self.port = True

    def vanish(self) -> None:
        self.ping = self.port = False
        self.running_guests.clear()

    def sighting(self) -> HostSighting:
        reads = self.port is True and self.tasks is not None
        return HostSighting(
            seen_at=self.clock() - self.seen_before,
            ping=self.ping,
            port=self.port,
            network=self.network,
            api=ApiState.OK if reads else ApiState.FAILING,
            tasks=self.tasks if reads else None,
            guests=self._guests() if reads else None,
            backups_due=self.backups_due if reads else None,
            draws_power=self.draws_power,
        )

    def _guests(self) -> tuple[GuestSighting, ...]:
        running = self.running_guests | self.always_running
        return tuple(
            GuestSighting(vmid=vmid, running=vmid in running, name=self.names.get(vmid, ""))
            for vmid in sorted({*self.known_guests, *running})
        )

    async def _do(self, what: str) -> None:
        self.asked.append(what)
        if gate := self.gates.get(what):
            await gate.wait()
        if error := self.fails.get(what):
            raise error
        self.done.append(what)

    async def wake(self) -> None:
        await self._do("wake")

    async def shut_down(self) -> None:
        await self._do("shut_down")

    async def reboot(self) -> None:
        await self._do("reboot")

    async def stop_guest(self, vmid: int, patience: timedelta) -> None:
        await self._do(f"stop_guest {vmid}")
        self.running_guests.discard(vmid)

    async def start_guest(self, vmid: int) -> None:
        await self._do(f"start_guest {vmid}")
        self.running_guests.add(vmid)

    async def look(self) -> HostSighting:
        await self._do("look")
        return self.sighting()


@dataclass
class GameMachine:
    """What can be seen of a game server; it answers while `answers` and its guest allow it."""

    host: HostMachine
    vmid: int | None = 101
    answers: bool | None = False
    port_open: bool | None = False
    players: tuple[str, ...] = ()
    fails: dict[str, GuardianPortError] = field(default_factory=dict)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def sighting(self) -> GameSighting:
        up = self.answers is True
        return GameSighting(
            seen_at=self.host.clock(),
            answers=self.answers,
            port_open=True if up else self.port_open,
            players_online=len(self.players) if up else None,
            players=self.players if up else (),
        )

    async def _do(self, what: str) -> None:
        self.asked.append(what)
        if gate := self.gates.get(what):
            await gate.wait()
        if error := self.fails.get(what):
            raise error

    async def start(self) -> None:
        await self._do("start")
        assert self.vmid is not None
        self.host.running_guests.add(self.vmid)

    async def shut_down(self) -> None:
        await self._do("shut_down")

    async def reboot(self) -> None:
        await self._do("reboot")

    async def save(self) -> None:
        await self._do("save")

    async def look(self) -> GameSighting:
        await self._do("look")
        return self.sighting()

    def come_up(self) -> None:
        self.answers = True
        if self.vmid is not None:
            self.host.running_guests.add(self.vmid)

    def go_down(self) -> None:
        self.answers = False
        self.players = ()
        self.host.running_guests.discard(self.vmid or 0)


class World:
    """A guardian with its machines, and a record of everything it told."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        games: tuple[str, ...] = (),
        settings: Settings | None = None,
        can_see: bool = True,
        policy: Policy | None = None,
        vmids: tuple[int, ...] = (),
    ) -> None:
        self.clock = clock or Clock()
        self.host = HostMachine(clock=self.clock)
        self.games = {game_id: GameMachine(host=self.host) for game_id in games}
        for game, vmid in zip(self.games.values(), vmids, strict=False):
            game.vmid = vmid
        self.settings = settings or Settings()
        self.can_see = can_see
        self.policy = policy or Policy()
        self.tasks: list[asyncio.Task[None]] = []
        self.events: list[Event] = []
        self.changes = 0
        self.guardian = self._make(None)

    def _make(self, stored: StoredGuardian | None) -> Guardian:
        guardian = Guardian(
            host=self.host,
            games=self.games,
            settings=self.settings,
            clock=self.clock,
            monotonic=self.clock.monotonic,
            policy=self.policy,
            spawn=self._spawn,
            stored=stored,
            can_see=self.can_see,
        )
        self.unsubscribe = guardian.subscribe(self._changed, self.events.append)
        return guardian

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self.tasks.append(asyncio.create_task(work, name=name))

    def _changed(self) -> None:
        self.changes += 1

    def reload(self) -> None:
        """Start the guardian anew from the JSON of what it stored."""
        self.unsubscribe()
        self.guardian = self._make(StoredGuardian.from_dict(self.guardian.stored().to_dict()))

    async def rest(self) -> None:
        """Wait for everything that was spawned."""
        while self.tasks:
            await self.tasks.pop()

    async def see(self, seconds: float = 1) -> None:
        """Let time pass, then see the host and, while it is up, its game servers."""
        self.clock.pass_by(seconds)
        self.guardian.observe_host(self.host.sighting())
        if self.host.port:
            for game_id, game in self.games.items():
                self.guardian.observe_game(game_id, game.sighting())
        await self.rest()

    async def see_without_waiting(self, seconds: float) -> None:
        """See everything after some time, and leave what was begun under way."""
        self.clock.pass_by(seconds)
        self.guardian.observe_host(self.host.sighting())
        for game_id, game in self.games.items():
            self.guardian.observe_game(game_id, game.sighting())
        await self.breathe()

    async def breathe(self) -> None:
        """Let everything that is under way go as far as it can."""
        for _ in range(20):
            await asyncio.sleep(0)

    def hold(self, what: str, target: str = HOST) -> asyncio.Event:
        """Have a machine wait before it does something, until the answer is set."""
        machine = self.host if target == HOST else self.games[target]
        return machine.gates.setdefault(what, asyncio.Event())

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something beside everything else."""
        return asyncio.create_task(work)

    async def watch(self, minutes: float) -> None:
        """Let minutes pass, seeing everything every 15 seconds."""
        for _ in range(round(minutes * 4)):
            await self.see(15)

    async def tick(self, seconds: float = 0) -> None:
        """Let time pass without seeing anything."""
        self.clock.pass_by(seconds)
        self.guardian.tick()
        await self.rest()

    async def asleep(self) -> World:
        """Let the guardian know that everything sleeps."""
        self.host.vanish()
        await self.see()
        await self.see()
        self.events.clear()
        return self

    async def awake(self) -> World:
        """Let the guardian know that everything is up."""
        self.host.appear()
        for game in self.games.values():
            game.come_up()
        await self.see()
        self.events.clear()
        return self

    @property
    def view(self) -> ThingView:
        return self.guardian.snapshot.host

    def game(self, game_id: str) -> ThingView:
        return self.guardian.snapshot.games[game_id]

    def told(self, target: str = HOST) -> list[str]:
        """Give the kinds of the events about one thing since the last time, and forget all."""
        kinds = [event.kind.value for event in self.events if event.target == target]
        self.events.clear()
        return kinds
