"""Stories of the whole guardian, with machines that are played and a clock moved by hand."""

import asyncio
from datetime import timedelta

import pytest

from custom_components.cubeguardian.guardian import (
    HOST,
    GuardianPortError,
    HoldUpKey,
    HostSighting,
    LeaseTimes,
    Mode,
    Policy,
    Presence,
    RefusalReason,
    Refused,
    RunningTask,
    State,
    StoredGuardian,
    Then,
    Watch,
)

from .world import ADMIN, HOME, PLAYER, START, Clock, World

GAME = "survival"
NOTHING_FOUND = Policy(times=LeaseTimes(found=None))
VZDUMP = RunningTask(kind="vzdump", target="101")


async def test_a_full_cycle_from_asleep_to_asleep() -> None:
    world = await World(games=(GAME,)).asleep()
    assert (world.view.state, world.view.presence) == (State.OFF, Presence.DOWN)
    assert world.guardian.snapshot.watch is Watch.ASLEEP

    await world.guardian.wake(GAME, ADMIN)
    assert world.host.asked == ["wake"]
    assert world.guardian.snapshot.watch is Watch.EAGER
    assert (world.view.wanted, world.game(GAME).wanted) == (True, True)

    world.host.ping = True
    await world.see(20)
    assert (world.view.state, world.view.phase) == (State.WAKING, "ping")
    world.host.port = True
    await world.see(10)
    assert world.view.state is State.RUNNING
    assert world.told() == ["wake_sent", "woken"]
    await world.see(21)
    assert world.games[GAME].asked == ["start"]
    world.games[GAME].answers = True
    world.games[GAME].players = ("Steve",)
    await world.see(30)
    assert world.game(GAME).state is State.RUNNING
    assert (world.game(GAME).players_online, world.game(GAME).players) == (1, ("Steve",))
    assert world.guardian.snapshot.watch is Watch.STEADY

    with pytest.raises(Refused) as refused:
        await world.guardian.shut_down(HOST, HOME)
    assert refused.value.reason is RefusalReason.HELD
    (held,) = refused.value.hold_ups
    assert (held.key, held.subject) == (HoldUpKey.PLAYERS, GAME)
    assert held.placeholders == {"count": "1", "players": "Steve"}
    assert world.view.state is State.RUNNING

    world.games[GAME].players = ()
    world.events.clear()
    await world.guardian.shut_down(HOST, HOME)
    assert world.host.asked[-1] == "shut_down"
    assert (world.view.state, world.view.wanted) == (State.STOPPING, False)
    world.games[GAME].go_down()
    world.host.vanish()
    await world.see()
    assert world.view.state is State.STOPPING
    await world.see()
    assert (world.view.state, world.game(GAME).state) == (State.OFF, State.OFF)
    assert world.told() == ["shutdown_sent", "asleep"]


async def test_one_lost_probe_changes_nothing() -> None:
    world = await World(games=(GAME,)).awake()
    before, changes = world.guardian.snapshot, world.changes
    world.host.port = world.host.ping = False
    world.clock.pass_by(15)
    world.guardian.observe_host(world.host.sighting())
    world.games[GAME].answers = False
    world.guardian.observe_game(GAME, world.games[GAME].sighting())
    assert world.guardian.snapshot == before
    world.host.appear()
    world.games[GAME].answers = True
    await world.see(15)
    assert (world.guardian.snapshot, world.changes) == (before, changes)


async def test_without_a_network_nothing_happens_by_itself() -> None:
    world = await World().awake()
    world.host.network = False
    for _ in range(20):
        await world.see(15)
    assert (world.view.state, world.view.presence) == (State.RUNNING, Presence.UNKNOWN)
    assert world.told() == []


async def test_what_was_seen_too_long_ago_is_unknown() -> None:
    world = await World(policy=NOTHING_FOUND).awake()
    due = world.guardian.next_wakeup
    assert due == world.clock() + timedelta(seconds=90)
    await world.tick(90)
    assert world.view.presence is Presence.UNKNOWN
    assert world.guardian.next_wakeup is None


async def test_the_packet_is_out_when_wake_returns_and_a_second_wake_waits_for_it() -> None:
    world = await World().asleep()
    world.host.gates["wake"] = gate = asyncio.Event()
    first = asyncio.create_task(world.guardian.wake(HOST, HOME))
    second = asyncio.create_task(world.guardian.wake(HOST, ADMIN))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (first.done(), second.done()) == (False, False)
    gate.set()
    await asyncio.gather(first, second)
    assert world.host.asked == ["wake"]


async def test_a_packet_that_cannot_be_sent_is_told_to_everybody_who_waits() -> None:
    world = await World().asleep()
    world.host.gates["wake"] = gate = asyncio.Event()
    world.host.fails["wake"] = GuardianPortError("connection_error", "no network")
    calls = [asyncio.create_task(world.guardian.wake(HOST, who)) for who in (HOME, ADMIN)]
    await asyncio.sleep(0)
    gate.set()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [getattr(outcome, "code", None) for outcome in outcomes] == ["connection_error"] * 2
    assert (world.view.state, world.view.wanted) == (State.FAILED, False)
    failed = world.events[-1]
    assert failed.placeholders == {"code": "connection_error", "phase": "packet"}
    await world.tick(60)
    assert world.view.state is State.OFF


