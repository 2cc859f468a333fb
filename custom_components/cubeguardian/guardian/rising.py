"""Off, waking, and a wake that failed: the ways up."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from .falling import count_down, stop
from .moment import DEADLINE_CODE, Moment, further
from .observation import Presence
from .ports import RefusalReason
from .status import (
    Cause,
    Command,
    CommandKind,
    Effect,
    Event,
    EventKind,
    Phase,
    Severity,
    State,
    Then,
    Transition,
)

LASTING_CODES: Final = frozenset(
    {"auth_error", "permission_error", "tls_error", "invalid_input", "file_not_found"}
)


def off(moment: Moment) -> Transition:
    """O1, O2, O3, R5: off until somebody wants it or it is seen."""
    if moment.command is not None:
        match moment.command.kind:
            case CommandKind.WAKE:
                return wake(moment)
            case CommandKind.RESTART:
                return moment.refuse(moment.command, RefusalReason.NOT_RUNNING)
            case CommandKind.CANCEL:
                return moment.refuse(moment.command, RefusalReason.NOTHING_TO_CANCEL)
    if moment.presence is Presence.UP:
        return moment.enter_running(moment.event(_found_up(moment)), by=None)
    if moment.wakes:
        return wake(moment.for_demand())
    if moment.presence is Presence.STARTING and not moment.status.sign_distrusted:
        return _found(moment)
    return _still_off(moment)


def _found_up(moment: Moment) -> EventKind:
    """O2, R5: tell what is back soon after it went down from what somebody has started."""
    lost_at = moment.status.went_down_at and (
        moment.status.went_down_at + moment.settings.rebooted_within
    )
    back = lost_at is not None and moment.now < lost_at
    return EventKind.REBOOTED if back else EventKind.FOUND_RUNNING


def _found(moment: Moment) -> Transition:
    """O3: somebody else has started it."""
    events = () if moment.is_game else (moment.event(EventKind.FOUND_STARTING),)
    return moment.enter(
        State.WAKING,
        *events,
        cause=Cause.FOUND,
        phase=moment.observation.phase,
        deadline=moment.now + moment.settings.starting_timeout,
        by=None,
        went_down_at=moment.status.went_down_at,
    )


def _still_off(moment: Moment) -> Transition:
    """R5: what went down and is not back in time is lost; an address gone silent is trusted."""
    status = moment.status
    changes: dict[str, Any] = {}
    if status.sign_distrusted and moment.presence is Presence.DOWN:
        changes["sign_distrusted"] = False
    if status.went_down_at and moment.passed(status.went_down_at + moment.settings.rebooted_within):
        event = moment.event(EventKind.LOST, Severity.ALERT)
        return moment.stay(event, went_down_at=None, **changes)
    return moment.stay(**changes)


def wake(moment: Moment) -> Transition:
    """O1, F2: send the Wake, or have it due as soon as it makes sense."""
    ready = moment.observation.ready
    send = ready and moment.observation.send
    return moment.enter(
        State.WAKING,
        *((moment.event(EventKind.WAKE_SENT),) if send else ()),
        effects=(Effect.WAKE,) if send else (),
        cause=Cause.WAKE,
        phase=moment.observation.phase or Phase.PACKET,
        deadline=moment.now + moment.settings.wake_timeout if ready else None,
        resend_at=_first_resend(moment, send=send),
    )


def _first_resend(moment: Moment, *, send: bool) -> datetime | None:
    """Give the first resend; a guest's first start is due once its host lets it."""
    if send:
        return moment.now + moment.settings.resend_every
    return moment.now if moment.observation.ready else None


def waking(moment: Moment) -> Transition:
    """W1 to W4, and the ends of O3: wait until it is up."""
    if moment.command is not None:
        return _waking_told(moment, moment.command)
    if moment.presence is Presence.UP:
        return _woken(moment)
    if moment.demand.edge and (wanted := _wanted_meanwhile(moment)):
        return wanted
    if moment.status.cause is Cause.FOUND and moment.presence is Presence.DOWN:
        return moment.enter(State.OFF, went_down_at=moment.status.went_down_at)
    code = _refused(moment) or (DEADLINE_CODE if moment.passed(moment.status.deadline) else None)
    if code is not None:
        return _gave_up(moment, code) if _nobody_waits(moment) else _wake_failed(moment, code)
    if moment.observation.ready and moment.status.deadline is None:
        return _host_is_up(moment)
    return _resend(moment)


def _waking_told(moment: Moment, command: Command) -> Transition:
    """W3: remember what is wanted once it is up."""
    cancels_nothing = moment.status.then is not Then.STOP
    match command.kind:
        case CommandKind.RESTART:
            return moment.refuse(command, RefusalReason.NOT_RUNNING)
        case CommandKind.STOP:
            return moment.stay(
                then=Then.STOP,
                stop_at=moment.now + command.delay,
                forced=command.force,
                by=moment.by,
            )
        case CommandKind.CANCEL if cancels_nothing:
            return moment.refuse(command, RefusalReason.NOTHING_TO_CANCEL)
        case CommandKind.WAKE if moment.status.cause is Cause.FOUND:
            return wake(moment)
    return moment.stay(then=Then.NOTHING, stop_at=None, forced=False)


def _wanted_meanwhile(moment: Moment) -> Transition | None:
    """W3, O3: a new lease keeps up what comes up, and sees to it that what was found does."""
    wished = moment.for_demand()
    if moment.status.cause is Cause.FOUND and moment.wakes:
        return wake(wished)
    if moment.status.then is not Then.STOP:
        return None
    return wished.stay(then=Then.NOTHING, stop_at=None, forced=False)


