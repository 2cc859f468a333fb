"""The sensors of what the host saved, across reloads, restarts and other options."""

from copy import deepcopy
from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.energy.validate import (
    ENERGY_USAGE_DEVICE_CLASSES,
    ENERGY_USAGE_UNITS,
)
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.guardian import HOST, Caller

from .conftest import Load, PassTime
from .machines import FakeMachines
from .portraits import state_of

TIME, ENERGY = "sensor.attic_time_asleep", "sensor.attic_energy_saved"
KEY = "cubeguardian.01HOST"
PLUG = "sensor.plug_power"
ROBIN = Caller(name="Robin")


def totals(hass: HomeAssistant) -> tuple[float, float]:
    """Return the hours asleep and the kWh saved, as they are shown."""
    return float(state_of(hass, TIME)), float(state_of(hass, ENERGY))


async def change_options(
    hass: HomeAssistant, entry: MockConfigEntry, energy: dict[str, Any]
) -> None:
    """Change the energy section, which reloads the host."""
    hass.config_entries.async_update_entry(entry, options={"energy": energy})
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_a_night_asleep_is_counted_until_somebody_wakes_the_host(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    pass_time: PassTime,
) -> None:
    await load()
    await machines.seen()
    assert totals(hass) == (0, 0)
    await pass_time(3600, 30)
    hours, kwh = totals(hass)
    assert hours == pytest.approx(1, abs=0.1)
    assert kwh == pytest.approx(hours * 0.038, abs=0.001)
    await config_entry.runtime_data.guardian.wake(HOST, ROBIN)
    await hass.async_block_till_done(wait_background_tasks=True)
    woken = totals(hass)
    assert woken[0] == pytest.approx(1, abs=0.01)
    machines.host_up()
    await machines.seen()
    await pass_time(3600, 30)
    assert totals(hass) == woken


async def test_a_total_that_is_shown_is_stored(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    hass_storage: dict[str, Any],
    pass_time: PassTime,
) -> None:
    await load()
    await machines.seen()
    for _ in range(8):
        await pass_time(90, 30)
        await hass.async_block_till_done(wait_background_tasks=True)
        stored = hass_storage[KEY]["data"]["savings"]
        assert totals(hass) == (round(stored["asleep"] / 3600, 3), round(stored["saved"], 4))
    assert totals(hass)[0] > 0.1


async def test_while_nobody_knows_nothing_is_counted(
    hass: HomeAssistant, load: Load, machines: FakeMachines, pass_time: PassTime
) -> None:
    await load()
    await machines.seen()
    await pass_time(600, 30)
    machines.network = False
    await pass_time(120, 30)
    before = totals(hass)
    await pass_time(3600, 30)
    assert totals(hass) == before
    machines.network = True
    await pass_time(60, 30)
    assert totals(hass)[0] == pytest.approx(before[0], abs=0.02)


@pytest.mark.parametrize(("asleep_after", "hours"), [(True, 9), (False, 1)])
async def test_a_restart_counts_only_between_two_sights_of_a_sleeping_host(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
    pass_time: PassTime,
    asleep_after: bool,
    hours: float,
) -> None:
    await load()
    await machines.seen()
    await pass_time(3600, 30)
    assert await hass.config_entries.async_unload(config_entry.entry_id)
    freezer.tick(timedelta(hours=8))
    if not asleep_after:
        machines.host_up()
    await load()
    await pass_time(60, 30)
    assert totals(hass)[0] == pytest.approx(hours, abs=0.02)


async def test_a_killed_home_assistant_never_lets_a_shown_total_go_back(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    hass_storage: dict[str, Any],
    pass_time: PassTime,
) -> None:
    await load()
    await machines.seen()
    await pass_time(3500, 30)
    await hass.async_block_till_done(wait_background_tasks=True)
    shown, on_disk = totals(hass), deepcopy(hass_storage[KEY])
    await pass_time(90, 30)
    assert await hass.config_entries.async_unload(config_entry.entry_id)
    hass_storage[KEY] = on_disk
    assert await hass.config_entries.async_setup(config_entry.entry_id)
    assert totals(hass) == shown
    await pass_time(60, 30)
    assert totals(hass)[0] == pytest.approx(1, abs=0.02)


async def test_other_options_keep_the_totals_and_count_from_then_on(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    pass_time: PassTime,
) -> None:
    await load()
    await machines.seen()
    await pass_time(3600, 30)
    await change_options(hass, config_entry, {"watts_on": 1002.0, "watts_asleep": 2.0})
    await machines.seen()
    hours, kwh = totals(hass)
    assert kwh == pytest.approx(0.038, abs=0.001)
    await pass_time(3600, 30)
    assert totals(hass)[0] - hours == pytest.approx(1, abs=0.1)
    assert totals(hass)[1] - kwh == pytest.approx(1, abs=0.1)


async def test_what_the_power_sensor_measured_counts_even_once_it_is_gone(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    pass_time: PassTime,
) -> None:
    machines.host_up()
    await load()
    await change_options(
        hass, config_entry, {"watts_on": 40.0, "watts_asleep": 2.0, "power_sensor": PLUG}
    )
    hass.states.async_set(PLUG, "0.102", {"unit_of_measurement": "kW"})
    await machines.seen()
    await pass_time(600, 15)
    hass.states.async_set(PLUG, "unavailable")
    await pass_time(600, 15)
    machines.host_down()
    await machines.seen()
    hass.states.async_remove(PLUG)
    await pass_time(3600, 30)
    hours, kwh = totals(hass)
    assert hours > 0.9
    assert kwh == pytest.approx(hours * 0.1, abs=0.001)


async def test_the_energy_dashboard_may_take_the_saved_energy(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    await load()
    await machines.seen()
    state = hass.states.get(ENERGY)
    assert state is not None
    device_class = state.attributes["device_class"]
    assert device_class in ENERGY_USAGE_DEVICE_CLASSES
    assert state.attributes["unit_of_measurement"] in ENERGY_USAGE_UNITS[device_class]
    assert state.attributes["state_class"] == "total_increasing"
