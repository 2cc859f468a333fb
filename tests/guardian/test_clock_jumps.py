"""A wall clock that is set: nothing expires by it, and nothing is put off by it."""

from datetime import timedelta

import pytest

from custom_components.cubeguardian.guardian import HOST, LeaseTimes, Policy, Presence, State

from .world import HOME, World

GAME = "survival"
HOUR = 3600


@pytest.mark.parametrize("jump", [HOUR, -HOUR, 30 * 24 * HOUR, -56 * 365 * 24 * HOUR])
async def test_a_countdown_lasts_as_long_as_it_was_announced(jump: float) -> None:
    world = await World(games=(GAME,)).awake()
    await world.guardian.shut_down(HOST, HOME, timedelta(minutes=10))
    await world.watch(4)
    world.clock.be_set(jump)
    await world.watch(5.5)
    assert world.view.state is State.COUNTDOWN
    await world.watch(1)
    assert world.view.state is State.STOPPING


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
async def test_what_was_seen_a_moment_ago_is_still_known(jump: float) -> None:
    world = await World(games=(GAME,)).awake()
    world.games[GAME].players = ("Alex",)
    await world.see()
    world.clock.be_set(jump)
    await world.tick(1)
    assert world.view.presence is Presence.UP
    assert world.game(GAME).presence is Presence.UP
    await world.see()
    assert world.game(GAME).players_online == 1


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
async def test_a_lease_keeps_what_is_left_of_it(jump: float) -> None:
    policy = Policy(automatic=True, times=LeaseTimes(found=None))
    world = await World(policy=policy).awake()
    world.guardian.keep_awake(True, HOME, timedelta(minutes=30))
    await world.watch(10)
    world.clock.be_set(jump)
    await world.watch(19)
    assert world.view.state is State.RUNNING
    assert world.guardian.snapshot.keep_awake is not None
    await world.watch(4)
    assert world.view.state is State.COUNTDOWN


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
async def test_a_wake_is_waited_for_as_long_as_before_and_its_progress_stays(jump: float) -> None:
    world = await World().asleep()
    await world.guardian.wake(HOST, HOME)
    await world.watch(1)
    before = world.view.progress(world.clock())
    world.clock.be_set(jump)
    await world.tick()
    assert world.view.progress(world.clock()) == before
    await world.watch(8.5)
    assert world.view.state is State.WAKING
    await world.watch(1)
    assert world.view.state is not State.WAKING


async def test_a_game_server_that_has_been_silent_stays_silent_for_as_long() -> None:
    world = await World(games=(GAME,)).awake()
    world.games[GAME].answers, world.games[GAME].port_open = False, True
    await world.watch(20)
    world.clock.be_set(HOUR)
    await world.watch(9)
    assert world.told(GAME) == []
    await world.watch(2)
    assert world.told(GAME) == ["server_unreadable"]


async def test_a_small_correction_is_followed() -> None:
    world = await World().awake()
    await world.guardian.shut_down(HOST, HOME, timedelta(minutes=10))
    deadline = world.view.deadline
    world.clock.be_set(59)
    await world.tick()
    assert world.view.deadline == deadline


async def test_a_sleep_of_home_assistants_own_machine_expires_nothing() -> None:
    world = await World().awake()
    await world.guardian.shut_down(HOST, HOME, timedelta(minutes=10))
    world.clock.be_set(8 * HOUR)
    await world.tick()
    assert world.view.state is State.COUNTDOWN
    assert world.view.deadline is not None
    assert world.view.deadline - world.clock() == timedelta(minutes=10)


async def test_what_a_clock_that_was_ahead_has_stored_puts_nothing_off() -> None:
    world = World(policy=Policy(automatic=True, times=LeaseTimes(found=None)))
    world.clock.be_set(30 * 24 * HOUR)
    await world.awake()
    world.guardian.keep_awake(True, HOME, timedelta(minutes=20))
    world.clock.be_set(-30 * 24 * HOUR)
    world.reload()
    await world.watch(19)
    assert world.view.state is State.RUNNING
    await world.watch(4)
    assert world.view.state is State.COUNTDOWN
