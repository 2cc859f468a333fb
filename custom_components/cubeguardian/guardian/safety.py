"""What speaks against a shutdown now: the hold-ups."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from .observation import ApiState, GameSighting, GuestSighting, HostSighting, RunningTask
from .policy import GuestRole

HOST = "host"
BACKUP_AHEAD: Final = timedelta(minutes=30)
NO_ROLES: Final[Mapping[int, GuestRole]] = MappingProxyType({})
_BACKUP = "vzdump"
# Clocks differ, and what is due takes a moment to become a task.
_BACKUP_STARTS: Final = timedelta(minutes=2)


class HoldUpKey(StrEnum):
    """Name a kind of hold-up."""

    PLAYERS = "players"
    TASK = "task"
    BACKUP_DUE = "backup_due"
    GUEST = "guest"
    PROTECTED = "protected"
    CANNOT_SEE = "cannot_see"


MAY_ARISE: Final = frozenset({HoldUpKey.TASK, HoldUpKey.GUEST, HoldUpKey.PROTECTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldUp:
    """One reason not to shut down now.

    `subject` is `host` or the id of a game server. Placeholders: `count` and `players` (names,
    comma separated, may be empty) for players; `task` and `target` for a task; `at` (ISO) and
    `job` for backup_due; `vmid` and `name` (may be empty) for guest and protected; `reason` for
    cannot_see (an ApiState, or `silent`, `incomplete`, `unreadable`).
    """

    key: HoldUpKey
    subject: str = HOST
    placeholders: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain JSON."""
        return {
            "key": self.key.value,
            "subject": self.subject,
            "placeholders": dict(self.placeholders),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> HoldUp:
        """Read it back."""
        return cls(
            key=HoldUpKey(stored["key"]),
            subject=stored["subject"],
            placeholders=dict(stored["placeholders"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedGame:
    """A game server at the time of a look.

    `answered` says that it had answered since its host came up: only then can somebody be playing
    on a server whose silence nobody can explain. `given_up`: nobody could read it for so long that
    it was chosen to count as empty.
    """

    sighting: GameSighting
    vmid: int | None = None
    answered: bool = False
    given_up: bool = False


def hold_ups(
    host: HostSighting,
    games: Mapping[str, LookedGame],
    *,
    can_see: bool,
    vmid: int | None = None,
    roles: Mapping[int, GuestRole] = NO_ROLES,
) -> tuple[HoldUp, ...]:
    """Collect what stands against shutting down, in a fixed order.

    `can_see` False: there is no Proxmox token, so that nobody expects to read tasks. With
    `vmid` only this guest is to stop, and only tasks on it and its own protection count. A
    running guest without a role keeps its host awake.
    """
    return (
        *_protected(host, vmid, roles),
        *_host_hold_ups(host, can_see=can_see, vmid=vmid, roles=roles),
        *(held for game_id in sorted(games) for held in _game_hold_ups(game_id, games, host)),
    )


def _protected(
    host: HostSighting, vmid: int | None, roles: Mapping[int, GuestRole]
) -> Iterable[HoldUp]:
    """Name the protected guests that may be running: what cannot be seen is not stopped."""
    names = {guest.vmid: guest.name for guest in host.guests or ()}
    concerned = roles if vmid is None else {vmid} & roles.keys()
    return tuple(
        _guest(HoldUpKey.PROTECTED, guest, names.get(guest, ""))
        for guest in sorted(concerned)
        if roles[guest] is GuestRole.PROTECTED
        and (not host.answers or _running(host, guest) is not False)
    )


def _host_hold_ups(
    host: HostSighting, *, can_see: bool, vmid: int | None, roles: Mapping[int, GuestRole]
) -> Iterable[HoldUp]:
    if not host.answers:
        return (_cannot_see(HOST, "silent"),)
    if not can_see:
        return ()
    if host.tasks is None or host.guests is None:
        return (_cannot_see(HOST, "incomplete" if host.api is ApiState.OK else host.api.value),)
    tasks = _tasks(host.tasks, vmid)
    if vmid is not None:
        return tasks
    unseen = () if host.sees_all_guests else (_cannot_see(HOST, ApiState.FORBIDDEN.value),)
    return (*tasks, *_backups_due(host), *_keeping_awake(host.guests, roles), *unseen)


def _tasks(tasks: Iterable[RunningTask], vmid: int | None) -> tuple[HoldUp, ...]:
    return tuple(
        HoldUp(key=HoldUpKey.TASK, placeholders={"task": task.kind, "target": task.target})
        for task in tasks
        if vmid is None or _concerns(task, vmid)
    )


def _backups_due(host: HostSighting) -> Iterable[HoldUp]:
    """Name the backups that a shutdown now would miss; jobs that cannot be read hold nothing."""
    return tuple(
        HoldUp(key=HoldUpKey.BACKUP_DUE, placeholders={"at": due.at.isoformat(), "job": due.job})
        for due in sorted(host.backups_due or (), key=lambda due: (due.at, due.job))
        if -_BACKUP_STARTS <= due.at - host.seen_at <= BACKUP_AHEAD
    )


def _keeping_awake(
    guests: Iterable[GuestSighting], roles: Mapping[int, GuestRole]
) -> Iterable[HoldUp]:
    return tuple(
        _guest(HoldUpKey.GUEST, guest.vmid, guest.name)
        for guest in sorted(guests, key=lambda guest: guest.vmid)
        if guest.running and roles.get(guest.vmid, GuestRole.KEEPS_AWAKE) is GuestRole.KEEPS_AWAKE
    )


def _guest(key: HoldUpKey, vmid: int, name: str) -> HoldUp:
    return HoldUp(key=key, placeholders={"vmid": str(vmid), "name": name})


def _concerns(task: RunningTask, vmid: int) -> bool:
    """Say whether a task works on a guest; a backup of several guests names none of them."""
    return task.target == str(vmid) or (task.kind == _BACKUP and not task.target)


def _game_hold_ups(
    game_id: str, games: Mapping[str, LookedGame], host: HostSighting
) -> Iterable[HoldUp]:
    game = games[game_id]
    seen = game.sighting
    if game.given_up and seen.players_online is None:
        return ()
    if seen.answers:
        return _players(game_id, seen)
    running = _running(host, game.vmid)
    if running is False or seen.port_open is False:
        return ()
    may_be_played = seen.port_open is True or running is True or game.answered
    return (_cannot_see(game_id, "unreadable"),) if may_be_played else ()


def _running(host: HostSighting, vmid: int | None) -> bool | None:
    """Say whether a guest runs; one that is not listed may be one that the token must not see."""
    listed = any(guest.vmid == vmid for guest in host.guests or ())
    return host.guest_running(vmid) if listed else None


def _players(game_id: str, seen: GameSighting) -> Iterable[HoldUp]:
    if seen.players_online is None:
        return (_cannot_see(game_id, "unreadable"),)
    if seen.players_online <= 0:
        return ()
    placeholders = {"count": str(seen.players_online), "players": ", ".join(seen.players)}
    return (HoldUp(key=HoldUpKey.PLAYERS, subject=game_id, placeholders=placeholders),)


def _cannot_see(subject: str, reason: str) -> HoldUp:
    return HoldUp(key=HoldUpKey.CANNOT_SEE, subject=subject, placeholders={"reason": reason})
