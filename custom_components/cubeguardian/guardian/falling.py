"""Running, countdown, stopping, and a stop that failed: the ways down."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from .moment import DEADLINE_CODE, Moment, further, whole_seconds
from .observation import Presence
from .ports import RefusalReason
from .safety import HoldUp, HoldUpKey
from .status import (
    Alert,
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
    """R2 to R5: up until somebody asks otherwise, or it goes down."""
    if moment.command is not None:
        match moment.command.kind:
            case CommandKind.STOP:
                return stop(moment, moment.command)
            case CommandKind.RESTART:
                return _restart(moment, moment.command)
            case CommandKind.CANCEL:
                return moment.refuse(moment.command, RefusalReason.NOTHING_TO_CANCEL)
    return _went_down(moment) if moment.presence is Presence.DOWN else moment.stay()


def _went_down(moment: Moment) -> Transition:
    """R5: nobody here stopped it. A game server that goes with its host says nothing."""
    if not moment.is_game:
        event = moment.event(EventKind.WENT_DOWN, Severity.WARNING)
        return moment.enter(State.OFF, event, went_down_at=moment.now, by=None)
    events = (moment.event(EventKind.STOPPED_OUTSIDE),) if moment.observation.ready else ()
    return moment.enter(State.OFF, *events, by=None)


def stop(moment: Moment, command: Command) -> Transition:
    """R2, R3, F4: stop now if nothing speaks against it, or announce it."""
    if _is_above(moment, command):
        return moment.refuse(command, RefusalReason.NOT_ALLOWED)
    if command.delay:
        return count_down(moment, end=moment.now + command.delay, forced=command.force)
    if held := _standing(moment, command):
        return moment.refuse(command, RefusalReason.HELD, held)
    return _shut_down(moment)


def _is_above(moment: Moment, command: Command) -> bool:
    """Tell whether a player touches a countdown that was forced."""
    forced = moment.status.state is State.COUNTDOWN and moment.status.cause is Cause.FORCED
    return forced and command.by.role is Role.PLAYER


def _standing(moment: Moment, command: Command) -> tuple[HoldUp, ...]:
    """Give what refuses a command; only what was seen since the command counts."""
    looked_at = moment.observation.looked_at
    if looked_at is None or looked_at < command.at:
        return (_NOT_LOOKED,)
    return () if command.force else moment.observation.hold_ups


def _shut_down(moment: Moment) -> Transition:
    """R2, C7: the one place where a Shutdown arises."""
    return moment.enter(
        State.STOPPING,
        moment.event(EventKind.SHUTDOWN_SENT, hold_ups=moment.observation.hold_ups),
        effects=(Effect.SHUT_DOWN,),
        cause=Cause.STOP,
        phase=Phase.POWER,
        deadline=moment.now + moment.settings.stop_timeout,
    )


def _restart(moment: Moment, command: Command) -> Transition:
    """R4: reboot, with the same hold-ups as a stop."""
    if _is_above(moment, command):
        return moment.refuse(command, RefusalReason.NOT_ALLOWED)
    if held := _standing(moment, command):
        return moment.refuse(command, RefusalReason.HELD, held)
    return moment.enter(
        State.STOPPING,
        moment.event(EventKind.RESTARTING, hold_ups=moment.observation.hold_ups),
        effects=(Effect.REBOOT,),
        cause=Cause.RESTART,
        phase=Phase.POWER,
        then=Then.UP,
        deadline=moment.now + moment.settings.stop_timeout,
    )


def count_down(moment: Moment, *, end: datetime, forced: bool) -> Transition:
    """R3: announce the shutdown; where it is due at once, look instead of announcing."""
    cause = Cause.FORCED if forced else Cause.ASKED
    counting = moment.enter(State.COUNTDOWN, cause=cause, deadline=end)
    if moment.now >= end:
        return _look(replace(moment, status=counting.status))
    return replace(counting, events=(_announcement(moment, end),))


def _announcement(moment: Moment, end: datetime) -> Event:
    seconds = whole_seconds(moment.now, end)
    return moment.event(EventKind.COUNTDOWN_STARTED, seconds=seconds)


def counting_down(moment: Moment) -> Transition:
    """C2, C4 to C7, R5: the announced time before a shutdown, and the look at its end."""
    status = moment.status
    if moment.command is not None:
        return _countdown_told(moment, moment.command)
    if moment.presence is Presence.DOWN:
        return _went_down(moment)
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
            return _restart(moment, command)
    if _is_above(moment, command):
        return moment.refuse(command, RefusalReason.NOT_ALLOWED)
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
    hold_ups = moment.observation.hold_ups
    if hold_ups and moment.status.cause is not Cause.FORCED:
        return _hold(moment, hold_ups)
    if not moment.status.held:
        return _shut_down(moment)
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


def stopping(moment: Moment) -> Transition:
    """S1 to S4: wait until it is down."""
    if moment.command is not None:
        return _stopping_told(moment, moment.command)
    restarting = moment.status.cause is Cause.RESTART
    if moment.presence is Presence.DOWN or (restarting and moment.presence is Presence.STARTING):
        return _down(moment)
    failure = moment.observation.failure
    if failure and failure.effect is (Effect.REBOOT if restarting else Effect.SHUT_DOWN):
        return _stop_failed(moment, failure.code)
    if moment.passed(moment.status.deadline):
        return _stop_failed(moment, DEADLINE_CODE)
    phase = further(moment.status.phase, moment.observation.phase)
    return moment.stay() if phase is moment.status.phase else moment.stay(phase=phase)


def _stopping_told(moment: Moment, command: Command) -> Transition:
    """S2: a wake turns back what can still be turned back, and follows what cannot."""
    restarting = moment.status.cause is Cause.RESTART
    up_again = Then.UP if restarting else Then.WAKE
    match command.kind:
        case CommandKind.WAKE if moment.status.phase is not Phase.POWER:
            return moment.enter_running(moment.event(EventKind.ABORTED))
        case CommandKind.WAKE | CommandKind.RESTART:
            return moment.stay(then=up_again, stop_at=None, forced=False, by=moment.by)
        case CommandKind.STOP if restarting:
            stop_at = moment.now + command.delay
            return moment.stay(then=Then.STOP, stop_at=stop_at, forced=command.force, by=moment.by)
        case CommandKind.STOP:
            return moment.stay(then=Then.NOTHING)
        case CommandKind.CANCEL:
            return moment.refuse(command, RefusalReason.NOTHING_TO_CANCEL)


def _down(moment: Moment) -> Transition:
    """S3: off; or on to the wake that is wanted; or on to the end of the reboot."""
    status = moment.status
    if status.cause is Cause.RESTART:
        return _rebooting(moment)
    asleep = moment.event(EventKind.ASLEEP, seconds=moment.seconds)
    if status.then is not Then.WAKE:
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
    return moment.enter(
        State.WAKING,
        cause=Cause.RESTART,
        phase=moment.observation.phase,
        deadline=moment.now + moment.settings.wake_timeout,
        then=Then.STOP if status.then is Then.STOP else Then.NOTHING,
        stop_at=status.stop_at,
        forced=status.forced,
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
    """F4: down after all, wanted again, told to stop again, or let go."""
    if moment.presence is Presence.DOWN:
        asleep = moment.event(EventKind.ASLEEP, seconds=moment.seconds)
        return moment.enter(State.OFF, asleep, attempts=0)
    if moment.command is not None:
        match moment.command.kind:
            case CommandKind.STOP:
                return stop(moment, moment.command)
            case CommandKind.RESTART:
                return _restart(moment, moment.command)
            case _:
                return _wanted_again(moment)
    if moment.presence is Presence.UP and moment.passed(moment.status.retry_at):
        return moment.enter(State.RUNNING)
    return moment.stay()


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
