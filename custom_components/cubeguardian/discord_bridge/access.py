"""Who may ask for what on Discord, and how often. Pure: the instant is a parameter, aware.

Nothing here depends on names: people and roles are known by their ids.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from itertools import count
from typing import Any, Final

STORED_VERSION: Final = 1
_MOST_PEOPLE: Final = 1000
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


class Command(StrEnum):
    """What can be asked for on Discord."""

    STATUS = "status"
    START = "start"
    STOP = "stop"
    RESTART = "restart"
    PLAYERS = "players"
    CANCEL = "cancel"
    KEEP_AWAKE = "keep_awake"
    MAINTENANCE = "maintenance"
    REPORT = "report"
    HELP = "help"


class Rank(IntEnum):
    """What somebody counts as; a higher rank may all that a lower one may."""

    NOBODY = 0
    PLAYER = 1
    ADMIN = 2


COUNTED: Final = frozenset({Command.START, Command.STOP, Command.RESTART})
CONFIRMED: Final = frozenset({Command.STOP, Command.RESTART})
_FOR_ADMINS: Final = frozenset({Command.MAINTENANCE})
_FOR_ANYBODY: Final = frozenset({Command.HELP})


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Who counts as what, by the ids of roles and of users."""

    player_roles: frozenset[int] = frozenset()
    player_users: frozenset[int] = frozenset()
    admin_roles: frozenset[int] = frozenset()
    admin_users: frozenset[int] = frozenset()

    def rank(self, user_id: int, role_ids: Iterable[int]) -> Rank:
        """Give what somebody counts as."""
        roles = frozenset(role_ids)
        if user_id in self.admin_users or roles & self.admin_roles:
            return Rank.ADMIN
        if user_id in self.player_users or roles & self.player_roles:
            return Rank.PLAYER
        return Rank.NOBODY


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How often is too often.

    `pauses`: between two of the same command of one person. `flood_most` requests of any kind
    are taken within `flood_span`. `violations_most` in a row mean `lock`.
    """

    pauses: Mapping[Command, timedelta] = field(
        default_factory=lambda: {
            Command.START: timedelta(minutes=1),
            Command.STOP: timedelta(minutes=10),
            Command.RESTART: timedelta(minutes=10),
        }
    )
    hourly: int = 6
    daily: int = 20
    flood_most: int = 8
    flood_span: timedelta = timedelta(seconds=20)
    violations_most: int = 3
    lock: timedelta = _HOUR
    confirm_within: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody asks for. `target` names a host or game server, `delay` is a stop's."""

    user_id: int
    command: Command
    role_ids: frozenset[int] = frozenset()
    target: str = ""
    delay: timedelta = timedelta(0)


class Outcome(StrEnum):
    """What becomes of a request."""

    ALLOWED = "allowed"
    CONFIRM = "confirm"
    DENIED = "denied"


