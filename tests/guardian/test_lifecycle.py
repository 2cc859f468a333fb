"""The lifecycle as one table: the rows of docs/guardian.md, each with what it comes to."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
import re
from typing import Any

import pytest

from custom_components.cubeguardian.guardian.lifecycle import begin, instants, loaded, step
from custom_components.cubeguardian.guardian.observation import Presence
from custom_components.cubeguardian.guardian.ports import RefusalReason
from custom_components.cubeguardian.guardian.safety import HoldUp, HoldUpKey
from custom_components.cubeguardian.guardian.status import (
    Alert,
    Caller,
    Cause,
    Command,
    CommandKind,
    Demand,
    Effect,
    EventKind,
    Failure,
    Observation,
    Origin,
    Phase,
    Settings,
    Severity,
    State,
    Status,
    Then,
)

from .world import ADMIN, HOME, PLAYER, START

RULES = Path(__file__).parents[2] / "docs" / "guardian.md"
NOW = START
HOST = Settings()
GAME = HOST.for_game()
UP, DOWN = Observation(presence=Presence.UP), Observation(presence=Presence.DOWN)
STARTING = Observation(presence=Presence.STARTING, phase=Phase.PING)
RUNS_IN_VAIN = replace(STARTING, phase=Phase.GUEST)
UNKNOWN = Observation()
PLAYERS = HoldUp(key=HoldUpKey.PLAYERS, subject="survival")
TASK = HoldUp(key=HoldUpKey.TASK)
LOOKED = replace(UP, looked_at=NOW)
LOOKED_HELD = replace(LOOKED, hold_ups=(PLAYERS,))
LOOKED_BEFORE = replace(UP, looked_at=NOW - timedelta(seconds=1))


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def ahead(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def told(kind: CommandKind, by: Caller = HOME, delay: float = 0, *, force: bool = False) -> Command:
    return Command(kind=kind, by=by, at=NOW, delay=timedelta(seconds=delay), force=force)


def failure(effect: Effect, code: str, *, first: bool = True) -> Observation:
    return Observation(failure=Failure(effect=effect, code=code, first=first))


WAKE, STOP, RESTART, CANCEL = (told(kind) for kind in CommandKind)

OFF = Status(state=State.OFF, since=ago(1000), by="Ada")
WAKING = Status(
    state=State.WAKING,
    since=ago(30),
    cause=Cause.WAKE,
    phase=Phase.PACKET,
    deadline=ahead(570),
    resend_at=ahead(5),
    by="Ada",
)
FOUND = replace(WAKING, cause=Cause.FOUND, phase=Phase.PING, deadline=ahead(270), resend_at=None)
REBOOTING = replace(WAKING, cause=Cause.RESTART, resend_at=None)
RUNNING = Status(state=State.RUNNING, since=ago(1000), by="Ada")
COUNTDOWN = Status(
    state=State.COUNTDOWN, since=ago(30), cause=Cause.ASKED, deadline=ahead(30), by="Ada"
)
FORCED = replace(COUNTDOWN, cause=Cause.FORCED)
LOOKING = replace(COUNTDOWN, deadline=None, look_asked_at=ago(0.5), retry_at=ahead(59))
HELD = replace(LOOKING, look_asked_at=None, held=(PLAYERS,), retry_at=ahead(30))
STOPPING = Status(
    state=State.STOPPING,
    since=ago(30),
    cause=Cause.STOP,
    phase=Phase.POWER,
    deadline=ahead(450),
    by="Ada",
)
RESTARTING = replace(STOPPING, cause=Cause.RESTART, then=Then.UP)
WAKE_FAILED = Status(
    state=State.FAILED,
    since=ago(30),
    cause=Cause.WAKE,
    phase=Phase.PACKET,
    attempts=1,
    retry_at=ahead(30),
)
STOP_FAILED = replace(WAKE_FAILED, cause=Cause.STOP, phase=Phase.POWER)


def stored(status: Status) -> Status:
    return replace(status, origin=Origin.STORED)


NEW = Status(state=State.OFF, since=ago(1), origin=Origin.NEW)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table; `fields` are further parts of the status that matter."""

    id: str
    when: str
    status: Status
    seen: Observation = UNKNOWN
    command: Command | None = None
    settings: Settings = HOST
    to: State
    effects: tuple[Effect, ...] = ()
    events: tuple[EventKind, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)


