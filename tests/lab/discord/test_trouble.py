"""The stand-in fails as Discord fails, and the real discord.py takes it for the real thing."""

import asyncio
from collections.abc import Callable
import socket

import aiohttp
import discord
import pytest

from . import (
    Channel,
    CloseCode,
    DiscordStandIn,
    Garbage,
    Guild,
    Intent,
    Latency,
    Member,
    RateLimit,
    Refusal,
    ServerError,
    Silence,
    Torn,
    redirected,
)
from .panel_bot import Panel, PanelBot, running
from .record import Call, Disconnected, Identified, Resumed

MESSAGES = r"^/channels/\d+/messages$"


def _place(bot: PanelBot, channel: Channel) -> discord.TextChannel:
    found = bot.get_channel(channel.id)
    assert isinstance(found, discord.TextChannel)
    return found


def _posts(stand_in: DiscordStandIn, channel: Channel) -> list[Call]:
    path = f"/channels/{channel.id}/messages"
    calls = stand_in.record.of(Call)
    return [call for call in calls if (call.method, call.path) == ("POST", path)]


async def _is_refused(bot: PanelBot, token: str) -> None:
    with pytest.raises(discord.LoginFailure):
        await bot.login(token)
    await bot.close()


# Tokens and intents


async def test_a_wrong_token_does_not_log_in(stand_in: DiscordStandIn, guild: Guild) -> None:
    await _is_refused(PanelBot(guild.id), "MTA1.wrong")
    assert stand_in.record.of(Call)[0].status == 401


async def test_a_token_revoked_between_login_and_gateway_closes_with_4004(
    stand_in: DiscordStandIn, guild: Guild
) -> None:
    stand_in.break_with(Latency(seconds=0.1), path="^/gateway$")
    async with running(PanelBot(guild.id), stand_in.token) as task:
        stand_in.revoke_token()
        with pytest.raises(discord.ConnectionClosed) as closed:
            await task
    assert closed.value.code == 4004
    assert [one.refused for one in stand_in.record.of(Identified)] == [4004]


async def test_a_token_revoked_while_connected_ends_the_bot(
    stand_in: DiscordStandIn, bot: PanelBot, lobby: Channel
) -> None:
    place = _place(bot, lobby)
    stand_in.revoke_token()
    await bot.until(bot.is_closed)
    assert (await stand_in.record.next(Disconnected)).code == 4004
    await _is_refused(PanelBot(place.guild.id), stand_in.token)
    fresh = PanelBot(place.guild.id)
    async with running(fresh, stand_in.renew_token()):
        await fresh.has_heard("ready")


async def test_an_intent_that_is_not_switched_on_closes_with_4014(
    stand_in: DiscordStandIn, guild: Guild
) -> None:
    intents = discord.Intents(guilds=True, guild_messages=True, message_content=True)
    async with running(PanelBot(guild.id, intents), stand_in.token) as task:
        with pytest.raises(discord.PrivilegedIntentsRequired):
            await task
    assert [one.refused for one in stand_in.record.of(Identified)] == [4014]
    stand_in.application.privileged = Intent.MESSAGE_CONTENT
    bot = PanelBot(guild.id, intents)
    async with running(bot, stand_in.token):
        await bot.has_heard("ready")
        assert bot.application_flags.gateway_message_content_limited


# The gateway


@pytest.mark.parametrize(
    "interrupt",
    [
        lambda one: one.close_gateway(CloseCode.UNKNOWN_ERROR),
        lambda one: one.gateway.ask_to_reconnect(),
        lambda one: one.gateway.invalidate(resumable=True),
        lambda one: one.drop_sockets(),
    ],
    ids=["4000", "op 7", "op 9 true", "torn"],
)
async def test_an_interruption_is_resumed(
    stand_in: DiscordStandIn,
    bot: PanelBot,
    voice: Channel,
    kim: Member,
    interrupt: Callable[[DiscordStandIn], None],
) -> None:
    interrupt(stand_in)
    await stand_in.record.next(Disconnected)
    stand_in.join_voice(kim, voice)
    await bot.has_heard("disconnect", "resumed", "kim in the cube")
    assert [one.accepted for one in stand_in.record.of(Resumed)] == [True]
    assert stand_in.identifies == 1


async def test_an_invalid_session_begins_anew(
    stand_in: DiscordStandIn, bot: PanelBot, voice: Channel, kim: Member
) -> None:
    bot.heard.clear()
    stand_in.join_voice(kim, voice)
    stand_in.gateway.invalidate(resumable=False)
    await bot.has_heard("ready")
    assert stand_in.identifies == 2
    found = bot.get_channel(voice.id)
    assert isinstance(found, discord.VoiceChannel)
    assert list(found.voice_states) == [kim.id]


