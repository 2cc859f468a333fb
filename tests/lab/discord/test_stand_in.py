"""The real discord.py lives on the stand-in as it lives on Discord."""

import json
from typing import Any

import aiohttp
import discord
import pytest

from . import AnswerKind, Channel, DiscordStandIn, Guild, Intent, Member, Permission, redirected
from .panel_bot import Panel, PanelBot, running
from .record import Call, CommandsSynced, Deleted, Edited, Moved, Posted, Resumed
from .redirect import redirect


def _place(bot: PanelBot, channel: Channel) -> discord.TextChannel:
    found = bot.get_channel(channel.id)
    assert isinstance(found, discord.TextChannel)
    return found


async def test_a_bot_connects_and_knows_its_guild(bot: PanelBot, guild: Guild) -> None:
    (found,) = bot.guilds
    assert (found.id, found.name) == (guild.id, "home")
    assert {channel.name for channel in found.channels} == {"lobby", "the cube"}
    assert found.me.guild_permissions.send_messages
    assert not found.me.guild_permissions.manage_channels
    assert bot.application is not None
    assert not bot.application.bot_public


async def test_a_bot_sees_who_comes_and_goes_in_voice(
    stand_in: DiscordStandIn, bot: PanelBot, voice: Channel, kim: Member
) -> None:
    stand_in.join_voice(kim, voice)
    await bot.has_heard("kim in the cube")
    found = bot.get_channel(voice.id)
    assert isinstance(found, discord.VoiceChannel)
    assert list(found.voice_states) == [kim.id]
    stand_in.leave_voice(kim)
    await bot.has_heard("kim in none")
    assert found.voice_states == {}
    seen = [(moved.member_id, moved.channel_id) for moved in stand_in.record.of(Moved)]
    assert seen == [(kim.id, voice.id), (kim.id, None)]


async def test_who_talks_already_is_in_the_first_picture(
    stand_in: DiscordStandIn, guild: Guild, voice: Channel, kim: Member
) -> None:
    stand_in.join_voice(kim, voice)
    bot = PanelBot(guild.id)
    async with running(bot, stand_in.token):
        await bot.has_heard("ready")
        found = bot.get_channel(voice.id)
        assert isinstance(found, discord.VoiceChannel)
        assert [member.name for member in found.members] == ["kim"]


async def test_a_command_is_deferred_edited_and_followed_up(
    stand_in: DiscordStandIn, bot: PanelBot, lobby: Channel, kim: Member
) -> None:
    start = stand_in.invoke("start", {"host": "attic"}, by=kim, channel=lobby)
    answer = await start.answered()
    assert answer.kind is AnswerKind.DEFERRED_MESSAGE
    assert answer.after < 3
    first = await start.replied("waking attic")
    bot.go_on.set()
    assert (await start.replied("attic is up")).id == first.id
    (mention,) = await start.followed_up()
    assert mention.pings.users == (kim.id,)
    assert not start.message.pings
    assert [message.content for message in stand_in.messages(lobby)] == [
        "attic is up", f"<@{kim.id}>",
    ]  # fmt: skip


async def test_a_command_completes_what_is_typed(
    stand_in: DiscordStandIn, bot: PanelBot, kim: Member
) -> None:
    typing = stand_in.suggest("start", "host", "ce", by=kim)
    assert [line.value for line in await typing.suggestions()] == ["cellar"]


async def test_only_what_is_registered_and_allowed_can_be_used(
    stand_in: DiscordStandIn, bot: PanelBot, guild: Guild, lobby: Channel, kim: Member
) -> None:
    (synced,) = stand_in.record.of(CommandsSynced)
    assert (synced.guild_id, synced.created) == (guild.id, 1)
    stranger = stand_in.add_member(guild, "stranger")
    with pytest.raises(PermissionError):
        stand_in.invoke("start", {"host": "attic"}, by=stranger, channel=lobby)
    with pytest.raises(LookupError):
        stand_in.invoke("stop", by=kim, channel=lobby)
    with pytest.raises(LookupError):
        stand_in.invoke("start", {"guest": "attic"}, by=kim, channel=lobby)
    with pytest.raises(ValueError, match="requires"):
        stand_in.invoke("start", by=kim, channel=lobby)


