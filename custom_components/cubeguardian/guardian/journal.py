"""The journal: what was done, by whom, with what result.

Rotation as in the seed's section on logs: on reaching 200 entries the newest 100 stay, and the
rotation itself is recorded.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from .status import Event, EventKind

MAX_ENTRIES = 200
KEPT_ENTRIES = 100
ROTATION = "rotation"
_FAILURES: Final = frozenset({EventKind.WAKE_FAILED, EventKind.SHUTDOWN_FAILED, EventKind.REFUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One line of the journal. `target` is `host` or the id of a game server.

    `kind` is an EventKind, `mode_changed` or `rotation`. `error` is an error code or the reason
    of a refusal. `details` are the event's placeholders, and `held` (`key:subject, ...`).
    """

    at: datetime
    kind: str
    target: str
    by: str | None = None
    success: bool = True
    error: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain JSON."""
        return {
            "at": self.at.isoformat(),
            "kind": self.kind,
            "target": self.target,
            "by": self.by,
            "success": self.success,
            "error": self.error,
            "details": dict(self.details),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> JournalEntry:
        """Read it back."""
        return cls(
            at=datetime.fromisoformat(stored["at"]),
            kind=stored["kind"],
            target=stored["target"],
            by=stored.get("by"),
            success=stored.get("success", True),
            error=stored.get("error"),
            details=dict(stored.get("details", {})),
        )


class Journal:
    """The bounded record, oldest entry first."""

    def __init__(self, entries: Iterable[JournalEntry] = ()) -> None:
        """Start from what was kept."""
        self._entries = tuple(entries)

    @property
    def entries(self) -> tuple[JournalEntry, ...]:
        """Give all entries, oldest first."""
        return self._entries

    def add(self, entry: JournalEntry, *, most: int | None = None) -> None:
        """Append an entry and rotate when the journal is full.

        `most`: how many of its kind there may be; the oldest one makes room.
        """
        same = [one for one in self._entries if one.kind == entry.kind]
        if most is not None and len(same) >= most:
            self._entries = tuple(one for one in self._entries if one is not same[0])
        self._entries = (*self._entries, entry)
        if (count := len(self._entries)) >= MAX_ENTRIES:
            rotation = JournalEntry(
                at=entry.at,
                kind=ROTATION,
                target=entry.target,
                details={"before": str(count), "after": str(KEPT_ENTRIES)},
            )
            self._entries = (*self._entries[-KEPT_ENTRIES:], rotation)

    def to_list(self) -> list[dict[str, Any]]:
        """Give all entries as plain JSON."""
        return [entry.to_dict() for entry in self._entries]

    @classmethod
    def from_list(cls, stored: Iterable[Mapping[str, Any]]) -> Journal:
        """Read a journal back."""
        return cls(JournalEntry.from_dict(entry) for entry in stored)


def entry_of(event: Event, at: datetime) -> JournalEntry:
    """Write an event down."""
    details = {key: text for key, text in event.placeholders.items() if key != "code"}
    if event.hold_ups:
        details["held"] = ", ".join(f"{held.key.value}:{held.subject}" for held in event.hold_ups)
    return JournalEntry(
        at=at,
        kind=event.kind.value,
        target=event.target,
        by=event.by,
        success=event.kind not in _FAILURES,
        error=event.placeholders.get("code") or (event.reason.value if event.reason else None),
        details=details,
    )