TABLE = (
    Row(id="L1", when="nothing before an observation",
        status=stored(replace(WAKING, deadline=ago(9))), to=State.WAKING,
        fields={"origin": Origin.STORED}),
    Row(id="L1", when="a deadline gets two minutes",
        status=stored(replace(STOPPING, deadline=ago(9))), seen=UP, to=State.STOPPING,
        fields={"deadline": ahead(120), "origin": Origin.LIVE}),
    Row(id="L1", when="stored waking, seen up", status=stored(WAKING), seen=UP,
        to=State.RUNNING, events=(EventKind.WOKEN,)),
    Row(id="L1", when="stored running, seen down", status=stored(RUNNING), seen=DOWN,
        to=State.OFF, events=(EventKind.WENT_DOWN,)),
    Row(id="L1", when="stored stopping, seen down", status=stored(STOPPING), seen=DOWN,
        to=State.OFF, events=(EventKind.ASLEEP,)),
    Row(id="L1", when="stored off, seen up", status=stored(OFF), seen=UP,
        to=State.RUNNING, events=(EventKind.FOUND_RUNNING,)),
    Row(id="L1", when="stored running is a memory for a wake", status=stored(RUNNING), command=WAKE,
        to=State.WAKING, effects=(Effect.WAKE,), events=(EventKind.WAKE_SENT,)),
    Row(id="L1", when="a stop that changes nothing leaves it unseen", status=stored(OFF),
        command=STOP, to=State.OFF, fields={"origin": Origin.STORED}),
    Row(id="L2", when="nothing seen yet", status=NEW, to=State.OFF, fields={"origin": Origin.NEW}),
    Row(id="L2", when="seen up", status=NEW, seen=UP, to=State.RUNNING, fields={"since": NOW}),
    Row(id="L2", when="seen down", status=NEW, seen=DOWN, to=State.OFF,
        fields={"origin": Origin.LIVE}),
    Row(id="L2", when="a wake need not wait", status=NEW, command=WAKE,
        to=State.WAKING, effects=(Effect.WAKE,), events=(EventKind.WAKE_SENT,)),
    Row(id="O1", when="wake", status=OFF, seen=DOWN, command=told(CommandKind.WAKE, PLAYER),
        to=State.WAKING, effects=(Effect.WAKE,), events=(EventKind.WAKE_SENT,),
        fields={"cause": Cause.WAKE, "phase": Phase.PACKET, "deadline": ahead(600),
                "resend_at": ahead(15), "by": "Alex"}),
    Row(id="O1", when="a game server whose host still sleeps", status=OFF, settings=GAME,
        seen=replace(DOWN, ready=False, send=False), command=WAKE, to=State.WAKING,
        fields={"deadline": None, "resend_at": None}),
    Row(id="O1", when="a game server whose guest may start by itself", status=OFF, settings=GAME,
        seen=replace(DOWN, send=False), command=WAKE, to=State.WAKING,
        fields={"deadline": ahead(900), "resend_at": NOW}),
    Row(id="O1", when="nothing asked", status=OFF, seen=DOWN, to=State.OFF),
    Row(id="O1", when="stop while off is no error", status=OFF, seen=DOWN, command=STOP,
        to=State.OFF),
    Row(id="O1", when="restart while off is refused", status=OFF, seen=DOWN, command=RESTART,
        to=State.OFF, events=(EventKind.REFUSED,)),
    Row(id="O1", when="cancel while off is refused", status=OFF, seen=DOWN, command=CANCEL,
        to=State.OFF, events=(EventKind.REFUSED,)),
    Row(id="O2", when="seen up", status=OFF, seen=UP, to=State.RUNNING,
        events=(EventKind.FOUND_RUNNING,), fields={"by": None}),
    Row(id="O2", when="unknown is not up", status=OFF, to=State.OFF),
    Row(id="O3", when="ping alone", status=OFF, seen=STARTING, to=State.WAKING,
        events=(EventKind.FOUND_STARTING,),
        fields={"cause": Cause.FOUND, "deadline": ahead(300), "resend_at": None, "by": None}),
    Row(id="O3", when="a guest that starts with its host says nothing", status=OFF, seen=STARTING,
        settings=GAME, to=State.WAKING, fields={"deadline": ahead(900)}),
    Row(id="O3", when="found, then up", status=FOUND, seen=UP, to=State.RUNNING,
        events=(EventKind.FOUND_RUNNING,)),
    Row(id="O3", when="found, then gone", status=FOUND, seen=DOWN, to=State.OFF),
    Row(id="O3", when="ping alone to the end", status=replace(FOUND, deadline=NOW), seen=STARTING,
        to=State.OFF, events=(EventKind.ADDRESS_CONFLICT,), fields={"sign_distrusted": True}),
    Row(id="O3", when="unknown at the end", status=replace(FOUND, deadline=NOW), to=State.OFF,
        fields={"sign_distrusted": False}),
    Row(id="O3", when="a guest that stays silent has failed", status=replace(FOUND, deadline=NOW),
        seen=RUNS_IN_VAIN, settings=GAME, to=State.FAILED, events=(EventKind.WAKE_FAILED,)),
    Row(id="O3", when="an unexplained silence is off", status=replace(FOUND, deadline=NOW),
        seen=replace(STARTING, phase=Phase.API), settings=GAME, to=State.OFF,
        fields={"sign_distrusted": True}),
    Row(id="O3", when="a distrusted ping says nothing", status=replace(OFF, sign_distrusted=True),
        seen=STARTING, to=State.OFF),
    Row(id="O3", when="trusted again once it is gone", status=replace(OFF, sign_distrusted=True),
        seen=DOWN, to=State.OFF, fields={"sign_distrusted": False}),
    Row(id="O3", when="wanted after all", status=FOUND, seen=STARTING, command=WAKE,
        to=State.WAKING, effects=(Effect.WAKE,), events=(EventKind.WAKE_SENT,),
        fields={"cause": Cause.WAKE, "phase": Phase.PING}),
    Row(id="W1", when="not due", status=WAKING, seen=DOWN, to=State.WAKING),
    Row(id="W1", when="due early", status=replace(WAKING, resend_at=NOW), seen=DOWN,
        to=State.WAKING, effects=(Effect.WAKE,), fields={"resend_at": ahead(15)}),
    Row(id="W1", when="due late", status=replace(WAKING, resend_at=NOW, deadline=ahead(480)),
        seen=DOWN, to=State.WAKING, effects=(Effect.WAKE,), fields={"resend_at": ahead(60)}),
    Row(id="W1", when="further than before", status=WAKING, seen=STARTING, to=State.WAKING,
        fields={"phase": Phase.PING}),
    Row(id="W1", when="never back a phase", status=replace(WAKING, phase=Phase.API), seen=STARTING,
        to=State.WAKING, fields={"phase": Phase.API}),
    Row(id="W1", when="no resend while a reboot comes up", status=REBOOTING, seen=DOWN,
        to=State.WAKING),
    Row(id="W1", when="a lost resend", status=WAKING, to=State.WAKING,
        seen=failure(Effect.WAKE, "connection_error", first=False)),
    Row(id="W1", when="its host is up: the time counts", settings=GAME,
        status=replace(WAKING, deadline=None, resend_at=None), seen=DOWN,
        to=State.WAKING, effects=(Effect.WAKE,),
        fields={"deadline": ahead(900), "resend_at": ahead(15)}),
    Row(id="W1", when="its guest already starts", settings=GAME,
        status=replace(WAKING, deadline=None, resend_at=None), seen=replace(DOWN, send=False),
        to=State.WAKING, fields={"deadline": ahead(900), "resend_at": NOW}),
    Row(id="W2", when="seen up", status=replace(WAKING, attempts=3), seen=UP, to=State.RUNNING,
        events=(EventKind.WOKEN,), fields={"attempts": 0, "by": "Ada"}),
    Row(id="W2", when="a stop is wanted: look at once",
        status=replace(WAKING, then=Then.STOP, stop_at=ago(5)), seen=UP, to=State.COUNTDOWN,
        effects=(Effect.LOOK,), events=(EventKind.WOKEN,),
        fields={"cause": Cause.ASKED, "look_asked_at": NOW}),
    Row(id="W2", when="a forced stop with a delay is wanted",
        status=replace(WAKING, then=Then.STOP, stop_at=ahead(50), forced=True), seen=UP,
        to=State.COUNTDOWN, events=(EventKind.WOKEN, EventKind.COUNTDOWN_STARTED),
        fields={"cause": Cause.FORCED, "deadline": ahead(50)}),
    Row(id="W3", when="stop", status=WAKING, command=told(CommandKind.STOP, PLAYER, delay=60),
        to=State.WAKING, fields={"then": Then.STOP, "stop_at": ahead(60), "by": "Alex"}),
    Row(id="W3", when="wake", status=replace(WAKING, then=Then.STOP, forced=True, stop_at=NOW),
        command=WAKE, to=State.WAKING,
        fields={"then": Then.NOTHING, "forced": False, "stop_at": None}),
    Row(id="W3", when="wake twice sends nothing", status=WAKING, command=WAKE, to=State.WAKING),
    Row(id="W3", when="cancel of a stop", status=replace(WAKING, then=Then.STOP), command=CANCEL,
        to=State.WAKING, fields={"then": Then.NOTHING}),
    Row(id="W3", when="nothing to cancel", status=WAKING, command=CANCEL, to=State.WAKING,
        events=(EventKind.REFUSED,)),
    Row(id="W3", when="restart is refused", status=WAKING, command=RESTART, to=State.WAKING,
        events=(EventKind.REFUSED,)),
    Row(id="W4", when="deadline", status=replace(WAKING, deadline=NOW, phase=Phase.API), seen=DOWN,
        to=State.FAILED, events=(EventKind.WAKE_FAILED,),
        fields={"cause": Cause.WAKE, "phase": Phase.API, "attempts": 1, "retry_at": ahead(60)}),
    Row(id="W4", when="the third time in a row",
        status=replace(WAKING, deadline=NOW, attempts=2), seen=DOWN, to=State.FAILED,
        events=(EventKind.WAKE_FAILED,), fields={"attempts": 3, "retry_at": ahead(240)}),
    Row(id="W4", when="the hundredth time in a row",
        status=replace(WAKING, deadline=NOW, attempts=99), seen=DOWN, to=State.FAILED,
        events=(EventKind.WAKE_FAILED,), fields={"retry_at": ahead(1800)}),
    Row(id="W4", when="refused", status=WAKING, seen=failure(Effect.WAKE, "connection_error"),
        to=State.FAILED, events=(EventKind.WAKE_FAILED,)),
    Row(id="W4", when="a resend refused for good", status=WAKING, to=State.FAILED,
        seen=failure(Effect.WAKE, "permission_error", first=False),
        events=(EventKind.WAKE_FAILED,)),
    Row(id="W4", when="ping alone to the end", status=replace(WAKING, deadline=NOW), seen=STARTING,
        to=State.FAILED, events=(EventKind.WAKE_FAILED, EventKind.ADDRESS_CONFLICT),
        fields={"sign_distrusted": True}),
    Row(id="W4", when="called off meanwhile", status=replace(WAKING, deadline=NOW, then=Then.STOP),
        seen=DOWN, to=State.OFF, events=(EventKind.WAKE_FAILED,)),
    Row(id="W4", when="its host was stopped", status=WAKING, settings=GAME, to=State.OFF,
        seen=replace(DOWN, ready=False, failure=Failure(
            effect=Effect.WAKE, code="connection_error", called_off=True)),
        events=(EventKind.WAKE_FAILED,)),
    Row(id="W4", when="an old failure to stop says nothing", status=WAKING,
        seen=failure(Effect.SHUT_DOWN, "timeout_error"), to=State.WAKING),
    Row(id="R2", when="stop, clear", status=RUNNING, seen=LOOKED, command=STOP, to=State.STOPPING,
        effects=(Effect.SHUT_DOWN,), events=(EventKind.SHUTDOWN_SENT,),
        fields={"cause": Cause.STOP, "phase": Phase.POWER, "deadline": ahead(480)}),
    Row(id="R2", when="stop, held", status=RUNNING, seen=LOOKED_HELD, command=STOP,
        to=State.RUNNING, events=(EventKind.REFUSED,)),
    Row(id="R2", when="stop, forced", status=RUNNING, seen=LOOKED_HELD,
        command=told(CommandKind.STOP, force=True), to=State.STOPPING,
        effects=(Effect.SHUT_DOWN,), events=(EventKind.SHUTDOWN_SENT,)),
    Row(id="R2", when="stop without a look", status=RUNNING, seen=UP, command=STOP,
        to=State.RUNNING, events=(EventKind.REFUSED,)),
    Row(id="R2", when="stop on an old look", status=RUNNING, seen=LOOKED_BEFORE,
        command=told(CommandKind.STOP, force=True), to=State.RUNNING,
        events=(EventKind.REFUSED,)),
    Row(id="R2", when="nothing asked", status=RUNNING, seen=UP, to=State.RUNNING),
    Row(id="R2", when="wake while running is no error", status=RUNNING, seen=UP, command=WAKE,
        to=State.RUNNING),
    Row(id="R2", when="nothing to cancel", status=RUNNING, seen=UP, command=CANCEL,
        to=State.RUNNING, events=(EventKind.REFUSED,)),
    Row(id="R3", when="stop with a delay", status=RUNNING, seen=UP,
        command=told(CommandKind.STOP, PLAYER, delay=300), to=State.COUNTDOWN,
        events=(EventKind.COUNTDOWN_STARTED,),
        fields={"cause": Cause.ASKED, "deadline": ahead(300), "by": "Alex"}),
    Row(id="R3", when="forced stop with a delay", status=RUNNING, seen=UP,
        command=told(CommandKind.STOP, delay=300, force=True), to=State.COUNTDOWN,
        events=(EventKind.COUNTDOWN_STARTED,), fields={"cause": Cause.FORCED}),
    Row(id="R3", when="another delay replaces the first", status=COUNTDOWN, seen=UP,
        command=told(CommandKind.STOP, delay=300), to=State.COUNTDOWN,
        events=(EventKind.COUNTDOWN_STARTED,), fields={"deadline": ahead(300)}),
    Row(id="R4", when="restart", status=RUNNING, seen=LOOKED, command=RESTART, to=State.STOPPING,
        effects=(Effect.REBOOT,), events=(EventKind.RESTARTING,),
        fields={"cause": Cause.RESTART, "then": Then.UP, "deadline": ahead(480)}),
    Row(id="R4", when="restart, held", status=RUNNING, seen=LOOKED_HELD, command=RESTART,
        to=State.RUNNING, events=(EventKind.REFUSED,)),
    Row(id="R4", when="seen not up", status=RESTARTING, seen=STARTING, to=State.WAKING,
        fields={"cause": Cause.RESTART, "resend_at": None, "deadline": ahead(600)}),
    Row(id="R4", when="seen down", status=replace(RESTARTING, then=Then.STOP, forced=True),
        seen=DOWN, to=State.WAKING, fields={"then": Then.STOP, "forced": True}),
    Row(id="R4", when="seen up again", status=REBOOTING, seen=UP, to=State.RUNNING,
        events=(EventKind.WOKEN,)),
    Row(id="R4", when="stop on the way", status=RESTARTING,
        command=told(CommandKind.STOP, delay=60), to=State.STOPPING,
        fields={"then": Then.STOP, "stop_at": ahead(60)}),
    Row(id="R4", when="wake on the way", status=replace(RESTARTING, then=Then.STOP),
        command=WAKE, to=State.STOPPING, fields={"then": Then.UP}),
    Row(id="R4", when="reboot refused", status=RESTARTING, to=State.FAILED,
        seen=failure(Effect.REBOOT, "permission_error"), events=(EventKind.SHUTDOWN_FAILED,)),
    Row(id="R5", when="running", status=RUNNING, seen=DOWN, to=State.OFF,
        events=(EventKind.WENT_DOWN,), fields={"went_down_at": NOW, "by": None}),
    Row(id="R5", when="countdown", status=COUNTDOWN, seen=DOWN, to=State.OFF,
        events=(EventKind.WENT_DOWN,)),
    Row(id="R5", when="unknown is not down", status=RUNNING, to=State.RUNNING),
    Row(id="R5", when="back in time", status=replace(OFF, went_down_at=ago(599)), seen=UP,
        to=State.RUNNING, events=(EventKind.REBOOTED,)),
    Row(id="R5", when="seen booting", status=replace(OFF, went_down_at=ago(9)), seen=STARTING,
        to=State.WAKING, events=(EventKind.FOUND_STARTING,), fields={"went_down_at": ago(9)}),
    Row(id="R5", when="back after having been seen booting",
        status=replace(FOUND, went_down_at=ago(599)), seen=UP, to=State.RUNNING,
        events=(EventKind.REBOOTED,), fields={"went_down_at": None}),
    Row(id="R5", when="back too late", status=replace(FOUND, went_down_at=ago(600)), seen=UP,
        to=State.RUNNING, events=(EventKind.FOUND_RUNNING,)),
    Row(id="R5", when="down again while booting", status=replace(FOUND, went_down_at=ago(99)),
        seen=DOWN, to=State.OFF, fields={"went_down_at": ago(99)}),
    Row(id="R5", when="booting in vain", status=replace(FOUND, went_down_at=ago(99), deadline=NOW),
        to=State.OFF, fields={"went_down_at": ago(99)}),
    Row(id="R5", when="lost", status=replace(OFF, went_down_at=ago(600)), seen=DOWN, to=State.OFF,
        events=(EventKind.LOST,), fields={"went_down_at": None}),
    Row(id="R5", when="a guest stopped elsewhere", status=RUNNING, seen=DOWN, settings=GAME,
        to=State.OFF, events=(EventKind.STOPPED_OUTSIDE,), fields={"went_down_at": None}),
    Row(id="R5", when="a guest goes with its host", status=RUNNING,
        seen=replace(DOWN, ready=False), settings=GAME, to=State.OFF),
    Row(id="C2", when="cancel by a player", status=COUNTDOWN, seen=UP,
        command=told(CommandKind.CANCEL, PLAYER), to=State.RUNNING,
        events=(EventKind.COUNTDOWN_CANCELLED,), fields={"by": "Alex"}),
    Row(id="C2", when="wake", status=HELD, seen=UP, command=WAKE, to=State.RUNNING,
        events=(EventKind.COUNTDOWN_CANCELLED,)),
    Row(id="C2", when="forced, by a player", status=FORCED, seen=UP,
        command=told(CommandKind.CANCEL, PLAYER), to=State.COUNTDOWN, events=(EventKind.REFUSED,)),
    Row(id="C2", when="forced, put off by a player", status=FORCED, seen=UP,
        command=told(CommandKind.STOP, PLAYER, delay=999), to=State.COUNTDOWN,
        events=(EventKind.REFUSED,)),
    Row(id="C2", when="forced, restarted by a player", status=FORCED, seen=LOOKED,
        command=told(CommandKind.RESTART, PLAYER), to=State.COUNTDOWN,
        events=(EventKind.REFUSED,)),
    Row(id="C2", when="forced, by an admin", status=FORCED, seen=UP,
        command=told(CommandKind.CANCEL, ADMIN), to=State.RUNNING,
        events=(EventKind.COUNTDOWN_CANCELLED,)),
    Row(id="C2", when="stop now, clear", status=COUNTDOWN, seen=LOOKED, command=STOP,
        to=State.STOPPING, effects=(Effect.SHUT_DOWN,), events=(EventKind.SHUTDOWN_SENT,)),
    Row(id="C2", when="stop now, held", status=COUNTDOWN, seen=LOOKED_HELD, command=STOP,
        to=State.COUNTDOWN, events=(EventKind.REFUSED,), fields={"deadline": ahead(30)}),
    Row(id="C2", when="restart", status=COUNTDOWN, seen=LOOKED, command=RESTART,
        to=State.STOPPING, effects=(Effect.REBOOT,), events=(EventKind.RESTARTING,)),
    Row(id="C4", when="before the deadline", status=COUNTDOWN, seen=LOOKED, to=State.COUNTDOWN),
    Row(id="C4", when="deadline", status=replace(COUNTDOWN, deadline=NOW), seen=UP,
        to=State.COUNTDOWN, effects=(Effect.LOOK,),
        fields={"look_asked_at": NOW, "deadline": None, "retry_at": ahead(60)}),
    Row(id="C4", when="an old look does not count", status=replace(LOOKING, look_asked_at=NOW),
        seen=LOOKED_BEFORE, to=State.COUNTDOWN),
    Row(id="C4", when="a look that never came", status=replace(LOOKING, retry_at=NOW), seen=UP,
        to=State.COUNTDOWN, effects=(Effect.LOOK,), fields={"look_asked_at": NOW}),
    Row(id="C5", when="held", status=LOOKING, seen=LOOKED_HELD, to=State.COUNTDOWN,
        events=(EventKind.SHUTDOWN_HELD,),
        fields={"held": (PLAYERS,), "deadline": None, "retry_at": ahead(60)}),
    Row(id="C5", when="held by the same", status=replace(LOOKING, held=(PLAYERS,)),
        seen=LOOKED_HELD, to=State.COUNTDOWN, fields={"retry_at": ahead(60)}),
    Row(id="C5", when="held by another", status=replace(LOOKING, held=(PLAYERS,)),
        seen=replace(LOOKED, hold_ups=(PLAYERS, TASK)), to=State.COUNTDOWN,
        events=(EventKind.SHUTDOWN_HELD,)),
    Row(id="C5", when="looked at every minute", status=replace(HELD, retry_at=NOW), seen=UP,
        to=State.COUNTDOWN, effects=(Effect.LOOK,), fields={"held": (PLAYERS,)}),
    Row(id="C6", when="clear again", status=replace(LOOKING, held=(PLAYERS,)), seen=LOOKED,
        to=State.COUNTDOWN, events=(EventKind.COUNTDOWN_STARTED,),
        fields={"held": (), "deadline": ahead(60), "retry_at": None, "look_asked_at": None}),
    Row(id="C7", when="clear", status=LOOKING, seen=LOOKED, to=State.STOPPING,
        effects=(Effect.SHUT_DOWN,), events=(EventKind.SHUTDOWN_SENT,),
        fields={"deadline": ahead(480)}),
    Row(id="C7", when="forced", status=replace(LOOKING, cause=Cause.FORCED), seen=LOOKED_HELD,
        to=State.STOPPING, effects=(Effect.SHUT_DOWN,), events=(EventKind.SHUTDOWN_SENT,)),
    Row(id="S1", when="a later phase", status=replace(STOPPING, phase=Phase.SAVING),
        seen=replace(UP, phase=Phase.GUESTS), to=State.STOPPING, fields={"phase": Phase.GUESTS}),
    Row(id="S1", when="never back a phase", status=STOPPING, seen=replace(UP, phase=Phase.GUESTS),
        to=State.STOPPING),
    Row(id="S2", when="wake before phase power", status=replace(STOPPING, phase=Phase.GUESTS),
        seen=UP, command=WAKE, to=State.RUNNING, events=(EventKind.ABORTED,)),
    Row(id="S2", when="wake in phase power", status=STOPPING, seen=UP,
        command=told(CommandKind.WAKE, PLAYER), to=State.STOPPING,
        fields={"then": Then.WAKE, "by": "Alex"}),
    Row(id="S2", when="restart", status=STOPPING, seen=UP, command=RESTART, to=State.STOPPING,
        fields={"then": Then.WAKE}),
    Row(id="S2", when="stop takes the wake back", status=replace(STOPPING, then=Then.WAKE),
        seen=UP, command=STOP, to=State.STOPPING, fields={"then": Then.NOTHING}),
    Row(id="S2", when="too late to cancel", status=STOPPING, seen=UP, command=CANCEL,
        to=State.STOPPING, events=(EventKind.REFUSED,)),
    Row(id="S3", when="seen down", status=replace(STOPPING, attempts=2), seen=DOWN, to=State.OFF,
        events=(EventKind.ASLEEP,), fields={"attempts": 0}),
    Row(id="S3", when="ping alone is not down", status=STOPPING, seen=STARTING, to=State.STOPPING),
    Row(id="S3", when="wake wanted", status=replace(STOPPING, then=Then.WAKE), seen=DOWN,
        to=State.WAKING, events=(EventKind.ASLEEP,),
        fields={"cause": Cause.WAKE, "resend_at": ahead(10), "deadline": ahead(600)}),
    Row(id="S3", when="a guest wanted again on a host that stops", settings=GAME,
        status=replace(STOPPING, then=Then.WAKE), seen=replace(DOWN, ready=False),
        to=State.WAKING, events=(EventKind.ASLEEP,), fields={"deadline": None, "resend_at": None}),
    Row(id="S4", when="refused", status=STOPPING, seen=failure(Effect.SHUT_DOWN, "auth_error"),
        to=State.FAILED, events=(EventKind.SHUTDOWN_FAILED,),
        fields={"cause": Cause.STOP, "phase": Phase.POWER, "attempts": 1, "retry_at": ahead(60),
                "alerts": (Alert(code="auth_error", at=NOW),)}),
    Row(id="S4", when="deadline", status=replace(STOPPING, deadline=NOW), seen=UP,
        to=State.FAILED, events=(EventKind.SHUTDOWN_FAILED,)),
    Row(id="S4", when="wanted by now", status=replace(STOPPING, deadline=NOW, then=Then.WAKE),
        seen=UP, to=State.RUNNING, events=(EventKind.SHUTDOWN_FAILED,)),
    Row(id="F1", when="up late", status=WAKE_FAILED, seen=UP, to=State.RUNNING,
        events=(EventKind.WOKEN_LATE,), fields={"attempts": 0}),
    Row(id="F2", when="wake", status=WAKE_FAILED, seen=DOWN, command=WAKE, to=State.WAKING,
        effects=(Effect.WAKE,), events=(EventKind.WAKE_SENT,), fields={"attempts": 1}),
    Row(id="F3", when="stop", status=WAKE_FAILED, seen=DOWN, command=STOP, to=State.OFF),
    Row(id="F3", when="let go", status=replace(WAKE_FAILED, retry_at=NOW), seen=DOWN,
        to=State.OFF),
    Row(id="F3", when="ping alone is let go too", status=replace(WAKE_FAILED, retry_at=NOW),
        seen=STARTING, to=State.OFF),
    Row(id="F3", when="not yet", status=WAKE_FAILED, seen=DOWN, to=State.FAILED),
    Row(id="F3", when="not on unknown", status=replace(WAKE_FAILED, retry_at=NOW),
        to=State.FAILED),
    Row(id="F3", when="a guest that runs is never off", status=replace(WAKE_FAILED, retry_at=NOW),
        seen=RUNS_IN_VAIN, settings=GAME, to=State.FAILED),
    Row(id="F3", when="an unexplained silence is off", status=replace(WAKE_FAILED, retry_at=NOW),
        seen=STARTING, settings=GAME, to=State.OFF),
    Row(id="F3", when="a guest that runs is stopped", status=WAKE_FAILED, settings=GAME,
        seen=replace(RUNS_IN_VAIN, looked_at=NOW), command=STOP, to=State.STOPPING,
        effects=(Effect.SHUT_DOWN,), events=(EventKind.SHUTDOWN_SENT,)),
    Row(id="F3", when="restart is refused", status=WAKE_FAILED, seen=DOWN, command=RESTART,
        to=State.FAILED, events=(EventKind.REFUSED,)),
    Row(id="F3", when="nothing to cancel", status=WAKE_FAILED, seen=DOWN, command=CANCEL,
        to=State.FAILED, events=(EventKind.REFUSED,)),
    Row(id="F4", when="down after all", status=STOP_FAILED, seen=DOWN, to=State.OFF,
        events=(EventKind.ASLEEP,), fields={"attempts": 0}),
    Row(id="F4", when="cancel", status=STOP_FAILED, seen=UP, command=CANCEL, to=State.RUNNING),
    Row(id="F4", when="wake of what may be going down", status=STOP_FAILED, seen=STARTING,
        command=WAKE, to=State.STOPPING, fields={"then": Then.WAKE, "deadline": ahead(480)}),
    Row(id="F4", when="stop", status=STOP_FAILED, seen=LOOKED, command=STOP, to=State.STOPPING,
        effects=(Effect.SHUT_DOWN,), events=(EventKind.SHUTDOWN_SENT,), fields={"attempts": 1}),
    Row(id="F4", when="restart", status=STOP_FAILED, seen=LOOKED, command=RESTART,
        to=State.STOPPING, effects=(Effect.REBOOT,), events=(EventKind.RESTARTING,)),
    Row(id="F4", when="let go", status=replace(STOP_FAILED, retry_at=NOW), seen=UP,
        to=State.RUNNING, fields={"attempts": 1}),
    Row(id="F4", when="not yet", status=STOP_FAILED, seen=UP, to=State.FAILED),
    Row(id="F4", when="not on unknown", status=replace(STOP_FAILED, retry_at=NOW),
        to=State.FAILED),
)  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=[f"{row.id}: {row.when}" for row in TABLE])
def test_the_rules(row: Row) -> None:
    transition = step(row.status, row.seen, Demand(command=row.command), row.settings, NOW)
    assert transition.status.state is row.to
    assert transition.effects == row.effects
    assert tuple(event.kind for event in transition.events) == row.events
    assert {key: getattr(transition.status, key) for key in row.fields} == row.fields
    if row.to is not row.status.state:
        assert transition.status.since == NOW