def _woken(moment: Moment) -> Transition:
    """W2: it is up; where a stop is wanted by now, look at once; unless it is wanted anew."""
    found = moment.status.cause is Cause.FOUND
    kind = _found_up(moment) if found else EventKind.WOKEN
    event = moment.event(kind, seconds=moment.seconds)
    if moment.status.then is not Then.STOP or moment.demand.edge:
        return moment.enter_running(event)
    counting = count_down(
        moment,
        end=max(moment.status.stop_at or moment.now, moment.now),
        cause=Cause.FORCED if moment.status.forced else Cause.ASKED,
    )
    return replace(counting, events=(event, *counting.events))


def _refused(moment: Moment) -> str | None:
    """Give the code of a Wake that was refused; a repetition that got lost is no refusal."""
    failure = moment.observation.failure
    if failure is None or failure.effect is not Effect.WAKE:
        return None
    return failure.code if failure.first or failure.code in LASTING_CODES else None


def _nobody_waits(moment: Moment) -> bool:
    """Tell a wake that nobody asked for, or that nobody wants any more.

    A guest that runs in vain is worth a word all the same.
    """
    found = moment.status.cause is Cause.FOUND and not _runs_in_vain(moment)
    failure = moment.observation.failure
    called_off = failure is not None and failure.called_off
    return found or called_off or moment.status.then is Then.STOP


def _runs_in_vain(moment: Moment) -> bool:
    """Tell a game server whose guest runs while its Minecraft is silent."""
    silent = moment.is_game and moment.presence is Presence.STARTING
    return silent and moment.observation.phase is Phase.GUEST


def _gave_up(moment: Moment, code: str) -> Transition:
    """O3, W4: a ping that led nowhere, or a wake that was called off: off, and no alert."""
    found = moment.status.cause is Cause.FOUND
    events = () if found else (_wake_failure(moment, code),)
    fallen = moment.enter(State.OFF, *events, went_down_at=moment.status.went_down_at)
    return _distrusting(fallen, moment)


def _wake_failed(moment: Moment, code: str) -> Transition:
    """W4: say how far it came, and when the failure is let go."""
    unasked = moment.status.cause is Cause.FOUND
    event = _wake_failure(moment, code, Severity.WARNING if unasked else Severity.ALERT)
    failed = moment.enter(
        State.FAILED,
        event,
        cause=Cause.WAKE,
        phase=moment.status.phase,
        attempts=moment.status.attempts + 1,
        retry_at=moment.now + moment.settings.retry_pause(moment.status.attempts),
    )
    return _distrusting(failed, moment)


def _wake_failure(moment: Moment, code: str, severity: Severity = Severity.INFO) -> Event:
    phase = moment.status.phase or Phase.PACKET
    return moment.event(EventKind.WAKE_FAILED, severity, code=code, phase=phase.value)


def _distrusting(failed: Transition, moment: Moment) -> Transition:
    """O3: what only ever showed a sign of life is not taken for a start again.

    A host that answers nothing but the ping may not be that host at all.
    """
    if moment.presence is not Presence.STARTING:
        return failed
    conflict = () if moment.is_game else (moment.event(EventKind.ADDRESS_CONFLICT, Severity.ALERT),)
    status = replace(failed.status, sign_distrusted=True)
    return replace(failed, status=status, events=(*failed.events, *conflict))


def _host_is_up(moment: Moment) -> Transition:
    """W1: from here on a game server's own time counts."""
    deadline = moment.now + moment.settings.wake_timeout
    counted = replace(moment.status, deadline=deadline, resend_at=moment.now)
    return _resend(replace(moment, status=counted))


def _resend(moment: Moment) -> Transition:
    """W1: the one self-transition with an effect; it also notes how far the wake has come."""
    status, settings = moment.status, moment.settings
    phase = further(status.phase, moment.observation.phase)
    can_send = moment.observation.ready and moment.observation.send
    if not (moment.passed(status.resend_at) and can_send):
        return moment.stay() if phase is status.phase else moment.stay(phase=phase)
    counted_from = status.deadline - settings.wake_timeout if status.deadline else status.since
    often = moment.now < counted_from + settings.resend_for
    pause = settings.resend_every if often else settings.resend_slow
    return moment.stay(effects=(Effect.WAKE,), phase=phase, resend_at=moment.now + pause)


def wake_had_failed(moment: Moment) -> Transition:
    """F1 to F3: up late, tried again, or let go."""
    if moment.asked(CommandKind.WAKE):
        return wake(moment)
    if moment.presence is Presence.UP:
        return moment.enter_running(moment.event(EventKind.WOKEN_LATE, seconds=moment.seconds))
    silent_guest = _runs_in_vain(moment)
    if moment.command is not None:
        return _failure_told(moment, moment.command, silent_guest=silent_guest)
    if moment.wakes:
        return wake(moment.for_demand())
    gone = moment.presence in {Presence.DOWN, Presence.STARTING} and not silent_guest
    return _retry(moment) if gone and moment.passed(moment.status.retry_at) else moment.stay()


def _retry(moment: Moment) -> Transition:
    """F2, F3: try again for whoever still wants it, a few times; let it go for nobody."""
    demand = moment.demand
    if not demand.live:
        return moment.enter(State.OFF)
    again = demand.automatic and moment.status.attempts <= moment.settings.wake_tries
    return wake(moment.for_demand()) if again else moment.stay()


def _failure_told(moment: Moment, command: Command, *, silent_guest: bool) -> Transition:
    """F3: let it go; a guest that runs though its Minecraft is silent has to be stopped."""
    match command.kind:
        case CommandKind.STOP:
            return stop(moment, command) if silent_guest else moment.enter(State.OFF)
        case CommandKind.RESTART:
            return moment.refuse(command, RefusalReason.NOT_RUNNING)
        case _:
            return moment.refuse(command, RefusalReason.NOTHING_TO_CANCEL)
