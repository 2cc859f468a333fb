"""What a bot asks for, or does wrongly, is answered as Discord answers."""

import json
from typing import Any

import aiohttp
import discord
from discord import app_commands
import pytest

from . import AnswerKind, Channel, DiscordStandIn, Guild, Intent, Member, Permission
from .panel_bot import PanelBot, running
from .record import Asked, Disconnected

GATEWAY = "wss://gateway.discord.gg/?v=10&encoding=json"


async def test_guilds_channels_and_roles_can_be_listed(
    stand_in: DiscordStandIn, bot: PanelBot, guild: Guild, kim: Member
) -> None:
    stand_in.add_guild("elsewhere", locale="fr")
    assert [one.name async for one in bot.fetch_guilds()] == ["home", "elsewhere"]
    found = await bot.fetch_guild(guild.id)
    assert {one.name for one in await found.fetch_channels()} == {"lobby", "the cube"}
    assert {one.name for one in await found.fetch_roles()} == {"@everyone", "cube", "players"}
    assert (await found.fetch_member(kim.id)).name == "kim"
    with pytest.raises(discord.NotFound):
        await found.fetch_member(guild.id)
    with pytest.raises(discord.NotFound):
        await bot.fetch_guild(kim.id)
    with pytest.raises(discord.NotFound):
        await bot.fetch_user(guild.id)


