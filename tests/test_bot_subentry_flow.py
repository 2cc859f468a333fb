"""Adding the Discord bot below a host, and changing it."""

import logging
from typing import Any

from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.bot_settings import async_relays_in_game
from custom_components.cubeguardian.const import SUBENTRY_DISCORD_BOT
from custom_components.cubeguardian.discord_bridge.permitting import PERMISSIONS

from .bots import add_bot, bot_data
from .discord_bridge.bridge_world import BridgeWorld
from .flows import GAME, check_texts, known_host, suggested
from .lab.discord import Garbage, Intent, RateLimit, Refusal, ServerError, Torn

pytest_plugins = ("tests.webhook_peer", "tests.bot_peer")

TEXTS = ("config_subentries", SUBENTRY_DISCORD_BOT)
NOT_TYPED = ("token", "application", "guild")


@pytest.fixture
def entry(hass: HomeAssistant) -> MockConfigEntry:
    """Return a host that is not loaded and has no bot."""
    return known_host(hass)


async def open_form(hass: HomeAssistant, entry: MockConfigEntry) -> Any:
    """Begin to add a bot."""
    return await hass.config_entries.subentries.async_init(
        (entry.entry_id, SUBENTRY_DISCORD_BOT), context={"source": SOURCE_USER}
    )


async def go_on(hass: HomeAssistant, step: Any, typed: dict[str, Any] | None = None) -> Any:
    """Submit a step; its texts are there in every language."""
    check_texts(step, *TEXTS)
    following = await hass.config_entries.subentries.async_configure(step["flow_id"], typed or {})
    check_texts(following, *TEXTS)
    return following


async def to_settings(hass: HomeAssistant, entry: MockConfigEntry, town: BridgeWorld) -> Any:
    """Go as far as the last form."""
    step = await go_on(hass, await open_form(hass, entry), {"token": town.discord.token})
    return await go_on(hass, step, {"guild": str(town.guild.id)})


def choice(entry: MockConfigEntry, town: BridgeWorld, **changes: Any) -> dict[str, Any]:
    """Return what a person chooses in the last form."""
    data = bot_data(town, voice_targets=[entry.entry_id], **changes)
    return {key: value for key, value in data.items() if key not in NOT_TYPED}


def options(step: Any, field: str) -> dict[str, str]:
    """Return what a field offers."""
    selector = next(one for key, one in step["data_schema"].schema.items() if key == field)
    return {one["value"]: one["label"] for one in selector.config["options"]}


async def test_a_bot_is_asked_about_let_in_and_kept(
    hass: HomeAssistant, entry: MockConfigEntry, town: BridgeWorld
) -> None:
    step = await go_on(hass, await open_form(hass, entry), {"token": f" {town.discord.token} "})
    assert step["step_id"] == "guild"
    install = step["description_placeholders"]["install"]
    assert f"client_id={town.discord.application.id}" in install
    assert f"permissions={PERMISSIONS}" in install
    assert "applications.commands" in install
    assert options(step, "guild") == {str(town.guild.id): "home"}

    step = await go_on(hass, step, {"guild": str(town.guild.id)})
    assert step["step_id"] == "settings"
    assert options(step, "channel") == {str(town.lobby.id): "#lobby"}
    assert set(options(step, "voice_channels")) == {str(town.voice.id), str(town.afk.id)}
    assert {"@everyone", "@players", "@admins"} <= set(options(step, "player_roles").values())
    assert suggested(step) == {"admins": [str(town.discord.application.owner.id)]}

    typed = choice(entry, town, language="fr")
    done = await go_on(hass, step, typed)
    assert done["type"] is FlowResultType.CREATE_ENTRY
    (subentry,) = entry.subentries.values()
    assert subentry.title == "cube"
    assert dict(subentry.data) == bot_data(town, voice_targets=[entry.entry_id], language="fr")


async def test_a_bot_that_is_in_no_guild_yet_is_waited_for(
    hass: HomeAssistant, entry: MockConfigEntry, town: BridgeWorld
) -> None:
    town.discord.remove_guild(town.guild)
    step = await go_on(hass, await open_form(hass, entry), {"token": town.discord.token})
    assert not step["data_schema"].schema
    step = await go_on(hass, step)
    assert step["errors"] == {"base": "not_in_guild"}
    guild = town.discord.add_guild("other")
    step = await go_on(hass, step)
    assert (step["errors"], options(step, "guild")) == ({}, {str(guild.id): "other"})
    step = await go_on(hass, step, {"guild": str(guild.id)})
    assert step["step_id"] == "settings"


