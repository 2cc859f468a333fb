"""What the guardian keeps about its host and each game server between two steps."""

from abc import ABC, abstractmethod
import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import override

from .lifecycle import instants
from .observation import (
    GameSighting,
    GameSurroundings,
    HostSighting,
    Judgement,
    Presence,
    judge_game,
    judge_host,
)
from .occupancy import Silence
from .ports import GamePort, GuardianPortError, HostPort
from .snapshot import ThingView, Watch, is_wanted
from .status import (
    Cause,
    Command,
    Demand,
    Effect,
    Failure,
    Observation,
    Origin,
    Phase,
    Settings,
    State,
    Status,
)
from .timekeeping import shifted

HOST_GONE_CODE = "connection_error"
_LOOKING_CLOSELY = frozenset({State.WAKING, State.STOPPING})


@dataclass(slots=True, kw_only=True)
class Tracked(ABC):
    """One thing: its status, what was made of its sightings, and what is on its way.

    `orders` counts what it was told, `visits` the states that it has entered: whoever has awaited
    something knows by them that it is out of date. `left` is the state before this one, `falling`
    how far its shutdown has come.
    """

    target: str
    settings: Settings
    status: Status
    judgement: Judgement = field(default_factory=Judgement)
    orders: int = 0
    visits: int = 0
    left: State | None = None
    falling: Phase | None = None
    wake_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    wake_error: GuardianPortError | None = None

    @property
    @abstractmethod
    def vmid(self) -> int | None:
        """Give the guest's number; a host has none."""

    @abstractmethod
    def phase(self, now: datetime) -> Phase | None:
        """Say how far a wake has come."""

    @abstractmethod
    def observe(self, now: datetime, command: Command | None) -> Observation:
        """Give what its next step may know."""

    @abstractmethod
    async def _perform(self, effect: Effect) -> None:
        """Ask the port."""

    async def send(self, effect: Effect) -> None:
        """Have an effect carried out: one Wake at a time, whose end others can wait for."""
        if effect is not Effect.WAKE:
            await self._perform(effect)
            return
        async with self.wake_lock:
            self.wake_error = None
            try:
                await self._perform(effect)
            except GuardianPortError as error:
                self.wake_error = error
                raise

    def shift(self, by: timedelta) -> None:
        """Move everything that is kept with a wall clock that was set."""
        self.status = shifted(self.status, by)
        if self.judgement.seen_at:
            self.judgement = replace(self.judgement, seen_at=self.judgement.seen_at + by)

    def is_outdated(self, seen_at: datetime, last: datetime) -> bool:
        """Say whether something newer was seen; so much newer means that the clock was set back."""
        return last - self.settings.stale_after < seen_at < last

    def progress(self, now: datetime) -> Phase | None:
        """Say how far a wake, or a shutdown, has come."""
        return self.falling if self.status.state is State.STOPPING else self.phase(now)

    def presence(self, now: datetime) -> Presence:
        """Give what is known now."""
        return self.judgement.at(now, self.settings.stale_after)

    @property
    def needs_close_watch(self) -> bool:
        """Say whether seconds matter; what is held, perhaps for days, looks by itself."""
        return self.status.state in _LOOKING_CLOSELY

    def wakeups(self, demand: Demand) -> Iterable[datetime]:
        """Give the instants at which something about it changes by itself."""
        yield from instants(self.status, self.settings, demand)
        if self.judgement.seen_at and self.judgement.presence is not Presence.UNKNOWN:
            yield self.judgement.seen_at + self.settings.stale_after

    def view(self, now: datetime) -> ThingView:
        """Show it."""
        status, presence = self.status, self.presence(now)
        return ThingView(
            state=status.state,
            presence=presence,
            since=status.since,
            cause=status.cause,
            phase=status.phase,
            then=status.then,
            deadline=status.deadline,
            retry_at=status.retry_at,
            wanted=is_wanted(status),
            by=status.by,
            held=status.held,
            degraded=status.state is State.RUNNING and presence is Presence.STARTING,
        )


