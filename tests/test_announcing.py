"""What players read in the game, told to real management ports."""

import asyncio
from datetime import timedelta
import logging

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import pytest_socket

from custom_components.cubeguardian.announcing import LANGUAGES, async_load_texts, filled
from custom_components.cubeguardian.guardian import HOST, Caller, Guardian, State

from .conftest import Load, PassTime
from .consoles import GAME, manage, told
from .flows import placeholders
from .machines import FakeMachines
from .server_manager.management_server import SECRET as PROTOCOL_SECRET, ManagementServer
from .server_manager.rcon_server import RconServer

pytest_plugins = ("tests.game_peer",)

ROBIN = Caller(name="Robin")


@pytest.fixture(autouse=True)
def loopback(socket_enabled: None) -> None:
    """Allow loopback, where the game servers' management ports are."""
    pytest_socket.socket_allow_hosts(["127.0.0.0/8"])


async def _loaded(load: Load, machines: FakeMachines, entry: MockConfigEntry) -> Guardian:
    """Set the host up and see it running."""
    await load()
    await machines.seen()
    found: Guardian = entry.runtime_data.guardian
    assert found.snapshot.host.state is State.RUNNING
    return found


async def test_players_are_told_of_a_countdown_of_its_end_and_of_the_shutdown(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    managed: MockConfigEntry,
    rcon: RconServer,
    protocol: ManagementServer,
) -> None:
    guardian = await _loaded(load, machines, managed)
    await guardian.shut_down(HOST, ROBIN, timedelta(minutes=5))
    await hass.async_block_till_done(wait_background_tasks=True)
    await guardian.cancel_shutdown(HOST, ROBIN)
    await hass.async_block_till_done(wait_background_tasks=True)
    await guardian.shut_down(HOST, ROBIN, timedelta(seconds=40))
    await hass.async_block_till_done(wait_background_tasks=True)
    await guardian.shut_down(HOST, ROBIN, force=True)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert told(rcon) == protocol.said
    assert protocol.said == [
        "This server will be shut down in 5 minutes.",
        "The shutdown has been cancelled. Play on!",
        "This server will be shut down in one minute.",
        "The world is being saved, and the server is going down now. See you soon!",
    ]
    assert protocol.saves == 1
    assert "save-all flush" in rcon.commands


async def test_players_are_told_in_the_language_of_the_house(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    managed: MockConfigEntry,
    protocol: ManagementServer,
) -> None:
    hass.config.language = "fr-CA"
    guardian = await _loaded(load, machines, managed)
    await guardian.shut_down(HOST, ROBIN, timedelta(minutes=10))
    await hass.async_block_till_done(wait_background_tasks=True)
    hass.config.language = "de"
    await guardian.cancel_shutdown(HOST, ROBIN)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert protocol.said == [
        "Ce serveur va s’éteindre dans 10 minutes.",
        "The shutdown has been cancelled. Play on!",
    ]


async def test_only_the_game_server_that_restarts_says_so(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    managed: MockConfigEntry,
    rcon: RconServer,
    protocol: ManagementServer,
) -> None:
    guardian = await _loaded(load, machines, managed)
    await guardian.restart(GAME, ROBIN)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert [text for text in told(rcon) if "restarting" in text]
    assert not protocol.said


async def test_players_who_hold_a_shutdown_up_are_not_told_so_every_minute(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    managed: MockConfigEntry,
    pass_time: PassTime,
    rcon: RconServer,
) -> None:
    machines.game_up("127.0.0.1:25565", "Alex")
    guardian = await _loaded(load, machines, managed)
    await guardian.shut_down(HOST, ROBIN, timedelta(minutes=1))
    await hass.async_block_till_done(wait_background_tasks=True)
    await pass_time(180, 5)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert guardian.snapshot.host.held
    assert told(rcon) == ["This server will be shut down in one minute."]


async def test_nothing_is_said_to_a_game_server_that_is_down(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    managed: MockConfigEntry,
    rcon: RconServer,
    protocol: ManagementServer,
) -> None:
    machines.game_crashed("127.0.0.1:25565")
    guardian = await _loaded(load, machines, managed)
    await guardian.shut_down(HOST, ROBIN, timedelta(minutes=10))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert len(protocol.said) == 1
    assert not rcon.connections


async def test_a_management_port_that_hangs_keeps_no_shutdown_waiting(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    managed: MockConfigEntry,
    protocol: ManagementServer,
) -> None:
    protocol.silent_on = "minecraft:server/system_message"
    guardian = await _loaded(load, machines, managed)
    async with asyncio.timeout(5):
        await guardian.shut_down(HOST, ROBIN, timedelta(minutes=10))
    assert guardian.snapshot.host.state is State.COUNTDOWN
    protocol.released.set()
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_what_cannot_be_said_is_mentioned_once_until_it_can_be_said_again(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    managed: MockConfigEntry,
    protocol: ManagementServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    guardian = await _loaded(load, machines, managed)
    mentioned = []
    for hangs_up in (True, True, False, True):
        protocol.hangs_up_on = "minecraft:server/system_message" if hangs_up else ""
        await guardian.shut_down(HOST, ROBIN, timedelta(minutes=10))
        await hass.async_block_till_done(wait_background_tasks=True)
        await guardian.cancel_shutdown(HOST, ROBIN)
        await hass.async_block_till_done(wait_background_tasks=True)
        mentioned.append(caplog.text.count("Nothing could be said on Creative"))
    assert mentioned == [1, 1, 1, 2]
    assert PROTOCOL_SECRET not in caplog.text


async def test_a_game_server_without_management_is_left_in_peace(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    managed: MockConfigEntry,
    rcon: RconServer,
    protocol: ManagementServer,
) -> None:
    manage(hass, managed, GAME, kind="none")
    guardian = await _loaded(load, machines, managed)
    await guardian.shut_down(HOST, ROBIN, timedelta(minutes=10))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert len(protocol.said) == 1
    assert not rcon.connections


async def test_every_language_says_the_same_with_the_same_placeholders(
    hass: HomeAssistant,
) -> None:
    texts = await async_load_texts(hass)
    assert tuple(texts) == LANGUAGES
    english, french = texts["en"], texts["fr"]
    assert english.keys() == french.keys()
    for key, text in english.items():
        assert placeholders(text) == placeholders(french[key])
        if not key.startswith("discord_"):
            assert placeholders(text) <= {"minutes"}
            assert text != french[key]
            assert max(len(text), len(french[key])) <= 200


def test_what_is_filled_in_is_not_filled_in_again() -> None:
    assert filled("{who} in {minutes} min", {"who": "{minutes}", "minutes": "5"}) == (
        "{minutes} in 5 min"
    )
