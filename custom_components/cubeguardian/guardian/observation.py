"""What was seen of a host and its game servers, and what that says about them."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

MISSES_FOR_DOWN = 2
SILENCES_FOR_NOT_UP = 2


class Presence(StrEnum):
    """Say whether a thing is there.

    `starting` is a sign of life that is not yet the service: ping alone for a host, a running
    guest whose Minecraft is silent for a game server.
    """

    UP = "up"
    STARTING = "starting"
    DOWN = "down"
    UNKNOWN = "unknown"


class ApiState(StrEnum):
    """Say how the host's Proxmox API answered the last time it was asked."""

    UNKNOWN = "unknown"
    OK = "ok"
    UNAUTHORISED = "unauthorised"
    FORBIDDEN = "forbidden"
    FAILING = "failing"
    UNTRUSTED = "untrusted"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningTask:
    """A task that runs on the node now and was not started by us (`target` is a vmid or "")."""

    kind: str
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestSighting:
    """Whether Proxmox says that a guest runs; `name` is for texts."""

    vmid: int
    running: bool
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupDue:
    """A planned backup of the host's guests: when it runs next, and the job's id."""

    at: datetime
    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSighting:
    """One look at the host. `seen_at` is the instant at which the reading began.

    `ping` and `port` are None where nothing was or could be probed. `network` False: our own side
    has no network, so nothing here says anything about the host. `watched_port` False: there is
    no port to watch and ping alone decides. `tasks` and `guests` are None where they were not
    read, which is not the same as none; `read_at` is the instant of that reading where it is not
    `seen_at`. `sees_all_guests` False: a right is missing, so that guests may run unseen.
    `backups_due` is None where the jobs cannot be read. `draws_power` is what a power meter says of
    the host, None without one. A sighting with the `seen_at` of the one before adds a reading to
    the same probe.
    """

    seen_at: datetime
    ping: bool | None = None
    port: bool | None = None
    network: bool = True
    watched_port: bool = True
    api: ApiState = ApiState.UNKNOWN
    tasks: tuple[RunningTask, ...] | None = None
    guests: tuple[GuestSighting, ...] | None = None
    read_at: datetime | None = None
    sees_all_guests: bool = True
    backups_due: tuple[BackupDue, ...] | None = None
    draws_power: bool | None = None

    @property
    def answers(self) -> bool:
        """Say whether what makes this host `up` was there."""
        return self.network and (self.port if self.watched_port else self.ping) is True

    @property
    def probed(self) -> bool:
        """Say whether anything was probed whose silence means something."""
        watched = self.watched_port and self.port is not None
        return self.network and (self.ping is not None or watched)

    @property
    def hung(self) -> bool:
        """Say whether it draws power and is silent on all that was probed."""
        silent = self.probed and self.ping is not True and not self.answers
        return silent and self.draws_power is True

    def guest_running(self, vmid: int | None) -> bool | None:
        """Say whether a guest runs; None where nobody can tell. A guest that is gone is stopped."""
        if vmid is None or self.guests is None:
            return None
        return any(guest.running for guest in self.guests if guest.vmid == vmid)


@dataclass(frozen=True, slots=True, kw_only=True)
class GameSighting:
    """One look at a Minecraft server. `answers` None means that nobody can tell.

    `port_open` tells a closed port (nobody can be playing) from an open one whose answer could
    not be read; None where that cannot be told, as with Bedrock.
    """

    seen_at: datetime
    answers: bool | None = None
    port_open: bool | None = None
    players_online: int | None = None
    players: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the sightings so far add up to."""

    presence: Presence = Presence.UNKNOWN
    misses: int = 0
    silences: int = 0
    seen_at: datetime | None = None

    def at(self, now: datetime, stale_after: timedelta) -> Presence:
        """Give the presence at an instant: what was seen too long ago is unknown."""
        if self.seen_at is None or now - self.seen_at >= stale_after:
            return Presence.UNKNOWN
        return self.presence


@dataclass(frozen=True, slots=True, kw_only=True)
class GameSurroundings:
    """What is known around a game server when it is judged."""

    host: Presence
    seen_at: datetime | None = None
    has_guest: bool = False
    guest_running: bool | None = None

    @property
    def speak_of_down(self) -> bool:
        """Say whether a silent game server must be down."""
        return self.host is Presence.DOWN or self.guest_running is False


def judge_host(sighting: HostSighting, before: Judgement) -> Judgement:
    """Add one sighting of the host to what is known.

    Up is believed at once. Down takes two misses in a row, and leaving `up` two silences in a
    row, so that one lost probe changes nothing. What was there and still draws power is not down.
    """
    if sighting.answers:
        return Judgement(presence=Presence.UP, seen_at=sighting.seen_at)
    if not sighting.probed:
        return Judgement(presence=Presence.UNKNOWN, seen_at=sighting.seen_at)
    silences = before.silences + 1
    if sighting.ping is True:
        patient = before.presence is Presence.UP and silences < SILENCES_FOR_NOT_UP
        presence = Presence.UP if patient else Presence.STARTING
        return Judgement(presence=presence, silences=silences, seen_at=sighting.seen_at)
    misses = before.misses + 1
    return Judgement(
        presence=_missed(sighting, before.presence, misses),
        misses=misses,
        silences=silences,
        seen_at=sighting.seen_at,
    )


def _missed(sighting: HostSighting, before: Presence, misses: int) -> Presence:
    """Say what a host is that every probe missed."""
    if misses < MISSES_FOR_DOWN:
        return before
    was_there = before in {Presence.UP, Presence.STARTING}
    return Presence.STARTING if was_there and sighting.hung else Presence.DOWN


def judge_game(
    sighting: GameSighting | None, around: GameSurroundings, before: Judgement
) -> Judgement:
    """Judge a game server by its newest sighting and by what its host says about its guest.

    `sighting` None: nothing new was seen of it, only around it.
    """
    if sighting is not None and sighting.answers:
        return Judgement(presence=Presence.UP, seen_at=sighting.seen_at)
    if around.speak_of_down:
        return Judgement(presence=Presence.DOWN, seen_at=around.seen_at)
    if sighting is None:
        return _reconsidered(around, before)
    if sighting.answers is None:
        return Judgement(presence=Presence.UNKNOWN, seen_at=sighting.seen_at)
    silences = before.silences + 1
    return Judgement(
        presence=_silent(around, before, silences), silences=silences, seen_at=sighting.seen_at
    )


def _reconsidered(around: GameSurroundings, before: Judgement) -> Judgement:
    """Take in that the guest of a silent server runs, without waiting until it is asked again."""
    was_silent = before.presence is Presence.DOWN or before.silences > 0
    if before.presence in {Presence.UP, Presence.STARTING} or not was_silent:
        return before
    if around.host is not Presence.UP or not around.guest_running:
        return before
    return replace(before, presence=Presence.STARTING, seen_at=around.seen_at)


def _silent(around: GameSurroundings, before: Judgement, silences: int) -> Presence:
    """Say what a silence means that neither host nor guest explains."""
    if before.presence is Presence.UP and silences < SILENCES_FOR_NOT_UP:
        return Presence.UP
    guest_unseen = around.has_guest and around.guest_running is None
    nobody_knows = around.host is not Presence.UP or guest_unseen
    return Presence.UNKNOWN if nobody_knows else Presence.STARTING