@dataclass(slots=True, kw_only=True)
class TrackedHost(Tracked):
    """The host, with what was last read from its Proxmox (`can_see`: it has a token).

    `missed` are the guests that were stopped for a shutdown, `guests_stopping` waits for them.
    """

    port: HostPort
    can_see: bool
    sighting: HostSighting | None = None
    read: HostSighting | None = None
    up_since: datetime | None = None
    missed: frozenset[int] = frozenset()
    guests_stopping: asyncio.Task[None] | None = None

    def see(self, sighting: HostSighting) -> bool:
        """Take a sighting in; an older one than the last says nothing any more."""
        last = self.sighting
        if last is not None and self.is_outdated(sighting.seen_at, last.seen_at):
            return False
        if last is None or sighting.seen_at != last.seen_at:
            self._judge(sighting)
        self.sighting = sighting
        if sighting.guests is not None:
            self.read = sighting
        return True

    def _judge(self, sighting: HostSighting) -> None:
        was_up = self.judgement.presence is Presence.UP
        self.judgement = judge_host(sighting, self.judgement)
        if self.judgement.presence is not Presence.UP:
            self.up_since = None
        elif not was_up:
            self.up_since = sighting.seen_at
        if self.judgement.presence is Presence.DOWN:
            self.read = None

    @property
    @override
    def vmid(self) -> int | None:
        return None

    @override
    def shift(self, by: timedelta) -> None:
        Tracked.shift(self, by)
        self.sighting, self.read = _shifted_host(self.sighting, by), _shifted_host(self.read, by)
        self.up_since = self.up_since and self.up_since + by

    @override
    def observe(self, now: datetime, command: Command | None) -> Observation:
        return Observation(presence=self.presence(now), phase=self.progress(now))

    @override
    async def _perform(self, effect: Effect) -> None:
        match effect:
            case Effect.WAKE:
                await self.port.wake()
            case Effect.REBOOT:
                await self.port.reboot()
            case _:
                await self.port.shut_down()

    @override
    def phase(self, now: datetime) -> Phase | None:
        return {Presence.UP: Phase.API, Presence.STARTING: Phase.PING}.get(self.presence(now))

    @property
    def is_gone(self) -> bool:
        """Say whether nothing on it can come up."""
        status = self.status
        failed = status.state is State.FAILED and status.cause is Cause.WAKE
        return status.origin is Origin.LIVE and (status.state is State.OFF or failed)

    @property
    def was_stopped(self) -> bool:
        """Say whether it is off because that was wanted."""
        return self.status.state is State.OFF and self.status.went_down_at is None

    @property
    def sleeps(self) -> bool:
        """Say whether a look now and then is enough."""
        return self.is_gone and self.judgement.presence is not Presence.UP

    @override
    def view(self, now: datetime) -> ThingView:
        """Add that it draws power without a sign of life."""
        hung = self.sighting is not None and self.sighting.hung
        view = Tracked.view(self, now)
        return replace(view, hung=hung and view.presence is not Presence.UP)

    def carries(self, now: datetime) -> bool:
        """Say whether guests can be started and used on it."""
        return self.presence(now) is Presence.UP and self.status.state is not State.STOPPING


