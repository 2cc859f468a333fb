"""Who keeps the leases: takes in what is wanted, and says what is wanted now."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from .demand import (
    Key,
    Lease,
    Source,
    asked,
    confirmed,
    counted,
    declined as left_by_a_stop,
    doubted,
    ends_with_target,
    lapsing,
    loaded,
    revived,
    timed_out,
)
from .observation import Presence
from .occupancy import Occupancy
from .policy import Policy
from .safety import HOST
from .status import Caller, Cause, Origin, Settings, State, Status

_UP: Final = frozenset({State.RUNNING, State.COUNTDOWN})
_UNSEEN: Final = frozenset({Occupancy.SILENT, Occupancy.UNREADABLE})
_REBOOTED_WITHIN: Final = Settings().rebooted_within
_ALL_PLAYERS: Final = ""


class DemandKeeper:
    """Keep the leases of a host and its game servers.

    A lease on a game server is also one on its host; those that share a guest share them. A key
    is an edge only where its source had said before that it is not there.
    """

    def __init__(
        self,
        *,
        policy: Policy,
        games: Mapping[str, int | None],
        stored: tuple[Lease, ...],
        now: datetime,
    ) -> None:
        """Start from what was stored; `games` gives the guest of each game server.

        Whatever is watched is unknown until its source reports, and holds no longer than that
        may take. What nobody will ever report again is forgotten.
        """
        self._policy, self._times = policy, policy.times
        self._groups = {game_id: _sharing(game_id, games) for game_id in games}
        self._groups[HOST] = frozenset({HOST, *games})
        self._leases: dict[Key, Lease] = {}
        self._reported: dict[tuple[Source, str], frozenset[str]] = {}
        self._up: set[str] = set()
        self._host_may_return = False
        self._quiet: dict[str, datetime] = {}
        self._idle: dict[str, datetime] = {}
        for lease in (*(_wish(key, now) for key in sorted(policy.wanting)), *stored):
            if self._is_reported_by_somebody(lease):
                self._put(loaded(lease, self._times, now))
        self._note(now)

    def _is_reported_by_somebody(self, lease: Lease) -> bool:
        gone = lease.source is Source.ENTITY and lease.who not in self._policy.wanting
        return lease.target in self._groups and not gone

    @property
    def leases(self) -> tuple[Lease, ...]:
        """Give every lease that is held, the oldest first, also those that do not count."""
        return tuple(sorted(self._leases.values(), key=lambda lease: lease.since))

    def live(self, target: str, now: datetime) -> tuple[Lease, ...]:
        """Give the leases that keep this up now, the oldest first."""
        return tuple(
            lease
            for lease in self.leases
            if lease.target in self._groups[target] and lease.is_live(now)
        )

    def idle_since(self, target: str) -> datetime | None:
        """Give since when nobody has wanted this; None while somebody does."""
        return self._idle.get(target)

    def wakeups(self) -> Iterable[datetime]:
        """Give the instants at which a lease ends by itself."""
        return (lease.until for lease in self.leases if lease.until is not None)

    def ask(self, target: str, source: Source, caller: Caller, now: datetime) -> None:
        """Note that somebody has woken this: what was declined counts again."""
        self._change(target, lambda lease: revived(lease, self._times, now))
        self._put(asked(source, target, caller.name, self._times, now))
        self._note(now)

    def is_asked(self, target: str, source: Source, caller: Caller) -> bool:
        """Say whether somebody's wake still counts: a stop ends it."""
        return (source, target, caller.name) in self._leases

    def cancel(self, target: str, caller: Caller, now: datetime) -> None:
        """C2: note that somebody has cancelled the shutdown of this."""
        self.ask(target, Source.CANCELLED, caller, now)

    def decline(self, target: str, now: datetime) -> None:
        """Note that a stop command was accepted: nothing that is true now keeps this up.

        That of a game server leaves alone what its host is wanted for besides.
        """
        self._change(target, left_by_a_stop)
        self._note(now)

    def keep_awake(self, on: bool, caller: Caller, until: datetime | None, now: datetime) -> bool:
        """Begin, prolong or end keeping the host awake; True where that is an edge."""
        wanted = Lease(
            source=Source.KEEP_AWAKE, target=HOST, name=caller.name, since=now, until=until
        )
        before = self._leases.pop(wanted.key, None)
        held = before is not None and not before.is_over(now)
        if on:
            self._put(replace(wanted, since=before.since) if held and before else wanted)
        self._note(now)
        return on and not held

    def found(self, now: datetime) -> None:
        """L2, O2: note that the host came up without our packet."""
        if self._times.found is not None:
            lease = Lease(source=Source.FOUND, target=HOST, since=now)
            self._put(counted(lease, self._times, now))
        self._note(now)

    def report(
        self,
        source: Source,
        target: str,
        present: Mapping[str, str],
        now: datetime,
        *,
        unknown: frozenset[str] = frozenset(),
        declined: bool = False,
    ) -> bool:
        """Take in all that a source says of a target: keys and the names to show.

        True where a key is new and counts. `unknown` keys are those that it cannot tell of;
        `declined` says that a shutdown that somebody asked for is under way.
        """
        before = self._reported.get((source, target))
        self._reported[source, target] = unknown | present.keys()
        held = self._held(source, target)
        for who, lease in held.items():
            if who in present:
                self._put(confirmed(lease, present[who]))
            elif who in unknown:
                self._put(doubted(lease, self._times, now))
            else:
                del self._leases[lease.key]
        new = present.keys() - held.keys()
        for who in sorted(new):
            self._put(
                Lease(
                    source=source,
                    target=target,
                    who=who,
                    name=present[who],
                    since=now,
                    declined=declined,
                )
            )
        self._note(now)
        return not declined and before is not None and not new <= before

    def occupy(
        self,
        game_id: str,
        occupancy: Occupancy,
        names: str,
        now: datetime,
        *,
        declined: bool = False,
    ) -> bool:
        """Take in whether somebody plays; True where that is new and counts.

        A server on which somebody may be playing unseen is in use for as long as that lasts.
        """
        key = (Source.PLAYERS, game_id, _ALL_PLAYERS)
        unseen = frozenset({_ALL_PLAYERS})
        if occupancy in _UNSEEN:
            self._reported[Source.PLAYERS, game_id] = unseen
            lease = self._leases.get(key) or _players(game_id, now, declined=declined)
            self._put(replace(lease, unknown=True, until=None))
            self._note(now)
            return False
        present = {_ALL_PLAYERS: names} if occupancy is Occupancy.PLAYING else {}
        unknown = unseen if occupancy is Occupancy.UNKNOWN else frozenset()
        return self.report(
            Source.PLAYERS, game_id, present, now, unknown=unknown, declined=declined
        )

    def settle(
        self, target: str, before: Status, after: Status, presence: Presence, now: datetime
    ) -> None:
        """Take in a step of one thing; the host's before those of its game servers."""
        if target == HOST and presence is Presence.UNKNOWN:
            self._wait_for_sight(now)
        if after.origin is not Origin.LIVE:
            return
        self._learn(target, after)
        if target == HOST and _was_found(before, after, now):
            self.found(now)
        if after.state is State.FAILED and after.cause is Cause.WAKE:
            self._end(target, lambda lease: lease.awaits_ready)
        if not self._host_may_return:
            self._end_with(target, before, after, presence)
        if target in self._up or (HOST in self._up and _rests(before, after)):
            for lease in self._of(target):
                if lease.awaits_ready:
                    self._put(counted(lease, self._times, now))
        self._note(now)

    def expire(self, now: datetime) -> tuple[Lease, ...]:
        """End what has had its time, and give what counted until then."""
        over = tuple(lease for lease in self.leases if lease.is_over(now))
        for lease in over:
            self._replace(lease, timed_out(lease))
        self._note(now)
        return tuple(lease for lease in over if not lease.declined)

    def shift(self, by: timedelta) -> None:
        """Move every instant: the wall clock jumped, and no time has passed."""
        for lease in self.leases:
            until = lease.until and lease.until + by
            self._put(replace(lease, since=lease.since + by, until=until))
        self._quiet = {target: since + by for target, since in self._quiet.items()}
        self._idle = {target: since + by for target, since in self._idle.items()}

    def _learn(self, target: str, status: Status) -> None:
        """R4, R5: note what is up, and whether the host may soon be back as it was."""
        if status.state in _UP:
            self._up.add(target)
        else:
            self._up.discard(target)
        if target == HOST:
            restarting = status.state not in _UP and status.cause is Cause.RESTART
            rebooting = status.state is State.OFF and status.went_down_at is not None
            self._host_may_return = restarting or rebooting

    def _wait_for_sight(self, now: datetime) -> None:
        """Let no doubt end while nothing at all is seen: nothing could confirm it meanwhile."""
        soon = now + self._times.unknown / 2
        for lease in self.leases:
            if lease.unknown and lease.until is not None and lease.until < soon:
                self._put(replace(lease, until=now + self._times.unknown))

    def _end_with(self, target: str, before: Status, after: Status, presence: Presence) -> None:
        """End what goes with a target that is down; what is still on its way up is waited for.

        The pulses of a game server end as it goes off, not because it is: its host may have come
        back a moment ago.
        """
        is_off = after.state is State.OFF
        if is_off and (target == HOST or not _rests(before, after)):
            self._end(target, lambda lease: lease.is_pulse)
        if is_off or presence is Presence.DOWN:
            self._end(target, lambda lease: not lease.is_pulse and ends_with_target(lease))

    def _end(self, target: str, is_ended: Callable[[Lease], bool]) -> None:
        """End leases on a target; what its host cannot have, a game server cannot have either."""
        ending = self._groups[HOST] if target == HOST else {target}
        for lease in self.leases:
            if lease.target in ending and is_ended(lease):
                del self._leases[lease.key]

    def _of(self, target: str) -> tuple[Lease, ...]:
        return tuple(lease for lease in self._leases.values() if lease.target == target)

    def _held(self, source: Source, target: str) -> Mapping[str, Lease]:
        return {lease.who: lease for lease in self._of(target) if lease.source is source}

    def _put(self, lease: Lease) -> None:
        self._leases[lease.key] = lease

    def _replace(self, lease: Lease, by: Lease | None) -> None:
        if by is None:
            del self._leases[lease.key]
        else:
            self._put(by)

    def _change(self, target: str, change: Callable[[Lease], Lease | None]) -> None:
        """Change every lease of what shares the fate of this target."""
        for lease in self.leases:
            if lease.target in self._groups[target]:
                self._replace(lease, change(lease))

    def _note(self, now: datetime) -> None:
        """Note since when nobody plays on what is up, and since when nobody wants something."""
        for target, group in self._groups.items():
            playing = any(
                lease.source is Source.PLAYERS and lease.target in group and not lease.is_over(now)
                for lease in self._leases.values()
            )
            _count(self._quiet, target, now, counting=target in self._up and not playing)
        for lease in self.leases:
            self._put(lapsing(lease, self._quiet.get(lease.target), self._times))
        for target in self._groups:
            _count(self._idle, target, now, counting=not self.live(target, now))


