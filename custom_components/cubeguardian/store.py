"""What a host's guardian keeps across restarts of Home Assistant."""

import logging
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import Store

from .const import DOMAIN
from .guardian import StoredGuardian

_LOGGER = logging.getLogger(__name__)

STORAGE_VERSION = 1


class GuardianStore:
    """Hold the stored guardian of one config entry."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Open the entry's own file; nothing is read yet."""
        self._store: Store[dict[str, Any]] = Store(
            hass, STORAGE_VERSION, f"{DOMAIN}.{entry_id}", private=True
        )

    async def async_load(self) -> StoredGuardian | None:
        """Return what was stored, or None where there is nothing that can be used."""
        try:
            raw = await self._store.async_load()
            return None if raw is None else StoredGuardian.from_dict(raw)
        except (AttributeError, KeyError, TypeError, ValueError) as err:
            _LOGGER.warning(
                "The stored state cannot be read (%s); CubeGuardian starts from what it sees",
                type(err).__name__,
            )
            return None

    async def async_save(self, stored: StoredGuardian) -> None:
        """Write now: a transition must outlive a power cut of Home Assistant's own machine."""
        await self._store.async_save(stored.to_dict())

    async def async_remove(self) -> None:
        """Delete the file when the entry is removed."""
        await self._store.async_remove()
