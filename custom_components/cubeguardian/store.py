"""What a host's guardian keeps across restarts of Home Assistant."""

from collections.abc import Callable
import logging
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import UnsupportedStorageVersionError
from homeassistant.helpers.storage import Store
from homeassistant.util.json import load_json

from .const import DOMAIN
from .guardian import StoredGuardian
from .savings import Savings

_LOGGER = logging.getLogger(__name__)

STORAGE_VERSION = 1
SAVINGS = "savings"


class GuardianStore:
    """Hold the stored guardian of one config entry, and beside it what its host saved.

    `savings` is what the next save writes. Either part is read even if the other cannot be, and
    a file from before the savings were counted starts them at nothing. `damaged` tells that a
    part could not be read: the whole is then kept in a file of its own.
    """

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Open the entry's own file; nothing is read yet."""
        self._hass = hass
        self._store: Store[dict[str, Any]] = Store(
            hass, STORAGE_VERSION, f"{DOMAIN}.{entry_id}", private=True
        )
        self._aside: Store[Any] = Store(
            hass, STORAGE_VERSION, f"{DOMAIN}.{entry_id}.damaged", private=True
        )
        self.savings = Savings()
        self.damaged = False

    async def async_load(self) -> StoredGuardian | None:
        """Return what was stored, or None where there is nothing that can be used."""
        raw = await self._async_read()
        if raw is None:
            return None
        if isinstance(raw, dict) and SAVINGS in raw:
            savings = _understood(Savings.from_dict, raw[SAVINGS], "totals")
            self.savings, self.damaged = savings or Savings(), savings is None
        stored = _understood(StoredGuardian.from_dict, raw, "state")
        self.damaged = self.damaged or stored is None
        if self.damaged:
            await self._aside.async_save(raw)
        return stored

    async def _async_read(self) -> object:
        """Read the file, also one that is not of the form, or of the age, that Store knows."""
        try:
            return await self._store.async_load()
        except AttributeError, KeyError, TypeError, ValueError, UnsupportedStorageVersionError:
            return await self._hass.async_add_executor_job(load_json, self._store.path)

    async def async_save(self, stored: StoredGuardian) -> None:
        """Write now: a transition must outlive a power cut of Home Assistant's own machine."""
        await self._store.async_save({**stored.to_dict(), SAVINGS: self.savings.to_dict()})

    async def async_remove(self) -> None:
        """Delete the files when the entry is removed."""
        await self._store.async_remove()
        await self._aside.async_remove()


def _understood[PartT](read: Callable[[Any], PartT], raw: object, what: str) -> PartT | None:
    """Return a stored part, or tell that it cannot be read."""
    try:
        return read(raw)
    except (AttributeError, KeyError, TypeError, ValueError) as err:
        _LOGGER.warning(
            "The stored %s cannot be read (%s); CubeGuardian starts from what it sees",
            what,
            type(err).__name__,
        )
        return None
