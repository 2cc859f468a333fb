"""How a host goes down: the worlds are saved, the guests are shut down, then the power goes."""

from datetime import timedelta

import pytest

from custom_components.cubeguardian.guardian import (
    HOST,
    Cause,
    GuardianPortError,
    GuestRole,
    HoldUpKey,
    LeaseTimes,
    Phase,
    Policy,
    RefusalReason,
    Refused,
    RunningTask,
    State,
    Then,
)

from .world import ADMIN, HOME, World

GAME = "survival"
NAS, PRINTER = 200, 201
ROLES = Policy(roles={NAS: GuestRole.SLEEPS_WITH_HOST})


def deeds(world: World) -> list[str]:
    return [what for what in world.host.asked if what != "look"]


async def test_worlds_then_guests_then_power() -> None:
    world = World(games=(GAME,), policy=ROLES)
    world.host.running_guests.add(NAS)
    await world.awake()
    await world.guardian.shut_down(HOST, HOME)
    assert world.games[GAME].asked == ["look", "save"]
    assert deeds(world) == ["stop_guest 101", f"stop_guest {NAS}", "shut_down"]
    assert (world.view.state, world.view.phase) == (State.STOPPING, Phase.POWER)


async def test_each_phase_is_shown_while_it_lasts() -> None:
    world = await World(games=(GAME,)).awake()
    save, stop_guest = world.hold("save", GAME), world.hold("stop_guest 101")
    stop = world.begin(world.guardian.shut_down(HOST, HOME))
    await world.breathe()
    assert world.view.phase is Phase.SAVING
    save.set()
    await world.breathe()
    assert world.view.phase is Phase.GUESTS
    stop_guest.set()
    await stop
    assert world.view.phase is Phase.POWER
    assert world.view.deadline == world.clock() + timedelta(seconds=480)


async def test_a_server_that_is_not_up_is_not_asked_to_save() -> None:
    world = World(games=(GAME,))
    world.host.appear()
    await world.see()
    await world.guardian.shut_down(HOST, HOME)
    assert world.games[GAME].asked == ["look"]


async def test_a_world_that_cannot_be_saved_is_reported_and_its_guest_saves_it() -> None:
    world = await World(games=(GAME,)).awake()
    world.games[GAME].fails["save"] = GuardianPortError("auth_error")
    await world.guardian.shut_down(HOST, HOME)
    assert [event.kind.value for event in world.events if event.target == GAME] == ["save_failed"]
    assert deeds(world) == ["stop_guest 101", "shut_down"]


async def test_a_guest_that_ignores_its_shutdown_is_reported_and_not_killed() -> None:
    world = await World(games=(GAME,)).awake()
    world.host.names[101] = "minecraft"
    await world.see()
    world.host.fails["stop_guest 101"] = GuardianPortError("guest_ignores")
    with pytest.raises(GuardianPortError):
        await world.guardian.shut_down(HOST, HOME)
    ignores = next(event for event in world.events if event.kind.value == "guest_ignores")
    assert ignores.placeholders == {"vmid": "101", "name": "minecraft"}
    assert "shut_down" not in world.host.asked
    assert world.view.state is State.FAILED
    assert world.view.phase is Phase.GUESTS


async def test_force_goes_on_past_a_guest_that_ignores_it() -> None:
    world = await World(games=(GAME,)).awake()
    world.host.fails["stop_guest 101"] = GuardianPortError("guest_ignores")
    await world.guardian.shut_down(HOST, HOME, force=True)
    assert deeds(world)[-1] == "shut_down"


async def test_force_shuts_down_in_order_what_keeps_awake_otherwise() -> None:
    world = World()
    world.host.running_guests.add(PRINTER)
    await world.awake()
    await world.guardian.shut_down(HOST, HOME, force=True)
    assert deeds(world) == [f"stop_guest {PRINTER}", "shut_down"]


async def test_a_guest_that_we_have_no_right_to_is_left_to_its_host() -> None:
    world = World(policy=ROLES)
    world.host.running_guests.add(NAS)
    world.host.fails[f"stop_guest {NAS}"] = GuardianPortError("permission_error")
    await world.awake()
    await world.guardian.shut_down(HOST, HOME)
    assert deeds(world)[-1] == "shut_down"


async def test_a_guest_that_cannot_be_asked_fails_the_shutdown() -> None:
    world = await World(games=(GAME,)).awake()
    world.host.fails["stop_guest 101"] = GuardianPortError("connection_error")
    with pytest.raises(GuardianPortError):
        await world.guardian.shut_down(HOST, HOME)
    assert "shut_down" not in world.host.asked
    assert world.told() == ["shutdown_sent", "shutdown_failed"]


