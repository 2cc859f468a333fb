"""What a host did in the last days, added up from its journal.

The journal is bounded, so a report says since when it knows, and counts hours only from then on.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final

from homeassistant.util import dt as dt_util

from .guardian import HOST, EventKind, JournalEntry, Presence, ThingView
from .runtime import CubeGuardianConfigEntry
from .savings import Savings

DEFAULT_DAYS: Final = 7


class Outcome(StrEnum):
    """What a report counts."""

    STARTS = "starts"
    STOPS = "stops"
    RESTARTS = "restarts"
    UNASKED = "unasked"
    FAILURES = "failures"
    REFUSALS = "refusals"
    CANCELLED_COUNTDOWNS = "cancelled_countdowns"


OUTCOMES: Final[Mapping[str, Outcome]] = {
    EventKind.WOKEN: Outcome.STARTS,
    EventKind.WOKEN_LATE: Outcome.STARTS,
    EventKind.ASLEEP: Outcome.STOPS,
    EventKind.RESTARTING: Outcome.RESTARTS,
    EventKind.FOUND_RUNNING: Outcome.UNASKED,
    EventKind.WENT_DOWN: Outcome.UNASKED,
    EventKind.REBOOTED: Outcome.UNASKED,
    EventKind.STOPPED_OUTSIDE: Outcome.UNASKED,
    EventKind.WAKE_FAILED: Outcome.FAILURES,
    EventKind.SHUTDOWN_FAILED: Outcome.FAILURES,
    EventKind.SAVE_FAILED: Outcome.FAILURES,
    EventKind.SERVER_CRASHED: Outcome.FAILURES,
    EventKind.REFUSED: Outcome.REFUSALS,
    EventKind.COUNTDOWN_CANCELLED: Outcome.CANCELLED_COUNTDOWNS,
}
CAME_UP: Final = frozenset(
    {EventKind.WOKEN, EventKind.WOKEN_LATE, EventKind.FOUND_RUNNING, EventKind.REBOOTED}
)
WENT_OFF: Final = frozenset({EventKind.ASLEEP, EventKind.WENT_DOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """How long a host was up and asleep, in hours."""

    up: float = 0.0
    asleep: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The last days of a host and its game servers; `games` holds the counts by their names.

    `since` is the instant from which on it is complete: the beginning of the days, or of the
    journal where that does not reach so far back. The energy, in kWh, was saved in all.
    """

    days: int
    since: datetime
    complete: bool
    host: Counter[str]
    games: Mapping[str, Counter[str]]
    people: Mapping[str, Counter[str]]
    hours: Hours
    seconds_to_play: float | None
    savings: Savings

    def to_dict(self) -> dict[str, Any]:
        """Give it as an action can answer with it."""
        return {
            "days": self.days,
            "since": self.since.isoformat(),
            "complete": self.complete,
            **_every(self.host),
            "hours_up": round(self.hours.up, 2),
            "hours_asleep": round(self.hours.asleep, 2),
            "game_servers": {name: _every(counts) for name, counts in self.games.items()},
            "by": {name: dict(counts) for name, counts in sorted(self.people.items())},
            "seconds_to_play": self.seconds_to_play,
            "hours_asleep_in_all": round(self.savings.asleep / 3600, 2),
            "energy_saved_in_all": round(self.savings.saved, 3),
        }

    def summary(self, name: str) -> str:
        """Say it in one sentence."""
        counts = self.host
        told = (Outcome.STARTS, Outcome.STOPS, Outcome.FAILURES, Outcome.REFUSALS)
        begins = f"{dt_util.as_local(self.since):%Y-%m-%d %H:%M}"
        reach = "" if self.complete else f" (known since {begins})"
        return (
            f"{name} in the last {self.days} days{reach}: "
            f"{', '.join(f'{outcome.value} {counts[outcome]}' for outcome in told)}, "
            f"up for {self.hours.up:.1f} h, asleep for {self.hours.asleep:.1f} h"
        )


