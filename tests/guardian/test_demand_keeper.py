"""Who wants what, since when and until when, as the steps of the guardian go by."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from custom_components.cubeguardian.guardian.demand import Lease, Source
from custom_components.cubeguardian.guardian.demand_keeper import DemandKeeper
from custom_components.cubeguardian.guardian.observation import Presence
from custom_components.cubeguardian.guardian.occupancy import Occupancy
from custom_components.cubeguardian.guardian.policy import LeaseTimes, Policy
from custom_components.cubeguardian.guardian.safety import HOST
from custom_components.cubeguardian.guardian.status import Cause, Origin, State, Status

from .world import ADMIN, HOME, PLAYER, START

# "survival" and "creative" live in one guest, "lobby" in another, "bedrock" has none to see.
GAMES = {"survival": 101, "creative": 101, "lobby": 102, "bedrock": None}
NAS = "binary_sensor.nas"
WANTING = Policy(wanting=frozenset({NAS}))
EVERYBODY = (HOST, *GAMES)
PULSES = {
    Source.SWITCH: 30,
    Source.ACTION: 30,
    Source.DISCORD: 15,
    Source.KNOCK: 10,
    Source.SCALER: 10,
}


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def keeper(*stored: Lease, policy: Policy | None = None, now: datetime = START) -> DemandKeeper:
    return DemandKeeper(policy=policy or Policy(), games=GAMES, stored=stored, now=now)


def status(state: State, cause: Cause | None = None, origin: Origin = Origin.LIVE) -> Status:
    return Status(state=state, since=START, cause=cause, origin=origin)


OFF = status(State.OFF)
WAKING = status(State.WAKING, Cause.WAKE)
RUNNING = status(State.RUNNING)
COUNTDOWN = status(State.COUNTDOWN, Cause.IDLE)
STOPPING = status(State.STOPPING, Cause.IDLE)
RESTARTING = status(State.STOPPING, Cause.RESTART)
REBOOTING = status(State.WAKING, Cause.RESTART)
WAKE_FAILED = status(State.FAILED, Cause.WAKE)
STOP_FAILED = status(State.FAILED, Cause.STOP)
WENT_DOWN = replace(OFF, went_down_at=START)
PRESENCES = {
    State.OFF: Presence.DOWN,
    State.WAKING: Presence.DOWN,
    State.RUNNING: Presence.UP,
    State.COUNTDOWN: Presence.UP,
    State.STOPPING: Presence.UP,
    State.FAILED: Presence.UNKNOWN,
}


class House:
    """A keeper, and the statuses that its steps have come to."""

    def __init__(self, *stored: Lease, policy: Policy | None = None, now: datetime = START) -> None:
        self.keeper = keeper(*stored, policy=policy, now=now)
        self.statuses = dict.fromkeys(EVERYBODY, OFF)

    def step(
        self, minutes: float, target: str, after: Status, presence: Presence | None = None
    ) -> None:
        before, self.statuses[target] = self.statuses[target], after
        seen = presence or PRESENCES[after.state]
        self.keeper.settle(target, before, after, seen, at(minutes))

    def go(self, minutes: float, *steps: Status, target: str = HOST) -> None:
        for after in steps:
            self.step(minutes, target, after)

    def come_up(self, minutes: float = 0, *targets: str) -> None:
        """Wake the host, then game servers, without anybody who wants them."""
        for target in (HOST, *targets):
            self.go(minutes, WAKING, RUNNING, target=target)

    def sources(self, target: str = HOST, minutes: float = 0) -> list[Source]:
        return [lease.source for lease in self.keeper.live(target, at(minutes))]


@pytest.fixture
def house() -> House:
    return House()


@pytest.mark.parametrize(("source", "minutes"), PULSES.items())
@pytest.mark.parametrize("target", [HOST, "survival"])
def test_a_pulse_waits_for_its_target_and_then_lasts_its_time(
    house: House, source: Source, minutes: int, target: str
) -> None:
    house.go(0, WAKING)
    house.go(0, WAKING, target=target)
    house.keeper.ask(target, source, PLAYER, START)
    house.go(9, RUNNING)
    house.go(9, RUNNING, target=target)
    assert house.sources(target, 9) == [source]
    assert list(house.keeper.wakeups()) == [at(9 + minutes)]
    assert house.keeper.expire(at(9 + minutes - 0.1)) == ()
    ended = house.keeper.expire(at(9 + minutes))
    assert [lease.name for lease in ended] == ["Alex"]
    assert house.keeper.leases == ()


def test_a_pulse_for_what_runs_already_counts_at_once_and_a_second_one_prolongs_it(
    house: House,
) -> None:
    house.come_up()
    for minute in (5, 20):
        house.keeper.ask(HOST, Source.SWITCH, HOME, at(minute))
        house.go(minute, RUNNING)
    assert list(house.keeper.wakeups()) == [at(50)]


def test_nobody_is_waited_for_twice_over(house: House) -> None:
    house.come_up()
    house.keeper.ask(HOST, Source.SWITCH, HOME, START)
    house.keeper.ask(HOST, Source.ACTION, HOME, START)
    house.keeper.ask(HOST, Source.SWITCH, ADMIN, START)
    assert [(one.source, one.name) for one in house.keeper.live(HOST, START)] == [
        (Source.SWITCH, HOME.name),
        (Source.ACTION, HOME.name),
        (Source.SWITCH, ADMIN.name),
    ]


def test_a_memory_of_running_lets_no_time_begin(house: House) -> None:
    house.keeper.ask(HOST, Source.SWITCH, HOME, START)
    house.go(5, status(State.RUNNING, origin=Origin.STORED))
    assert list(house.keeper.wakeups()) == []
    house.go(6, RUNNING)
    assert house.sources(HOST, 6)[0] is Source.SWITCH


@pytest.mark.parametrize("target", [HOST, "survival"])
def test_w4_a_pulse_that_never_got_ready_dies_with_its_wake(house: House, target: str) -> None:
    house.go(0, WAKING)
    house.go(0, WAKING, target=target)
    house.keeper.ask(target, Source.KNOCK, PLAYER, START)
    house.go(10, WAKE_FAILED, target=target)
    assert house.keeper.leases == ()
    assert house.keeper.idle_since(HOST) == at(10)


def test_w4_the_wake_of_a_game_server_dies_with_that_of_its_host(house: House) -> None:
    house.go(0, WAKING)
    house.keeper.ask("survival", Source.KNOCK, PLAYER, START)
    house.go(1, OFF, target="survival")
    house.go(10, WAKE_FAILED)
    assert house.keeper.leases == ()


def test_a_ready_pulse_outlives_a_restart_that_fails(house: House) -> None:
    house.come_up()
    house.keeper.ask(HOST, Source.SWITCH, HOME, START)
    house.go(1, RUNNING, RESTARTING, REBOOTING, WAKE_FAILED)
    assert house.sources() == [Source.SWITCH]


def test_a_wake_that_was_wanted_during_a_stop_is_waited_for(house: House) -> None:
    house.come_up()
    house.go(1, STOPPING)
    house.keeper.ask(HOST, Source.SWITCH, HOME, at(1))
    house.go(2, STOPPING, WAKING)
    house.go(5, RUNNING)
    assert list(house.keeper.wakeups()) == [at(35)]


def test_a_game_server_that_nobody_starts_any_more_is_not_waited_for_forever(
    house: House,
) -> None:
    house.go(0, OFF, target="survival")
    house.go(0, WAKING)
    house.keeper.ask("survival", Source.ACTION, HOME, START)
    house.go(1, OFF, target="survival")
    assert list(house.keeper.wakeups()) == []
    house.go(3, RUNNING)
    house.go(3, OFF, target="survival")
    assert list(house.keeper.wakeups()) == [at(33)]


def test_c2_a_cancelled_countdown_gives_an_hour(house: House) -> None:
    house.come_up()
    house.keeper.cancel(HOST, ADMIN, at(3))
    assert [(lease.source, lease.name) for lease in house.keeper.live(HOST, at(62))] == [
        (Source.CANCELLED, "Ada")
    ]
    assert house.keeper.live(HOST, at(63)) == ()


def test_keep_awake_is_an_edge_once(house: House) -> None:
    assert house.keeper.keep_awake(True, HOME, None, START)
    assert not house.keeper.keep_awake(True, ADMIN, at(60), at(5))
    (lease,) = house.keeper.leases
    assert (lease.since, lease.until, lease.name) == (START, at(60), "Ada")


def test_keep_awake_ends_by_its_switch_or_its_time(house: House) -> None:
    house.keeper.keep_awake(True, HOME, at(60), START)
    assert house.keeper.idle_since(HOST) is None
    assert not house.keeper.keep_awake(False, HOME, None, at(5))
    assert house.sources() == []
    assert house.keeper.idle_since(HOST) == at(5)
    assert not house.keeper.keep_awake(False, HOME, None, at(5))
    house.keeper.keep_awake(True, HOME, at(60), START)
    assert house.keeper.keep_awake(True, HOME, None, at(60))
    assert [lease.since for lease in house.keeper.leases] == [at(60)]


def test_keep_awake_stays_while_the_host_sleeps(house: House) -> None:
    house.keeper.keep_awake(True, HOME, None, START)
    house.go(1, OFF)
    assert house.sources() == [Source.KEEP_AWAKE]


def test_the_first_report_since_the_start_is_no_edge_and_a_new_key_is_one(house: House) -> None:
    report = house.keeper.report
    assert not report(Source.ENTITY, HOST, {NAS: "NAS"}, START)
    assert not report(Source.ENTITY, HOST, {NAS: "NAS"}, at(1))
    assert report(Source.ENTITY, HOST, {NAS: "NAS", "person.ada": "Ada"}, at(2))
    assert not report(Source.ENTITY, HOST, {"person.ada": "Ada"}, at(3))
    assert report(Source.ENTITY, HOST, {"person.ada": "Ada", NAS: "NAS"}, at(4))
    assert [(lease.who, lease.since) for lease in house.keeper.leases] == [
        ("person.ada", at(2)),
        (NAS, at(4)),
    ]


@pytest.mark.parametrize("source", [Source.ENTITY, Source.VOICE, Source.RELAY])
def test_every_source_and_every_target_has_a_first_report_of_its_own(
    house: House, source: Source
) -> None:
    for target in EVERYBODY:
        assert not house.keeper.report(source, target, {"1": "Alex"}, START)
        assert house.keeper.report(source, target, {"1": "Alex", "2": "Steve"}, START)


def test_what_cannot_be_told_for_a_while_is_no_edge_when_it_is_back(house: House) -> None:
    report = house.keeper.report
    report(Source.ENTITY, HOST, {}, START)
    report(Source.ENTITY, HOST, {}, at(1), unknown=frozenset({NAS}))
    assert house.keeper.leases == ()
    assert not report(Source.ENTITY, HOST, {NAS: "NAS"}, at(2))
    assert house.sources() == [Source.ENTITY]


def test_what_cannot_be_told_any_more_holds_for_half_an_hour(house: House) -> None:
    report = house.keeper.report
    report(Source.ENTITY, HOST, {NAS: "NAS"}, START)
    for minute in (5, 20):
        report(Source.ENTITY, HOST, {}, at(minute), unknown=frozenset({NAS}))
    assert list(house.keeper.wakeups()) == [at(35)]
    (ended,) = house.keeper.expire(at(35))
    assert ended.unknown
    assert not report(Source.ENTITY, HOST, {}, at(36), unknown=frozenset({NAS}))
    assert house.sources() == []
    assert not report(Source.ENTITY, HOST, {NAS: "NAS"}, at(37))
    assert [lease.until for lease in house.keeper.leases] == [None]


def test_what_arises_during_an_asked_stop_is_declined_and_no_edge(house: House) -> None:
    report = house.keeper.report
    report(Source.VOICE, HOST, {}, START)
    assert not report(Source.VOICE, HOST, {"1": "Alex"}, at(1), declined=True)
    assert not report(Source.VOICE, HOST, {"1": "Alex"}, at(2))
    assert house.keeper.live(HOST, at(2)) == ()
    assert house.keeper.leases[0].declined
    report(Source.VOICE, HOST, {}, at(3))
    assert report(Source.VOICE, HOST, {"1": "Alex"}, at(4))
    assert house.sources(HOST, 4) == [Source.VOICE]


def test_a_voice_channel_lapses_until_somebody_enters_anew(house: House) -> None:
    report = house.keeper.report
    report(Source.VOICE, HOST, {}, START)
    assert report(Source.VOICE, HOST, {"1": "Alex"}, START)
    assert list(house.keeper.wakeups()) == []
    house.come_up(5)
    assert list(house.keeper.wakeups()) == [at(50)]
    assert house.keeper.expire(at(50))[0].source is Source.VOICE
    assert not report(Source.VOICE, HOST, {"1": "Alex"}, at(51))
    assert house.keeper.live(HOST, at(51)) == ()
    assert report(Source.VOICE, HOST, {"1": "Alex", "2": "Steve"}, at(60))
    assert [lease.name for lease in house.keeper.live(HOST, at(60))] == ["Steve"]
    assert list(house.keeper.wakeups()) == [at(105)]
    report(Source.VOICE, HOST, {"2": "Steve"}, at(61))
    assert report(Source.VOICE, HOST, {"1": "Alex", "2": "Steve"}, at(62))


def test_a_voice_channel_does_not_lapse_while_somebody_plays(house: House) -> None:
    house.keeper.report(Source.VOICE, "survival", {"1": "Alex"}, START)
    house.come_up(5, "survival", "creative")
    house.keeper.occupy("creative", Occupancy.PLAYING, "Alex", at(10))
    assert list(house.keeper.wakeups()) == []
    house.keeper.occupy("creative", Occupancy.EMPTY, "", at(100))
    assert list(house.keeper.wakeups()) == [at(145)]
    house.keeper.occupy("lobby", Occupancy.PLAYING, "Steve", at(110))
    assert list(house.keeper.wakeups()) == [at(145)]
    house.go(120, STOPPING, target="survival")
    assert list(house.keeper.wakeups()) == []


def test_a_flaky_voice_channel_gets_no_more_time(house: House) -> None:
    house.come_up()
    house.keeper.report(Source.VOICE, HOST, {"1": "Alex"}, START)
    house.keeper.report(Source.VOICE, HOST, {}, at(40), unknown=frozenset({"1"}))
    assert list(house.keeper.wakeups()) == [at(70)]
    house.keeper.report(Source.VOICE, HOST, {"1": "Alex"}, at(44))
    assert list(house.keeper.wakeups()) == [at(45)]


def test_players_hold_until_they_leave(house: House) -> None:
    assert not house.keeper.occupy("survival", Occupancy.EMPTY, "", START)
    assert house.keeper.occupy("survival", Occupancy.PLAYING, "Alex", at(1))
    assert not house.keeper.occupy("survival", Occupancy.PLAYING, "Alex, Steve", at(2))
    (lease,) = house.keeper.live(HOST, at(2))
    assert (lease.source, lease.target, lease.who) == (Source.PLAYERS, "survival", "")
    assert (lease.name, lease.since, lease.until) == ("Alex, Steve", at(1), None)
    house.keeper.occupy("survival", Occupancy.EMPTY, "", at(3))
    assert house.keeper.leases == ()


@pytest.mark.parametrize("before", [None, Occupancy.UNKNOWN, Occupancy.SILENT])
def test_players_who_may_have_been_there_before_are_no_edge(
    house: House, before: Occupancy | None
) -> None:
    if before is not None:
        house.keeper.occupy("survival", before, "", START)
    assert not house.keeper.occupy("survival", Occupancy.PLAYING, "Alex", at(1))
    assert house.sources("survival", 1) == [Source.PLAYERS]


def test_players_who_join_during_an_asked_stop_are_declined(house: House) -> None:
    house.keeper.occupy("survival", Occupancy.EMPTY, "", START)
    assert not house.keeper.occupy("survival", Occupancy.PLAYING, "Alex", at(1), declined=True)
    assert house.keeper.live(HOST, at(1)) == ()
    house.keeper.occupy("survival", Occupancy.EMPTY, "", at(2))
    assert house.keeper.occupy("survival", Occupancy.PLAYING, "Alex", at(3))


@pytest.mark.parametrize("unseen", [Occupancy.SILENT, Occupancy.UNREADABLE])
@pytest.mark.parametrize("held", [True, False])
def test_who_may_be_playing_unseen_holds_without_limit(
    house: House, unseen: Occupancy, *, held: bool
) -> None:
    if held:
        house.keeper.occupy("survival", Occupancy.PLAYING, "Alex", START)
    assert not house.keeper.occupy("survival", unseen, "", at(1))
    (lease,) = house.keeper.live(HOST, at(10_000))
    assert lease.unknown
    assert lease.name == ("Alex" if held else "")
    assert house.keeper.expire(at(10_000)) == ()


def test_who_may_be_playing_unseen_is_declined_during_an_asked_stop(house: House) -> None:
    house.keeper.occupy("survival", Occupancy.SILENT, "", START, declined=True)
    house.keeper.occupy("survival", Occupancy.SILENT, "", at(1))
    assert house.keeper.live(HOST, at(1)) == ()


def test_a_crashed_server_is_empty(house: House) -> None:
    house.keeper.occupy("survival", Occupancy.SILENT, "", START)
    house.keeper.occupy("survival", Occupancy.CRASHED, "", at(30))
    assert house.keeper.leases == ()
    assert house.keeper.idle_since(HOST) == at(30)


def test_players_whom_nobody_can_count_any_more_hold_for_half_an_hour(house: House) -> None:
    house.keeper.occupy("survival", Occupancy.PLAYING, "Alex", START)
    for minute in (5, 6):
        house.keeper.occupy("survival", Occupancy.UNKNOWN, "", at(minute))
    assert house.sources(HOST, 34) == [Source.PLAYERS]
    (ended,) = house.keeper.expire(at(35))
    assert (ended.unknown, ended.name) == (True, "Alex")


def test_no_doubt_ends_while_nothing_at_all_is_seen(house: House) -> None:
    house.come_up()
    house.keeper.occupy("survival", Occupancy.PLAYING, "Alex", START)
    for minute in range(1, 100):
        house.keeper.occupy("survival", Occupancy.UNKNOWN, "", at(minute))
        assert house.keeper.expire(at(minute)) == ()
        house.step(minute, HOST, RUNNING, Presence.UNKNOWN)
    assert house.sources(HOST, 99) == [Source.PLAYERS]
    house.step(100, HOST, RUNNING)
    assert house.keeper.expire(at(130))[0].unknown


def everything() -> House:
    house = House(policy=WANTING)
    house.come_up(0, *GAMES)
    house.keeper.report(Source.ENTITY, HOST, {NAS: "NAS"}, START)
    house.keeper.report(Source.RELAY, "survival", {"1": "Alex"}, START)
    house.keeper.occupy("creative", Occupancy.PLAYING, "Steve", START)
    house.keeper.occupy("lobby", Occupancy.PLAYING, "Ada", START)
    house.keeper.keep_awake(True, HOME, None, START)
    house.keeper.found(START)
    for target in EVERYBODY:
        house.keeper.ask(target, Source.ACTION, HOME, START)
        house.step(0, target, RUNNING)
    return house


def test_that_one_game_server_is_not_seen_gives_no_doubt_more_time(house: House) -> None:
    house.come_up(0, "survival")
    house.keeper.report(Source.RELAY, "survival", {"1": "Alex"}, START)
    house.keeper.report(Source.RELAY, "survival", {}, START, unknown=frozenset({"1"}))
    house.step(20, "survival", RUNNING, Presence.UNKNOWN)
    assert list(house.keeper.wakeups()) == [at(30)]


def test_a_stop_of_the_host_declines_everything() -> None:
    house = everything()
    house.keeper.decline(HOST, at(1))
    assert house.keeper.live(HOST, at(1)) == ()
    assert {(lease.source, lease.target) for lease in house.keeper.leases} == {
        (Source.ENTITY, HOST),
        (Source.FOUND, HOST),
        (Source.RELAY, "survival"),
        (Source.PLAYERS, "creative"),
        (Source.PLAYERS, "lobby"),
    }
    assert house.keeper.idle_since(HOST) == at(1)


def test_a_stop_of_a_game_server_declines_what_wants_its_guest() -> None:
    house = everything()
    house.keeper.decline("survival", at(1))
    assert house.keeper.live("creative", at(1)) == ()
    assert {(lease.source, lease.target) for lease in house.keeper.live(HOST, at(1))} == {
        (Source.ENTITY, HOST),
        (Source.FOUND, HOST),
        (Source.KEEP_AWAKE, HOST),
        (Source.ACTION, HOST),
        (Source.PLAYERS, "lobby"),
        (Source.ACTION, "lobby"),
        (Source.ACTION, "bedrock"),
    }


@pytest.mark.parametrize("again", ["ask", "cancel"])
def test_what_was_declined_counts_again_when_somebody_wants_its_target(again: str) -> None:
    house = everything()
    house.keeper.decline(HOST, at(1))
    if again == "ask":
        house.keeper.ask("survival", Source.ACTION, ADMIN, at(2))
    else:
        house.keeper.cancel("survival", ADMIN, at(2))
    counting = {(lease.source, lease.target) for lease in house.keeper.live(HOST, at(2))}
    pulse = Source.ACTION if again == "ask" else Source.CANCELLED
    assert counting == {
        (pulse, "survival"),
        (Source.RELAY, "survival"),
        (Source.PLAYERS, "creative"),
    }


@pytest.mark.parametrize(
    "report",
    [
        lambda keeper, here, now: keeper.report(
            Source.ENTITY, HOST, {NAS: "NAS"} if here else {}, now
        ),
        lambda keeper, here, now: keeper.report(
            Source.VOICE, HOST, {"1": "Alex"} if here else {}, now
        ),
        lambda keeper, here, now: keeper.report(
            Source.RELAY, "lobby", {"1": "Alex"} if here else {}, now
        ),
        lambda keeper, here, now: keeper.occupy(
            "lobby", Occupancy.PLAYING if here else Occupancy.EMPTY, "Alex", now
        ),
    ],
    ids=["entity", "voice", "relay", "players"],
)
def test_what_is_declined_stays_so_until_it_has_ended_once(
    house: House, report: Callable[[DemandKeeper, bool, datetime], bool]
) -> None:
    house.come_up()
    report(house.keeper, True, START)
    house.keeper.decline(HOST, at(1))
    for minute in range(2, 200):
        assert not report(house.keeper, True, at(minute))
        house.go(minute, RUNNING)
        assert house.keeper.expire(at(minute)) == ()
        assert house.keeper.live(HOST, at(minute)) == ()
    assert not report(house.keeper, False, at(200))
    assert report(house.keeper, True, at(201))
    assert len(house.keeper.live(HOST, at(201))) == 1


@pytest.mark.parametrize(
    ("before", "found"),
    [
        (OFF, True),
        (status(State.OFF, origin=Origin.NEW), True),
        (status(State.OFF, origin=Origin.STORED), True),
        (status(State.WAKING, Cause.FOUND), True),
        (replace(OFF, went_down_at=START - timedelta(minutes=11)), True),
        (WENT_DOWN, False),
        (replace(status(State.WAKING, Cause.FOUND), went_down_at=START), False),
        (WAKING, False),
        (REBOOTING, False),
        (WAKE_FAILED, False),
        (STOP_FAILED, False),
        (STOPPING, False),
        (COUNTDOWN, False),
        (RUNNING, False),
        (status(State.RUNNING, origin=Origin.STORED), False),
    ],
)
def test_o2_a_host_that_came_up_without_our_packet_is_kept_for_hours(
    before: Status, *, found: bool
) -> None:
    held = keeper()
    held.settle(HOST, before, RUNNING, Presence.UP, START)
    assert [lease.until for lease in held.live(HOST, START)] == [at(240)] * found


def test_o2_a_game_server_that_came_up_by_itself_is_kept_by_nobody(house: House) -> None:
    house.go(0, RUNNING, target="survival")
    assert house.keeper.leases == ()


def test_l2_the_house_may_give_what_is_found_nothing() -> None:
    none = keeper(policy=Policy(times=LeaseTimes(found=None)))
    none.found(START)
    assert none.leases == ()
    one = keeper()
    one.found(START)
    one.found(START)
    assert [lease.source for lease in one.leases] == [Source.FOUND]
    assert one.idle_since(HOST) is None


def test_s3_what_is_asleep_is_wanted_by_levels_alone() -> None:
    house = everything()
    house.go(5, STOPPING, OFF)
    assert {(lease.source, lease.target) for lease in house.keeper.leases} == {
        (Source.ENTITY, HOST),
        (Source.KEEP_AWAKE, HOST),
        (Source.RELAY, "survival"),
    }


def test_a_game_server_that_is_stopped_takes_only_its_own_leases_along() -> None:
    house = everything()
    house.go(5, OFF, target="lobby")
    assert {lease.source for lease in house.keeper.live("lobby", at(5))} == set()
    assert {lease.source for lease in house.keeper.live("creative", at(5))} == {
        Source.ACTION,
        Source.RELAY,
        Source.PLAYERS,
    }
    assert Source.FOUND in house.sources()


def test_r5_a_host_that_is_back_within_ten_minutes_keeps_all_leases_but_its_players() -> None:
    house = everything()
    kept = [lease for lease in house.keeper.leases if lease.source is not Source.PLAYERS]
    house.go(5, WENT_DOWN)
    for game_id in GAMES:
        house.go(5, OFF, target=game_id)
    house.go(8, RUNNING)
    for game_id in GAMES:
        house.go(8, OFF, target=game_id)
        house.go(9, RUNNING, target=game_id)
    assert list(house.keeper.leases) == kept


def test_r5_a_host_that_is_lost_loses_its_leases() -> None:
    house = everything()
    house.go(5, WENT_DOWN)
    for game_id in GAMES:
        house.go(5, OFF, target=game_id)
    house.go(15, OFF)
    assert {lease.source for lease in house.keeper.leases} == {
        Source.ENTITY,
        Source.KEEP_AWAKE,
        Source.RELAY,
    }


def test_r4_a_restart_keeps_all_leases() -> None:
    house = everything()
    before = house.keeper.leases
    house.go(5, RESTARTING, REBOOTING)
    house.step(6, HOST, REBOOTING, Presence.DOWN)
    house.go(8, RUNNING)
    assert house.keeper.leases == before


def test_what_nobody_has_confirmed_wakes_nothing_that_is_down() -> None:
    house = House(policy=WANTING)
    assert house.sources() == [Source.ENTITY]
    house.step(1, HOST, WAKE_FAILED, Presence.DOWN)
    assert house.keeper.leases == ()


def test_a_game_server_that_goes_off_before_its_host_was_seen_takes_its_leases_along() -> None:
    house = House(Lease(source=Source.ACTION, target="lobby", who="x", since=START))
    house.statuses["lobby"] = status(State.RUNNING, origin=Origin.STORED)
    house.go(1, OFF, target="lobby")
    assert house.keeper.leases == ()


def test_a_declined_wish_that_nobody_can_confirm_outlives_the_sleep() -> None:
    declined = Lease(source=Source.ENTITY, target=HOST, who=NAS, since=START, declined=True)
    house = House(declined, policy=WANTING)
    house.go(1, OFF)
    house.keeper.report(Source.ENTITY, HOST, {}, at(2), unknown=frozenset({NAS}))
    assert not house.keeper.report(Source.ENTITY, HOST, {NAS: "NAS"}, at(50))
    assert [lease.declined for lease in house.keeper.leases] == [True]


def test_a_lease_on_a_game_server_is_one_on_its_host_and_on_those_in_the_same_guest(
    house: House,
) -> None:
    house.come_up(0, *GAMES)
    house.keeper.ask("survival", Source.ACTION, HOME, START)
    live = {target for target in EVERYBODY if house.keeper.live(target, START)}
    assert live == {HOST, "survival", "creative"}


def test_a_lease_on_the_host_keeps_no_game_server_up(house: House) -> None:
    house.keeper.keep_awake(True, HOME, None, START)
    assert [target for target in EVERYBODY if house.keeper.live(target, START)] == [HOST]


def test_idle_is_counted_from_the_load_and_from_every_last_lease(house: House) -> None:
    assert {house.keeper.idle_since(target) for target in EVERYBODY} == {START}
    house.keeper.ask("survival", Source.ACTION, HOME, at(1))
    assert house.keeper.idle_since(HOST) is None
    assert house.keeper.idle_since("creative") is None
    assert house.keeper.idle_since("lobby") == START
    house.come_up(2, "survival")
    house.keeper.expire(at(32))
    assert house.keeper.idle_since(HOST) == at(32)
    house.keeper.expire(at(50))
    assert house.keeper.idle_since(HOST) == at(32)


@pytest.mark.parametrize(
    ("source", "target", "who"),
    [
        (Source.PLAYERS, "survival", ""),
        (Source.RELAY, "survival", "1"),
        (Source.VOICE, HOST, "1"),
        (Source.ENTITY, HOST, NAS),
    ],
)
def test_a_source_that_has_not_reported_since_the_start_holds_for_half_an_hour(
    source: Source, target: str, who: str
) -> None:
    stored = Lease(source=source, target=target, who=who, since=at(-300))
    held = keeper(stored, policy=WANTING if source is Source.ENTITY else None)
    (lease,) = held.live(HOST, START)
    assert (lease.unknown, lease.until, lease.since) == (True, at(30), at(-300))
    (ended,) = held.expire(at(30))
    assert ended.unknown
    assert held.idle_since(HOST) == at(30)


@pytest.mark.parametrize("source", [*PULSES, Source.CANCELLED, Source.KEEP_AWAKE, Source.FOUND])
def test_what_was_told_comes_back_as_it_was(source: Source) -> None:
    stored = Lease(source=source, target=HOST, who="x", since=at(-5), until=at(5))
    assert keeper(stored).leases == (stored,)
    assert keeper(stored, now=at(6)).live(HOST, at(6)) == ()
    assert keeper(stored, now=at(6)).expire(at(6)) == (stored,)


def test_every_entity_that_may_want_the_host_is_awaited_and_no_other() -> None:
    gone = Lease(source=Source.ENTITY, target=HOST, who="person.gone", since=at(-5))
    (lease,) = keeper(gone, policy=WANTING).leases
    assert (lease.source, lease.who, lease.name, lease.since) == (
        Source.ENTITY,
        NAS,
        NAS,
        START,
    )
    assert (lease.unknown, lease.until) == (True, at(30))


def test_leases_on_game_servers_that_are_gone_are_forgotten() -> None:
    stored = Lease(source=Source.ACTION, target="gone", who="x", since=START)
    assert keeper(stored).leases == ()


def test_what_is_confirmed_after_a_start_keeps_its_beginning() -> None:
    stored = Lease(source=Source.ENTITY, target=HOST, who=NAS, since=at(-5))
    held = keeper(stored, policy=WANTING)
    assert not held.report(Source.ENTITY, HOST, {NAS: "NAS"}, at(1))
    assert held.leases == (replace(stored, name="NAS"),)


def test_what_is_not_true_any_more_after_a_start_ends() -> None:
    held = keeper(policy=WANTING)
    held.report(Source.ENTITY, HOST, {}, at(1))
    assert held.leases == ()
    assert held.idle_since(HOST) == at(1)


def test_a_clock_that_jumps_moves_everything_and_expires_nothing() -> None:
    house = everything()
    house.keeper.report(Source.VOICE, "bedrock", {"1": "Alex"}, START)
    by = timedelta(days=1)
    before, awaited = house.keeper.leases, list(house.keeper.wakeups())
    house.keeper.shift(by)
    assert list(house.keeper.wakeups()) == [one + by for one in awaited]
    assert [lease.since - by for lease in house.keeper.leases] == [one.since for one in before]
    assert house.keeper.expire(START + by) == ()
    house.keeper.decline(HOST, START + by)
    house.keeper.shift(-by)
    assert house.keeper.idle_since(HOST) == START
    house.keeper.report(Source.VOICE, "bedrock", {"2": "Steve"}, at(10))
    assert list(house.keeper.wakeups())[-1] == at(55)
