"""Stories of wakes and stops that are learned from, and of those that are not."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest

from custom_components.cubeguardian.guardian import HOST, Presence, State, StoredGuardian
from custom_components.cubeguardian.guardian.pace import KEPT, Leg
from custom_components.cubeguardian.guardian.status import Cause

from .test_guardian_walk import RandomLife
from .world import HOME, World

GAME = "survival"


def learned(world: World, target: str = HOST) -> dict[str, list[float]]:
    """Return what was learned of a thing."""
    return world.guardian.stored().learned[target].to_dict()


def ready_in(world: World, target: str = HOST) -> float | None:
    """Return in how many seconds a thing should be up."""
    view = world.view if target == HOST else world.game(target)
    at = view.ready_at(world.clock())
    return None if at is None else (at - world.clock()).total_seconds()


def progress(world: World, target: str = HOST) -> int | None:
    """Return how far a thing is."""
    view = world.view if target == HOST else world.game(target)
    return view.progress(world.clock())


async def pass_by(world: World, seconds: int) -> None:
    """Let time pass, and see everything every five seconds."""
    for _ in range(seconds // 5):
        await world.see(5)


async def woken(world: World, *, ping: int = 40, api: int = 20) -> World:
    """Wake the host, which answers ping and Proxmox after so many seconds."""
    await world.guardian.wake(HOST, HOME)
    await pass_by(world, ping)
    world.host.ping = True
    await world.see(0.001)
    await pass_by(world, api)
    world.host.appear()
    await world.see(0.001)
    return world


async def stopped(world: World, seconds: int = 30) -> World:
    """Stop the host, which falls silent after so many seconds."""
    await world.guardian.shut_down(HOST, HOME)
    await pass_by(world, seconds)
    for game in world.games.values():
        game.go_down()
    world.host.vanish()
    await world.see(1)
    await world.see(1)
    return world


async def test_the_first_wake_is_estimated_by_defaults() -> None:
    world = await World(games=(GAME,)).asleep()
    assert (ready_in(world), progress(world)) == (None, None)
    await world.guardian.wake(GAME, HOME)
    assert (ready_in(world), progress(world)) == (120, 0)
    assert (ready_in(world, GAME), progress(world, GAME)) == (180, 0)
    await pass_by(world, 60)
    assert (ready_in(world), progress(world)) == (60, 47)
    assert (ready_in(world, GAME), progress(world, GAME)) == (120, 31)
    await pass_by(world, 70)
    assert (ready_in(world), ready_in(world, GAME)) == (30, 90)


async def test_a_wake_teaches_how_long_the_next_one_takes() -> None:
    world = await woken(await World().asleep(), ping=40, api=20)
    assert (world.view.state, ready_in(world), progress(world)) == (State.RUNNING, None, None)
    assert learned(world) == {
        "packet_to_api": [60.0],
        "packet_to_ping": [40.0],
        "ping_to_api": [20.0],
    }
    await stopped(world, 30)
    assert learned(world)["stop"] == [32.0]
    await world.guardian.wake(HOST, HOME)
    assert ready_in(world) == 60


async def test_a_sign_of_life_moves_the_estimate_and_never_the_progress_back() -> None:
    world = await stopped(await woken(await World().asleep(), ping=40, api=20))
    await world.guardian.wake(HOST, HOME)
    await pass_by(world, 50)
    assert ready_in(world) == 20
    before = progress(world)
    world.host.ping = True
    await world.see(0.001)
    assert ready_in(world) == pytest.approx(20)
    assert progress(world) == before
    await pass_by(world, 10)
    assert ready_in(world) == pytest.approx(10)
    assert progress(world) == 81


async def test_a_sign_of_life_that_comes_early_brings_the_end_nearer() -> None:
    world = await World().asleep()
    await world.guardian.wake(HOST, HOME)
    await pass_by(world, 10)
    world.host.ping = True
    await world.see(0.001)
    assert ready_in(world) == 30


async def test_a_host_that_boots_without_answering_ping_is_learned_as_a_whole() -> None:
    world = await World().asleep()
    world.host.ping = None
    await world.guardian.wake(HOST, HOME)
    await pass_by(world, 70)
    world.host.port = True
    await world.see(0.001)
    assert learned(world) == {"packet_to_api": [70.0]}
    await stopped(world)
    world.host.ping = None
    await world.guardian.wake(HOST, HOME)
    await pass_by(world, 70)
    assert ready_in(world) == 0


async def test_a_game_server_is_learned_from_its_host_on() -> None:
    world = await World(games=(GAME,)).asleep()
    await world.guardian.wake(GAME, HOME)
    await pass_by(world, 60)
    world.host.appear()
    await world.see(0.001)
    assert ready_in(world, GAME) == 60
    await pass_by(world, 20)
    assert world.games[GAME].asked == ["start"]
    await pass_by(world, 5)
    assert ready_in(world, GAME) == 40
    await pass_by(world, 30)
    world.games[GAME].come_up()
    await world.see(0.001)
    assert learned(world, GAME) == {
        "api_to_game": [55.0],
        "api_to_guest": [25.0],
        "guest_to_game": [30.0],
    }


async def test_a_game_server_whose_guest_nobody_sees_is_learned_as_a_whole() -> None:
    world = World(games=(GAME,))
    world.games[GAME].vmid = None
    await world.asleep()
    await world.guardian.wake(GAME, HOME)
    world.host.appear()
    await world.see(30)
    await pass_by(world, 45)
    world.games[GAME].come_up()
    await world.see(0.001)
    assert learned(world, GAME) == {"api_to_game": [45.0]}


async def test_a_game_server_waits_for_the_host_that_has_to_go_down_first() -> None:
    world = await World(games=(GAME,)).awake()
    world.games[GAME].go_down()
    await world.see()
    await world.guardian.shut_down(HOST, HOME)
    await world.guardian.wake(GAME, HOME)
    assert ready_in(world, GAME) == 60 + 120 + 60


async def test_a_guest_that_ran_before_its_host_went_down_is_no_sign_of_the_next_start() -> None:
    world = await World(games=(GAME,)).awake()
    world.games[GAME].go_down()
    await world.see()
    await world.guardian.shut_down(HOST, HOME)
    await world.guardian.wake(GAME, HOME)
    world.host.running_guests.add(101)
    await world.see()
    assert world.game(GAME).phase == "guest"
    world.host.vanish()
    await pass_by(world, 20)
    world.host.appear()
    await pass_by(world, 30)
    world.games[GAME].come_up()
    await world.see(5)
    assert learned(world, GAME) == {"api_to_game": [30.0]}


async def test_after_a_stop_the_wake_counts_from_its_packet() -> None:
    world = await World().awake()
    await world.guardian.shut_down(HOST, HOME)
    await world.guardian.wake(HOST, HOME)
    world.host.vanish()
    await world.see(10)
    await world.see(10)
    assert (world.view.state, learned(world)) == (State.WAKING, {"stop": [20.0]})
    assert ready_in(world) == 120
    await pass_by(world, 60)
    world.host.appear()
    await world.see(0.001)
    assert learned(world)["packet_to_api"] == [50.0]


async def test_a_wake_that_ends_in_the_stop_that_was_asked_for_is_learned() -> None:
    world = await World().asleep()
    await world.guardian.wake(HOST, HOME)
    await world.guardian.shut_down(HOST, HOME)
    await pass_by(world, 60)
    world.host.appear()
    await world.see(0.001)
    assert learned(world) == {"packet_to_api": [60.0]}


async def test_a_stop_shows_its_progress_and_no_time_of_being_ready() -> None:
    world = await World().awake()
    await world.guardian.shut_down(HOST, HOME)
    assert (ready_in(world), progress(world)) == (None, 0)
    await pass_by(world, 30)
    assert (ready_in(world), progress(world)) == (None, 47)
    await pass_by(world, 120)
    assert 95 <= (progress(world) or 0) < 100


async def test_the_clock_alone_tells_nobody_anything() -> None:
    world = await World().asleep()
    await world.guardian.wake(HOST, HOME)
    changes = world.changes
    await pass_by(world, 300)
    assert (world.changes, progress(world)) == (changes, 88)


async def found(world: World) -> None:
    world.host.ping = True
    await world.see(20)
    assert ready_in(world) == 30
    world.host.port = True
    await world.see(20)


async def found_and_then_asked_for(world: World) -> None:
    world.host.ping = True
    await world.see(20)
    await world.guardian.wake(HOST, HOME)
    world.host.port = True
    await world.see(20)


async def late(world: World) -> None:
    await world.guardian.wake(HOST, HOME)
    await pass_by(world, 600)
    assert world.view.state is State.FAILED
    world.host.appear()
    await world.see()


async def again_after_a_failure(world: World) -> None:
    await world.guardian.wake(HOST, HOME)
    await pass_by(world, 600)
    await world.guardian.wake(HOST, HOME)
    world.host.appear()
    await world.see()


async def across_a_reload(world: World) -> None:
    await world.guardian.wake(HOST, HOME)
    await pass_by(world, 30)
    world.reload()
    await pass_by(world, 30)
    assert (ready_in(world), progress(world)) == (60, 47)
    world.host.appear()
    await world.see()


async def before_anything_was_seen(world: World) -> None:
    world.reload()
    await world.guardian.wake(HOST, HOME)
    world.host.appear()
    await world.see()


async def while_blind(world: World) -> None:
    await world.guardian.wake(HOST, HOME)
    world.host.network = False
    await pass_by(world, 60)
    world.host.network = True
    world.host.appear()
    await world.see()


async def while_nobody_looked_before(world: World) -> None:
    await world.tick(600)
    await world.guardian.wake(HOST, HOME)
    world.host.appear()
    await world.see()


async def after_another_device_on_its_address(world: World) -> None:
    world.host.ping = True
    await pass_by(world, 400)
    assert (world.view.state, world.view.presence) == (State.OFF, Presence.STARTING)
    await world.guardian.wake(HOST, HOME)
    world.host.appear()
    await world.see()


@pytest.mark.parametrize(
    "wake",
    [
        found,
        found_and_then_asked_for,
        late,
        again_after_a_failure,
        after_another_device_on_its_address,
        across_a_reload,
        before_anything_was_seen,
        while_blind,
        while_nobody_looked_before,
    ],
)
async def test_what_proves_nothing_is_not_learned(
    wake: Callable[[World], Awaitable[None]],
) -> None:
    world = await World().asleep()
    await wake(world)
    assert world.view.state is State.RUNNING
    assert learned(world) == {}


async def test_a_restart_and_a_stop_that_failed_are_not_learned() -> None:
    world = await World().awake()
    await world.guardian.restart(HOST, HOME)
    world.host.port = False
    await world.see()
    await world.see()
    assert (world.view.state, world.view.cause) == (State.WAKING, Cause.RESTART)
    assert ready_in(world) == 120
    world.host.appear()
    await world.see(50)
    await world.guardian.shut_down(HOST, HOME)
    await pass_by(world, 480)
    assert world.view.state is State.FAILED
    world.host.vanish()
    await world.see()
    await world.see()
    assert (world.view.state, learned(world)) == (State.OFF, {})


async def test_what_was_learned_survives_a_reload_and_goes_with_its_game_server() -> None:
    world = await woken(await World(games=(GAME,)).asleep())
    world.games.clear()
    world.reload()
    assert set(world.guardian.stored().learned) == {HOST}
    assert learned(world)["packet_to_api"] == [60.0]


class Watched(RandomLife):
    """A random life in which the progress of everything is looked at all the time."""

    def __init__(self, seed: int) -> None:
        RandomLife.__init__(self, seed)
        self.shown: dict[str, tuple[tuple[State, datetime], int]] = {}

    def set_something(self) -> None:
        """After a reload, progress is counted anew."""
        RandomLife.set_something(self)
        self.shown.clear()

    def happen(self) -> None:
        RandomLife.happen(self)
        now, snapshot = self.world.clock(), self.world.guardian.snapshot
        for target, view in {HOST: snapshot.host, **snapshot.games}.items():
            ready_at, progress = view.ready_at(now), view.progress(now)
            assert (ready_at is None) == (view.state is not State.WAKING)
            assert (progress is None) == (view.state not in {State.WAKING, State.STOPPING})
            assert ready_at is None or ready_at >= now
            if progress is None:
                continue
            course = (view.state, view.since)
            known, least = self.shown.get(target, (course, 0))
            assert (least if known == course else 0) <= progress < 100
            self.shown[target] = (course, progress)
        for learned in self.world.guardian.stored().learned.values():
            assert all(len(kept) <= KEPT for kept in learned.seconds.values())


async def test_whatever_happens_progress_never_goes_back() -> None:
    learned_from = 0
    for seed in range(4):
        life = Watched(seed)
        await life.live()
        await life.end()
        stored = life.world.guardian.stored()
        assert StoredGuardian.from_dict(stored.to_dict()).learned == stored.learned
        learned_from += len(stored.learned[HOST].seconds.get(Leg.PACKET_TO_API, ()))
    assert learned_from > 0
