"""Stories of an automatic guardian: who wants the host, and what happens when nobody does."""

from datetime import timedelta

import pytest

from custom_components.cubeguardian.guardian import (
    HOST,
    Cause,
    GuardianPortError,
    GuestRole,
    HoldUpKey,
    Lease,
    LeaseTimes,
    Mode,
    Policy,
    RefusalReason,
    Refused,
    RunningTask,
    Source,
    State,
    Then,
)

from .world import ADMIN, HOME, PLAYER, GameMachine, World

GAME, OTHER = "survival", "creative"
AUTOMATIC = Policy(automatic=True, times=LeaseTimes(found=None))
CALENDAR = "calendar.game_night"
NAS = 200


async def idle_countdown(world: World) -> World:
    """Let everybody be gone for so long that the countdown runs."""
    await world.awake()
    await world.watch(5.5)
    assert (world.view.state, world.view.cause) == (State.COUNTDOWN, Cause.IDLE)
    world.events.clear()
    return world


def sources(world: World, target: str = HOST) -> list[Source]:
    return [lease.source for lease in world.guardian.snapshot.live(target)]


async def test_an_evening_from_the_first_player_to_asleep() -> None:
    world = await World(games=(GAME,), policy=AUTOMATIC).asleep()
    await world.guardian.wake(GAME, HOME, Source.SWITCH)
    await world.see(10)
    await world.awake()
    game = world.games[GAME]
    assert sources(world) == [Source.SWITCH]
    game.players = ("Alex",)
    await world.watch(90)
    assert sources(world) == [Source.PLAYERS]
    game.players = ()
    await world.see()
    assert sources(world) == []
    await world.watch(2.25)
    assert world.view.state is State.COUNTDOWN
    assert world.told() == ["countdown_started"]
    game.players = ("Alex",)
    await world.see()
    assert world.view.state is State.RUNNING
    cancelled = world.events[-1]
    assert (cancelled.kind.value, cancelled.by) == ("countdown_cancelled", "Alex")
    game.players = ()
    await world.watch(6)
    assert world.view.state is State.COUNTDOWN
    await world.guardian.cancel_shutdown(HOST, PLAYER)
    assert sources(world) == [Source.CANCELLED]
    await world.watch(59)
    assert world.view.state is State.RUNNING
    await world.watch(4)
    assert world.view.state is State.COUNTDOWN
    await world.watch(10)
    assert world.view.state is State.STOPPING
    assert [what for what in world.host.asked if what != "look"] == [
        "wake",
        "stop_guest 101",
        "shut_down",
    ]
    world.host.vanish()
    game.go_down()
    await world.see()
    await world.see()
    assert world.view.state is State.OFF


async def test_in_manual_mode_nobody_is_needed_to_stay_up() -> None:
    world = await World(games=(GAME,)).awake()
    await world.watch(300)
    assert world.view.state is State.RUNNING


async def test_the_policy_gives_only_the_first_mode() -> None:
    world = World(policy=AUTOMATIC)
    assert world.guardian.snapshot.mode is Mode.AUTOMATIC
    world.guardian.set_mode(Mode.MANUAL, "", HOME)
    world.reload()
    assert world.guardian.snapshot.mode is Mode.MANUAL


async def test_what_was_found_has_hours() -> None:
    found = Policy(automatic=True, times=LeaseTimes(found=timedelta(hours=1)))
    world = await World(policy=found).asleep()
    await world.awake()
    await world.watch(59)
    assert sources(world) == [Source.FOUND]
    await world.watch(4)
    assert world.view.state is State.COUNTDOWN


async def test_leaving_automatic_ends_an_idle_countdown() -> None:
    world = await idle_countdown(World(policy=AUTOMATIC))
    world.guardian.set_mode(Mode.MAINTENANCE, "new disks", HOME)
    assert world.view.state is State.RUNNING
    assert world.told() == ["countdown_cancelled"]


async def test_a_shorter_countdown_is_a_shorter_countdown() -> None:
    world = World(policy=AUTOMATIC)
    world.guardian.set_idle_minutes(1)
    await idle_countdown(world)
    assert world.view.deadline is not None
    assert world.view.deadline - world.view.since == timedelta(minutes=1)
    world.reload()
    assert world.guardian.snapshot.idle_minutes == 1