async def test_a_forgotten_session_cannot_be_resumed(
    stand_in: DiscordStandIn, bot: PanelBot
) -> None:
    bot.heard.clear()
    stand_in.gateway.forget_sessions()
    stand_in.drop_sockets()
    await bot.has_heard("ready")
    assert [one.accepted for one in stand_in.record.of(Resumed)] == [False]
    assert stand_in.identifies == 2


async def test_a_handshake_that_fails_is_tried_again(
    stand_in: DiscordStandIn, bot: PanelBot
) -> None:
    stand_in.break_with(ServerError(status=503), path="^/gateway$", times=1)
    stand_in.drop_sockets()
    await bot.has_heard("resumed")
    assert stand_in.identifies == 1


async def test_heartbeats_are_answered() -> None:
    async with DiscordStandIn(heartbeat_interval=0.05) as stand_in:
        home = stand_in.add_guild("home")
        with redirected(stand_in.origin):
            bot = PanelBot(home.id)
            async with running(bot, stand_in.token):
                await bot.has_heard("ready")
                (connection,) = stand_in.gateway.connections
                await bot.until(lambda: connection.heartbeats >= 3)
                assert bot.latency < 1
                assert stand_in.record.of(Disconnected) == []


async def test_away_is_refused_and_the_session_lives_on(
    stand_in: DiscordStandIn, bot: PanelBot, voice: Channel, kim: Member
) -> None:
    await stand_in.go_away()
    await bot.has_heard("disconnect")
    with pytest.raises(aiohttp.ClientConnectorError):
        await bot.fetch_user(kim.id)
    stand_in.join_voice(kim, voice)
    await stand_in.come_back()
    await bot.has_heard("resumed", "kim in the cube")


async def test_in_the_black_hole_everything_waits(
    stand_in: DiscordStandIn, bot: PanelBot, lobby: Channel, voice: Channel, kim: Member
) -> None:
    stand_in.blackhole()
    stand_in.join_voice(kim, voice)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await _place(bot, lobby).send("into the void")
    sending = asyncio.create_task(_place(bot, lobby).send("later"))
    await stand_in.record.until(lambda: len(_posts(stand_in, lobby)) == 2)
    assert "kim in the cube" not in bot.heard
    assert stand_in.messages(lobby) == ()
    stand_in.mend()
    await sending
    await bot.has_heard("kim in the cube")
    assert [message.content for message in stand_in.messages(lobby)] == ["later"]


# REST


async def test_a_rate_limit_is_waited_for(
    stand_in: DiscordStandIn, bot: PanelBot, lobby: Channel
) -> None:
    stand_in.break_with(RateLimit(retry_after=0.2), path=MESSAGES, times=1)
    await _place(bot, lobby).send("patience")
    first, second = _posts(stand_in, lobby)
    assert (first.status, second.status) == (429, 200)
    assert second.at - first.at >= 0.2


async def test_a_ban_of_the_proxy_is_no_rate_limit(
    stand_in: DiscordStandIn, bot: PanelBot, lobby: Channel
) -> None:
    stand_in.break_with(RateLimit(retry_after=0.2, is_discord=False), path=MESSAGES, times=1)
    with pytest.raises(discord.HTTPException) as banned:
        await _place(bot, lobby).send("patience")
    assert banned.value.status == 429


async def test_a_bucket_is_kept_to_without_a_single_429(
    stand_in: DiscordStandIn, bot: PanelBot, lobby: Channel
) -> None:
    stand_in.limit("POST", MESSAGES, limit=2, per=0.3)
    for number in range(4):
        await _place(bot, lobby).send(str(number))
    posts = _posts(stand_in, lobby)
    assert [post.status for post in posts] == [200] * 4
    assert posts[2].at - posts[0].at >= 0.25


async def test_who_ignores_a_bucket_gets_429(stand_in: DiscordStandIn, lobby: Channel) -> None:
    stand_in.limit("GET", "^/gateway/bot$", limit=1, per=60)
    headers = {"Authorization": f"Bot {stand_in.token}"}
    url = "https://discord.com/api/v10/gateway/bot"
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(url) as first,
        session.get(url) as second,
    ):
        assert (first.status, second.status) == (200, 429)
        assert 0 < (await second.json())["retry_after"] <= 60


async def test_a_server_error_is_tried_again(
    stand_in: DiscordStandIn, bot: PanelBot, lobby: Channel
) -> None:
    stand_in.break_with(ServerError(status=502), path=MESSAGES, times=1)
    await _place(bot, lobby).send("again")
    assert [post.status for post in _posts(stand_in, lobby)] == [502, 200]


