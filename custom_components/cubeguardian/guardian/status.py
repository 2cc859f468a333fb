"""The words of the lifecycle: states, commands, effects, events, and the status of one thing."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from .observation import Presence
from .ports import RefusalReason
from .safety import HOST, HoldUp


class State(StrEnum):
    """The six states of a thing."""

    OFF = "off"
    WAKING = "waking"
    RUNNING = "running"
    COUNTDOWN = "countdown"
    STOPPING = "stopping"
    FAILED = "failed"


class Cause(StrEnum):
    """Say what brought a thing into its state."""

    WAKE = "wake"
    STOP = "stop"
    IDLE = "idle"
    ASKED = "asked"
    FORCED = "forced"
    FOUND = "found"
    RESTART = "restart"


class Then(StrEnum):
    """Say what is wanted once the state is over."""

    NOTHING = "nothing"
    WAKE = "wake"
    STOP = "stop"
    UP = "up"


class Phase(StrEnum):
    """How far a wake or a stop has come, each in this order."""

    PACKET = "packet"
    PING = "ping"
    API = "api"
    GUEST = "guest"
    GAME = "game"
    SAVING = "saving"
    GUESTS = "guests"
    POWER = "power"


class Origin(StrEnum):
    """Say where a status comes from: nothing happens by itself before the first observation."""

    NEW = "new"
    STORED = "stored"
    LIVE = "live"


class Thing(StrEnum):
    """What the machine serves."""

    HOST = "host"
    GAME = "game"


class Role(StrEnum):
    """Say what somebody may do."""

    HOME_ASSISTANT = "home_assistant"
    ADMIN = "admin"
    PLAYER = "player"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who gives a command; `name` is shown and journalled."""

    name: str
    role: Role = Role.HOME_ASSISTANT


class CommandKind(StrEnum):
    """What can be asked for."""

    WAKE = "wake"
    STOP = "stop"
    RESTART = "restart"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command given at an instant; only observations that are not older count for it."""

    kind: CommandKind
    by: Caller
    at: datetime
    delay: timedelta = timedelta(0)
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is wanted of one thing, besides what it is told.

    `live`: somebody wants it, by a lease that was not declined; `by` names who wanted it last.
    `edge`: such a lease is new with this step, and nothing forbids that it wakes. `idle_since`:
    since when nobody has wanted it. `automatic`: leases may wake it. `may_rest`: being wanted by
    nobody may shut it down, after a countdown of `countdown`.
    """

    command: Command | None = None
    live: bool = False
    edge: bool = False
    by: str | None = None
    idle_since: datetime | None = None
    automatic: bool = False
    may_rest: bool = False
    countdown: timedelta = timedelta(minutes=10)


class Effect(StrEnum):
    """What the machine asks to be done."""

    WAKE = "wake"
    SHUT_DOWN = "shut_down"
    REBOOT = "reboot"
    LOOK = "look"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An effect that failed.

    `first` False: it was a repetition, or nobody waited for it. `called_off`: it was made
    pointless on purpose, as the start of a guest by the stop of its host.
    """

    effect: Effect
    code: str
    first: bool = True
    called_off: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one step may know.

    `ready` and `send` are always True for a host. For a game server `ready` says that its host is
    up, and `send` that starting its guest makes sense now. `looked_at` is set only where a whole
    look is handed in: the instant of its oldest part, with the hold-ups that it found.
    """

    presence: Presence = Presence.UNKNOWN
    phase: Phase | None = None
    ready: bool = True
    send: bool = True
    looked_at: datetime | None = None
    hold_ups: tuple[HoldUp, ...] = ()
    failure: Failure | None = None


class Severity(StrEnum):
    """How loudly an event speaks: an alert is for somebody who has to act."""

    INFO = "info"
    WARNING = "warning"
    ALERT = "alert"


