"""Random walks of the whole guardian: commands and sightings come while ports are waited for."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random

import pytest

from custom_components.cubeguardian.guardian import (
    HOST,
    Cause,
    Guardian,
    GuardianPortError,
    GuestRole,
    LeaseTimes,
    Mode,
    Policy,
    Refused,
    RunningTask,
    Settings,
    Source,
    State,
    StoredGuardian,
    Then,
)

from .world import ADMIN, HOME, PLAYER, World

STEPS = 2000
TARGETS = (HOST, HOST, "survival", "lobby")
FAILING = ("wake", "shut_down", "look", "start", "save", "stop_guest 101")
MINUTE = timedelta(minutes=1)
NAS = 200
CALENDAR = "calendar.game_night"
POLICY = Policy(
    automatic=True,
    roles={NAS: GuestRole.SLEEPS_WITH_HOST},
    stop_when_idle=frozenset({"survival"}),
    wanting=frozenset({CALENDAR}),
    times=LeaseTimes(asked=MINUTE, discord=MINUTE, knock=MINUTE, cancelled=MINUTE, found=None),
)
HASTY = Settings(quiet_for=timedelta(seconds=10), up_for=timedelta(seconds=20))


class RandomLife:
    """A world in which anything may happen at any time."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.world = World(games=("survival", "lobby"), policy=POLICY, settings=HASTY)
        self.world.games["lobby"].vmid = None
        self.world.guardian.set_idle_minutes(1)
        self.shutdowns: dict[Cause | None, int] = {}
        self.calls: set[asyncio.Task[None]] = set()
        self.outcomes: list[str] = []

    async def live(self) -> None:
        for _ in range(STEPS):
            self.happen()
            self.let_go()
            for _ in range(self.random.randrange(4)):
                await asyncio.sleep(0)
                self.check_shutdowns()
            due = self.world.guardian.next_wakeup
            if due is not None and due <= self.world.clock():
                self.world.guardian.tick()
            due = self.world.guardian.next_wakeup
            assert due is None or due > self.world.clock()

    def check_shutdowns(self) -> None:
        """Whatever was shut down for want of demand was wanted by nobody at that moment."""
        asked = self.world.host.asked.count("shut_down")
        if asked == sum(self.shutdowns.values()):
            return
        view, snapshot = self.world.view, self.world.guardian.snapshot
        self.shutdowns[view.cause] = self.shutdowns.get(view.cause, 0) + 1
        if view.cause is Cause.IDLE and view.then is not Then.WAKE:
            assert snapshot.mode is Mode.AUTOMATIC
            assert snapshot.live(HOST) == ()

    def happen(self) -> None:
        self.random.choice(
            (
                *(self.change, self.see, self.see, self.see, self.wait) * 3,
                *(self.command, self.want, self.set_something),
            )
        )()

    def want(self) -> None:
        """Have somebody or something want the host, or not any more."""
        guardian, chance = self.world.guardian, self.random.random()
        if chance < 0.4:
            present = {CALENDAR: "Game night"} if self.random.random() < 0.3 else {}
            guardian.report(Source.ENTITY, HOST, present)
        elif chance < 0.7:
            members = self.random.choice(({}, {}, {"1": "Alex"}))
            guardian.report(Source.VOICE, "survival", members)
        else:
            minutes = self.random.choice((None, 1, 5))
            on = self.random.random() < 0.3
            guardian.keep_awake(on, HOME, minutes and timedelta(minutes=minutes))

    def set_something(self) -> None:
        """Change what changes seldom: the mode, a veto, the clock, a reload."""
        guardian, chance = self.world.guardian, self.random.random()
        if chance < 0.2:
            guardian.set_mode(self.random.choice(tuple(Mode)), "new disks", HOME)
        elif chance < 0.6:
            guardian.set_mode(Mode.AUTOMATIC, "", HOME)
        elif chance < 0.7:
            guardian.set_vetoes(self.random.choice(({}, {"night": "Quiet hours"})))
        elif chance < 0.8:
            self.world.clock.be_set(self.random.choice((-7200, -90, 90, 7200)))
        elif not self.world.host.gates:
            guardian.close()
            self.world.reload()
        self.world.guardian.tick()

    def change(self) -> None:
        host, chance = self.world.host, self.random.random()
        game = self.world.games[self.random.choice(("survival", "lobby"))]
        if chance < 0.3:
            host.appear()
        elif chance < 0.4:
            host.vanish()
        elif chance < 0.45:
            host.network = not host.network
        elif chance < 0.6:
            host.tasks = self.random.choice(((), (RunningTask(kind="vzdump"),), None))
        elif chance < 0.65:
            self.break_something()
        elif chance < 0.7:
            self.hold_something()
        else:
            self.random.choice((game.come_up, game.go_down))()
            game.players = self.random.choice(((), (), ("Steve",)))

    def break_something(self) -> None:
        """Break a port, or mend it."""
        what = self.random.choice(FAILING)
        error = GuardianPortError(self.random.choice(("connection_error", "permission_error")))
        for machine in (self.world.host, *self.world.games.values()):
            if machine.fails.pop(what, None) is None and self.random.random() < 0.4:
                machine.fails[what] = error

    def hold_something(self) -> None:
        self.world.hold(self.random.choice((*FAILING[:3], FAILING[-1])))

    def let_go(self) -> None:
        gates = self.world.host.gates
        if gates and self.random.random() < 0.2:
            gates.pop(next(iter(gates))).set()

    def see(self) -> None:
        guardian, world = self.world.guardian, self.world
        world.clock.pass_by(self.random.choice((0, 1, 1, 15)))
        guardian.observe_host(world.host.sighting())
        for game_id, game in world.games.items():
            if self.random.random() < 0.7:
                guardian.observe_game(game_id, game.sighting())

    def wait(self) -> None:
        due = self.world.guardian.next_wakeup
        if due is not None:
            ahead = (due - self.world.clock()).total_seconds()
            self.world.clock.pass_by(max(ahead, 0))
        self.world.guardian.tick()

    def command(self) -> None:
        call = asyncio.create_task(self.give(self.wish(self.world.guardian)))
        self.calls.add(call)
        call.add_done_callback(self.calls.discard)

    def wish(self, guardian: Guardian) -> Callable[[], Awaitable[None]]:
        target, caller = self.random.choice(TARGETS), self.random.choice((HOME, ADMIN, PLAYER))
        delay = timedelta(seconds=self.random.choice((0, 0, 60)))
        force = self.random.random() < 0.2
        return self.random.choice(
            (
                lambda: guardian.wake(target, caller, self.random.choice(tuple(Source))),
                lambda: guardian.shut_down(target, caller, delay, force=force),
                lambda: guardian.restart(target, caller, force=force),
                lambda: guardian.cancel_shutdown(target, caller),
            )
        )

    async def give(self, wish: Callable[[], Awaitable[None]]) -> None:
        try:
            await wish()
        except Refused as refused:
            self.outcomes.append(refused.reason.value)
        except GuardianPortError as error:
            self.outcomes.append(error.code)
        else:
            self.outcomes.append("done")

    async def end(self) -> None:
        """Let go of everything that is held, and wait for it."""
        while self.world.host.gates:
            self.world.host.gates.popitem()[1].set()
        await asyncio.gather(*self.calls)
        await self.world.rest()


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_gets_stuck_and_nothing_is_lost(seed: int) -> None:
    life = RandomLife(seed)
    await life.live()
    await life.end()
    world = life.world
    assert {"done", "held"} <= set(life.outcomes)
    stored = world.guardian.stored()
    again = StoredGuardian.from_dict(stored.to_dict())
    assert (again.journal, again.host.state) == (stored.journal, stored.host.state)
    for machine in (world.host, *world.games.values()):
        machine.fails.clear()
    world.host.network = True
    world.host.tasks = ()
    world.guardian.set_mode(Mode.MANUAL, "", HOME)
    await settled(world, up=True)
    await settled(world, up=False)


