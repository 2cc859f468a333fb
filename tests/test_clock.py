"""What a clock that is set back must not do."""

from collections import Counter
from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .conftest import Load
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
