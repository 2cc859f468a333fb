"""A look: everything that a shutdown would touch, seen anew before it."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from .observation import GameSighting, HostSighting
from .policy import GuestRole
from .ports import GuardianPortError
from .safety import MAY_ARISE, HoldUp, LookedGame, hold_ups
from .status import Command, CommandKind, Origin, State, Status
from .things import Tracked, TrackedGame, TrackedHost

# What Proxmox starts by itself where its high availability carries our requests out.
_ENDS_A_GUEST = frozenset({"hashutdown", "hastop", "qmshutdown", "qmstop", "vzshutdown", "vzstop"})
_LOOK_BEFORE = frozenset({State.RUNNING, State.COUNTDOWN, State.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look found; it is as old as its oldest part."""

    looked_at: datetime
    hold_ups: tuple[HoldUp, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looker:
    """Look at the host and at game servers, and hand on every sighting."""

    host: TrackedHost
    games: Iterable[TrackedGame]
    roles: Callable[[], Mapping[int, GuestRole]]
    saw_host: Callable[[HostSighting], None]
    saw_game: Callable[[str, GameSighting], None]
    unreadable_is_empty: bool

    async def look(self, thing: Tracked, asked_at: datetime) -> Look:
        """Look at what stopping this thing would touch; only what is seen from now on counts."""
        games = self.touched(thing)
        host, seen = await asyncio.gather(
            self._look_at_host(asked_at),
            asyncio.gather(*(self._look_at_game(game, asked_at) for game in games)),
        )
        looked = {
            game.target: LookedGame(
                sighting=_joined_since(game, sighting) or sighting,
                vmid=game.vmid,
                answered=_has_answered(game),
                given_up=self.unreadable_is_empty and game.silence.is_given_up,
            )
            for game, sighting in zip(games, seen, strict=True)
        }
        return Look(
            looked_at=min([host.seen_at, *(sighting.seen_at for sighting in seen)]),
            hold_ups=hold_ups(
                host, looked, can_see=self.host.can_see, vmid=thing.vmid, roles=self.roles()
            ),
        )

    def reconsider(self, before: HostSighting | None) -> Look | None:
        """Give what the host shows now that forbids its shutdown and was not there `before`.

        Preparing a shutdown takes minutes: a backup or a guest may have begun meanwhile.
        """
        read = self.host.read
        if read is None or read is before:
            return None
        tasks = tuple(task for task in read.tasks or () if task.kind not in _ENDS_A_GUEST)
        shown = replace(read, tasks=tasks)
        found = hold_ups(shown, {}, can_see=self.host.can_see, roles=self.roles())
        return Look(
            looked_at=read.read_at or read.seen_at,
            hold_ups=tuple(held for held in found if held.key in MAY_ARISE),
        )

    def touched(self, thing: Tracked) -> tuple[TrackedGame, ...]:
        """Give all game servers of a host, or all that share the guest of one."""
        if thing is self.host:
            return tuple(self.games)
        return tuple(game for game in self.games if game.vmid == thing.vmid)

    async def _look_at_host(self, asked_at: datetime) -> HostSighting:
        """Look at the host; what is older than the question was not seen."""
        blank = HostSighting(seen_at=asked_at)
        try:
            sighting = await self.host.port.look()
        except GuardianPortError:
            return blank
        self.saw_host(sighting)
        if sighting.seen_at < asked_at:
            return blank
        if (sighting.read_at or sighting.seen_at) < asked_at:
            return replace(sighting, tasks=None, guests=None)
        return sighting

    async def _look_at_game(self, game: TrackedGame, asked_at: datetime) -> GameSighting:
        """Look at a game server; what is older than the question was not seen."""
        blank = GameSighting(seen_at=asked_at)
        try:
            sighting = await game.port.look()
        except GuardianPortError:
            return blank
        self.saw_game(game.target, sighting)
        return blank if sighting.seen_at < asked_at else sighting


def _joined_since(game: TrackedGame, looked: GameSighting) -> GameSighting | None:
    """Give the sighting of whoever has joined while the rest was still being looked at."""
    seen = game.answered
    return seen if seen and seen.seen_at > looked.seen_at and seen.players_online != 0 else None


def _has_answered(game: TrackedGame) -> bool:
    """Say whether somebody may be playing on it although it is silent now."""
    return game.status.state in {State.RUNNING, State.COUNTDOWN}


def needs_look(status: Status, command: Command) -> bool:
    """Tell whether this command may shut something down at once."""
    if command.kind is CommandKind.STOP and command.delay:
        return False
    return status.state in _LOOK_BEFORE or status.origin is not Origin.LIVE
