"""What a report adds up."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from custom_components.cubeguardian.guardian import (
    HOST,
    JournalEntry,
    Presence,
    State,
    ThingView,
)
from custom_components.cubeguardian.reports import Report, make_report
from custom_components.cubeguardian.savings import Savings

NOW = datetime(2026, 11, 22, 14, 30, tzinfo=UTC)
GAMES = {"01SURVIVAL": "Survival"}


def hours_ago(
    hours: float,
    kind: str,
    *,
    target: str = HOST,
    by: str | None = None,
    seconds: int | None = None,
) -> JournalEntry:
    """Return an entry of some hours ago."""
    details = {} if seconds is None else {"seconds": str(seconds)}
    return JournalEntry(
        at=NOW - timedelta(hours=hours), kind=kind, target=target, by=by, details=details
    )


def report(*journal: JournalEntry, days: int = 7, presence: Presence = Presence.DOWN) -> Report:
    """Return the report of a journal."""
    host = ThingView(state=State.OFF, presence=presence, since=NOW)
    return make_report(
        journal,
        now=NOW,
        days=days,
        host=host,
        games=GAMES,
        savings=Savings(asleep=7200.0, saved=1.25),
    )


def test_everything_that_was_done_is_counted_once() -> None:
    made = report(
        hours_ago(200, "mode_changed"),
        hours_ago(60, "wake_sent", by="Robin"),
        hours_ago(59, "woken", by="Robin", seconds=60),
        hours_ago(58, "refused", by="Alex"),
        hours_ago(57, "countdown_started"),
        hours_ago(56, "countdown_cancelled", by="Alex"),
        hours_ago(55, "shutdown_sent"),
        hours_ago(54, "asleep", seconds=90),
        hours_ago(53, "wake_failed", by="Robin"),
        hours_ago(52, "found_running"),
    ).to_dict()
    assert {key: made[key] for key in ("starts", "stops", "failures", "refusals", "unasked")} == {
        "starts": 1,
        "stops": 1,
        "failures": 1,
        "refusals": 1,
        "unasked": 1,
    }
    assert made["cancelled_countdowns"] == 1
    assert made["by"] == {
        "Alex": {"refusals": 1, "cancelled_countdowns": 1},
        "Robin": {"starts": 1, "failures": 1},
    }


def test_what_is_older_than_the_days_is_not_counted() -> None:
    made = report(
        hours_ago(30, "woken", by="Robin", seconds=60),
        hours_ago(26, "asleep"),
        hours_ago(3, "woken", by="Alex", seconds=80),
        hours_ago(1, "asleep"),
        days=1,
    )
    assert made.complete
    assert made.since == NOW - timedelta(days=1)
    assert made.host["starts"] == 1
    assert set(made.people) == {"Alex"}
    assert made.seconds_to_play == 80


def test_hours_are_counted_between_what_came_up_and_what_went_off() -> None:
    made = report(
        hours_ago(30, "woken"),
        hours_ago(22, "asleep"),
        hours_ago(10, "found_running"),
        hours_ago(4, "went_down"),
        days=1,
    )
    assert made.hours.up == pytest.approx(2 + 6)
    assert made.hours.asleep == pytest.approx(12 + 4)


def test_before_its_first_turn_a_host_was_what_that_turn_ended() -> None:
    made = report(hours_ago(20, "mode_changed"), hours_ago(5, "woken"), days=1)
    assert not made.complete
    assert made.since == NOW - timedelta(hours=20)
    assert made.hours.asleep == pytest.approx(15)
    assert made.hours.up == pytest.approx(5)


@pytest.mark.parametrize(
    ("presence", "up", "asleep"),
    [(Presence.UP, 20, 0), (Presence.DOWN, 0, 20), (Presence.UNKNOWN, 0, 0)],
)
def test_a_host_that_never_turned_was_always_what_it_is(
    presence: Presence, up: float, asleep: float
) -> None:
    hours = report(hours_ago(20, "mode_changed"), presence=presence).hours
    assert (hours.up, hours.asleep) == (pytest.approx(up), pytest.approx(asleep))


def test_a_report_says_since_when_its_journal_reaches() -> None:
    made = report(hours_ago(5, "asleep"), hours_ago(2, "woken"), days=30)
    assert not made.complete
    assert made.since == NOW - timedelta(hours=5)
    assert "known since" in made.summary("Attic")
    assert "known since" not in report(hours_ago(200, "asleep")).summary("Attic")


def test_an_empty_journal_knows_nothing_and_says_so() -> None:
    made = report()
    assert made.since == NOW
    assert not made.complete
    assert (made.hours.up, made.hours.asleep, made.seconds_to_play) == (0, 0, None)


@pytest.mark.parametrize(
    ("woken", "seconds"),
    [
        ([(HOST, 60), (HOST, 90)], 75),
        ([(HOST, 60), ("01SURVIVAL", 100), ("01SURVIVAL", 111)], 105.5),
        ([], None),
    ],
    ids=["host alone", "a game server", "nothing"],
)
def test_the_time_to_play_is_that_of_the_games_where_there_were_any(
    woken: Sequence[tuple[str, int]], seconds: float | None
) -> None:
    entries = [hours_ago(3, "woken", target=target, seconds=taken) for target, taken in woken]
    assert report(*entries).seconds_to_play == seconds


def test_game_servers_are_counted_by_their_names() -> None:
    made = report(
        hours_ago(9, "woken", target="01SURVIVAL", by="Steve", seconds=90),
        hours_ago(8, "server_crashed", target="01SURVIVAL"),
        hours_ago(7, "woken", target="01GONE"),
    )
    told = made.to_dict()["game_servers"]
    assert set(told) == {"Survival"}
    assert (told["Survival"]["starts"], told["Survival"]["failures"]) == (1, 1)
    assert made.host["starts"] == 0
    assert made.people["Steve"]["starts"] == 1


def test_savings_are_those_of_all_time() -> None:
    told = report().to_dict()
    assert told["hours_asleep_in_all"] == 2
    assert told["energy_saved_in_all"] == 1.25