@pytest.mark.parametrize("row", TABLE, ids=[f"{row.id}: {row.when}" for row in TABLE])
def test_equal_inputs_give_equal_outputs_and_edges_do_not_repeat(row: Row) -> None:
    demand = Demand(command=row.command)
    first = step(row.status, row.seen, demand, row.settings, NOW)
    assert step(row.status, row.seen, demand, row.settings, NOW) == first
    again = step(
        first.status, replace(row.seen, looked_at=None, failure=None), Demand(), row.settings, NOW
    )
    assert again.effects == ()


def rules() -> dict[str, str]:
    """Read the ids of the rules, and whether they act here."""
    rows = re.findall(
        r"^\| ([A-Z]\d) \|.*\| (\w+) \|$", RULES.read_text(encoding="utf-8"), re.MULTILINE
    )
    return dict(rows)


def test_every_rule_that_acts_here_is_in_the_table_and_no_other() -> None:
    acting = {rule for rule, here in rules().items() if here in {"yes", "partly"}}
    assert {row.id for row in TABLE} == acting
    assert {rule for rule, here in rules().items() if here == "later"} == {"R1", "C1", "C3"}


def named(text: str) -> set[str]:
    """Give the ids that a text names, ranges included."""
    ranges = re.findall(r"([A-Z])(\d) to \1(\d)", text)
    inside = {f"{row}{number}" for row, a, b in ranges for number in range(int(a), int(b) + 1)}
    return inside | set(re.findall(r"\b[A-Z]\d\b", text))


def test_every_rule_that_acts_here_is_named_where_it_is_built() -> None:
    source = Path(step.__code__.co_filename).parent
    files = (source / name for name in ("lifecycle.py", "rising.py", "falling.py"))
    built = {rule for file in files for rule in named(file.read_text(encoding="utf-8"))}
    assert built == {rule for rule, here in rules().items() if here != "later"}


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


def test_what_is_loaded_keeps_two_minutes_and_forgets_its_look() -> None:
    assert loaded(replace(LOOKING, deadline=ago(5)), HOST, NOW).deadline == ahead(120)
    assert loaded(STOPPING, HOST, NOW).deadline == STOPPING.deadline
    assert loaded(LOOKING, HOST, NOW).look_asked_at is None
    assert begin(None, HOST, NOW).origin is Origin.NEW
    assert begin(stored(WAKING), HOST, NOW) == stored(WAKING)


def test_the_instants_at_which_something_happens() -> None:
    assert instants(stored(WAKING), HOST) == ()
    assert set(instants(WAKING, HOST)) == {ahead(570), ahead(5)}
    assert instants(replace(OFF, went_down_at=NOW), HOST) == (ahead(600),)
