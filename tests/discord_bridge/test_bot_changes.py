"""What changes on Discord while the bot is there: roles, channels, the guild, its own rights."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
import logging

import pytest

from custom_components.cubeguardian.discord_bridge.bridge_port import End, Problem, Trouble
from custom_components.cubeguardian.discord_bridge.view import EventView, Happening, State
from custom_components.cubeguardian.discord_bridge.voice import VoiceReport
from tests.lab.discord import (
    DiscordStandIn,
    Intent,
    Member,
    Permission,
    Refusal,
    Silence,
    Torn,
    redirected,
)
from tests.lab.discord.record import Call, Message
from tests.lab.discord.shapes import channel_shape, guild_create_shape

from .bridge_world import BridgeWorld, until


@pytest.fixture
async def world() -> AsyncIterator[BridgeWorld]:
    async with DiscordStandIn() as discord:
        with redirected(discord.origin):
            yield BridgeWorld(discord)


def _present(world: BridgeWorld) -> set[int]:
    return set(world.port.presents[-1].members) if world.port.presents else set()


def _bot(world: BridgeWorld) -> Member:
    return world.guild.members[world.discord.world.bot.id]


# Who counts in voice


async def test_a_role_that_was_taken_away_ends_the_demand_with_the_next_move(
    world: BridgeWorld,
) -> None:
    async with world.running():
        world.discord.join_voice(world.kim, world.voice)
        await until(lambda: _present(world) == {world.kim.id})
        world.discord.set_roles(world.kim)
        # Without the intent for members nobody tells, until somebody mutes the microphone.
        world.discord.join_voice(world.kim, world.voice)
        await until(lambda: world.port.voice[-1] == VoiceReport(present={}))


async def test_a_role_that_was_given_in_another_channel_counts_in_this_one(
    world: BridgeWorld,
) -> None:
    elsewhere = world.discord.add_voice_channel(world.guild, "elsewhere")
    async with world.running():
        await until(lambda: world.port.presents)
        world.discord.join_voice(world.stranger, elsewhere)
        world.discord.set_roles(world.stranger, world.players)
        world.discord.join_voice(world.stranger, world.voice)
        await until(lambda: _present(world) == {world.stranger.id})


async def test_moving_between_watched_channels_is_no_news(world: BridgeWorld) -> None:
    second = world.discord.add_voice_channel(world.guild, "the other cube")
    world.change(voice_channel_ids=world.settings.voice_channel_ids | {second.id})
    async with world.running():
        world.discord.join_voice(world.kim, world.voice)
        await until(lambda: _present(world) == {world.kim.id})
        told = list(world.port.voice)
        world.discord.join_voice(world.kim, second)
        world.discord.join_voice(world.alex, world.voice)
        both = {str(world.kim.id): "", str(world.alex.id): ""}
        await until(lambda: world.port.voice == [*told, VoiceReport(present=both)])


async def test_somebody_who_is_thrown_out_wants_nothing_any_more(world: BridgeWorld) -> None:
    world.discord.join_voice(world.kim, world.voice)
    async with world.running():
        await until(lambda: _present(world) == {world.kim.id})
        world.discord.remove_member(world.kim)
        await until(lambda: world.port.voice[-1] == VoiceReport(present={}))


async def test_nobody_stays_in_a_channel_that_is_gone(world: BridgeWorld) -> None:
    world.discord.join_voice(world.kim, world.voice)
    async with world.running():
        await until(lambda: _present(world) == {world.kim.id})
        world.discord.gateway.dispatch("CHANNEL_DELETE", channel_shape(world.voice))
        await until(lambda: world.port.voice[-1] == VoiceReport(present={}))


async def test_a_stage_counts_like_any_other_voice_channel(world: BridgeWorld) -> None:
    world.discord.join_voice(world.kim, world.voice)
    async with world.running():
        await until(lambda: _present(world) == {world.kim.id})
        everything = Intent.GUILDS | Intent.GUILD_VOICE_STATES
        shape = guild_create_shape(world.guild, world.discord.world.bot.id, everything)
        for channel in shape["channels"]:
            if channel["id"] == str(world.voice.id):
                channel["type"] = 13
        told = len(world.port.presents)
        world.discord.gateway.dispatch("GUILD_CREATE", shape)
        await until(lambda: len(world.port.presents) > told)
        assert _present(world) == {world.kim.id}
        world.discord.join_voice(world.alex, world.voice)
        await until(lambda: _present(world) == {world.kim.id, world.alex.id})


async def test_a_guild_that_is_lost_between_two_connections_is_unknown(
    world: BridgeWorld,
) -> None:
    world.pace = replace(world.pace, away_after=30.0)
    world.discord.join_voice(world.kim, world.voice)
    async with world.running():
        await until(lambda: _present(world) == {world.kim.id})
        del world.discord.world.guilds[world.guild.id]
        await world.discord.go_away()
        await world.discord.come_back()
        await until(lambda: world.port.problems == (Problem(trouble=Trouble.GUILD_MISSING),))
        assert world.port.presents[-1].count is None
        assert world.port.voice[-1] == VoiceReport(unknown=frozenset({str(world.kim.id)}))


async def test_an_outage_that_ends_is_seen_even_if_commands_cannot_be_registered(
    world: BridgeWorld,
) -> None:
    world.discord.set_available(world.guild, available=False)
    world.discord.break_with(
        Refusal(status=403, code=50001), method="PUT", path="/commands", times=1
    )
    world.discord.join_voice(world.kim, world.voice)
    async with world.running():
        world.discord.break_with(
            Refusal(status=400, code=50035), method="PUT", path="/commands", times=1
        )
        world.discord.set_available(world.guild, available=True)
        await until(lambda: _present(world) == {world.kim.id})


async def test_no_name_is_told_or_logged_unless_it_may_be_shown(
    world: BridgeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    robin = world.discord.add_member(
        world.guild, "robin-secret", roles=(world.players,), nick="Robin Secret"
    )
    async with world.running() as bridge:
        world.discord.join_voice(robin, world.voice)
        await until(lambda: _present(world) == {robin.id})
        bridge.update()
        world.discord.gateway.ask_to_reconnect()
        await until(lambda: len(world.port.voice) > 3)
        world.discord.leave_voice(robin)
        await until(lambda: not _present(world))
    assert any(one.name == "discord.client" for one in caplog.records)
    told = repr([world.port.voice, world.port.presents, world.port.memory])
    shown = [one.text for one in world.discord.messages(world.lobby)]
    for text in (told, *(one.getMessage() for one in caplog.records), *shown):
        assert "secret" not in text.lower()


async def test_the_token_of_an_interaction_is_in_no_line_of_the_log(
    world: BridgeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with world.running():
        asked = world.discord.invoke("start", by=world.kim, channel=world.lobby)
        await asked.replied("En veille")
    assert asked.token not in caplog.text


# What the bot may do


async def test_a_role_that_the_bot_loses_is_missed_and_found_again(world: BridgeWorld) -> None:
    mute = Permission.SEND_MESSAGES
    world.discord.overwrite(world.lobby, world.guild.everyone, deny=mute)
    writers = world.discord.add_role(world.guild, "writers")
    world.discord.overwrite(world.lobby, writers, allow=mute)
    own = tuple(_bot(world).roles)
    world.discord.set_roles(_bot(world), *own, writers)
    async with world.running():
        await until(lambda: world.port.problems == ())
        world.discord.set_roles(_bot(world), *own)
        await until(lambda: world.port.problems)
        assert world.port.problems is not None
        assert "send_messages" in world.port.problems[0].missing
        world.discord.set_roles(_bot(world), *own, writers)
        await until(lambda: world.port.problems == ())


async def test_a_role_that_is_deleted_is_missed(world: BridgeWorld) -> None:
    world.discord.permit(world.guild, world.guild.everyone, Permission.VIEW_CHANNEL)
    (own,) = _bot(world).roles
    async with world.running():
        await until(lambda: world.port.problems == ())
        gone = {"guild_id": str(world.guild.id), "role_id": str(own.id)}
        world.discord.gateway.dispatch("GUILD_ROLE_DELETE", gone)
        await until(lambda: world.port.problems)
        assert world.port.problems is not None
        assert "send_messages" in world.port.problems[0].missing


# The panel


async def test_a_panel_that_moves_leaves_none_behind(world: BridgeWorld) -> None:
    async with world.running():
        await world.until(lambda: world.panels)
        await until(lambda: world.port.memory.panel_message_id)
    hall = world.discord.add_text_channel(world.guild, "hall")
    world.change(panel_channel_id=hall.id)
    async with world.running():
        await world.until(lambda: world.discord.messages(hall))
        await world.until(lambda: not world.panels)
        assert world.port.memory.panel_channel_id == hall.id


async def test_a_panel_moves_even_if_its_channel_is_gone(world: BridgeWorld) -> None:
    async with world.running():
        await world.until(lambda: world.panels)
        await until(lambda: world.port.memory.panel_message_id)
    hall = world.discord.add_text_channel(world.guild, "hall")
    world.change(panel_channel_id=hall.id, channel_id=hall.id)
    world.discord.remove_channel(world.lobby)
    async with world.running() as bridge:
        await world.until(lambda: world.discord.messages(hall))
        world.port.host = replace(world.port.host, state=State.FAILED)
        bridge.update()
        await world.until(lambda: "Failed" in world.discord.messages(hall)[0].text)


async def test_a_panel_whose_arrival_nobody_confirmed_is_not_posted_twice(
    world: BridgeWorld,
) -> None:
    async with world.running() as bridge:
        await world.until(lambda: world.panels)
        mailbox = world.discord.mailbox
        mailbox.delete(mailbox.find(world.panels[0].id))
        world.discord.break_with(Torn(done=True), method="POST", path="/messages", times=1)
        world.port.host = replace(world.port.host, state=State.FAILED)
        bridge.update()
        await world.until(lambda: world.panels)
        await until(lambda: world.port.memory.panel_message_id == world.panels[0].id)
        assert "Failed" in world.panels[0].text
        assert len(world.panels) == 1


# What is sent


async def test_an_alert_reaches_every_admin(world: BridgeWorld) -> None:
    bob = world.discord.add_member(world.guild, "bob", roles=(world.admins,))
    world.change(alert_ids=(world.ada.id, bob.id))
    async with world.running() as bridge:
        bridge.tell(EventView(kind=Happening.LOST, name="attic", is_alert=True))
        admins = (world.ada.user, bob.user)
        await world.until(lambda: all(world.discord.messages(one) for one in admins))


async def test_what_was_lost_while_the_bot_might_not_write_is_told_after_it(
    world: BridgeWorld,
) -> None:
    async with world.running() as bridge:
        bridge.say("before")
        await world.until(lambda: _said(world))
        world.discord.overwrite(world.lobby, world.guild.everyone, deny=Permission.SEND_MESSAGES)
        await until(lambda: world.port.problems)
        for text in ("lost", "lost as well"):
            bridge.say(text)
        await world.until(lambda: _was_refused(world, "lost as well"))
        world.discord.overwrite(world.lobby, world.guild.everyone)
        await until(lambda: world.port.problems == ())
        bridge.say("after")
        await world.until(lambda: len(_said(world)) == 2)
        assert _said(world)[1].text.startswith("⚠️ 2 messages")
        assert _said(world)[1].text.endswith("after")


def _was_refused(world: BridgeWorld, text: str) -> bool:
    calls = world.discord.record.of(Call)
    return any(one.status == 403 and text in repr(one.body) for one in calls)


async def test_what_cannot_be_sent_does_not_keep_the_rest_waiting(world: BridgeWorld) -> None:
    async with world.running() as bridge:
        bridge.say("half a pair \ud800 of something")
        bridge.say("next")
        async with asyncio.timeout(5):
            await world.until(lambda: any("next" in one.text for one in _said(world)))
        assert any("half a pair ? of" in one.text for one in _said(world))


def _said(world: BridgeWorld) -> list[Message]:
    return [one for one in world.discord.messages(world.lobby) if not one.buttons]


# Leaving


@pytest.mark.parametrize(
    "path", ["/users/@me", "/applications/", "/messages", "/callback", "/webhooks/"]
)
async def test_leaving_takes_no_longer_whatever_hangs(world: BridgeWorld, path: str) -> None:
    world.discord.break_with(Silence(), path=path)
    async with world.started() as (bridge, task):
        if path not in {"/users/@me", "/applications/"}:
            await world.ready()
            bridge.say("something")
            world.discord.invoke("start", by=world.kim, channel=world.lobby)
        await asyncio.sleep(0.2)
        async with asyncio.timeout(5):
            await bridge.close()
            assert await task is End.CLOSED
    assert not [one for one in asyncio.all_tasks() if "discord_bridge" in repr(one.get_coro())]
