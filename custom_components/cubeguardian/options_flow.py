"""Change how patiently, by which packets and by which other way a host is handled."""

from collections.abc import Mapping
import logging
import os
from pathlib import Path
from typing import Any, Final

from homeassistant.components.sensor import DOMAIN as SENSOR, SensorDeviceClass
from homeassistant.config_entries import ConfigFlowResult, OptionsFlow
from homeassistant.const import CONF_HOST, UnitOfPower
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    BooleanSelector,
    EntitySelector,
    EntitySelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import voluptuous as vol

from .const import (
    CONF_BROADCAST,
    CONF_ENERGY,
    CONF_INTERFACE,
    CONF_MAC,
    CONF_NODE,
    CONF_PEER,
    CONF_PING,
    CONF_POWER_SENSOR,
    CONF_PROBING,
    CONF_SECURE_ON,
    CONF_SSH,
    CONF_SSH_HOST_KEY,
    CONF_SSH_KEY_PATH,
    CONF_SSH_PORT,
    CONF_SSH_USER,
    CONF_STOP_MINUTES,
    CONF_TIMEOUTS,
    CONF_TOKEN_ID,
    CONF_WAKE_MINUTES,
    CONF_WAKE_ON_LAN,
    CONF_WAKE_PORT,
    CONF_WATTS_ASLEEP,
    CONF_WATTS_ON,
    DEFAULT_SSH_PORT,
    DEFAULT_STOP_MINUTES,
    DEFAULT_WAKE_MINUTES,
    DEFAULT_WATTS_ASLEEP,
    DEFAULT_WATTS_ON,
    HIGHEST_WATTS,
)
from .flow_input import broadcast_list, read_host, valid_ip, valid_secure_on
from .server_manager import PresentedHostKey, ServerManagerError, SSHManager

_LOGGER = logging.getLogger(__name__)

HOST_KEY_TIMEOUT: Final = 5.0


def _number(smallest: int, largest: int, unit: str | None = None) -> vol.All[Any]:
    """Return a validator for a whole number."""
    config = NumberSelectorConfig(min=smallest, max=largest, step=1, mode=NumberSelectorMode.BOX)
    if unit:
        config["unit_of_measurement"] = unit
    return vol.All(NumberSelector(config), vol.Coerce(int))


PORT: Final = _number(1, 65535)
MINUTES: Final = _number(1, 60, "min")
WATTS: Final = NumberSelector(
    NumberSelectorConfig(
        min=0,
        max=HIGHEST_WATTS,
        step=0.1,
        mode=NumberSelectorMode.BOX,
        unit_of_measurement=UnitOfPower.WATT,
    )
)
POWER_SENSOR: Final = EntitySelector(
    EntitySelectorConfig(domain=SENSOR, device_class=SensorDeviceClass.POWER)
)
PASSWORD: Final = TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD))

SECTIONS: Final[dict[str, dict[vol.Marker, Any]]] = {
    CONF_TIMEOUTS: {
        vol.Required(CONF_WAKE_MINUTES, default=DEFAULT_WAKE_MINUTES): MINUTES,
        vol.Required(CONF_STOP_MINUTES, default=DEFAULT_STOP_MINUTES): MINUTES,
    },
    CONF_WAKE_ON_LAN: {
        vol.Optional(CONF_BROADCAST): TextSelector(),
        vol.Optional(CONF_WAKE_PORT): PORT,
        vol.Optional(CONF_INTERFACE): TextSelector(),
        vol.Optional(CONF_SECURE_ON): PASSWORD,
        vol.Optional(CONF_PEER): TextSelector(),
    },
    CONF_SSH: {
        vol.Optional(CONF_SSH_USER): TextSelector(),
        vol.Optional(CONF_SSH_KEY_PATH): TextSelector(),
        vol.Required(CONF_SSH_PORT, default=DEFAULT_SSH_PORT): PORT,
    },
    CONF_PROBING: {vol.Required(CONF_PING, default=True): BooleanSelector()},
    CONF_ENERGY: {
        vol.Required(CONF_WATTS_ON, default=DEFAULT_WATTS_ON): WATTS,
        vol.Required(CONF_WATTS_ASLEEP, default=DEFAULT_WATTS_ASLEEP): WATTS,
        vol.Optional(CONF_POWER_SENSOR): POWER_SENSOR,
    },
}


