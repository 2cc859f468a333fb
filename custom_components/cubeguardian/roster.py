"""Who came and who went, from complete lists of names only."""

from typing import Final

from .guardian import Presence, ThingView
from .observed import GameData

# What a server shows for a player who does not want to be listed.
ANONYMOUS: Final = "Anonymous Player"

NOBODY: Final[frozenset[str]] = frozenset()


class Roster:
    """Keep who was there last; the first list that is seen only takes bearings."""

    def __init__(self, data: GameData, view: ThingView) -> None:
        """Take bearings from what was already seen."""
        self._known = present(data, view)

    def changes(self, data: GameData, view: ThingView) -> tuple[frozenset[str], frozenset[str]]:
        """Return who left and who joined since the last complete list."""
        now = present(data, view)
        if now is None:
            return NOBODY, NOBODY
        before, self._known = self._known, now
        return (NOBODY, NOBODY) if before is None else (before - now, now - before)


def present(data: GameData, view: ThingView) -> frozenset[str] | None:
    """Return who is there; None where the names are not all known.

    A closed port or a server that is off has nobody on it, one that is merely silent may have.
    """
    if data.status is not None:
        names = frozenset(data.status.players) - {ANONYMOUS}
        return names if len(names) == data.status.players_online else None
    gone = view.presence is Presence.DOWN or (
        view.presence is Presence.STARTING and data.port_open is False
    )
    return NOBODY if gone else None
