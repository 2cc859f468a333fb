"""The repairs of the bot: what is wrong with its token, its application, its permissions."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
import voluptuous as vol

from .bot_checks import Application, async_ask_application, tidy_token
from .bot_settings import BotSettings, async_find_bot
from .const import CONF_APPLICATION, DOMAIN
from .discord_bridge.bridge_port import End, Problem, Trouble
from .flow_fields import PASSWORD
from .flow_input import InputRefusedError

BOT_TOKEN: Final = "bot_token"
BOT_INTENT: Final = "bot_intent"
BOT_PUBLIC: Final = "bot_public"
BOT_ENDPOINT: Final = "bot_endpoint"
BOT_GUILD: Final = "bot_guild"
BOT_CHANNEL: Final = "bot_channel"
BOT_PERMISSION: Final = "bot_permission"
BOT_COMMANDS: Final = "bot_commands"
BOT_LIBRARY: Final = "bot_library"

OF_END: Final = {End.BAD_TOKEN: BOT_TOKEN, End.INTENT_MISSING: BOT_INTENT}
OF_TROUBLE: Final = {
    Trouble.BOT_PUBLIC: BOT_PUBLIC,
    Trouble.ENDPOINT_SET: BOT_ENDPOINT,
    Trouble.GUILD_MISSING: BOT_GUILD,
    Trouble.CHANNEL_MISSING: BOT_CHANNEL,
    Trouble.PERMISSION_MISSING: BOT_PERMISSION,
    Trouble.COMMANDS_REFUSED: BOT_COMMANDS,
}
BOT_KINDS: Final = (*OF_END.values(), *OF_TROUBLE.values(), BOT_LIBRARY)
# What is mended where Discord tells nobody of it; only trying shows whether commands are allowed.
STANDS: Final[dict[str, Callable[[Application], bool]]] = {
    BOT_INTENT: lambda application: not application.reads_messages,
    BOT_PUBLIC: lambda application: application.is_public,
    BOT_ENDPOINT: lambda application: application.has_endpoint,
    BOT_COMMANDS: lambda _: False,
}
FIXABLE: Final = (BOT_TOKEN, *STANDS)


@callback
def async_raise_end(hass: HomeAssistant, settings: BotSettings, end: End) -> None:
    """Say why the bot has stopped for good."""
    _raise(hass, settings, OF_END[end], persistent=True)


@callback
def async_raise_library(hass: HomeAssistant, settings: BotSettings) -> None:
    """Say that discord.py cannot be used."""
    _raise(hass, settings, BOT_LIBRARY)


@callback
def async_clear_library(hass: HomeAssistant) -> None:
    """Take back that discord.py cannot be used."""
    ir.async_delete_issue(hass, DOMAIN, BOT_LIBRARY)


@callback
def async_raise_problems(
    hass: HomeAssistant, settings: BotSettings, problems: Iterable[Problem]
) -> None:
    """Say what is wrong, and take back what no longer is."""
    found: dict[str, list[str]] = {}
    for one in problems:
        found.setdefault(OF_TROUBLE[one.trouble], []).append(_line(one))
    for kind in OF_TROUBLE.values():
        if kind in found:
            _raise(hass, settings, kind, channels="\n".join(found[kind]))
        else:
            ir.async_delete_issue(hass, DOMAIN, kind)


@callback
def async_clear_connection(hass: HomeAssistant) -> None:
    """Take back what a bot that is connected has proven wrong."""
    for kind in OF_END.values():
        ir.async_delete_issue(hass, DOMAIN, kind)


@callback
def async_clear_trouble(hass: HomeAssistant) -> None:
    """Take back what only a bot that runs can tell of."""
    for kind in OF_TROUBLE.values():
        ir.async_delete_issue(hass, DOMAIN, kind)


@callback
def async_clear_bot(hass: HomeAssistant) -> None:
    """Take back everything: there is no bot any more."""
    for kind in BOT_KINDS:
        ir.async_delete_issue(hass, DOMAIN, kind)


def _line(problem: Problem) -> str:
    """Return a channel with what is missing in it, in the words of Discord's settings."""
    place = f"#{problem.channel}" if problem.channel else str(problem.channel_id or "")
    missing = ", ".join(one.replace("_", " ").title() for one in problem.missing)
    return f"- {place}: {missing}" if missing else f"- {place}"


def _raise(
    hass: HomeAssistant,
    settings: BotSettings,
    kind: str,
    *,
    persistent: bool = False,
    channels: str = "",
) -> None:
    """Create or renew a repair."""
    application = Application(application_id=settings.application_id, name="")
    ir.async_create_issue(
        hass,
        DOMAIN,
        kind,
        data={"entry_id": settings.entry_id, "kind": kind},
        is_fixable=kind in FIXABLE,
        is_persistent=persistent,
        severity=ir.IssueSeverity.WARNING,
        translation_key=kind,
        translation_placeholders={
            "channels": channels,
            "install": application.install_link,
            "portal": application.portal_link,
        },
    )


class BotRepairFlow(RepairsFlow):
    """Mend what is wrong with the bot, and let it connect anew."""

    def __init__(self, restart: Callable[[], None], kind: str) -> None:
        """Mend one kind; `restart` connects anew."""
        self._restart = restart
        self._kind = kind

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Begin with what there is to do."""
        if self._kind == BOT_TOKEN:
            return await self.async_step_token()
        return await self.async_step_look()

    async def async_step_token(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Take a token that Discord accepts; the update listener reloads the entry with it."""
        found = async_find_bot(self.hass)
        if found is None:
            return self.async_abort(reason="entry_gone")
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                token = tidy_token(user_input[CONF_TOKEN])
                application = await async_ask_application(self.hass, token)
            except InputRefusedError as err:
                errors = err.errors
            else:
                self._keep(*found, token, application)
                return self.async_create_entry(data={})
        return self._form("token", found, errors, {vol.Required(CONF_TOKEN): PASSWORD})

    async def async_step_look(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Look whether it was mended on Discord."""
        found = async_find_bot(self.hass)
        if found is None:
            return self.async_abort(reason="entry_gone")
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                application = await async_ask_application(self.hass, found[1].data[CONF_TOKEN])
            except InputRefusedError as err:
                errors = {"base": str(err)}
            else:
                if not STANDS[self._kind](application):
                    self._restart()
                    return self.async_create_entry(data={})
                errors = {"base": "not_mended"}
        return self._form("look", found, errors, {})

    def _keep(
        self, entry: ConfigEntry[Any], subentry: ConfigSubentry, token: str, bot: Application
    ) -> None:
        """Keep a token, also the one that there was: it may work again."""
        data = {**subentry.data, CONF_TOKEN: token, CONF_APPLICATION: bot.application_id}
        if not self.hass.config_entries.async_update_subentry(entry, subentry, data=data):
            self._restart()

    def _form(
        self,
        step_id: str,
        found: tuple[ConfigEntry[Any], ConfigSubentry],
        errors: dict[str, str],
        fields: dict[vol.Marker, Any],
    ) -> RepairsFlowResult:
        application = Application(application_id=found[1].data[CONF_APPLICATION], name="")
        return self.async_show_form(
            step_id=step_id,
            data_schema=vol.Schema(fields),
            errors=errors,
            description_placeholders={
                "install": application.install_link,
                "portal": application.portal_link,
            },
        )
