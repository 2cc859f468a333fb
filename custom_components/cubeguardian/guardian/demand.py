"""Why something should be up: leases, their kinds, and what begins and ends them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import Any, Final

from .policy import LeaseTimes
from .status import Role


class Source(StrEnum):
    """Say where a lease comes from."""

    SWITCH = "switch"
    ACTION = "action"
    DISCORD = "discord"
    KNOCK = "knock"
    SCALER = "scaler"
    CANCELLED = "cancelled"
    PLAYERS = "players"
    RELAY = "relay"
    VOICE = "voice"
    KEEP_AWAKE = "keep_awake"
    ENTITY = "entity"
    FOUND = "found"


VETOED: Final = frozenset({Source.KNOCK, Source.VOICE, Source.SCALER, Source.DISCORD})


class Kind(StrEnum):
    """Say what a lease lasts by.

    `pulse`: by its time. `told`: until it is taken back. `watched`: while something is true that
    somebody keeps reporting, so that nobody knows of it after a start.
    """

    PULSE = "pulse"
    TOLD = "told"
    WATCHED = "watched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How the leases of one source behave.

    `span`: how long one lasts; None without a limit. `after_ready`: it counts from when the
    target is up. `goes_with_target`: it ends when its target goes down.
    """

    kind: Kind
    span: Callable[[LeaseTimes], timedelta | None] | None = None
    after_ready: bool = False
    goes_with_target: bool = False

    def lasts(self, times: LeaseTimes) -> timedelta | None:
        """Give how long a lease lasts; None without a limit."""
        return None if self.span is None else self.span(times)


def _pulse(name: str, *, after_ready: bool = True) -> Rule:
    return Rule(
        kind=Kind.PULSE, span=attrgetter(name), after_ready=after_ready, goes_with_target=True
    )


RULES: Final[Mapping[Source, Rule]] = {
    Source.SWITCH: _pulse("asked"),
    Source.ACTION: _pulse("asked"),
    Source.DISCORD: _pulse("discord"),
    Source.KNOCK: _pulse("knock"),
    Source.SCALER: _pulse("knock"),
    Source.CANCELLED: _pulse("cancelled", after_ready=False),
    Source.PLAYERS: Rule(kind=Kind.WATCHED, goes_with_target=True),
    Source.RELAY: Rule(kind=Kind.WATCHED),
    Source.VOICE: Rule(kind=Kind.WATCHED, span=attrgetter("voice"), after_ready=True),
    Source.KEEP_AWAKE: Rule(kind=Kind.TOLD),
    Source.ENTITY: Rule(kind=Kind.WATCHED),
    Source.FOUND: Rule(kind=Kind.TOLD, span=attrgetter("found"), goes_with_target=True),
}

