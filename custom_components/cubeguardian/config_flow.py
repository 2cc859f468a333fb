"""Set up a host, awake or asleep; renew its token; follow its address."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, override

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryFlow,
    OptionsFlow,
)
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import callback
from homeassistant.data_entry_flow import section
from homeassistant.helpers.device_registry import format_mac
from homeassistant.helpers.selector import TextSelector
from homeassistant.helpers.service_info.dhcp import DhcpServiceInfo
import voluptuous as vol

from .bot_subentry_flow import DiscordBotFlow
from .const import (
    CONF_BROADCAST,
    CONF_MAC,
    CONF_MODE,
    CONF_NODE,
    CONF_TOKEN_ID,
    CONF_TOKEN_SECRET,
    CONF_WAKE_ON_LAN,
    CONF_WAKE_PORT,
    DEFAULT_PORT,
    DOMAIN,
    SUBENTRY_DISCORD_BOT,
    SUBENTRY_DISCORD_WEBHOOK,
    SUBENTRY_MINECRAFT_SERVER,
)
from .flow_checks import HostChecks, WakeOutcome
from .flow_fields import PASSWORD, PORT
from .flow_input import HostInput, InputRefusedError, broadcast_list, valid_ip, valid_mac
from .flow_questions import HostQuestions
from .options_flow import CubeGuardianOptionsFlow
from .subentry_flow import MinecraftServerFlow
from .webhook_subentry_flow import DiscordWebhookFlow

TOKEN_FIELDS: Final[dict[vol.Marker, Any]] = {
    vol.Optional(CONF_TOKEN_ID): TextSelector(),
    vol.Optional(CONF_TOKEN_SECRET): PASSWORD,
}
HOST_FIELDS: Final[dict[vol.Marker, Any]] = {
    vol.Required(CONF_HOST): TextSelector(),
    vol.Required(CONF_PORT, default=DEFAULT_PORT): PORT,
    vol.Optional(CONF_MAC): TextSelector(),
    **TOKEN_FIELDS,
    vol.Optional(CONF_NODE): TextSelector(),
}
WAKE_FIELDS: Final[dict[vol.Marker, Any]] = {
    vol.Optional(CONF_BROADCAST): TextSelector(),
    vol.Optional(CONF_WAKE_PORT): PORT,
}
SCHEMAS: Final = {
    "reconfigure": vol.Schema(HOST_FIELDS),
    "reauth_confirm": vol.Schema(
        {
            vol.Required(CONF_TOKEN_ID): TextSelector(),
            vol.Required(CONF_TOKEN_SECRET): PASSWORD,
        }
    ),
}
ASLEEP_MENU: Final = ["wake", "save_asleep", "back"]


class CubeGuardianConfigFlow(HostQuestions, ConfigFlow, domain=DOMAIN):
    """Lead a person from an address to a host that can be woken, watched and shut down."""

    VERSION = 1

    _outcome: WakeOutcome
    _data: dict[str, Any]

    def __init__(self) -> None:
        """Start with an empty form."""
        self._form = "user"
        self._typed: dict[str, Any] = {}
        self._options: dict[str, Any] = {}
        self._waking: asyncio.Task[WakeOutcome] | None = None

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry[Any]) -> OptionsFlow:
        """Return the options flow."""
        return CubeGuardianOptionsFlow()

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(
        cls, config_entry: ConfigEntry[Any]
    ) -> dict[str, type[ConfigSubentryFlow]]:
        """Return what can be added below a host."""
        return {
            SUBENTRY_MINECRAFT_SERVER: MinecraftServerFlow,
            SUBENTRY_DISCORD_WEBHOOK: DiscordWebhookFlow,
            SUBENTRY_DISCORD_BOT: DiscordBotFlow,
        }

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the host."""
        if user_input is None:
            return self._show()
        self._typed = user_input
        try:
            host = HostInput.read(user_input)
            self._options = _wake_options(user_input[CONF_WAKE_ON_LAN])
        except InputRefusedError as err:
            return self._show(err.errors)
        self._async_abort_entries_match({CONF_HOST: host.host, CONF_PORT: host.port})
        await self._claim(host.mac)
        self.checks = HostChecks(self.hass, host, options=self._options)
        return await self.async_advance()

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Take note that the host refused the token."""
        self._form = "reauth_confirm"
        self._typed = {CONF_TOKEN_ID: entry_data.get(CONF_TOKEN_ID)}
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Take the new token and try it out."""
        if user_input is None:
            return self._show()
        return await self._change(self._get_reauth_entry(), user_input)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Change where the host is and how it is reached."""
        entry = self._get_reconfigure_entry()
        self._form = "reconfigure"
        if user_input is None:
            self._typed = {**entry.data, CONF_TOKEN_SECRET: None}
            return self._show()
        kept = user_input.get(CONF_TOKEN_ID) == entry.data.get(CONF_TOKEN_ID)
        if kept and not user_input.get(CONF_TOKEN_SECRET):
            user_input = {**user_input, CONF_TOKEN_SECRET: entry.data.get(CONF_TOKEN_SECRET)}
        emptied = dict.fromkeys((CONF_MAC, CONF_TOKEN_ID, CONF_TOKEN_SECRET, CONF_NODE))
        return await self._change(entry, {**emptied, **user_input})

    async def _change(self, entry: ConfigEntry[Any], typed: dict[str, Any]) -> ConfigFlowResult:
        """Try out an existing host with what was typed."""
        self._typed = typed
        try:
            host = HostInput.read({**entry.data, **typed})
        except InputRefusedError as err:
            return self._show(err.errors)
        await self._claim(host.mac)
        self.checks = HostChecks.of_entry(self.hass, entry, host)
        return await self.async_advance()

    async def async_step_dhcp(self, discovery_info: DhcpServiceInfo) -> ConfigFlowResult:
        """Follow a known host to its new address; never offer a new one."""
        known = await self.async_set_unique_id(format_mac(discovery_info.macaddress))
        literal = known is not None and valid_ip(known.data[CONF_HOST], version=4)
        self._abort_if_unique_id_configured(
            updates={CONF_HOST: discovery_info.ip} if literal else None, reload_on_update=False
        )
        return self.async_abort(reason="not_known")

    async def async_step_mac(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let a person confirm the MAC address that was found."""
        errors: dict[str, str] = {}
        if user_input is not None:
            if valid_mac(user_input[CONF_MAC]):
                self.checks.take_mac(user_input[CONF_MAC])
                await self._claim(self.checks.host.mac)
                return await self.async_advance()
            errors[CONF_MAC] = "invalid_mac"
        return self.async_show_form(
            step_id="mac",
            data_schema=self.add_suggested_values_to_schema(
                vol.Schema({vol.Required(CONF_MAC): TextSelector()}),
                user_input or {CONF_MAC: self.checks.proposed_mac},
            ),
            errors=errors,
            description_placeholders={"host": self.checks.host.host},
        )

    async def async_step_asleep(self, user_input: None = None) -> ConfigFlowResult:
        """Offer to wake a host that does not answer, or to go on without checking."""
        return self._offer("asleep")

    async def async_step_starting(self, user_input: None = None) -> ConfigFlowResult:
        """Offer to wait for a host that answers ping but not yet on Proxmox's port."""
        return self._offer("starting")

    async def async_step_wake_not_sent(self, user_input: None = None) -> ConfigFlowResult:
        """Say that no magic packet could be sent."""
        return self._offer(WakeOutcome.NOT_SENT)

    async def async_step_wake_silent(self, user_input: None = None) -> ConfigFlowResult:
        """Say that the host never answered."""
        return self._offer(WakeOutcome.SILENT)

    async def async_step_wake_no_port(self, user_input: None = None) -> ConfigFlowResult:
        """Say that the host came up but Proxmox did not."""
        return self._offer(WakeOutcome.NO_PORT)

    async def async_step_wake(self, user_input: None = None) -> ConfigFlowResult:
        """Wake the host and wait for it."""
        if self._waking is None:
            self._waking = self.hass.async_create_task(
                self.checks.wake_and_wait(self.async_update_progress),
                f"cubeguardian set-up wakes {self.checks.host.host}",
            )
        if self._waking.done():
            self._outcome = self._waking.result()
            self._waking = None
            return self.async_show_progress_done(next_step_id="woken")
        return self.async_show_progress(
            step_id="wake",
            progress_action="waking",
            progress_task=self._waking,
            description_placeholders=self._host_placeholders(),
        )

    async def async_step_woken(self, user_input: None = None) -> ConfigFlowResult:
        """Go on with the checks, or say how far the host came."""
        step: Callable[[], Awaitable[ConfigFlowResult]]
        step = getattr(self, f"async_step_{self._outcome}")
        return await step()

    async def async_step_awake(self) -> ConfigFlowResult:
        """Check the host that has just come up."""
        return await self.async_advance()

    async def async_step_save_asleep(self, user_input: None = None) -> ConfigFlowResult:
        """Go on without checks; they become a repair when the host wakes."""
        return await self._keep(checked=False)

    async def async_step_back(self, user_input: None = None) -> ConfigFlowResult:
        """Return to the form with everything that was typed."""
        return self._show()

    async def async_step_done(self) -> ConfigFlowResult:
        """Go on with a host that passed."""
        return await self._keep(checked=True)

    async def _keep(self, *, checked: bool) -> ConfigFlowResult:
        """Write what is known of a host; about a new one there are questions left."""
        self._data = self.checks.entry_data(unchecked=not checked)
        # Not naming the reason brings Home Assistant's words, which not every language has.
        if self.source == SOURCE_REAUTH:
            return self.async_update_and_abort(
                self._get_reauth_entry(), data_updates=self._data, reason="reauth_successful"
            )
        if self.source == SOURCE_RECONFIGURE:
            return self.async_update_and_abort(
                self._get_reconfigure_entry(),
                unique_id=self.checks.host.mac,
                data_updates=self._data,
                reason="reconfigure_successful",
            )
        return await self.async_question(checked=checked)

    @override
    def keep_new_host(self, mode: str, options: dict[str, Any]) -> ConfigFlowResult:
        """Write the entry of a new host."""
        return self.async_create_entry(
            title=self.checks.host.node or self.checks.host.host,
            data={**self._data, CONF_MODE: mode},
            options={**self._options, **options},
        )

    @override
    async def async_refused(self, errors: dict[str, str]) -> ConfigFlowResult:
        """Return to the form; a refused secret is not offered again."""
        if CONF_TOKEN_SECRET in errors:
            self._typed = {**self._typed, CONF_TOKEN_SECRET: None}
        return self._show(errors)

    async def _claim(self, mac: str | None) -> None:
        """Abort where another entry has this MAC address already."""
        if mac is None or self.source == SOURCE_REAUTH:
            return
        # A window that was closed leaves its flow open until Home Assistant restarts.
        await self.async_set_unique_id(mac, raise_on_progress=False)
        if self.source == SOURCE_RECONFIGURE and mac == self._get_reconfigure_entry().unique_id:
            return
        self._abort_if_unique_id_configured(reload_on_update=False)

    def _show(self, errors: dict[str, str] | None = None) -> ConfigFlowResult:
        """Show the form of this flow with what was typed so far."""
        typed = {key: value for key, value in self._typed.items() if value is not None}
        schema = SCHEMAS.get(self._form) or _user_schema(collapsed=not typed.get(CONF_WAKE_ON_LAN))
        return self.async_show_form(
            step_id=self._form,
            data_schema=self.add_suggested_values_to_schema(schema, typed),
            errors=errors,
            description_placeholders={"token_id": typed.get(CONF_TOKEN_ID, "")},
        )

    def _offer(self, step: str) -> ConfigFlowResult:
        """Show what can be done with a host that sleeps."""
        return self.async_show_menu(
            step_id=step,
            menu_options=ASLEEP_MENU,
            description_placeholders=self._host_placeholders(),
        )

    def _host_placeholders(self) -> dict[str, str]:
        """Return what texts about waking name."""
        host = self.checks.host
        return {"host": host.host, "port": str(host.port), "mac": host.mac or ""}


def _user_schema(*, collapsed: bool) -> vol.Schema:
    """Return the form of a new host; its section is open once something stands in it."""
    wake = section(vol.Schema(WAKE_FIELDS), {"collapsed": collapsed})
    return vol.Schema({**HOST_FIELDS, vol.Required(CONF_WAKE_ON_LAN): wake})


def _wake_options(typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that the Wake-on-LAN section asks for; none where it was left empty."""
    try:
        broadcast = broadcast_list(typed.get(CONF_BROADCAST, ""))
    except ValueError:
        # The interface shows no error at a field inside a section, only at the section itself.
        raise InputRefusedError({CONF_WAKE_ON_LAN: "invalid_broadcast"}) from None
    wake = {CONF_BROADCAST: broadcast, CONF_WAKE_PORT: typed.get(CONF_WAKE_PORT)}
    wake = {key: value for key, value in wake.items() if value}
    return {CONF_WAKE_ON_LAN: wake} if wake else {}