async def test_a_guild_that_the_bot_was_let_into_meanwhile_can_be_chosen(
    hass: HomeAssistant, entry: MockConfigEntry, town: BridgeWorld
) -> None:
    step = await go_on(hass, await open_form(hass, entry), {"token": town.discord.token})
    guild = town.discord.add_guild("other")
    step = await go_on(hass, step, {"guild": str(town.guild.id)})
    assert (step["step_id"], step["errors"]) == ("guild", {"base": "guild_added"})
    assert str(guild.id) in options(step, "guild")
    step = await go_on(hass, step, {"guild": str(guild.id)})
    assert step["description_placeholders"]["guild"] == "other"


async def test_of_a_team_its_owner_is_proposed_as_an_admin(
    hass: HomeAssistant, entry: MockConfigEntry, town: BridgeWorld
) -> None:
    town.discord.application.team_owner = town.ada.user
    assert suggested(await to_settings(hass, entry, town)) == {"admins": [str(town.ada.id)]}


async def test_a_guild_that_throws_the_bot_out_meanwhile_is_told(
    hass: HomeAssistant, entry: MockConfigEntry, town: BridgeWorld
) -> None:
    step = await go_on(hass, await open_form(hass, entry), {"token": town.discord.token})
    town.discord.break_with(Refusal(status=403, code=50001), path="/guilds/", times=1)
    step = await go_on(hass, step, {"guild": str(town.guild.id)})
    assert (step["step_id"], step["errors"]) == ("guild", {"base": "not_in_guild"})


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Refusal(status=401, code=0), "bad_token"),
        (Refusal(status=403, code=40333), "away"),
        (RateLimit(retry_after=1.0), "busy"),
        (ServerError(), "away"),
        (Garbage(), "away"),
        (Torn(), "away"),
    ],
)
async def test_what_discord_refuses_is_told_at_the_token(
    hass: HomeAssistant, entry: MockConfigEntry, town: BridgeWorld, fault: Any, error: str
) -> None:
    town.discord.break_with(fault, path="@me")
    step = await go_on(hass, await open_form(hass, entry), {"token": town.discord.token})
    assert step["errors"] == {"token": error}
    town.discord.mend()
    step = await go_on(hass, step, {"token": town.discord.token})
    assert step["step_id"] == "guild"


@pytest.mark.parametrize(
    ("path", "step_id"),
    [
        ("/applications/@me", "user"),
        ("/users/@me/guilds", "user"),
        ("/channels", "guild"),
        ("/roles", "guild"),
    ],
)
async def test_an_answer_without_sense_is_as_good_as_none(
    hass: HomeAssistant, entry: MockConfigEntry, town: BridgeWorld, path: str, step_id: str
) -> None:
    nonsense = Refusal(status=200, code=0, message="All is well")
    town.discord.break_with(nonsense, path=path)
    step = await go_on(hass, await open_form(hass, entry), {"token": town.discord.token})
    if step_id == "guild":
        step = await go_on(hass, step, {"guild": str(town.guild.id)})
    assert (step["step_id"], step["errors"]) == (step_id, {"base": "away"})
    town.discord.mend()
    typed = {"user": {"token": town.discord.token}, "guild": {"guild": str(town.guild.id)}}
    step = await go_on(hass, step, typed[step_id])
    assert step["step_id"] == {"user": "guild", "guild": "settings"}[step_id]


@pytest.mark.parametrize("typed", ["nonsense", "a" * 30 + "\r\nX: 1", "é" * 40, " "])
async def test_what_cannot_be_a_token_is_not_sent(
    hass: HomeAssistant, entry: MockConfigEntry, town: BridgeWorld, typed: str
) -> None:
    step = await go_on(hass, await open_form(hass, entry), {"token": typed})
    assert step["errors"] == {"token": "not_a_token"}
    assert not town.discord.record.events


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        (
            {"player_roles": [], "admin_roles": [], "admins": []},
            {"player_roles": "nobody_allowed"},
        ),
        ({"admins": ["ada"]}, {"admins": "not_a_user"}),
        ({"relay": True}, {"relay": "intent_missing"}),
        ({"relay_in_game": True}, {"relay_in_game": "relay_missing"}),
        (
            {"relay": True, "channel": None},
            {"relay": "intent_missing", "channel": "channel_missing"},
        ),
    ],
)
async def test_a_choice_that_cannot_work_is_told_at_its_field(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    town: BridgeWorld,
    changes: dict[str, Any],
    errors: dict[str, str],
) -> None:
    step = await to_settings(hass, entry, town)
    typed = {key: one for key, one in choice(entry, town, **changes).items() if one is not None}
    step = await go_on(hass, step, typed)
    assert step["errors"] == errors
    assert suggested(step)["player_roles"] == typed["player_roles"]
    done = await go_on(hass, step, choice(entry, town))
    assert done["type"] is FlowResultType.CREATE_ENTRY


