"""What players may not bring about, however they ask."""

from datetime import timedelta

import pytest

from custom_components.cubeguardian.guardian import (
    HOST,
    LeaseTimes,
    Mode,
    Policy,
    RefusalReason,
    Refused,
    Source,
    State,
)
from custom_components.cubeguardian.guardian.engine import NOTED_MOST
from custom_components.cubeguardian.guardian.journal import MAX_ENTRIES

from .world import ADMIN, HOME, PLAYER, World

AUTOMATIC = Policy(automatic=True, times=LeaseTimes(found=None))
HALF_AN_HOUR = timedelta(minutes=30)


async def test_a_veto_stops_players_who_would_wake_the_host_by_keeping_it_awake() -> None:
    world = await World(policy=AUTOMATIC).asleep()
    world.guardian.set_vetoes({"binary_sensor.night": "Quiet hours"})
    with pytest.raises(Refused) as refused:
        world.guardian.keep_awake(True, PLAYER, HALF_AN_HOUR)
    assert refused.value.reason is RefusalReason.FORBIDDEN
    assert refused.value.placeholders == {"reason": "Quiet hours"}
    await world.rest()
    assert world.host.asked == []
    world.guardian.keep_awake(True, ADMIN, HALF_AN_HOUR)
    await world.rest()
    assert world.host.asked == ["wake"]


async def test_under_a_veto_players_may_keep_up_what_is_up() -> None:
    world = await World(policy=AUTOMATIC).awake()
    world.guardian.set_vetoes({"binary_sensor.night": "Quiet hours"})
    world.guardian.keep_awake(True, PLAYER, HALF_AN_HOUR)
    await world.watch(25)
    assert world.view.state is State.RUNNING


@pytest.mark.parametrize("who", [PLAYER, ADMIN])
async def test_nobody_on_discord_shortens_how_long_the_host_is_kept_awake(who: object) -> None:
    world = await World(policy=AUTOMATIC).awake()
    world.guardian.keep_awake(True, HOME)
    world.guardian.keep_awake(True, who, HALF_AN_HOUR)  # type: ignore[arg-type]
    kept = world.guardian.snapshot.keep_awake
    assert kept is not None
    assert (kept.until, kept.name) == (None, HOME.name)
    world.guardian.keep_awake(True, HOME, HALF_AN_HOUR)
    shorter = world.guardian.snapshot.keep_awake
    assert shorter is not None
    assert shorter.until is not None
    world.guardian.keep_awake(True, PLAYER, 2 * HALF_AN_HOUR)
    longer = world.guardian.snapshot.keep_awake
    assert longer is not None
    assert longer.until == shorter.until + HALF_AN_HOUR


async def test_whoever_asks_for_much_hides_nothing_that_was_done() -> None:
    world = await World(policy=AUTOMATIC).asleep()
    await world.guardian.wake(HOST, HOME)
    before = world.guardian.snapshot.journal
    assert before
    for number in range(300):
        world.guardian.note("discord_command", PLAYER, {"number": str(number)})
    journal = world.guardian.snapshot.journal
    assert journal[: len(before)] == before
    noted = [one.details["number"] for one in journal if one.kind == "discord_command"]
    assert noted == [str(number) for number in range(250, 300)]


async def test_the_mode_before_maintenance_is_written_down_with_it() -> None:
    world = World(policy=AUTOMATIC)
    world.guardian.set_mode(Mode.MANUAL, "", HOME)
    world.guardian.set_mode(Mode.MAINTENANCE, "New disk", HOME)
    changes = [one.details["before"] for one in world.guardian.snapshot.journal]
    assert changes == ["automatic", "manual"]


async def test_a_voice_channel_nobody_can_see_is_told_of_once_and_without_names() -> None:
    world = await World(policy=AUTOMATIC).awake()
    there = {"1": "Alex", "2": "Kim"}
    world.guardian.report(Source.VOICE, HOST, {})
    world.guardian.report(Source.VOICE, HOST, there)
    world.guardian.report(Source.VOICE, HOST, {}, frozenset(there))
    world.events.clear()
    await world.watch(29)
    assert world.view.state is State.RUNNING
    await world.watch(2)
    lost = [one for one in world.events if one.kind == "demand_unknown"]
    assert [one.placeholders for one in lost] == [{"source": "voice"}]


async def test_whoever_is_refused_again_and_again_hides_nothing_in_the_journal() -> None:
    world = await World(policy=AUTOMATIC).asleep()
    world.guardian.note("something_that_matters", HOME, {})
    world.guardian.set_vetoes({"binary_sensor.night": "Quiet hours"})
    for _ in range(2 * MAX_ENTRIES):
        with pytest.raises(Refused):
            await world.guardian.wake(HOST, PLAYER, Source.DISCORD)
    kinds = [entry.kind for entry in world.guardian.snapshot.journal]
    assert kinds.count("refused") == NOTED_MOST
    assert "something_that_matters" in kinds
