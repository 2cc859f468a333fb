"""Offer a mend for what the host refuses: reauthentication or a repair, never an error."""

import logging
from typing import Final

from homeassistant.core import HomeAssistant, callback

from .const import CONF_UNCHECKED
from .guardian import HOST, ApiState, Event, EventKind, Phase
from .guest_roles import game_vmids
from .mending_guests import GuestMender
from .repairs import (
    ADDRESS_CONFLICT,
    CERTIFICATE_CHANGED,
    MISSING_RIGHTS,
    UNCHECKED_HOST,
    WAKE_FAILED,
    async_clear,
    async_raise_address_conflict,
    async_raise_certificate_changed,
    async_raise_missing_rights,
    async_raise_unchecked,
    async_raise_wake_failed,
)
from .runtime import CubeGuardianConfigEntry
from .server_manager import (
    CertificateError,
    HostTimeoutError,
    PermissionDeniedError,
    ProxmoxAPI,
    ServerManagerError,
)

_LOGGER = logging.getLogger(__name__)

CAME_UP: Final = (
    EventKind.WOKEN,
    EventKind.WOKEN_LATE,
    EventKind.FOUND_RUNNING,
    EventKind.REBOOTED,
)
WOKE: Final = (EventKind.WOKEN, EventKind.WOKEN_LATE)
FAILED_WAKES_TO_TELL: Final = 3


class Mender:
    """Watch the API's state of one host, and offer the mend once per change."""

    def __init__(self, hass: HomeAssistant, entry: CubeGuardianConfigEntry) -> None:
        """Start with nothing offered."""
        self._hass = hass
        self._entry = entry
        self._offered = ApiState.UNKNOWN
        self._guests = GuestMender(hass, entry)

    @callback
    def async_consider(self) -> None:
        """React to a new look at the host; without a token its API needs no mending."""
        self._guests.async_consider()
        host = self._entry.runtime_data.host
        state, proxmox = host.data.api, host.manager.proxmox
        if proxmox is None or state is self._offered:
            return
        if state is ApiState.UNAUTHORISED and host.booting:
            return
        self._offered = state
        match state:
            case ApiState.UNAUTHORISED:
                self._entry.async_start_reauth(self._hass)
            case ApiState.UNTRUSTED if self._entry.data.get(CONF_UNCHECKED):
                async_raise_unchecked(self._hass, self._entry)
            case ApiState.UNTRUSTED if isinstance(host.data.error, CertificateError):
                async_raise_certificate_changed(
                    self._hass,
                    self._entry,
                    proxmox.trust.fingerprint or "",
                    host.data.error.fingerprint,
                )
            case ApiState.FORBIDDEN | ApiState.OK:
                self._check_soon(proxmox)

    @callback
    def async_happened(self, event: Event) -> None:
        """Raise or clear the repair that belongs to an event of the guardian."""
        self._guests.async_happened(event)
        proxmox = self._entry.runtime_data.manager.proxmox
        if event.kind is EventKind.ADDRESS_CONFLICT:
            async_raise_address_conflict(self._hass, self._entry)
        elif event.kind in CAME_UP:
            async_clear(self._hass, self._entry, ADDRESS_CONFLICT)
            if event.kind in WOKE and event.target == HOST:
                async_clear(self._hass, self._entry, WAKE_FAILED)
        elif event.kind is EventKind.WAKE_FAILED and event.target == HOST:
            self._wake_failed(event)
        elif proxmox and event.placeholders.get("code") == PermissionDeniedError.code:
            self._check_soon(proxmox)

    def _wake_failed(self, event: Event) -> None:
        """Raise the repair once waking has failed so often in a row, counted in the journal."""
        failures = 0
        for entry in reversed(self._entry.runtime_data.guardian.snapshot.journal):
            if entry.target == HOST and entry.kind in WOKE:
                break
            failures += entry.target == HOST and entry.kind == EventKind.WAKE_FAILED
        if failures >= FAILED_WAKES_TO_TELL:
            async_raise_wake_failed(
                self._hass,
                self._entry,
                sent=event.placeholders["code"] == HostTimeoutError.code,
                pinged=event.placeholders["phase"] == Phase.PING,
            )

    def _check_soon(self, proxmox: ProxmoxAPI) -> None:
        """Compare the token's rights with what is needed."""
        self._entry.async_create_background_task(
            self._hass, self._async_check(proxmox), f"{self._entry.title} rights"
        )

    async def _async_check(self, proxmox: ProxmoxAPI) -> None:
        """Raise what is missing; clear what the host's good answer has settled."""
        if self._entry.data.get(CONF_UNCHECKED):
            async_raise_unchecked(self._hass, self._entry)
            return
        for settled in (UNCHECKED_HOST, CERTIFICATE_CHANGED):
            async_clear(self._hass, self._entry, settled)
        try:
            missing = await proxmox.missing_rights(game_vmids(self._entry))
        except ServerManagerError as err:
            _LOGGER.debug("The rights of %s could not be read: %s", self._entry.title, err)
            return
        if missing:
            async_raise_missing_rights(self._hass, self._entry, missing)
        else:
            async_clear(self._hass, self._entry, MISSING_RIGHTS)
