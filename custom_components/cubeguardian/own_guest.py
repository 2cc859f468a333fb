"""Find out whether Home Assistant itself runs in a guest of the host that it guards."""

from collections.abc import Iterable
from datetime import datetime, timedelta
import logging
from pathlib import Path
from typing import Final
import uuid

from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from .repairs import OWN_GUEST, async_clear, async_raise_own_guest
from .runtime import CubeGuardianConfigEntry
from .server_manager import Guest, NodeReading, ServerManagerError

_LOGGER = logging.getLogger(__name__)

ADAPTERS: Final = Path("/sys/class/net")
RETRY_AFTER: Final = timedelta(minutes=10)
# `uuid.getnode` sets this bit in a number that it has made up.
_MADE_UP: Final = 1 << 40
_NO_ADDRESS: Final = "00:00:00:00:00:00"


def own_macs() -> frozenset[str]:
    """Return the addresses of this machine's adapters; reads files, so not for the event loop."""
    try:
        found = {_read(adapter / "address") for adapter in ADAPTERS.iterdir()}
    except OSError:
        found = set()
    found -= {"", _NO_ADDRESS}
    return frozenset(found or _main_adapter())


def _read(address: Path) -> str:
    """Return the address of one adapter; it may go away while we look."""
    try:
        return address.read_text(encoding="ascii").strip().lower()
    except OSError:
        return ""


def _main_adapter() -> Iterable[str]:
    """Return the address that Python finds where the system does not list its adapters."""
    node = uuid.getnode()
    if node & _MADE_UP:
        return ()
    digits = f"{node:012x}"
    return (":".join(digits[at : at + 2] for at in range(0, 12, 2)),)


def _what_runs(reading: NodeReading) -> tuple[datetime | None, frozenset[int]]:
    return reading.status.booted_at, frozenset(
        guest.vmid for guest in reading.guests if guest.running
    )


class OwnGuestFinder:
    """Compare this machine's adapters with those of the running guests, once for each set of them.

    Home Assistant's own guest may be moved here while it runs, so a boot is not enough. Where the
    adapters of a guest cannot be read, they are asked for again after a while.
    """

    def __init__(self, hass: HomeAssistant, entry: CubeGuardianConfigEntry) -> None:
        """Start with nothing compared."""
        self._hass = hass
        self._entry = entry
        self._compared: tuple[datetime | None, frozenset[int]] | None = None
        self._due: datetime | None = None

    @callback
    def async_consider(self) -> None:
        """Compare in the background, if these guests of this boot were not compared yet."""
        reading = self._entry.runtime_data.host.data.reading
        if reading is None or reading.status.booted_at is None:
            return
        if _what_runs(reading) == self._compared:
            return
        if self._due is not None and dt_util.utcnow() < self._due:
            return
        self._due = dt_util.utcnow() + RETRY_AFTER
        self._entry.async_create_background_task(
            self._hass, self._async_compare(reading), f"{self._entry.title} own guest"
        )

    async def _async_compare(self, reading: NodeReading) -> None:
        """Tell the guardian which guest is Home Assistant's, and a person as well."""
        running = {guest.vmid: guest for guest in reading.guests if guest.running}
        runtime = self._entry.runtime_data
        try:
            macs = await runtime.manager.guest_macs(frozenset(running))
        except ServerManagerError as err:
            _LOGGER.debug("The guests' adapters of %s are unknown: %s", self._entry.title, err)
            return
        ours = await self._hass.async_add_executor_job(own_macs)
        unread = runtime.guardian.snapshot.protected - macs.keys()
        own = tuple(
            guest
            for vmid, guest in running.items()
            if vmid in unread or ours & macs.get(vmid, frozenset())
        )
        if running.keys() <= macs.keys():
            self._compared, self._due = _what_runs(reading), None
        runtime.guardian.protect(frozenset(guest.vmid for guest in own))
        self._tell(own)

    def _tell(self, own: tuple[Guest, ...]) -> None:
        """Raise the repair, or take it back."""
        if own:
            async_raise_own_guest(self._hass, self._entry, own)
        else:
            async_clear(self._hass, self._entry, OWN_GUEST)
