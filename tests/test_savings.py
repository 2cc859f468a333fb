"""How the host's sleep is counted, whatever happens to clocks and power sensors."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.cubeguardian.guardian import Presence, State, ThingView
from custom_components.cubeguardian.savings import Rates, Savings, SavingsMeter, async_power

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ASLEEP = ThingView(state=State.OFF, presence=Presence.DOWN, since=NOON)
UP = ThingView(state=State.RUNNING, presence=Presence.UP, since=NOON)
COUNTDOWN = replace(UP, state=State.COUNTDOWN)
UNKNOWN = replace(ASLEEP, presence=Presence.UNKNOWN)
WAKING = replace(ASLEEP, state=State.WAKING)
PLUG = "sensor.plug_power"
HOUR = 3600
RATES = Rates(watts_on=102, watts_asleep=2)
MEASURED = Rates(watts_on=102, watts_asleep=2, power_sensor=PLUG)


@dataclass
class World:
    """Two clocks and a power sensor, and the meter that reads them."""

    now: datetime = NOON
    uptime: float = 1000.0
    watts: float | None = None

    def meter(self, kept: Savings | None = None, rates: Rates = RATES) -> SavingsMeter:
        """Return a meter that has just been started in this world."""
        return SavingsMeter(
            kept or Savings(),
            rates,
            power=lambda: self.watts,
            monotonic=lambda: self.uptime,
            clock=lambda: self.now,
        )

    def wait(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        self.now += timedelta(seconds=seconds)
        self.uptime += seconds

    def watch(self, meter: SavingsMeter, host: ThingView, seconds: float) -> Iterator[bool]:
        """Count now, and every 30 seconds for a while; yield whether that was worth storing."""
        yield meter.count(host)
        for _ in range(round(seconds / 30)):
            self.wait(30)
            yield meter.count(host)

    def see(self, meter: SavingsMeter, host: ThingView, seconds: float = 0) -> int:
        """Watch to the end; return how often there was something to store."""
        return sum(self.watch(meter, host, seconds))


@pytest.fixture
def world() -> World:
    """Return a world at noon."""
    return World()


def test_an_hour_asleep_saves_the_difference_of_the_two_powers(world: World) -> None:
    meter = world.meter()
    world.see(meter, ASLEEP, HOUR)
    assert meter.asleep
    assert meter.kept.asleep == HOUR
    assert meter.kept.saved == pytest.approx(0.1)


def test_a_power_that_would_save_less_than_nothing_saves_nothing(world: World) -> None:
    meter = world.meter(rates=Rates(watts_on=2, watts_asleep=40))
    world.see(meter, ASLEEP, HOUR)
    assert meter.kept.asleep == HOUR
    assert meter.kept.saved == 0


@pytest.mark.parametrize(
    "host",
    [
        pytest.param(UP, id="up"),
        pytest.param(UNKNOWN, id="unknown"),
        pytest.param(WAKING, id="waking"),
        pytest.param(replace(ASLEEP, presence=Presence.STARTING), id="starting"),
        pytest.param(replace(ASLEEP, state=State.FAILED), id="failed"),
        pytest.param(replace(ASLEEP, state=State.STOPPING), id="stopping"),
        pytest.param(replace(UP, state=State.OFF), id="seen before it is judged"),
    ],
)
def test_what_is_not_off_and_seen_down_counts_nothing(world: World, host: ThingView) -> None:
    meter = world.meter()
    world.see(meter, host, HOUR)
    assert not meter.asleep
    assert meter.kept == Savings()


def test_sleep_counts_up_to_the_moment_of_waking(world: World) -> None:
    meter = world.meter()
    world.see(meter, ASLEEP, 60)
    world.wait(20)
    world.see(meter, WAKING, 60)
    assert meter.kept.asleep == 80


@pytest.mark.parametrize("after", [UP, UNKNOWN])
def test_an_interval_that_ends_otherwise_than_down_does_not_count(
    world: World, after: ThingView
) -> None:
    meter = world.meter()
    world.see(meter, ASLEEP, 60)
    world.wait(30)
    world.see(meter, after, 60)
    world.see(meter, ASLEEP)
    assert meter.kept.asleep == 60


def test_a_silence_of_our_own_between_two_sights_does_not_count(world: World) -> None:
    meter = world.meter()
    world.see(meter, ASLEEP, 60)
    world.wait(HOUR)
    world.see(meter, ASLEEP, 60)
    assert meter.kept.asleep == 120


@pytest.mark.parametrize("jump", [timedelta(days=-3), timedelta(hours=1), timedelta(days=40)])
def test_setting_the_clock_saves_no_energy(world: World, jump: timedelta) -> None:
    meter = world.meter()
    world.see(meter, ASLEEP, 60)
    world.now += jump
    world.see(meter, ASLEEP, 60)
    assert meter.kept.asleep == 120
    assert meter.kept.asleep_at == world.now


def restarted(world: World, kept: Savings, rates: Rates = RATES) -> SavingsMeter:
    """Return a meter after a restart of the machine, whose uptime begins anew."""
    world.uptime = 5.0
    return world.meter(Savings.from_dict(kept.to_dict()), rates)


def test_totals_survive_a_restart(world: World) -> None:
    meter = world.meter()
    world.see(meter, ASLEEP, HOUR)
    world.see(meter, UP)
    again = restarted(world, meter.kept)
    assert again.shown == meter.kept
    world.see(again, ASLEEP, HOUR)
    assert again.kept.asleep == 2 * HOUR


def test_a_restart_counts_if_the_host_was_asleep_before_and_is_after(world: World) -> None:
    meter = world.meter()
    world.see(meter, ASLEEP, HOUR)
    world.wait(8 * HOUR)
    again = restarted(world, meter.kept)
    assert world.see(again, UNKNOWN, 60) == 0
    assert again.kept.asleep == HOUR
    assert world.see(again, ASLEEP) == 1
    assert again.shown.asleep == 9 * HOUR
    assert again.shown.saved == pytest.approx(0.9)


@pytest.mark.parametrize("first", [UP, replace(ASLEEP, presence=Presence.STARTING)])
def test_a_restart_that_finds_the_host_awake_counts_nothing(world: World, first: ThingView) -> None:
    meter = world.meter()
    world.see(meter, ASLEEP, HOUR)
    world.wait(8 * HOUR)
    again = restarted(world, meter.kept)
    world.see(again, first)
    world.see(again, ASLEEP)
    assert again.kept.asleep == HOUR


def test_a_host_that_was_awake_before_the_restart_gets_nothing_for_it(world: World) -> None:
    meter = world.meter()
    world.see(meter, ASLEEP, HOUR)
    world.see(meter, UP)
    world.wait(8 * HOUR)
    again = restarted(world, meter.kept)
    world.see(again, ASLEEP)
    assert again.kept.asleep == HOUR


def test_two_restarts_before_the_first_sight_lose_nothing(world: World) -> None:
    meter = world.meter()
    world.see(meter, ASLEEP, HOUR)
    world.wait(HOUR)
    between = restarted(world, meter.kept)
    world.see(between, UNKNOWN)
    world.wait(HOUR)
    again = restarted(world, between.kept)
    world.see(again, ASLEEP)
    assert again.kept.asleep == 3 * HOUR


@pytest.mark.parametrize(
    "away",
    [
        pytest.param(timedelta(days=1, seconds=1), id="a backup from long ago"),
        pytest.param(timedelta(hours=-1), id="a clock that was set back"),
    ],
)
def test_a_gap_that_nobody_can_vouch_for_counts_nothing(world: World, away: timedelta) -> None:
    meter = world.meter()
    world.see(meter, ASLEEP, HOUR)
    world.now += away
    again = restarted(world, meter.kept)
    world.see(again, ASLEEP)
    assert again.kept.asleep == HOUR


def test_what_is_shown_is_what_was_worth_storing(world: World) -> None:
    meter = world.meter()
    assert world.see(meter, ASLEEP) == 1
    assert world.see(meter, ASLEEP, 270) == 0
    assert meter.shown.asleep == 0
    assert world.see(meter, ASLEEP, 30) == 1
    assert meter.shown == meter.kept
    assert meter.shown.asleep == 300
    assert world.see(meter, ASLEEP, 60) == 0
    assert world.see(meter, WAKING) == 1
    assert meter.shown.asleep == 360
    assert world.see(meter, UP, HOUR) == 0


def test_the_measured_average_of_the_running_time_replaces_the_option(world: World) -> None:
    meter = world.meter(rates=MEASURED)
    world.watts = 52.0
    world.see(meter, UP, HOUR)
    world.watts = 82.0
    world.see(meter, COUNTDOWN, HOUR / 2)
    assert meter.watts_running == pytest.approx(62)
    world.watts = 2.0
    world.see(meter, ASLEEP, HOUR)
    assert meter.watts_running == pytest.approx(62)
    assert meter.kept.saved == pytest.approx(0.06)


def test_without_a_measurement_the_option_counts(world: World) -> None:
    meter = world.meter(rates=MEASURED)
    world.see(meter, UP, HOUR)
    world.see(meter, ASLEEP, HOUR)
    assert meter.watts_running == 102
    assert meter.kept.saved == pytest.approx(0.1)


def test_a_power_sensor_that_falls_silent_leaves_the_average_standing(world: World) -> None:
    meter = world.meter(rates=MEASURED)
    world.watts = 52.0
    world.see(meter, UP, HOUR)
    world.watts = None
    world.see(meter, UP, 10 * HOUR)
    assert meter.watts_running == pytest.approx(52)
    assert meter.kept.measured == HOUR


def test_only_an_interval_between_two_sights_of_a_running_host_is_measured(world: World) -> None:
    meter = world.meter(rates=MEASURED)
    world.watts = 52.0
    for _ in range(10):
        world.see(meter, WAKING)
        world.wait(30)
        world.see(meter, UP)
        world.wait(30)
    assert meter.kept.measured == 0
    assert meter.watts_running == 102


def test_the_average_follows_a_host_whose_load_changes_for_good(world: World) -> None:
    long_ago = Savings(mean_watts=50.0, measured=7 * 24 * HOUR, power_sensor=PLUG)
    meter = world.meter(long_ago, MEASURED)
    world.watts = 100.0
    world.see(meter, UP, 7 * 24 * HOUR)
    assert meter.kept.measured == 7 * 24 * HOUR
    assert 80 < meter.watts_running < 84


def test_the_average_survives_a_restart_but_not_another_sensor(world: World) -> None:
    meter = world.meter(rates=MEASURED)
    world.watts = 52.0
    world.see(meter, UP, HOUR)
    world.see(meter, ASLEEP, HOUR)
    assert restarted(world, meter.kept, MEASURED).watts_running == pytest.approx(52)
    for rates in (RATES, replace(MEASURED, power_sensor="sensor.another_plug")):
        changed = restarted(world, meter.kept, rates)
        assert changed.watts_running == 102
        assert changed.kept.saved == meter.kept.saved


@pytest.mark.parametrize(
    ("options", "rates"),
    [
        ({}, Rates(watts_on=40, watts_asleep=2)),
        ({"energy": {"watts": 60}}, Rates(watts_on=40, watts_asleep=2)),
        (
            {"energy": {"watts_on": 90.0, "watts_asleep": 1.5, "power_sensor": PLUG}},
            Rates(watts_on=90, watts_asleep=1.5, power_sensor=PLUG),
        ),
    ],
)
def test_options_that_were_never_set_have_their_defaults(
    options: dict[str, Any], rates: Rates
) -> None:
    assert Rates.from_options(options) == rates


@pytest.mark.parametrize(
    ("state", "unit", "watts"),
    [
        ("52.5", "W", 52.5),
        ("0.0525", "kW", 52.5),
        ("unavailable", "W", None),
        ("unknown", "W", None),
        ("nan", "W", None),
        ("inf", "W", None),
        ("-3", "W", None),
        ("1e9", "W", None),
        ("52.5", "°C", None),
        ("52.5", None, None),
    ],
)
async def test_a_power_sensor_is_believed_only_where_it_makes_sense(
    hass: HomeAssistant, state: str, unit: str | None, watts: float | None
) -> None:
    hass.states.async_set(PLUG, state, {"unit_of_measurement": unit} if unit else {})
    assert async_power(hass, PLUG) == watts


async def test_a_power_sensor_that_does_not_exist_says_nothing(hass: HomeAssistant) -> None:
    assert async_power(hass, PLUG) is None
    assert async_power(hass, None) is None
