"""The works of the guardian: what is known of each thing, the steps it takes, and who is told."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from .carrying import Carrier, Spawn
from .demand import Lease, Source
from .journal import Journal, JournalEntry, entry_of
from .lifecycle import begin, step
from .looking import Look, Looker
from .observation import GameSighting, HostSighting, Presence
from .occupancy import watch_over
from .pace_keeper import PaceKeeper
from .policy import Policy
from .ports import GamePort, HostPort, Refused
from .safety import HOST
from .snapshot import Snapshot, StoredGuardian, ThingView
from .status import (
    Caller,
    Command,
    Effect,
    Event,
    EventKind,
    Failure,
    Settings,
    Severity,
    State,
)
from .things import Tracked, TrackedGame, TrackedHost, watch
from .timekeeping import Timekeeper
from .wishes import Wishes

type Listener = tuple[Callable[[], None], Callable[[Event], None]]

NOTED_MOST: Final = 50
_IS_UP: Final = {Presence.UP: True, Presence.DOWN: False}


class Engine:
    """Keep the lifecycles of one host and its game servers going.

    Everything that decides happens between two awaits, in one step of one thing; ports are
    awaited outside of it, and what they come to is handed in again. So nothing can wait for itself.
    """

    def __init__(
        self,
        *,
        host: HostPort,
        games: Mapping[str, GamePort],
        settings: Settings,
        time: Timekeeper,
        spawn: Spawn,
        policy: Policy,
        stored: StoredGuardian | None,
        can_see: bool,
    ) -> None:
        """Start from what was stored; nothing happens before the first observation."""
        self._time, self._policy = time, policy
        self._settled_at = self._at = now = time.read()[0]
        self.host = TrackedHost(
            target=HOST,
            settings=settings,
            port=host,
            can_see=can_see,
            status=begin(stored.host if stored else None, settings, now),
            missed=stored.missed if stored else frozenset(),
        )
        kept = stored.games if stored else {}
        self.games = {
            game_id: TrackedGame(
                target=game_id,
                settings=settings.for_game(),
                port=port,
                host=self.host,
                status=begin(kept.get(game_id), settings, now),
            )
            for game_id, port in games.items()
        }
        self.wishes = Wishes(
            policy=policy, host=self.host, games=self.games, stored=stored, now=now
        )
        self._journal = Journal(stored.journal if stored else ())
        self._pace = PaceKeeper((HOST, *games), stored.learned if stored else {})
        self._listeners: list[Listener] = []
        self._untold: list[Event] = []
        self.shown = self._show(now)
        self.looker = Looker(
            host=self.host,
            games=tuple(self.games.values()),
            roles=lambda: self.wishes.roles,
            saw_host=self.see_host,
            saw_game=self.see_game,
            unreadable_is_empty=policy.unreadable_is_empty,
        )
        self.carrier = Carrier(
            host=self.host,
            looker=self.looker,
            wishes=self.wishes,
            spawn=spawn,
            hand_in=self.hand_in,
            tell=self._note_from_afar,
        )

    def read_clock(self) -> datetime:
        """Give the instant; where the wall clock was set, everything that is kept moves with it."""
        self._at, jump = self._time.read()
        if jump:
            self._settled_at += jump
            self.wishes.keeper.shift(jump)
            self._pace.shift(jump)
            for thing in self._things():
                thing.shift(jump)
        return self._at

    def thing(self, target: str) -> Tracked:
        """Give what a target names; KeyError where there is no such thing."""
        return self.host if target == HOST else self.games[target]

    def see_host(self, sighting: HostSighting) -> None:
        """Take in what was seen of the host."""
        now = self.read_clock()
        if self.host.see(sighting):
            for game in self.games.values():
                game.look_around(now)
            self.settle()

    def see_game(self, game_id: str, sighting: GameSighting) -> None:
        """Take in what was seen of a game server."""
        if self.games[game_id].see(sighting, self.read_clock()):
            self.settle()

    def rally(self, target: str) -> None:
        """Let a new lease act: on the host first, then on what shares the guest of its target."""
        self.read_clock()
        for thing in (self.host, *self.wishes.sharing(target)):
            for effect in self._step(thing, edge=True):
                self.carrier.start(thing, effect)

    def obey(
        self,
        thing: Tracked,
        command: Command,
        *,
        look: Look | None = None,
        heed: Callable[[], None] | None = None,
    ) -> tuple[Effect, ...]:
        """Take one step with a command; raise what it was refused with.

        `heed` notes what the command says of who wants what, where it was not refused.
        """
        self.read_clock()
        effects = self._step(thing, command=command, look=look)
        refused = next((event for event in self._untold if event.reason is not None), None)
        if heed is not None and refused is None:
            heed()
        self.settle()
        if refused is not None and refused.reason is not None:
            raise Refused(refused.reason, refused.hold_ups)
        return effects

    def hand_in(
        self, thing: Tracked, *, look: Look | None = None, failure: Failure | None = None
    ) -> None:
        """Take in what became of an effect, and act on it."""
        self.read_clock()
        for effect in self._step(thing, look=look, failure=failure):
            self.carrier.start(thing, effect)
        self.settle()

    def _step(
        self,
        thing: Tracked,
        *,
        command: Command | None = None,
        edge: bool = False,
        look: Look | None = None,
        failure: Failure | None = None,
    ) -> tuple[Effect, ...]:
        """Take one step of one thing and record what happened."""
        now = self._at
        observation = thing.observe(now, command)
        up_by_itself = thing.status.state is State.OFF and observation.presence is Presence.UP
        if look is not None:
            observation = replace(observation, looked_at=look.looked_at, hold_ups=look.hold_ups)
        if failure is not None:
            observation = replace(observation, failure=failure)
        demand = self.wishes.demand(thing, now, command, edge=edge and not up_by_itself)
        before, settings = thing.status, self._settings(thing)
        transition = step(before, observation, demand, settings, now)
        presence = observation.presence
        self._pace.observe(thing.target, before, transition, presence, now)
        thing.status = after = transition.status
        if (after.state, after.since) != (before.state, before.since):
            thing.visits += 1
            thing.left, thing.falling = before.state, None
        self.wishes.keeper.settle(thing.target, before, after, presence, now)
        for event in transition.events:
            if not self._goes_with_another(thing, event):
                self.record(thing, event)
        return transition.effects

    def _settings(self, thing: Tracked) -> Settings:
        """Give a thing's times: a game server that takes long gets twice the longest it took."""
        slowest = self._pace.slowest_start(thing.target) if thing is not self.host else None
        if slowest is None or slowest * 2 <= thing.settings.wake_timeout:
            return thing.settings
        return replace(thing.settings, wake_timeout=slowest * 2)

    def _goes_with_another(self, thing: Tracked, event: Event) -> bool:
        """Tell a game server whose guest was stopped for its host, or for another one in it."""
        if event.kind is not EventKind.STOPPED_OUTSIDE:
            return False
        others = (one for one in self.wishes.sharing(thing.target) if one is not thing)
        if isinstance(thing, TrackedGame) and thing.taken_down:
            return True
        return any(
            (one.left if one.status.state is State.OFF else one.status.state) is State.STOPPING
            for one in others
        )

    def _occupy(self, game: TrackedGame, now: datetime) -> None:
        """Note who plays on a game server, or what its silence means; a join is a new lease."""
        if self._is_silenced(game):
            return
        game.silence, occupancy, kind = watch_over(
            game.silence,
            game.sighting,
            guest_running=game.guest_running(now),
            host_up=_IS_UP.get(self.host.presence(now)),
            now=now,
            policy=self._policy,
        )
        told_to_stop = self.wishes.is_told_to_stop(game.target)
        names = ", ".join(game.answered.players) if game.answered else ""
        if self.wishes.keeper.occupy(game.target, occupancy, names, now, declined=told_to_stop):
            self.rally(game.target)
        if kind is not None:
            self.record(game, Event(kind=kind, severity=Severity.ALERT))

    def _is_silenced(self, game: TrackedGame) -> bool:
        """Tell a silence that we make ourselves: Minecraft ends before its guest does."""
        things = (self.host, *self.wishes.sharing(game.target))
        stopping = any(thing.status.state is State.STOPPING for thing in things)
        return stopping and not (game.sighting and game.sighting.answers)

    def note(
        self,
        kind: str,
        caller: Caller,
        details: Mapping[str, str],
        *,
        target: str = HOST,
        error: str | None = None,
    ) -> None:
        """Write down what somebody changed, or asked for; who asks for much hides nothing else."""
        self._journal.add(
            JournalEntry(
                at=self.read_clock(),
                kind=kind,
                target=target,
                by=caller.name,
                success=error is None,
                error=error,
                details=dict(details),
            ),
            most=NOTED_MOST,
        )

    def record(self, thing: Tracked, event: Event) -> None:
        """Keep an event in the journal, and until it is told; refusals hide nothing else."""
        told = replace(event, target=thing.target, at=self._at)
        self._untold.append(told)
        most = NOTED_MOST if event.kind is EventKind.REFUSED else None
        self._journal.add(entry_of(told, self._at), most=most)

    def _note_from_afar(self, thing: Tracked, event: Event) -> None:
        """Keep what happened while a port was waited for; the next step tells it."""
        self.read_clock()
        self.record(thing, event)

    def settle(self) -> None:
        """Let everything act on what is known now, the host first, then tell what changed."""
        now = self.read_clock()
        for game in self.games.values():
            self._occupy(game, now)
        lost = (lease for lease in self.wishes.keeper.expire(now) if lease.unknown)
        for target, source in dict.fromkeys((lease.target, _known_as(lease)) for lease in lost):
            self._lost_track(target, source)
        for thing in self._things():
            for effect in self._step(thing):
                self.carrier.start(thing, effect)
        self.carrier.bring_back(now)
        self._settled_at = now
        self._tell(now)

    def _lost_track(self, target: str, name: str) -> None:
        """Say that a source has not reported for so long that it does not count any more."""
        event = Event(
            kind=EventKind.DEMAND_UNKNOWN,
            severity=Severity.WARNING,
            placeholders={"source": name},
        )
        self.record(self.thing(target), event)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell of every new snapshot, then of the events behind it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _tell(self, now: datetime) -> None:
        shown, events = self._show(now), tuple(self._untold)
        self._untold.clear()
        changed, self.shown = shown != self.shown, shown
        for on_change, on_event in tuple(self._listeners):
            if changed:
                on_change()
            for event in events:
                on_event(event)

    def next_wakeup(self) -> datetime | None:
        """Give the next instant at which something is due."""
        coming = (instant for instant in self._instants() if instant > self._settled_at)
        return min(coming, default=None)

    def _instants(self) -> Iterator[datetime]:
        now = self._settled_at
        yield from self.wishes.keeper.wakeups()
        for thing in self._things():
            yield from thing.wakeups(self.wishes.demand(thing, now))

    def stored(self) -> StoredGuardian:
        """Give what has to outlive a restart."""
        return StoredGuardian(
            host=self.host.status,
            games={game_id: game.status for game_id, game in self.games.items()},
            mode=self.wishes.mode,
            mode_reason=self.wishes.mode_reason,
            journal=self._journal.entries,
            learned=self._pace.learned,
            leases=tuple(_storable(lease) for lease in self.wishes.keeper.leases),
            idle_minutes=self.wishes.idle_minutes,
            protected=self.wishes.protected,
            missed=self.host.missed,
        )

    def _things(self) -> Iterator[Tracked]:
        yield self.host
        yield from self.games.values()

    def _view(self, thing: Tracked, now: datetime) -> ThingView:
        return replace(thing.view(now), estimate=self._pace.estimate(thing.target))

    def _show(self, now: datetime) -> Snapshot:
        return Snapshot(
            host=self._view(self.host, now),
            games={game_id: self._view(game, now) for game_id, game in self.games.items()},
            mode=self.wishes.mode,
            mode_reason=self.wishes.mode_reason,
            watch=watch(self.host, self.games.values(), now),
            journal=self._journal.entries,
            idle_minutes=self.wishes.idle_minutes,
            leases=self.wishes.keeper.leases,
            vetoes=self.wishes.vetoes,
            protected=self.wishes.protected,
        )


def _storable(lease: Lease) -> Lease:
    """Leave out who plays: it changes often, and says nothing once it has been stored."""
    return replace(lease, name="") if lease.source is Source.PLAYERS else lease


def _known_as(lease: Lease) -> str:
    """Return what a source is called in events: an entity by its name, people by none."""
    named = lease.source is Source.ENTITY and lease.name
    return named or lease.source.value
