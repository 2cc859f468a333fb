"""Add the Discord bot of the house below a host, or change it."""

from collections.abc import Iterable, Mapping, Set
import re
from typing import Any, Final

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.const import CONF_LANGUAGE, CONF_TOKEN
from homeassistant.helpers.selector import (
    BooleanSelector,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
)
import voluptuous as vol

from .bot_checks import (
    Application,
    Places,
    async_ask_application,
    async_ask_guilds,
    async_ask_places,
    tidy_token,
)
from .bot_settings import async_find_bot
from .const import (
    CONF_ADMIN_ROLES,
    CONF_ADMINS,
    CONF_APPLICATION,
    CONF_CHANNEL,
    CONF_GROUPS,
    CONF_GUILD,
    CONF_PANEL_CHANNEL,
    CONF_PLAYER_ROLES,
    CONF_RELAY,
    CONF_RELAY_IN_GAME,
    CONF_SHOW_NAMES,
    CONF_VOICE_CHANNELS,
    CONF_VOICE_TARGETS,
    DOMAIN,
    SUBENTRY_MINECRAFT_SERVER,
)
from .flow_fields import PASSWORD
from .flow_input import InputRefusedError
from .webhook_subentry_flow import AS_HOME_ASSISTANT, GROUPS, GROUPS_AT_FIRST, SPEAKS

LOOKS_LIKE_AN_ID: Final = re.compile(r"\d{15,20}", re.ASCII)
# What a field holds, one thing or several.
type Chosen = Any

PEOPLE: Final = (CONF_PLAYER_ROLES, CONF_ADMIN_ROLES, CONF_ADMINS)