@pytest.mark.parametrize("minutes", [0, -5, 181])
async def test_a_countdown_of_a_senseless_length_is_refused(minutes: int) -> None:
    with pytest.raises(ValueError, match="idle countdown"):
        World().guardian.set_idle_minutes(minutes)


async def test_keeping_awake_wakes_and_keeps_awake_until_it_is_over() -> None:
    world = await World(policy=AUTOMATIC).asleep()
    world.guardian.keep_awake(True, HOME, timedelta(hours=2))
    await world.rest()
    assert world.host.asked == ["wake"]
    assert world.view.by == "Home Assistant"
    await world.awake()
    await world.watch(100)
    assert world.view.state is State.RUNNING
    await world.watch(30)
    assert world.view.state is State.COUNTDOWN
    assert world.guardian.snapshot.keep_awake is None


async def test_keeping_awake_wakes_nothing_in_manual_mode() -> None:
    world = await World().asleep()
    world.guardian.keep_awake(True, HOME)
    await world.rest()
    assert world.host.asked == []
    assert world.guardian.snapshot.keep_awake is not None
    world.guardian.keep_awake(False, HOME)
    assert world.guardian.snapshot.keep_awake is None


async def test_players_do_not_keep_awake_what_is_maintained() -> None:
    world = World()
    world.guardian.set_mode(Mode.MAINTENANCE, "new disks", HOME)
    with pytest.raises(Refused) as refused:
        world.guardian.keep_awake(True, PLAYER)
    assert refused.value.placeholders == {"reason": "new disks"}


async def test_an_entity_that_turns_on_wakes_and_holds() -> None:
    policy = Policy(automatic=True, wanting=frozenset({CALENDAR}))
    world = await World(policy=policy).asleep()
    world.guardian.report(Source.ENTITY, HOST, {})
    world.guardian.report(Source.ENTITY, HOST, {CALENDAR: "Game night"})
    await world.rest()
    assert world.host.asked == ["wake"]
    await world.awake()
    await world.watch(60)
    assert world.view.state is State.RUNNING
    world.guardian.report(Source.ENTITY, HOST, {})
    await world.watch(3)
    assert world.view.state is State.COUNTDOWN
    world.guardian.report(Source.ENTITY, HOST, {CALENDAR: "Game night"})
    assert world.view.state is State.RUNNING
    assert world.events[-1].by == "Game night"


async def test_an_entity_that_was_on_at_the_start_wakes_nothing() -> None:
    policy = Policy(automatic=True, wanting=frozenset({CALENDAR}))
    world = await World(policy=policy).asleep()
    world.guardian.report(Source.ENTITY, HOST, {CALENDAR: "Game night"})
    await world.rest()
    assert world.host.asked == []


async def test_an_entity_that_never_reports_holds_for_half_an_hour() -> None:
    policy = Policy(automatic=True, wanting=frozenset({CALENDAR}), times=LeaseTimes(found=None))
    world = await World(policy=policy).awake()
    await world.watch(29)
    assert world.view.state is State.RUNNING
    await world.watch(2)
    assert "demand_unknown" in world.told()
    await world.watch(2)
    assert world.view.state is State.COUNTDOWN


async def test_a_stop_command_overrules_who_wants_it_until_they_ask_anew() -> None:
    policy = Policy(automatic=True, wanting=frozenset({CALENDAR}), times=LeaseTimes(found=None))
    world = await World(policy=policy).awake()
    world.guardian.report(Source.ENTITY, HOST, {})
    world.guardian.report(Source.ENTITY, HOST, {CALENDAR: "Game night"})
    await world.guardian.shut_down(HOST, ADMIN)
    assert [lease.declined for lease in world.guardian.snapshot.leases] == [True]
    world.host.vanish()
    await world.see()
    await world.see()
    await world.watch(5)
    assert world.view.state is State.OFF
    assert world.host.done.count("wake") == 0
    world.guardian.report(Source.ENTITY, HOST, {})
    world.guardian.report(Source.ENTITY, HOST, {CALENDAR: "Game night"})
    await world.rest()
    assert world.host.done.count("wake") == 1


