"""Who follows wakes and stops: learns from those that are honest, and says when they will end."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from .moment import further
from .observation import Presence
from .pace import GAME_ROUTE, HOST_ROUTE, Estimate, Learned, Leg, Route
from .safety import HOST
from .status import Cause, Effect, Phase, State, Status, Transition

_UNDER_WAY = frozenset({State.WAKING, State.STOPPING})
_UP = frozenset({State.RUNNING, State.COUNTDOWN})
_DOWN = frozenset({State.OFF, State.WAKING})
_BEFORE_A_WAKE = frozenset({State.OFF, State.STOPPING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One wake or stop that is under way.

    `began`: the packet left, a game server's host was up, or the stop was asked for. `between`:
    the phase between the two parts of a wake was reached. `honest`: what it takes is worth
    learning.
    """

    state: State
    since: datetime
    honest: bool
    began: datetime | None = None
    between: datetime | None = None

    def is_of(self, status: Status) -> bool:
        """Say whether it is still under way in this status."""
        return (self.state, self.since) == (status.state, status.since)

    def shifted(self, by: timedelta) -> Course:
        """Give it as it is after the wall clock was set."""
        return replace(
            self,
            since=self.since + by,
            began=self.began and self.began + by,
            between=self.between and self.between + by,
        )


class PaceKeeper:
    """Keep the learned times of a host and its game servers, and estimate with them.

    A course that was loaded is estimated but not learned: what happened meanwhile was not seen.
    """

    def __init__(self, targets: Iterable[str], learned: Mapping[str, Learned]) -> None:
        """Start from what was learned; that of things which are gone is forgotten."""
        self._learned = {target: learned.get(target, Learned()) for target in targets}
        self._courses: dict[str, Course] = {}
        self._estimates: dict[str, Estimate] = {}
        self._blind = False

    @property
    def learned(self) -> Mapping[str, Learned]:
        """Give what was learned of each thing."""
        return dict(self._learned)

    def estimate(self, target: str) -> Estimate | None:
        """Give when what is under way will be over; None where nothing is."""
        return self._estimates.get(target)

    def slowest_start(self, target: str) -> timedelta | None:
        """Give the longest that a game server has taken lately from its host's API to Minecraft."""
        return self._learned[target].slowest(GAME_ROUTE.whole)

    def shift(self, by: timedelta) -> None:
        """Move what is under way with a wall clock that was set."""
        self._courses = {target: course.shifted(by) for target, course in self._courses.items()}
        self._estimates = {
            target: replace(estimate, known_at=estimate.known_at + by, due=estimate.due + by)
            for target, estimate in self._estimates.items()
        }

    def observe(
        self, target: str, before: Status, step: Transition, presence: Presence, now: datetime
    ) -> None:
        """Follow one step of one thing; the host's before those of its game servers."""
        if target == HOST:
            self._blind = presence is Presence.UNKNOWN
        after, course = step.status, self._courses.pop(target, None)
        if course is not None and not course.is_of(after):
            self._learn(target, course, after, now)
            self._estimates.pop(target, None)
            course = None
        if after.state in _UNDER_WAY:
            seen = course or _begun(target, before, step, presence)
            self._courses[target] = followed = self._followed(target, seen, before, step, now)
            self._estimates[target] = self._estimated(target, followed, now)

    def _learn(self, target: str, course: Course, after: Status, now: datetime) -> None:
        """Learn from what ended well."""
        if not course.honest or course.began is None:
            return
        learned = self._learned[target]
        if course.state is State.STOPPING:
            if after.state in _DOWN:
                self._learned[target] = learned.add(Leg.STOP, now - course.began)
        elif after.state in _UP:
            route = _route(target)
            learned = learned.add(route.whole, now - course.began)
            if course.between is not None:
                learned = learned.add(route.first, course.between - course.began)
                learned = learned.add(route.second, now - course.between)
            self._learned[target] = learned

    def _followed(
        self, target: str, course: Course, before: Status, step: Transition, now: datetime
    ) -> Course:
        """Note what the step has shown."""
        began = course.began or _beginning(target, step, now)
        between = course.between
        if between is None and began is not None and _reaches(_route(target), before, step.status):
            between = now
        honest = course.honest and not self._blind
        return replace(course, began=began, between=between, honest=honest)

    def _estimated(self, target: str, course: Course, now: datetime) -> Estimate:
        """Estimate anew where what is known now changes anything."""
        due, rest = self._end(target, course)
        known = self._estimates.get(target)
        if known is None:
            return Estimate(known_at=course.since, due=due, rest=rest)
        if (due, rest) == (known.due, known.rest):
            return known
        return Estimate(known_at=now, due=due, rest=rest, floor=known.progress(now))

    def _end(self, target: str, course: Course) -> tuple[datetime, timedelta]:
        """Give when it should be over, and what of it is still ahead for sure."""
        learned, route = self._learned[target], _route(target)
        if course.state is State.STOPPING:
            return course.since + learned.expected(Leg.STOP), timedelta(0)
        if course.between is not None:
            return course.between + learned.expected(route.second), timedelta(0)
        whole = learned.expected(route.whole)
        if course.began is None and target != HOST:
            host_up, host_rest = self._host_up(course)
            return host_up + whole, host_rest + whole
        return (course.began or course.since) + whole, learned.rest(route)

    def _host_up(self, game: Course) -> tuple[datetime, timedelta]:
        """Give when the host that a game server waits for should be up."""
        host, estimate = self._courses.get(HOST), self._estimates.get(HOST)
        if host is None or estimate is None:
            return game.since, timedelta(0)
        if host.state is State.WAKING:
            return estimate.due, estimate.rest
        again = self._learned[HOST].expected(Leg.PACKET_TO_API)
        return estimate.due + again, again


def _route(target: str) -> Route:
    return HOST_ROUTE if target == HOST else GAME_ROUTE


def _begun(target: str, before: Status, step: Transition, presence: Presence) -> Course:
    """Begin to follow; a wake is honest only from what was seen down."""
    after = step.status
    if after.state is State.WAKING:
        asked = after.cause is Cause.WAKE and before.state in _BEFORE_A_WAKE
        honest = asked and presence is Presence.DOWN
    else:
        honest = Effect.SHUT_DOWN in step.effects
    awaits_packet = after.cause is Cause.WAKE and not _same(before, after)
    at_once = after.state is State.STOPPING or (target == HOST and not awaits_packet)
    return Course(
        state=after.state,
        since=after.since,
        honest=honest,
        began=after.since if at_once else None,
    )


def _beginning(target: str, step: Transition, now: datetime) -> datetime | None:
    """Tell when a wake really begins: with the packet, or once a game server's host is up."""
    if target == HOST:
        return now if Effect.WAKE in step.effects else None
    return now if step.status.deadline is not None else None


def _same(before: Status, after: Status) -> bool:
    return (before.state, before.since) == (after.state, after.since)


def _reaches(route: Route, before: Status, after: Status) -> bool:
    """Tell whether this step is the one in which a wake gets to the phase between its parts.

    What is restarted may show the signs of that phase while it is still going down.
    """
    waking = after.state is State.WAKING and after.cause is not Cause.RESTART
    if not waking or not _has_reached(after.phase, route):
        return False
    return not (_same(before, after) and _has_reached(before.phase, route))


def _has_reached(phase: Phase | None, route: Route) -> bool:
    return phase is not None and further(phase, route.between) is phase