class DiscordBotFlow(ConfigSubentryFlow):
    """Ask for one bot: who it is, where it is, then what it does there."""

    _token: str
    _application: Application
    _guilds: Mapping[str, str]
    _guild_id: str
    _places: Places

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Add the bot, unless there is one."""
        if found := async_find_bot(self.hass):
            return self.async_abort(
                reason="bot_used",
                description_placeholders={"bot": found[1].title, "host": found[0].title},
            )
        return await self._take_token("user", user_input)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change the bot; without a token it keeps the one that it has."""
        return await self._take_token("reconfigure", user_input)

    async def async_step_guild(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Have the bot let into a guild, and choose it; without any look again."""
        errors: dict[str, str] = {}
        if user_input is not None:
            chosen: str = user_input.get(CONF_GUILD, "")
            shown = self._guilds.keys()
            try:
                self._guilds = await async_ask_guilds(self.hass, self._token)
                errors = _guild_errors(chosen, shown, self._guilds.keys())
                if chosen and not errors:
                    self._guild_id = chosen
                    self._places = await async_ask_places(self.hass, self._token, chosen)
                    return await self.async_step_settings()
            except InputRefusedError as err:
                errors = {"base": str(err)}
        fields = {vol.Required(CONF_GUILD): _one_of(self._guilds)} if self._guilds else {}
        known = self._known().get(CONF_GUILD)
        return self.async_show_form(
            step_id="guild",
            data_schema=self.add_suggested_values_to_schema(
                vol.Schema(fields), {CONF_GUILD: known} if known in self._guilds else {}
            ),
            errors=errors,
            description_placeholders={
                "bot": self._application.name,
                "install": self._application.install_link,
            },
        )

    async def async_step_settings(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Choose what the bot does in its guild."""
        if user_input is None:
            owner = self._application.owner_id
            known = {CONF_ADMINS: [owner] if owner else []} | self._known()
            return self._show_settings(known, {})
        if errors := self._errors(user_input):
            return self._show_settings(user_input, errors)
        return self._save(user_input)

    async def _take_token(
        self, step_id: str, user_input: dict[str, Any] | None
    ) -> SubentryFlowResult:
        """Ask for the token, and Discord about it."""
        errors: dict[str, str] = {}
        if user_input is not None:
            typed = user_input.get(CONF_TOKEN) or self._known().get(CONF_TOKEN, "")
            try:
                self._token = tidy_token(typed)
                self._application = await async_ask_application(self.hass, self._token)
                self._guilds = await async_ask_guilds(self.hass, self._token)
            except InputRefusedError as err:
                errors = err.errors
            else:
                return await self.async_step_guild()
        asked = vol.Required if step_id == "user" else vol.Optional
        return self.async_show_form(
            step_id=step_id, data_schema=vol.Schema({asked(CONF_TOKEN): PASSWORD}), errors=errors
        )

    def _errors(self, typed: Mapping[str, Any]) -> dict[str, str]:
        """Return what is wrong with the choice."""
        errors: dict[str, str] = {}
        if not any(typed.get(key) for key in PEOPLE):
            errors[CONF_PLAYER_ROLES] = "nobody_allowed"
        if not all(LOOKS_LIKE_AN_ID.fullmatch(one.strip()) for one in typed.get(CONF_ADMINS, ())):
            errors[CONF_ADMINS] = "not_a_user"
        if typed[CONF_RELAY] and not typed.get(CONF_CHANNEL):
            errors[CONF_CHANNEL] = "channel_missing"
        if typed[CONF_RELAY] and not self._application.reads_messages:
            errors[CONF_RELAY] = "intent_missing"
        if typed[CONF_RELAY_IN_GAME] and not typed[CONF_RELAY]:
            errors[CONF_RELAY_IN_GAME] = "relay_missing"
        return errors

    def _save(self, typed: dict[str, Any]) -> SubentryFlowResult:
        """Write the subentry, a new one or the one that there is."""
        data = {
            CONF_TOKEN: self._token,
            CONF_APPLICATION: self._application.application_id,
            CONF_GUILD: self._guild_id,
            **typed,
            CONF_ADMINS: [one.strip() for one in typed[CONF_ADMINS]],
        }
        if self.source != SOURCE_RECONFIGURE:
            if async_find_bot(self.hass):
                return self.async_abort(reason="bot_added_meanwhile")
            return self.async_create_entry(title=self._application.name, data=data)
        return self.async_update_and_abort(
            self._get_entry(),
            self._get_reconfigure_subentry(),
            title=self._application.name,
            data=data,
            reason="reconfigure_successful",
        )

    def _known(self) -> dict[str, Any]:
        """Return what was chosen before."""
        if self.source != SOURCE_RECONFIGURE:
            return {}
        return dict(self._get_reconfigure_subentry().data)

    def _show_settings(
        self, known: Mapping[str, Any], errors: dict[str, str]
    ) -> SubentryFlowResult:
        """Show the form; what Discord does not have any more is no longer chosen."""
        offers = {
            CONF_CHANNEL: self._places.text_channels,
            CONF_PANEL_CHANNEL: self._places.text_channels,
            CONF_VOICE_CHANNELS: self._places.voice_channels,
            CONF_VOICE_TARGETS: self._things(),
            CONF_PLAYER_ROLES: self._places.roles,
            CONF_ADMIN_ROLES: self._places.roles,
        }
        shown = {key: _still_there(value, offers.get(key)) for key, value in known.items()}
        schema = vol.Schema(_fields(offers, self._get_entry().entry_id))
        return self.async_show_form(
            step_id="settings",
            data_schema=self.add_suggested_values_to_schema(schema, shown),
            errors=errors,
            description_placeholders={
                "bot": self._application.name,
                "guild": self._guilds[self._guild_id],
                "portal": self._application.portal_link,
            },
        )

    def _things(self) -> dict[str, str]:
        """Return every host and game server that those in voice may want up."""
        found: dict[str, str] = {}
        for entry in self.hass.config_entries.async_entries(DOMAIN):
            found[entry.entry_id] = entry.title
            for game in entry.get_subentries_of_type(SUBENTRY_MINECRAFT_SERVER):
                found[game.subentry_id] = f"{entry.title} · {game.title}"
        return found


def _guild_errors(chosen: str, shown: Set[str], present: Set[str]) -> dict[str, str]:
    """Return what is wrong with the choice of a guild out of those that were shown.

    One that the bot was let into since then is probably the one that is meant.
    """
    if not present or (chosen and chosen not in present):
        return {"base": "not_in_guild"}
    return {"base": "guild_added"} if chosen and present - shown else {}


def _fields(offers: Mapping[str, Mapping[str, str]], host_id: str) -> dict[vol.Marker, Any]:
    """Return the fields of the last form."""
    return {
        vol.Optional(CONF_CHANNEL): _one_of(offers[CONF_CHANNEL]),
        vol.Required(CONF_GROUPS, default=GROUPS_AT_FIRST): GROUPS,
        vol.Optional(CONF_PANEL_CHANNEL): _one_of(offers[CONF_PANEL_CHANNEL]),
        **{
            vol.Required(key, default=chosen): _some_of(offers[key])
            for key, chosen in (
                (CONF_VOICE_CHANNELS, []),
                (CONF_VOICE_TARGETS, [host_id]),
                (CONF_PLAYER_ROLES, []),
                (CONF_ADMIN_ROLES, []),
            )
        },
        vol.Required(CONF_ADMINS, default=[]): TextSelector(TextSelectorConfig(multiple=True)),
        vol.Required(CONF_LANGUAGE, default=AS_HOME_ASSISTANT): SPEAKS,
        vol.Required(CONF_SHOW_NAMES, default=False): BooleanSelector(),
        vol.Required(CONF_RELAY, default=False): BooleanSelector(),
        vol.Required(CONF_RELAY_IN_GAME, default=False): BooleanSelector(),
    }


def _still_there(chosen: Chosen, offered: Mapping[str, str] | None) -> Chosen:
    """Return of what was chosen only what can be chosen."""
    if offered is None:
        return chosen
    if isinstance(chosen, list):
        return [one for one in chosen if one in offered]
    return chosen if chosen in offered else None


def _one_of(names: Mapping[str, str]) -> SelectSelector:
    return _selector(names, multiple=False)


def _some_of(names: Mapping[str, str]) -> SelectSelector:
    return _selector(names, multiple=True)


def _selector(names: Mapping[str, str], *, multiple: bool) -> SelectSelector:
    return SelectSelector(
        SelectSelectorConfig(
            options=_options(names.items()), multiple=multiple, mode=SelectSelectorMode.DROPDOWN
        )
    )


def _options(names: Iterable[tuple[str, str]]) -> list[SelectOptionDict]:
    return [SelectOptionDict(value=key, label=name) for key, name in names]