async def test_reading_the_channel_is_possible_with_the_intent(
    hass: HomeAssistant, entry: MockConfigEntry, town: BridgeWorld
) -> None:
    town.discord.application.privileged = Intent.MESSAGE_CONTENT
    done = await go_on(hass, await to_settings(hass, entry, town), choice(entry, town, relay=True))
    assert done["type"] is FlowResultType.CREATE_ENTRY


async def test_showing_messages_in_the_game_is_a_second_choice(
    hass: HomeAssistant, entry: MockConfigEntry, town: BridgeWorld
) -> None:
    town.discord.application.privileged = Intent.MESSAGE_CONTENT
    step = await to_settings(hass, entry, town)
    shown = step["data_schema"]({"player_roles": [str(town.players.id)]})
    assert (shown["relay"], shown["relay_in_game"]) == (False, False)
    assert not async_relays_in_game(hass)
    done = await go_on(hass, step, choice(entry, town, relay=True, relay_in_game=True))
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert async_relays_in_game(hass)


async def test_those_in_voice_may_want_any_host_and_any_game_server(
    hass: HomeAssistant, town: BridgeWorld
) -> None:
    entry = known_host(hass, games=[GAME])
    other = known_host(hass, mac="02:00:00:00:00:77")
    (game,) = entry.subentries
    step = await to_settings(hass, entry, town)
    offered = {entry.entry_id: "pve", game: "pve · Survival", other.entry_id: "pve"}
    assert options(step, "voice_targets") == offered
    wanted = [game, other.entry_id]
    done = await go_on(hass, step, choice(entry, town) | {"voice_targets": wanted})
    assert done["type"] is FlowResultType.CREATE_ENTRY
    (kept,) = entry.get_subentries_of_type(SUBENTRY_DISCORD_BOT)
    assert kept.data["voice_targets"] == wanted


async def test_there_is_one_bot_in_the_house(
    hass: HomeAssistant, entry: MockConfigEntry, town: BridgeWorld
) -> None:
    late = await to_settings(hass, entry, town)
    other = known_host(hass, mac="02:00:00:00:00:77")
    add_bot(hass, other, town)
    refused = await open_form(hass, entry)
    check_texts(refused, *TEXTS)
    assert (refused["type"], refused["reason"]) == (FlowResultType.ABORT, "bot_used")
    assert refused["description_placeholders"] == {"bot": "cube", "host": "pve"}
    refused = await go_on(hass, late, choice(entry, town))
    assert refused["reason"] == "bot_added_meanwhile"


async def test_a_change_keeps_the_token_and_never_shows_it(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    town: BridgeWorld,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    subentry = add_bot(hass, entry, town, panel_channel="1", voice_targets=["gone"])
    step = await entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    seen = [str(step)]
    step = await go_on(hass, step)
    seen.append(str(step))
    assert suggested(step) == {"guild": str(town.guild.id)}
    step = await go_on(hass, step, {"guild": str(town.guild.id)})
    seen.append(str(step))
    assert "panel_channel" not in suggested(step)
    assert suggested(step)["channel"] == str(town.lobby.id)
    done = await go_on(hass, step, choice(entry, town, show_names=True))
    assert done["reason"] == "reconfigure_successful"
    (kept,) = entry.subentries.values()
    assert kept.data["token"] == town.discord.token
    assert kept.data["show_names"]
    assert town.discord.token not in "".join(seen) + caplog.text


async def test_a_change_takes_another_token(
    hass: HomeAssistant, entry: MockConfigEntry, town: BridgeWorld
) -> None:
    subentry = add_bot(hass, entry, town)
    token = town.discord.renew_token()
    step = await entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    step = await go_on(hass, step)
    assert step["errors"] == {"token": "bad_token"}
    step = await go_on(hass, step, {"token": f"Bot {token}"})
    step = await go_on(hass, step, {"guild": str(town.guild.id)})
    await go_on(hass, step, choice(entry, town))
    (kept,) = entry.subentries.values()
    assert kept.data["token"] == token
