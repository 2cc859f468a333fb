"""What a lease is: its kinds, how each ends, and how it is written down."""

from dataclasses import replace
from datetime import timedelta
import json
from typing import Any

import pytest

from custom_components.cubeguardian.guardian.demand import (
    RULES,
    VETOED,
    Kind,
    Lease,
    Source,
    asked,
    confirmed,
    counted,
    declined,
    doubted,
    ends_with_target,
    is_vetoed,
    lapsing,
    loaded,
    revived,
    timed_out,
)
from custom_components.cubeguardian.guardian.policy import LeaseTimes
from custom_components.cubeguardian.guardian.safety import HOST
from custom_components.cubeguardian.guardian.status import Role

from .world import START

TIMES = LeaseTimes()
MINUTE = timedelta(minutes=1)
PULSES = {
    Source.SWITCH: 30,
    Source.ACTION: 30,
    Source.DISCORD: 15,
    Source.KNOCK: 10,
    Source.SCALER: 10,
    Source.CANCELLED: 60,
}
WATCHED = {Source.PLAYERS, Source.RELAY, Source.VOICE, Source.ENTITY}
TOLD = {Source.KEEP_AWAKE, Source.FOUND}


def lease(source: Source, **fields: Any) -> Lease:
    return replace(Lease(source=source, target=HOST, who="x", since=START), **fields)


def test_every_source_has_its_kind() -> None:
    kinds = {source: rule.kind for source, rule in RULES.items()}
    assert kinds == {
        **dict.fromkeys(PULSES, Kind.PULSE),
        **dict.fromkeys(WATCHED, Kind.WATCHED),
        **dict.fromkeys(TOLD, Kind.TOLD),
    }
    assert set(kinds) == set(Source)


@pytest.mark.parametrize("source", Source)
def test_a_lease_knows_whether_it_is_a_pulse_and_whether_it_is_watched(source: Source) -> None:
    assert lease(source).is_pulse is (source in PULSES)
    assert lease(source).is_watched is (source in WATCHED)


@pytest.mark.parametrize(("source", "minutes"), PULSES.items())
def test_a_pulse_lasts_its_time_from_when_its_target_is_ready(source: Source, minutes: int) -> None:
    pulse = asked(source, HOST, "Alex", TIMES, START)
    assert (pulse.who, pulse.name, pulse.since) == ("Alex", "Alex", START)
    if source is Source.CANCELLED:
        assert not pulse.awaits_ready
        assert pulse.until == START + 60 * MINUTE
        return
    assert pulse.awaits_ready
    assert pulse.until is None
    ready = counted(pulse, TIMES, START + MINUTE)
    assert not ready.awaits_ready
    assert ready.until == START + MINUTE + minutes * MINUTE


def test_what_was_found_lasts_four_hours_or_as_the_house_decided() -> None:
    found = lease(Source.FOUND)
    assert counted(found, TIMES, START).until == START + timedelta(hours=4)
    assert counted(found, LeaseTimes(found=None), START).until is None


@pytest.mark.parametrize("source", [*PULSES, Source.KEEP_AWAKE])
def test_a_stop_command_ends_pulses_and_keep_awake(source: Source) -> None:
    assert declined(lease(source, until=START + MINUTE)) is None


@pytest.mark.parametrize("source", sorted(WATCHED))
def test_what_is_still_true_after_a_stop_command_is_declined_without_an_end(
    source: Source,
) -> None:
    left = declined(lease(source, unknown=True, until=START + MINUTE))
    assert left is not None
    assert left.declined
    assert left.until is None
    assert not left.is_live(START)


def test_a_declined_find_keeps_its_end() -> None:
    left = declined(lease(Source.FOUND, until=START + MINUTE))
    assert left is not None
    assert left.until == START + MINUTE


def test_what_was_declined_counts_again_when_its_target_is_wanted_again() -> None:
    known = revived(lease(Source.ENTITY, declined=True), TIMES, START)
    assert not known.declined
    assert known.until is None
    doubtful = revived(lease(Source.ENTITY, declined=True, unknown=True), TIMES, START)
    assert doubtful.until == START + TIMES.unknown
    untouched = lease(Source.ENTITY, unknown=True, until=START + MINUTE)
    assert revived(untouched, TIMES, START) is untouched


@pytest.mark.parametrize("source", sorted(WATCHED))
def test_what_is_watched_is_unknown_for_half_an_hour_after_a_start(source: Source) -> None:
    back = loaded(lease(source, until=START - MINUTE), TIMES, START)
    assert back.unknown
    assert back.until == START + 30 * MINUTE


def test_what_was_declined_comes_back_declined_and_needs_no_end() -> None:
    back = loaded(lease(Source.ENTITY, declined=True), TIMES, START)
    assert back.declined
    assert back.unknown
    assert back.until is None