async def settled(world: World, *, up: bool) -> None:
    """Lead the world to where everything runs, or to where it sleeps."""
    if up:
        await world.asleep()
        for _ in range(40):
            await world.see(60)
        await world.guardian.wake(HOST, HOME)
        world.host.appear()
    else:
        await world.guardian.shut_down(HOST, HOME, force=True)
        world.host.vanish()
    for _ in range(4):
        await world.see()
    assert world.view.state is (State.RUNNING if up else State.OFF)


async def test_between_two_shutdowns_of_the_host_there_is_a_look() -> None:
    shutdowns: dict[Cause | None, int] = {}
    for seed in (1, 3, 5):
        life = RandomLife(seed)
        await life.live()
        await life.end()
        asked = [what for what in life.world.host.asked if what in {"look", "shut_down"}]
        pairs = zip(["shut_down", *asked], asked, strict=False)
        assert ("shut_down", "shut_down") not in set(pairs)
        for cause, count in life.shutdowns.items():
            shutdowns[cause] = shutdowns.get(cause, 0) + count
    assert shutdowns[Cause.IDLE] > 0
    assert shutdowns[Cause.STOP] > 0


@pytest.mark.parametrize("seed", range(2))
async def test_the_host_of_a_protected_guest_is_never_shut_down(seed: int) -> None:
    life = RandomLife(seed)
    life.world.guardian.protect(frozenset({NAS}))
    life.world.host.always_running = {NAS}
    await life.live()
    await life.end()
    assert "held" in life.outcomes
    assert not {"shut_down", "reboot"} & set(life.world.host.asked)
