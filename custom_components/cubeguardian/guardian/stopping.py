"""Stopping, and a stop that failed: the end of the way down."""

from dataclasses import replace

from .falling import count_down_idle, is_above, restart, standing, stop
from .idle import may_go_down
from .moment import DEADLINE_CODE, Moment, further
from .observation import Presence
from .ports import RefusalReason
from .status import (
    Alert,
    Cause,
    Command,
    CommandKind,
    Effect,
    EventKind,
    Phase,
    Severity,
    State,
    Then,
    Transition,
)


def stopping(moment: Moment) -> Transition:
    """S1 to S5: wait until it is down."""
    moment = _come_so_far(moment)
    if moment.command is not None:
        return _stopping_told(moment, moment.command)
    restarting = moment.status.cause is Cause.RESTART
    if moment.presence is Presence.DOWN or _has_gone(moment):
        return _down(moment)
    failure = moment.observation.failure
    if failure and failure.effect is (Effect.REBOOT if restarting else Effect.SHUT_DOWN):
        return _stop_failed(moment, failure.code)
    if changed := _held_meanwhile(moment) or _wanted_meanwhile(moment):
        return changed
    late = moment.passed(moment.status.deadline)
    return _stop_failed(moment, DEADLINE_CODE) if late else moment.stay()


def _come_so_far(moment: Moment) -> Moment:
    """S1: note how far it has come; from the call of the node its own time counts."""
    status = moment.status
    phase = further(status.phase, moment.observation.phase)
    if phase is status.phase:
        return moment
    called = phase is Phase.POWER
    deadline = moment.now + moment.settings.stop_timeout if called else status.deadline
    return replace(moment, status=replace(status, phase=phase, deadline=deadline))


def _has_gone(moment: Moment) -> bool:
    """R4: a reboot is under way as soon as its thing is not seen up."""
    rebooting = moment.status.cause is Cause.RESTART and not _can_turn_back(moment)
    return rebooting and moment.presence is Presence.STARTING


def _can_turn_back(moment: Moment) -> bool:
    """S2: until the node is asked nothing has happened that cannot be undone."""
    return moment.status.phase is not Phase.POWER


def _held_meanwhile(moment: Moment) -> Transition | None:
    """S5: turn back for what was found to forbid it after all, such as a backup that has begun."""
    held = standing(moment.observation.hold_ups, forced=moment.status.forced)
    if not held or not _can_turn_back(moment):
        return None
    return moment.enter_running(moment.event(EventKind.SHUTDOWN_HELD, Severity.WARNING, held))


def _wanted_meanwhile(moment: Moment) -> Transition | None:
    """S2: turn back, or wake it afterwards where leases may; a restart comes up anyway.

    What goes down for want of demand alone is kept up by any lease, not only by a new one. What
    was forced is not turned back by leases, as little as its countdown is (C2).
    """
    edge, wished = moment.demand.edge, moment.for_demand()
    cause = moment.status.cause
    if cause is Cause.RESTART:
        return wished.stay(then=Then.UP, stop_at=None) if edge else None
    if _can_turn_back(moment) and not moment.status.forced:
        kept_up = edge or (cause is Cause.IDLE and moment.demand.live)
        aborted = wished.event(EventKind.ABORTED)
        return wished.enter_running(aborted) if kept_up else None
    return wished.stay(then=Then.WAKE) if moment.wakes else None


def _stopping_told(moment: Moment, command: Command) -> Transition:
    """S2: a wake turns back what can still be turned back, and follows what cannot."""
    restarting = moment.status.cause is Cause.RESTART
    may_turn_back = _can_turn_back(moment) and not is_above(moment, command)
    match command.kind:
        case CommandKind.WAKE | CommandKind.RESTART if restarting:
            return moment.stay(then=Then.UP, stop_at=None, by=moment.by)
        case CommandKind.WAKE | CommandKind.CANCEL if may_turn_back:
            return moment.enter_running(moment.event(EventKind.ABORTED))
        case CommandKind.WAKE | CommandKind.RESTART:
            return moment.stay(then=Then.WAKE, by=moment.by)
        case CommandKind.STOP if restarting:
            stop_at = moment.now + command.delay
            return moment.stay(then=Then.STOP, stop_at=stop_at, forced=command.force, by=moment.by)
        case CommandKind.STOP:
            return moment.stay(then=Then.NOTHING, cause=Cause.STOP, by=moment.by)
        case _ if _can_turn_back(moment):
            return moment.refuse(command, RefusalReason.NOT_ALLOWED)
    return moment.refuse(command, RefusalReason.NOTHING_TO_CANCEL)