@pytest.mark.parametrize("source", sorted({*PULSES, *TOLD}))
def test_what_was_told_comes_back_as_it_was_stored(source: Source) -> None:
    stored = lease(source, until=START + MINUTE)
    assert loaded(stored, TIMES, START) is stored


def test_a_second_doubt_does_not_give_more_time() -> None:
    doubtful = doubted(lease(Source.RELAY), TIMES, START)
    assert doubted(doubtful, TIMES, START + 20 * MINUTE) is doubtful


def test_what_is_confirmed_has_no_end_any_more_but_stays_declined() -> None:
    sure = confirmed(doubted(lease(Source.RELAY), TIMES, START), "Alex")
    assert (sure.unknown, sure.until, sure.name) == (False, None, "Alex")
    assert confirmed(lease(Source.RELAY, declined=True, unknown=True), "").declined


def test_a_name_is_kept_where_nobody_knows_a_newer_one() -> None:
    named = lease(Source.PLAYERS, name="Alex")
    assert confirmed(named, "").name == "Alex"
    assert confirmed(named, "Alex, Steve").name == "Alex, Steve"


def test_a_voice_lease_lapses_45_minutes_after_the_last_of_ready_and_entered() -> None:
    voice = lease(Source.VOICE)
    assert lapsing(voice, START + MINUTE, TIMES).until == START + 46 * MINUTE
    assert lapsing(voice, START - MINUTE, TIMES).until == START + 45 * MINUTE
    assert lapsing(lapsing(voice, START, TIMES), None, TIMES).until is None


@pytest.mark.parametrize(
    "other",
    [
        lease(Source.ENTITY),
        lease(Source.SWITCH, until=START + MINUTE),
        lease(Source.FOUND, until=START + MINUTE),
        lease(Source.VOICE, declined=True),
        lease(Source.VOICE, unknown=True, until=START + MINUTE),
    ],
)
def test_nothing_else_lapses(other: Lease) -> None:
    assert lapsing(other, START, TIMES) is other


def test_a_lapsed_voice_lease_is_declined_and_everything_else_is_over_with_its_time() -> None:
    lapsed = timed_out(lease(Source.VOICE, until=START))
    assert lapsed is not None
    assert lapsed.declined
    assert timed_out(lease(Source.VOICE, until=START, unknown=True)) is None
    assert timed_out(lease(Source.SWITCH, until=START)) is None
    assert timed_out(lease(Source.KEEP_AWAKE, until=START)) is None
    assert timed_out(lease(Source.FOUND, until=START)) is None


def test_a_lease_is_over_at_its_end_and_not_before() -> None:
    timed = lease(Source.SWITCH, until=START + MINUTE)
    assert timed.is_live(START + MINUTE - timedelta(seconds=1))
    assert not timed.is_live(START + MINUTE)
    assert timed.is_over(START + MINUTE)
    assert not lease(Source.ENTITY).is_over(START + timedelta(days=99))


@pytest.mark.parametrize("source", Source)
def test_what_goes_with_its_target(source: Source) -> None:
    goes = source in {*PULSES, Source.PLAYERS, Source.FOUND}
    assert ends_with_target(lease(source)) is goes
    assert ends_with_target(lease(source, unknown=True))
    assert ends_with_target(lease(source, unknown=True, declined=True)) is goes


@pytest.mark.parametrize("source", Source)
@pytest.mark.parametrize("role", Role)
def test_a_veto_forbids_only_players_and_only_what_is_vetoed(source: Source, role: Role) -> None:
    forbidden = {Source.KNOCK, Source.VOICE, Source.SCALER, Source.DISCORD}
    assert forbidden == VETOED
    assert is_vetoed(source, role) is (role is Role.PLAYER and source in forbidden)


@pytest.mark.parametrize("source", Source)
def test_a_lease_survives_json(source: Source) -> None:
    full = lease(
        source,
        name="Alex",
        until=START + MINUTE,
        awaits_ready=True,
        declined=True,
        unknown=True,
    )
    for one in (full, lease(source)):
        assert Lease.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_a_stored_lease_of_an_unknown_source_is_refused() -> None:
    stored = lease(Source.FOUND).to_dict()
    with pytest.raises(ValueError, match="rumour"):
        Lease.from_dict({**stored, "source": "rumour"})


def test_keys_tell_source_target_and_who_apart() -> None:
    keys = {
        lease(Source.VOICE).key,
        lease(Source.RELAY).key,
        lease(Source.VOICE, target="survival").key,
        lease(Source.VOICE, who="y").key,
    }
    assert len(keys) == 4
    assert lease(Source.VOICE, since=START + MINUTE, name="other").key in keys
