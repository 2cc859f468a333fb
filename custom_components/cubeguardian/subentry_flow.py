"""Add a Minecraft server below its host, or change one."""

from collections.abc import Mapping
import logging
from typing import Any, Final

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntryState,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
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

from .const import (
    CONF_EDITION,
    CONF_MANAGEMENT,
    CONF_MANAGEMENT_KIND,
    CONF_MANAGEMENT_SECRET,
    CONF_PUBLIC_ADDRESS,
    CONF_STOP_WHEN_IDLE,
    CONF_VMID,
    SUBENTRY_MINECRAFT_SERVER,
)
from .flow_checks import certificate_texts
from .flow_input import InputRefusedError
from .guest_form import guest_options, seen_guests, valid_vmid
from .management_form import (
    MANAGEMENT_ERRORS,
    NO_MANAGEMENT,
    SECRET_REFUSED,
    ManagementChecks,
    management_data,
    management_section,
    read_management,
)
from .server_manager import (
    Edition,
    InvalidInputError,
    ManagementSettings,
    MinecraftChecker,
    MinecraftProtocolError,
    NameNotFoundError,
    ServerManagerError,
    TlsTrust,
    parse_address,
)

_LOGGER = logging.getLogger(__name__)

CONF_SAVE_ANYWAY: Final = "save_anyway"
STATUS_TIMEOUT: Final = 5.0

# An address that is merely silent belongs to a server that sleeps.
STATUS_ERRORS: Final[Mapping[type[ServerManagerError], str]] = {
    MinecraftProtocolError: "not_minecraft",
    NameNotFoundError: "cannot_resolve",
}
MAY_BE_WRONG: Final = {*STATUS_ERRORS.values(), *MANAGEMENT_ERRORS.values()}


