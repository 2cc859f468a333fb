"""Add a Minecraft server below its host, or change one."""

from collections.abc import Mapping
import logging
from typing import Any, Final

from homeassistant.config_entries import ConfigEntryState, ConfigSubentryFlow, SubentryFlowResult
from homeassistant.const import CONF_ADDRESS, CONF_NAME
from homeassistant.helpers.selector import (
    BooleanSelector,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)
import voluptuous as vol

from .const import CONF_EDITION, CONF_PUBLIC_ADDRESS, CONF_VMID, SUBENTRY_MINECRAFT_SERVER
from .flow_input import InputRefusedError
from .server_manager import (
    Edition,
    InvalidInputError,
    MinecraftChecker,
    MinecraftProtocolError,
    NameNotFoundError,
    ServerManagerError,
    parse_address,
)

_LOGGER = logging.getLogger(__name__)

CONF_SAVE_ANYWAY: Final = "save_anyway"
STATUS_TIMEOUT: Final = 5.0
VMIDS: Final = range(100, 1_000_000_000)

# An address that is merely silent belongs to a server that sleeps.
STATUS_ERRORS: Final[Mapping[type[ServerManagerError], str]] = {
    MinecraftProtocolError: "not_minecraft",
    NameNotFoundError: "cannot_resolve",
}


class MinecraftServerFlow(ConfigSubentryFlow):
    """Ask for one game server; the form is the same for a new one and for a change."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Add a game server."""
        if user_input is None:
            return self._show("user", {}, {})
        try:
            data = await self._read(user_input, own_id=None)
        except InputRefusedError as err:
            return self._show("user", user_input, err.errors)
        return self.async_create_entry(title=user_input[CONF_NAME].strip(), data=data)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change a game server."""
        subentry = self._get_reconfigure_subentry()
        if user_input is None:
            vmid = subentry.data.get(CONF_VMID)
            known = {**subentry.data, CONF_NAME: subentry.title, CONF_VMID: vmid and str(vmid)}
            return self._show("reconfigure", known, {})
        try:
            data = await self._read(user_input, own_id=subentry.subentry_id)
        except InputRefusedError as err:
            return self._show("reconfigure", user_input, err.errors)
        return self.async_update_and_abort(
            self._get_entry(),
            subentry,
            title=user_input[CONF_NAME].strip(),
            data=data,
            # Not naming it brings Home Assistant's words, which not every language has.
            reason="reconfigure_successful",
        )

    async def _read(self, typed: Mapping[str, Any], own_id: str | None) -> dict[str, Any]:
        """Return the subentry's data, or refuse what cannot be right."""
        address = typed[CONF_ADDRESS].strip()
        public = typed.get(CONF_PUBLIC_ADDRESS, "").strip()
        edition = Edition(typed[CONF_EDITION])
        errors = {
            CONF_NAME: None if typed[CONF_NAME].strip() else "name_missing",
            CONF_ADDRESS: self._address_error(address, edition, own_id),
            CONF_PUBLIC_ADDRESS: _form_error(public) if public else None,
            CONF_VMID: _vmid_error(typed.get(CONF_VMID)),
        }
        if wrong := {field: key for field, key in errors.items() if key is not None}:
            raise InputRefusedError(wrong)
        if not typed.get(CONF_SAVE_ANYWAY):
            await _try_out(address, edition)
        vmid = typed.get(CONF_VMID)
        return {
            CONF_ADDRESS: address,
            CONF_PUBLIC_ADDRESS: public,
            CONF_EDITION: edition.value,
            CONF_VMID: int(vmid) if vmid else None,
        }

    def _address_error(self, address: str, edition: Edition, own_id: str | None) -> str | None:
        """Return what is wrong with the address, taken by another game server included."""
        if error := _form_error(address):
            return error
        wanted = _endpoint(address, edition)
        others = (
            game
            for game in self._get_entry().get_subentries_of_type(SUBENTRY_MINECRAFT_SERVER)
            if game.subentry_id != own_id
        )
        for game in others:
            if wanted == _endpoint(game.data[CONF_ADDRESS], Edition(game.data[CONF_EDITION])):
                return "duplicate_address"
        return None

    def _guests(self) -> list[SelectOptionDict]:
        """Return the guests that were last seen on the host; none while nothing was read."""
        entry = self._get_entry()
        if entry.state is not ConfigEntryState.LOADED:
            return []
        reading = entry.runtime_data.host.data.reading
        return [
            SelectOptionDict(value=str(guest.vmid), label=f"{guest.vmid} {guest.name}")
            for guest in sorted(reading.guests if reading else (), key=lambda guest: guest.vmid)
            if not guest.template
        ]

    def _show(
        self, step: str, typed: Mapping[str, Any], errors: dict[str, str]
    ) -> SubentryFlowResult:
        """Show the form; it offers to save anyway once the address was found to be odd."""
        guests = self._guests()
        fields: dict[vol.Marker, Any] = {
            vol.Required(CONF_NAME): TextSelector(),
            vol.Required(CONF_ADDRESS): TextSelector(),
            vol.Optional(CONF_PUBLIC_ADDRESS): TextSelector(),
            vol.Required(CONF_EDITION, default=Edition.JAVA.value): EDITIONS,
            vol.Optional(CONF_VMID): _guest_selector(guests) if guests else TextSelector(),
        }
        if errors.get(CONF_ADDRESS) in STATUS_ERRORS.values():
            fields[vol.Required(CONF_SAVE_ANYWAY, default=False)] = BooleanSelector()
        known = {key: value for key, value in typed.items() if value}
        return self.async_show_form(
            step_id=step,
            data_schema=self.add_suggested_values_to_schema(vol.Schema(fields), known),
            errors=errors,
        )


EDITIONS: Final = SelectSelector(
    SelectSelectorConfig(
        options=[edition.value for edition in Edition], translation_key=CONF_EDITION
    )
)


def _guest_selector(guests: list[SelectOptionDict]) -> SelectSelector:
    """Offer the guests, and any other number."""
    return SelectSelector(
        SelectSelectorConfig(options=guests, custom_value=True, mode=SelectSelectorMode.DROPDOWN)
    )


async def _try_out(address: str, edition: Edition) -> None:
    """Ask the server for its status; refuse what is certainly not a Minecraft server."""
    try:
        await MinecraftChecker(_LOGGER).status(address, edition=edition, timeout=STATUS_TIMEOUT)
    except ServerManagerError as err:
        _LOGGER.debug("%s gave no status: %s", address, err)
        if key := STATUS_ERRORS.get(type(err)):
            raise InputRefusedError({CONF_ADDRESS: key}) from err


def _form_error(address: str) -> str | None:
    """Return what is wrong with the form of an address."""
    try:
        parse_address(address)
    except InvalidInputError:
        return "invalid_address"
    return None


def _endpoint(address: str, edition: Edition) -> tuple[str, int]:
    """Return what makes two addresses the same."""
    parsed = parse_address(address, edition)
    return parsed.host.lower(), parsed.port or edition.default_port


def _vmid_error(vmid: str | None) -> str | None:
    """Return what is wrong with the number of a guest; none at all is fine."""
    if not vmid or (vmid.isdecimal() and int(vmid) in VMIDS):
        return None
    return "invalid_vmid"
