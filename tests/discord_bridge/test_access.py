"""Who may ask for what on Discord, and how often."""

from datetime import UTC, datetime, timedelta
import json

import pytest

from custom_components.cubeguardian.discord_bridge.access import (
    CONFIRMED,
    COUNTED,
    Access,
    Command,
    Decision,
    Denial,
    Limits,
    Outcome,
    People,
    Rank,
    Request,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
ROBIN, ALEX, EVE, BOSS = 1, 2, 3, 4
PLAYERS_ROLE, ADMINS_ROLE = 10, 20
PEOPLE = People(
    player_roles=frozenset({PLAYERS_ROLE}),
    player_users=frozenset({ROBIN}),
    admin_roles=frozenset({ADMINS_ROLE}),
    admin_users=frozenset({BOSS}),
)


@pytest.fixture
def access() -> Access:
    return Access(PEOPLE)


def ask(access: Access, command: Command, now: datetime, user: int = ROBIN) -> Decision:
    return access.decide(Request(user_id=user, command=command), now)


def do(access: Access, command: Command, now: datetime, user: int = ROBIN) -> Decision:
    """Ask, confirm where that is wanted, and carry out."""
    decision = ask(access, command, now, user)
    if decision.outcome is Outcome.CONFIRM:
        decision = access.confirm(decision.question, user, (), now)
    if decision.outcome is Outcome.ALLOWED and decision.request is not None:
        access.carried_out(decision.request, now)
    return decision


def lock(access: Access, now: datetime) -> Decision:
    """Hit a limit three times in a row."""
    do(access, Command.START, now)
    return [ask(access, Command.START, now) for _ in range(3)][-1]


@pytest.mark.parametrize(
    ("user", "roles", "rank"),
    [
        (EVE, (), Rank.NOBODY),
        (EVE, (99,), Rank.NOBODY),
        (ROBIN, (), Rank.PLAYER),
        (EVE, (PLAYERS_ROLE,), Rank.PLAYER),
        (BOSS, (), Rank.ADMIN),
        (ROBIN, (PLAYERS_ROLE, ADMINS_ROLE), Rank.ADMIN),
    ],
)
def test_roles_and_ids_decide_what_somebody_counts_as(
    user: int, roles: tuple[int, ...], rank: Rank
) -> None:
    assert PEOPLE.rank(user, roles) is rank


@pytest.mark.parametrize("command", Command)
def test_each_command_has_its_audience(access: Access, command: Command) -> None:
    stranger, player, admin = (ask(access, command, NOON, user) for user in (EVE, ROBIN, BOSS))
    assert (stranger.denial is None) == (command is Command.HELP)
    assert (player.denial is None) == (command is not Command.MAINTENANCE)
    assert admin.denial is None
    wanted = Outcome.CONFIRM if command in CONFIRMED else Outcome.ALLOWED
    assert admin.outcome is wanted


def test_a_stranger_is_told_so_and_violates_nothing(access: Access) -> None:
    decision = ask(access, Command.START, NOON, EVE)
    assert (decision.outcome, decision.denial) == (Outcome.DENIED, Denial.NOT_ALLOWED)
    assert decision.tell
    assert not decision.violation


@pytest.mark.parametrize(
    ("command", "pause"),
    [(Command.START, MINUTE), (Command.STOP, 10 * MINUTE), (Command.RESTART, 10 * MINUTE)],
)
def test_a_command_has_its_pause(access: Access, command: Command, pause: timedelta) -> None:
    do(access, command, NOON)
    early = ask(access, command, NOON + pause - SECOND)
    assert (early.denial, early.until, early.violation) == (Denial.COOLDOWN, NOON + pause, True)
    assert do(access, command, NOON + pause).outcome is Outcome.ALLOWED


def test_the_pause_of_one_command_or_person_is_not_another_ones(access: Access) -> None:
    do(access, Command.STOP, NOON)
    assert do(access, Command.START, NOON).outcome is Outcome.ALLOWED
    assert do(access, Command.RESTART, NOON).outcome is Outcome.ALLOWED
    assert do(access, Command.STOP, NOON, BOSS).outcome is Outcome.ALLOWED


def test_a_command_that_was_not_carried_out_costs_nothing(access: Access) -> None:
    assert ask(access, Command.START, NOON).outcome is Outcome.ALLOWED
    assert ask(access, Command.START, NOON + SECOND).outcome is Outcome.ALLOWED


def test_six_an_hour_are_enough(access: Access) -> None:
    for number in range(6):
        assert do(access, Command.START, NOON + number * 5 * MINUTE).outcome is Outcome.ALLOWED
    seventh = ask(access, Command.STOP, NOON + 40 * MINUTE)
    assert (seventh.denial, seventh.until) == (Denial.HOURLY, NOON + HOUR)
    assert ask(access, Command.STOP, NOON + HOUR).outcome is Outcome.CONFIRM


def test_twenty_a_day_are_enough(access: Access) -> None:
    for number in range(20):
        assert do(access, Command.START, NOON + number * 30 * MINUTE).outcome is Outcome.ALLOWED
    late = NOON + 20 * 30 * MINUTE
    again = ask(access, Command.START, late)
    assert (again.denial, again.until) == (Denial.DAILY, NOON + 24 * HOUR)
    assert ask(access, Command.START, NOON + 24 * HOUR).outcome is Outcome.ALLOWED


def test_looking_and_cancelling_have_no_limit_but_floods(access: Access) -> None:
    free = (set(Command) - COUNTED) - {Command.MAINTENANCE}
    for number in range(100):
        for command in sorted(free):
            decision = do(access, command, NOON + number * MINUTE)
            assert decision.outcome is Outcome.ALLOWED


def test_a_flood_is_refused_and_told_once(access: Access) -> None:
    most = Limits().flood_most
    for _ in range(most):
        assert ask(access, Command.STATUS, NOON).outcome is Outcome.ALLOWED
    first, second, third, fourth = (ask(access, Command.STATUS, NOON + SECOND) for _ in range(4))
    assert (first.denial, first.tell) == (Denial.FLOOD, True)
    assert (second.denial, second.tell) == (Denial.FLOOD, False)
    assert (third.denial, third.tell, third.locked) == (Denial.LOCKED, True, True)
    assert (fourth.denial, fourth.tell, fourth.locked) == (Denial.LOCKED, False, False)


def test_a_flood_passes(access: Access) -> None:
    limits = Limits()
    for _ in range(limits.flood_most + 1):
        ask(access, Command.STATUS, NOON)
    after = ask(access, Command.STATUS, NOON + limits.flood_span)
    assert after.outcome is Outcome.ALLOWED


def test_three_violations_in_a_row_lock_out_for_an_hour(access: Access) -> None:
    locked = lock(access, NOON)
    assert (locked.denial, locked.locked, locked.until) == (Denial.LOCKED, True, NOON + HOUR)
    for command in Command:
        assert ask(access, command, NOON + HOUR - SECOND).denial is Denial.LOCKED
    assert ask(access, Command.START, NOON, BOSS).outcome is Outcome.ALLOWED
    assert ask(access, Command.START, NOON + HOUR).outcome is Outcome.ALLOWED


def test_a_request_that_is_allowed_breaks_the_row(access: Access) -> None:
    do(access, Command.START, NOON)
    for number in range(8):
        at = NOON + number * 7 * SECOND
        assert ask(access, Command.START, at).denial is Denial.COOLDOWN
        assert ask(access, Command.HELP, at).outcome is Outcome.ALLOWED


def test_violations_are_forgotten_after_an_hour(access: Access) -> None:
    for number in range(3):
        at = NOON + number * 61 * MINUTE
        do(access, Command.START, at)
        assert ask(access, Command.START, at + SECOND).denial is Denial.COOLDOWN


@pytest.mark.parametrize("command", sorted(CONFIRMED))
def test_stopping_and_restarting_are_confirmed_by_whoever_asked(
    access: Access, command: Command
) -> None:
    request = Request(user_id=ROBIN, command=command, target="Attic", delay=5 * MINUTE)
    question = access.decide(request, NOON)
    assert (question.outcome, question.until) == (Outcome.CONFIRM, NOON + MINUTE)
    answer = access.confirm(question.question, ROBIN, (PLAYERS_ROLE,), NOON + MINUTE)
    assert answer.outcome is Outcome.ALLOWED
    assert answer.request is not None
    assert (answer.request.target, answer.request.delay) == ("Attic", 5 * MINUTE)


def test_somebody_elses_press_changes_nothing(access: Access) -> None:
    question = ask(access, Command.STOP, NOON).question
    assert access.confirm(question, BOSS, (), NOON).denial is Denial.NOT_ASKED
    assert access.withdraw(question, BOSS) is False
    assert access.confirm(question, ROBIN, (), NOON).outcome is Outcome.ALLOWED


def test_a_question_is_answered_once(access: Access) -> None:
    question = ask(access, Command.STOP, NOON).question
    access.confirm(question, ROBIN, (), NOON)
    assert access.confirm(question, ROBIN, (), NOON).denial is Denial.NO_QUESTION


def test_a_question_closes_after_a_minute(access: Access) -> None:
    question = ask(access, Command.STOP, NOON).question
    late = access.confirm(question, ROBIN, (), NOON + MINUTE + SECOND)
    assert late.denial is Denial.TOO_LATE


def test_a_new_question_takes_the_place_of_the_one_before(access: Access) -> None:
    old = ask(access, Command.RESTART, NOON).question
    new = ask(access, Command.STOP, NOON + SECOND).question
    assert access.confirm(old, ROBIN, (), NOON + SECOND).denial is Denial.NO_QUESTION
    confirmed = access.confirm(new, ROBIN, (), NOON + SECOND)
    assert confirmed.request is not None
    assert confirmed.request.command is Command.STOP


def test_no_closes_a_question(access: Access) -> None:
    question = ask(access, Command.STOP, NOON).question
    assert access.withdraw(question, ROBIN) is True
    assert access.confirm(question, ROBIN, (), NOON).denial is Denial.NO_QUESTION


def test_a_role_that_was_taken_away_meanwhile_no_longer_confirms(access: Access) -> None:
    request = Request(user_id=EVE, command=Command.STOP, role_ids=frozenset({PLAYERS_ROLE}))
    question = access.decide(request, NOON).question
    assert access.confirm(question, EVE, (), NOON).denial is Denial.NOT_ALLOWED


def test_a_limit_hit_between_question_and_answer_counts(access: Access) -> None:
    question = ask(access, Command.STOP, NOON).question
    access.carried_out(Request(user_id=ROBIN, command=Command.STOP), NOON)
    assert access.confirm(question, ROBIN, (), NOON + SECOND).denial is Denial.COOLDOWN


def test_whoever_is_locked_out_confirms_nothing(access: Access) -> None:
    question = ask(access, Command.STOP, NOON).question
    lock(access, NOON)
    assert access.confirm(question, ROBIN, (), NOON).denial is Denial.NO_QUESTION


def test_a_restart_forgives_nothing(access: Access) -> None:
    do(access, Command.STOP, NOON)
    lock(access, NOON)
    stored = json.loads(json.dumps(access.to_dict()))
    again = Access(PEOPLE)
    again.restore(stored)
    refused = ask(again, Command.HELP, NOON + MINUTE)
    assert (refused.denial, refused.tell) == (Denial.LOCKED, True)
    again.restore(stored)
    unlocked = NOON + HOUR
    for number in range(4):
        do(again, Command.START, unlocked + number * MINUTE)
    assert again.to_dict()["people"]["1"]["done"][0][1] == "stop"


def test_a_violation_before_a_restart_counts_after_it(access: Access) -> None:
    do(access, Command.START, NOON)
    for _ in range(2):
        ask(access, Command.START, NOON)
    again = Access(PEOPLE)
    again.restore(access.to_dict())
    assert ask(again, Command.START, NOON + SECOND).locked


def test_instants_that_were_edited_without_a_time_zone_lock_nobody_out(access: Access) -> None:
    do(access, Command.START, NOON)
    stored = json.loads(json.dumps(access.to_dict()).replace("+00:00", ""))
    again = Access(PEOPLE)
    again.restore(stored)
    assert ask(again, Command.START, NOON + HOUR).outcome is Outcome.ALLOWED


def test_what_another_version_stored_is_not_guessed_at(access: Access) -> None:
    with pytest.raises(ValueError, match="another version"):
        access.restore({"version": 2, "people": {}})


def test_a_clock_that_was_set_back_locks_nobody_out_for_longer(access: Access) -> None:
    lock(access, NOON)
    back = NOON - timedelta(days=3)
    assert ask(access, Command.HELP, back).until == back + HOUR
    assert ask(access, Command.HELP, back + HOUR).outcome is Outcome.ALLOWED


def test_a_crowd_of_strangers_takes_no_memory_and_frees_nobody(access: Access) -> None:
    lock(access, NOON)
    for user in range(1000, 4000):
        ask(access, Command.HELP, NOON, user)
    assert len(access.to_dict()["people"]) == 1000
    assert ask(access, Command.HELP, NOON).denial is Denial.LOCKED


def test_what_is_only_begun_counts_already(access: Access) -> None:
    first = ask(access, Command.START, NOON)
    assert first.request is not None
    access.carried_out(first.request, NOON)
    assert ask(access, Command.START, NOON).denial is Denial.COOLDOWN


def test_what_was_taken_back_costs_nothing(access: Access) -> None:
    request = ask(access, Command.START, NOON).request
    assert request is not None
    access.carried_out(request, NOON)
    access.taken_back(request)
    assert ask(access, Command.START, NOON).outcome is Outcome.ALLOWED


def test_only_the_last_of_the_same_is_taken_back(access: Access) -> None:
    start = Request(user_id=ROBIN, command=Command.START)
    access.carried_out(start, NOON)
    access.carried_out(Request(user_id=ROBIN, command=Command.STOP), NOON)
    access.carried_out(start, NOON + HOUR)
    access.taken_back(start)
    later = NOON + 5 * MINUTE
    assert ask(access, Command.START, NOON + 30 * SECOND).denial is Denial.COOLDOWN
    assert ask(access, Command.START, later).outcome is Outcome.ALLOWED
    assert ask(access, Command.STOP, later).denial is Denial.COOLDOWN
    access.taken_back(Request(user_id=EVE, command=Command.START))


def test_an_admin_who_is_locked_out_still_has_the_brake(access: Access) -> None:
    do(access, Command.START, NOON, BOSS)
    assert [ask(access, Command.START, NOON, BOSS) for _ in range(3)][-1].locked
    assert ask(access, Command.CANCEL, NOON, BOSS).outcome is Outcome.ALLOWED
    for command in (Command.START, Command.STOP, Command.STATUS, Command.MAINTENANCE):
        assert ask(access, command, NOON, BOSS).denial is Denial.LOCKED
    lock(access, NOON)
    assert ask(access, Command.CANCEL, NOON).denial is Denial.LOCKED


def test_the_brake_is_no_way_to_flood(access: Access) -> None:
    do(access, Command.START, NOON, BOSS)
    for _ in range(3):
        ask(access, Command.START, NOON, BOSS)
    outcomes = [ask(access, Command.CANCEL, NOON, BOSS).outcome for _ in range(20)]
    assert outcomes.count(Outcome.ALLOWED) < Limits().flood_most
    assert outcomes[-1] is Outcome.DENIED


def test_a_question_of_the_same_instant_is_another_question(access: Access) -> None:
    first = ask(access, Command.STOP, NOON)
    second = ask(access, Command.RESTART, NOON)
    assert first.question != second.question
    assert access.confirm(first.question, ROBIN, (), NOON).denial is Denial.NO_QUESTION
    confirmed = access.confirm(second.question, ROBIN, (), NOON)
    assert confirmed.request is not None
    assert confirmed.request.command is Command.RESTART