class CubeGuardianOptionsFlow(OptionsFlow):
    """Show everything on one page; a new SSH host key is a page of its own."""

    _presented: PresentedHostKey

    def __init__(self) -> None:
        """Start with nothing typed."""
        self._options: dict[str, Any] = {}

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the options."""
        if user_input is None:
            return self._show(self.config_entry.options, {})
        typed = {name: _stripped(values) for name, values in user_input.items()}
        errors = await self._errors(typed)
        if errors:
            return self._show(typed, errors)
        self._options = {**self.config_entry.options, **typed}
        return await self._look_at_host_key()

    async def async_step_host_key(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let a person compare the host key before it is pinned."""
        return self._confirm_host_key("host_key", user_input)

    async def async_step_host_key_changed(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let a person compare the key that is not the pinned one."""
        return self._confirm_host_key("host_key_changed", user_input)

    async def async_step_host_key_later(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say that SSH cannot be used before the host was seen awake."""
        if user_input is not None:
            return self._save(None)
        return self.async_show_form(
            step_id="host_key_later",
            data_schema=vol.Schema({}),
            description_placeholders={"host": self.config_entry.data[CONF_HOST]},
        )

    async def _look_at_host_key(self) -> ConfigFlowResult:
        """Fetch the host key, where SSH is set up, and ask about one that is not pinned yet."""
        ssh = self._options[CONF_SSH]
        if CONF_SSH_USER not in ssh:
            return self._save(None)
        pinned = self._pinned(ssh)
        try:
            self._presented = await SSHManager(_LOGGER).fetch_host_key(
                self.config_entry.data[CONF_HOST], ssh[CONF_SSH_PORT], HOST_KEY_TIMEOUT
            )
        except ServerManagerError as err:
            _LOGGER.debug("No host key could be fetched: %s", err)
            return self._save(pinned) if pinned else await self.async_step_host_key_later()
        if self._presented.key == pinned:
            return self._save(pinned)
        return self._confirm_host_key("host_key_changed" if pinned else "host_key", None)

    def _confirm_host_key(self, step: str, user_input: dict[str, Any] | None) -> ConfigFlowResult:
        """Show the key's fingerprint; pin the key once that is confirmed."""
        if user_input is not None:
            return self._save(self._presented.key)
        return self.async_show_form(
            step_id=step,
            data_schema=vol.Schema({}),
            description_placeholders={
                "host": self.config_entry.data[CONF_HOST],
                "fingerprint": self._presented.fingerprint,
            },
        )

    def _pinned(self, ssh: Mapping[str, Any]) -> str | None:
        """Return the pinned host key, as long as it is still the same port."""
        before = self.config_entry.options.get(CONF_SSH, {})
        same = before.get(CONF_SSH_PORT, DEFAULT_SSH_PORT) == ssh[CONF_SSH_PORT]
        return before.get(CONF_SSH_HOST_KEY) if same else None

    def _save(self, host_key: str | None) -> ConfigFlowResult:
        """Keep the options; the update listener reloads the entry."""
        ssh = {**self._options[CONF_SSH]}
        if host_key is not None:
            ssh[CONF_SSH_HOST_KEY] = host_key
        return self.async_create_entry(data={**self._options, CONF_SSH: ssh})

    async def _errors(self, typed: dict[str, dict[str, Any]]) -> dict[str, str]:
        """Return what is wrong, by section: the interface shows no error at a field inside one."""
        found = {
            CONF_WAKE_ON_LAN: _wake_error(typed[CONF_WAKE_ON_LAN], self.config_entry.data[CONF_MAC])
            or _peer_error(typed[CONF_WAKE_ON_LAN], self.config_entry.data),
            CONF_SSH: await self._ssh_error(typed[CONF_SSH]),
            CONF_ENERGY: _energy_error(typed[CONF_ENERGY]),
        }
        return {name: key for name, key in found.items() if key is not None}

    async def _ssh_error(self, ssh: Mapping[str, Any]) -> str | None:
        """Return what is wrong with the SSH login."""
        user, key_path = ssh.get(CONF_SSH_USER), ssh.get(CONF_SSH_KEY_PATH)
        if user is None and key_path is None:
            return None
        if user is None:
            return "ssh_user_missing"
        if key_path is None:
            return "ssh_key_missing"
        return await self.hass.async_add_executor_job(_key_error, Path(key_path))

    def _show(self, values: Mapping[str, Any], errors: dict[str, str]) -> ConfigFlowResult:
        """Show the form; a section with an error is open."""
        schema = vol.Schema(
            {
                vol.Required(name): section(
                    vol.Schema(fields),
                    {"collapsed": name != CONF_TIMEOUTS and name not in errors},
                )
                for name, fields in SECTIONS.items()
            }
        )
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(schema, values),
            errors=errors,
            description_placeholders={"host": self.config_entry.data[CONF_HOST]},
        )


def _stripped(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was really filled in, without blanks around it."""
    texts = {
        key: value.strip() if isinstance(value, str) else value for key, value in values.items()
    }
    return {key: value for key, value in texts.items() if value != ""}


def _wake_error(wake: dict[str, Any], mac: str) -> str | None:
    """Return what is wrong with the Wake-on-LAN section; the broadcasts are put in order."""
    try:
        if CONF_BROADCAST in wake:
            wake[CONF_BROADCAST] = broadcast_list(wake[CONF_BROADCAST])
    except ValueError:
        return "invalid_broadcast"
    if CONF_INTERFACE in wake and not valid_ip(wake[CONF_INTERFACE]):
        return "invalid_interface"
    if CONF_SECURE_ON in wake and not valid_secure_on(mac, wake[CONF_SECURE_ON]):
        return "invalid_secure_on"
    return None


def _peer_error(wake: dict[str, Any], data: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the cluster peer; its address is brought into its normal form."""
    if CONF_PEER not in wake:
        return None
    peer = read_host(wake[CONF_PEER])
    if peer is None or peer == data[CONF_HOST]:
        return "invalid_peer"
    wake[CONF_PEER] = peer
    return None if data.get(CONF_TOKEN_ID) and data.get(CONF_NODE) else "peer_needs_token"


def _energy_error(energy: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the energy section."""
    sleeps_for_less = energy[CONF_WATTS_ASLEEP] < energy[CONF_WATTS_ON]
    return None if sleeps_for_less else "nothing_saved"


def _key_error(path: Path) -> str | None:
    """Return what is wrong with the file of the private key; blocking."""
    if not path.is_file():
        return "key_not_found"
    return None if os.access(path, os.R_OK) else "key_not_readable"
