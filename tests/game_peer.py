"""Fixtures of the tests about what is said in the game: a real peer for each way of managing."""

from collections.abc import AsyncIterator

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .consoles import ADDRESS, GAME, OTHER_ADDRESS, OTHER_GAME, manage
from .machines import FakeMachines
from .server_manager.management_server import SECRET as PROTOCOL_SECRET, ManagementServer
from .server_manager.rcon_server import SECRET as RCON_SECRET, RconServer


@pytest.fixture
async def rcon() -> AsyncIterator[RconServer]:
    """Run the remote console of Survival."""
    async with RconServer(players=["Alex"]).running() as server:
        yield server


@pytest.fixture
async def protocol() -> AsyncIterator[ManagementServer]:
    """Run the management port of Creative."""
    async with ManagementServer().running() as server:
        yield server


@pytest.fixture
def managed(
    hass: HomeAssistant,
    config_entry: MockConfigEntry,
    machines: FakeMachines,
    rcon: RconServer,
    protocol: ManagementServer,
) -> MockConfigEntry:
    """Return a host that is up, with one game server for each way of managing."""
    config_entry.add_to_hass(hass)
    manage(hass, config_entry, GAME, kind="rcon", port=rcon.port, secret=RCON_SECRET)
    manage(
        hass,
        config_entry,
        OTHER_GAME,
        kind="protocol",
        port=protocol.port,
        secret=PROTOCOL_SECRET,
        tls=False,
    )
    machines.host_up()
    for address in (ADDRESS, OTHER_ADDRESS):
        machines.game_up(address)
    return config_entry
