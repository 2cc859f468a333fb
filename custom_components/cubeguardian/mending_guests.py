"""Offer a mend for what keeps a host from sleeping well: its guests, their backups, itself."""

from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from .guardian import HOST, Event, EventKind, HoldUpKey, Snapshot, State
from .guest_roles import keeping_awake, without_role
from .repairs import (
    BACKUP_MISSED,
    GUESTS_WITHOUT_ROLE,
    HOST_HUNG,
    KEPT_AWAKE,
    async_clear,
    async_raise_backup_missed,
    async_raise_guests_without_role,
    async_raise_host_hung,
    async_raise_kept_awake,
)
from .runtime import CubeGuardianConfigEntry
from .server_manager import BackupJob, Guest, NodeReading

KEPT_AWAKE_FOR: Final = timedelta(hours=24)
# A server checks its memory and its disks for minutes, silently, before it starts.
HUNG_FOR: Final = timedelta(minutes=10)
WENT: Final = frozenset({EventKind.ASLEEP, EventKind.WENT_DOWN})
_GUEST_HELD: Final = f"{HoldUpKey.GUEST}:{HOST}"


class GuestMender:
    """Compare what the host tells with what would let it sleep; a repair is renewed on a change."""

    def __init__(self, hass: HomeAssistant, entry: CubeGuardianConfigEntry) -> None:
        """Start with nothing told."""
        self._hass = hass
        self._entry = entry
        self._told: dict[str, tuple[object, ...]] = {}
        self._hung_since: datetime | None = None

    @callback
    def async_consider(self) -> None:
        """React to a new look at the host."""
        runtime = self._entry.runtime_data
        snapshot, reading = runtime.guardian.snapshot, runtime.host.data.reading
        self._consider_hung(hung=snapshot.host.hung)
        if reading is None:
            return
        self._consider_roles(reading, snapshot)
        self._consider_kept_awake(reading, snapshot)
        if reading.backups is not None:
            jobs = tuple(job for job in reading.backups if job.enabled and not job.repeat_missed)
            self._settle(BACKUP_MISSED, jobs, async_raise_backup_missed)

    @callback
    def async_happened(self, event: Event) -> None:
        """Take back that the host is kept awake once it has slept."""
        if event.target == HOST and event.kind in WENT:
            self._settle(KEPT_AWAKE, (), async_raise_kept_awake)

    def _consider_hung(self, *, hung: bool) -> None:
        """Tell of a host that has drawn power in silence for longer than any start takes."""
        now = dt_util.utcnow()
        self._hung_since = (self._hung_since or now) if hung else None
        if self._hung_since is None or now - self._hung_since >= HUNG_FOR:
            told = (HOST,) if hung else ()
            self._settle(HOST_HUNG, told, lambda hass, entry, _: async_raise_host_hung(hass, entry))

    def _consider_roles(self, reading: NodeReading, snapshot: Snapshot) -> None:
        """Ask what running guests are for, if nobody has said it."""
        found = without_role(self._entry, reading.guests, snapshot.protected)
        self._settle(GUESTS_WITHOUT_ROLE, found, async_raise_guests_without_role)

    def _consider_kept_awake(self, reading: NodeReading, snapshot: Snapshot) -> None:
        """Name the guests that have held a shutdown up for a day."""
        keepers = keeping_awake(self._entry, reading.guests, snapshot.protected)
        since = _held_since(snapshot)
        if not keepers or (since and dt_util.utcnow() - since >= KEPT_AWAKE_FOR):
            self._settle(KEPT_AWAKE, keepers, async_raise_kept_awake)

    def _settle[FoundT: Hashable](
        self,
        kind: str,
        found: tuple[FoundT, ...],
        offer: Callable[[HomeAssistant, CubeGuardianConfigEntry, tuple[FoundT, ...]], None],
    ) -> None:
        """Raise a repair for what was found, or take it back where nothing is left of it."""
        told = tuple(_known_by(one) for one in found)
        if self._told.get(kind) == told:
            return
        self._told[kind] = told
        if found:
            offer(self._hass, self._entry, found)
        else:
            async_clear(self._hass, self._entry, kind)


def _known_by(found: object) -> object:
    """Return what stays the same of a guest or a job while it runs on."""
    match found:
        case Guest():
            return found.vmid
        case BackupJob():
            return found.id
    return found


def _held_since(snapshot: Snapshot) -> datetime | None:
    """Return since when guests hold up the shutdown that is due now; None where none do.

    People may come and go meanwhile: what counts is the first time since the host came up.
    """
    host = snapshot.host
    if host.state is not State.COUNTDOWN or not any(
        held.key is HoldUpKey.GUEST for held in host.held
    ):
        return None
    first = host.since
    for entry in reversed(snapshot.journal):
        if entry.target == HOST and entry.kind in WENT:
            break
        if entry.target == HOST and entry.kind == EventKind.SHUTDOWN_HELD:
            first = entry.at if _GUEST_HELD in entry.details.get("held", "") else first
    return min(first, host.since)
