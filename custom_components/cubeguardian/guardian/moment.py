"""What one step may look at, and the words in which the states answer."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from .observation import Presence
from .ports import RefusalReason
from .safety import HoldUp
from .status import (
    Command,
    CommandKind,
    Demand,
    Effect,
    Event,
    EventKind,
    Observation,
    Phase,
    Settings,
    Severity,
    State,
    Status,
    Thing,
    Transition,
)

DEADLINE_CODE: Final = "timeout_error"
_PHASES: Final = tuple(Phase)
_NOBODYS_DOING: Final = frozenset(
    {
        EventKind.ADDRESS_CONFLICT,
        EventKind.FOUND_RUNNING,
        EventKind.FOUND_STARTING,
        EventKind.LOST,
        EventKind.REBOOTED,
        EventKind.STOPPED_OUTSIDE,
        EventKind.WENT_DOWN,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One thing at one instant."""

    status: Status
    observation: Observation
    demand: Demand
    settings: Settings
    now: datetime

    @property
    def command(self) -> Command | None:
        """Give what is told to the thing in this step."""
        return self.demand.command

    @property
    def presence(self) -> Presence:
        """Give what is seen of the thing."""
        return self.observation.presence

    @property
    def is_game(self) -> bool:
        """Tell a game server from a host."""
        return self.settings.thing is Thing.GAME

    @property
    def by(self) -> str | None:
        """Name who gives the command, else who brought the thing into its state."""
        return self.command.by.name if self.command else self.status.by

    @property
    def seconds(self) -> str:
        """Give how long the state has lasted, as events say it."""
        return whole_seconds(self.status.since, self.now)

    @property
    def wakes(self) -> bool:
        """Tell whether a lease that is new with this step may wake."""
        return self.demand.edge and self.demand.automatic

    def for_demand(self) -> Moment:
        """Give the moment as brought about by whoever wants the thing, not by who told it last."""
        return replace(self, status=replace(self.status, by=self.demand.by))

    def unprompted(self) -> Moment:
        """Give the moment as brought about by nobody."""
        return replace(self, status=replace(self.status, by=None))

    def asked(self, kind: CommandKind) -> bool:
        """Tell whether this is what is asked for now."""
        return self.command is not None and self.command.kind is kind

    def passed(self, instant: datetime | None) -> bool:
        """Tell whether an instant is there and over."""
        return instant is not None and self.now >= instant

    def stay(self, *events: Event, effects: tuple[Effect, ...] = (), **changes: Any) -> Transition:
        """Keep the state."""
        status = replace(self.status, **changes) if changes else self.status
        return Transition(status=status, effects=effects, events=events)

    def enter(
        self, state: State, *events: Event, effects: tuple[Effect, ...] = (), **fields: Any
    ) -> Transition:
        """Enter a state anew; only what outlives a state is carried over."""
        carried: dict[str, Any] = {
            "attempts": self.status.attempts,
            "alerts": self.status.alerts,
            "sign_distrusted": self.status.sign_distrusted,
            "by": self.by,
        }
        status = Status(state=state, since=self.now, **(carried | fields))
        return Transition(status=status, effects=effects, events=events)

    def enter_running(self, *events: Event, **fields: Any) -> Transition:
        """Enter running; what had failed before is forgotten."""
        return self.enter(
            State.RUNNING, *events, **({"attempts": 0, "sign_distrusted": False} | fields)
        )

    def event(
        self,
        kind: EventKind,
        severity: Severity = Severity.INFO,
        hold_ups: tuple[HoldUp, ...] = (),
        **placeholders: str,
    ) -> Event:
        """Say that something happened, and by whom."""
        return Event(
            kind=kind,
            severity=severity,
            placeholders=placeholders,
            by=None if kind in _NOBODYS_DOING else self.by,
            hold_ups=hold_ups,
        )

    def refuse(
        self, command: Command, reason: RefusalReason, hold_ups: tuple[HoldUp, ...] = ()
    ) -> Transition:
        """Keep the state, and say why the command is not carried out."""
        return self.stay(refusal(command, reason, hold_ups))


def refusal(command: Command, reason: RefusalReason, hold_ups: tuple[HoldUp, ...] = ()) -> Event:
    """Describe a refused command."""
    return Event(
        kind=EventKind.REFUSED,
        severity=Severity.WARNING,
        placeholders={"command": command.kind.value, "reason": reason.value},
        by=command.by.name,
        hold_ups=hold_ups,
        reason=reason,
    )


def whole_seconds(start: datetime, end: datetime) -> str:
    """Give a duration as text."""
    return str(round((end - start).total_seconds()))


def further(before: Phase | None, seen: Phase | None) -> Phase | None:
    """Give the later of two phases."""
    if before is None or seen is None:
        return seen or before
    return max(before, seen, key=_PHASES.index)