async def test_whoever_comes_back_does_not_stop_an_asked_shutdown() -> None:
    world = await World(games=(GAME,), policy=AUTOMATIC).awake()
    await world.guardian.shut_down(HOST, ADMIN, timedelta(minutes=5))
    world.games[GAME].players = ("Alex",)
    await world.watch(1)
    assert (world.view.state, world.view.cause) == (State.COUNTDOWN, Cause.ASKED)
    await world.watch(5)
    assert [held.key for held in world.view.held] == [HoldUpKey.PLAYERS]


async def test_a_wake_during_an_announced_shutdown_counts_as_its_cancellation() -> None:
    world = await World(policy=AUTOMATIC).awake()
    await world.guardian.shut_down(HOST, ADMIN, timedelta(minutes=5))
    await world.guardian.wake(HOST, HOME)
    assert world.view.state is State.RUNNING
    assert set(sources(world)) == {Source.CANCELLED, Source.ACTION}


async def test_a_veto_stops_players_and_nobody_else() -> None:
    world = await World(policy=AUTOMATIC).asleep()
    world.guardian.set_vetoes({"binary_sensor.night": "Quiet hours"})
    with pytest.raises(Refused) as refused:
        await world.guardian.wake(HOST, PLAYER, Source.DISCORD)
    assert refused.value.reason is RefusalReason.FORBIDDEN
    assert refused.value.placeholders == {"reason": "Quiet hours"}
    assert world.guardian.snapshot.vetoes == {"binary_sensor.night": "Quiet hours"}
    await world.guardian.wake(HOST, ADMIN, Source.DISCORD)
    assert world.host.asked == ["wake"]


async def test_a_wake_that_never_got_ready_takes_its_wish_along() -> None:
    world = await World(policy=AUTOMATIC).asleep()
    await world.guardian.wake(HOST, HOME)
    await world.watch(11)
    assert world.view.state in {State.FAILED, State.OFF}
    assert sources(world) == []
    await world.watch(5)
    assert world.view.state is State.OFF


async def test_a_wish_that_lasts_is_tried_again() -> None:
    world = await World(policy=AUTOMATIC).asleep()
    world.guardian.keep_awake(True, HOME)
    await world.watch(13)
    assert world.view.state is State.WAKING
    assert world.told() == ["wake_sent", "wake_failed", "wake_sent"]


async def test_a_host_that_is_wanted_again_while_it_saves_stays_up() -> None:
    world = await idle_countdown(World(games=(GAME,), policy=AUTOMATIC))
    gate = world.hold("stop_guest 101")
    await world.see_without_waiting(600)
    assert world.view.state is State.STOPPING
    world.guardian.keep_awake(True, HOME)
    assert world.view.state is State.RUNNING
    gate.set()
    await world.rest()
    assert world.host.done[-2:] == ["stop_guest 101", "start_guest 101"]
    assert "shut_down" not in world.host.asked


async def test_a_protected_guest_keeps_its_host_up_for_ever() -> None:
    world = World(policy=AUTOMATIC)
    world.guardian.protect(frozenset({NAS}))
    world.host.running_guests.add(NAS)
    await world.awake()
    await world.watch(60)
    assert world.view.state is State.RUNNING
    with pytest.raises(Refused) as refused:
        await world.guardian.shut_down(HOST, HOME, force=True)
    assert [held.key for held in refused.value.hold_ups] == [HoldUpKey.PROTECTED]
    world.reload()
    assert world.guardian.snapshot.protected == {NAS}


async def test_a_backup_holds_an_idle_host_up() -> None:
    world = await idle_countdown(World(policy=AUTOMATIC))
    world.host.tasks = (RunningTask(kind="vzdump", target=""),)
    await world.watch(11)
    assert [held.key for held in world.view.held] == [HoldUpKey.TASK]
    assert world.told() == ["shutdown_held"]
    world.host.tasks = ()
    await world.watch(1)
    assert world.told() == ["countdown_started"]
    assert world.view.held == ()
    await world.watch(1.5)
    assert world.view.state is State.STOPPING