async def test_a_button_edits_the_panel_in_place(
    stand_in: DiscordStandIn, bot: PanelBot, lobby: Channel, kim: Member
) -> None:
    await _place(bot, lobby).send("a panel", view=Panel())
    (panel,) = stand_in.messages(lobby)
    for times in (1, 2):
        pressed = stand_in.press(panel.button("Refresh"), by=kim)
        assert (await pressed.answered()).kind is AnswerKind.UPDATE
        assert stand_in.message(panel.id).content == f"pressed {times} times"
    assert [edit.after.id for edit in stand_in.record.of(Edited)] == [panel.id, panel.id]
    assert stand_in.message(panel.id).button("Refresh").custom_id == "refresh"


async def test_a_button_that_went_away_cannot_be_pressed(
    stand_in: DiscordStandIn, bot: PanelBot, lobby: Channel, kim: Member
) -> None:
    sent = await _place(bot, lobby).send("a panel", view=Panel())
    (panel,) = stand_in.messages(lobby)
    await sent.edit(view=None)
    with pytest.raises(LookupError):
        stand_in.press(panel.button("Refresh"), by=kim)


async def test_a_form_is_filled_in_and_answered_for_its_author_only(
    stand_in: DiscordStandIn, bot: PanelBot, lobby: Channel, kim: Member
) -> None:
    await _place(bot, lobby).send("a panel", view=Panel())
    (panel,) = stand_in.messages(lobby)
    opened = stand_in.press(panel.button("Reason"), by=kim)
    assert (await opened.form()).inputs == ("text",)
    sent = stand_in.submit(opened, {"text": "backup"})
    reply = await sent.replied()
    assert (reply.content, reply.ephemeral) == ("because backup", True)


async def test_messages_come_with_their_text_only_to_a_bot_that_may_read_them(
    stand_in: DiscordStandIn, guild: Guild, lobby: Channel, kim: Member
) -> None:
    stand_in.application.privileged = Intent.MESSAGE_CONTENT
    intents = discord.Intents(guilds=True, guild_messages=True)
    for may_read, heard in ((False, "kim: "), (True, "kim: hello")):
        intents.message_content = may_read
        bot = PanelBot(guild.id, intents)
        async with running(bot, stand_in.token):
            await bot.has_heard("ready")
            stand_in.say(kim, "hello", lobby)
            await bot.has_heard(heard)


async def test_members_and_presences_come_with_their_intents(
    stand_in: DiscordStandIn, guild: Guild, kim: Member
) -> None:
    stand_in.application.privileged = Intent.GUILD_MEMBERS | Intent.GUILD_PRESENCES
    intents = discord.Intents(guilds=True, members=True, presences=True)
    bot = PanelBot(guild.id, intents)
    async with running(bot, stand_in.token):
        await bot.has_heard("ready")
        assert {member.name for member in bot.guilds[0].members} == {"owner", "cube", "kim"}
        stand_in.show_as(kim, "idle")
        await bot.has_heard("kim is idle")


async def test_a_direct_message_arrives_unless_the_user_takes_none(
    stand_in: DiscordStandIn, bot: PanelBot, kim: Member
) -> None:
    user = await bot.fetch_user(kim.id)
    await user.send("look at the attic")
    assert [message.content for message in stand_in.messages(kim.user)] == ["look at the attic"]
    kim.user.accepts_messages = False
    with pytest.raises(discord.Forbidden) as refused:
        await user.send("again")
    assert refused.value.code == 50007


async def test_a_permission_that_is_missing_is_missed(
    stand_in: DiscordStandIn, bot: PanelBot, guild: Guild, lobby: Channel
) -> None:
    stand_in.overwrite(lobby, guild.everyone, deny=Permission.EMBED_LINKS)
    stand_in.overwrite(lobby, guild.members[stand_in.world.bot.id], deny=Permission.EMBED_LINKS)
    place = _place(bot, lobby)
    await bot.until(lambda: not place.permissions_for(place.guild.me).embed_links)
    await place.send("plain text passes")
    with pytest.raises(discord.Forbidden) as refused:
        await place.send(embed=discord.Embed(title="a card"))
    assert refused.value.code == 50013


