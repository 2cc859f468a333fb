"""The guardian: what can be told to it, asked of it, and shown of it."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import NoReturn

from .carrying import Spawn
from .demand import Lease, Source
from .engine import Engine
from .looking import needs_look
from .moment import refusal
from .observation import GameSighting, HostSighting
from .policy import Policy
from .ports import GamePort, HostPort, RefusalReason, Refused
from .safety import HOST
from .snapshot import Mode, Snapshot, StoredGuardian
from .status import Caller, Command, CommandKind, Event, Role, Settings, State
from .things import Tracked, TrackedGame
from .timekeeping import Clock, Monotonic, Timekeeper

MODE_CHANGED = "mode_changed"
KEEP_AWAKE_CHANGED = "keep_awake_changed"
_NO_DELAY = timedelta(0)


class Guardian:
    """Decide for one host and its game servers; `target` is HOST or the id of a game server."""

    def __init__(  # noqa: PLR0913 - every part is plugged in by its name
        self,
        *,
        host: HostPort,
        games: Mapping[str, GamePort],
        settings: Settings,
        clock: Clock,
        monotonic: Monotonic,
        spawn: Spawn,
        policy: Policy,
        stored: StoredGuardian | None = None,
        can_see: bool = True,
    ) -> None:
        """Start from what was stored; nothing happens before the first observation.

        `monotonic` counts seconds, so that a wall clock that is set expires nothing. `can_see`
        False: the host has no Proxmox token, so that its tasks and guests are never read and
        never hold anything up.
        """
        self._engine = Engine(
            host=host,
            games=games,
            settings=settings,
            time=Timekeeper(clock, monotonic),
            spawn=spawn,
            policy=policy,
            stored=stored,
            can_see=can_see,
        )
        self._wishes, self._carrier = self._engine.wishes, self._engine.carrier

    @property
    def snapshot(self) -> Snapshot:
        """Give what is shown: it changes only together with a call of `on_change`."""
        return self._engine.shown

    @property
    def next_wakeup(self) -> datetime | None:
        """Give the next instant at which `tick` has something to do."""
        return self._engine.next_wakeup()

    def stored(self) -> StoredGuardian:
        """Give what has to outlive a restart."""
        return self._engine.stored()

    def subscribe(
        self, on_change: Callable[[], None], on_event: Callable[[Event], None]
    ) -> Callable[[], None]:
        """Tell of every new snapshot, then of the events behind it; call the answer to end it."""
        return self._engine.subscribe((on_change, on_event))

    def close(self) -> None:
        """Let nothing go out any more: another guardian takes over, from what is stored."""
        self._carrier.close()

    def observe_host(self, sighting: HostSighting) -> None:
        """Take in what was seen of the host."""
        self._engine.see_host(sighting)

    def observe_game(self, game_id: str, sighting: GameSighting) -> None:
        """Take in what was seen of a game server."""
        self._engine.see_game(game_id, sighting)

    def tick(self) -> None:
        """Act on what has become due."""
        self._engine.settle()

    def report(
        self,
        source: Source,
        target: str,
        present: Mapping[str, str],
        unknown: frozenset[str] = frozenset(),
    ) -> None:
        """Take in who or what wants a thing now, by key and shown name; `unknown` cannot be told.

        Only a key that is new wakes, not one that the first report brings, and not past a veto:
        whoever is reported counts as a player.
        """
        declined = self._wishes.is_told_to_stop(target)
        now = self._engine.read_clock()
        is_new = self._wishes.keeper.report(
            source, target, present, now, unknown=unknown, declined=declined
        )
        if is_new and not self._wishes.forbidden(source, Role.PLAYER):
            self._engine.rally(target)
        self._engine.settle()

    def set_vetoes(self, vetoes: Mapping[str, str]) -> None:
        """Take in what forbids players to wake: its key and the text that they are told."""
        self._wishes.vetoes = dict(vetoes)
        self._engine.settle()

    def protect(self, vmids: frozenset[int]) -> None:
        """Take in which guests are Home Assistant itself: their host is never shut down."""
        self._wishes.protected = vmids
        self._engine.settle()

    def set_idle_minutes(self, minutes: int) -> None:
        """Set how long the countdown of an idle host lasts, 1 to 180 min; ValueError else."""
        self._wishes.set_idle_minutes(minutes)
        self._engine.settle()

    def keep_awake(self, on: bool, caller: Caller, duration: timedelta | None = None) -> None:
        """Keep the host up, for a time or until it is switched off; in automatic mode wake it.

        Nobody on Discord makes shorter by it what somebody has asked for already.
        """
        self._meet_maintenance(caller)
        now = self._engine.read_clock()
        until = now + duration if duration else None
        if on:
            self._meet_vetoes(caller)
            held = self.snapshot.keep_awake
            if held and caller.role is not Role.HOME_ASSISTANT and not _ends_before(held, until):
                return
        is_new = self._wishes.keeper.keep_awake(on, caller, until, now)
        details = {"on": str(on).lower(), **({"until": until.isoformat()} if until else {})}
        self._engine.note(KEEP_AWAKE_CHANGED, caller, details)
        if is_new:
            self._count(self._engine.host)
            self._engine.rally(HOST)
        self._engine.settle()

    def set_mode(self, mode: Mode, reason: str, caller: Caller) -> None:
        """Change the mode; `reason` is told to the players whose commands maintenance refuses."""
        if caller.role is Role.PLAYER:
            raise Refused(RefusalReason.NOT_ALLOWED)
        wishes = self._wishes
        if (mode, reason) == (wishes.mode, wishes.mode_reason):
            return
        before, wishes.mode, wishes.mode_reason = wishes.mode, mode, reason
        details = {"mode": mode.value, "reason": reason, "before": before.value}
        self._engine.note(MODE_CHANGED, caller, details)
        self._engine.settle()

    def note(
        self,
        kind: str,
        caller: Caller,
        details: Mapping[str, str],
        *,
        target: str = HOST,
        error: str | None = None,
    ) -> None:
        """Write into the journal what somebody asked for; `error`: the code of why it was not done.

        Nothing else comes of it. `kind` is none of EventKind, so that no report counts it.
        """
        self._engine.note(kind, caller, details, target=target, error=error)
        self._engine.settle()

    async def wake(self, target: str, caller: Caller, source: Source = Source.ACTION) -> None:
        """Wake the host or a game server, and the host before it.

        Return once the packet is out. Raise Refused, or the port's GuardianPortError where it
        could not be sent. A stop that comes meanwhile is the newer wish.
        """
        thing, host = self._engine.thing(target), self._engine.host
        command = self._command(CommandKind.WAKE, caller)
        self._allow(thing, command)
        if forbidden := self._wishes.forbidden(source, caller.role):
            self._refuse(thing, command, RefusalReason.FORBIDDEN, forbidden)
        for each in () if thing is host else (host, *self._wishes.about_to_stop_with(thing)):
            await self._wake(each, command, target, source)
            if not self._wishes.keeper.is_asked(target, source, caller):
                self._refuse(thing, command, RefusalReason.SUPERSEDED)
        await self._wake(thing, command, target, source)
        if self._wishes.keeper.is_asked(target, source, caller):
            self._engine.rally(target)
        self._engine.settle()

    async def shut_down(
        self, target: str, caller: Caller, delay: timedelta = _NO_DELAY, *, force: bool = False
    ) -> None:
        """Look, then shut down or raise Refused; with a delay announce it and look at its end.

        Return once worlds are saved, guests are down and the host has accepted. Raise the port's
        GuardianPortError where the shutdown was not accepted, Refused where it was turned back.
        """
        command = self._command(CommandKind.STOP, caller, delay, force=force)
        await self._lower(self._engine.thing(target), command)

    async def restart(self, target: str, caller: Caller, *, force: bool = False) -> None:
        """Look, then reboot or raise Refused; raise GuardianPortError where it was not accepted."""
        command = self._command(CommandKind.RESTART, caller, force=force)
        await self._lower(self._engine.thing(target), command)

    async def cancel_shutdown(self, target: str, caller: Caller) -> None:
        """Stop a countdown, or raise Refused where there is nothing to cancel."""
        thing = self._engine.thing(target)
        command = self._command(CommandKind.CANCEL, caller)
        self._allow(thing, command)
        self._count(thing)
        self._engine.obey(
            thing, command, heed=lambda: self._wishes.keeper.cancel(target, caller, command.at)
        )

    def _command(
        self,
        kind: CommandKind,
        caller: Caller,
        delay: timedelta = _NO_DELAY,
        *,
        force: bool = False,
    ) -> Command:
        return Command(kind=kind, by=caller, at=self._engine.read_clock(), delay=delay, force=force)

    def _meet_maintenance(self, caller: Caller) -> None:
        if self._wishes.mode is Mode.MAINTENANCE and caller.role is Role.PLAYER:
            told = {"reason": self._wishes.mode_reason}
            raise Refused(RefusalReason.MAINTENANCE, placeholders=told)

    def _meet_vetoes(self, caller: Caller) -> None:
        """Refuse players what may wake the host; what is up may stay so."""
        if self._engine.host.status.state in {State.RUNNING, State.COUNTDOWN}:
            return
        if forbidden := self._wishes.forbidden(Source.DISCORD, caller.role):
            raise Refused(RefusalReason.FORBIDDEN, placeholders={"reason": forbidden})

    def _allow(self, thing: Tracked, command: Command) -> None:
        """Refuse what this caller may not do now, and what cannot be done to this thing."""
        role = command.by.role
        if self._wishes.mode is Mode.MAINTENANCE and role is Role.PLAYER:
            self._refuse(thing, command, RefusalReason.MAINTENANCE, self._wishes.mode_reason)
        if command.force and role is not Role.HOME_ASSISTANT:
            self._refuse(thing, command, RefusalReason.NOT_ALLOWED)
        lowers = command.kind in {CommandKind.STOP, CommandKind.RESTART}
        if lowers and isinstance(thing, TrackedGame) and not thing.has_guest:
            off = thing.status.state is State.OFF
            if not (off and command.kind is CommandKind.STOP):
                self._refuse(thing, command, RefusalReason.NO_GUEST)

    def _refuse(
        self, thing: Tracked, command: Command, reason: RefusalReason, told: str | None = None
    ) -> NoReturn:
        self._engine.record(thing, refusal(command, reason))
        self._engine.settle()
        raise Refused(reason, placeholders={} if told is None else {"reason": told})

    async def _wake(self, thing: Tracked, command: Command, target: str, source: Source) -> None:
        """Give the command to one thing; the lease is on what was asked for."""
        counting = thing.status.state is State.COUNTDOWN
        keeper, caller = self._wishes.keeper, command.by

        def heed() -> None:
            if counting:
                keeper.cancel(target, caller, command.at)
            keeper.ask(target, source, caller, command.at)

        self._count(thing)
        if effects := self._engine.obey(thing, command, heed=heed):
            await self._carrier.carry_out(thing, effects)
        else:
            await self._carrier.wake_under_way(thing)

    async def _lower(self, thing: Tracked, command: Command) -> None:
        """Carry out a stop or a restart, on fresh sightings only.

        A wake or a cancel that comes during the look is the newer wish.
        """
        self._allow(thing, command)
        look = None
        if needs_look(thing.status, command):
            orders = thing.orders
            look = await self._engine.looker.look(thing, command.at)
            if thing.orders != orders or self._carrier.closed:
                self._refuse(thing, command, RefusalReason.SUPERSEDED)
        effects = self._engine.obey(
            thing, command, look=look, heed=lambda: self._heed_lowering(thing, command)
        )
        await self._carrier.carry_out(thing, effects)

    def _heed_lowering(self, thing: Tracked, command: Command) -> None:
        """Whoever wanted it up is overruled by a stop, not by a restart."""
        if command.kind is CommandKind.STOP:
            self._wishes.keeper.decline(thing.target, command.at)

    def _count(self, thing: Tracked) -> None:
        """Note a newer order, for everything that lives in the same guest."""
        for each in (thing, *self._wishes.sharing(thing.target)):
            each.orders += 1


def _ends_before(lease: Lease, until: datetime | None) -> bool:
    """Say whether a lease ends before an instant; None is no end at all."""
    return lease.until is not None and (until is None or lease.until < until)
