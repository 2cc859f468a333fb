"""The guardian: one lifecycle for the host and one for each game server, and their journal.

Everything that decides happens between two awaits, in one step of one thing; ports are awaited
outside of it, and what they come to is handed in again. So nothing can wait for itself.
"""

from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NoReturn

from .errands import Errands
from .journal import Journal, JournalEntry, entry_of
from .lifecycle import begin, step
from .looking import Look, Looker, needs_look
from .moment import refusal
from .observation import GameSighting, HostSighting
from .pace_keeper import PaceKeeper
from .ports import GamePort, GuardianPortError, HostPort, RefusalReason, Refused
from .safety import HOST
from .snapshot import Mode, Snapshot, StoredGuardian, ThingView
from .status import (
    Caller,
    Command,
    CommandKind,
    Demand,
    Effect,
    Event,
    Failure,
    Role,
    Settings,
    State,
)
from .things import Tracked, TrackedGame, TrackedHost, watch

type Clock = Callable[[], datetime]
type Spawn = Callable[[Coroutine[Any, Any, None], str], object]

MODE_CHANGED = "mode_changed"


class Guardian:
    """Decide for one host and its game servers; `target` is HOST or the id of a game server."""

    def __init__(
        self,
        *,
        host: HostPort,
        games: Mapping[str, GamePort],
        settings: Settings,
        clock: Clock,
        spawn: Spawn,
        stored: StoredGuardian | None = None,
        can_see: bool = True,
    ) -> None:
        """Start from what was stored; nothing happens before the first observation.

        `can_see` False: the host has no Proxmox token, so that its tasks and guests are never
        read and never hold anything up.
        """
        self._clock, self._spawn = clock, spawn
        self._settled_at = now = clock()
        self._host = TrackedHost(
            target=HOST,
            settings=settings,
            port=host,
            can_see=can_see,
            status=begin(stored.host if stored else None, settings, now),
        )
        kept = stored.games if stored else {}
        self._games = {
            game_id: TrackedGame(
                target=game_id,
                settings=settings.for_game(),
                port=port,
                host=self._host,
                status=begin(kept.get(game_id), settings, now),
            )
            for game_id, port in games.items()
        }
        self._mode = stored.mode if stored else Mode.MANUAL
        self._mode_reason = stored.mode_reason if stored else ""
        self._journal = Journal(stored.journal if stored else ())
        self._pace = PaceKeeper((HOST, *games), stored.learned if stored else {})
        self._listeners: list[tuple[Callable[[], None], Callable[[Event], None]]] = []
        self._untold: list[Event] = []
        self._errands = Errands()
        self._shown = self._show(now)
        self._looker = Looker(
            host=self._host,
            games=tuple(self._games.values()),
            saw_host=self.observe_host,
            saw_game=self.observe_game,
        )

    @property
    def snapshot(self) -> Snapshot:
        """Give what is shown: it changes only together with a call of `on_change`."""
        return self._shown

    @property
    def next_wakeup(self) -> datetime | None:
        """Give the next instant at which `tick` has something to do."""
        coming = (
            instant
            for thing in self._things()
            for instant in thing.wakeups()
            if instant > self._settled_at
        )
        return min(coming, default=None)

    def stored(self) -> StoredGuardian:
        """Give what has to outlive a restart."""
        return StoredGuardian(
            host=self._host.status,
            games={game_id: game.status for game_id, game in self._games.items()},
            mode=self._mode,
            mode_reason=self._mode_reason,
            journal=self._journal.entries,
            learned=self._pace.learned,
        )

    def subscribe(
        self, on_change: Callable[[], None], on_event: Callable[[Event], None]
    ) -> Callable[[], None]:
        """Tell of every new snapshot, then of the events behind it; call the answer to end it."""
        listener = (on_change, on_event)
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def observe_host(self, sighting: HostSighting) -> None:
        """Take in what was seen of the host."""
        if self._host.see(sighting):
            now = self._clock()
            for game in self._games.values():
                game.look_around(now)
            self._settle()

    def observe_game(self, game_id: str, sighting: GameSighting) -> None:
        """Take in what was seen of a game server."""
        if self._games[game_id].see(sighting, self._clock()):
            self._settle()

    def tick(self) -> None:
        """Act on what has become due."""
        self._settle()

    def set_mode(self, mode: Mode, reason: str, caller: Caller) -> None:
        """Change the mode; `reason` is told to the players whose commands maintenance refuses."""
        if caller.role is Role.PLAYER:
            raise Refused(RefusalReason.NOT_ALLOWED)
        if mode is Mode.AUTOMATIC:
            raise Refused(RefusalReason.AUTOMATIC_NOT_AVAILABLE)
        if (mode, reason) == (self._mode, self._mode_reason):
            return
        self._mode, self._mode_reason = mode, reason
        self._journal.add(
            JournalEntry(
                at=self._clock(),
                kind=MODE_CHANGED,
                target=HOST,
                by=caller.name,
                details={"mode": mode.value, "reason": reason},
            )
        )
        self._settle()

    async def wake(self, target: str, caller: Caller) -> None:
        """Wake the host or a game server, and the host before it.

        Return once the packet is out. Raise Refused, or the port's GuardianPortError where it
        could not be sent.
        """
        thing = self._thing(target)
        if thing is not self._host:
            await self.wake(HOST, caller)
        command = self._command(CommandKind.WAKE, caller)
        self._allow(thing, command)
        thing.wishes += 1
        if effects := self._obey(thing, command):
            await self._carry_out_all(thing, effects)
        else:
            await self._wake_under_way(thing)

    async def shut_down(
        self,
        target: str,
        caller: Caller,
        delay: timedelta = timedelta(0),
        *,
        force: bool = False,
    ) -> None:
        """Look, then shut down or raise Refused; with a delay announce it and look at its end.

        Raise the port's GuardianPortError where the shutdown was not accepted.
        """
        thing = self._thing(target)
        await self._lower(thing, self._command(CommandKind.STOP, caller, delay, force=force))

    async def restart(self, target: str, caller: Caller, *, force: bool = False) -> None:
        """Look, then reboot or raise Refused; raise GuardianPortError where it was not accepted."""
        thing = self._thing(target)
        await self._lower(thing, self._command(CommandKind.RESTART, caller, force=force))

    async def cancel_shutdown(self, target: str, caller: Caller) -> None:
        """Stop a countdown, or raise Refused where there is nothing to cancel."""
        thing = self._thing(target)
        command = self._command(CommandKind.CANCEL, caller)
        self._allow(thing, command)
        thing.wishes += 1
        self._obey(thing, command)

    def _things(self) -> Iterator[Tracked]:
        yield self._host
        yield from self._games.values()

    def _thing(self, target: str) -> Tracked:
        return self._host if target == HOST else self._games[target]

    def _command(
        self,
        kind: CommandKind,
        caller: Caller,
        delay: timedelta = timedelta(0),
        *,
        force: bool = False,
    ) -> Command:
        return Command(kind=kind, by=caller, at=self._clock(), delay=delay, force=force)

    def _allow(self, thing: Tracked, command: Command) -> None:
        """Refuse what this caller may not do now, and what cannot be done to this thing."""
        role = command.by.role
        if self._mode is Mode.MAINTENANCE and role is Role.PLAYER:
            self._refuse(thing, command, RefusalReason.MAINTENANCE)
        if command.force and role is not Role.HOME_ASSISTANT:
            self._refuse(thing, command, RefusalReason.NOT_ALLOWED)
        lowers = command.kind in {CommandKind.STOP, CommandKind.RESTART}
        if lowers and isinstance(thing, TrackedGame) and not thing.has_guest:
            off = thing.status.state is State.OFF
            if not (off and command.kind is CommandKind.STOP):
                self._refuse(thing, command, RefusalReason.NO_GUEST)

    def _refuse(self, thing: Tracked, command: Command, reason: RefusalReason) -> NoReturn:
        self._record(thing, refusal(command, reason), self._clock())
        self._settle()
        told = {"reason": self._mode_reason} if reason is RefusalReason.MAINTENANCE else {}
        raise Refused(reason, placeholders=told)

    async def _lower(self, thing: Tracked, command: Command) -> None:
        """Carry out a stop or a restart, on fresh sightings only.

        A wake or a cancel that comes during the look is the newer wish.
        """
        self._allow(thing, command)
        look = None
        if needs_look(thing.status, command):
            wishes = thing.wishes
            look = await self._looker.look(thing, command.at)
            if thing.wishes != wishes:
                self._refuse(thing, command, RefusalReason.SUPERSEDED)
        effects = self._obey(thing, command, look)
        await self._carry_out_all(thing, effects)

    def _obey(
        self, thing: Tracked, command: Command, look: Look | None = None
    ) -> tuple[Effect, ...]:
        """Take one step with a command; raise what it was refused with."""
        effects = self._step(thing, command=command, look=look)
        refused = next((event for event in self._untold if event.reason is not None), None)
        self._settle()
        if refused is not None and refused.reason is not None:
            raise Refused(refused.reason, refused.hold_ups)
        return effects

    def _step(
        self,
        thing: Tracked,
        *,
        command: Command | None = None,
        look: Look | None = None,
        failure: Failure | None = None,
    ) -> tuple[Effect, ...]:
        """Take one step of one thing and record what happened."""
        now = self._clock()
        observation = thing.observe(now, command)
        if look is not None:
            observation = replace(observation, looked_at=look.looked_at, hold_ups=look.hold_ups)
        if failure is not None:
            observation = replace(observation, failure=failure)
        transition = step(thing.status, observation, Demand(command=command), thing.settings, now)
        self._pace.observe(thing.target, thing.status, transition, observation.presence, now)
        thing.status = transition.status
        for event in transition.events:
            self._record(thing, event, now)
        return transition.effects

    def _record(self, thing: Tracked, event: Event, now: datetime) -> None:
        """Keep an event in the journal, and until it is told."""
        told = replace(event, target=thing.target, at=now)
        self._untold.append(told)
        self._journal.add(entry_of(told, now))

    def _settle(self) -> None:
        """Let everything act on what is known now, the host first, then tell what changed."""
        now = self._clock()
        for thing in self._things():
            for effect in self._step(thing):
                self._start(thing, effect)
        self._settled_at = now
        self._tell(now)

    def _start(self, thing: Tracked, effect: Effect) -> None:
        """Carry out an effect that nobody waits for."""
        if effect is Effect.WAKE and thing.wake_lock.locked():
            return
        if effect is Effect.LOOK:
            work = self._look(thing, thing.status.look_asked_at or self._clock())
        else:
            work = self._carry_out_alone(thing, effect)
        self._spawn(work, f"cubeguardian {effect.value} {thing.target}")

    def _tell(self, now: datetime) -> None:
        shown, events = self._show(now), tuple(self._untold)
        self._untold.clear()
        changed, self._shown = shown != self._shown, shown
        for on_change, on_event in tuple(self._listeners):
            if changed:
                on_change()
            for event in events:
                on_event(event)

    async def _look(self, thing: Tracked, asked_at: datetime) -> None:
        """C4: look, and hand in what was found."""
        look = await self._looker.look(thing, asked_at)
        for effect in self._step(thing, look=look):
            self._start(thing, effect)
        self._settle()

    async def _carry_out_all(self, thing: Tracked, effects: tuple[Effect, ...]) -> None:
        """Carry out what a command came to; its caller hears of a failure.

        The state has changed already: a cancelled caller must not keep the effect from going out.
        """
        if effects:
            await self._errands.run(self._carry_out_each(thing, effects))

    async def _carry_out_each(self, thing: Tracked, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            await self._carry_out(thing, effect, first=True)

    async def _carry_out_alone(self, thing: Tracked, effect: Effect) -> None:
        """Carry out what nobody waits for: a failure is told by the events of its step."""
        try:
            await self._carry_out(thing, effect, first=effect is not Effect.WAKE)
        except GuardianPortError:
            return

    async def _carry_out(self, thing: Tracked, effect: Effect, *, first: bool) -> None:
        """Call the port; a failure counts only for the state that asked for the effect."""
        since = thing.status.since
        try:
            await thing.send(effect)
        except GuardianPortError as error:
            if error.sent:
                return
            if thing.status.since == since:
                self._step(thing, failure=Failure(effect=effect, code=error.code, first=first))
                self._settle()
            raise

    async def _wake_under_way(self, thing: Tracked) -> None:
        """Wait for a Wake that is being sent already, and share its failure."""
        if not thing.wake_lock.locked():
            return
        async with thing.wake_lock:
            error = thing.wake_error
        if error is not None and thing.status.state is State.FAILED:
            raise GuardianPortError(error.code, str(error))

    def _view(self, thing: Tracked, now: datetime) -> ThingView:
        return replace(thing.view(now), estimate=self._pace.estimate(thing.target))

    def _show(self, now: datetime) -> Snapshot:
        return Snapshot(
            host=self._view(self._host, now),
            games={game_id: self._view(game, now) for game_id, game in self._games.items()},
            mode=self._mode,
            mode_reason=self._mode_reason,
            watch=watch(self._host, self._games.values(), now),
            journal=self._journal.entries,
        )