@dataclass(slots=True, kw_only=True)
class TrackedGame(Tracked):
    """A game server and the host it runs on.

    `taken_down`: its guest was stopped for its host. `disproved`: it has answered while Proxmox
    says that its guest does not run, so that guest is not where it lives.
    """

    port: GamePort
    host: TrackedHost
    sighting: GameSighting | None = None
    answered: GameSighting | None = None
    silence: Silence = field(default_factory=Silence)
    taken_down: bool = False
    disproved: bool = False

    @property
    @override
    def vmid(self) -> int | None:
        return self.port.vmid

    @property
    def has_guest(self) -> bool:
        """Say whether there is a guest that can be started, stopped and seen."""
        return self.vmid is not None and self.host.can_see

    @override
    def shift(self, by: timedelta) -> None:
        Tracked.shift(self, by)
        self.sighting = _shifted_game(self.sighting, by)
        self.answered = _shifted_game(self.answered, by)
        self.silence = self.silence.shifted(by)

    @override
    async def _perform(self, effect: Effect) -> None:
        match effect:
            case Effect.WAKE:
                await self.port.start()
            case Effect.REBOOT:
                await self.port.reboot()
            case _:
                await self.port.shut_down()

    def see(self, sighting: GameSighting, now: datetime) -> bool:
        """Take a sighting in; an older one than the last says nothing any more."""
        last = self.sighting
        if last is not None and (
            sighting.seen_at == last.seen_at or self.is_outdated(sighting.seen_at, last.seen_at)
        ):
            return False
        self.sighting = sighting
        if sighting.answers:
            self.answered = sighting
            self.taken_down = False
            self.disproved = self.disproved or self._disproves(self.host.read)
        elif sighting.answers is False:
            self.disproved = False
        self.judgement = judge_game(sighting, self._around(now), self.judgement)
        return True

    def look_around(self, now: datetime) -> None:
        """Judge anew after the host was seen."""
        self.judgement = judge_game(None, self._around(now), self.judgement)

    def guest_running(self, now: datetime) -> bool | None:
        """Say what Proxmox last said of the guest, None where that is not known any more."""
        read = self.host.read
        if read is None or not self.has_guest or self.host.presence(now) is not Presence.UP:
            return None
        read_at = read.read_at or read.seen_at
        running = read.guest_running(self.vmid)
        doubtful = not running and (self.disproved or self._disproves(read))
        return None if doubtful or now - read_at >= self.settings.stale_after else running

    def _disproves(self, read: HostSighting | None) -> bool:
        if read is None or self.answered is None or read.guest_running(self.vmid):
            return False
        return self.answered.seen_at > (read.read_at or read.seen_at)

    def _around(self, now: datetime) -> GameSurroundings:
        return GameSurroundings(
            host=self.host.presence(now),
            seen_at=self.host.judgement.seen_at,
            has_guest=self.has_guest,
            guest_running=self.guest_running(now),
        )

    @override
    def observe(self, now: datetime, command: Command | None) -> Observation:
        """Give what its next step may know; a wake whose host is gone has failed."""
        failure = None
        if self.status.cause in {Cause.WAKE, Cause.RESTART} and self.host.is_gone:
            failure = Failure(
                effect=Effect.WAKE, code=HOST_GONE_CODE, called_off=self.host.was_stopped
            )
        return Observation(
            presence=self.presence(now),
            phase=self.progress(now),
            ready=self.host.carries(now),
            send=self.guest_running(now) is False and self._may_start(now, command),
            failure=failure,
        )

    def _may_start(self, now: datetime, command: Command | None) -> bool:
        """Leave guests that start on boot their time, unless the host was up before the wish."""
        wished_at = command.at if command else self.status.since
        up_since = self.host.up_since or now
        return wished_at >= up_since or now >= up_since + self.settings.autostart_delay

    @override
    def phase(self, now: datetime) -> Phase | None:
        if self.presence(now) is Presence.UP:
            return Phase.GAME
        if self.guest_running(now):
            return Phase.GUEST
        return self.host.phase(now)

    @override
    def wakeups(self, demand: Demand) -> Iterable[datetime]:
        """Add the end of the time that guests get to start by themselves, and of a silence."""
        yield from Tracked.wakeups(self, demand)
        if self.silence.due is not None:
            yield self.silence.due
        if self.status.state is State.WAKING and self.host.up_since:
            yield self.host.up_since + self.settings.autostart_delay

    @override
    def view(self, now: datetime) -> ThingView:
        """Add who plays; one lost probe does not empty the server."""
        view = Tracked.view(self, now)
        seen = self.answered
        if seen is None or view.presence is not Presence.UP:
            return view
        return replace(view, players_online=seen.players_online, players=seen.players)


def watch(host: TrackedHost, games: Iterable[TrackedGame], now: datetime) -> Watch:
    """Say how closely to look: a sleeping host costs next to nothing.

    A host that has just come up brings its game servers up next, whoever starts them.
    """
    if host.status.origin is not Origin.LIVE or host.needs_close_watch:
        return Watch.EAGER
    if host.sleeps:
        return Watch.ASLEEP
    settling = host.up_since is not None and now < host.up_since + host.settings.settle_time
    close = any(
        game.needs_close_watch or (settling and game.presence(now) is not Presence.UP)
        for game in games
    )
    return Watch.EAGER if close else Watch.STEADY


def _shifted_host(sighting: HostSighting | None, by: timedelta) -> HostSighting | None:
    if sighting is None:
        return None
    read_at = sighting.read_at and sighting.read_at + by
    return replace(sighting, seen_at=sighting.seen_at + by, read_at=read_at)


def _shifted_game(sighting: GameSighting | None, by: timedelta) -> GameSighting | None:
    return sighting and replace(sighting, seen_at=sighting.seen_at + by)
