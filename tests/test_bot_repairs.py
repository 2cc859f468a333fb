"""What a person has to mend about the bot, and how."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.const import DOMAIN
from custom_components.cubeguardian.repairs import async_create_fix_flow

from .bots import BOT, add_bot, connected
from .conftest import Load
from .discord_bridge.bridge_world import BridgeWorld
from .flows import all_texts, check_texts, placeholders
from .lab.discord import Intent, Permission, Refusal, ServerError
from .webhooks import until

pytest_plugins = ("tests.webhook_peer", "tests.bot_peer")
pytestmark = pytest.mark.usefixtures("machines")


def issue(hass: HomeAssistant, kind: str) -> ir.IssueEntry | None:
    """Return a repair, whose texts are there in every language."""
    found = ir.async_get(hass).async_get_issue(DOMAIN, kind)
    if found is not None:
        for texts in all_texts("issues", kind):
            shown = {key: one for key, one in texts.items() if key != "fix_flow"}
            assert placeholders(shown) <= set(found.translation_placeholders or {})
    return found


async def fix(hass: HomeAssistant, kind: str) -> Any:
    """Begin to mend something."""
    found = issue(hass, kind)
    assert found is not None
    assert found.is_fixable
    flow = await async_create_fix_flow(hass, kind, found.data)
    flow.hass, flow.handler, flow.issue_id = hass, DOMAIN, kind
    return flow


def checked(kind: str, step: Any) -> Any:
    """Return a step, whose texts are there in every language."""
    check_texts(step, "issues", kind, "fix_flow")
    return step


async def test_a_token_that_was_revoked_is_replaced_by_a_new_one(
    load: Load, hass: HomeAssistant, town: BridgeWorld, config_entry: MockConfigEntry
) -> None:
    add_bot(hass, config_entry, town)
    await load()
    bot = await connected(hass)
    token = town.discord.renew_token()
    await until(lambda: issue(hass, "bot_token"))
    flow = await fix(hass, "bot_token")
    step = checked("bot_token", await flow.async_step_init())
    assert step["step_id"] == "token"
    step = checked("bot_token", await flow.async_step_token({"token": "nonsense"}))
    assert step["errors"] == {"token": "not_a_token"}
    step = checked("bot_token", await flow.async_step_token({"token": "x" * 40}))
    assert step["errors"] == {"token": "bad_token"}
    step = await flow.async_step_token({"token": token})
    assert step["type"] is FlowResultType.CREATE_ENTRY
    await until(lambda: bot.connected)
    assert config_entry.subentries[BOT].data["token"] == token
    assert issue(hass, "bot_token") is None


async def test_a_token_that_works_again_is_taken_as_well(
    load: Load, hass: HomeAssistant, town: BridgeWorld, config_entry: MockConfigEntry
) -> None:
    town.discord.world.revoked = True
    add_bot(hass, config_entry, town)
    await load()
    await until(lambda: issue(hass, "bot_token"))
    town.discord.world.revoked = False
    flow = await fix(hass, "bot_token")
    step = await flow.async_step_token({"token": town.discord.token})
    assert step["type"] is FlowResultType.CREATE_ENTRY
    await connected(hass)


async def test_a_missing_intent_is_looked_at_again(
    load: Load, hass: HomeAssistant, town: BridgeWorld, config_entry: MockConfigEntry
) -> None:
    add_bot(hass, config_entry, town, relay=True)
    await load()
    await until(lambda: issue(hass, "bot_intent"))
    flow = await fix(hass, "bot_intent")
    checked("bot_intent", await flow.async_step_init())
    step = checked("bot_intent", await flow.async_step_look({}))
    assert step["errors"] == {"base": "not_mended"}
    town.discord.break_with(ServerError(), path="applications/@me", times=1)
    step = checked("bot_intent", await flow.async_step_look({}))
    assert step["errors"] == {"base": "away"}
    town.discord.application.privileged = Intent.MESSAGE_CONTENT
    step = await flow.async_step_look({})
    assert step["type"] is FlowResultType.CREATE_ENTRY
    await connected(hass)
    assert issue(hass, "bot_intent") is None


@pytest.mark.parametrize("kind", ["bot_public", "bot_endpoint"])
async def test_what_is_wrong_with_the_application_is_looked_at_again(
    load: Load,
    hass: HomeAssistant,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    kind: str,
) -> None:
    def set_wrong(wrong: bool) -> None:
        application = town.discord.application
        application.bot_public = wrong and kind == "bot_public"
        endpoint = "https://example.net" if wrong and kind == "bot_endpoint" else None
        application.interactions_endpoint_url = endpoint

    set_wrong(True)
    add_bot(hass, config_entry, town)
    await load()
    await connected(hass)
    await until(lambda: issue(hass, kind))
    flow = await fix(hass, kind)
    checked(kind, await flow.async_step_init())
    step = checked(kind, await flow.async_step_look({}))
    assert step["errors"] == {"base": "not_mended"}
    set_wrong(False)
    step = await flow.async_step_look({})
    assert step["type"] is FlowResultType.CREATE_ENTRY
    await until(lambda: issue(hass, kind) is None and town.discord.identifies == 2)


async def test_a_missing_permission_is_named_and_goes_away_by_itself(
    load: Load, hass: HomeAssistant, town: BridgeWorld, config_entry: MockConfigEntry
) -> None:
    everybody = town.guild.roles[town.guild.id]
    town.discord.overwrite(town.lobby, everybody, deny=Permission.EMBED_LINKS)
    add_bot(hass, config_entry, town)
    await load()
    await connected(hass)
    await until(lambda: issue(hass, "bot_permission"))
    found = issue(hass, "bot_permission")
    assert found is not None
    assert found.translation_placeholders is not None
    assert found.translation_placeholders["channels"] == "- #lobby: Embed Links"
    town.discord.overwrite(town.lobby, everybody, allow=Permission.EMBED_LINKS)
    await until(lambda: issue(hass, "bot_permission") is None)


async def test_a_channel_that_is_gone_and_a_guild_without_the_bot_are_told(
    load: Load, hass: HomeAssistant, town: BridgeWorld, config_entry: MockConfigEntry
) -> None:
    add_bot(hass, config_entry, town)
    await load()
    await connected(hass)
    town.discord.remove_channel(town.voice)
    await until(lambda: issue(hass, "bot_channel"))
    found = issue(hass, "bot_channel")
    assert found is not None
    assert found.translation_placeholders is not None
    assert found.translation_placeholders["channels"] == f"- {town.voice.id}"
    town.discord.remove_guild(town.guild)
    await until(lambda: issue(hass, "bot_guild"))
    assert issue(hass, "bot_channel") is None


async def test_commands_that_may_not_be_registered_are_told(
    load: Load, hass: HomeAssistant, town: BridgeWorld, config_entry: MockConfigEntry
) -> None:
    town.discord.break_with(Refusal(status=403, code=50001), method="PUT", path="/commands")
    add_bot(hass, config_entry, town)
    await load()
    await connected(hass)
    await until(lambda: issue(hass, "bot_commands"))
    flow = await fix(hass, "bot_commands")
    checked("bot_commands", await flow.async_step_init())
    town.discord.mend()
    step = await flow.async_step_look({})
    assert step["type"] is FlowResultType.CREATE_ENTRY
    await until(lambda: issue(hass, "bot_commands") is None and town.discord.identifies == 2)


async def test_nothing_is_left_to_mend_once_the_bot_is_removed(
    load: Load, hass: HomeAssistant, town: BridgeWorld, config_entry: MockConfigEntry
) -> None:
    town.discord.world.revoked = True
    add_bot(hass, config_entry, town)
    await load()
    await until(lambda: issue(hass, "bot_token"))
    flow = await fix(hass, "bot_token")
    looking = await async_create_fix_flow(hass, "bot_public", {"kind": "bot_public"})
    looking.hass = hass
    hass.config_entries.async_remove_subentry(config_entry, BOT)
    await until(lambda: issue(hass, "bot_token") is None)
    for each, kind in ((flow, "bot_token"), (looking, "bot_public")):
        step = checked(kind, await each.async_step_init())
        assert (step["type"], step["reason"]) == (FlowResultType.ABORT, "entry_gone")