async def test_a_guest_that_was_stopped_for_nothing_was_not_stopped_by_somebody_else() -> None:
    world = await World(games=(GAME,)).awake()
    world.host.fails["shut_down"] = GuardianPortError("permission_error")
    with pytest.raises(GuardianPortError):
        await world.guardian.shut_down(HOST, HOME)
    world.games[GAME].go_down()
    await world.see()
    assert (world.view.state, world.game(GAME).state) == (State.FAILED, State.OFF)
    assert world.told(GAME) == []


async def test_whoever_wakes_it_while_guests_stop_turns_it_back() -> None:
    world = await World(games=(GAME,)).awake()
    gate = world.hold("stop_guest 101")
    stop = world.begin(world.guardian.shut_down(HOST, ADMIN))
    await world.breathe()
    await world.guardian.wake(HOST, HOME)
    assert world.view.state is State.RUNNING
    gate.set()
    with pytest.raises(Refused) as refused:
        await stop
    assert refused.value.reason is RefusalReason.SUPERSEDED
    await world.see(20)
    assert deeds(world) == ["stop_guest 101", "start_guest 101"]
    assert "aborted" in world.told()


async def test_a_power_cut_while_guests_stop_ends_the_waiting_for_them() -> None:
    world = await World(games=(GAME,)).awake()
    world.hold("stop_guest 101")
    stop = world.begin(world.guardian.shut_down(HOST, HOME))
    await world.breathe()
    world.host.vanish()
    await world.see()
    await world.see()
    with pytest.raises(Refused) as refused:
        await stop
    assert refused.value.reason is RefusalReason.SUPERSEDED
    assert (world.view.state, deeds(world)) == (State.OFF, ["stop_guest 101"])


async def test_what_was_stopped_for_a_failed_shutdown_comes_back_with_whoever_wants_it() -> None:
    world = World(games=(GAME,), policy=ROLES)
    world.host.running_guests.add(NAS)
    world.host.fails["stop_guest 101"] = GuardianPortError("guest_ignores")
    await world.awake()
    with pytest.raises(GuardianPortError):
        await world.guardian.shut_down(HOST, HOME)
    await world.see(20)
    assert world.view.state is State.FAILED
    assert f"start_guest {NAS}" not in deeds(world)
    world.reload()
    await world.see()
    await world.guardian.wake(HOST, HOME)
    await world.see(20)
    assert deeds(world)[-2:] == ["start_guest 101", f"start_guest {NAS}"]


async def test_what_was_stopped_for_a_restart_is_started_after_it() -> None:
    world = World(policy=ROLES)
    world.host.running_guests.add(NAS)
    await world.awake()
    await world.guardian.restart(HOST, HOME)
    world.host.vanish()
    await world.see()
    await world.see()
    world.host.appear()
    await world.see(60)
    assert world.view.state is State.RUNNING
    assert deeds(world)[-1] == "reboot"
    await world.see(20)
    assert deeds(world)[-1] == f"start_guest {NAS}"


async def test_what_went_to_sleep_with_its_host_is_not_started_with_it() -> None:
    world = World(policy=ROLES)
    world.host.running_guests.add(NAS)
    await world.awake()
    await world.guardian.shut_down(HOST, HOME)
    await world.asleep()
    await world.awake()
    await world.see(60)
    assert f"start_guest {NAS}" not in deeds(world)


async def test_a_guest_that_does_not_come_back_does_not_break_the_rest() -> None:
    world = await World(games=(GAME,)).awake()
    gate = world.hold("stop_guest 101")
    world.host.fails["start_guest 101"] = GuardianPortError("api_error")
    stop = world.begin(world.guardian.shut_down(HOST, ADMIN))
    await world.breathe()
    await world.guardian.wake(HOST, HOME)
    gate.set()
    with pytest.raises(Refused):
        await stop
    await world.see(20)
    assert deeds(world)[-1] == "start_guest 101"
    assert world.view.state is State.RUNNING


async def test_a_shutdown_that_is_wanted_by_nobody_any_more_stops_no_guest() -> None:
    world = await World(games=(GAME,)).awake()
    gate = world.hold("save", GAME)
    stop = world.begin(world.guardian.shut_down(HOST, ADMIN))
    await world.breathe()
    await world.guardian.cancel_shutdown(HOST, ADMIN)
    gate.set()
    with pytest.raises(Refused):
        await stop
    assert deeds(world) == []


async def test_nothing_goes_out_from_a_guardian_that_was_closed() -> None:
    world = await World(games=(GAME,)).awake()
    gate = world.hold("stop_guest 101")
    stop = world.begin(world.guardian.shut_down(HOST, HOME))
    await world.breathe()
    world.guardian.close()
    gate.set()
    with pytest.raises(Refused) as refused:
        await stop
    assert refused.value.reason is RefusalReason.SUPERSEDED
    assert deeds(world) == ["stop_guest 101"]
    assert world.view.state is State.STOPPING