async def test_a_resent_packet_that_gets_lost_fails_nothing() -> None:
    world = await World().asleep()
    await world.guardian.wake(HOST, HOME)
    world.host.fails["wake"] = GuardianPortError("connection_error")
    await world.tick(15)
    assert (world.host.asked, world.view.state) == (["wake", "wake"], State.WAKING)


async def test_a_packet_still_on_its_way_is_not_sent_again() -> None:
    world = await World().asleep()
    world.host.gates["wake"] = gate = asyncio.Event()
    call = asyncio.create_task(world.guardian.wake(HOST, HOME))
    await asyncio.sleep(0)
    await world.tick(15)
    gate.set()
    await call
    assert world.host.asked == ["wake"]


async def test_waking_ends_by_its_deadline_and_the_failure_is_let_go() -> None:
    world = await World().asleep()
    await world.guardian.wake(HOST, HOME)
    while world.view.state is State.WAKING:
        assert world.guardian.next_wakeup is not None
        world.clock.now = world.guardian.next_wakeup
        await world.see(0.001)
    assert world.clock() - START >= timedelta(seconds=600)
    assert world.host.asked.count("wake") == 1 + 8 + 7
    assert (world.view.state, world.view.retry_at) == (
        State.FAILED,
        world.clock() + timedelta(minutes=1),
    )
    await world.see(61)
    assert world.view.state is State.OFF


async def test_a_task_at_the_deadline_holds_the_shutdown_until_it_ends() -> None:
    world = await World(games=(GAME,)).awake()
    await world.guardian.shut_down(HOST, PLAYER, timedelta(minutes=5))
    assert world.view.shutdown_at == world.clock() + timedelta(minutes=5)
    world.host.tasks = (VZDUMP,)
    await world.tick(300)
    assert (world.view.state, world.view.shutdown_at) == (State.COUNTDOWN, None)
    assert [held.key for held in world.view.held] == [HoldUpKey.TASK]
    assert world.guardian.snapshot.watch is Watch.STEADY
    assert world.told() == ["countdown_started", "shutdown_held"]
    await world.tick(60)
    assert world.told() == []
    world.host.tasks = ()
    await world.tick(60)
    assert world.told() == ["countdown_started"]
    assert world.view.shutdown_at == world.clock() + timedelta(minutes=1)
    assert "shut_down" not in world.host.asked
    await world.tick(60)
    assert world.host.asked[-1] == "shut_down"
    assert world.view.state is State.STOPPING


async def test_a_forced_countdown_passes_what_it_finds_and_says_so() -> None:
    world = await World(games=(GAME,)).awake()
    world.games[GAME].players = ("Steve",)
    await world.guardian.shut_down(HOST, HOME, timedelta(minutes=1), force=True)
    with pytest.raises(Refused) as refused:
        await world.guardian.cancel_shutdown(HOST, PLAYER)
    assert refused.value.reason is RefusalReason.NOT_ALLOWED
    await world.tick(60)
    assert world.view.state is State.STOPPING
    assert [held.key for held in world.events[-1].hold_ups] == [HoldUpKey.PLAYERS]


async def test_a_countdown_is_cancelled_by_a_player() -> None:
    world = await World().awake()
    await world.guardian.shut_down(HOST, HOME, timedelta(minutes=5))
    await world.guardian.cancel_shutdown(HOST, PLAYER)
    await world.tick(600)
    assert (world.view.state, world.host.asked) == (State.RUNNING, [])
    assert world.told() == ["countdown_started", "countdown_cancelled"]
    with pytest.raises(Refused) as refused:
        await world.guardian.cancel_shutdown(HOST, PLAYER)
    assert refused.value.reason is RefusalReason.NOTHING_TO_CANCEL


async def test_a_cancel_during_the_last_look_is_heard() -> None:
    world = await World().awake()
    await world.guardian.shut_down(HOST, HOME, timedelta(minutes=1))
    world.host.gates["look"] = gate = asyncio.Event()
    world.clock.pass_by(60)
    world.guardian.tick()
    await asyncio.sleep(0)
    await world.guardian.cancel_shutdown(HOST, PLAYER)
    gate.set()
    await world.rest()
    assert (world.view.state, world.host.asked) == (State.RUNNING, ["look"])


async def test_a_stop_now_ends_a_countdown_at_once() -> None:
    world = await World().awake()
    await world.guardian.shut_down(HOST, HOME, timedelta(minutes=5))
    await world.guardian.shut_down(HOST, HOME)
    assert world.view.state is State.STOPPING


