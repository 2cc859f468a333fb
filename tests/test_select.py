"""The mode of a host."""

from homeassistant.components.select import (
    ATTR_OPTION,
    DOMAIN as SELECT,
    SERVICE_SELECT_OPTION,
)
from homeassistant.const import ATTR_ENTITY_ID, Platform
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry
from syrupy.assertion import SnapshotAssertion

from custom_components.cubeguardian.guardian import Caller, Mode

from .conftest import Load
from .machines import FakeMachines
from .portraits import attribute_of, portraits, state_of

MODE = "select.attic_mode"


async def choose(hass: HomeAssistant, option: str) -> None:
    """Choose a mode."""
    await hass.services.async_call(
        SELECT,
        SERVICE_SELECT_OPTION,
        {ATTR_ENTITY_ID: MODE, ATTR_OPTION: option},
        blocking=True,
    )
    await hass.async_block_till_done()


async def test_a_new_host_follows_commands_only(
    hass: HomeAssistant, load: Load, config_entry: MockConfigEntry, snapshot: SnapshotAssertion
) -> None:
    await load(Platform.SELECT)
    assert portraits(hass, config_entry.entry_id) == snapshot


async def test_maintenance_is_chosen_and_left_again(
    hass: HomeAssistant, load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    await load(Platform.SELECT)
    await machines.seen()
    await choose(hass, "maintenance")
    assert state_of(hass, MODE) == "maintenance"
    assert config_entry.runtime_data.guardian.snapshot.mode is Mode.MAINTENANCE
    await choose(hass, "manual")
    assert state_of(hass, MODE) == "manual"


async def test_the_reason_of_a_maintenance_is_shown(
    hass: HomeAssistant, load: Load, config_entry: MockConfigEntry
) -> None:
    await load(Platform.SELECT)
    guardian = config_entry.runtime_data.guardian
    guardian.set_mode(Mode.MAINTENANCE, "new disks", Caller(name="Robin"))
    await hass.async_block_till_done()
    assert attribute_of(hass, MODE, "reason") == "new disks"


async def test_automatic_is_chosen_and_wakes_nothing_by_itself(
    hass: HomeAssistant, load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    await load(Platform.SELECT)
    await machines.seen()
    await choose(hass, "automatic")
    await machines.seen()
    assert state_of(hass, MODE) == "automatic"
    assert config_entry.runtime_data.guardian.snapshot.mode is Mode.AUTOMATIC
    assert machines.calls == []