async def test_a_guest_that_keeps_awake_holds_an_idle_host_up() -> None:
    world = World(policy=AUTOMATIC)
    world.host.running_guests.add(NAS)
    await idle_countdown(world)
    await world.watch(11)
    assert [held.key for held in world.view.held] == [HoldUpKey.GUEST]


async def test_a_shutdown_that_failed_is_announced_anew_while_nobody_comes() -> None:
    world = await idle_countdown(World(policy=AUTOMATIC))
    world.host.fails["shut_down"] = GuardianPortError("permission_error")
    await world.watch(10)
    assert (world.view.state, world.view.cause) == (State.FAILED, Cause.STOP)
    await world.watch(1)
    assert (world.view.state, world.view.cause) == (State.COUNTDOWN, Cause.IDLE)


async def test_a_game_server_rests_alone_while_its_host_is_wanted() -> None:
    policy = Policy(automatic=True, stop_when_idle=frozenset({GAME}), times=LeaseTimes(found=None))
    world = World(games=(GAME, OTHER), policy=policy, vmids=(101, 102))
    world.host.known_guests = (101, 102)
    world.games[OTHER].players = ("Alex",)
    await world.awake()
    await world.watch(16)
    assert world.view.state is State.RUNNING
    assert world.game(OTHER).state is State.RUNNING
    assert world.games[GAME].asked[-1] == "shut_down"
    assert world.games[OTHER].asked.count("shut_down") == 0


async def test_a_game_server_does_not_rest_before_its_host_would() -> None:
    policy = Policy(automatic=True, stop_when_idle=frozenset({GAME}), times=LeaseTimes(found=None))
    world = await World(games=(GAME,), policy=policy).awake()
    await world.watch(6)
    assert world.view.state is State.COUNTDOWN
    assert world.game(GAME).state is State.RUNNING


async def test_whoever_plays_next_door_keeps_the_shared_guest() -> None:
    policy = Policy(automatic=True, stop_when_idle=frozenset({GAME}))
    world = World(games=(GAME, OTHER), policy=policy)
    world.games[OTHER].players = ("Alex",)
    await world.awake()
    await world.watch(30)
    assert world.game(GAME).state is State.RUNNING


async def test_a_wake_next_door_supersedes_a_stop_of_the_shared_guest() -> None:
    world = await World(games=(GAME, OTHER)).awake()
    gate = world.hold("look")
    stop = world.begin(world.guardian.shut_down(GAME, HOME))
    await world.breathe()
    await world.guardian.wake(OTHER, HOME)
    gate.set()
    with pytest.raises(Refused) as refused:
        await stop
    assert refused.value.reason is RefusalReason.SUPERSEDED


async def test_a_guest_that_stops_for_one_is_not_lost_for_the_other() -> None:
    world = await World(games=(GAME, OTHER)).awake()
    await world.guardian.shut_down(GAME, HOME)
    for game in world.games.values():
        game.go_down()
    await world.see()
    assert {world.game(GAME).state, world.game(OTHER).state} == {State.OFF}
    assert world.told(OTHER) == []


async def test_a_wake_next_door_follows_a_stop_that_is_under_way() -> None:
    world = await World(games=(GAME, OTHER), policy=AUTOMATIC).awake()
    await world.guardian.shut_down(GAME, HOME)
    await world.guardian.wake(OTHER, HOME)
    assert world.game(GAME).then is Then.WAKE


async def test_leases_outlive_a_restart() -> None:
    world = await World(games=(GAME,), policy=AUTOMATIC).awake()
    world.games[GAME].players = ("Alex",)
    await world.see()
    world.guardian.keep_awake(True, HOME)
    world.reload()
    leases = {lease.source: lease.unknown for lease in world.guardian.snapshot.leases}
    assert leases == {Source.PLAYERS: True, Source.KEEP_AWAKE: False}
    await world.see()
    assert not any(lease.unknown for lease in world.guardian.snapshot.leases)


