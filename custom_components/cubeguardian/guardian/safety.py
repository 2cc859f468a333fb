"""What speaks against a shutdown now: the hold-ups."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .observation import ApiState, GameSighting, HostSighting, RunningTask

HOST = "host"
_BACKUP = "vzdump"


class HoldUpKey(StrEnum):
    """Name a kind of hold-up."""

    PLAYERS = "players"
    TASK = "task"
    CANNOT_SEE = "cannot_see"


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldUp:
    """One reason not to shut down now.

    `subject` is `host` or the id of a game server. Placeholders: `count` and `players` (names,
    comma separated, may be empty) for players; `task` and `target` for a task; `reason` for
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
    on a server whose silence nobody can explain.
    """

    sighting: GameSighting
    vmid: int | None = None
    answered: bool = False


def hold_ups(
    host: HostSighting,
    games: Mapping[str, LookedGame],
    *,
    can_see: bool,
    vmid: int | None = None,
) -> tuple[HoldUp, ...]:
    """Collect what stands against shutting down, in a fixed order.

    `can_see` False: there is no Proxmox token, so that nobody expects to read tasks. With
    `vmid` only this guest is to stop, and only tasks on it count.
    """
    return (
        *_host_hold_ups(host, can_see=can_see, vmid=vmid),
        *(held for game_id in sorted(games) for held in _game_hold_ups(game_id, games, host)),
    )


def _host_hold_ups(host: HostSighting, *, can_see: bool, vmid: int | None) -> Iterable[HoldUp]:
    if not host.answers:
        return (_cannot_see(HOST, "silent"),)
    if not can_see:
        return ()
    if host.tasks is None or host.guests is None:
        return (_cannot_see(HOST, "incomplete" if host.api is ApiState.OK else host.api.value),)
    return tuple(
        HoldUp(key=HoldUpKey.TASK, placeholders={"task": task.kind, "target": task.target})
        for task in host.tasks
        if vmid is None or _concerns(task, vmid)
    )


def _concerns(task: RunningTask, vmid: int) -> bool:
    """Say whether a task works on a guest; a backup of several guests names none of them."""
    return task.target == str(vmid) or (task.kind == _BACKUP and not task.target)


def _game_hold_ups(
    game_id: str, games: Mapping[str, LookedGame], host: HostSighting
) -> Iterable[HoldUp]:
    game = games[game_id]
    seen = game.sighting
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
