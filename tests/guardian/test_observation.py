"""What sightings add up to."""

from dataclasses import replace
from datetime import timedelta

import pytest

from custom_components.cubeguardian.guardian.observation import (
    GameSighting,
    GameSurroundings,
    GuestSighting,
    HostSighting,
    Judgement,
    Presence,
    judge_game,
    judge_host,
)

from .world import SECOND, START

UP, STARTING, DOWN, UNKNOWN = Presence


def host(*, ping: bool | None, port: bool | None, watched: bool = True) -> HostSighting:
    return HostSighting(seen_at=START, ping=ping, port=port, watched_port=watched)


ANSWER = host(ping=True, port=True)
PING_ALONE = host(ping=True, port=False)
MISS = host(ping=False, port=False)
NO_NETWORK = HostSighting(seen_at=START, ping=False, port=False, network=False)
HUNG = replace(MISS, draws_power=True)
UNPOWERED = replace(MISS, draws_power=False)


@pytest.mark.parametrize(
    ("sightings", "presence"),
    [
        ([ANSWER], UP),
        ([host(ping=False, port=True)], UP),
        ([MISS], UNKNOWN),
        ([MISS, MISS], DOWN),
        ([MISS, ANSWER, MISS], UP),
        ([ANSWER, MISS], UP),
        ([ANSWER, MISS, MISS], DOWN),
        ([ANSWER, PING_ALONE], UP),
        ([ANSWER, PING_ALONE, PING_ALONE], STARTING),
        ([ANSWER, PING_ALONE, MISS], UP),
        ([ANSWER, PING_ALONE, PING_ALONE, MISS], STARTING),
        ([ANSWER, PING_ALONE, MISS, MISS], DOWN),
        ([MISS, MISS, PING_ALONE], STARTING),
        ([MISS, MISS, ANSWER], UP),
        ([ANSWER, NO_NETWORK], UNKNOWN),
        ([MISS, NO_NETWORK, MISS], UNKNOWN),
        ([host(ping=None, port=False)] * 2, DOWN),
        ([host(ping=None, port=None)] * 2, UNKNOWN),
        ([host(ping=True, port=None, watched=False)], UP),
        ([host(ping=False, port=None, watched=False)] * 2, DOWN),
        ([host(ping=None, port=None, watched=False)] * 2, UNKNOWN),
    ],
)
def test_a_host_by_its_sightings(sightings: list[HostSighting], presence: Presence) -> None:
    judgement = Judgement()
    for sighting in sightings:
        judgement = judge_host(sighting, judgement)
    assert judgement.presence is presence


@pytest.mark.parametrize(
    ("sightings", "presence"),
    [
        ([ANSWER, HUNG], UP),
        ([ANSWER, HUNG, HUNG], STARTING),
        ([ANSWER, *[HUNG] * 20], STARTING),
        ([PING_ALONE, HUNG, HUNG], STARTING),
        ([ANSWER, HUNG, HUNG, UNPOWERED], DOWN),
        ([ANSWER, HUNG, HUNG, MISS], DOWN),
        ([ANSWER, HUNG, HUNG, ANSWER], UP),
        ([ANSWER, UNPOWERED, UNPOWERED], DOWN),
        ([MISS, MISS, HUNG, HUNG], DOWN),
        ([HUNG, HUNG], DOWN),
    ],
)
def test_what_was_there_and_still_draws_power_is_not_down(
    sightings: list[HostSighting], presence: Presence
) -> None:
    judgement = Judgement()
    for sighting in sightings:
        judgement = judge_host(sighting, judgement)
    assert judgement.presence is presence


@pytest.mark.parametrize(
    ("sighting", "hung"),
    [
        (HUNG, True),
        (MISS, False),
        (UNPOWERED, False),
        (replace(ANSWER, draws_power=True), False),
        (replace(PING_ALONE, draws_power=True), False),
        (replace(NO_NETWORK, draws_power=True), False),
        (replace(host(ping=None, port=None), draws_power=True), False),
        (replace(host(ping=None, port=False), draws_power=True), True),
    ],
)
def test_only_silence_on_everything_under_power_is_hung(sighting: HostSighting, hung: bool) -> None:
    assert sighting.hung is hung


def game(answers: bool | None) -> GameSighting:
    return GameSighting(seen_at=START, answers=answers)


ON_HOST = GameSurroundings(host=UP, seen_at=START, has_guest=True, guest_running=True)
STOPPED = GameSurroundings(host=UP, seen_at=START, has_guest=True, guest_running=False)
UNSEEN = GameSurroundings(host=UP, seen_at=START, has_guest=True)
NO_GUEST = GameSurroundings(host=UP, seen_at=START)
ASLEEP = GameSurroundings(host=DOWN, seen_at=START)
BOOTING = GameSurroundings(host=STARTING, seen_at=START, has_guest=True)
YES, SILENT, NOBODY_KNOWS = game(True), game(False), game(None)


@pytest.mark.parametrize(
    ("sightings", "around", "presence"),
    [
        ([YES], ON_HOST, UP),
        ([YES], ASLEEP, UP),
        ([YES, None], ASLEEP, DOWN),
        ([YES, None], STOPPED, DOWN),
        ([YES, None], UNSEEN, UP),
        ([YES, SILENT], ON_HOST, UP),
        ([YES, SILENT, SILENT], ON_HOST, STARTING),
        ([YES, SILENT], STOPPED, DOWN),
        ([YES, NOBODY_KNOWS], ON_HOST, UNKNOWN),
        ([SILENT], ON_HOST, STARTING),
        ([SILENT], NO_GUEST, STARTING),
        ([SILENT], UNSEEN, UNKNOWN),
        ([SILENT], BOOTING, UNKNOWN),
        ([SILENT], ASLEEP, DOWN),
        ([NOBODY_KNOWS], STOPPED, DOWN),
        ([None], UNSEEN, UNKNOWN),
    ],
)
def test_a_game_server_by_its_sightings_and_what_is_around(
    sightings: list[GameSighting | None], around: GameSurroundings, presence: Presence
) -> None:
    judgement = Judgement()
    for sighting in sightings:
        judgement = judge_game(sighting, around, judgement)
    assert judgement.presence is presence


@pytest.mark.parametrize(
    ("sighting", "around", "presence"),
    [
        (SILENT, UNSEEN, STARTING),
        (None, STOPPED, STARTING),
        (None, ASLEEP, STARTING),
        (None, UNSEEN, UNKNOWN),
        (NOBODY_KNOWS, UNSEEN, UNKNOWN),
        (YES, UNSEEN, UP),
    ],
)
def test_a_silent_server_is_starting_once_its_guest_is_seen_to_run(
    sighting: GameSighting | None, around: GameSurroundings, presence: Presence
) -> None:
    before = judge_game(sighting, around, Judgement())
    assert judge_game(None, ON_HOST, before).presence is presence


def test_a_judgement_becomes_unknown_with_time() -> None:
    judgement = judge_host(ANSWER, Judgement())
    patience = timedelta(seconds=90)
    assert judgement.at(START + patience - SECOND, patience) is UP
    assert judgement.at(START + patience, patience) is UNKNOWN
    assert Judgement().at(START, patience) is UNKNOWN


def test_a_guest_that_is_gone_is_stopped_and_one_that_was_not_read_is_unknown() -> None:
    seen = HostSighting(seen_at=START, guests=(GuestSighting(vmid=101, running=True),))
    assert [seen.guest_running(vmid) for vmid in (101, 102, None)] == [True, False, None]
    assert HostSighting(seen_at=START).guest_running(101) is None