async def test_a_rebooted_host_is_wanted_as_before() -> None:
    world = await World(policy=AUTOMATIC).awake()
    await world.guardian.wake(HOST, HOME)
    world.host.vanish()
    await world.see()
    await world.see()
    assert world.view.state is State.OFF
    world.host.appear()
    await world.see(60)
    assert sources(world) == [Source.ACTION]


async def test_a_crashed_server_does_not_keep_its_host_up() -> None:
    world = await World(games=(GAME,), policy=AUTOMATIC).awake()
    game = world.games[GAME]
    game.players = ("Alex",)
    await world.see()
    game.answers, game.port_open = False, False
    await world.watch(29)
    assert sources(world) == [Source.PLAYERS]
    await world.watch(2)
    assert "server_crashed" in world.told(GAME)
    await world.watch(2)
    assert world.view.state is State.COUNTDOWN


async def test_a_server_that_nobody_can_read_is_busy() -> None:
    world = await World(games=(GAME,), policy=AUTOMATIC).awake()
    world.games[GAME].answers, world.games[GAME].port_open = False, True
    await world.watch(40)
    assert world.told(GAME) == ["server_unreadable"]
    assert world.view.state is State.RUNNING


async def test_a_slow_server_gets_twice_the_longest_it_took() -> None:
    world = await World(games=(GAME,), policy=AUTOMATIC).asleep()
    await world.guardian.wake(GAME, HOME)
    world.host.appear()
    world.games[GAME].vmid = 101
    world.host.running_guests.add(101)
    await world.watch(14)
    world.games[GAME].answers = True
    await world.see()
    assert world.game(GAME).state is State.RUNNING
    await world.guardian.shut_down(GAME, HOME)
    world.games[GAME].go_down()
    await world.see()
    await world.guardian.wake(GAME, HOME)
    waking = world.game(GAME)
    assert waking.deadline is not None
    assert waking.deadline - waking.since > timedelta(minutes=25)


async def test_roles_of_guests_come_from_game_servers_options_and_itself() -> None:
    policy = Policy(roles={101: GuestRole.PROTECTED, NAS: GuestRole.SLEEPS_WITH_HOST})
    world = await World(games=(GAME,), policy=policy).awake()
    with pytest.raises(Refused) as refused:
        await world.guardian.shut_down(HOST, HOME)
    assert [held.key for held in refused.value.hold_ups] == [HoldUpKey.PROTECTED]


def test_a_lease_on_a_game_server_is_shown_for_its_host() -> None:
    world = World(games=(GAME,))
    assert isinstance(world.games[GAME], GameMachine)
    world.guardian.report(Source.VOICE, GAME, {"1": "Alex"})
    [lease] = world.guardian.snapshot.live(HOST)
    assert isinstance(lease, Lease)
    assert world.guardian.snapshot.live(GAME) == (lease,)


async def test_under_a_veto_whoever_is_reported_wakes_nothing_and_keeps_up_what_is_up() -> None:
    world = await World(games=(GAME,), policy=AUTOMATIC).asleep()
    world.guardian.set_vetoes({"binary_sensor.night": "Quiet hours"})
    world.guardian.report(Source.VOICE, GAME, {})
    world.guardian.report(Source.VOICE, GAME, {"1": "Alex"})
    await world.rest()
    assert world.host.asked == []
    await world.awake()
    await world.watch(30)
    assert world.view.state is State.RUNNING


async def test_a_game_server_in_a_protected_guest_never_rests_alone() -> None:
    policy = Policy(
        automatic=True,
        stop_when_idle=frozenset({GAME}),
        roles={101: GuestRole.PROTECTED},
        times=LeaseTimes(found=None),
    )
    world = World(games=(GAME, OTHER), policy=policy, vmids=(101, 102))
    world.host.known_guests = (101, 102)
    world.games[OTHER].players = ("Alex",)
    await world.awake()
    await world.watch(30)
    assert (world.game(GAME).state, world.told(GAME)) == (State.RUNNING, [])