class EventKind(StrEnum):
    """Everything that the guardian can say has happened."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. `target` and `at` are filled in by the Guardian.

    Placeholders: `seconds` (woken, woken_late, asleep, countdown_started), `phase` and `code`
    (wake_failed, shutdown_failed), `command` and `reason` (refused).
    """

    kind: EventKind
    severity: Severity = Severity.INFO
    placeholders: Mapping[str, str] = field(default_factory=dict)
    by: str | None = None
    hold_ups: tuple[HoldUp, ...] = ()
    reason: RefusalReason | None = None
    target: str = HOST
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The times of the rules; `for_game` gives those of a game server.

    A shutdown has `save_timeout`, `guest_timeout` and `call_timeout` together until the node is
    asked, and `stop_timeout` from then on. `wake_tries`: how often a wake that failed is tried
    again by itself.
    """

    thing: Thing = Thing.HOST
    wake_timeout: timedelta = timedelta(seconds=600)
    game_wake_timeout: timedelta = timedelta(seconds=900)
    resend_every: timedelta = timedelta(seconds=15)
    resend_for: timedelta = timedelta(seconds=120)
    resend_slow: timedelta = timedelta(seconds=60)
    quiet_for: timedelta = timedelta(minutes=2)
    up_for: timedelta = timedelta(minutes=5)
    wake_tries: int = 5
    save_timeout: timedelta = timedelta(seconds=60)
    guest_timeout: timedelta = timedelta(seconds=180)
    call_timeout: timedelta = timedelta(seconds=60)
    stop_timeout: timedelta = timedelta(seconds=480)
    starting_timeout: timedelta = timedelta(seconds=300)
    hold_retry: timedelta = timedelta(seconds=60)
    last_minute: timedelta = timedelta(seconds=60)
    stored_grace: timedelta = timedelta(seconds=120)
    forgotten_after: timedelta = timedelta(hours=12)
    wake_pause: timedelta = timedelta(seconds=10)
    rebooted_within: timedelta = timedelta(minutes=10)
    autostart_delay: timedelta = timedelta(seconds=20)
    settle_time: timedelta = timedelta(minutes=3)
    stale_after: timedelta = timedelta(seconds=90)
    retry_first: timedelta = timedelta(minutes=1)
    retry_most: timedelta = timedelta(minutes=30)
    alert_every: timedelta = timedelta(days=1)

    def retry_pause(self, attempts: int) -> timedelta:
        """Give the pause after a failure: it doubles with every failure in a row before it."""
        return min(self.retry_first * (1 << min(attempts, 10)), self.retry_most)

    def for_game(self) -> Settings:
        """Give the settings of a game server: the host's, with a guest's own patience."""
        return replace(
            self,
            thing=Thing.GAME,
            wake_timeout=self.game_wake_timeout,
            starting_timeout=self.game_wake_timeout,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A cause somebody was alerted about, and when."""

    code: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Where one thing stands. All instants are aware and in UTC.

    `deadline` ends the state, `retry_at` is the next try (a look while counting down, the end of
    `failed`), `resend_at` the next Wake. `forced`: the stop that is under way, or wanted next, was
    forced. `look_asked_at` is set while a look is awaited: only what
    was seen since then counts. `attempts` counts wakes or stops that failed in a row.
    `sign_distrusted`: a sign of life that led nowhere; not taken for a start until it is gone.
    """

    state: State
    since: datetime
    origin: Origin = Origin.LIVE
    cause: Cause | None = None
    phase: Phase | None = None
    deadline: datetime | None = None
    retry_at: datetime | None = None
    resend_at: datetime | None = None
    attempts: int = 0
    then: Then = Then.NOTHING
    stop_at: datetime | None = None
    forced: bool = False
    by: str | None = None
    held: tuple[HoldUp, ...] = ()
    look_asked_at: datetime | None = None
    went_down_at: datetime | None = None
    sign_distrusted: bool = False
    alerts: tuple[Alert, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain JSON. A look under way is not kept: it is asked for anew."""
        return {
            "state": self.state.value,
            "new": self.origin is Origin.NEW,
            **{key: _written(getattr(self, key)) for key in _INSTANTS},
            **{key: getattr(self, key) for key in _PLAIN},
            "cause": self.cause and self.cause.value,
            "phase": self.phase and self.phase.value,
            "then": self.then.value,
            "held": [hold_up.to_dict() for hold_up in self.held],
            "alerts": [{"code": alert.code, "at": alert.at.isoformat()} for alert in self.alerts],
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Status:
        """Read it back; it counts as stored until the first fresh observation."""
        return cls(
            state=State(stored["state"]),
            since=datetime.fromisoformat(stored["since"]),
            origin=Origin.NEW if stored.get("new") else Origin.STORED,
            cause=Cause(stored["cause"]) if stored.get("cause") else None,
            phase=Phase(stored["phase"]) if stored.get("phase") else None,
            deadline=_read(stored.get("deadline")),
            retry_at=_read(stored.get("retry_at")),
            resend_at=_read(stored.get("resend_at")),
            attempts=stored.get("attempts", 0),
            then=Then(stored.get("then", Then.NOTHING)),
            stop_at=_read(stored.get("stop_at")),
            forced=stored.get("forced", False),
            by=stored.get("by"),
            held=tuple(HoldUp.from_dict(item) for item in stored.get("held", ())),
            went_down_at=_read(stored.get("went_down_at")),
            sign_distrusted=stored.get("sign_distrusted", False),
            alerts=tuple(
                Alert(code=item["code"], at=datetime.fromisoformat(item["at"]))
                for item in stored.get("alerts", ())
            ),
        )


_INSTANTS = ("since", "deadline", "retry_at", "resend_at", "stop_at", "went_down_at")
_PLAIN = ("attempts", "forced", "by", "sign_distrusted")


def _written(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None


def _read(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """What a step came to."""

    status: Status
    effects: tuple[Effect, ...] = ()
    events: tuple[Event, ...] = ()
