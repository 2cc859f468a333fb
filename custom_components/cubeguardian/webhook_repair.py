"""The repair of a webhook that Discord does not know any more."""

from typing import Any, Final

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntry, ConfigEntryState, ConfigSubentry
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
import voluptuous as vol

from .const import DOMAIN, SUBENTRY_DISCORD_WEBHOOK
from .flow_fields import PASSWORD
from .flow_input import InputRefusedError
from .webhook_checks import async_ask_webhook

WEBHOOK_GONE: Final = "webhook_gone"


@callback
def async_raise_webhook_gone(
    hass: HomeAssistant, entry: ConfigEntry[Any], subentry: ConfigSubentry
) -> None:
    """Ask for another address; that survives a restart, since nothing is sent meanwhile."""
    shown = {"name": entry.title, "title": subentry.title}
    ir.async_create_issue(
        hass,
        DOMAIN,
        _issue_id(subentry.subentry_id),
        data={
            "entry_id": entry.entry_id,
            "kind": WEBHOOK_GONE,
            "subentry_id": subentry.subentry_id,
            **shown,
        },
        is_fixable=True,
        is_persistent=True,
        severity=ir.IssueSeverity.WARNING,
        translation_key=WEBHOOK_GONE,
        translation_placeholders=shown,
    )


@callback
def async_clear_webhook_gone(hass: HomeAssistant, subentry_id: str) -> None:
    """Take the repair of a webhook back."""
    ir.async_delete_issue(hass, DOMAIN, _issue_id(subentry_id))


@callback
def async_revive(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Begin anew with an address that works again: it has not changed, so nothing else does."""
    if entry.state is ConfigEntryState.LOADED:
        hass.config_entries.async_schedule_reload(entry.entry_id)


@callback
def async_is_webhook_gone(hass: HomeAssistant, subentry_id: str) -> bool:
    """Tell whether a webhook waits to be repaired."""
    return ir.async_get(hass).async_get_issue(DOMAIN, _issue_id(subentry_id)) is not None


@callback
def async_clear_removed(
    hass: HomeAssistant, entry: ConfigEntry[Any], *, all_of_them: bool = False
) -> None:
    """Take back what is about webhooks that the host does not have any more."""
    kept = {one.subentry_id for one in entry.get_subentries_of_type(SUBENTRY_DISCORD_WEBHOOK)}
    kept = set() if all_of_them else kept
    for issue in tuple(ir.async_get(hass).issues.values()):
        data = issue.data or {}
        ours = issue.domain == DOMAIN and data.get("entry_id") == entry.entry_id
        if ours and data.get("kind") == WEBHOOK_GONE and data["subentry_id"] not in kept:
            ir.async_delete_issue(hass, DOMAIN, issue.issue_id)


def _issue_id(subentry_id: str) -> str:
    """Return the id of the repair of a webhook."""
    return f"{WEBHOOK_GONE}_{subentry_id}"


class WebhookRepairFlow(RepairsFlow):
    """Take another address, and show where it leads before it is kept."""

    _typed: str
    _facts: dict[str, str]

    def __init__(self, entry: ConfigEntry[Any] | None, shown: dict[str, str]) -> None:
        """Mend the webhook of `entry` that `shown` names beside the placeholders."""
        self._subentry_id = shown.pop("subentry_id", "")
        self._entry = entry if entry and self._subentry_id in entry.subentries else None
        self._shown = shown

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Ask, unless the webhook has gone."""
        return await self.async_step_address()

    async def async_step_address(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Take the address in, and ask Discord about it."""
        if self._entry is None:
            return self.async_abort(reason="entry_gone")
        errors: dict[str, str] = {}
        if user_input is not None:
            self._typed = user_input[CONF_URL].strip()
            try:
                self._facts = await async_ask_webhook(
                    self.hass, self._entry, self._typed, self._subentry_id
                )
            except InputRefusedError as err:
                errors = err.errors
            else:
                return await self.async_step_confirm()
        return self.async_show_form(
            step_id="address",
            data_schema=vol.Schema({vol.Required(CONF_URL): PASSWORD}),
            errors=errors,
            description_placeholders=self._shown,
        )

    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Keep the address; the update listener reloads the entry with it."""
        if self._entry is None or self._subentry_id not in self._entry.subentries:
            return self.async_abort(reason="entry_gone")
        if user_input is None:
            return self.async_show_form(
                step_id="confirm",
                data_schema=vol.Schema({}),
                description_placeholders={**self._shown, **self._facts},
            )
        subentry = self._entry.subentries[self._subentry_id]
        data = {**subentry.data, CONF_URL: self._typed}
        if not self.hass.config_entries.async_update_subentry(self._entry, subentry, data=data):
            async_revive(self.hass, self._entry)
        return self.async_create_entry(data={})
