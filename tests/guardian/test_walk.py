"""Random walks over demand, commands, observations, failures and reloads."""

from custom_components.cubeguardian.guardian.status import Cause, Effect, EventKind, State

from .walk import STEPS, WALKS, walk_all


def test_the_walk_breaks_no_rule_and_comes_through_everything() -> None:
    tally = walk_all(STEPS)
    assert tally.steps == STEPS // WALKS * WALKS
    assert tally.effects == set(Effect)
    assert {state for state, _ in tally.states} == set(State)
    assert tally.states >= {
        (State.WAKING, Cause.WAKE),
        (State.WAKING, Cause.FOUND),
        (State.WAKING, Cause.RESTART),
        (State.COUNTDOWN, Cause.IDLE),
        (State.COUNTDOWN, Cause.ASKED),
        (State.COUNTDOWN, Cause.FORCED),
        (State.STOPPING, Cause.IDLE),
        (State.STOPPING, Cause.STOP),
        (State.STOPPING, Cause.RESTART),
        (State.FAILED, Cause.WAKE),
        (State.FAILED, Cause.STOP),
    }
    assert tally.events >= {
        EventKind.ABORTED,
        EventKind.COUNTDOWN_CANCELLED,
        EventKind.LOST,
        EventKind.REBOOTED,
        EventKind.SHUTDOWN_HELD,
        EventKind.WOKEN_LATE,
    }