async def test_a_torn_connection_may_have_done_its_work(
    stand_in: DiscordStandIn, bot: PanelBot, lobby: Channel
) -> None:
    for done in (False, True):
        stand_in.break_with(Torn(done=done), path=MESSAGES, times=1)
        with pytest.raises(aiohttp.ClientError):
            await _place(bot, lobby).send(f"done: {done}")
    assert [message.content for message in stand_in.messages(lobby)] == ["done: True"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Refusal(status=403, code=50013), discord.Forbidden),
        (Refusal(status=404, code=10003, message="Unknown Channel"), discord.NotFound),
        (Garbage(), TypeError),
    ],
    ids=["403", "404", "garbage"],
)
async def test_an_answer_can_be_anything(
    stand_in: DiscordStandIn,
    bot: PanelBot,
    lobby: Channel,
    fault: Refusal | Garbage,
    error: type[Exception],
) -> None:
    stand_in.break_with(fault, method="POST", path=MESSAGES)
    with pytest.raises(error):
        await _place(bot, lobby).send("hello")
    stand_in.mend()
    await _place(bot, lobby).send("hello")


async def test_silence_lasts_until_it_is_mended(
    stand_in: DiscordStandIn, bot: PanelBot, lobby: Channel
) -> None:
    stand_in.break_with(Silence(), path=MESSAGES)
    sending = asyncio.create_task(_place(bot, lobby).send("hello"))
    await stand_in.record.until(lambda: len(_posts(stand_in, lobby)) == 1)
    assert not sending.done()
    stand_in.mend()
    with pytest.raises(aiohttp.ClientError):
        await sending


# Interactions


async def test_an_answer_after_the_time_is_not_taken() -> None:
    async with DiscordStandIn(answer_within=0.1) as stand_in:
        home = stand_in.add_guild("home")
        lobby = stand_in.add_text_channel(home, "lobby")
        kim = stand_in.add_member(home, "kim")
        with redirected(stand_in.origin):
            bot = PanelBot(home.id)
            async with running(bot, stand_in.token):
                await bot.has_heard("ready")
                await _place(bot, lobby).send("a panel", view=Panel())
                (panel,) = stand_in.messages(lobby)
                stand_in.troubles.gateway_latency = 0.2
                pressed = stand_in.press(panel.button("Refresh"), by=kim)
                call = await stand_in.record.next(Call, lambda one: one.code == 10062)
        assert (call.status, pressed.answer) == (404, None)
        assert stand_in.message(panel.id).content == "a panel"


async def test_the_token_of_an_interaction_ends(
    stand_in: DiscordStandIn, bot: PanelBot, guild: Guild, lobby: Channel, kim: Member
) -> None:
    start = stand_in.invoke("start", {"host": "attic"}, by=kim, channel=lobby)
    await start.replied("waking")
    start.asked_at -= 901
    bot.go_on.set()
    call = await stand_in.record.next(Call, lambda one: one.code == 50027)
    assert call.path == f"/webhooks/{stand_in.application.id}/***/messages/@original"
    assert start.message.content == "waking attic"


async def test_with_an_endpoint_set_the_gateway_hears_of_no_interaction(
    stand_in: DiscordStandIn, bot: PanelBot, lobby: Channel, kim: Member
) -> None:
    stand_in.application.interactions_endpoint_url = "https://example.org/interactions"
    start = stand_in.invoke("start", {"host": "attic"}, by=kim, channel=lobby)
    with pytest.raises(TimeoutError):
        await start.answered(within=0.2)


async def test_a_heartbeat_can_be_asked_for(stand_in: DiscordStandIn, bot: PanelBot) -> None:
    await stand_in.connected()
    (connection,) = stand_in.gateway.connections
    before = connection.heartbeats
    stand_in.gateway.request_heartbeat()
    await bot.until(lambda: connection.heartbeats > before)


async def test_a_global_rate_limit_stops_all_routes(
    stand_in: DiscordStandIn,
    bot: PanelBot,
    lobby: Channel,
    kim: Member,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stand_in.break_with(RateLimit(retry_after=0.3, is_global=True), path=MESSAGES, times=1)
    sending = asyncio.create_task(_place(bot, lobby).send("patience"))
    await bot.until(lambda: "Global rate limit has been hit" in caplog.text)
    await bot.fetch_user(kim.id)
    await sending
    fetched = await stand_in.record.next(Call, lambda one: one.path == f"/users/{kim.id}")
    limited, _ = _posts(stand_in, lobby)
    assert limited.status == 429
    assert fetched.at - limited.at >= 0.3


async def test_whoever_connects_while_it_goes_away_is_only_refused() -> None:
    troubles: list[object] = []
    loop = asyncio.get_running_loop()
    # Only then does asyncio tell what it stumbles over when it takes a connection in.
    loop.set_debug(True)
    loop.set_exception_handler(lambda _, context: troubles.append(context["message"]))
    for turns in range(4):
        async with DiscordStandIn() as stand_in:
            with socket.socket() as knocking:
                knocking.setblocking(False)
                knocking.connect_ex((stand_in.host, stand_in.port))
                for _ in range(turns):
                    await asyncio.sleep(0)
                await stand_in.go_away()
                await asyncio.sleep(0.01)
    assert troubles == []
