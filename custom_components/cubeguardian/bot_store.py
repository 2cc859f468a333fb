"""What the bot keeps across restarts: who asked how often, and where its panel is."""

from dataclasses import asdict
import logging
from typing import Any, Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store

from .const import DOMAIN
from .discord_bridge.bridge_port import BridgeMemory

_LOGGER = logging.getLogger(__name__)

STORAGE_VERSION: Final = 1
SAVE_AFTER: Final = 10.0


class BotStore:
    """Hold what is kept of the bot."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Open the file; nothing is read yet."""
        self._store: Store[dict[str, Any]] = Store(
            hass, STORAGE_VERSION, f"{DOMAIN}.discord_bot", private=True
        )
        self._memory = BridgeMemory()
        self._is_due = False

    async def async_load(self) -> BridgeMemory:
        """Return what was stored; without it there is one more panel, and everybody is new."""
        if not self._is_due:
            try:
                self._memory = _read(await self._store.async_load() or {})
            except (AttributeError, HomeAssistantError, TypeError, ValueError) as err:
                _LOGGER.debug("What the bot had stored cannot be read: %s", type(err).__name__)
        return self._memory

    @callback
    def async_remember(self, memory: BridgeMemory) -> None:
        """Write soon: every command changes it."""
        self._memory, self._is_due = memory, True
        self._store.async_delay_save(self._data, SAVE_AFTER)

    async def async_save(self) -> None:
        """Write now what waits to be written."""
        if self._is_due:
            await self._store.async_save(self._data())

    async def async_remove(self) -> None:
        """Forget everything, when the bot is removed."""
        self._memory, self._is_due = BridgeMemory(), False
        await self._store.async_remove()

    def _data(self) -> dict[str, Any]:
        self._is_due = False
        return asdict(self._memory)


def _read(stored: dict[str, Any]) -> BridgeMemory:
    """Read it back; TypeError where it is something else."""
    memory = BridgeMemory(**stored)
    places = (memory.panel_channel_id, memory.panel_message_id)
    makes_sense = all(isinstance(one, int | None) for one in places)
    if not makes_sense or not isinstance(memory.dropped, int):
        raise TypeError
    return memory