class MinecraftServerFlow(ConfigSubentryFlow):
    """Ask for one game server; the form is the same for a new one and for a change."""

    _checks: ManagementChecks
    _data: dict[str, Any]
    _typed: dict[str, Any]
    _accepted: TlsTrust | None = None

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Add a game server."""
        return await self._take(user_input) if user_input is not None else self._show({}, {})

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change a game server; its secret is not shown again."""
        if user_input is not None:
            return await self._take(user_input)
        subentry = self._get_reconfigure_subentry()
        vmid = subentry.data.get(CONF_VMID)
        known = {**subentry.data, CONF_NAME: subentry.title, CONF_VMID: vmid and str(vmid)}
        return self._show(_without_secret(known), {})

    async def async_step_certificate(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Let a person compare the certificate; the secret is sent only after that."""
        if user_input is not None:
            self._accepted = self._checks.accept_certificate()
            return await self._try_management()
        return self.async_show_form(
            step_id="certificate",
            data_schema=vol.Schema({}),
            description_placeholders=certificate_texts(
                self._checks.settings.where, self._checks.presented
            ),
        )

    async def _take(self, typed: dict[str, Any]) -> SubentryFlowResult:
        """Check what was typed, and then what it says about management."""
        self._typed = typed
        try:
            self._data, management = self._read(typed)
            tried = not typed.get(CONF_SAVE_ANYWAY)
            awake = tried and await self._is_awake()
        except InputRefusedError as err:
            return self._show(typed, err.errors)
        if management is None:
            return self._save()
        self._checks = ManagementChecks(self.hass, management, self._accepted)
        return await self._try_management() if awake else self._save_with_management()

    async def _try_management(self) -> SubentryFlowResult:
        """Try the management out; a certificate that nobody knows is a page of its own."""
        try:
            done = await self._checks.advance()
        except InputRefusedError as err:
            refused = SECRET_REFUSED in err.errors.values()
            return self._show(_without_secret(self._typed) if refused else self._typed, err.errors)
        return self._save_with_management() if done else await self.async_step_certificate()

    def _save_with_management(self) -> SubentryFlowResult:
        """Keep the management beside the rest."""
        self._data[CONF_MANAGEMENT] = management_data(self._checks.settings)
        return self._save()

    def _save(self) -> SubentryFlowResult:
        """Write the subentry, a new one or the one that this flow is about."""
        title = self._typed[CONF_NAME].strip()
        if self.source != SOURCE_RECONFIGURE:
            return self.async_create_entry(title=title, data=self._data)
        return self.async_update_and_abort(
            self._get_entry(),
            self._get_reconfigure_subentry(),
            title=title,
            data=self._data,
            # Not naming it brings Home Assistant's words, which not every language has.
            reason="reconfigure_successful",
        )

    def _read(self, typed: Mapping[str, Any]) -> tuple[dict[str, Any], ManagementSettings | None]:
        """Return the subentry's data and the management, or refuse what cannot be right."""
        address = typed[CONF_ADDRESS].strip()
        public = typed.get(CONF_PUBLIC_ADDRESS, "").strip()
        edition = Edition(typed[CONF_EDITION])
        vmid = typed.get(CONF_VMID)
        stops = typed.get(CONF_STOP_WHEN_IDLE, False)
        errors = {
            CONF_NAME: None if typed[CONF_NAME].strip() else "name_missing",
            CONF_ADDRESS: self._address_error(address, edition),
            CONF_PUBLIC_ADDRESS: _form_error(public) if public else None,
            CONF_VMID: None if not vmid or valid_vmid(vmid) else "invalid_vmid",
            CONF_STOP_WHEN_IDLE: "stop_needs_guest" if stops and not vmid else None,
        }
        if wrong := {field: key for field, key in errors.items() if key is not None}:
            raise InputRefusedError(wrong)
        data = {
            CONF_ADDRESS: address,
            CONF_PUBLIC_ADDRESS: public,
            CONF_EDITION: edition.value,
            CONF_VMID: int(vmid) if vmid else None,
            CONF_STOP_WHEN_IDLE: stops,
        }
        host = parse_address(address).host
        known = self._known().get(CONF_MANAGEMENT) or {}
        return data, read_management(typed.get(CONF_MANAGEMENT, {}), host, edition, known)

    def _known(self) -> Mapping[str, Any]:
        """Return what is stored of this game server; nothing of a new one."""
        changes = self.source == SOURCE_RECONFIGURE
        return self._get_reconfigure_subentry().data if changes else {}

    def _address_error(self, address: str, edition: Edition) -> str | None:
        """Return what is wrong with the address, taken by another game server included."""
        if error := _form_error(address):
            return error
        changes = self.source == SOURCE_RECONFIGURE
        own_id = self._get_reconfigure_subentry().subentry_id if changes else None
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

    async def _is_awake(self) -> bool:
        """Ask the server for its status; tell whether it, or its host at least, is up."""
        answers = await _answers(self._data[CONF_ADDRESS], Edition(self._data[CONF_EDITION]))
        entry = self._get_entry()
        if answers or entry.state is not ConfigEntryState.LOADED:
            return answers
        seen = entry.runtime_data.host.data.reachability
        return seen is not None and (seen.ping if seen.port is None else seen.port) is True

    def _show(self, typed: Mapping[str, Any], errors: dict[str, str]) -> SubentryFlowResult:
        """Show the form; it offers to save anyway once something was found to be odd."""
        guests = guest_options(seen_guests(self._get_entry()))
        known = {key: value for key, value in typed.items() if value}
        chosen = known.get(CONF_MANAGEMENT, {}).get(CONF_MANAGEMENT_KIND, NO_MANAGEMENT)
        fields: dict[vol.Marker, Any] = {
            vol.Required(CONF_NAME): TextSelector(),
            vol.Required(CONF_ADDRESS): TextSelector(),
            vol.Optional(CONF_PUBLIC_ADDRESS): TextSelector(),
            vol.Required(CONF_EDITION, default=Edition.JAVA.value): EDITIONS,
            vol.Optional(CONF_VMID): _guest_selector(guests) if guests else TextSelector(),
            vol.Required(CONF_STOP_WHEN_IDLE, default=False): BooleanSelector(),
            vol.Optional(CONF_MANAGEMENT): management_section(collapsed=chosen == NO_MANAGEMENT),
        }
        if MAY_BE_WRONG & set(errors.values()):
            fields[vol.Required(CONF_SAVE_ANYWAY, default=False)] = BooleanSelector()
        return self.async_show_form(
            step_id="reconfigure" if self.source == SOURCE_RECONFIGURE else "user",
            data_schema=self.add_suggested_values_to_schema(vol.Schema(fields), known),
            errors=errors,
        )


EDITIONS: Final = SelectSelector(
    SelectSelectorConfig(
        options=[edition.value for edition in Edition], translation_key=CONF_EDITION
    )
)


def _without_secret(typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a form without the secret: a stored or refused one is not shown."""
    management = typed.get(CONF_MANAGEMENT) or {}
    return {**typed, CONF_MANAGEMENT: {**management, CONF_MANAGEMENT_SECRET: None}}


def _guest_selector(guests: list[SelectOptionDict]) -> SelectSelector:
    """Offer the guests, and any other number."""
    return SelectSelector(
        SelectSelectorConfig(options=guests, custom_value=True, mode=SelectSelectorMode.DROPDOWN)
    )


async def _answers(address: str, edition: Edition) -> bool:
    """Tell whether the server answers; refuse what is certainly not a Minecraft server."""
    try:
        await MinecraftChecker(_LOGGER).status(address, edition=edition, timeout=STATUS_TIMEOUT)
    except ServerManagerError as err:
        _LOGGER.debug("%s gave no status: %s", address, err)
        if key := STATUS_ERRORS.get(type(err)):
            raise InputRefusedError({CONF_ADDRESS: key}) from err
        return False
    return True


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
