"""Random walks of the lifecycle, and a checker of what must never happen on them."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from multiprocessing import get_context
import os
from random import Random

from custom_components.cubeguardian.guardian import lifecycle
from custom_components.cubeguardian.guardian.observation import Presence
from custom_components.cubeguardian.guardian.safety import HoldUp, HoldUpKey
from custom_components.cubeguardian.guardian.status import (
    Caller,
    Cause,
    Command,
    CommandKind,
    Demand,
    Effect,
    EventKind,
    Failure,
    Observation,
    Origin,
    Phase,
    Role,
    Settings,
    State,
    Status,
    Thing,
    Transition,
)

from .walk_checker import Checker
from .world import START

STEPS = int(os.environ.get("CUBEGUARDIAN_WALK_STEPS", "40000"))
WALKS = 8
ALONE = 100_000
HOST = Settings()
SETTINGS = {Thing.HOST: HOST, Thing.GAME: HOST.for_game()}
PLAYERS = HoldUp(key=HoldUpKey.PLAYERS, subject="survival")
TASK = HoldUp(key=HoldUpKey.TASK)
PROTECTED = HoldUp(key=HoldUpKey.PROTECTED)
HELD = ((PLAYERS,), (PLAYERS, TASK), (PROTECTED,), (PLAYERS, PROTECTED))
PRESENCES = (Presence.UP, Presence.UP, Presence.DOWN, Presence.STARTING, Presence.UNKNOWN)
COMING = (None, Phase.PING, Phase.API, Phase.GUEST)
GOING = (None, None, Phase.SAVING, Phase.GUESTS, Phase.POWER)
CODES = ("connection_error", "permission_error", "timeout_error", "guest_ignores")
FAILING = (Effect.WAKE, Effect.SHUT_DOWN, Effect.REBOOT)
KINDS = tuple(CommandKind)
CALLERS = tuple(Caller(name=role.value, role=role) for role in Role)
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (0, 1, 1, 5, 15, 60))
DELAYS = tuple(timedelta(seconds=seconds) for seconds in (0, 0, 30))
ABSENCES = tuple(timedelta(seconds=seconds) for seconds in (1, 30, 900))
COUNTDOWNS = tuple(timedelta(minutes=minutes) for minutes in (1, 3, 10))
AGES = tuple(timedelta(seconds=seconds) for seconds in (0, 0, 2))
MINUTE = timedelta(minutes=1)


@dataclass(kw_only=True)
class Tally:
    """What a walk has come through."""

    steps: int = 0
    states: set[tuple[State, Cause | None]] = field(default_factory=set)
    effects: set[Effect] = field(default_factory=set)
    events: set[EventKind] = field(default_factory=set)

    def add(self, before: Status, transition: Transition) -> None:
        self.steps += 1
        self.states.add((before.state, before.cause))
        self.effects.update(transition.effects)
        self.events.update(event.kind for event in transition.events)

    def merge(self, other: Tally) -> None:
        self.steps += other.steps
        self.states |= other.states
        self.effects |= other.effects
        self.events |= other.events


class Walker:
    """Lead one status through what a random world does to it.

    The weather changes every few hundred steps: how often somebody commands, how often what is
    seen changes, how often things fail. Without calm days no countdown would ever end.
    """

    def __init__(self, seed: int, thing: Thing) -> None:
        self.random = Random(f"{thing}-{seed}")
        self.settings = SETTINGS[thing]
        self.checker = Checker(self.settings)
        self.now = START
        self.status = Status(state=State.OFF, since=START, origin=Origin.NEW)
        self.presence = Presence.UNKNOWN
        self.held: tuple[HoldUp, ...] = ()
        self.live, self.automatic, self.may_rest = False, True, True
        self.idle_since: datetime | None = START
        self.countdown = COUNTDOWNS[-1]
        self.commands = self.changes = self.failures = 0.0

    def walk(self, steps: int) -> Tally:
        tally = Tally()
        for number in range(steps):
            if number % 300 == 0:
                self._turn_weather()
            self._let_time_pass()
            observation, demand = self._observe(), self._want()
            before = self.status
            after = lifecycle.step(before, observation, demand, self.settings, self.now)
            self.checker.check(before, observation, demand, self.now, after)
            if number % 10 == 0:
                again = lifecycle.step(before, observation, demand, self.settings, self.now)
                assert again == after, "equal inputs give equal outputs"
            if number % 250 == 0:
                self._find_ways(before)
            tally.add(before, after)
            self.status = after.status
            if self.random.random() < 0.003:
                self._reload()
        return tally

    def _turn_weather(self) -> None:
        choose = self.random.choice
        self.commands = choose((0.0, 0.01, 0.2))
        self.changes = choose((0.005, 0.02, 0.3))
        self.failures = choose((0.0, 0.02, 0.1))
        self.countdown = choose(COUNTDOWNS)

    def _let_time_pass(self) -> None:
        if self.random.random() < 0.3:
            demand = self._demand()
            coming = lifecycle.instants(self.status, self.settings, demand)
            if due := [at for at in coming if at > self.now]:
                self.now = min(due)
                return
        self.now += self.random.choice(PAUSES)

    def _observe(self) -> Observation:
        chance, choose = self.random.random, self.random.choice
        if chance() < self.changes:
            self.presence = choose(PRESENCES)
        if chance() < self.changes:
            self.held = choose(HELD) if chance() < 0.5 else ()
        looked = chance() < 0.4
        is_host = self.settings.thing is Thing.HOST
        going = self.status.state is State.STOPPING
        return Observation(
            presence=self.presence,
            phase=choose(GOING if going and chance() < 0.2 else COMING[: 1 if going else 4]),
            ready=is_host or chance() < 0.9,
            send=is_host or chance() < 0.8,
            looked_at=self.now - choose(AGES) if looked else None,
            hold_ups=self.held if looked else (),
            failure=self._fail() if chance() < self.failures else None,
        )

    def _fail(self) -> Failure:
        choose, chance = self.random.choice, self.random.random
        return Failure(
            effect=choose(FAILING),
            code=choose(CODES),
            first=chance() < 0.5,
            called_off=chance() < 0.1,
        )

    def _want(self) -> Demand:
        chance = self.random.random
        edge = False
        if chance() < self.changes:
            was_live, self.live = self.live, chance() < 0.4
            edge = self.live and (not was_live or chance() < 0.5) and chance() < 0.8
            if was_live or self.live:
                self.idle_since = None if self.live else self.now
        if chance() < 0.005:
            self.automatic = chance() < 0.7
            self.may_rest = self.automatic and chance() < 0.8
        command = self._command() if chance() < self.commands else None
        return self._demand(command, edge=edge)

    def _demand(self, command: Command | None = None, *, edge: bool = False) -> Demand:
        return Demand(
            command=command,
            live=self.live,
            edge=edge,
            by="somebody" if self.live else None,
            idle_since=self.idle_since,
            automatic=self.automatic,
            may_rest=self.may_rest,
            countdown=self.countdown,
        )

    def _command(self) -> Command:
        choose = self.random.choice
        return Command(
            kind=choose(KINDS),
            by=choose(CALLERS),
            at=self.now,
            delay=choose(DELAYS),
            force=self.random.random() < 0.2,
        )

    def _reload(self) -> None:
        """Begin anew from what was stored, after some time without anybody."""
        stored = Status.from_dict(self.status.to_dict())
        self.now += self.random.choice(ABSENCES)
        self.status = lifecycle.begin(stored, self.settings, self.now)
        self.checker.check_loaded(self.status, self.now)

    def _find_ways(self, status: Status) -> None:
        """From here to running and to off, by commands and by demand alone."""
        for up in (True, False):
            for told in (True, False):
                state = lead(status, self.settings, self.now, up=up, told=told)
                goal = State.RUNNING if up else State.OFF
                assert state is goal, f"a way from every state to {goal}: {status} ends {state}"


def lead(status: Status, settings: Settings, now: datetime, *, up: bool, told: bool) -> State:
    """Give the state that a thing comes to within two hours, where nothing stands in its way."""
    goal = State.RUNNING if up else State.OFF
    wanted = Demand() if told else Demand(live=up, automatic=True, may_rest=True, idle_since=now)
    kind = CommandKind.WAKE if up else CommandKind.STOP
    for minute in range(120):
        if status.state is goal and status.origin is Origin.LIVE:
            break
        now += MINUTE
        command = Command(kind=kind, by=CALLERS[0], at=now) if told else None
        edge = not told and up and minute % 5 == 0
        for demand in (replace(wanted, command=command, edge=edge), wanted):
            gone = status.state in {State.OFF, State.STOPPING}
            gone = gone or (status.state is State.FAILED and (up or status.cause is Cause.WAKE))
            seen = Observation(presence=Presence.DOWN if gone else Presence.UP, looked_at=now)
            status = lifecycle.step(status, seen, demand, settings, now).status
    return status.state


def walk_one(seed: int, thing: Thing, steps: int) -> Tally:
    """Walk, and say where it went wrong."""
    walker = Walker(seed, thing)
    try:
        return walker.walk(steps)
    except AssertionError as error:
        error.add_note(f"walk {seed} of the {thing} at {walker.now}: {walker.status}")
        raise


def walk_all(steps: int) -> Tally:
    """Walk as a host and as a game server; many steps are spread over the processors."""
    jobs = [(seed, thing, steps // WALKS) for seed in range(WALKS // 2) for thing in Thing]
    together = Tally()
    if steps <= ALONE:
        for job in jobs:
            together.merge(walk_one(*job))
        return together
    # Only processes that are spawned do without sockets, which tests must not open.
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        for tally in pool.map(walk_one, *zip(*jobs, strict=True)):
            together.merge(tally)
    return together