async def test_a_stop_command_on_a_countdown_that_is_looking() -> None:
    world = await World().awake()
    await world.guardian.shut_down(HOST, HOME, timedelta(minutes=1))
    world.host.gates["look"] = gate = asyncio.Event()
    world.clock.pass_by(60)
    world.guardian.tick()
    stop = asyncio.create_task(world.guardian.shut_down(HOST, HOME))
    await asyncio.sleep(0)
    gate.set()
    await stop
    await world.rest()
    assert world.host.asked.count("shut_down") == 1


async def test_a_wake_during_the_look_of_a_stop_is_the_newer_wish() -> None:
    world = await World().awake()
    world.host.gates["look"] = gate = asyncio.Event()
    stop = asyncio.create_task(world.guardian.shut_down(HOST, HOME))
    await asyncio.sleep(0)
    await world.guardian.wake(HOST, PLAYER)
    gate.set()
    with pytest.raises(Refused) as refused:
        await stop
    assert refused.value.reason is RefusalReason.SUPERSEDED
    assert "shut_down" not in world.host.asked


async def test_a_player_who_joins_while_the_host_is_looked_at_holds_the_shutdown() -> None:
    world = await World(games=(GAME,)).awake()
    survival = world.games[GAME]
    world.host.gates["look"] = gate = asyncio.Event()
    stop = asyncio.create_task(world.guardian.shut_down(HOST, HOME))
    while "look" not in survival.asked:
        await asyncio.sleep(0)
    world.clock.pass_by(5)
    survival.players = ("Steve",)
    world.guardian.observe_game(GAME, survival.sighting())
    gate.set()
    with pytest.raises(Refused) as refused:
        await stop
    assert [held.key for held in refused.value.hold_ups] == [HoldUpKey.PLAYERS]
    assert "shut_down" not in world.host.asked


async def test_a_look_that_shows_something_old_shows_nothing() -> None:
    world = await World().awake()
    world.host.seen_before = timedelta(seconds=5)
    world.clock.pass_by(10)
    with pytest.raises(Refused) as refused:
        await world.guardian.shut_down(HOST, HOME)
    assert [held.key for held in refused.value.hold_ups] == [HoldUpKey.CANNOT_SEE]
    await world.guardian.shut_down(HOST, HOME, force=True)
    assert world.host.asked[-1] == "shut_down"


@pytest.mark.parametrize("broken", ["host", "game", "reading"])
async def test_what_cannot_be_seen_holds_the_shutdown_up(broken: str) -> None:
    world = await World(games=(GAME,)).awake()
    match broken:
        case "host":
            world.host.fails["look"] = GuardianPortError("timeout_error")
        case "game":
            world.games[GAME].fails["look"] = GuardianPortError("timeout_error")
        case _:
            world.host.tasks = None
    with pytest.raises(Refused) as refused:
        await world.guardian.shut_down(HOST, HOME)
    assert HoldUpKey.CANNOT_SEE in {held.key for held in refused.value.hold_ups}
    assert world.view.state is State.RUNNING


async def test_a_host_without_a_token_is_shut_down_without_a_look_at_tasks() -> None:
    world = await World(can_see=False).awake()
    world.host.tasks = None
    await world.guardian.shut_down(HOST, HOME)
    assert world.view.state is State.STOPPING


async def test_old_tasks_of_a_fresh_probe_do_not_count() -> None:
    world = await World().awake()
    world.clock.pass_by(10)
    sighting = world.host.sighting()

    async def look() -> HostSighting:
        return HostSighting(
            seen_at=sighting.seen_at,
            port=True,
            api=sighting.api,
            tasks=(),
            guests=(),
            read_at=sighting.seen_at - timedelta(seconds=5),
        )

    world.host.look = look  # type: ignore[method-assign]
    with pytest.raises(Refused) as refused:
        await world.guardian.shut_down(HOST, HOME)
    assert refused.value.hold_ups[0].placeholders == {"reason": "incomplete"}


async def test_stop_while_waking_stops_once_it_is_up() -> None:
    world = await World().asleep()
    await world.guardian.wake(HOST, HOME)
    await world.guardian.shut_down(HOST, ADMIN)
    assert (world.view.wanted, world.view.then) == (False, Then.STOP)
    await world.guardian.cancel_shutdown(HOST, ADMIN)
    assert world.view.wanted is True
    await world.guardian.shut_down(HOST, ADMIN)
    world.host.appear()
    await world.see(60)
    await world.rest()
    assert world.view.state is State.STOPPING
    assert world.told() == ["wake_sent", "woken", "shutdown_sent"]


async def test_a_wake_that_was_called_off_is_no_alert() -> None:
    world = await World(games=(GAME,)).asleep()
    await world.guardian.wake(GAME, HOME)
    await world.guardian.shut_down(HOST, HOME)
    await world.tick(600)
    assert (world.view.state, world.game(GAME).state) == (State.OFF, State.OFF)
    assert {event.severity.value for event in world.events} == {"info"}


