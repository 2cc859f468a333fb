"""What the people of the house want: the mode, who wants it up, and who forbids what."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from .demand import Source, is_vetoed
from .demand_keeper import DemandKeeper
from .policy import GuestRole, Policy
from .snapshot import DEFAULT_IDLE_MINUTES, Mode, StoredGuardian
from .status import Cause, Command, Demand, Role, State, Status, Then
from .things import Tracked, TrackedGame, TrackedHost

LONGEST_IDLE_MINUTES: Final = 180
_ASKED: Final = frozenset({Cause.ASKED, Cause.FORCED})


class Wishes:
    """Say of each thing what is wanted of it, and who may ask for what."""

    def __init__(
        self,
        *,
        policy: Policy,
        host: TrackedHost,
        games: Mapping[str, TrackedGame],
        stored: StoredGuardian | None,
        now: datetime,
    ) -> None:
        """Start from what was stored; the policy gives the mode of what was never stored."""
        self._policy, self._host, self._games = policy, host, games
        first_mode = Mode.AUTOMATIC if policy.automatic else Mode.MANUAL
        self.mode = stored.mode if stored else first_mode
        self.mode_reason = stored.mode_reason if stored else ""
        self.idle_minutes = stored.idle_minutes if stored else DEFAULT_IDLE_MINUTES
        self.protected = stored.protected if stored else frozenset()
        self.vetoes: Mapping[str, str] = {}
        self.keeper = DemandKeeper(
            policy=policy,
            games={game_id: game.vmid for game_id, game in games.items()},
            stored=stored.leases if stored else (),
            now=now,
        )

    @property
    def roles(self) -> Mapping[int, GuestRole]:
        """Give the role of every guest that has one."""
        games = {game.vmid: GuestRole.GAME for game in self._games.values() if game.vmid}
        own = dict.fromkeys(self.protected, GuestRole.PROTECTED)
        return {**games, **self._policy.roles, **own}

    def set_idle_minutes(self, minutes: int) -> None:
        """Set the length of an idle countdown; ValueError where that makes no sense."""
        if not 1 <= minutes <= LONGEST_IDLE_MINUTES:
            message = f"an idle countdown of {minutes} minutes"
            raise ValueError(message)
        self.idle_minutes = minutes

    def forbidden(self, source: Source, role: Role) -> str | None:
        """Give the texts of the vetoes against a wake; only players obey them."""
        vetoed = is_vetoed(source, role)
        return ", ".join(self.vetoes.values()) or None if vetoed else None

    def demand(
        self, thing: Tracked, now: datetime, command: Command | None = None, *, edge: bool = False
    ) -> Demand:
        """Say what is wanted of a thing now."""
        live = self.keeper.live(thing.target, now)
        newest = max(live, key=lambda lease: lease.since, default=None)
        return Demand(
            command=command,
            live=bool(live),
            edge=edge,
            by=newest.name or None if newest else None,
            idle_since=self.keeper.idle_since(thing.target),
            automatic=self.mode is Mode.AUTOMATIC,
            may_rest=self.mode is Mode.AUTOMATIC and self._may_rest(thing, now),
            countdown=timedelta(minutes=self.idle_minutes),
        )

    def is_told_to_stop(self, target: str) -> bool:
        """Say whether a shutdown that somebody asked for is coming or under way."""
        things = [self._host, *self.sharing(target)]
        return any(_is_told_to_stop(thing.status) for thing in things)

    def _may_rest(self, thing: Tracked, now: datetime) -> bool:
        """Say whether being wanted by nobody may shut a thing down.

        A host never, while a protected guest runs on it. A game server only where that was
        chosen, not in a protected guest, and while its host stays up for others; it stops with
        its host otherwise.
        """
        if isinstance(thing, TrackedGame):
            if thing.target not in self._policy.stop_when_idle or not thing.has_guest:
                return False
            if thing.vmid and self.roles[thing.vmid] is GuestRole.PROTECTED:
                return False
            return self._host.status.state is State.RUNNING and self._others(thing, now)
        read = self._host.read
        running = {guest.vmid for guest in (read and read.guests) or () if guest.running}
        return not any(self.roles.get(vmid) is GuestRole.PROTECTED for vmid in running)

    def _others(self, game: TrackedGame, now: datetime) -> bool:
        """Say whether the host is wanted by anybody besides those who want this guest."""
        here = {sharing.target for sharing in self.sharing(game.target)}
        host_leases = self.keeper.live(self._host.target, now)
        return any(lease.target not in here for lease in host_leases)

    def about_to_stop_with(self, thing: Tracked) -> tuple[TrackedGame, ...]:
        """Give those whose countdown would take the guest of a game server along."""
        others = (one for one in self.sharing(thing.target) if one is not thing)
        return tuple(one for one in others if one.status.state is State.COUNTDOWN)

    def sharing(self, target: str) -> tuple[TrackedGame, ...]:
        """Give the game servers that live in the guest of one of them, itself included."""
        game = self._games.get(target)
        if game is None:
            return ()
        others = self._games.values() if game.vmid is not None else ()
        return (game, *(one for one in others if one is not game and one.vmid == game.vmid))


def _is_told_to_stop(status: Status) -> bool:
    match status.state:
        case State.COUNTDOWN:
            return status.cause in _ASKED
        case State.STOPPING:
            return status.cause is Cause.STOP
        case _:
            return status.state is State.WAKING and status.then is Then.STOP
