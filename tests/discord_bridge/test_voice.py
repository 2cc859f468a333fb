"""Who in the watched voice channels wants the host up."""

import itertools

import pytest

from custom_components.cubeguardian.discord_bridge.access import People
from custom_components.cubeguardian.discord_bridge.voice import (
    NOBODY_KNOWN,
    Present,
    VoiceMember,
    VoiceReport,
    Watched,
    moved,
    reconcile,
    reports,
)

LOUNGE, OTHER, AFK = 100, 101, 102
PLAYERS = 10
WATCHED = Watched(
    channel_ids=frozenset({LOUNGE, AFK}),
    people=People(player_roles=frozenset({PLAYERS}), admin_users=frozenset({9})),
    afk_channel_id=AFK,
)


def member(user: int, channel: int | None = LOUNGE, **more: bool) -> VoiceMember:
    return VoiceMember(
        user_id=user,
        channel_id=channel,
        role_ids=frozenset({PLAYERS}) if more.get("allowed", True) else frozenset(),
        is_bot=more.get("bot", False),
        name=f"name{user}",
    )


@pytest.mark.parametrize(
    ("someone", "counts"),
    [
        (member(1), True),
        (member(9, allowed=False), True),
        (member(2, allowed=False), False),
        (member(3, OTHER), False),
        (member(4, AFK), False),
        (member(5, None), False),
        (member(6, bot=True), False),
    ],
)
def test_only_allowed_people_in_watched_channels_count(someone: VoiceMember, counts: bool) -> None:
    assert WATCHED.counts(someone) is counts
    assert (someone.user_id in reconcile([someone], WATCHED).members) is counts


def test_the_order_of_what_discord_tells_changes_nothing() -> None:
    crowd = [member(1), member(2, OTHER), member(3, bot=True), member(4)]
    found = [reconcile(states, WATCHED) for states in itertools.permutations(crowd)]
    assert all(one == found[0] for one in found)
    assert found[0].count == 2


def test_an_unavailable_guild_is_unknown_and_not_empty() -> None:
    before = reconcile([member(1)], WATCHED)
    away = reconcile(None, WATCHED, before)
    assert (away.known, away.count) == (False, None)
    assert reports(away, reconciled=True) == (VoiceReport(unknown=frozenset({"1"})),)


def test_of_what_never_was_known_nothing_is_told() -> None:
    assert reports(NOBODY_KNOWN, reconciled=True) == ()
    assert reports(reconcile(None, WATCHED), reconciled=False) == ()


def test_an_empty_channel_is_told_as_empty() -> None:
    assert reports(reconcile([], WATCHED), reconciled=False) == (VoiceReport(),)


def test_coming_and_going_is_followed() -> None:
    here = moved(member(1), WATCHED, Present(known=True))
    both = moved(member(2), WATCHED, here)
    assert both.count == 2
    assert moved(member(1, OTHER), WATCHED, both).members == {2: "name2"}
    assert moved(member(2, None), WATCHED, both).members == {1: "name1"}
    assert moved(member(7, OTHER), WATCHED, both) == both


def test_a_move_makes_nothing_known() -> None:
    assert moved(member(1), WATCHED, NOBODY_KNOWN).known is False


def test_whoever_is_reconciled_has_not_just_come_in() -> None:
    present = reconcile([member(1)], WATCHED)
    doubted, told = reports(present, reconciled=True)
    assert (dict(doubted.present), doubted.unknown) == ({}, frozenset({"1"}))
    assert dict(told.present) == {"1": ""}
    [entered] = reports(present, reconciled=False)
    assert entered == told


def test_names_are_told_only_where_somebody_wants_them() -> None:
    present = reconcile([member(1)], WATCHED)
    [discreet] = reports(present, reconciled=False)
    [open_one] = reports(present, reconciled=False, names=True)
    assert dict(discreet.present) == {"1": ""}
    assert dict(open_one.present) == {"1": "name1"}