async def test_keeping_awake_is_a_newer_wish_than_a_stop_that_still_looks() -> None:
    world = await World(policy=AUTOMATIC).awake()
    gate = world.hold("look")
    stop = world.begin(world.guardian.shut_down(HOST, HOME))
    await world.breathe()
    world.guardian.keep_awake(True, ADMIN)
    gate.set()
    with pytest.raises(Refused) as refused:
        await stop
    assert refused.value.reason is RefusalReason.SUPERSEDED
    assert sources(world) == [Source.KEEP_AWAKE]


async def test_a_stop_while_the_packet_is_sent_is_a_newer_wish_than_the_wake() -> None:
    world = await World(policy=AUTOMATIC).asleep()
    gate = world.hold("wake")
    wake = world.begin(world.guardian.wake(HOST, HOME))
    await world.breathe()
    await world.guardian.shut_down(HOST, ADMIN)
    gate.set()
    await wake
    assert (world.view.state, world.view.then) == (State.WAKING, Then.STOP)
    assert sources(world) == []


async def test_a_stop_of_the_host_while_it_is_woken_for_a_game_server_ends_that_wake() -> None:
    world = await World(games=(GAME,), policy=AUTOMATIC).asleep()
    gate = world.hold("wake")
    wake = world.begin(world.guardian.wake(GAME, HOME))
    await world.breathe()
    await world.guardian.shut_down(HOST, ADMIN)
    gate.set()
    with pytest.raises(Refused) as refused:
        await wake
    assert refused.value.reason is RefusalReason.SUPERSEDED
    assert (world.view.then, world.game(GAME).state) == (Then.STOP, State.OFF)


async def test_a_stop_of_the_host_while_a_guest_starts_is_not_turned_back_by_that_start() -> None:
    world = await World(games=(GAME,), policy=AUTOMATIC).awake()
    world.games[GAME].go_down()
    await world.see()
    start = world.hold("start", GAME)
    wake = world.begin(world.guardian.wake(GAME, HOME))
    await world.breathe()
    world.host.running_guests.add(101)
    await world.see_without_waiting(1)
    guest = world.hold("stop_guest 101")
    stop = world.begin(world.guardian.shut_down(HOST, ADMIN))
    await world.breathe()
    assert world.view.state is State.STOPPING
    start.set()
    await wake
    guest.set()
    await stop
    assert world.host.asked[-1] == "shut_down"


async def test_a_server_that_is_chosen_to_count_as_empty_does_not_hold_its_host_up() -> None:
    policy = Policy(automatic=True, unreadable_is_empty=True, times=LeaseTimes(found=None))
    world = await World(games=(GAME,), policy=policy).awake()
    world.games[GAME].answers, world.games[GAME].port_open = False, True
    await world.watch(29)
    with pytest.raises(Refused) as refused:
        await world.guardian.shut_down(HOST, HOME)
    assert [held.key for held in refused.value.hold_ups] == [HoldUpKey.CANNOT_SEE]
    await world.watch(15)
    assert world.view.state is State.STOPPING


async def test_a_silence_that_nobody_can_follow_any_more_ends_after_half_an_hour() -> None:
    world = await World(games=(GAME,), policy=AUTOMATIC).awake()
    game = world.games[GAME]
    game.answers, game.port_open = False, False
    await world.watch(2)
    assert sources(world) == [Source.PLAYERS]
    game.answers, game.port_open = None, None
    await world.watch(29)
    assert sources(world) == [Source.PLAYERS]
    await world.watch(2)
    assert "demand_unknown" in world.told(GAME)
    assert sources(world) == []


async def test_a_wake_next_door_ends_the_countdown_of_the_shared_guest() -> None:
    world = await World(games=(GAME, OTHER)).awake()
    await world.guardian.shut_down(GAME, HOME, timedelta(minutes=5))
    await world.guardian.wake(OTHER, HOME)
    assert world.game(GAME).state is State.RUNNING
    await world.guardian.shut_down(GAME, HOME, timedelta(minutes=5), force=True)
    with pytest.raises(Refused) as refused:
        await world.guardian.wake(OTHER, PLAYER)
    assert refused.value.reason is RefusalReason.NOT_ALLOWED