def _down(moment: Moment) -> Transition:
    """S3: off; or on to the wake that is wanted; or on to the end of the reboot."""
    status = moment.status
    if status.cause is Cause.RESTART and not _can_turn_back(moment):
        return _rebooting(moment)
    asleep = moment.event(EventKind.ASLEEP, seconds=moment.seconds)
    if status.then not in {Then.WAKE, Then.UP}:
        return moment.enter(State.OFF, asleep, attempts=0)
    ready = moment.observation.ready
    return moment.enter(
        State.WAKING,
        asleep,
        cause=Cause.WAKE,
        phase=Phase.PACKET,
        deadline=moment.now + moment.settings.wake_timeout if ready else None,
        resend_at=moment.now + moment.settings.wake_pause if ready else None,
        attempts=0,
    )


def _rebooting(moment: Moment) -> Transition:
    """R4: it went down as it should, and comes up again by itself."""
    status = moment.status
    stops = status.then is Then.STOP
    return moment.enter(
        State.WAKING,
        cause=Cause.RESTART,
        phase=moment.observation.phase,
        deadline=moment.now + moment.settings.wake_timeout,
        then=Then.STOP if stops else Then.NOTHING,
        stop_at=status.stop_at if stops else None,
        forced=status.forced and stops,
    )


def _stop_failed(moment: Moment, code: str) -> Transition:
    """S4: say why, loudly once per cause and day; a wish to be up is fulfilled by it."""
    status, now = moment.status, moment.now
    oldest = now - moment.settings.alert_every
    recent = tuple(alert for alert in status.alerts if alert.at > oldest)
    told = any(alert.code == code for alert in recent)
    alerts = recent if told else (*recent, Alert(code=code, at=now))
    event = moment.event(
        EventKind.SHUTDOWN_FAILED,
        Severity.WARNING if told else Severity.ALERT,
        code=code,
        phase=(status.phase or Phase.POWER).value,
    )
    if status.then is Then.WAKE and moment.presence is Presence.UP:
        return moment.enter_running(event, alerts=alerts)
    return moment.enter(
        State.FAILED,
        event,
        cause=Cause.STOP,
        phase=status.phase,
        attempts=status.attempts + 1,
        retry_at=now + moment.settings.retry_pause(status.attempts),
        alerts=alerts,
    )


def stop_had_failed(moment: Moment) -> Transition:
    """F4: down after all, wanted again, told to stop again, tried again, or let go."""
    if moment.presence is Presence.DOWN:
        asleep = moment.event(EventKind.ASLEEP, seconds=moment.seconds)
        return moment.enter(State.OFF, asleep, attempts=0)
    if moment.command is not None:
        return _failure_told(moment, moment.command)
    if moment.demand.edge and (moment.presence is Presence.UP or moment.wakes):
        return _wanted_again(moment.for_demand())
    if moment.presence is not Presence.UP or not moment.passed(moment.status.retry_at):
        return moment.stay()
    return count_down_idle(moment) if may_go_down(moment) else moment.enter(State.RUNNING)


def _failure_told(moment: Moment, command: Command) -> Transition:
    """F4: a stop or a restart is tried again; a wake or a cancel lets it be up."""
    match command.kind:
        case CommandKind.STOP:
            return stop(moment, command)
        case CommandKind.RESTART:
            return restart(moment, command)
    return _wanted_again(moment)


def _wanted_again(moment: Moment) -> Transition:
    """F4: up as before; what may still be going down is woken once it is down."""
    if moment.presence is Presence.UP:
        return moment.enter_running()
    return moment.enter(
        State.STOPPING,
        cause=Cause.STOP,
        phase=Phase.POWER,
        then=Then.WAKE,
        deadline=moment.now + moment.settings.stop_timeout,
    )
