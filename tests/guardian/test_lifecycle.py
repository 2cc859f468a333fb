"""The lifecycle as one table: the rows of docs/guardian.md, each with what it comes to."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
import re

import pytest

from custom_components.cubeguardian.guardian.lifecycle import begin, instants, loaded, step
from custom_components.cubeguardian.guardian.ports import RefusalReason
from custom_components.cubeguardian.guardian.status import (
    CommandKind,
    Demand,
    Effect,
    Origin,
    Phase,
    Severity,
    State,
    Status,
)

from .rows import (
    DOWN,
    HOST,
    IDLE,
    LOOKED_HELD,
    LOOKING,
    NEWLY,
    NOBODY,
    NOW,
    OFF,
    PLAYERS,
    RUNNING,
    SAVING,
    STOPPING,
    TOLD_ONLY,
    UP,
    WAKING,
    WANTED,
    Row,
    ago,
    ahead,
    failure,
    stored,
    told,
)
from .rows_down import DOWN_ROWS
from .rows_up import UP_ROWS
from .world import PLAYER

RULES = Path(__file__).parents[2] / "docs" / "guardian.md"
SOURCE = Path(step.__code__.co_filename).parent
BUILT_IN = ("lifecycle", "rising", "idle", "falling", "stopping")
TABLE = (*UP_ROWS, *DOWN_ROWS)

every_row = pytest.mark.parametrize("row", TABLE, ids=[row.name for row in TABLE])


@every_row
def test_the_rules(row: Row) -> None:
    transition = step(row.status, row.seen, row.wish, row.settings, NOW)
    assert transition.status.state is row.to
    assert transition.effects == row.effects
    assert tuple(event.kind for event in transition.events) == row.events
    assert {key: getattr(transition.status, key) for key in row.fields} == row.fields
    if row.to is not row.status.state:
        assert transition.status.since == NOW


@every_row
def test_equal_inputs_give_equal_outputs_and_edges_do_not_repeat(row: Row) -> None:
    first = step(row.status, row.seen, row.wish, row.settings, NOW)
    assert step(row.status, row.seen, row.wish, row.settings, NOW) == first
    seen = replace(row.seen, looked_at=None, failure=None)
    again = step(first.status, seen, replace(row.demand, edge=False), row.settings, NOW)
    assert again.effects == ()


def rules() -> set[str]:
    """Read the ids of the rules."""
    return set(re.findall(r"^\| ([A-Z]\d) \|", RULES.read_text(encoding="utf-8"), re.MULTILINE))


def test_every_rule_is_in_the_table_and_no_other() -> None:
    assert {row.id for row in TABLE} == rules()


def named(text: str) -> set[str]:
    """Give the ids that a text names, ranges included."""
    ranges = re.findall(r"([A-Z])(\d) to \1(\d)", text)
    inside = {f"{row}{number}" for row, a, b in ranges for number in range(int(a), int(b) + 1)}
    return inside | set(re.findall(r"\b[A-Z]\d\b", text))


def test_every_rule_is_named_where_it_is_built() -> None:
    files = (SOURCE / f"{name}.py" for name in BUILT_IN)
    built = {rule for file in files for rule in named(file.read_text(encoding="utf-8"))}
    assert built == rules()


def test_a_refusal_says_what_was_asked_why_and_who_is_in_the_way() -> None:
    demand = Demand(command=told(CommandKind.STOP, PLAYER))
    (event,) = step(RUNNING, LOOKED_HELD, demand, HOST, NOW).events
    assert (event.reason, event.hold_ups, event.by) == (RefusalReason.HELD, (PLAYERS,), "Alex")
    assert event.placeholders == {"command": "stop", "reason": "held"}


def test_one_alert_per_cause_and_day() -> None:
    def fail(status: Status, code: str, now: datetime) -> tuple[Status, Severity]:
        stopping = replace(STOPPING, alerts=status.alerts)
        transition = step(stopping, failure(Effect.SHUT_DOWN, code), Demand(), HOST, now)
        return transition.status, transition.events[0].severity

    status, first = fail(STOPPING, "auth_error", NOW)
    status, second = fail(status, "auth_error", ahead(3600))
    status, other = fail(status, "timeout_error", ahead(7200))
    status, next_day = fail(status, "auth_error", ahead(86400))
    assert (first, second) == (Severity.ALERT, Severity.WARNING)
    assert (other, next_day) == (Severity.ALERT, Severity.ALERT)
    assert [alert.code for alert in status.alerts] == ["timeout_error", "auth_error"]


def test_who_did_it_is_not_blamed_for_what_happens_by_itself() -> None:
    (event,) = step(RUNNING, DOWN, Demand(), HOST, NOW).events
    assert event.by is None
    (event,) = step(WAKING, UP, Demand(), HOST, NOW).events
    assert (event.by, event.placeholders) == ("Ada", {"seconds": "30"})


def test_what_nobody_asked_for_names_nobody_and_what_a_lease_ends_names_its_holder() -> None:
    (started,) = step(RUNNING, UP, NOBODY, HOST, NOW).events
    assert (started.by, started.placeholders) == (None, {"seconds": "600"})
    (kept_up,) = step(IDLE, UP, WANTED, HOST, NOW).events
    (let_be,) = step(IDLE, UP, TOLD_ONLY, HOST, NOW).events
    (woken,) = step(OFF, DOWN, NEWLY, HOST, NOW).events
    (aborted,) = step(SAVING, UP, NEWLY, HOST, NOW).events
    assert [event.by for event in (kept_up, let_be, woken, aborted)] == ["Eve", None, "Eve", "Eve"]


def test_what_is_loaded_keeps_two_minutes_and_forgets_its_look() -> None:
    assert loaded(replace(LOOKING, deadline=ago(5)), HOST, NOW).deadline == ahead(120)
    assert loaded(STOPPING, HOST, NOW).deadline == STOPPING.deadline
    assert loaded(LOOKING, HOST, NOW).look_asked_at is None
    assert begin(None, HOST, NOW).origin is Origin.NEW
    assert begin(stored(WAKING), HOST, NOW) == stored(WAKING)


def test_the_instants_at_which_something_happens() -> None:
    assert instants(stored(WAKING), HOST) == ()
    assert set(instants(WAKING, HOST)) == {ahead(570), ahead(5)}
    assert instants(RUNNING, HOST) == ()
    assert instants(replace(OFF, went_down_at=NOW), HOST) == (ahead(600),)


def test_an_idle_countdown_begins_where_the_later_of_its_two_waits_ends() -> None:
    lately = replace(NOBODY, idle_since=ago(30))
    assert instants(RUNNING, HOST, lately) == (ahead(90),)
    assert instants(replace(RUNNING, since=ago(60)), HOST, lately) == (ahead(240),)
    for demand in (WANTED, TOLD_ONLY, replace(NOBODY, idle_since=None)):
        assert instants(RUNNING, HOST, demand) == ()
    assert instants(OFF, HOST, lately) == ()
    assert step(RUNNING, UP, lately, HOST, ahead(89)).status.state is State.RUNNING
    assert step(RUNNING, UP, lately, HOST, ahead(90)).status.state is State.COUNTDOWN


def test_the_idle_evening_from_the_last_player_to_the_sleep() -> None:
    status, now = RUNNING, NOW
    seen: list[tuple[State, tuple[Effect, ...]]] = []
    for seconds, observation in (
        (0, UP),
        (600, UP),
        (1, replace(UP, looked_at=ahead(600))),
        (20, replace(UP, phase=Phase.GUESTS)),
        (30, replace(UP, phase=Phase.POWER)),
        (479, UP),
        (1, DOWN),
    ):
        now += timedelta(seconds=seconds)
        transition = step(status, observation, NOBODY, HOST, now)
        status = transition.status
        seen.append((status.state, transition.effects))
    assert seen == [
        (State.COUNTDOWN, ()),
        (State.COUNTDOWN, (Effect.LOOK,)),
        (State.STOPPING, (Effect.SHUT_DOWN,)),
        *[(State.STOPPING, ())] * 3,
        (State.OFF, ()),
    ]