async def test_a_game_server_that_was_to_come_up_on_a_host_that_is_stopped_is_off() -> None:
    world = World(games=(GAME,))
    world.host.appear()
    await world.see()
    await world.guardian.wake(GAME, HOME)
    await world.guardian.shut_down(HOST, ADMIN)
    assert world.game(GAME).state is State.WAKING
    world.host.vanish()
    await world.see()
    await world.see()
    assert (world.view.state, world.game(GAME).state) == (State.OFF, State.OFF)
    assert {event.severity.value for event in world.events} == {"info"}


async def test_a_game_server_that_was_to_come_up_fails_with_a_power_cut() -> None:
    world = World(games=(GAME,))
    world.host.appear()
    await world.see()
    await world.guardian.wake(GAME, HOME)
    world.host.vanish()
    await world.see()
    await world.see()
    assert (world.view.state, world.game(GAME).state) == (State.OFF, State.FAILED)


async def test_wake_while_stopping_wakes_ten_seconds_after_it_is_down() -> None:
    world = await World().awake()
    await world.guardian.shut_down(HOST, HOME)
    await world.guardian.wake(HOST, PLAYER)
    assert (world.view.state, world.view.wanted) == (State.STOPPING, True)
    world.host.vanish()
    await world.see()
    await world.see()
    assert (world.view.state, "wake" in world.host.asked) == (State.WAKING, False)
    await world.tick(10)
    assert world.host.asked[-1] == "wake"


async def test_a_second_stop_is_no_error_and_takes_the_wish_back() -> None:
    world = await World().awake()
    await world.guardian.shut_down(HOST, HOME)
    await world.guardian.wake(HOST, PLAYER)
    await world.guardian.shut_down(HOST, HOME)
    assert world.view.wanted is False
    assert world.host.asked.count("shut_down") == 1
    world.host.vanish()
    await world.see()
    await world.see()
    await world.guardian.shut_down(HOST, HOME)
    assert world.view.state is State.OFF


async def test_a_power_cut_while_waking_goes_on_waking() -> None:
    world = await World().asleep()
    await world.guardian.wake(HOST, HOME)
    world.host.ping = True
    await world.see(20)
    world.host.vanish()
    await world.see()
    await world.see()
    assert world.view.state is State.WAKING
    world.host.appear()
    await world.see(30)
    assert world.view.state is State.RUNNING


async def test_a_power_cut_while_stopping_is_asleep() -> None:
    world = await World().awake()
    await world.guardian.shut_down(HOST, HOME)
    world.host.vanish()
    await world.see()
    await world.see()
    assert world.told() == ["shutdown_sent", "asleep"]


async def test_a_power_cut_while_running_is_told_and_so_is_the_return() -> None:
    world = await World(games=(GAME,)).awake()
    world.host.vanish()
    await world.see(15)
    await world.see(15)
    assert (world.view.state, world.game(GAME).state) == (State.OFF, State.OFF)
    assert [event.kind.value for event in world.events] == ["went_down"]
    world.host.appear()
    await world.see(300)
    assert world.view.state is State.RUNNING
    assert "rebooted" in world.told()


async def test_what_does_not_return_is_lost() -> None:
    world = await World().awake()
    world.host.vanish()
    await world.see(15)
    await world.see(15)
    assert world.guardian.next_wakeup is not None
    await world.tick(600)
    assert world.told() == ["went_down", "lost"]


async def test_a_refused_shutdown_is_told_with_its_code_and_let_go() -> None:
    world = await World().awake()
    world.host.fails["shut_down"] = GuardianPortError("permission_error", "Sys.PowerMgmt")
    with pytest.raises(GuardianPortError) as error:
        await world.guardian.shut_down(HOST, HOME)
    assert error.value.code == "permission_error"
    assert (world.view.state, world.view.wanted) == (State.FAILED, True)
    assert world.events[-1].placeholders == {"code": "permission_error", "phase": "power"}
    entry = world.guardian.snapshot.journal[-1]
    assert (entry.success, entry.error, entry.by) == (False, "permission_error", HOME.name)
    await world.see(60)
    assert world.view.state is State.RUNNING


async def test_a_shutdown_whose_answer_is_lost_is_not_taken_for_refused() -> None:
    world = await World().awake()
    world.host.fails["shut_down"] = GuardianPortError("api_error", sent=True)
    await world.guardian.shut_down(HOST, HOME)
    assert world.view.state is State.STOPPING


async def test_an_answer_that_comes_after_the_host_is_gone_says_nothing() -> None:
    world = await World().awake()
    world.host.gates["shut_down"] = gate = asyncio.Event()
    world.host.fails["shut_down"] = GuardianPortError("connection_error")
    stop = asyncio.create_task(world.guardian.shut_down(HOST, HOME))
    while "shut_down" not in world.host.asked:
        await asyncio.sleep(0)
    world.host.vanish()
    await world.see()
    await world.see()
    gate.set()
    with pytest.raises(GuardianPortError):
        await stop
    assert world.view.state is State.OFF
    assert world.told() == ["shutdown_sent", "asleep"]