class Denial(StrEnum):
    """Why a request is denied."""

    NOT_ALLOWED = "not_allowed"
    COOLDOWN = "cooldown"
    HOURLY = "hourly"
    DAILY = "daily"
    FLOOD = "flood"
    LOCKED = "locked"
    NO_QUESTION = "no_question"
    NOT_ASKED = "not_asked"
    TOO_LATE = "too_late"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a request.

    `until`: when a question closes, or when it may be asked again. `question` is what a button
    has to carry. `tell` False: say and record nothing, that was done the time before.
    `violation`: a limit was hit. `locked`: this has locked the person out.
    """

    outcome: Outcome
    request: Request | None = None
    rank: Rank = Rank.NOBODY
    denial: Denial | None = None
    until: datetime | None = None
    question: str = ""
    tell: bool = True
    violation: bool = False
    locked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """A request that waits to be confirmed."""

    key: str
    request: Request
    until: datetime


@dataclass(slots=True, kw_only=True)
class _Person:
    """What is remembered of one person. `done` holds what was carried out, newest last."""

    done: list[tuple[datetime, Command]] = field(default_factory=list)
    asked: list[datetime] = field(default_factory=list)
    violations: int = 0
    violated_at: datetime | None = None
    locked_until: datetime | None = None
    quiet: bool = False


class Access:
    """Decide about requests, and remember what that takes."""

    def __init__(self, people: People, limits: Limits = Limits()) -> None:
        """Start with nothing remembered."""
        self.people = people
        self._limits = limits
        self._known: dict[int, _Person] = {}
        self._questions: dict[int, _Question] = {}
        self._numbers = count()

    def decide(self, request: Request, now: datetime) -> Decision:
        """Say what becomes of a request."""
        decision = self._judged(request, now)
        if decision.outcome is Outcome.ALLOWED and request.command in CONFIRMED:
            return self._ask(request, decision.rank, now)
        return decision

    def confirm(
        self, question: str, user_id: int, role_ids: Iterable[int], now: datetime
    ) -> Decision:
        """Take the answer to a question; what was asked is decided once more.

        Somebody else's press changes nothing.
        """
        open_one = self._questions.get(user_id)
        if open_one is None or open_one.key != question:
            others = any(one.key == question for one in self._questions.values())
            return _unasked(Denial.NOT_ASKED if others else Denial.NO_QUESTION)
        del self._questions[user_id]
        if not now <= open_one.until:
            return _unasked(Denial.TOO_LATE, open_one.request)
        return self._judged(replace(open_one.request, role_ids=frozenset(role_ids)), now)

    def withdraw(self, question: str, user_id: int) -> bool:
        """Close a question because whoever gave the command says no; False for anybody else."""
        open_one = self._questions.get(user_id)
        if open_one is None or open_one.key != question:
            return False
        del self._questions[user_id]
        return True

    def carried_out(self, request: Request, now: datetime) -> None:
        """Count a command from when it is begun: the same once more meanwhile is one too many."""
        if request.command in COUNTED:
            self._person(request.user_id, now).done.append((now, request.command))

    def taken_back(self, request: Request) -> None:
        """Forget the last of these: what was refused further on, or has failed, costs nothing."""
        person = self._known.get(request.user_id)
        done = person.done if person else []
        same = [place for place, (_, what) in enumerate(done) if what is request.command]
        if same:
            del done[same[-1]]

    def _judged(self, request: Request, now: datetime) -> Decision:
        """Say whether somebody may ask for this now."""
        person = self._person(request.user_id, now)
        rank = self.people.rank(request.user_id, request.role_ids)
        refused = self._crowding(person, request, rank, now)
        if refused is not None:
            return refused
        if rank < _least(request.command):
            return Decision(
                outcome=Outcome.DENIED, request=request, rank=rank, denial=Denial.NOT_ALLOWED
            )
        spent = self._spent(person, request.command, now)
        if spent is not None:
            return self._violation(person, request, rank, spent, now)
        person.violations, person.violated_at = 0, None
        return Decision(outcome=Outcome.ALLOWED, request=request, rank=rank)

    def _person(self, user_id: int, now: datetime) -> _Person:
        """Return what is remembered of somebody, without what no longer counts."""
        person = self._known.pop(user_id, None) or _Person()
        self._known[user_id] = person
        if len(self._known) > _MOST_PEOPLE:
            self._forget_somebody(now)
        person.done = [(at, what) for at, what in person.done if now - _DAY < at <= now]
        span = self._limits.flood_span
        person.asked = [at for at in person.asked if now - span < at <= now]
        if person.violated_at and not now - _HOUR < person.violated_at <= now:
            person.violations, person.violated_at = 0, None
        if person.locked_until:
            # The clock may have been set back; nobody is locked out for longer than that.
            person.locked_until = min(person.locked_until, now + self._limits.lock)
        return person

    def _forget_somebody(self, now: datetime) -> None:
        """Make room: for whoever was not heard for longest and is not locked out."""
        everybody = list(self._known.items())[:-1]
        free = (
            user for user, one in everybody if one.locked_until is None or one.locked_until <= now
        )
        del self._known[next(free, everybody[0][0])]

    def _crowding(
        self, person: _Person, request: Request, rank: Rank, now: datetime
    ) -> Decision | None:
        """Refuse whoever is locked out or asks too fast; say so only once in a row."""
        is_locked = person.locked_until is not None and now < person.locked_until
        if is_locked and not _is_never_too_late(request.command, rank):
            decision = Decision(
                outcome=Outcome.DENIED,
                request=request,
                rank=rank,
                denial=Denial.LOCKED,
                until=person.locked_until,
                tell=not person.quiet,
            )
            person.quiet = True
            return decision
        if not is_locked:
            person.locked_until = None
        if len(person.asked) < self._limits.flood_most:
            person.asked.append(now)
            person.quiet = False
            return None
        until = person.asked[0] + self._limits.flood_span
        decision = self._violation(person, request, rank, (Denial.FLOOD, until), now)
        decision = replace(decision, tell=decision.locked or not person.quiet)
        person.quiet = True
        return decision

    def _spent(
        self, person: _Person, command: Command, now: datetime
    ) -> tuple[Denial, datetime] | None:
        """Say which limit a command hits, and until when."""
        if command not in COUNTED:
            return None
        limits = self._limits
        same = [at for at, what in person.done if what is command]
        pause = limits.pauses.get(command, timedelta(0))
        if same and now < same[-1] + pause:
            return Denial.COOLDOWN, same[-1] + pause
        lately = [at for at, _ in person.done if now - _HOUR < at]
        if len(lately) >= limits.hourly:
            return Denial.HOURLY, lately[-limits.hourly] + _HOUR
        if len(person.done) >= limits.daily:
            return Denial.DAILY, person.done[-limits.daily][0] + _DAY
        return None

    def _violation(
        self,
        person: _Person,
        request: Request,
        rank: Rank,
        hit: tuple[Denial, datetime],
        now: datetime,
    ) -> Decision:
        """Count that a limit was hit; too often in a row locks out."""
        person.violations += 1
        person.violated_at = now
        denial, until = hit
        locks = person.violations >= self._limits.violations_most
        if locks:
            denial, until = Denial.LOCKED, now + self._limits.lock
            person.violations, person.violated_at = 0, None
            person.locked_until = until
            person.quiet = True
            self._questions.pop(request.user_id, None)
        return Decision(
            outcome=Outcome.DENIED,
            request=request,
            rank=rank,
            denial=denial,
            until=until,
            violation=True,
            locked=locks,
        )

    def _ask(self, request: Request, rank: Rank, now: datetime) -> Decision:
        """Open a question; it takes the place of one that is still open."""
        until = now + self._limits.confirm_within
        # Unlike any other: not of this instant, not of the time before a restart.
        key = f"{request.user_id:x}-{int(now.timestamp() * 1000):x}-{next(self._numbers):x}"
        self._questions[request.user_id] = _Question(key=key, request=request, until=until)
        return Decision(
            outcome=Outcome.CONFIRM, request=request, rank=rank, until=until, question=key
        )

    def to_dict(self) -> dict[str, Any]:
        """Give what outlives a restart as plain JSON; questions are asked anew."""
        return {
            "version": STORED_VERSION,
            "people": {str(user): _stored(one) for user, one in self._known.items()},
        }

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Take back what was stored; ValueError, KeyError or TypeError where it makes no sense."""
        if stored["version"] != STORED_VERSION:
            message = f"stored by another version: {stored['version']}"
            raise ValueError(message)
        self._known = {int(user): _restored(one) for user, one in stored["people"].items()}


