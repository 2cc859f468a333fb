"""Random days of a house, and what must hold of its leases through all of them."""

from datetime import timedelta
import json
from random import Random

import pytest

from custom_components.cubeguardian.guardian.demand import Key, Lease, Source
from custom_components.cubeguardian.guardian.observation import Presence
from custom_components.cubeguardian.guardian.occupancy import Occupancy
from custom_components.cubeguardian.guardian.safety import HOST
from custom_components.cubeguardian.guardian.status import Caller

from .test_demand_keeper import (
    COUNTDOWN,
    EVERYBODY,
    GAMES,
    NAS,
    OFF,
    PRESENCES,
    PULSES,
    RESTARTING,
    RUNNING,
    STOPPING,
    WAKE_FAILED,
    WAKING,
    WANTING,
    WENT_DOWN,
    keeper,
)
from .world import ADMIN, HOME, START

STATUSES = (OFF, WAKING, RUNNING, COUNTDOWN, STOPPING, RESTARTING, WAKE_FAILED, WENT_DOWN)


class Walk:
    """A keeper through what a random house does to it."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = START
        self.keeper = keeper(policy=WANTING)
        self.statuses = dict.fromkeys(EVERYBODY, OFF)
        self.fresh: set[tuple[Source, str]] = set()
        self.revived: set[str] = set()

    def step(self) -> None:
        self.now += timedelta(seconds=self.random.choice((0, 1, 30, 240, 900)))
        self.revived = set()
        acts = (self.ask, self.stop, self.awake, self.tell, self.play, self.move, self.load)
        self.random.choices(acts, weights=(2, 1, 1, 6, 6, 8, 0.3))[0]()

    def group(self, target: str) -> set[str]:
        if target == HOST:
            return set(EVERYBODY)
        vmid = GAMES[target]
        return {target, *(one for one in GAMES if vmid is not None and GAMES[one] == vmid)}

    def ask(self) -> None:
        target, caller = self.random.choice(EVERYBODY), self.random.choice((HOME, ADMIN))
        self.revived = self.group(target)
        if self.random.random() < 0.3:
            self.keeper.cancel(target, caller, self.now)
        else:
            self.keeper.ask(target, self.random.choice(list(PULSES)), caller, self.now)

    def stop(self) -> None:
        target = self.random.choice(EVERYBODY)
        self.keeper.decline(target, self.now)
        assert self.keeper.live(target, self.now) == ()

    def awake(self) -> None:
        until = self.random.choice((None, self.now + timedelta(minutes=20)))
        held = any(one.source is Source.KEEP_AWAKE for one in self.keeper.live(HOST, self.now))
        on = self.random.random() < 0.5
        assert self.keeper.keep_awake(on, Caller(name="Ada"), until, self.now) is (on and not held)

    def tell(self) -> None:
        source = self.random.choice((Source.ENTITY, Source.VOICE, Source.RELAY))
        target = HOST if source is Source.ENTITY else self.random.choice(EVERYBODY)
        names = [NAS] if source is Source.ENTITY else ["1", "2"]
        present = {name: name for name in names if self.random.random() < 0.5}
        silent = [name for name in names if name not in present]
        unknown = frozenset(name for name in silent if self.random.random() < 0.2)
        declined = self.random.random() < 0.2
        held = {lease.key for lease in self.keeper.leases}
        edge = self.keeper.report(
            source, target, present, self.now, unknown=unknown, declined=declined
        )
        self.judge_edge(source, target, edge=edge, new=self.keys() - held, declined=declined)

    def play(self) -> None:
        target = self.random.choice(list(GAMES))
        occupancy, declined = self.random.choice(list(Occupancy)), self.random.random() < 0.2
        held = {lease.key for lease in self.keeper.leases}
        edge = self.keeper.occupy(target, occupancy, "Alex", self.now, declined=declined)
        new = self.keys() - held
        assert not edge or occupancy is Occupancy.PLAYING
        self.judge_edge(Source.PLAYERS, target, edge=edge, new=new, declined=declined)

    def judge_edge(
        self,
        source: Source,
        target: str,
        *,
        edge: bool,
        new: set[Key],
        declined: bool,
    ) -> None:
        first = (source, target) not in self.fresh
        self.fresh.add((source, target))
        assert not (edge and (first or declined or not new))

    def move(self) -> None:
        target = self.random.choice(EVERYBODY)
        before = self.statuses[target]
        after = self.random.choice(STATUSES)
        self.statuses[target] = after
        presence = self.random.choice((PRESENCES[after.state], Presence.UNKNOWN))
        self.keeper.settle(target, before, after, presence, self.now)

    def load(self) -> None:
        written = json.dumps([lease.to_dict() for lease in self.keeper.leases])
        stored = tuple(Lease.from_dict(one) for one in json.loads(written))
        assert stored == self.keeper.leases
        self.keeper = keeper(*stored, policy=WANTING, now=self.now)
        self.fresh = set()

    def keys(self) -> set[Key]:
        return {lease.key for lease in self.keeper.leases}


@pytest.mark.parametrize("seed", range(8))
def test_through_random_days_declined_stays_declined_and_expired_is_never_live(
    seed: int,
) -> None:
    walk = Walk(seed)
    seen = 0
    for _ in range(2500):
        declined = {lease.key for lease in walk.keeper.leases if lease.declined}
        walk.step()
        for lease in walk.keeper.leases:
            anew = lease.target in walk.revived or lease.source is Source.FOUND
            assert lease.declined or lease.key not in declined or anew
        walk.keeper.expire(walk.now)
        for target in EVERYBODY:
            live = walk.keeper.live(target, walk.now)
            seen += len(live)
            assert not any(lease.declined for lease in live)
            assert all(lease.until is None or lease.until > walk.now for lease in live)
            assert {lease.target for lease in live} <= walk.group(target)
            assert (walk.keeper.idle_since(target) is None) is bool(live)
            assert (walk.keeper.idle_since(target) or walk.now) <= walk.now
        assert all(instant > walk.now for instant in walk.keeper.wakeups())
    assert seen > 1000


def test_equal_days_leave_equal_leases() -> None:
    walks = Walk(7), Walk(7)
    for _ in range(1500):
        for walk in walks:
            walk.step()
            walk.keeper.expire(walk.now)
        first, second = (walk.keeper.leases for walk in walks)
        assert first == second