def _count(since: dict[str, datetime], target: str, now: datetime, *, counting: bool) -> None:
    if counting:
        since.setdefault(target, now)
    else:
        since.pop(target, None)


def _sharing(game_id: str, games: Mapping[str, int | None]) -> frozenset[str]:
    """Give all game servers that run in the same guest."""
    vmid = games[game_id]
    shared = (other for other, its in games.items() if vmid is not None and its == vmid)
    return frozenset({game_id, *shared})


def _wish(key: str, now: datetime) -> Lease:
    return Lease(source=Source.ENTITY, target=HOST, who=key, name=key, since=now)


def _players(game_id: str, now: datetime, *, declined: bool) -> Lease:
    return Lease(
        source=Source.PLAYERS, target=game_id, who=_ALL_PLAYERS, since=now, declined=declined
    )


def _rests(before: Status, after: Status) -> bool:
    """Tell what was off and stays so, without being on its way up."""
    return before.origin is Origin.LIVE and before.state is State.OFF is after.state


def _was_found(before: Status, after: Status, now: datetime) -> bool:
    """O2: tell a host that somebody has started from one that we woke, or that is just back."""
    went_down_at = before.went_down_at
    if after.state is not State.RUNNING or (
        went_down_at is not None and now < went_down_at + _REBOOTED_WITHIN
    ):
        return False
    started = before.state is State.WAKING and before.cause is Cause.FOUND
    return started or before.state is State.OFF
