"""Adding a Minecraft server below a host, and changing one."""

from collections.abc import AsyncGenerator
import socket
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian import subentry_flow
from tests.flows import (
    GAME,
    add_game,
    game_form,
    go_on_with_game,
    guest,
    known_host,
    open_game_form,
    pretend_loaded,
    suggested,
)
from tests.lab.minecraft import StatusFault, StatusServer

pytest_plugins = ("tests.flow_peers",)
pytestmark = pytest.mark.usefixtures("quiet_loopback", "impatience")


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for what is silent."""
    monkeypatch.setattr(subentry_flow, "STATUS_TIMEOUT", 0.5)


@pytest.fixture
async def minecraft() -> AsyncGenerator[StatusServer]:
    """Run a Minecraft server."""
    async with StatusServer() as server:
        yield server


@pytest.fixture
def entry(hass: HomeAssistant) -> MockConfigEntry:
    """Return a host that is not loaded and has no game server."""
    return known_host(hass)


async def test_a_server_that_answers_is_added(
    hass: HomeAssistant, entry: MockConfigEntry, minecraft: StatusServer
) -> None:
    typed = game_form(f" {minecraft.address} ", public_address="play.example.org", vmid="101")
    done = await add_game(hass, entry, typed)

    assert done["type"] is FlowResultType.CREATE_ENTRY
    (game,) = entry.subentries.values()
    assert game.title == "Survival"
    assert game.data == {
        "address": minecraft.address,
        "public_address": "play.example.org",
        "edition": "java",
        "vmid": 101,
        "stop_when_idle": False,
    }
    assert minecraft.statuses == 1


@pytest.mark.parametrize("edition", ["java", "bedrock"])
async def test_a_server_that_sleeps_is_accepted(
    hass: HomeAssistant, entry: MockConfigEntry, unused_tcp_port: int, edition: str
) -> None:
    done = await add_game(hass, entry, game_form(f"127.0.0.1:{unused_tcp_port}", edition=edition))
    assert done["type"] is FlowResultType.CREATE_ENTRY
    (game,) = entry.subentries.values()
    assert (game.data["vmid"], game.data["public_address"]) == (None, "")


async def test_a_server_that_is_silent_is_accepted(
    hass: HomeAssistant, entry: MockConfigEntry, minecraft: StatusServer
) -> None:
    minecraft.fault = StatusFault.SILENT
    done = await add_game(hass, entry, game_form(minecraft.address))
    assert done["type"] is FlowResultType.CREATE_ENTRY


async def test_something_else_than_minecraft_is_only_saved_when_one_insists(
    hass: HomeAssistant, entry: MockConfigEntry, minecraft: StatusServer
) -> None:
    minecraft.fault = StatusFault.HTTP
    typed = game_form(minecraft.address)
    form = await add_game(hass, entry, typed)
    assert form["errors"] == {"address": "not_minecraft"}
    assert "save_anyway" in form["data_schema"].schema

    form = await go_on_with_game(hass, form, typed | {"save_anyway": False})
    assert form["errors"] == {"address": "not_minecraft"}
    done = await go_on_with_game(hass, form, typed | {"save_anyway": True})
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert "save_anyway" not in next(iter(entry.subentries.values())).data


async def test_a_name_that_does_not_resolve_is_only_saved_when_one_insists(
    hass: HomeAssistant, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    typed = game_form("no-such-host.lan:25565")
    form = await add_game(hass, entry, typed)
    assert form["errors"] == {"address": "cannot_resolve"}
    done = await go_on_with_game(hass, form, typed | {"save_anyway": True})
    assert done["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    ("wrong", "errors"),
    [
        ({"name": "  "}, {"name": "name_missing"}),
        ({"address": "mc.lan:port"}, {"address": "invalid_address"}),
        ({"address": "mc.lan:70000"}, {"address": "invalid_address"}),
        ({"public_address": "play example"}, {"public_address": "invalid_address"}),
        ({"vmid": "99"}, {"vmid": "invalid_vmid"}),
        ({"vmid": "survival"}, {"vmid": "invalid_vmid"}),
        ({"vmid": "-101"}, {"vmid": "invalid_vmid"}),
        (
            {"name": " ", "address": "", "vmid": "x"},
            {"name": "name_missing", "address": "invalid_address", "vmid": "invalid_vmid"},
        ),
    ],
)
async def test_what_cannot_be_right_is_refused_at_its_field_and_can_be_mended(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    minecraft: StatusServer,
    wrong: dict[str, Any],
    errors: dict[str, str],
) -> None:
    form = await add_game(hass, entry, game_form(minecraft.address) | wrong)
    assert form["errors"] == errors
    assert "save_anyway" not in form["data_schema"].schema
    assert minecraft.connections == 0

    done = await go_on_with_game(hass, form, game_form(minecraft.address))
    assert done["type"] is FlowResultType.CREATE_ENTRY


async def test_two_game_servers_cannot_have_one_address(hass: HomeAssistant) -> None:
    entry = known_host(hass, games=[GAME | {"address": "127.0.0.1"}])
    form = await add_game(hass, entry, game_form("127.0.0.1:25565"))
    assert form["errors"] == {"address": "duplicate_address"}


async def test_a_guest_is_picked_from_what_was_last_seen_on_the_host(
    hass: HomeAssistant, entry: MockConfigEntry, unused_tcp_port: int
) -> None:
    pretend_loaded(hass, entry, guest(102, "creative"), guest(101, "survival"), guest(900, "base"))
    form = await open_game_form(hass, entry)
    offered = _selector(form, "vmid").config
    assert offered["options"] == [
        {"value": "101", "label": "101 · survival"},
        {"value": "102", "label": "102 · creative"},
    ]

    typed = game_form(f"127.0.0.1:{unused_tcp_port}", vmid="777")
    done = await go_on_with_game(hass, form, typed)
    assert done["data"]["vmid"] == 777


async def test_a_guest_is_typed_while_nothing_was_read_of_the_host(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    assert _selector(await open_game_form(hass, entry), "vmid").selector_type == "text"
    pretend_loaded(hass, entry)
    assert _selector(await open_game_form(hass, entry), "vmid").selector_type == "text"


async def test_a_game_server_that_is_to_stop_on_its_own_needs_its_guest(
    hass: HomeAssistant, entry: MockConfigEntry, unused_tcp_port: int
) -> None:
    typed = game_form(f"127.0.0.1:{unused_tcp_port}", stop_when_idle=True)
    form = await add_game(hass, entry, typed)
    assert form["errors"] == {"stop_when_idle": "stop_needs_guest"}

    done = await go_on_with_game(hass, form, typed | {"vmid": "101"})
    assert (done["data"]["stop_when_idle"], done["data"]["vmid"]) == (True, 101)


async def test_a_game_server_can_be_changed(hass: HomeAssistant, unused_tcp_port: int) -> None:
    entry = known_host(hass, games=[GAME])
    (game,) = entry.subentries.values()
    form = await entry.start_subentry_reconfigure_flow(hass, game.subentry_id)
    assert form["step_id"] == "reconfigure"
    assert suggested(form) == {
        "name": "Survival",
        "address": GAME["address"],
        "edition": "java",
        "vmid": "101",
    }

    form = await go_on_with_game(hass, form, game_form("mc.lan:x"))
    assert (form["step_id"], form["errors"]) == ("reconfigure", {"address": "invalid_address"})

    address = f"127.0.0.1:{unused_tcp_port}"
    done = await go_on_with_game(hass, form, game_form(address, name="Skyblock"))
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    (game,) = entry.subentries.values()
    assert game.title == "Skyblock"
    assert game.data == GAME | {"address": address, "vmid": None, "stop_when_idle": False}


async def test_a_game_server_may_keep_its_own_address(hass: HomeAssistant) -> None:
    entry = known_host(hass, games=[GAME, GAME | {"address": "127.0.0.1:25998"}])
    game = next(iter(entry.subentries.values()))
    form = await entry.start_subentry_reconfigure_flow(hass, game.subentry_id)
    form = await go_on_with_game(hass, form, game_form("127.0.0.1:25998"))
    assert form["errors"] == {"address": "duplicate_address"}
    done = await go_on_with_game(hass, form, game_form("127.0.0.1:25999"))
    assert done["reason"] == "reconfigure_successful"


def _selector(form: Any, field: str) -> Any:
    """Return the selector of a field."""
    return form["data_schema"].schema[field]
