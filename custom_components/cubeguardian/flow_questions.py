"""What only a person can say about a new host: what its guests mean, and who lets it sleep."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Final

from homeassistant.config_entries import ConfigFlowContext, ConfigFlowResult
from homeassistant.const import CONF_BASE
from homeassistant.helpers.selector import (
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
import voluptuous as vol

from .const import CONF_GUESTS, CONF_GUESTS_PROTECTED, CONF_MODE
from .flow_steps import HostSteps
from .guest_form import guest_fields, guest_options, guests_error, tidy_guests
from .guest_roles import named
from .own_guest import own_macs

FIRST_MODE: Final = SelectSelector(
    SelectSelectorConfig(
        options=["automatic", "manual"],
        mode=SelectSelectorMode.LIST,
        translation_key="first_mode",
    )
)


class HostQuestions(HostSteps[ConfigFlowContext, ConfigFlowResult]):
    """Ask about the guests, where they could be read, and then about the mode."""

    _answers: dict[str, Any]

    @abstractmethod
    def keep_new_host(self, mode: str, options: dict[str, Any]) -> ConfigFlowResult:
        """Write the entry; `options` are those that the answers ask for."""

    async def async_question(self, *, checked: bool) -> ConfigFlowResult:
        """Begin to ask; of a host that was not `checked` the guests are not known."""
        self._answers = {}
        if checked:
            ours = await self.hass.async_add_executor_job(own_macs)
            await self.checks.read_guests(ours)
        known = guest_options(self.checks.guests)
        return await (self.async_step_guests() if known else self.async_step_mode())

    async def async_step_guests(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask what each guest means for the sleep of the host."""
        if user_input is None:
            own = [str(vmid) for vmid in sorted(self.checks.own_guests)]
            return self._ask_about_guests({CONF_GUESTS_PROTECTED: own}, {})
        guests = tidy_guests(user_input)
        if error := guests_error(guests):
            return self._ask_about_guests(guests, {CONF_BASE: error})
        self._answers = {CONF_GUESTS: guests}
        return await self.async_step_mode()

    async def async_step_own_guest(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask the same about a host that Home Assistant itself runs on."""
        return await self.async_step_guests(user_input)

    async def async_step_mode(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whether the host is shut down by itself when nobody wants it."""
        if user_input is not None:
            return self.keep_new_host(user_input[CONF_MODE], self._answers)
        usual = "manual" if self.checks.own_guests else "automatic"
        return self.async_show_form(
            step_id="mode",
            data_schema=vol.Schema({vol.Required(CONF_MODE, default=usual): FIRST_MODE}),
            description_placeholders={"host": self.checks.host.host},
        )

    def _ask_about_guests(
        self, chosen: Mapping[str, list[str]], errors: dict[str, str]
    ) -> ConfigFlowResult:
        """Show the guests, Home Assistant's own as what it is."""
        own = self.checks.own_guests
        guests = [guest for guest in self.checks.guests if not guest.template]
        fields = vol.Schema(guest_fields(guest_options(guests)))
        return self.async_show_form(
            step_id="own_guest" if own else "guests",
            data_schema=self.add_suggested_values_to_schema(fields, chosen),
            errors=errors,
            description_placeholders={
                "host": self.checks.host.host,
                "guests": named(guests),
                "own": named(guest for guest in guests if guest.vmid in own),
            },
        )
