"""How long an idle host is given."""

from homeassistant.components.number import ATTR_VALUE, DOMAIN as NUMBER, SERVICE_SET_VALUE
from homeassistant.const import ATTR_ENTITY_ID, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from syrupy.assertion import SnapshotAssertion

from .conftest import Load
from .portraits import portraits, state_of

IDLE_MINUTES = "number.attic_idle_countdown"


async def give(hass: HomeAssistant, minutes: float) -> None:
    """Set the minutes."""
    await hass.services.async_call(
        NUMBER,
        SERVICE_SET_VALUE,
        {ATTR_ENTITY_ID: IDLE_MINUTES, ATTR_VALUE: minutes},
        blocking=True,
    )
    await hass.async_block_till_done()


async def test_an_idle_host_is_given_ten_minutes_at_first(
    hass: HomeAssistant, load: Load, config_entry: MockConfigEntry, snapshot: SnapshotAssertion
) -> None:
    await load(Platform.NUMBER)
    assert portraits(hass, config_entry.entry_id) == snapshot


async def test_the_minutes_are_changed_without_a_reload_and_kept_across_one(
    hass: HomeAssistant, load: Load, config_entry: MockConfigEntry
) -> None:
    await load(Platform.NUMBER)
    before = config_entry.runtime_data
    await give(hass, 45)
    assert state_of(hass, IDLE_MINUTES) == "45"
    assert config_entry.runtime_data is before
    assert before.guardian.snapshot.idle_minutes == 45
    assert await hass.config_entries.async_reload(config_entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, IDLE_MINUTES) == "45"


@pytest.mark.parametrize("minutes", [0, 181])
async def test_the_minutes_have_their_bounds(hass: HomeAssistant, load: Load, minutes: int) -> None:
    await load(Platform.NUMBER)
    with pytest.raises(ServiceValidationError):
        await give(hass, minutes)
    assert state_of(hass, IDLE_MINUTES) == "10"
