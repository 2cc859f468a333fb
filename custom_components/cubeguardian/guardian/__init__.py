"""The part that decides: when to wake, when to shut down, and when not to.

Knows nothing of Home Assistant, Proxmox or the network: sightings and commands come in, effects
go out through ports, time is handed in.
"""

from .demand import Lease, Source
from .guardian import Guardian
from .journal import Journal, JournalEntry
from .observation import (
    MISSES_FOR_DOWN,
    ApiState,
    BackupDue,
    GameSighting,
    GuestSighting,
    HostSighting,
    Presence,
    RunningTask,
)
from .policy import GuestRole, LeaseTimes, Policy
from .ports import GamePort, GuardianPortError, HostPort, RefusalReason, Refused
from .safety import HOST, HoldUp, HoldUpKey
from .snapshot import Mode, Snapshot, StoredGuardian, ThingView, Watch
from .status import (
    Caller,
    Cause,
    Event,
    EventKind,
    Phase,
    Role,
    Settings,
    Severity,
    State,
    Status,
    Then,
)

__all__ = [
    "HOST",
    "MISSES_FOR_DOWN",
    "ApiState",
    "BackupDue",
    "Caller",
    "Cause",
    "Event",
    "EventKind",
    "GamePort",
    "GameSighting",
    "Guardian",
    "GuardianPortError",
    "GuestRole",
    "GuestSighting",
    "HoldUp",
    "HoldUpKey",
    "HostPort",
    "HostSighting",
    "Journal",
    "JournalEntry",
    "Lease",
    "LeaseTimes",
    "Mode",
    "Phase",
    "Policy",
    "Presence",
    "RefusalReason",
    "Refused",
    "Role",
    "RunningTask",
    "Settings",
    "Severity",
    "Snapshot",
    "Source",
    "State",
    "Status",
    "StoredGuardian",
    "Then",
    "ThingView",
    "Watch",
]
