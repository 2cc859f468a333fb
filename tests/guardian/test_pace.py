"""What was learned of wakes and stops, and what it says of one that is under way."""

from datetime import timedelta
from itertools import pairwise
import json
from random import Random

import pytest

from custom_components.cubeguardian.guardian.pace import (
    DEFAULTS,
    GAME_ROUTE,
    HOST_ROUTE,
    KEPT,
    Estimate,
    Learned,
    Leg,
    Route,
)

from .world import START


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def learned(leg: Leg, *durations: float) -> Learned:
    known = Learned()
    for one in durations:
        known = known.add(leg, seconds(one))
    return known


@pytest.mark.parametrize(
    ("leg", "durations", "expected"),
    [
        (Leg.PACKET_TO_API, (), 120),
        (Leg.PACKET_TO_PING, (), 90),
        (Leg.PING_TO_API, (), 30),
        (Leg.API_TO_GAME, (), 60),
        (Leg.STOP, (), 60),
        (Leg.STOP, (20,), 20),
        (Leg.STOP, (20, 30), 25),
        (Leg.STOP, (20, 400, 30), 30),
        (Leg.STOP, (500,) * 8 + (10,) * 10, 10),
    ],
)
def test_the_median_of_what_was_learned_or_else_a_default(
    leg: Leg, durations: tuple[float, ...], expected: float
) -> None:
    assert learned(leg, *durations).expected(leg) == seconds(expected)


@pytest.mark.parametrize("route", [HOST_ROUTE, GAME_ROUTE])
def test_the_parts_of_a_way_add_up_to_the_whole(route: Route) -> None:
    assert DEFAULTS[route.first] + DEFAULTS[route.second] == DEFAULTS[route.whole]


def test_only_the_last_ten_are_kept() -> None:
    known = learned(Leg.STOP, *range(14))
    assert known.seconds[Leg.STOP] == tuple(range(4, 14))
    assert len(known.seconds[Leg.STOP]) == KEPT


def test_a_part_that_was_never_seen_is_a_share_of_the_whole() -> None:
    known = learned(Leg.PACKET_TO_API, 40)
    assert known.expected(Leg.PING_TO_API) == seconds(10)
    assert known.add(Leg.PING_TO_API, seconds(3)).expected(Leg.PING_TO_API) == seconds(3)


def test_a_host_that_never_shows_a_ping_is_not_waited_for_beyond_it() -> None:
    assert Learned().rest(HOST_ROUTE) == seconds(30)
    hidden = learned(Leg.PACKET_TO_API, 40)
    assert hidden.rest(HOST_ROUTE) == seconds(0)
    assert hidden.add(Leg.PING_TO_API, seconds(7)).rest(HOST_ROUTE) == seconds(7)


def test_a_clock_that_was_set_back_teaches_nothing() -> None:
    assert learned(Leg.STOP, -1) == Learned()


def test_what_was_learned_survives_json() -> None:
    known = learned(Leg.PACKET_TO_API, 61.26, 59).add(Leg.STOP, seconds(12))
    assert Learned.from_dict(json.loads(json.dumps(known.to_dict()))) == known
    assert known.seconds[Leg.PACKET_TO_API] == (61.3, 59)


@pytest.mark.parametrize(
    "spoilt",
    [{"stop": [-1]}, {"stop": [float("nan")]}, {"stop": ["soon"]}, {"stop": None}, {"nap": [1]}],
)
def test_what_is_no_duration_is_not_read(spoilt: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Learned.from_dict(spoilt)


WHOLE = Estimate(known_at=START, due=START + seconds(100))
IN_PARTS = Estimate(known_at=START, due=START + seconds(100), rest=seconds(20))


@pytest.mark.parametrize(
    ("estimate", "now", "ready_in", "progress"),
    [
        (WHOLE, 0, 100, 0),
        (WHOLE, 50, 50, 47.5),
        (WHOLE, 100, 0, 95),
        (WHOLE, 140, 20, 95 + 4 * 40 / 140),
        (WHOLE, 10_000, 4950, 95 + 4 * 99 / 100),
        (WHOLE, -30, 130, 0),
        (IN_PARTS, 50, 50, 47.5),
        (IN_PARTS, 80, 20, 76),
        (IN_PARTS, 90, 20, 95 * 90 / 110),
    ],
)
def test_an_estimate_and_the_clock(
    estimate: Estimate, now: float, ready_in: float, progress: float
) -> None:
    at = START + seconds(now)
    assert estimate.ready_at(at) - at == seconds(ready_in)
    assert estimate.progress(at) == pytest.approx(progress)


@pytest.mark.parametrize("seed", range(200))
def test_progress_never_goes_back_and_never_arrives(seed: int) -> None:
    """Whatever becomes known on the way, and however long it takes."""
    random = Random(seed)
    now, shown = START, []
    estimate = Estimate(known_at=START, due=START + seconds(random.uniform(-50, 300)))
    for _ in range(300):
        now += seconds(random.choice((0, 0.1, 1, 1, 5, 60)))
        if random.random() < 0.05:
            estimate = Estimate(
                known_at=now,
                due=now + seconds(random.uniform(-100, 300)),
                rest=seconds(random.choice((0, 30))),
                floor=estimate.progress(now),
            )
        shown.append(estimate.progress(now))
        assert estimate.ready_at(now) >= now
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(shown))
    assert shown[0] >= 0
    assert shown[-1] < 100
    assert shown[-1] > shown[0]
