"""What a clock that is set must not do."""

from collections import Counter
from datetime import timedelta
from types import SimpleNamespace

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian import wiring
from custom_components.cubeguardian.guardian import HOST, Caller, Guardian, State

from .conftest import Load, PassTime
from .machines import FakeMachines


async def test_the_host_is_read_on_after_the_clock_was_set_back(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    asked: Counter[str],
    config_entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    machines.host_up()
    await load(Platform.SWITCH)
    await machines.seen()
    freezer.tick(timedelta(hours=-1))
    asked.clear()
    await config_entry.runtime_data.host.async_refresh()
    await hass.async_block_till_done(wait_background_tasks=True)
    assert asked["read_node"] == 1


HOME = Caller(name="Home Assistant")
HALF_AN_HOUR = timedelta(minutes=30)


class SteadyClock:
    """A monotonic clock that only goes on as time passes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 0.0
        monkeypatch.setattr(wiring, "time", SimpleNamespace(monotonic=lambda: self.seconds))

    async def pass_by(self, pass_time: PassTime, machines: FakeMachines, minutes: int) -> None:
        """Let minutes pass on both clocks, with everything seen as it is."""
        for _ in range(minutes):
            self.seconds += 60
            await pass_time(60, 60)
            await machines.glance()


async def counting(load: Load, machines: FakeMachines, entry: MockConfigEntry) -> Guardian:
    """Announce a shutdown for half an hour from now."""
    machines.everything_up()
    await load(Platform.SWITCH)
    await machines.seen()
    guardian: Guardian = entry.runtime_data.guardian
    await guardian.shut_down(HOST, HOME, HALF_AN_HOUR)
    return guardian


@pytest.mark.parametrize("hours", [5, -5])
async def test_an_announced_shutdown_comes_when_it_was_announced_though_the_clock_was_set(
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
    pass_time: PassTime,
    monkeypatch: pytest.MonkeyPatch,
    hours: int,
) -> None:
    clock = SteadyClock(monkeypatch)
    guardian = await counting(load, machines, config_entry)
    await clock.pass_by(pass_time, machines, 10)
    freezer.tick(timedelta(hours=hours))
    await clock.pass_by(pass_time, machines, 19)
    assert guardian.snapshot.host.state is State.COUNTDOWN
    assert machines.calls.count("shut_down") == 0
    await clock.pass_by(pass_time, machines, 2)
    assert machines.calls.count("shut_down") == 1


async def test_half_an_hour_is_half_an_hour_in_the_night_in_which_summer_time_ends(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
    pass_time: PassTime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await hass.config.async_set_time_zone("Europe/Paris")
    freezer.move_to("2026-10-25 00:45:00+00:00")
    clock = SteadyClock(monkeypatch)
    guardian = await counting(load, machines, config_entry)
    announced = guardian.snapshot.host.shutdown_at
    assert announced is not None
    assert dt_util.as_local(announced).strftime("%H:%M") == "02:15"
    await clock.pass_by(pass_time, machines, 29)
    assert dt_util.now().strftime("%H:%M") == "02:14"
    assert machines.calls.count("shut_down") == 0
    await clock.pass_by(pass_time, machines, 2)
    assert machines.calls.count("shut_down") == 1
