"""Who in the watched voice channels wants the host up. Pure, and by ids alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from .access import People, Rank


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceMember:
    """Somebody in a voice channel; `channel_id` None: in none."""

    user_id: int
    channel_id: int | None
    role_ids: frozenset[int] = frozenset()
    is_bot: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """Which channels are watched, and who counts in them.

    `afk_channel_id`: where Discord moves those who are away; it never counts.
    """

    channel_ids: frozenset[int]
    people: People
    afk_channel_id: int | None = None

    def counts(self, member: VoiceMember) -> bool:
        """Say whether somebody wants to play: allowed, no bot, and in a watched channel."""
        return (
            not member.is_bot
            and member.channel_id in self.channel_ids - {self.afk_channel_id}
            and self.people.rank(member.user_id, member.role_ids) >= Rank.PLAYER
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """Who is there, with the names to show; `known` False: Discord cannot tell at present.

    While it is unknown, `members` are those who were there when it was last known.
    """

    members: Mapping[int, str] = field(default_factory=dict)
    known: bool = False

    @property
    def count(self) -> int | None:
        """Give how many are there; None where that is unknown."""
        return len(self.members) if self.known else None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceReport:
    """What the guardian is told at once: keys with names to show, and keys nobody can tell of."""

    present: Mapping[str, str] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()


NOBODY_KNOWN: Final = Present()


def reconcile(
    states: Iterable[VoiceMember] | None, watched: Watched, before: Present = NOBODY_KNOWN
) -> Present:
    """Say who is there by everything that Discord knows; None: the guild is unavailable.

    Nobody leaves by that, and nobody enters.
    """
    if states is None:
        return Present(members=before.members, known=False)
    return Present(
        members={one.user_id: one.name for one in states if watched.counts(one)}, known=True
    )


def moved(member: VoiceMember, watched: Watched, before: Present) -> Present:
    """Say who is there after somebody has moved; what was unknown stays so until reconciled."""
    members = dict(before.members)
    if watched.counts(member):
        members[member.user_id] = member.name
    else:
        members.pop(member.user_id, None)
    return Present(members=members, known=before.known)


def reports(after: Present, *, reconciled: bool, names: bool = False) -> tuple[VoiceReport, ...]:
    """Give what to tell the guardian, in this order; names only where somebody wants them shown.

    A key that is new to the guardian wakes. `reconciled`: nobody has just come in, so that all are
    told of as unknown first. Of what never was known nothing is told.
    """
    present = {str(user): name if names else "" for user, name in after.members.items()}
    doubted = VoiceReport(unknown=frozenset(present))
    if not after.known:
        return (doubted,) if present else ()
    told = VoiceReport(present=present)
    return (doubted, told) if reconciled else (told,)