async def test_what_discord_would_not_take_is_refused(
    stand_in: DiscordStandIn, bot: PanelBot, lobby: Channel
) -> None:
    for embeds in ([discord.Embed(title="x" * 257)], [discord.Embed(description="x" * 4000)] * 2):
        with pytest.raises(discord.HTTPException) as refused:
            await _place(bot, lobby).send(embeds=embeds)
        assert refused.value.code == 50035
    with pytest.raises(discord.HTTPException):
        await _place(bot, lobby).send("x" * 2001)
    assert stand_in.messages(lobby) == ()


async def test_whom_a_message_rings_follows_what_its_sender_allowed(
    stand_in: DiscordStandIn, bot: PanelBot, lobby: Channel, kim: Member
) -> None:
    text = f"@everyone <@{kim.id}>"
    await _place(bot, lobby).send(text)
    await _place(bot, lobby).send(text, allowed_mentions=discord.AllowedMentions.all())
    quiet, loud = stand_in.messages(lobby)
    assert not quiet.pings
    assert loud.pings.users == (kim.id,)
    assert loud.pings.everyone


async def test_an_outage_of_the_guild_is_told_and_ends(
    stand_in: DiscordStandIn, bot: PanelBot, guild: Guild, voice: Channel, kim: Member
) -> None:
    bot.heard.clear()
    stand_in.set_available(guild, available=False)
    await bot.has_heard("home unavailable")
    stand_in.join_voice(kim, voice)
    stand_in.set_available(guild, available=True)
    await bot.has_heard("home available")
    found = bot.get_channel(voice.id)
    assert isinstance(found, discord.VoiceChannel)
    assert list(found.voice_states) == [kim.id]
    assert "kim in the cube" not in bot.heard


async def test_a_guild_may_be_away_from_the_start(stand_in: DiscordStandIn) -> None:
    guild = stand_in.add_guild("far", available=False)
    bot = PanelBot(guild.id)
    async with running(bot, stand_in.token):
        await bot.has_heard("ready")
        assert [one.unavailable for one in bot.guilds] == [True]


async def test_a_dropped_connection_is_resumed_and_nothing_is_lost(
    stand_in: DiscordStandIn, bot: PanelBot, voice: Channel, kim: Member
) -> None:
    stand_in.drop_sockets()
    stand_in.join_voice(kim, voice)
    await bot.has_heard("resumed", "kim in the cube")
    (resumed,) = stand_in.record.of(Resumed)
    assert (resumed.accepted, resumed.replayed) == (True, 1)
    assert stand_in.identifies == 1


async def test_everything_is_evidence(
    stand_in: DiscordStandIn, bot: PanelBot, lobby: Channel
) -> None:
    await _place(bot, lobby).send("hello")
    evidence = json.loads(json.dumps(stand_in.evidence()))
    kinds = {event["what"] for event in evidence}
    assert {"Call", "CommandsSynced", "Identified", "Posted"} <= kinds
    assert stand_in.token not in json.dumps(evidence)
    assert stand_in.record.of(Posted)[0].message.content == "hello"


def test_the_redirection_ends(stand_in: DiscordStandIn) -> None:
    assert redirect("https://discord.com/api/v10").startswith(stand_in.origin)
    with redirected(""):
        assert redirect("https://discord.com/api/v10") == "https://discord.com/api/v10"


async def test_the_first_followup_is_what_was_deferred(
    stand_in: DiscordStandIn, bot: PanelBot, lobby: Channel, kim: Member
) -> None:
    @bot.tree.command(guild=bot.home, description="Say it later")
    async def later(asked: discord.Interaction[PanelBot]) -> None:
        await asked.response.defer(ephemeral=True, thinking=True)
        await asked.followup.send("now")
        await asked.followup.send("and loud")

    await bot.tree.sync(guild=bot.home)
    said = stand_in.invoke("later", by=kim, channel=lobby)
    (loud,) = await said.followed_up()
    assert (said.message.content, said.message.ephemeral) == ("now", True)
    assert (loud.content, loud.ephemeral) == ("and loud", False)


