"""The lifecycle of one thing that can be up or down, as a pure function.

The ids in the docstrings here and in rising.py, idle.py, falling.py and stopping.py are those of
docs/guardian.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from .falling import counting_down, running
from .idle import rest_due
from .moment import Moment
from .observation import Presence
from .rising import off, wake, wake_had_failed, waking
from .status import (
    Cause,
    CommandKind,
    Demand,
    Observation,
    Origin,
    Phase,
    Settings,
    State,
    Status,
    Then,
    Transition,
)
from .stopping import stop_had_failed, stopping
from .timekeeping import shifted

NOTHING_WANTED: Final = Demand()


def step(
    status: Status, observation: Observation, demand: Demand, settings: Settings, now: datetime
) -> Transition:
    """Take one step: equal inputs give equal outputs, and effects arise on edges only.

    `now` is an aware UTC instant. What an effect came to is handed in with a later observation.
    """
    moment = Moment(
        status=status,
        observation=observation,
        demand=demand,
        settings=settings,
        now=now,
    )
    return _STATES[status.state](moment) if status.origin is Origin.LIVE else _first(moment)


def begin(stored: Status | None, settings: Settings, now: datetime) -> Status:
    """L1, L2: take over what was stored, or begin with nothing known.

    What was stored in the future was stored by a clock that was ahead: all of it moves.
    """
    if stored is None:
        return Status(state=State.OFF, since=now, origin=Origin.NEW)
    if stored.since > now:
        stored = shifted(stored, now - stored.since)
    return loaded(_still_wanted(stored, settings, now), settings, now)


def _still_wanted(status: Status, settings: Settings, now: datetime) -> Status:
    """L1: let go of what should have ended long ago: whoever asked for it waits no more."""
    end = status.deadline or status.retry_at or status.since
    if now < end + settings.forgotten_after:
        return status
    kept = Status(state=State.OFF, since=now, origin=status.origin, alerts=status.alerts)
    match status.state:
        case State.WAKING:
            return kept
        case State.COUNTDOWN:
            return replace(kept, state=State.RUNNING)
        case State.STOPPING if status.then is Then.WAKE:
            return replace(status, then=Then.NOTHING)
    return status


def loaded(status: Status, settings: Settings, now: datetime) -> Status:
    """L1: take over a stored status; what had an end keeps at least two minutes."""
    soonest = now + settings.stored_grace
    if status.state is State.STOPPING and status.phase is not Phase.POWER:
        return _interrupted(status, soonest, now)
    deadline = max(status.deadline, soonest) if status.deadline else None
    if status.state is State.COUNTDOWN and not deadline and not status.held:
        # Its last look was under way: what was about to happen then is announced once more.
        return replace(status, deadline=soonest, retry_at=None, look_asked_at=None)
    return replace(status, deadline=deadline, look_asked_at=None)


def _interrupted(status: Status, soonest: datetime, now: datetime) -> Status:
    """L1: nobody has asked the node yet, so a stop is announced anew and a restart is let go."""
    kept = replace(
        status,
        since=now,
        phase=None,
        then=Then.NOTHING,
        stop_at=None,
        forced=False,
        cause=None,
        deadline=None,
    )
    if status.then in {Then.WAKE, Then.UP}:
        return replace(kept, state=State.RUNNING)
    asked = Cause.FORCED if status.forced else Cause.ASKED
    cause = Cause.IDLE if status.cause is Cause.IDLE else asked
    deadline = max(status.stop_at or soonest, soonest)
    return replace(kept, state=State.COUNTDOWN, cause=cause, deadline=deadline)


def instants(
    status: Status, settings: Settings, demand: Demand = NOTHING_WANTED
) -> tuple[datetime, ...]:
    """Give the instants at which this status may move by itself."""
    if status.origin is not Origin.LIVE:
        return ()
    lost_at = status.went_down_at and status.went_down_at + settings.rebooted_within
    rest_at = rest_due(status, settings, demand)
    candidates = (status.deadline, status.retry_at, status.resend_at, lost_at, rest_at)
    return tuple(instant for instant in candidates if instant)


def _first(moment: Moment) -> Transition:
    """L1, L2: wait for the first fresh observation; commands and new leases need not wait.

    A stored `running` is a memory: a wake that comes before any observation sends its packet.
    """
    status = moment.status
    unseen = moment.command is None and moment.presence is Presence.UNKNOWN
    if status.state in {State.OFF, State.RUNNING}:
        if moment.asked(CommandKind.WAKE):
            return wake(moment)
        if unseen and moment.wakes:
            return wake(moment.for_demand())
    if unseen:
        return moment.stay()
    live = replace(loaded(status, moment.settings, moment.now), origin=Origin.LIVE)
    if status.origin is Origin.NEW and moment.presence is Presence.UP:
        live = replace(live, state=State.RUNNING, since=moment.now)
    transition = _STATES[live.state](replace(moment, status=live))
    if transition.status == live and moment.presence is Presence.UNKNOWN:
        return replace(transition, status=status)
    return transition


def _failed(moment: Moment) -> Transition:
    """F1 to F4: by what had failed."""
    stop = moment.status.cause is Cause.STOP
    return stop_had_failed(moment) if stop else wake_had_failed(moment)


_STATES: Final[Mapping[State, Callable[[Moment], Transition]]] = {
    State.OFF: off,
    State.WAKING: waking,
    State.RUNNING: running,
    State.COUNTDOWN: counting_down,
    State.STOPPING: stopping,
    State.FAILED: _failed,
}
