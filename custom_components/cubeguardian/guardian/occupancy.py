"""Whether somebody plays on a game server, and what its silence says about that."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from .observation import GameSighting
from .policy import Policy
from .status import EventKind

SILENT_FOR: Final = timedelta(minutes=30)


class Occupancy(StrEnum):
    """Say whether a game server is in use.

    `unknown`: nobody can tell at present. `silent`: its port is closed though its guest runs.
    `crashed`: so for half an hour. `unreadable`: somebody may be playing and nobody can see it.
    """

    EMPTY = "empty"
    PLAYING = "playing"
    UNKNOWN = "unknown"
    SILENT = "silent"
    CRASHED = "crashed"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """What is remembered of a game server that may fall silent.

    `since`: the first sighting of its silence. `answered`: it has said who plays since its guest
    was last seen down. `last`: what it said. `told`: what was alerted about this silence.
    """

    since: datetime | None = None
    answered: bool = False
    last: Occupancy = Occupancy.UNKNOWN
    told: frozenset[EventKind] = frozenset()

    @property
    def due(self) -> datetime | None:
        """Give the instant at which `watch_over` has something new to say by itself."""
        return None if self.since is None else self.since + SILENT_FOR

    @property
    def is_given_up(self) -> bool:
        """Say whether nobody could read it for so long that somebody was alerted."""
        return EventKind.SERVER_UNREADABLE in self.told

    def shifted(self, by: timedelta) -> Silence:
        """Give it as it is after the wall clock was set."""
        return replace(self, since=self.since and self.since + by)


def watch_over(
    before: Silence,
    sighting: GameSighting | None,
    guest_running: bool | None,
    host_up: bool | None,
    now: datetime,
    policy: Policy,
    stale_after: timedelta = timedelta(seconds=90),
) -> tuple[Silence, Occupancy, EventKind | None]:
    """Judge who plays by the newest sighting, and give what to alert about.

    `guest_running` and `host_up` are None where nobody can tell. To be called at every sighting
    and at `due`; what was seen longer than `stale_after` ago says nothing.
    """
    if host_up is False or guest_running is False:
        return Silence(), Occupancy.EMPTY, None
    if host_up is None or sighting is None or now - sighting.seen_at >= stale_after:
        return before, Occupancy.UNKNOWN, None
    if sighting.answers is None:
        return before, Occupancy.UNKNOWN, None
    if sighting.answers and sighting.players_online is not None:
        last = Occupancy.PLAYING if sighting.players_online > 0 else Occupancy.EMPTY
        return Silence(answered=True, last=last), last, None
    after = replace(before, since=before.since or sighting.seen_at)
    if not sighting.answers and sighting.seen_at == after.since:
        # One lost probe changes nothing.
        return after, before.last, None
    return _alerted(after, *_silent(after, sighting, guest_running, now, policy))


def _silent(
    silence: Silence,
    sighting: GameSighting,
    guest_running: bool | None,
    now: datetime,
    policy: Policy,
) -> tuple[Occupancy, EventKind | None]:
    """Say what a silence means: nobody plays on a closed port, though they may come back to it.

    Without anybody to say that the guest runs, a server that is not there is taken for stopped.
    """
    long = silence.due is not None and now >= silence.due
    if sighting.port_open is False:
        if guest_running is None:
            return Occupancy.EMPTY, None
        return (Occupancy.CRASHED, EventKind.SERVER_CRASHED) if long else (Occupancy.SILENT, None)
    if not (sighting.port_open or guest_running or silence.answered):
        return Occupancy.EMPTY, None
    if not long:
        return Occupancy.UNREADABLE, None
    counts_as = Occupancy.EMPTY if policy.unreadable_is_empty else Occupancy.UNREADABLE
    return counts_as, EventKind.SERVER_UNREADABLE


def _alerted(
    silence: Silence, occupancy: Occupancy, alert: EventKind | None
) -> tuple[Silence, Occupancy, EventKind | None]:
    """Alert once about each way of being silent."""
    if alert is None or alert in silence.told:
        return silence, occupancy, None
    return replace(silence, told=silence.told | {alert}), occupancy, alert