async def test_a_shutdown_at_a_deadline_that_is_refused_fails_by_itself() -> None:
    world = await World().awake()
    world.host.fails["shut_down"] = GuardianPortError("auth_error")
    await world.guardian.shut_down(HOST, HOME, timedelta(minutes=1))
    await world.tick(60)
    assert world.view.state is State.FAILED
    assert world.told()[-1] == "shutdown_failed"


async def test_a_host_that_does_not_go_down_has_failed_to_stop() -> None:
    world = await World().awake()
    await world.guardian.shut_down(HOST, HOME)
    await world.see(480)
    assert world.view.state is State.FAILED
    world.host.vanish()
    await world.see()
    await world.see()
    assert world.view.state is State.OFF


async def test_a_restart_comes_up_without_a_packet() -> None:
    world = await World(games=(GAME,)).awake()
    await world.guardian.restart(HOST, HOME)
    assert world.host.asked == ["look", "stop_guest 101", "reboot"]
    assert (world.view.state, world.view.wanted) == (State.STOPPING, True)
    world.host.vanish()
    world.games[GAME].answers = False
    await world.see()
    await world.see()
    assert (world.view.state, world.view.wanted) == (State.WAKING, True)
    await world.tick(60)
    world.host.appear()
    await world.see()
    assert (world.view.state, "wake" in world.host.asked) == (State.RUNNING, False)


async def test_a_restart_meets_the_same_hold_ups_and_needs_something_that_runs() -> None:
    world = await World(games=(GAME,)).awake()
    world.games[GAME].players = ("Steve",)
    with pytest.raises(Refused) as refused:
        await world.guardian.restart(GAME, HOME)
    assert refused.value.reason is RefusalReason.HELD
    await world.guardian.restart(GAME, HOME, force=True)
    assert world.games[GAME].asked[-1] == "reboot"
    await world.asleep()
    with pytest.raises(Refused) as refused:
        await world.guardian.restart(HOST, HOME)
    assert refused.value.reason is RefusalReason.NOT_RUNNING


async def test_a_game_server_stops_alone_and_shares_its_guest_with_others() -> None:
    world = await World(games=(GAME, "lobby")).awake()
    world.games["lobby"].players = ("Alex",)
    with pytest.raises(Refused) as refused:
        await world.guardian.shut_down(GAME, HOME)
    assert [held.subject for held in refused.value.hold_ups] == ["lobby"]
    world.games["lobby"].players = ()
    world.host.tasks = (RunningTask(kind="vzdump", target="999"),)
    await world.guardian.shut_down(GAME, HOME)
    assert (world.view.state, world.game(GAME).state) == (State.RUNNING, State.STOPPING)
    world.games[GAME].go_down()
    world.games["lobby"].go_down()
    await world.see()
    assert world.game(GAME).state is State.OFF
    assert world.told("lobby") == []


async def test_a_game_server_is_started_at_once_when_its_host_is_up() -> None:
    world = World(games=(GAME,))
    world.host.appear()
    await world.see()
    await world.guardian.wake(GAME, HOME)
    assert world.games[GAME].asked == ["start"]
    assert world.game(GAME).deadline == world.clock() + timedelta(seconds=900)


async def test_a_guest_that_cannot_be_started_fails_its_game_server_alone() -> None:
    world = World(games=(GAME,))
    world.host.appear()
    await world.see()
    world.games[GAME].fails["start"] = GuardianPortError("permission_error")
    with pytest.raises(GuardianPortError):
        await world.guardian.wake(GAME, HOME)
    assert (world.view.state, world.game(GAME).state) == (State.RUNNING, State.FAILED)


async def test_a_guest_that_starts_on_boot_is_left_its_time() -> None:
    world = await World(games=(GAME,)).asleep()
    await world.guardian.wake(GAME, HOME)
    world.host.appear()
    await world.see(60)
    assert world.games[GAME].asked == []
    assert world.guardian.next_wakeup == world.clock() + timedelta(seconds=20)
    await world.tick(20)
    assert world.games[GAME].asked == ["start"]
    assert (world.game(GAME).phase, world.game(GAME).wanted) == ("api", True)


async def test_a_game_server_whose_host_fails_to_wake_fails_with_it() -> None:
    world = await World(games=(GAME,)).asleep()
    await world.guardian.wake(GAME, HOME)
    await world.tick(600)
    assert (world.view.state, world.game(GAME).state) == (State.FAILED, State.FAILED)
    assert world.events[-1].target == GAME


async def test_a_game_server_is_not_started_on_a_host_that_stops() -> None:
    world = await World(games=(GAME,)).awake()
    world.games[GAME].go_down()
    await world.see()
    await world.guardian.shut_down(HOST, HOME)
    await world.guardian.wake(GAME, PLAYER)
    await world.see(30)
    assert "start" not in world.games[GAME].asked
    assert (world.view.then, world.game(GAME).state) == (Then.WAKE, State.WAKING)


