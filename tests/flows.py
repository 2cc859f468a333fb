"""What the tests of the flows type in, and how they go from step to step."""

import asyncio
from datetime import timedelta
import json
import re
from types import SimpleNamespace
from typing import Any

from homeassistant.config_entries import SOURCE_USER, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, section
from homeassistant.helpers import config_validation as cv
from icmplib.exceptions import SocketPermissionError
from probatio import to_field_list
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.const import DOMAIN, SUBENTRY_MINECRAFT_SERVER
from custom_components.cubeguardian.observed import HostData
from custom_components.cubeguardian.server_manager import (
    Guest,
    GuestKind,
    NodeReading,
    NodeStatus,
    Reachability,
    connectivity_checker,
)

from .house import INTEGRATION
from .lab.pve import TOKEN_ID, TOKEN_SECRET

MAC = "02:00:00:00:00:42"
OTHER_MAC = "02:00:00:00:00:43"
GAME = {"address": "127.0.0.1:25999", "public_address": "", "edition": "java", "vmid": 101}


def host_data(port: int, **changes: Any) -> dict[str, Any]:
    """Return what an entry of the lab's node holds."""
    data = {
        "host": "127.0.0.1",
        "port": port,
        "mac": MAC,
        "token_id": TOKEN_ID,
        "token_secret": TOKEN_SECRET,
        "node": "pve",
        "trust": {"kind": "system"},
        "mode": "manual",
        "unchecked": False,
    }
    return data | changes


def host_form(port: int, **changes: Any) -> dict[str, Any]:
    """Return what a person types about the lab's node; None leaves a field out."""
    typed = {
        "host": "127.0.0.1",
        "port": port,
        "mac": MAC,
        "token_id": TOKEN_ID,
        "token_secret": TOKEN_SECRET,
    }
    return {key: value for key, value in (typed | changes).items() if value is not None}


def known_host(hass: HomeAssistant, port: int = 8006, **changes: Any) -> MockConfigEntry:
    """Add an entry that nobody sets up."""
    options = changes.pop("options", {})
    games = changes.pop("games", [])
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="pve",
        unique_id=changes.get("mac", MAC),
        data=host_data(port, **changes),
        options=options,
        subentries_data=[
            {
                "data": game,
                "subentry_type": "minecraft_server",
                "title": "Survival",
                "unique_id": None,
            }
            for game in games
        ],
    )
    entry.add_to_hass(hass)
    return entry


def guest(vmid: int, name: str) -> Guest:
    """Return a guest as the host shows it; 900 to 999 are templates."""
    return Guest(
        vmid=vmid,
        name=name,
        kind=GuestKind.QEMU,
        status="stopped",
        running=False,
        uptime=timedelta(),
        lock=None,
        template=900 <= vmid < 1000,
    )


def pretend_loaded(
    hass: HomeAssistant, entry: MockConfigEntry, *guests: Guest, answers: bool = False
) -> None:
    """Pretend that the host is loaded, and was read if there are guests."""
    status = NodeStatus(
        uptime=timedelta(),
        cpu_percent=0,
        memory_used=0,
        memory_total=0,
        booted_at=None,
        version="9.0",
    )
    reading = NodeReading(status=status, guests=guests, tasks=()) if guests else None
    reach = Reachability(ping=None, port=answers, latency_ms=None, network=True)
    entry.mock_state(hass, ConfigEntryState.LOADED)
    data = HostData(reading=reading, reachability=reach)
    entry.runtime_data = SimpleNamespace(host=SimpleNamespace(data=data))


def all_texts(*path: str) -> list[dict[str, Any]]:
    """Return the texts below `path` in every language."""
    found = []
    for language in ("en", "fr"):
        texts = json.loads((INTEGRATION / "translations" / f"{language}.json").read_text())
        for key in path:
            texts = texts[key]
        found.append(texts)
    return found


def placeholders(texts: object) -> set[str]:
    """Return the names of all placeholders in some texts."""
    return set(re.findall(r"{(\w+)}", json.dumps(texts)))


def check_texts(step: Any, *path: str) -> None:
    """Check that every language has every text of a step, that placeholders are filled, and that
    a form can be sent to a browser.

    `path` leads to the flow's texts, for example "config".
    """
    for texts in all_texts(*path):
        _check_texts(step, texts)


