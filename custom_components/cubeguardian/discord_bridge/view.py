"""What Discord is shown: plain facts that the root fills in. All instants are aware.

The values of the enumerations are those that the guardian uses; texts are found by them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a thing stands; `degraded` is a game server that runs and has fallen silent."""

    OFF = "off"
    WAKING = "waking"
    RUNNING = "running"
    DEGRADED = "degraded"
    COUNTDOWN = "countdown"
    STOPPING = "stopping"
    FAILED = "failed"


class Mode(StrEnum):
    """Who decides about the host."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"
    MAINTENANCE = "maintenance"


class Happening(StrEnum):
    """Everything that can be told; what the guardian says, and what players do."""

    WAKE_SENT = "wake_sent"
    WOKEN = "woken"
    WOKEN_LATE = "woken_late"
    WAKE_FAILED = "wake_failed"
    FOUND_STARTING = "found_starting"
    FOUND_RUNNING = "found_running"
    ADDRESS_CONFLICT = "address_conflict"
    COUNTDOWN_STARTED = "countdown_started"
    COUNTDOWN_CANCELLED = "countdown_cancelled"
    SHUTDOWN_HELD = "shutdown_held"
    SHUTDOWN_SENT = "shutdown_sent"
    SHUTDOWN_FAILED = "shutdown_failed"
    ASLEEP = "asleep"
    ABORTED = "aborted"
    RESTARTING = "restarting"
    WENT_DOWN = "went_down"
    REBOOTED = "rebooted"
    LOST = "lost"
    STOPPED_OUTSIDE = "stopped_outside"
    SAVE_FAILED = "save_failed"
    GUEST_IGNORES = "guest_ignores"
    SERVER_CRASHED = "server_crashed"
    SERVER_UNREADABLE = "server_unreadable"
    DEMAND_UNKNOWN = "demand_unknown"
    REFUSED = "refused"
    MODE_CHANGED = "mode_changed"
    JOINED = "joined"
    LEFT = "left"


class Group(StrEnum):
    """Which happenings somebody wants to be told of."""

    START = "start"
    READY = "ready"
    COUNTDOWN = "countdown"
    SHUTDOWN = "shutdown"
    PLAYERS = "players"
    PROBLEMS = "problems"


_GROUPS: Final[Mapping[Group, tuple[Happening, ...]]] = {
    Group.START: (Happening.WAKE_SENT, Happening.FOUND_STARTING, Happening.MODE_CHANGED),
    Group.READY: (
        Happening.WOKEN,
        Happening.WOKEN_LATE,
        Happening.FOUND_RUNNING,
        Happening.REBOOTED,
    ),
    Group.COUNTDOWN: (
        Happening.COUNTDOWN_STARTED,
        Happening.COUNTDOWN_CANCELLED,
        Happening.SHUTDOWN_HELD,
    ),
    Group.SHUTDOWN: (
        Happening.SHUTDOWN_SENT,
        Happening.ASLEEP,
        Happening.ABORTED,
        Happening.RESTARTING,
        Happening.STOPPED_OUTSIDE,
    ),
    Group.PLAYERS: (Happening.JOINED, Happening.LEFT),
    Group.PROBLEMS: (
        Happening.WAKE_FAILED,
        Happening.ADDRESS_CONFLICT,
        Happening.SHUTDOWN_FAILED,
        Happening.WENT_DOWN,
        Happening.LOST,
        Happening.SAVE_FAILED,
        Happening.GUEST_IGNORES,
        Happening.SERVER_CRASHED,
        Happening.SERVER_UNREADABLE,
        Happening.DEMAND_UNKNOWN,
        Happening.REFUSED,
    ),
}
GROUP_OF: Final[Mapping[Happening, Group]] = {
    kind: group for group, kinds in _GROUPS.items() for kind in kinds
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldUpView:
    """One reason not to shut down now.

    `key` and `details` are the guardian's; `subject` is the name of a game server, or "".
    """

    key: str
    subject: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedBy:
    """One reason to be up; `source` is the guardian's word for where it comes from.

    `doubtful`: nobody can tell at present whether it still holds.
    """

    source: str
    name: str = ""
    until: datetime | None = None
    doubtful: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingView:
    """The host or one game server.

    `address` is what players type. `ready_at`, `shutdown_at` and `retry_at` are None where there
    is nothing to await; `progress` is in percent.
    """

    name: str
    state: State
    is_game: bool = False
    phase: str = ""
    cause: str = ""
    by: str = ""
    since: datetime | None = None
    ready_at: datetime | None = None
    shutdown_at: datetime | None = None
    retry_at: datetime | None = None
    progress: int | None = None
    held: tuple[HoldUpView, ...] = ()
    address: str = ""
    version: str = ""
    motd: str = ""
    players_online: int | None = None
    players_max: int | None = None
    players: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardView:
    """A host with its game servers. `vetoes` are the texts of what forbids players to wake it."""

    host: ThingView
    games: tuple[ThingView, ...] = ()
    mode: Mode = Mode.AUTOMATIC
    mode_reason: str = ""
    wanted_by: tuple[WantedBy, ...] = ()
    vetoes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """Something that happened to `name`, the host or a game server.

    `code` is an error code, `reason` and `command` belong to a refusal, `who` is the source that
    a demand came from, `guest` the name or number of a guest, `names` the players. `told` is a
    text that somebody gave: the reason of a mode or of a veto.
    """

    kind: Happening
    name: str
    is_game: bool = False
    is_alert: bool = False
    at: datetime | None = None
    by: str = ""
    seconds: int | None = None
    ready_at: datetime | None = None
    shutdown_at: datetime | None = None
    retry_at: datetime | None = None
    phase: str = ""
    code: str = ""
    command: str = ""
    reason: str = ""
    told: str = ""
    who: str = ""
    guest: str = ""
    mode: Mode | None = None
    address: str = ""
    names: tuple[str, ...] = ()
    hold_ups: tuple[HoldUpView, ...] = ()

    @property
    def group(self) -> Group:
        """Give the group in which it is told."""
        return GROUP_OF[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonView:
    """What one person asked for in the time of a report."""

    name: str
    starts: int = 0
    stops: int = 0
    restarts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """The last days of a host; hours, and kWh saved in all. None where nothing is known."""

    name: str
    days: int
    since: datetime
    starts: int = 0
    stops: int = 0
    failures: int = 0
    refusals: int = 0
    people: tuple[PersonView, ...] = ()
    hours_up: float = 0.0
    hours_asleep: float = 0.0
    energy_saved: float | None = None
    seconds_to_play: float | None = None