async def test_a_game_server_without_a_guest_can_only_be_waited_for() -> None:
    world = World(games=(GAME,))
    world.games[GAME].vmid = None
    await world.asleep()
    await world.guardian.shut_down(GAME, HOME)
    await world.guardian.wake(GAME, HOME)
    for command in (world.guardian.shut_down, world.guardian.restart):
        with pytest.raises(Refused) as refused:
            await command(GAME, HOME)
        assert refused.value.reason is RefusalReason.NO_GUEST
    world.host.appear()
    await world.see(30)
    assert world.game(GAME).deadline == world.clock() + timedelta(seconds=900)
    world.games[GAME].answers = True
    await world.see(30)
    assert (world.game(GAME).state, world.games[GAME].asked) == (State.RUNNING, [])


async def test_a_silent_game_server_is_degraded_and_never_off() -> None:
    world = await World(games=(GAME,)).awake()
    world.games[GAME].answers = False
    for _ in range(5):
        await world.see(15)
    assert (world.game(GAME).state, world.game(GAME).degraded) == (State.RUNNING, True)
    world.games[GAME].go_down()
    await world.see(15)
    assert world.game(GAME).state is State.OFF
    assert world.told(GAME) == ["stopped_outside"]


async def test_an_old_word_about_a_guest_does_not_contradict_its_answer() -> None:
    world = World(games=(GAME,))
    world.host.appear()
    await world.see()
    old = world.host.sighting()
    world.games[GAME].answers = True
    world.clock.pass_by(5)
    world.guardian.observe_game(GAME, world.games[GAME].sighting())
    world.clock.pass_by(1)
    fresh = HostSighting(
        seen_at=world.clock(), port=True, tasks=(), guests=old.guests, read_at=old.seen_at
    )
    world.guardian.observe_host(fresh)
    assert world.game(GAME).state is State.RUNNING


async def test_an_older_sighting_that_comes_late_says_nothing() -> None:
    world = await World(games=(GAME,)).awake()
    late, late_game = world.host.sighting(), world.games[GAME].sighting()
    world.clock.pass_by(15)
    world.host.vanish()
    world.guardian.observe_host(world.host.sighting())
    world.guardian.observe_host(late)
    world.clock.pass_by(15)
    world.guardian.observe_host(world.host.sighting())
    world.guardian.observe_game(GAME, late_game)
    assert (world.view.state, world.game(GAME).state) == (State.OFF, State.OFF)


async def test_a_clock_that_is_set_back_blinds_nobody() -> None:
    world = await World(games=(GAME,)).awake()
    world.clock.pass_by(-3600)
    world.games[GAME].players = ("Steve",)
    await world.see()
    assert world.game(GAME).players == ("Steve",)
    world.host.vanish()
    await world.see()
    await world.see()
    assert (world.view.state, world.game(GAME).state) == (State.OFF, State.OFF)


async def test_an_older_word_about_a_guest_that_comes_late_is_forgotten() -> None:
    world = await World(games=(GAME,)).awake()
    late = world.host.sighting()
    world.games[GAME].go_down()
    await world.see(15)
    world.guardian.observe_host(late)
    await world.tick()
    assert (world.game(GAME).state, world.game(GAME).presence) == (State.OFF, Presence.DOWN)
    await world.guardian.wake(GAME, HOME)
    assert world.games[GAME].asked == ["start"]


async def test_a_failure_of_an_earlier_stop_does_not_fail_the_next_one() -> None:
    world = await World().awake()
    world.host.gates["shut_down"] = first = asyncio.Event()
    world.host.fails["shut_down"] = GuardianPortError("timeout_error")
    early = asyncio.create_task(world.guardian.shut_down(HOST, HOME))
    while "shut_down" not in world.host.asked:
        await asyncio.sleep(0)
    world.host.vanish()
    await world.see()
    await world.see()
    await world.awake()
    del world.host.gates["shut_down"]
    failing = world.host.fails.pop("shut_down")
    await world.guardian.shut_down(HOST, HOME)
    world.host.fails["shut_down"] = failing
    first.set()
    with pytest.raises(GuardianPortError):
        await early
    assert world.view.state is State.STOPPING


async def test_a_reading_added_to_a_probe_is_no_second_probe() -> None:
    world = World()
    world.clock.pass_by(1)
    for _ in range(5):
        world.guardian.observe_host(world.host.sighting())
    assert world.view.presence is Presence.UNKNOWN


async def test_ping_that_leads_nowhere_is_told_once_until_it_is_gone() -> None:
    world = await World().asleep()
    world.host.ping = True
    await world.see(30)
    assert (world.view.state, world.view.presence) == (State.WAKING, Presence.STARTING)
    await world.see(300)
    assert (world.view.state, world.view.wanted) == (State.OFF, False)
    for _ in range(30):
        await world.see(30)
    assert world.told() == ["found_starting", "address_conflict"]
    await world.asleep()
    world.host.ping = True
    await world.see(30)
    assert world.told() == ["found_starting"]


