"""The steps that flows share while they check a host: certificate, node, rights."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from homeassistant.data_entry_flow import FlowContext, FlowHandler, FlowResult
from homeassistant.helpers.selector import SelectSelector, SelectSelectorConfig
import voluptuous as vol

from .const import CONF_NODE
from .flow_checks import HostChecks, certificate_texts
from .flow_input import InputRefusedError


class HostSteps[ContextT: FlowContext, ResultT: FlowResult[Any, Any]](
    FlowHandler[ContextT, ResultT, str]
):
    """Lead a person through the checks of a host; a finding is the name of the next step."""

    checks: HostChecks
    rights_menu: Sequence[str] = ("check_rights", "ignore_rights")

    @abstractmethod
    async def async_refused(self, errors: dict[str, str]) -> ResultT:
        """Show what is wrong."""

    async def async_advance(self) -> ResultT:
        """Go on with the checks up to what needs a person next."""
        try:
            finding = await self.checks.advance()
        except InputRefusedError as err:
            return await self.async_refused(err.errors)
        step: Callable[[], Awaitable[ResultT]] = getattr(self, f"async_step_{finding}")
        return await step()

    async def async_step_certificate(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Let a person compare the certificate; the token is sent only after that."""
        if user_input is not None:
            self.checks.accept_certificate()
            return await self.async_advance()
        return self.async_show_form(
            step_id="certificate",
            data_schema=vol.Schema({}),
            description_placeholders=self.certificate_placeholders(),
        )

    def certificate_placeholders(self) -> dict[str, str]:
        """Return what the certificate says of itself."""
        return certificate_texts(self.checks.host.host, self.checks.presented)

    async def async_step_node(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Let a person say which node of a cluster this host is."""
        if user_input is not None:
            self.checks.choose_node(user_input[CONF_NODE])
            return await self.async_advance()
        nodes = SelectSelector(SelectSelectorConfig(options=sorted(self.checks.nodes)))
        return self.async_show_form(
            step_id="node",
            data_schema=vol.Schema({vol.Required(CONF_NODE): nodes}),
            description_placeholders={"host": self.checks.host.host},
        )

    async def async_step_rights(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Show the commands that give the token the rights it lacks."""
        return self.async_show_menu(
            step_id="rights",
            menu_options=list(self.rights_menu),
            description_placeholders={
                "token_id": self.checks.host.token_id or "",
                "commands": self.checks.pveum,
            },
        )

    async def async_step_check_rights(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Check the rights again."""
        return await self.async_advance()

    async def async_step_ignore_rights(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Go on without the rights."""
        self.checks.ignore_rights()
        return await self.async_advance()
