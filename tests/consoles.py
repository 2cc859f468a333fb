"""What the tests about what is said in the game set up, and how they read it."""

import json
from typing import Any, Final

from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .server_manager.rcon_server import RconServer

GAME: Final = "01SURVIVAL"
OTHER_GAME: Final = "01CREATIVE"
ADDRESS: Final = "127.0.0.1:25565"
OTHER_ADDRESS: Final = "127.0.0.1:25566"


def manage(hass: HomeAssistant, entry: MockConfigEntry, game: str, **management: Any) -> None:
    """Let a game server be on loopback, with a management port."""
    subentry = entry.subentries[game]
    address = ADDRESS if game == GAME else OTHER_ADDRESS
    hass.config_entries.async_update_subentry(
        entry, subentry, data={**subentry.data, "address": address, "management": management}
    )


def told(rcon: RconServer) -> list[str]:
    """Return what players of the server with a remote console have read."""
    commands = [command for command in rcon.commands if command.startswith("tellraw @a ")]
    return [json.loads(command.removeprefix("tellraw @a "))["text"] for command in commands]
