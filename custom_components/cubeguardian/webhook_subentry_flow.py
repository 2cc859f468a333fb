"""Add a Discord webhook below its host, or change one."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.const import CONF_LANGUAGE, CONF_NAME, CONF_URL
from homeassistant.helpers.selector import (
    BooleanSelector,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)
import voluptuous as vol

from .announcing import LANGUAGES
from .const import CONF_ALERTS, CONF_GROUPS, CONF_LIVE_STATUS
from .discord_bridge.view import Group
from .flow_fields import PASSWORD
from .flow_input import InputRefusedError
from .webhook_checks import async_ask_webhook
from .webhook_repair import async_clear_webhook_gone, async_is_webhook_gone, async_revive

AS_HOME_ASSISTANT: Final = "home_assistant"
# Who plays is told only if somebody asks for it.
GROUPS_AT_FIRST: Final = [group.value for group in Group if group is not Group.PLAYERS]

GROUPS: Final = SelectSelector(
    SelectSelectorConfig(
        options=[group.value for group in Group],
        translation_key="discord_groups",
        multiple=True,
        mode=SelectSelectorMode.LIST,
    )
)
SPEAKS: Final = SelectSelector(
    SelectSelectorConfig(
        options=[AS_HOME_ASSISTANT, *LANGUAGES],
        translation_key="discord_language",
        mode=SelectSelectorMode.DROPDOWN,
    )
)
WISHES: Final[dict[vol.Marker, Any]] = {
    vol.Required(CONF_GROUPS, default=GROUPS_AT_FIRST): GROUPS,
    vol.Required(CONF_ALERTS, default=True): BooleanSelector(),
    vol.Required(CONF_LIVE_STATUS, default=False): BooleanSelector(),
    vol.Required(CONF_LANGUAGE, default=AS_HOME_ASSISTANT): SPEAKS,
}


class DiscordWebhookFlow(ConfigSubentryFlow):
    """Ask for one webhook; its address is asked for, never shown again."""

    _title: str
    _data: dict[str, Any]
    _facts: Mapping[str, str] = MappingProxyType({})

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Add a webhook."""
        return await self._take(user_input) if user_input is not None else self._show({}, {})

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change a webhook; without an address it keeps the one that it has."""
        if user_input is not None:
            return await self._take(user_input)
        subentry = self._get_reconfigure_subentry()
        return self._show({**subentry.data, CONF_NAME: subentry.title}, {})

    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Show where the webhook leads before it is kept."""
        if user_input is not None:
            return self._save()
        return self.async_show_form(
            step_id="confirm", data_schema=vol.Schema({}), description_placeholders=self._facts
        )

    async def _take(self, typed: dict[str, Any]) -> SubentryFlowResult:
        """Check what was typed, and ask Discord about an address that is new."""
        changes = self.source == SOURCE_RECONFIGURE
        known = self._get_reconfigure_subentry() if changes else None
        url = typed.get(CONF_URL, "").strip()
        self._title = typed[CONF_NAME].strip()
        try:
            if not self._title:
                raise InputRefusedError({CONF_NAME: "name_missing"})
            if known and not url:
                self._data = {**typed, CONF_URL: known.data[CONF_URL]}
                return self._save()
            self._facts = await async_ask_webhook(
                self.hass, self._get_entry(), url, known.subentry_id if known else None
            )
        except InputRefusedError as err:
            return self._show(typed, err.errors)
        self._data = {**typed, CONF_URL: url}
        return await self.async_step_confirm()

    def _save(self) -> SubentryFlowResult:
        """Write the subentry, a new one or the one that this flow is about."""
        data = {key: value for key, value in self._data.items() if key != CONF_NAME}
        if self.source != SOURCE_RECONFIGURE:
            return self.async_create_entry(title=self._title, data=data)
        subentry = self._get_reconfigure_subentry()
        if self._facts and async_is_webhook_gone(self.hass, subentry.subentry_id):
            async_clear_webhook_gone(self.hass, subentry.subentry_id)
            if data == subentry.data:
                async_revive(self.hass, self._get_entry())
        return self.async_update_and_abort(
            self._get_entry(),
            subentry,
            title=self._title,
            data=data,
            reason="reconfigure_successful",
        )

    def _show(self, known: Mapping[str, Any], errors: dict[str, str]) -> SubentryFlowResult:
        """Show the form, with everything but the address."""
        changes = self.source == SOURCE_RECONFIGURE
        address = vol.Optional(CONF_URL) if changes else vol.Required(CONF_URL)
        fields = {vol.Required(CONF_NAME): TextSelector(), address: PASSWORD, **WISHES}
        shown = {key: value for key, value in known.items() if key != CONF_URL}
        return self.async_show_form(
            step_id="reconfigure" if changes else "user",
            data_schema=self.add_suggested_values_to_schema(vol.Schema(fields), shown),
            errors=errors,
        )