async def test_what_nobody_waits_for_does_not_go_out_either() -> None:
    world = await World(games=(GAME,)).awake()
    await world.guardian.shut_down(HOST, HOME, timedelta(minutes=1))
    gate = world.hold("save", GAME)
    await world.see_without_waiting(60)
    assert world.view.state is State.STOPPING
    world.guardian.close()
    gate.set()
    await world.rest()
    assert deeds(world) == []


async def test_a_look_that_ends_after_the_close_stops_nothing() -> None:
    world = await World().awake()
    gate = world.hold("look")
    stop = world.begin(world.guardian.shut_down(HOST, HOME))
    await world.breathe()
    world.guardian.close()
    gate.set()
    with pytest.raises(Refused) as refused:
        await stop
    assert refused.value.reason is RefusalReason.SUPERSEDED
    assert deeds(world) == []


async def test_what_was_half_done_at_a_restart_is_announced_anew() -> None:
    world = await World(games=(GAME,)).awake()
    world.hold("stop_guest 101")
    stop = world.begin(world.guardian.shut_down(HOST, HOME))
    await world.breathe()
    world.guardian.close()
    with pytest.raises(Refused):
        await stop
    world.reload()
    await world.see()
    assert world.view.state is State.COUNTDOWN
    assert world.view.deadline is not None
    assert world.view.deadline >= world.clock() + timedelta(seconds=119)


async def test_a_minecraft_that_ends_before_its_guest_turns_nothing_back() -> None:
    policy = Policy(automatic=True, times=LeaseTimes(found=None))
    world = await World(games=(GAME,), policy=policy).awake()
    await world.watch(15)
    gate = world.hold("stop_guest 101")
    await world.see_without_waiting(60)
    assert (world.view.state, world.view.cause) == (State.STOPPING, Cause.IDLE)
    world.games[GAME].answers, world.games[GAME].port_open = False, False
    for _ in range(5):
        await world.see_without_waiting(2)
    assert world.view.state is State.STOPPING
    gate.set()
    await world.rest()
    assert deeds(world) == ["stop_guest 101", "shut_down"]


async def test_a_wake_that_was_to_follow_a_stop_is_let_go_after_a_day() -> None:
    world = await World().awake()
    await world.guardian.shut_down(HOST, HOME)
    await world.guardian.wake(HOST, HOME)
    assert world.view.then is Then.WAKE
    world.clock.pass_by(24 * 3600)
    world.reload()
    await world.asleep()
    await world.see(60)
    assert (world.view.state, world.host.done.count("wake")) == (State.OFF, 0)


async def test_a_game_server_is_saved_before_its_guest_goes() -> None:
    world = await World(games=(GAME,)).awake()
    await world.guardian.shut_down(GAME, HOME)
    assert world.games[GAME].asked == ["look", "save", "shut_down"]
    assert deeds(world) == []


@pytest.mark.parametrize("begun", [HoldUpKey.TASK, HoldUpKey.GUEST])
async def test_what_begins_while_guests_stop_turns_the_shutdown_back(begun: HoldUpKey) -> None:
    world = await World(games=(GAME,)).awake()
    gate = world.hold("stop_guest 101")
    stop = world.begin(world.guardian.shut_down(HOST, HOME))
    await world.breathe()
    if begun is HoldUpKey.TASK:
        world.host.tasks = (RunningTask(kind="vzdump", target=""),)
    else:
        world.host.running_guests.add(NAS)
    await world.see_without_waiting(2)
    gate.set()
    with pytest.raises(Refused) as refused:
        await stop
    assert refused.value.reason is RefusalReason.HELD
    assert [held.key for held in refused.value.hold_ups] == [begun]
    await world.see(20)
    assert deeds(world) == ["stop_guest 101", "start_guest 101"]
    assert world.view.state is State.RUNNING
    assert world.told() == ["shutdown_sent", "shutdown_held"]


async def test_how_guests_end_does_not_turn_the_shutdown_back() -> None:
    world = await World(games=(GAME,)).awake()
    gate = world.hold("stop_guest 101")
    stop = world.begin(world.guardian.shut_down(HOST, HOME))
    await world.breathe()
    world.host.tasks = (RunningTask(kind="qmshutdown", target="101"),)
    await world.see_without_waiting(2)
    gate.set()
    await stop
    assert deeds(world) == ["stop_guest 101", "shut_down"]


async def test_what_is_forced_does_not_wait_for_a_backup_that_begins_meanwhile() -> None:
    world = await World(games=(GAME,)).awake()
    gate = world.hold("stop_guest 101")
    stop = world.begin(world.guardian.shut_down(HOST, HOME, force=True))
    await world.breathe()
    world.host.tasks = (RunningTask(kind="vzdump", target=""),)
    await world.see_without_waiting(2)
    gate.set()
    await stop
    assert deeds(world) == ["stop_guest 101", "shut_down"]
