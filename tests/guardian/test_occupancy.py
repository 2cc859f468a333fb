"""Who plays on a game server, and what its silence means."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from custom_components.cubeguardian.guardian.observation import GameSighting
from custom_components.cubeguardian.guardian.occupancy import Occupancy, Silence, watch_over
from custom_components.cubeguardian.guardian.policy import Policy
from custom_components.cubeguardian.guardian.status import EventKind

from .world import START

CRASHED = EventKind.SERVER_CRASHED
UNREADABLE = EventKind.SERVER_UNREADABLE


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def played(count: int | None) -> GameSighting:
    return GameSighting(seen_at=START, answers=True, port_open=True, players_online=count)


CLOSED = GameSighting(seen_at=START, answers=False, port_open=False)
OPEN = GameSighting(seen_at=START, answers=False, port_open=True)
BEDROCK = GameSighting(seen_at=START, answers=False)
NOBODY_CAN_TELL = GameSighting(seen_at=START)


class Watcher:
    """Watch over one game server, a minute at a time."""

    def __init__(self, *, unreadable_is_empty: bool = False) -> None:
        self.silence = Silence()
        self.policy = Policy(unreadable_is_empty=unreadable_is_empty)
        self.alerts: list[tuple[float, EventKind]] = []

    def see(
        self,
        at: float,
        look: GameSighting,
        *,
        guest_running: bool | None = True,
        host_up: bool | None = True,
        age: timedelta = timedelta(0),
    ) -> Occupancy:
        now = START + minutes(at)
        sighting = replace(look, seen_at=now - age)
        return self.judge(at, now, sighting, guest_running=guest_running, host_up=host_up)

    def judge(
        self,
        at: float,
        now: datetime,
        sighting: GameSighting | None,
        *,
        guest_running: bool | None = True,
        host_up: bool | None = True,
    ) -> Occupancy:
        self.silence, occupancy, alert = watch_over(
            self.silence, sighting, guest_running, host_up, now, self.policy
        )
        if alert is not None:
            self.alerts.append((at, alert))
        return occupancy

    def see_for(
        self,
        until: int,
        look: GameSighting,
        *,
        guest_running: bool | None = True,
    ) -> list[Occupancy]:
        return [self.see(at, look, guest_running=guest_running) for at in range(until + 1)]


@pytest.mark.parametrize(
    ("count", "occupancy"), [(2, Occupancy.PLAYING), (0, Occupancy.EMPTY), (-1, Occupancy.EMPTY)]
)
def test_a_server_that_answers_says_itself_whether_it_is_in_use(
    count: int, occupancy: Occupancy
) -> None:
    assert Watcher().see(0, played(count)) is occupancy


@pytest.mark.parametrize(
    ("guest_running", "host_up"), [(True, False), (None, False), (False, True), (False, None)]
)
def test_nobody_plays_where_host_or_guest_is_down(
    guest_running: bool | None, host_up: bool | None
) -> None:
    watcher = Watcher()
    watcher.see(0, OPEN)
    seen = watcher.see(40, OPEN, guest_running=guest_running, host_up=host_up)
    assert seen is Occupancy.EMPTY
    assert watcher.silence == Silence()


def test_nothing_seen_says_nothing() -> None:
    watcher = Watcher()
    assert watcher.judge(0, START, None) is Occupancy.UNKNOWN
    assert watcher.see(1, NOBODY_CAN_TELL) is Occupancy.UNKNOWN
    assert watcher.see(2, played(0), host_up=None) is Occupancy.UNKNOWN
    assert watcher.see(3, played(0), age=timedelta(seconds=90)) is Occupancy.UNKNOWN
    assert watcher.see(4, played(0), age=timedelta(seconds=89)) is Occupancy.EMPTY


def test_what_is_too_old_crashes_nothing() -> None:
    watcher = Watcher()
    watcher.see(0, CLOSED)
    assert watcher.see(40, CLOSED, age=minutes(39)) is Occupancy.UNKNOWN
    assert watcher.alerts == []


@pytest.mark.parametrize(("count", "occupancy"), [(2, Occupancy.PLAYING), (0, Occupancy.EMPTY)])
@pytest.mark.parametrize("silence", [CLOSED, OPEN, BEDROCK])
def test_a_lost_probe_changes_nothing(
    count: int, occupancy: Occupancy, silence: GameSighting
) -> None:
    watcher = Watcher()
    watcher.see(0, played(count))
    seen_at = START + minutes(1)
    sighting = replace(silence, seen_at=seen_at)
    assert watcher.judge(1, seen_at, sighting) is occupancy
    assert watcher.judge(2, seen_at + minutes(1), sighting) is occupancy
    assert watcher.see(2.5, silence) is not occupancy


def test_the_first_silence_since_the_start_is_unknown() -> None:
    assert Watcher().see(0, CLOSED) is Occupancy.UNKNOWN


def test_a_closed_port_is_a_crash_after_half_an_hour_and_told_once() -> None:
    watcher = Watcher()
    seen = watcher.see_for(40, CLOSED)
    assert set(seen[1:30]) == {Occupancy.SILENT}
    assert set(seen[30:]) == {Occupancy.CRASHED}
    assert watcher.alerts == [(30, CRASHED)]


def test_an_answer_ends_the_silence_and_a_new_crash_is_told_again() -> None:
    watcher = Watcher()
    watcher.see_for(30, CLOSED)
    assert watcher.see(31, played(0)) is Occupancy.EMPTY
    watcher.see(32, CLOSED)
    assert watcher.see(61, CLOSED) is Occupancy.SILENT
    assert watcher.see(62, CLOSED) is Occupancy.CRASHED
    assert watcher.alerts == [(30, CRASHED), (62, CRASHED)]


@pytest.mark.parametrize("silence", [OPEN, BEDROCK, played(None)])
def test_what_nobody_can_read_is_in_use_without_limit_and_told_once(
    silence: GameSighting,
) -> None:
    watcher = Watcher()
    seen = watcher.see_for(300, silence)
    assert set(seen[1:]) == {Occupancy.UNREADABLE}
    assert watcher.alerts == [(30, UNREADABLE)]


def test_an_answer_without_players_is_no_lost_probe() -> None:
    watcher = Watcher()
    watcher.see(0, played(0))
    assert watcher.see(1, played(None)) is Occupancy.UNREADABLE


def test_the_house_may_count_the_unreadable_as_empty_after_half_an_hour() -> None:
    watcher = Watcher(unreadable_is_empty=True)
    seen = watcher.see_for(40, OPEN)
    assert set(seen[1:30]) == {Occupancy.UNREADABLE}
    assert set(seen[30:]) == {Occupancy.EMPTY}
    assert watcher.alerts == [(30, UNREADABLE)]


def test_a_crash_that_becomes_unreadable_is_told_as_both_and_each_once() -> None:
    watcher = Watcher()
    watcher.see_for(30, CLOSED)
    for at in range(31, 60):
        watcher.see(at, OPEN if at % 2 else CLOSED)
    assert watcher.alerts == [(30, CRASHED), (31, UNREADABLE)]


def test_a_closed_port_is_empty_where_nobody_says_that_the_guest_runs() -> None:
    watcher = Watcher()
    seen = watcher.see_for(60, CLOSED, guest_running=None)
    assert set(seen[1:]) == {Occupancy.EMPTY}
    assert watcher.alerts == []


def test_a_silent_server_is_in_use_without_its_guest_only_if_it_has_answered() -> None:
    watcher = Watcher()
    assert watcher.see_for(3, BEDROCK, guest_running=None)[-1] is Occupancy.EMPTY
    watcher.see(4, played(1))
    watcher.see(5, BEDROCK, guest_running=None)
    assert watcher.see(6, BEDROCK, guest_running=None) is Occupancy.UNREADABLE


def test_an_open_port_is_in_use_without_its_guest() -> None:
    assert Watcher().see_for(3, OPEN, guest_running=None)[-1] is Occupancy.UNREADABLE


def test_a_gap_in_what_is_seen_neither_ends_a_silence_nor_tells_of_it_again() -> None:
    watcher = Watcher()
    watcher.see_for(30, CLOSED)
    assert watcher.see(31, NOBODY_CAN_TELL) is Occupancy.UNKNOWN
    assert watcher.see(32, CLOSED) is Occupancy.CRASHED
    assert watcher.alerts == [(30, CRASHED)]


def test_a_silence_is_due_half_an_hour_after_it_began_and_moves_with_the_clock() -> None:
    watcher = Watcher()
    assert watcher.silence.due is None
    assert watcher.silence.shifted(minutes(5)) == Silence()
    watcher.see(3, CLOSED)
    assert watcher.silence.due == START + minutes(33)
    assert watcher.silence.shifted(minutes(5)).due == START + minutes(38)
