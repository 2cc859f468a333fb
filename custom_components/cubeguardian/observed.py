"""What was seen of the host and its game servers, and how often to look."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from .guardian import ApiState, Watch
from .server_manager import MinecraftStatus, NodeReading, Reachability, ServerManagerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often, and how patiently, the machines are asked."""

    every: timedelta
    probe_timeout: float
    read_every: timedelta
    read_timeout: float


PACES: Final[dict[Watch, Pace]] = {
    Watch.ASLEEP: Pace(
        every=timedelta(seconds=30),
        probe_timeout=2,
        read_every=timedelta(seconds=30),
        read_timeout=10,
    ),
    Watch.STEADY: Pace(
        every=timedelta(seconds=15),
        probe_timeout=3,
        read_every=timedelta(seconds=15),
        read_timeout=10,
    ),
    Watch.EAGER: Pace(
        every=timedelta(seconds=1),
        probe_timeout=1,
        read_every=timedelta(seconds=2),
        read_timeout=5,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostData:
    """The last look at the host, begun at `seen_at`; None means that nobody knows.

    What was read before stays for one lost probe, so that nothing flickers.
    """

    seen_at: datetime | None = None
    reachability: Reachability | None = None
    latency_ms: float | None = None
    resolvable: bool = True
    api: ApiState = ApiState.UNKNOWN
    reading: NodeReading | None = None
    read_at: datetime | None = None
    error: ServerManagerError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GameData:
    """The last look at a game server; `answers` is None where nobody can tell.

    The last status stays for one lost answer, so that nothing flickers.
    """

    seen_at: datetime | None = None
    answers: bool | None = None
    status: MinecraftStatus | None = None
    port_open: bool | None = None
    error: ServerManagerError | None = None
