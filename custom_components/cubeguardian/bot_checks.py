"""Ask Discord about a bot, before anything of it is kept."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
import re
from typing import Any, Final

import aiohttp
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from yarl import URL

from .discord_bridge.permitting import PERMISSIONS
from .flow_input import InputRefusedError

API: Final = "https://discord.com/api/v10"
HEADERS: Final = {"User-Agent": "DiscordBot (https://github.com/Cride24/cubeguardian, 0.1)"}
PATIENCE: Final = 10.0
LOOKS_LIKE_A_TOKEN: Final = re.compile(r"[\w.=-]{20,200}", re.ASCII)
READS_MESSAGES: Final = (1 << 18) | (1 << 19)
TEXT_KINDS: Final = frozenset({0, 5})
VOICE_KINDS: Final = frozenset({2, 13})
REFUSALS: Final = {401: "bad_token", 429: "busy"}
REFUSALS_OF_GUILD: Final = REFUSALS | {403: "not_in_guild", 404: "not_in_guild"}


# What Discord answers: nothing is known of its form before it was read.
type Told = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What Discord says of a bot; `owner_id` is the account that made it."""

    application_id: str
    name: str
    owner_id: str = ""
    is_public: bool = False
    has_endpoint: bool = False
    reads_messages: bool = False

    @property
    def install_link(self) -> str:
        """Return where the bot is let into a guild, with what it needs and nothing more."""
        return str(
            URL("https://discord.com/oauth2/authorize").with_query(
                client_id=self.application_id,
                scope="bot applications.commands",
                permissions=str(PERMISSIONS),
            )
        )

    @property
    def portal_link(self) -> str:
        """Return the page on which its owner sets it up."""
        return f"https://discord.com/developers/applications/{self.application_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What there is to choose from in a guild; names by ids."""

    text_channels: Mapping[str, str] = field(default_factory=dict)
    voice_channels: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)


def tidy_token(typed: str) -> str:
    """Return a token as it was meant; InputRefusedError for what cannot be one."""
    token = typed.strip().removeprefix("Bot ").strip()
    if not LOOKS_LIKE_A_TOKEN.fullmatch(token):
        raise InputRefusedError({CONF_TOKEN: "not_a_token"})
    return token


async def async_ask_application(hass: HomeAssistant, token: str) -> Application:
    """Return what Discord says of the bot with this token; raise InputRefusedError."""
    try:
        me = await _get(hass, token, "/users/@me")
        about = await _get(hass, token, "/applications/@me")
    except InputRefusedError as err:
        raise InputRefusedError({CONF_TOKEN: err.errors["base"]}) from None
    return _understood(lambda: _application(me, about))


async def async_ask_guilds(hass: HomeAssistant, token: str) -> Mapping[str, str]:
    """Return the names of the guilds that the bot is in, by their ids."""
    guilds = await _get(hass, token, "/users/@me/guilds")
    return _understood(lambda: {str(one["id"]): str(one["name"]) for one in guilds})


async def async_ask_places(hass: HomeAssistant, token: str, guild_id: str) -> Places:
    """Return what there is to choose from in a guild."""
    about = f"/guilds/{int(guild_id)}"
    channels = await _get(hass, token, f"{about}/channels", REFUSALS_OF_GUILD)
    roles = await _get(hass, token, f"{about}/roles", REFUSALS_OF_GUILD)
    return _understood(lambda: _places(guild_id, channels, roles))


async def _get(
    hass: HomeAssistant, token: str, path: str, refusals: Mapping[int, str] = REFUSALS
) -> Told:
    """Ask for one thing; InputRefusedError on the form as a whole, never with the token in it."""
    headers = {**HEADERS, "Authorization": f"Bot {token}"}
    session = async_get_clientsession(hass)
    try:
        async with (
            asyncio.timeout(PATIENCE),
            session.get(f"{API}{path}", headers=headers, allow_redirects=False) as response,
        ):
            if response.status == 200:
                return await response.json(content_type=None)
            refusal = refusals.get(response.status, "away")
    except aiohttp.ClientError, TimeoutError, ValueError:
        refusal = "away"
    raise InputRefusedError({"base": refusal})


def _understood[ReadT](read: Callable[[], ReadT]) -> ReadT:
    """Return what an answer says; one without sense is as good as none."""
    try:
        return read()
    except AttributeError, KeyError, TypeError, ValueError:
        raise InputRefusedError({"base": "away"}) from None


def _application(me: Mapping[str, Any], about: Mapping[str, Any]) -> Application:
    return Application(
        application_id=str(about["id"]),
        name=str(me["username"]),
        owner_id=_owner_id(about),
        is_public=bool(about.get("bot_public")),
        has_endpoint=bool(about.get("interactions_endpoint_url")),
        reads_messages=bool(int(about.get("flags") or 0) & READS_MESSAGES),
    )


def _owner_id(about: Mapping[str, Any]) -> str:
    """Return the account that made a bot; for one of a team Discord plays an owner of its own."""
    team, owner = about.get("team") or {}, about.get("owner") or {}
    return str(team.get("owner_user_id") or owner.get("id") or "")


def _places(
    guild_id: str, channels: list[Mapping[str, Any]], roles: list[Mapping[str, Any]]
) -> Places:
    """Sort what can be chosen as Discord shows it; the roles of other bots are for nobody."""
    in_order = sorted(channels, key=lambda one: (one.get("position", 0), int(one["id"])))
    by_rank = sorted(roles, key=lambda one: -int(one.get("position", 0)))

    def named(kinds: frozenset[int]) -> dict[str, str]:
        return {str(one["id"]): str(one["name"]) for one in in_order if one["type"] in kinds}

    return Places(
        text_channels={key: f"#{name}" for key, name in named(TEXT_KINDS).items()},
        voice_channels=named(VOICE_KINDS),
        roles={
            str(one["id"]): "@everyone" if str(one["id"]) == guild_id else f"@{one['name']}"
            for one in by_rank
            if not one.get("managed")
        },
    )