async def test_maintenance_refuses_players_and_gives_its_reason() -> None:
    world = await World().asleep()
    world.guardian.set_mode(Mode.MAINTENANCE, "new disks", HOME)
    world.guardian.set_mode(Mode.MAINTENANCE, "new disks", HOME)
    with pytest.raises(Refused) as refused:
        await world.guardian.wake(HOST, PLAYER)
    assert refused.value.reason is RefusalReason.MAINTENANCE
    assert refused.value.placeholders == {"reason": "new disks"}
    await world.guardian.wake(HOST, ADMIN)
    assert world.host.asked == ["wake"]
    kinds = [entry.kind for entry in world.guardian.snapshot.journal]
    assert kinds == ["mode_changed", "refused", "wake_sent"]


async def test_players_do_not_change_the_mode() -> None:
    world = World()
    with pytest.raises(Refused) as refused:
        world.guardian.set_mode(Mode.MAINTENANCE, "", PLAYER)
    assert refused.value.reason is RefusalReason.NOT_ALLOWED
    assert world.guardian.snapshot.mode is Mode.MANUAL


async def test_only_home_assistant_may_force() -> None:
    world = await World().awake()
    with pytest.raises(Refused) as refused:
        await world.guardian.shut_down(HOST, ADMIN, force=True)
    assert refused.value.reason is RefusalReason.NOT_ALLOWED


async def test_everything_is_told_once_and_to_nobody_who_has_left() -> None:
    world = await World().asleep()
    heard: list[str] = []
    leave = world.guardian.subscribe(
        lambda: heard.append("change"), lambda event: heard.append(event.kind.value)
    )
    await world.guardian.wake(HOST, HOME)
    leave()
    await world.tick(15)
    assert heard == ["change", "wake_sent"]


async def test_two_hosts_on_one_clock_do_not_meet() -> None:
    clock = Clock()
    first, second = World(clock=clock), World(clock=clock)
    await first.asleep()
    await second.awake()
    await first.guardian.wake(HOST, HOME)
    await second.guardian.shut_down(HOST, HOME)
    await first.tick(15)
    second.guardian.tick()
    assert (first.view.state, second.view.state) == (State.WAKING, State.STOPPING)
    assert (first.host.asked, second.host.asked) == (["wake", "wake"], ["look", "shut_down"])


async def test_game_servers_are_awaited_closely_for_three_minutes_after_their_host() -> None:
    world = await World(games=(GAME,)).asleep()
    world.host.appear()
    await world.see(1)
    assert world.guardian.snapshot.watch is Watch.EAGER
    await world.see(178)
    assert world.guardian.snapshot.watch is Watch.EAGER
    await world.see(2)
    assert world.guardian.snapshot.watch is Watch.STEADY


async def test_a_wake_right_after_the_start_sends_its_packet_before_anything_was_seen() -> None:
    world = await World().awake()
    world.reload()
    assert world.guardian.snapshot.watch is Watch.EAGER
    await world.guardian.wake(HOST, HOME)
    assert world.host.asked == ["wake"]


async def test_a_stop_right_after_the_start_looks_first() -> None:
    world = World()
    world.host.appear()
    await world.guardian.shut_down(HOST, HOME)
    assert world.host.asked == ["look", "shut_down"]


async def test_a_stop_of_what_cannot_be_seen_does_nothing() -> None:
    world = World()
    await world.guardian.shut_down(HOST, HOME)
    assert world.host.asked == ["look"]
    world.host.appear()
    await world.see()
    assert (world.view.state, world.told()) == (State.RUNNING, [])


async def stored_in(world: World, state: State) -> None:
    """Bring a world into a state."""
    match state:
        case State.OFF:
            await world.asleep()
        case State.WAKING:
            await (await world.asleep()).guardian.wake(HOST, HOME)
        case State.FAILED:
            await (await world.asleep()).guardian.wake(HOST, HOME)
            await world.tick(600)
        case _:
            await world.awake()
    if state is State.COUNTDOWN:
        await world.guardian.shut_down(HOST, HOME, timedelta(minutes=1))
    elif state is State.STOPPING:
        await world.guardian.shut_down(HOST, HOME)
    world.events.clear()


@pytest.mark.parametrize(
    ("state", "seen_up", "then", "events"),
    [
        (State.OFF, False, State.OFF, []),
        (State.OFF, True, State.RUNNING, ["found_running"]),
        (State.WAKING, True, State.RUNNING, ["woken"]),
        (State.WAKING, False, State.WAKING, []),
        (State.RUNNING, True, State.RUNNING, []),
        (State.RUNNING, False, State.OFF, ["went_down"]),
        (State.COUNTDOWN, True, State.COUNTDOWN, []),
        (State.COUNTDOWN, False, State.OFF, ["went_down"]),
        (State.STOPPING, True, State.STOPPING, []),
        (State.STOPPING, False, State.OFF, ["asleep"]),
        (State.FAILED, True, State.RUNNING, ["woken_late"]),
    ],
)
async def test_a_reload_loses_nothing(
    state: State, seen_up: bool, then: State, events: list[str]
) -> None:
    world = World()
    await stored_in(world, state)
    assert world.view.state is state
    world.clock.pass_by(1000)
    asked = list(world.host.asked)
    world.reload()
    await world.tick(200)
    assert (world.view.state, world.events, world.host.asked) == (state, [], asked)
    if seen_up:
        world.host.appear()
        await world.see()
    else:
        world.host.vanish()
        await world.see()
        assert world.events == []
        await world.see()
    assert world.view.state is then
    assert world.told() == events
    if then in {State.COUNTDOWN, State.STOPPING, State.WAKING}:
        assert world.view.deadline == world.clock() + timedelta(minutes=2)