def _every(counts: Counter[str]) -> dict[str, int]:
    """Give every count, those of what never happened as well."""
    return {outcome.value: counts[outcome] for outcome in Outcome}


def report_of(entry: CubeGuardianConfigEntry, days: int) -> Report:
    """Add up the last `days` of a loaded host."""
    runtime = entry.runtime_data
    snapshot = runtime.guardian.snapshot
    return make_report(
        snapshot.journal,
        now=dt_util.utcnow(),
        days=days,
        host=snapshot.host,
        games={key: entry.subentries[key].title for key in runtime.games},
        savings=runtime.savings.shown,
    )


def make_report(
    journal: Iterable[JournalEntry],
    *,
    now: datetime,
    days: int,
    host: ThingView,
    games: Mapping[str, str],
    savings: Savings,
) -> Report:
    """Add up what the journal knows of the last `days`; `games` holds the names by their ids."""
    entries = sorted(journal, key=lambda entry: entry.at)
    began = now - timedelta(days=days)
    complete = bool(entries) and entries[0].at <= began
    since = began if complete else min((entry.at for entry in entries), default=now)
    recent = [entry for entry in entries if since <= entry.at <= now]
    return Report(
        days=days,
        since=since,
        complete=complete,
        host=_count(entry for entry in recent if entry.target == HOST),
        games={
            name: _count(entry for entry in recent if entry.target == game_id)
            for game_id, name in games.items()
        },
        people=_count_by_person(recent),
        hours=_hours(entries, since, now, host),
        seconds_to_play=_seconds_to_play(recent),
        savings=savings,
    )


def _count(entries: Iterable[JournalEntry]) -> Counter[str]:
    """Count what these entries came to."""
    return Counter(OUTCOMES[entry.kind] for entry in entries if entry.kind in OUTCOMES)


def _count_by_person(entries: Iterable[JournalEntry]) -> dict[str, Counter[str]]:
    """Count for whom things were done, the game servers' included."""
    people: dict[str, Counter[str]] = {}
    for entry in entries:
        if entry.by and entry.kind in OUTCOMES:
            people.setdefault(entry.by, Counter())[OUTCOMES[entry.kind].value] += 1
    return people


def _hours(
    entries: Iterable[JournalEntry], since: datetime, now: datetime, host: ThingView
) -> Hours:
    """Add up how long the host was up and asleep since an instant."""
    seconds = {True: 0.0, False: 0.0}
    turns = list(_turns(entries, host))
    for (start, up), (end, _) in pairwise([*turns, (now, False)]):
        if up is not None:
            seconds[up] += max(0.0, (min(end, now) - max(start, since)).total_seconds())
    return Hours(up=seconds[True] / 3600, asleep=seconds[False] / 3600)


def _turns(
    entries: Iterable[JournalEntry], host: ThingView
) -> Iterator[tuple[datetime, bool | None]]:
    """Yield from when on the host was up or not, oldest first; None where nobody can tell.

    Before its first turn it was what that turn ended. Without any it always was what it is.
    """
    kept = [entry for entry in entries if entry.target == HOST]
    turns = [
        (entry.at, entry.kind in CAME_UP) for entry in kept if entry.kind in CAME_UP | WENT_OFF
    ]
    if turns:
        yield kept[0].at, not turns[0][1]
        yield from turns
    elif kept:
        unknown = host.presence is Presence.UNKNOWN
        yield kept[0].at, None if unknown else host.presence is not Presence.DOWN


def _seconds_to_play(entries: Iterable[JournalEntry]) -> float | None:
    """Return how long a wake took on average: of a game server where one was, else of the host."""
    woken = [e for e in entries if e.kind == EventKind.WOKEN and "seconds" in e.details]
    of_games = [entry for entry in woken if entry.target != HOST]
    taken = [float(entry.details["seconds"]) for entry in of_games or woken]
    return round(sum(taken) / len(taken), 1) if taken else None