async def test_what_one_member_sees_another_cannot_press(
    stand_in: DiscordStandIn, bot: PanelBot, guild: Guild, lobby: Channel, kim: Member
) -> None:
    view = Panel()

    @bot.tree.command(guild=bot.home, description="Ask back")
    async def sure(asked: discord.Interaction[PanelBot]) -> None:
        await asked.response.send_message("sure?", view=view, ephemeral=True)

    await bot.tree.sync(guild=bot.home)
    reply = await stand_in.invoke("sure", by=kim, channel=lobby).replied("sure?")
    other = stand_in.add_member(guild, "robin")
    with pytest.raises(LookupError):
        stand_in.press(reply.button("Refresh"), by=other)
    pressed = stand_in.press(reply.button("Refresh"), by=kim)
    assert (await pressed.answered()).kind is AnswerKind.UPDATE
    # discord.py gives a view for one member's eyes a timer, which outlives the client.
    view.stop()


class Where(discord.ui.Select[discord.ui.View]):
    def __init__(self) -> None:
        option = discord.SelectOption(label="Attic", value="attic")
        super().__init__(custom_id="where", options=[option])

    async def callback(self, asked: discord.Interaction[Any]) -> None:
        await asked.response.send_message(f"chosen {self.values}")


async def test_a_menu_offers_its_options_only(
    stand_in: DiscordStandIn, bot: PanelBot, lobby: Channel, kim: Member
) -> None:
    view = discord.ui.View(timeout=None)
    view.add_item(Where())
    await _place(bot, lobby).send("where?", view=view)
    (shown,) = stand_in.messages(lobby)[0].menus
    with pytest.raises(LookupError):
        stand_in.choose(shown, "cellar", by=kim)
    assert (await stand_in.choose(shown, "attic", by=kim).replied()).content == "chosen ['attic']"


async def test_the_bot_reads_back_and_deletes_what_it_wrote(
    stand_in: DiscordStandIn, bot: PanelBot, lobby: Channel, kim: Member
) -> None:
    place = _place(bot, lobby)
    sent = await place.send("one")
    said = stand_in.say(kim, "two", lobby)
    assert [message.id async for message in place.history()] == [said.id, sent.id]
    with pytest.raises(discord.Forbidden):
        await place.get_partial_message(said.id).edit(content="three")
    await sent.delete()
    with pytest.raises(discord.NotFound):
        await place.fetch_message(sent.id)
    assert [gone.message.id for gone in stand_in.record.of(Deleted)] == [sent.id]


async def test_the_applications_page_is_what_the_bot_is_told(
    stand_in: DiscordStandIn, bot: PanelBot
) -> None:
    page = stand_in.application
    page.bot_public, page.privileged = True, Intent.MESSAGE_CONTENT
    page.interactions_endpoint_url = "https://example.org/interactions"
    page.install_scopes = ("bot", "applications.commands")
    page.install_permissions = Permission.SEND_MESSAGES
    told = await bot.application_info()
    assert told.bot_public
    assert told.flags.gateway_message_content_limited
    assert told.interactions_endpoint_url == "https://example.org/interactions"
    assert told.install_params is not None
    assert told.install_params.permissions.send_messages


async def test_commands_that_are_known_are_not_created_again(
    stand_in: DiscordStandIn, bot: PanelBot
) -> None:
    await bot.tree.sync(guild=bot.home)
    first, second = stand_in.record.of(CommandsSynced)
    assert (first.created, second.created) == (1, 0)
    assert first.commands[0].id == second.commands[0].id


async def test_a_route_that_is_missing_is_seen(stand_in: DiscordStandIn, bot: PanelBot) -> None:
    with pytest.raises(discord.NotFound):
        await bot.http.request(discord.http.Route("GET", "/sticker-packs"))
    missed = [call for call in stand_in.record.of(Call) if call.status == 404]
    assert [call.path for call in missed] == ["/sticker-packs"]


async def test_an_outage_is_no_proof_that_a_channel_is_gone(
    stand_in: DiscordStandIn, bot: PanelBot, guild: Guild, lobby: Channel
) -> None:
    stand_in.set_available(guild, available=False)
    headers = {"Authorization": f"Bot {stand_in.token}"}
    url = f"https://discord.com/api/v10/channels/{lobby.id}"
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.get(url) as response:
            assert response.status == 500
        stand_in.set_available(guild, available=True)
        stand_in.remove_channel(lobby)
        async with session.get(url) as response:
            assert (response.status, (await response.json())["code"]) == (404, 10003)
    await bot.until(lambda: bot.get_channel(lobby.id) is None)