async def test_all_members_are_listed_only_with_their_intent(
    stand_in: DiscordStandIn, bot: PanelBot, guild: Guild, kim: Member
) -> None:
    url = f"https://discord.com/api/v10/guilds/{guild.id}/members?limit=100"
    headers = {"Authorization": f"Bot {stand_in.token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.get(url) as response:
            assert response.status == 403
        stand_in.application.privileged = Intent.GUILD_MEMBERS
        async with session.get(url) as response:
            assert len(await response.json()) == len(guild.members)


async def test_a_member_can_be_looked_for_by_name(bot: PanelBot, kim: Member) -> None:
    assert [one.id for one in await bot.guilds[0].query_members("ki")] == [kim.id]
    assert [one.id for one in await bot.guilds[0].query_members(user_ids=[kim.id])] == [kim.id]


async def test_the_application_can_be_changed(stand_in: DiscordStandIn, bot: PanelBot) -> None:
    page = await bot.application_info()
    await page.edit(description="wakes the attic")
    assert stand_in.application.description == "wakes the attic"
    stand_in.application.interactions_endpoint_url = "https://example.org/interactions"
    # AppInfo.edit of discord.py 2.7.1 would send nothing for this one.
    route = discord.http.Route("PATCH", "/applications/@me")
    await bot.http.request(route, json={"interactions_endpoint_url": None})
    assert stand_in.application.interactions_endpoint_url is None


async def test_options_of_every_kind_arrive_in_a_nested_command(
    stand_in: DiscordStandIn, bot: PanelBot, guild: Guild, lobby: Channel, kim: Member
) -> None:
    group = app_commands.Group(name="keep", description="Keep awake")

    @group.command(description="For somebody")
    async def awake(
        asked: discord.Interaction[PanelBot],
        who: discord.Member,
        where: discord.TextChannel,
        whose: discord.Role,
        minutes: app_commands.Range[int, 1, 600],
        loud: bool = False,
    ) -> None:
        text = f"{who.name} {where.name} {whose.name} {minutes} {loud}"
        await asked.response.send_message(text)

    bot.tree.add_command(group, guild=bot.home)
    await bot.tree.sync(guild=bot.home)
    options: dict[str, Any] = {
        "who": kim, "where": lobby, "whose": kim.roles[0], "minutes": 30, "loud": True,
    }  # fmt: skip
    kept = stand_in.invoke("keep awake", options, by=kim, channel=lobby)
    assert (await kept.replied()).content == "kim lobby players 30 True"
    with pytest.raises(LookupError):
        stand_in.invoke("keep", by=kim, channel=lobby)
    assert [one.name for one in stand_in.record.of(Asked)] == ["keep awake"]


async def test_a_choice_is_one_of_those_offered(
    stand_in: DiscordStandIn, bot: PanelBot, lobby: Channel, kim: Member
) -> None:
    @bot.tree.command(guild=bot.home, description="Set the mode")
    @app_commands.choices(mode=[app_commands.Choice(name="Automatic", value="automatic")])
    async def mode(asked: discord.Interaction[PanelBot], mode: app_commands.Choice[str]) -> None:
        await asked.response.send_message(mode.name)

    await bot.tree.sync(guild=bot.home)
    with pytest.raises(ValueError, match="none of"):
        stand_in.invoke("mode", {"mode": "manual"}, by=kim, channel=lobby)
    said = stand_in.invoke("mode", {"mode": "automatic"}, by=kim, channel=lobby)
    assert (await said.replied()).content == "Automatic"


async def test_a_button_may_be_deferred_and_the_panel_edited_later(
    stand_in: DiscordStandIn, bot: PanelBot, lobby: Channel, kim: Member
) -> None:
    class Slow(discord.ui.View):
        @discord.ui.button(label="Go", custom_id="go")
        async def go(
            self, asked: discord.Interaction[PanelBot], _: discord.ui.Button[Slow]
        ) -> None:
            await asked.response.defer()
            await asked.edit_original_response(content="gone", view=None)

    place = bot.get_channel(lobby.id)
    assert isinstance(place, discord.TextChannel)
    await place.send("ready to go", view=Slow(timeout=None))
    (panel,) = stand_in.messages(lobby)
    pressed = stand_in.press(panel.button("Go"), by=kim)
    assert (await pressed.answered()).kind is AnswerKind.DEFERRED_UPDATE
    assert (await pressed.replied("gone")).id == panel.id
    assert stand_in.message(panel.id).buttons == ()


async def test_an_interaction_is_answered_once_and_by_who_knows_its_token(
    stand_in: DiscordStandIn, bot: PanelBot, lobby: Channel, kim: Member
) -> None:
    start = stand_in.invoke("start", {"host": "attic"}, by=kim, channel=lobby)
    await start.answered()
    bot.go_on.set()
    url = f"https://discord.com/api/v10/interactions/{start.id}"
    answer = {"type": 4, "data": {"content": "me too"}}
    async with aiohttp.ClientSession() as session:
        for token, code in ((start.token, 40060), ("wrong", 10062)):
            async with session.post(f"{url}/{token}/callback", json=answer) as response:
                assert (await response.json())["code"] == code
    await start.followed_up()


async def test_the_guild_changes_before_the_bots_eyes(
    stand_in: DiscordStandIn, bot: PanelBot, guild: Guild, voice: Channel, kim: Member
) -> None:
    (seen,) = bot.guilds
    role = stand_in.add_role(guild, "admins")
    stand_in.permit(guild, role, Permission.MANAGE_CHANNELS)
    stand_in.set_roles(guild.members[stand_in.world.bot.id], role)
    await bot.until(lambda: seen.me.guild_permissions.manage_channels)
    stand_in.join_voice(kim, voice)
    # Of two changes in one breath discord.py shows the later one twice.
    await bot.has_heard("kim in the cube")
    stand_in.remove_member(kim)
    await bot.has_heard("kim in none")
    stand_in.remove_guild(guild)
    await bot.until(lambda: not bot.guilds)


async def test_who_comes_is_told_with_the_intent(stand_in: DiscordStandIn, guild: Guild) -> None:
    stand_in.application.privileged = Intent.GUILD_MEMBERS
    bot = PanelBot(guild.id, discord.Intents(guilds=True, members=True))
    async with running(bot, stand_in.token):
        await bot.has_heard("ready")
        stand_in.add_member(guild, "robin", nick="Rob")
        await bot.until(lambda: "Rob" in {one.display_name for one in bot.guilds[0].members})


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (["no json"], 4002),
        ([{"op": 2}], 4002),
        ([{"op": 99}], 4001),
        ([{"op": 3, "d": {"status": "online", "activities": []}}], 4003),
        ([{"op": 2, "d": {"token": "TOKEN", "intents": 1 << 40}}], 4013),
        ([{"op": 2, "d": {"token": "TOKEN", "intents": 1}}] * 2, 4005),
        ([{"op": 6, "d": {"token": "wrong", "session_id": "x", "seq": 1}}], 4004),
        ([{"op": 1, "d": None}] * 121, 4008),
    ],
    ids=["json", "data", "opcode", "early", "intents", "twice", "token", "flood"],
)
async def test_the_gateway_hangs_up_on_what_it_does_not_understand(
    stand_in: DiscordStandIn, frames: list[Any], code: int
) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(GATEWAY) as socket:
        assert (await socket.receive_json())["op"] == 10
        for frame in frames:
            text = frame if isinstance(frame, str) else json.dumps(frame)
            await socket.send_str(text.replace("TOKEN", stand_in.token))
        while (await socket.receive()).type is aiohttp.WSMsgType.TEXT:
            pass
        assert socket.close_code == code
    assert (await stand_in.record.next(Disconnected)).code == code


async def test_a_day_has_only_so_many_sessions(stand_in: DiscordStandIn, guild: Guild) -> None:
    stand_in.gateway.identify_budget = 1
    bot = PanelBot(guild.id)
    async with running(bot, stand_in.token):
        await bot.has_heard("ready")
    async with running(PanelBot(guild.id), stand_in.token) as task:
        with pytest.raises(discord.ConnectionClosed):
            await task
