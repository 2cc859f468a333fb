"""The words of the lifecycle's table: where a thing stands, what is seen, told and wanted."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from custom_components.cubeguardian.guardian.observation import Presence
from custom_components.cubeguardian.guardian.safety import HoldUp, HoldUpKey
from custom_components.cubeguardian.guardian.status import (
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
    State,
    Status,
    Then,
)

from .world import HOME, START

NOW = START
HOST = Settings()
GAME = HOST.for_game()
UP, DOWN = Observation(presence=Presence.UP), Observation(presence=Presence.DOWN)
STARTING = Observation(presence=Presence.STARTING, phase=Phase.PING)
RUNS_IN_VAIN = replace(STARTING, phase=Phase.GUEST)
UNKNOWN = Observation()
PLAYERS = HoldUp(key=HoldUpKey.PLAYERS, subject="survival")
PROTECTED = HoldUp(key=HoldUpKey.PROTECTED, placeholders={"vmid": "100"})
TASK = HoldUp(key=HoldUpKey.TASK)
LOOKED = replace(UP, looked_at=NOW)
LOOKED_HELD = replace(LOOKED, hold_ups=(PLAYERS,))
LOOKED_TASK = replace(LOOKED, hold_ups=(TASK,))
LOOKED_PROTECTED = replace(LOOKED, hold_ups=(PLAYERS, PROTECTED))
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
FORCE = told(CommandKind.STOP, force=True)

TOLD_ONLY = Demand()
NOBODY = Demand(automatic=True, may_rest=True, idle_since=ago(500))
WANTED = Demand(automatic=True, may_rest=True, live=True, by="Eve")
NEWLY = replace(WANTED, edge=True)
NEWLY_IN_MANUAL = replace(NEWLY, automatic=False, may_rest=False)

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
IDLE = replace(COUNTDOWN, cause=Cause.IDLE, by=None)
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
SAVING = replace(STOPPING, phase=Phase.SAVING, deadline=ahead(270))
GOING_IDLE = replace(SAVING, cause=Cause.IDLE, by=None)
RESTARTING = replace(STOPPING, cause=Cause.RESTART, then=Then.UP)
ABOUT_TO_RESTART = replace(SAVING, cause=Cause.RESTART, then=Then.UP)
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
    demand: Demand = TOLD_ONLY
    settings: Settings = HOST
    to: State
    effects: tuple[Effect, ...] = ()
    events: tuple[EventKind, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.id}: {self.when}"

    @property
    def wish(self) -> Demand:
        return replace(self.demand, command=self.command)
