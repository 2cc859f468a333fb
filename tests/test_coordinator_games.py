"""When a game server is asked, and what is made of its answers."""

from collections import Counter

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.coordinator import MinecraftCoordinator
from custom_components.cubeguardian.server_manager import (
    HostConnectionError,
    HostTimeoutError,
    MinecraftProtocolError,
    NameNotFoundError,
    NetworkUnavailableError,
    PortClosedError,
    ServerManagerError,
)

from .conftest import Load, PassTime
from .machines import SURVIVAL, FakeMachines


def game(entry: MockConfigEntry) -> MinecraftCoordinator:
    """Return what watches Survival."""
    found: MinecraftCoordinator = entry.runtime_data.games["01SURVIVAL"]
    return found


async def test_a_game_server_is_not_asked_any_more_once_its_host_is_down(
    load: Load,
    machines: FakeMachines,
    asked: Counter[str],
    pass_time: PassTime,
    config_entry: MockConfigEntry,
) -> None:
    machines.everything_up()
    await load()
    await machines.seen()
    machines.host_down()
    await pass_time(60, 15)
    asked.clear()
    await pass_time(120, 15)
    assert asked["minecraft_status"] == 0
    assert game(config_entry).update_interval is None
    assert game(config_entry).data.status is None


async def test_a_refresh_of_a_sleeping_hosts_game_server_asks_nothing(
    load: Load, machines: FakeMachines, asked: Counter[str], config_entry: MockConfigEntry
) -> None:
    await load()
    asked.clear()
    await game(config_entry).async_refresh()
    assert not asked


@pytest.mark.parametrize(
    ("error", "answers", "port_open"),
    [
        (HostTimeoutError("silent", port_open=True), False, True),
        (HostTimeoutError("filtered", port_open=None), False, None),
        (MinecraftProtocolError("a web server", port=25565), False, True),
        (PortClosedError("refused"), False, False),
        (HostConnectionError("no route"), False, None),
        (PortClosedError("refused"), False, False),
        (HostConnectionError("no route to it"), False, None),
        (NetworkUnavailableError("no network"), None, None),
        (NameNotFoundError("no such name"), None, None),
    ],
)
async def test_each_silence_of_a_game_server_tells_what_it_can(
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    error: ServerManagerError,
    answers: bool | None,
    port_open: bool | None,
) -> None:
    machines.host_up()
    machines.games[SURVIVAL] = error
    await load()
    await machines.glance()
    data = game(config_entry).data
    assert (data.answers, data.port_open, data.error) == (answers, port_open, error)
