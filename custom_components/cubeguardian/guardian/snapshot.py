"""What the guardian shows to the outside, and what of it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from .demand import Lease, Source
from .journal import Journal, JournalEntry
from .observation import Presence
from .pace import Estimate, Learned
from .safety import HOST, HoldUp
from .status import Cause, Phase, State, Status, Then

STORED_VERSION = 3
DEFAULT_IDLE_MINUTES = 10


class Mode(StrEnum):
    """Who decides: the guardian itself, commands only, or commands of those who maintain."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"
    MAINTENANCE = "maintenance"


class Watch(StrEnum):
    """How closely to look: the root turns it into an interval (30 s, 15 s, 1 s)."""

    ASLEEP = "asleep"
    STEADY = "steady"
    EAGER = "eager"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingView:
    """One thing as it is shown.

    `deadline` ends the state; in a countdown it is the instant of the shutdown, and None while
    something holds it. `wanted` is what a switch shows. `degraded`: running, but silent.
    `hung`: silent, but it draws power as if it ran.
    """

    state: State
    presence: Presence
    since: datetime
    cause: Cause | None = None
    phase: Phase | None = None
    then: Then = Then.NOTHING
    deadline: datetime | None = None
    retry_at: datetime | None = None
    wanted: bool = False
    by: str | None = None
    held: tuple[HoldUp, ...] = ()
    degraded: bool = False
    hung: bool = False
    players_online: int | None = None
    players: tuple[str, ...] = ()
    estimate: Estimate | None = None

    @property
    def shutdown_at(self) -> datetime | None:
        """Give the announced instant of a shutdown; None outside a countdown and while held."""
        return self.deadline if self.state is State.COUNTDOWN else None

    def ready_at(self, now: datetime) -> datetime | None:
        """Give when it should be up; None where it is not waking."""
        if self.estimate is None or self.state is not State.WAKING:
            return None
        return self.estimate.ready_at(now)

    def progress(self, now: datetime) -> int | None:
        """Give how far a wake or a stop is, in percent below 100; None where neither is."""
        return None if self.estimate is None else int(self.estimate.progress(now))


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that the guardian shows, at one instant.

    `leases` are all that are held, declined ones included. `vetoes` are the texts of what forbids
    players to wake. `protected` are the guests that are Home Assistant itself.
    """

    host: ThingView
    games: Mapping[str, ThingView]
    mode: Mode
    mode_reason: str
    watch: Watch
    journal: tuple[JournalEntry, ...]
    idle_minutes: int = DEFAULT_IDLE_MINUTES
    leases: tuple[Lease, ...] = ()
    vetoes: Mapping[str, str] = field(default_factory=dict)
    protected: frozenset[int] = frozenset()

    def live(self, target: str) -> tuple[Lease, ...]:
        """Give the leases that keep a thing up; one on a game server keeps its host up as well."""
        return tuple(
            lease for lease in self.leases if not lease.declined and target in {HOST, lease.target}
        )

    @property
    def keep_awake(self) -> Lease | None:
        """Give the lease of keep-awake, where it is on."""
        return next((lease for lease in self.leases if lease.source is Source.KEEP_AWAKE), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredGuardian:
    """What outlives a restart; `missed` are the guests that were stopped for a shutdown."""

    host: Status
    games: Mapping[str, Status] = field(default_factory=dict)
    mode: Mode = Mode.MANUAL
    mode_reason: str = ""
    journal: tuple[JournalEntry, ...] = ()
    learned: Mapping[str, Learned] = field(default_factory=dict)
    leases: tuple[Lease, ...] = ()
    idle_minutes: int = DEFAULT_IDLE_MINUTES
    protected: frozenset[int] = frozenset()
    missed: frozenset[int] = frozenset()

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain JSON."""
        return {
            "version": STORED_VERSION,
            "host": self.host.to_dict(),
            "games": {game_id: status.to_dict() for game_id, status in self.games.items()},
            "mode": self.mode.value,
            "mode_reason": self.mode_reason,
            "journal": Journal(self.journal).to_list(),
            "learned": {target: learned.to_dict() for target, learned in self.learned.items()},
            "leases": [lease.to_dict() for lease in self.leases],
            "idle_minutes": self.idle_minutes,
            "protected": sorted(self.protected),
            "missed": sorted(self.missed),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> StoredGuardian:
        """Read it back; ValueError or KeyError where it makes no sense."""
        stored = _migrated(stored)
        return cls(
            host=Status.from_dict(stored["host"]),
            games={key: Status.from_dict(value) for key, value in stored["games"].items()},
            mode=Mode(stored["mode"]),
            mode_reason=stored["mode_reason"],
            journal=Journal.from_list(stored["journal"]).entries,
            learned={key: Learned.from_dict(value) for key, value in stored["learned"].items()},
            leases=tuple(Lease.from_dict(item) for item in stored["leases"]),
            idle_minutes=stored["idle_minutes"],
            protected=frozenset(stored["protected"]),
            missed=frozenset(stored["missed"]),
        )


def _migrated(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """Bring what an older version stored up to date.

    Version 1 had learned nothing; version 2 knew no demand.
    """
    version = stored["version"]
    if version not in range(1, STORED_VERSION + 1):
        message = f"stored by another version: {version}"
        raise ValueError(message)
    unknown_then = {
        "learned": {},
        "leases": [],
        "idle_minutes": DEFAULT_IDLE_MINUTES,
        "protected": [],
        "missed": [],
    }
    return {**unknown_then, **stored}


def is_wanted(status: Status) -> bool:
    """Say what a switch shows: whether the thing is up because it shall be, or shall come up."""
    match status.state:
        case State.RUNNING | State.COUNTDOWN:
            return True
        case State.WAKING:
            return status.then is not Then.STOP
        case State.STOPPING:
            return status.then in {Then.WAKE, Then.UP}
        case State.FAILED:
            return status.cause is Cause.STOP
        case _:
            return False
