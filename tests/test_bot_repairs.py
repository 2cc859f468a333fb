"""What a person has to mend about the bot, and how."""

from typing import Any

from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
import pytest

from custom_components.cubeguardian.const import DOMAIN
from custom_components.cubeguardian.repairs import async_create_fix_flow

from .bots import BOT, BotHouse
from .flows import all_texts, check_texts, placeholders
from .lab.discord import Intent, Permission, Refusal, ServerError
from .webhooks import until

pytest_plugins = ("tests.webhook_peer", "tests.bot_peer")


def issue(house: BotHouse, kind: str) -> ir.IssueEntry | None:
    """Return a repair, whose texts are there in every language."""
    found = house.issue(kind)
    if found is not None:
        for texts in all_texts("issues", kind):
            shown = {key: one for key, one in texts.items() if key != "fix_flow"}
            assert placeholders(shown) <= set(found.translation_placeholders or {})
    return found


async def fix(house: BotHouse, kind: str) -> Any:
    """Begin to mend something."""
    found = issue(house, kind)
    assert found is not None
    assert found.is_fixable
    flow = await async_create_fix_flow(house.hass, kind, found.data)
    flow.hass, flow.handler, flow.issue_id = house.hass, DOMAIN, kind
    return flow


def checked(kind: str, step: Any) -> Any:
    """Return a step, whose texts are there in every language."""
    check_texts(step, "issues", kind, "fix_flow")
    return step


async def test_a_token_that_was_revoked_is_replaced_by_a_new_one(house: BotHouse) -> None:
    await house.serve()
    token = house.discord.renew_token()
    await until(lambda: issue(house, "bot_token"))
    flow = await fix(house, "bot_token")
    step = checked("bot_token", await flow.async_step_init())
    assert step["step_id"] == "token"
    step = checked("bot_token", await flow.async_step_token({"token": "nonsense"}))
    assert step["errors"] == {"token": "not_a_token"}
    step = checked("bot_token", await flow.async_step_token({"token": "x" * 40}))
    assert step["errors"] == {"token": "bad_token"}
    step = await flow.async_step_token({"token": token})
    assert step["type"] is FlowResultType.CREATE_ENTRY
    await house.connected()
    assert house.entry.subentries[BOT].data["token"] == token
    assert issue(house, "bot_token") is None


async def test_a_token_that_works_again_is_taken_as_well(house: BotHouse) -> None:
    house.discord.world.revoked = True
    house.add()
    await house.load()
    await until(lambda: issue(house, "bot_token"))
    house.discord.world.revoked = False
    flow = await fix(house, "bot_token")
    step = await flow.async_step_token({"token": house.discord.token})
    assert step["type"] is FlowResultType.CREATE_ENTRY
    await house.connected()


async def test_a_missing_intent_is_looked_at_again(house: BotHouse) -> None:
    house.add(relay=True)
    await house.load()
    await until(lambda: issue(house, "bot_intent"))
    flow = await fix(house, "bot_intent")
    checked("bot_intent", await flow.async_step_init())
    step = checked("bot_intent", await flow.async_step_look({}))
    assert step["errors"] == {"base": "not_mended"}
    house.discord.break_with(ServerError(), path="applications/@me", times=1)
    step = checked("bot_intent", await flow.async_step_look({}))
    assert step["errors"] == {"base": "away"}
    house.discord.application.privileged = Intent.MESSAGE_CONTENT
    step = await flow.async_step_look({})
    assert step["type"] is FlowResultType.CREATE_ENTRY
    await house.connected()
    assert issue(house, "bot_intent") is None


@pytest.mark.parametrize("kind", ["bot_public", "bot_endpoint"])
async def test_what_is_wrong_with_the_application_is_looked_at_again(
    house: BotHouse, kind: str
) -> None:
    def set_wrong(wrong: bool) -> None:
        application = house.discord.application
        application.bot_public = wrong and kind == "bot_public"
        endpoint = "https://example.net" if wrong and kind == "bot_endpoint" else None
        application.interactions_endpoint_url = endpoint

    set_wrong(True)
    await house.serve()
    await until(lambda: issue(house, kind))
    flow = await fix(house, kind)
    checked(kind, await flow.async_step_init())
    step = checked(kind, await flow.async_step_look({}))
    assert step["errors"] == {"base": "not_mended"}
    set_wrong(False)
    step = await flow.async_step_look({})
    assert step["type"] is FlowResultType.CREATE_ENTRY
    await until(lambda: issue(house, kind) is None and house.discord.identifies == 2)


async def test_a_missing_permission_is_named_and_goes_away_by_itself(house: BotHouse) -> None:
    everybody = house.town.guild.roles[house.town.guild.id]
    house.discord.overwrite(house.town.lobby, everybody, deny=Permission.EMBED_LINKS)
    await house.serve()
    await until(lambda: issue(house, "bot_permission"))
    found = issue(house, "bot_permission")
    assert found is not None
    assert found.translation_placeholders is not None
    assert found.translation_placeholders["channels"] == "- #lobby: Embed Links"
    house.discord.overwrite(house.town.lobby, everybody, allow=Permission.EMBED_LINKS)
    await until(lambda: issue(house, "bot_permission") is None)


async def test_a_channel_that_is_gone_and_a_guild_without_the_bot_are_told(house: BotHouse) -> None:
    await house.serve()
    house.discord.remove_channel(house.town.voice)
    await until(lambda: issue(house, "bot_channel"))
    found = issue(house, "bot_channel")
    assert found is not None
    assert found.translation_placeholders is not None
    assert found.translation_placeholders["channels"] == f"- {house.town.voice.id}"
    house.discord.remove_guild(house.town.guild)
    await until(lambda: issue(house, "bot_guild"))
    assert issue(house, "bot_channel") is None


async def test_commands_that_may_not_be_registered_are_told(house: BotHouse) -> None:
    house.discord.break_with(Refusal(status=403, code=50001), method="PUT", path="/commands")
    await house.serve()
    await until(lambda: issue(house, "bot_commands"))
    flow = await fix(house, "bot_commands")
    checked("bot_commands", await flow.async_step_init())
    house.discord.mend()
    step = await flow.async_step_look({})
    assert step["type"] is FlowResultType.CREATE_ENTRY
    await until(lambda: issue(house, "bot_commands") is None and house.discord.identifies == 2)


async def test_nothing_is_left_to_mend_once_the_bot_is_removed(house: BotHouse) -> None:
    house.discord.world.revoked = True
    house.add()
    await house.load()
    await until(lambda: issue(house, "bot_token"))
    flow = await fix(house, "bot_token")
    looking = await async_create_fix_flow(house.hass, "bot_public", {"kind": "bot_public"})
    looking.hass = house.hass
    house.remove_bot()
    await until(lambda: issue(house, "bot_token") is None)
    for each, kind in ((flow, "bot_token"), (looking, "bot_public")):
        step = checked(kind, await each.async_step_init())
        assert (step["type"], step["reason"]) == (FlowResultType.ABORT, "entry_gone")
