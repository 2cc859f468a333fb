"""Running and countdown: what leads down."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from .idle import has_rested
from .moment import Moment, whole_seconds
from .observation import Presence
from .ports import RefusalReason
from .safety import HoldUp, HoldUpKey
from .status import (
    Cause,
    Command,
    CommandKind,
    Effect,
    Event,
    EventKind,
    Phase,
    Role,
    Severity,
    State,
    Then,
    Transition,
)

_NOT_LOOKED: Final = HoldUp(key=HoldUpKey.CANNOT_SEE, placeholders={"reason": "silent"})


def running(moment: Moment) -> Transition:
    """R1 to R5: up until somebody asks otherwise, nobody wants it, or it goes down."""
    if moment.command is not None:
        match moment.command.kind:
            case CommandKind.STOP:
                return stop(moment, moment.command)
            case CommandKind.RESTART:
                return restart(moment, moment.command)
            case CommandKind.CANCEL:
                return moment.refuse(moment.command, RefusalReason.NOTHING_TO_CANCEL)
    if moment.presence is Presence.DOWN:
        return _went_down(moment)
    return count_down_idle(moment) if has_rested(moment) else moment.stay()


def _went_down(moment: Moment) -> Transition:
    """R5: nobody here stopped it. A game server that goes with its host says nothing."""
    if not moment.is_game:
        event = moment.event(EventKind.WENT_DOWN, Severity.WARNING)
        return moment.enter(State.OFF, event, went_down_at=moment.now, by=None)
    events = (moment.event(EventKind.STOPPED_OUTSIDE),) if moment.observation.ready else ()
    return moment.enter(State.OFF, *events, by=None)


def stop(moment: Moment, command: Command) -> Transition:
    """R2, R3, F4: stop now if nothing speaks against it, or announce it."""
    if is_above(moment, command):
        return moment.refuse(command, RefusalReason.NOT_ALLOWED)
    if command.delay:
        cause = Cause.FORCED if command.force else Cause.ASKED
        return count_down(moment, end=moment.now + command.delay, cause=cause)
    if held := _refusing(moment, command):
        return moment.refuse(command, RefusalReason.HELD, held)
    return _shut_down(moment, cause=Cause.STOP, forced=command.force)


def is_above(moment: Moment, command: Command) -> bool:
    """Tell whether a player touches what was forced."""
    status = moment.status
    counting = status.state is State.COUNTDOWN and status.cause is Cause.FORCED
    going = status.state is State.STOPPING and status.forced
    return (counting or going) and command.by.role is Role.PLAYER


def _refusing(moment: Moment, command: Command) -> tuple[HoldUp, ...]:
    """Give what refuses a command; only what was seen since the command counts."""
    looked_at = moment.observation.looked_at
    if looked_at is None or looked_at < command.at:
        return (_NOT_LOOKED,)
    return standing(moment.observation.hold_ups, forced=command.force)


def standing(found: tuple[HoldUp, ...], *, forced: bool) -> tuple[HoldUp, ...]:
    """Give the hold-ups that count: force passes all but a protected guest."""
    if not forced:
        return found
    return tuple(held for held in found if held.key is HoldUpKey.PROTECTED)


def _shut_down(moment: Moment, *, cause: Cause, forced: bool) -> Transition:
    """R2, C7: the one place where a Shutdown arises."""
    return moment.enter(
        State.STOPPING,
        moment.event(EventKind.SHUTDOWN_SENT, hold_ups=moment.observation.hold_ups),
        effects=(Effect.SHUT_DOWN,),
        cause=cause,
        phase=Phase.SAVING,
        forced=forced,
        deadline=_end_of_preparations(moment),
    )


def restart(moment: Moment, command: Command) -> Transition:
    """R4: reboot, with the same hold-ups as a stop."""
    if is_above(moment, command):
        return moment.refuse(command, RefusalReason.NOT_ALLOWED)
    if held := _refusing(moment, command):
        return moment.refuse(command, RefusalReason.HELD, held)
    return moment.enter(
        State.STOPPING,
        moment.event(EventKind.RESTARTING, hold_ups=moment.observation.hold_ups),
        effects=(Effect.REBOOT,),
        cause=Cause.RESTART,
        phase=Phase.SAVING,
        forced=command.force,
        then=Then.UP,
        deadline=_end_of_preparations(moment),
    )


def _end_of_preparations(moment: Moment) -> datetime:
    """C7: give worlds and guests their time; the time of the node counts from its call (S1)."""
    settings = moment.settings
    patience = settings.save_timeout + settings.guest_timeout + settings.call_timeout
    return moment.now + patience


def count_down(moment: Moment, *, end: datetime, cause: Cause) -> Transition:
    """R1, R3: announce the shutdown; where it is due at once, look instead of announcing."""
    counting = moment.enter(State.COUNTDOWN, cause=cause, deadline=end)
    if moment.now >= end:
        return _look(replace(moment, status=counting.status))
    return replace(counting, events=(_announcement(moment, end),))


def count_down_idle(moment: Moment) -> Transition:
    """R1, F4: nobody wants it, so nobody is named."""
    end = moment.now + moment.demand.countdown
    return count_down(moment.unprompted(), end=end, cause=Cause.IDLE)


def _announcement(moment: Moment, end: datetime) -> Event:
    seconds = whole_seconds(moment.now, end)
    return moment.event(EventKind.COUNTDOWN_STARTED, seconds=seconds)


def counting_down(moment: Moment) -> Transition:
    """C1 to C7, R5: the announced time before a shutdown, and the look at its end."""
    status = moment.status
    if moment.command is not None:
        return _countdown_told(moment, moment.command)
    if moment.presence is Presence.DOWN:
        return _went_down(moment)
    if status.cause is Cause.IDLE and (kept := _kept_up(moment)):
        return kept
    if status.look_asked_at is not None and _has_looked(moment, status.look_asked_at):
        return _looked(moment)
    if moment.passed(status.deadline) or moment.passed(status.retry_at):
        return _look(moment)
    return moment.stay()


def _countdown_told(moment: Moment, command: Command) -> Transition:
    """C2: cancel or wake ends it; a stop or a restart goes on from here."""
    match command.kind:
        case CommandKind.STOP:
            return stop(moment, command)
        case CommandKind.RESTART:
            return restart(moment, command)
    if is_above(moment, command):
        return moment.refuse(command, RefusalReason.NOT_ALLOWED)
    return _cancelled(moment)


def _kept_up(moment: Moment) -> Transition | None:
    """C1, C3: somebody wants it after all, or it may not go down for want of demand any more."""
    if moment.demand.live:
        return _cancelled(moment.for_demand())
    return None if moment.demand.may_rest else _cancelled(moment.unprompted())


def _cancelled(moment: Moment) -> Transition:
    return moment.enter_running(moment.event(EventKind.COUNTDOWN_CANCELLED))


def _has_looked(moment: Moment, asked_at: datetime) -> bool:
    looked_at = moment.observation.looked_at
    return looked_at is not None and looked_at >= asked_at


def _look(moment: Moment) -> Transition:
    """C4: ask for a look; one that never comes back is asked for again."""
    return moment.stay(
        effects=(Effect.LOOK,),
        deadline=None,
        look_asked_at=moment.now,
        retry_at=moment.now + moment.settings.hold_retry,
    )


def _looked(moment: Moment) -> Transition:
    """C5 to C7: held; or one more minute after having been held; or stop."""
    idle, forced = (moment.status.cause is cause for cause in (Cause.IDLE, Cause.FORCED))
    if held := standing(moment.observation.hold_ups, forced=forced):
        return _hold(moment, held)
    if not moment.status.held:
        return _shut_down(moment, cause=Cause.IDLE if idle else Cause.STOP, forced=forced)
    end = moment.now + moment.settings.last_minute
    event = _announcement(moment, end)
    return moment.stay(event, deadline=end, retry_at=None, look_asked_at=None, held=())


def _hold(moment: Moment, hold_ups: tuple[HoldUp, ...]) -> Transition:
    """C5: say it once per reason, and look again in a minute."""
    known = {(held.key, held.subject) for held in moment.status.held}
    fresh = any((held.key, held.subject) not in known for held in hold_ups)
    event = moment.event(EventKind.SHUTDOWN_HELD, Severity.WARNING, hold_ups)
    return moment.stay(
        *((event,) if fresh else ()),
        held=hold_ups,
        look_asked_at=None,
        retry_at=moment.now + moment.settings.hold_retry,
    )
