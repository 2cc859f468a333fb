"""The buttons of the host and of its game servers."""

from datetime import timedelta

from homeassistant.components.button import DOMAIN as BUTTON, SERVICE_PRESS
from homeassistant.const import ATTR_ENTITY_ID, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from syrupy.assertion import SnapshotAssertion

from custom_components.cubeguardian.guardian import HOST, Caller, State
from custom_components.cubeguardian.server_manager import PermissionDeniedError

from .conftest import Load
from .machines import SURVIVAL, FakeMachines
from .portraits import portraits

CANCEL = "button.attic_cancel_shutdown"
RESTART = "button.attic_restart"
RESTART_GAME = "button.survival_restart"
RESTART_UNKNOWN_GUEST = "button.creative_restart"


async def press(hass: HomeAssistant, entity_id: str) -> None:
    """Press a button."""
    await hass.services.async_call(
        BUTTON, SERVICE_PRESS, {ATTR_ENTITY_ID: entity_id}, blocking=True
    )
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_buttons_are_there_while_everything_sleeps(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    snapshot: SnapshotAssertion,
) -> None:
    await load(Platform.BUTTON)
    await machines.seen()
    assert portraits(hass, config_entry.entry_id) == snapshot


async def test_a_countdown_is_cancelled(
    hass: HomeAssistant, load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    machines.host_up()
    await load(Platform.BUTTON)
    await machines.seen()
    guardian = config_entry.runtime_data.guardian
    await guardian.shut_down(HOST, Caller(name="Robin"), timedelta(minutes=5))
    assert guardian.snapshot.host.state is State.COUNTDOWN
    await press(hass, CANCEL)
    assert guardian.snapshot.host.state is State.RUNNING


async def test_there_may_be_nothing_to_cancel(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    await load(Platform.BUTTON)
    await machines.seen()
    with pytest.raises(ServiceValidationError) as refused:
        await press(hass, CANCEL)
    assert refused.value.translation_key == "nothing_to_cancel"


async def test_the_host_is_restarted(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    await load(Platform.BUTTON)
    await machines.seen()
    await press(hass, RESTART)
    assert machines.calls == ["stop_guest 101", "reboot"]


async def test_a_sleeping_host_cannot_be_restarted(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    await load(Platform.BUTTON)
    await machines.seen()
    with pytest.raises(ServiceValidationError) as refused:
        await press(hass, RESTART)
    assert refused.value.translation_key == "not_running"
    assert machines.calls == []


async def test_a_game_server_is_restarted_by_its_guest(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL)
    await load(Platform.BUTTON)
    await machines.seen()
    await press(hass, RESTART_GAME)
    assert machines.calls == ["reboot_guest 101"]


async def test_a_restart_that_lacks_a_right_says_so(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    await load(Platform.BUTTON)
    await machines.seen()
    machines.fails("reboot", PermissionDeniedError("Sys.PowerMgmt is missing"))
    with pytest.raises(HomeAssistantError) as failed:
        await press(hass, RESTART)
    assert failed.value.translation_key == "permission_error"
    assert failed.value.translation_placeholders == {"message": "Sys.PowerMgmt is missing"}


async def test_a_game_server_without_a_known_guest_cannot_be_restarted(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    await load(Platform.BUTTON)
    await machines.seen()
    with pytest.raises(ServiceValidationError) as refused:
        await press(hass, RESTART_UNKNOWN_GUEST)
    assert refused.value.translation_key == "no_guest"
