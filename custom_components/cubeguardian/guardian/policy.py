"""What the people of the house have decided beforehand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class GuestRole(StrEnum):
    """Say what a guest means for the sleep of its host."""

    GAME = "game"
    SLEEPS_WITH_HOST = "sleeps_with_host"
    KEEPS_AWAKE = "keeps_awake"
    PROTECTED = "protected"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTimes:
    """How long each kind of lease lasts; `found` None: what was found gets no lease."""

    asked: timedelta = timedelta(minutes=30)
    discord: timedelta = timedelta(minutes=15)
    knock: timedelta = timedelta(minutes=10)
    cancelled: timedelta = timedelta(minutes=60)
    voice: timedelta = timedelta(minutes=45)
    found: timedelta | None = timedelta(hours=4)
    unknown: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The options that decide, as they were when the guardian was made.

    `roles` are those that were chosen; the guest of a game server is `game` unless it was chosen
    otherwise, and any other guest without a role keeps its host awake. `stop_when_idle` holds ids
    of game servers. `wanting` names the entities that will report whether they want the host.
    """

    automatic: bool = False
    roles: Mapping[int, GuestRole] = field(default_factory=dict)
    stop_when_idle: frozenset[str] = frozenset()
    wanting: frozenset[str] = frozenset()
    unreadable_is_empty: bool = False
    times: LeaseTimes = field(default_factory=LeaseTimes)
