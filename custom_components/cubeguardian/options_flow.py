"""Change when, how patiently and by which ways a host is woken and shut down."""

from collections.abc import Mapping
import logging
from typing import Any, Final

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow
from homeassistant.const import CONF_HOST
import voluptuous as vol

from .const import (
    CONF_AUTOMATIC,
    CONF_ENERGY,
    CONF_GUESTS,
    CONF_MAC,
    CONF_SSH,
    CONF_SSH_HOST_KEY,
    CONF_SSH_PORT,
    CONF_SSH_USER,
    CONF_WAKE_ON_LAN,
    DEFAULT_SSH_PORT,
)
from .guest_form import guests_error, tidy_guests
from .options_checks import automatic_error, energy_error, peer_error, ssh_error, wake_error
from .options_form import options_schema
from .server_manager import PresentedHostKey, ServerManagerError, SSHManager

_LOGGER = logging.getLogger(__name__)

HOST_KEY_TIMEOUT: Final = 5.0


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
        typed[CONF_GUESTS] = tidy_guests(typed[CONF_GUESTS])
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
        data, wake = self.config_entry.data, typed[CONF_WAKE_ON_LAN]
        found = {
            CONF_AUTOMATIC: automatic_error(typed[CONF_AUTOMATIC]),
            CONF_GUESTS: guests_error(typed[CONF_GUESTS]),
            CONF_WAKE_ON_LAN: wake_error(wake, data[CONF_MAC]) or peer_error(wake, data),
            CONF_SSH: await ssh_error(self.hass, typed[CONF_SSH]),
            CONF_ENERGY: energy_error(typed[CONF_ENERGY]),
        }
        return {name: key for name, key in found.items() if key is not None}

    def _show(self, values: Mapping[str, Any], errors: dict[str, str]) -> ConfigFlowResult:
        """Show the form; a section with an error is open."""
        opened = errors or {CONF_AUTOMATIC}
        schema = options_schema(self.hass, self.config_entry, opened)
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