type Key = tuple[Source, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One reason to be up. All instants are aware and in UTC.

    `target` is HOST or the id of a game server, `who` tells leases of one source apart, `name` is
    shown. `awaits_ready`: its time starts once the target is up. `declined`: somebody stopped the
    target all the same, so it does not count until it has ended once. `unknown`: nobody has
    confirmed it since the start, or can at present.
    """

    source: Source
    target: str
    who: str = ""
    name: str = ""
    since: datetime
    until: datetime | None = None
    awaits_ready: bool = False
    declined: bool = False
    unknown: bool = False

    @property
    def key(self) -> Key:
        """Give what it is known by: only a key that was not there before is an edge."""
        return (self.source, self.target, self.who)

    @property
    def rule(self) -> Rule:
        """Give how it behaves."""
        return RULES[self.source]

    @property
    def is_pulse(self) -> bool:
        """Say whether it came once and lasts by its time."""
        return self.rule.kind is Kind.PULSE

    @property
    def is_watched(self) -> bool:
        """Say whether it lasts while somebody keeps reporting it."""
        return self.rule.kind is Kind.WATCHED

    def is_over(self, now: datetime) -> bool:
        """Say whether its time is up."""
        return self.until is not None and self.until <= now

    def is_live(self, now: datetime) -> bool:
        """Say whether it counts."""
        return not self.declined and not self.is_over(now)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain JSON."""
        return {
            "source": self.source.value,
            "target": self.target,
            "who": self.who,
            "name": self.name,
            "since": self.since.isoformat(),
            "until": self.until and self.until.isoformat(),
            "awaits_ready": self.awaits_ready,
            "declined": self.declined,
            "unknown": self.unknown,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Lease:
        """Read it back; ValueError or KeyError where it makes no sense."""
        until = stored["until"]
        return cls(
            source=Source(stored["source"]),
            target=stored["target"],
            who=stored["who"],
            name=stored["name"],
            since=datetime.fromisoformat(stored["since"]),
            until=datetime.fromisoformat(until) if until else None,
            awaits_ready=stored["awaits_ready"],
            declined=stored["declined"],
            unknown=stored["unknown"],
        )


def is_vetoed(source: Source, role: Role) -> bool:
    """Say whether a veto forbids this wake: admins and Home Assistant itself pass."""
    return role is Role.PLAYER and source in VETOED


def asked(source: Source, target: str, name: str, times: LeaseTimes, now: datetime) -> Lease:
    """Give the pulse of somebody who wants something up."""
    lease = Lease(source=source, target=target, who=name, name=name, since=now)
    if lease.rule.after_ready:
        return replace(lease, awaits_ready=True)
    return counted(lease, times, now)


def counted(lease: Lease, times: LeaseTimes, now: datetime) -> Lease:
    """Let its time begin."""
    lasts = lease.rule.lasts(times)
    return replace(lease, awaits_ready=False, until=None if lasts is None else now + lasts)


def declined(lease: Lease) -> Lease | None:
    """Give what a stop command leaves of it: only what is still true is worth remembering."""
    if lease.is_pulse or lease.source is Source.KEEP_AWAKE:
        return None
    return replace(lease, declined=True, until=None if lease.is_watched else lease.until)


def revived(lease: Lease, times: LeaseTimes, now: datetime) -> Lease:
    """Let it count again, because its target is wanted again."""
    if not lease.declined:
        return lease
    until = now + times.unknown if lease.unknown else lease.until
    return replace(lease, declined=False, until=until)


def doubted(lease: Lease, times: LeaseTimes, now: datetime) -> Lease:
    """Give it an end from when on nobody can tell whether it is still true."""
    if lease.unknown and (lease.declined or lease.until is not None):
        return lease
    return replace(lease, unknown=True, until=None if lease.declined else now + times.unknown)


def confirmed(lease: Lease, name: str) -> Lease:
    """Note that it is true; what is still true stays declined."""
    if not lease.unknown:
        return replace(lease, name=name or lease.name)
    return replace(lease, name=name or lease.name, unknown=False, until=None)


def loaded(lease: Lease, times: LeaseTimes, now: datetime) -> Lease:
    """Take it over from the Store: whether what is watched is still true, nobody knows yet.

    One from the future was stored by a clock that was ahead.
    """
    if (ahead := lease.since - now) > timedelta(0):
        lease = replace(lease, since=now, until=lease.until and lease.until - ahead)
    return doubted(replace(lease, unknown=False), times, now) if lease.is_watched else lease


def lapsing(lease: Lease, quiet_since: datetime | None, times: LeaseTimes) -> Lease:
    """Let it end some time after nobody has come to play; `quiet_since` None: they do, or cannot.

    One that was declined, or that nobody can confirm, has an end of its own.
    """
    lasts = lease.rule.lasts(times)
    if not lease.is_watched or lasts is None or lease.declined or lease.unknown:
        return lease
    until = None if quiet_since is None else max(quiet_since, lease.since) + lasts
    return replace(lease, until=until)


def timed_out(lease: Lease) -> Lease | None:
    """Give what remains of it after its time: what is known to be true does not begin anew."""
    return declined(lease) if lease.is_watched and not lease.unknown else None


def ends_with_target(lease: Lease) -> bool:
    """Say whether it says nothing any more once its target is down.

    One that was declined and cannot be seen now may still be true, and has to stay declined.
    """
    return lease.rule.goes_with_target or (lease.unknown and not lease.declined)