def _check_texts(step: Any, texts: dict[str, Any]) -> None:
    """Check a step against the texts of one language."""
    match step["type"]:
        case FlowResultType.FORM:
            shown = texts["step"][step["step_id"]]
            _check_fields(step["data_schema"], shown)
            json.dumps(to_field_list(step["data_schema"], custom_serializer=cv.custom_serializer))
            for error in (step["errors"] or {}).values():
                assert texts["error"][error]
        case FlowResultType.MENU:
            shown = texts["step"][step["step_id"]]
            assert set(step["menu_options"]) <= set(shown["menu_options"])
        case FlowResultType.SHOW_PROGRESS:
            shown = texts["progress"][step["progress_action"]]
        case FlowResultType.ABORT:
            shown = texts["abort"][step["reason"]]
        case _:
            return
    assert placeholders(shown) <= set(step.get("description_placeholders") or {})


def _check_fields(schema: Any, texts: dict[str, Any]) -> None:
    """Check that every field has a name and an explanation, those inside sections too."""
    for field, value in schema.schema.items():
        if isinstance(value, section):
            _check_fields(value.schema, texts["sections"][str(field)])
        else:
            assert texts["data"][str(field)]
            assert texts["data_description"][str(field)]


async def start(hass: HomeAssistant, typed: dict[str, Any]) -> Any:
    """Begin a set-up and submit its first form."""
    form = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    return await go_on(hass, form, {"wake_on_lan": {}} | typed)


async def go_on(hass: HomeAssistant, step: Any, typed: dict[str, Any] | None = None) -> Any:
    """Submit a step of a config flow."""
    check_texts(step, "config")
    following = await hass.config_entries.flow.async_configure(step["flow_id"], typed or {})
    check_texts(following, "config")
    return following


async def choose(hass: HomeAssistant, menu: Any, option: str) -> Any:
    """Take an option of a menu of a config flow."""
    return await go_on(hass, menu, {"next_step_id": option})


async def decide(hass: HomeAssistant, question: Any, mode: str = "manual") -> Any:
    """Answer the last question of a set-up: who lets the host sleep."""
    assert (question["type"], question["step_id"]) == (FlowResultType.FORM, "mode")
    return await go_on(hass, question, {"mode": mode})


def game_form(address: str, **changes: Any) -> dict[str, Any]:
    """Return what a person types about a game server; None leaves a field out."""
    typed = {"name": " Survival ", "address": address, "edition": "java", **changes}
    return {key: value for key, value in typed.items() if value is not None}


async def open_game_form(hass: HomeAssistant, entry: MockConfigEntry) -> Any:
    """Begin to add a game server."""
    return await hass.config_entries.subentries.async_init(
        (entry.entry_id, SUBENTRY_MINECRAFT_SERVER), context={"source": SOURCE_USER}
    )


async def add_game(hass: HomeAssistant, entry: MockConfigEntry, typed: dict[str, Any]) -> Any:
    """Submit the form of a new game server."""
    return await go_on_with_game(hass, await open_game_form(hass, entry), typed)


async def go_on_with_game(
    hass: HomeAssistant, step: Any, typed: dict[str, Any] | None = None
) -> Any:
    """Submit a step of a game server's flow."""
    texts = ("config_subentries", SUBENTRY_MINECRAFT_SERVER)
    check_texts(step, *texts)
    following = await hass.config_entries.subentries.async_configure(step["flow_id"], typed or {})
    check_texts(following, *texts)
    return following


def suggested(step: Any) -> dict[str, Any]:
    """Return what the fields of a form are filled with."""
    return {
        str(field): field.description["suggested_value"]
        for field in step["data_schema"].schema
        if (field.description or {}).get("suggested_value") is not None
    }


def overlook_hang_ups() -> None:
    """Let a server in the test's own loop be left before its handshake, as every probe does.

    Home Assistant's harness fails a test for whatever reaches the loop's exception handler.
    """
    loop = asyncio.get_running_loop()
    strict = loop.get_exception_handler()

    def overlook(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if strict is not None and not isinstance(context.get("exception"), ConnectionResetError):
            strict(loop, context)

    loop.set_exception_handler(overlook)


def forbid_ping(patch: pytest.MonkeyPatch) -> None:
    """Make pinging impossible, as in a container without rights: loopback always answers."""

    async def refused(*_: Any, **__: Any) -> None:
        raise SocketPermissionError(privileged=True)

    patch.setattr(connectivity_checker, "async_ping", refused)