async def test_a_held_countdown_is_still_held_after_a_reload() -> None:
    world = await World(games=(GAME,)).awake()
    world.games[GAME].players = ("Steve",)
    await world.guardian.shut_down(HOST, HOME, timedelta(minutes=1))
    await world.tick(60)
    world.reload()
    await world.see(120)
    assert (world.view.state, world.view.shutdown_at) == (State.COUNTDOWN, None)
    assert [held.key for held in world.view.held] == [HoldUpKey.PLAYERS]
    assert world.told()[-1] == "shutdown_held"


async def test_a_reload_during_the_last_look_announces_the_shutdown_again() -> None:
    world = await World().awake()
    await world.guardian.shut_down(HOST, HOME, timedelta(minutes=10))
    world.host.gates["look"] = asyncio.Event()
    world.clock.pass_by(600)
    world.guardian.tick()
    await asyncio.sleep(0)
    world.tasks.pop().cancel()
    world.host.gates.clear()
    world.clock.pass_by(8 * 3600)
    world.reload()
    await world.see()
    assert world.view.shutdown_at == world.clock() + timedelta(minutes=2)
    assert "shut_down" not in world.host.asked
    await world.see(120)
    assert world.host.asked[-1] == "shut_down"


async def test_what_was_never_seen_is_found_silently_even_after_a_reload() -> None:
    world = World(games=(GAME,))
    world.reload()
    await world.awake()
    world.reload()
    assert world.guardian.stored() == StoredGuardian.from_dict(world.guardian.stored().to_dict())
    assert world.view.state is State.RUNNING


@pytest.mark.parametrize("fails", [False, True])
async def test_a_cancelled_caller_does_not_keep_the_command_from_going_out(fails: bool) -> None:
    world = await World().awake()
    world.host.gates["shut_down"] = gate = asyncio.Event()
    if fails:
        world.host.fails["shut_down"] = GuardianPortError("permission_error")
    caller = asyncio.create_task(world.guardian.shut_down(HOST, HOME))
    while "shut_down" not in world.host.asked:
        await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert world.view.state is State.STOPPING
    gate.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (world.host.done[-1] == "shut_down") is not fails
    assert world.view.state is (State.FAILED if fails else State.STOPPING)


async def test_a_cancelled_caller_of_a_wake_leaves_it_to_the_next_one() -> None:
    world = await World().asleep()
    world.host.gates["wake"] = gate = asyncio.Event()
    first = asyncio.create_task(world.guardian.wake(HOST, HOME))
    await asyncio.sleep(0)
    first.cancel()
    second = asyncio.create_task(world.guardian.wake(HOST, ADMIN))
    await asyncio.sleep(0)
    assert not second.done()
    gate.set()
    await second
    assert world.host.asked == ["wake"]
    assert world.view.state is State.WAKING


async def test_a_server_that_answers_lives_elsewhere_than_in_the_guest_that_is_stopped() -> None:
    world = World(games=(GAME,))
    world.host.appear()
    game = world.games[GAME]
    game.answers, game.players = True, ("Alex",)
    for _ in range(10):
        world.clock.pass_by(5)
        world.guardian.observe_host(world.host.sighting())
        world.clock.pass_by(10)
        world.guardian.observe_game(GAME, game.sighting())
    assert world.told(GAME) == ["found_running"]
    assert world.game(GAME).players_online == 1
    game.answers = False
    await world.see(5)
    assert world.game(GAME).state is State.OFF


async def test_days_later_nothing_is_woken_or_stopped_that_was_asked_for_before() -> None:
    waking, leaving = await World().asleep(), await World(games=(GAME,)).awake()
    await waking.guardian.wake(HOST, HOME)
    await leaving.guardian.shut_down(HOST, HOME, timedelta(minutes=10), force=True)
    leaving.games[GAME].players = ("Alex",)
    for world, state in ((waking, State.OFF), (leaving, State.RUNNING)):
        world.host.asked.clear()
        world.clock.pass_by(3 * 24 * 3600)
        world.reload()
        await world.watch(15)
        assert (world.view.state, world.host.asked) == (state, [])


async def test_hours_later_what_was_asked_for_goes_on() -> None:
    waking, leaving = await World().asleep(), await World().awake()
    await waking.guardian.wake(HOST, HOME)
    await leaving.guardian.shut_down(HOST, HOME, timedelta(minutes=10))
    for world, state in ((waking, State.WAKING), (leaving, State.COUNTDOWN)):
        world.clock.pass_by(12 * 3600)
        world.reload()
        await world.see()
        assert world.view.state is state