def _least(command: Command) -> Rank:
    """Return who may give a command at all."""
    if command in _FOR_ADMINS:
        return Rank.ADMIN
    return Rank.NOBODY if command in _FOR_ANYBODY else Rank.PLAYER


def _is_never_too_late(command: Command, rank: Rank) -> bool:
    """Say whether somebody may do this even while locked out: an admin keeps the brake."""
    return command is Command.CANCEL and rank >= Rank.ADMIN


def _unasked(denial: Denial, request: Request | None = None) -> Decision:
    return Decision(outcome=Outcome.DENIED, denial=denial, request=request)


def _stored(person: _Person) -> dict[str, Any]:
    return {
        "done": [[at.isoformat(), command.value] for at, command in person.done],
        "violations": person.violations,
        "violated_at": person.violated_at.isoformat() if person.violated_at else None,
        "locked_until": person.locked_until.isoformat() if person.locked_until else None,
    }


def _restored(stored: Mapping[str, Any]) -> _Person:
    return _Person(
        done=[(_moment(at), Command(command)) for at, command in stored["done"]],
        violations=int(stored["violations"]),
        violated_at=_instant(stored["violated_at"]),
        locked_until=_instant(stored["locked_until"]),
    )


def _instant(stored: str | None) -> datetime | None:
    return None if stored is None else _moment(stored)


def _moment(stored: str) -> datetime:
    return datetime.fromisoformat(stored).astimezone(UTC)
