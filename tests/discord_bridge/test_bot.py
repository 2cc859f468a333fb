"""The bot of the real discord.py on the stand-in: connection, panel, messages, voice."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
import logging
from typing import Any

import discord
import pytest

from custom_components.cubeguardian.discord_bridge.bridge_port import (
    BridgeMemory,
    End,
    Problem,
    Trouble,
)
from custom_components.cubeguardian.discord_bridge.identifying import IdentifyBudget
from custom_components.cubeguardian.discord_bridge.listening import VoiceWatch
from custom_components.cubeguardian.discord_bridge.view import EventView, Happening, State
from custom_components.cubeguardian.discord_bridge.voice import VoiceReport
from tests.lab.discord import (
    CloseCode,
    DiscordStandIn,
    Intent,
    Permission,
    RateLimit,
    Refusal,
    ServerError,
    Silence,
    redirected,
)
from tests.lab.discord.record import CommandsSynced, Edited, PresenceSet
from tests.lab.discord.shapes import guild_create_shape

from .bridge_world import BridgeWorld, no_heartbeats, until


@pytest.fixture
async def world() -> AsyncIterator[BridgeWorld]:
    async with DiscordStandIn() as discord:
        with redirected(discord.origin):
            yield BridgeWorld(discord)


async def test_the_bot_comes_up_and_leaves_within_five_seconds(world: BridgeWorld) -> None:
    async with world.started() as (bridge, task):
        await world.ready()
        assert bridge.connected
        async with asyncio.timeout(5):
            await bridge.close()
            assert await task is End.CLOSED
    assert world.port.connections == [True, False]
    assert world.port.problems == ()


async def test_a_bad_token_ends_it_without_another_try(world: BridgeWorld) -> None:
    world.discord.revoke_token()
    async with world.started() as (_, task), asyncio.timeout(5):
        assert await task is End.BAD_TOKEN
    assert world.discord.identifies == 0


async def test_a_token_that_is_revoked_later_ends_it(world: BridgeWorld) -> None:
    async with world.started() as (_, task):
        await world.ready()
        world.discord.revoke_token()
        async with asyncio.timeout(5):
            assert await task is End.BAD_TOKEN


async def test_relaying_without_the_intent_ends_it_before_it_identifies(
    world: BridgeWorld,
) -> None:
    world.change(relays=True)
    async with world.started() as (_, task), asyncio.timeout(5):
        assert await task is End.INTENT_MISSING
    assert world.discord.identifies == 0


async def test_an_intent_that_discord_refuses_ends_it(world: BridgeWorld) -> None:
    async with world.started() as (_, task):
        await world.ready()
        world.discord.close_gateway(CloseCode.DISALLOWED_INTENTS)
        async with asyncio.timeout(5):
            assert await task is End.INTENT_MISSING


async def test_a_first_connection_that_fails_is_tried_again(world: BridgeWorld) -> None:
    world.discord.break_with(ServerError(), path="/gateway", times=2)
    async with world.running():
        assert world.discord.identifies == 1


async def test_discord_away_is_tried_again_until_it_is_back(world: BridgeWorld) -> None:
    async with world.running():
        await world.discord.go_away()
        await until(lambda: world.port.connections == [True, False])
        await world.discord.come_back()
        await until(lambda: world.port.connections == [True, False, True])


async def test_a_torn_connection_is_resumed_and_nobody_hears_of_it(world: BridgeWorld) -> None:
    async with world.running():
        world.discord.close_gateway()
        await world.discord.connected()
        await asyncio.sleep(0.5)
        assert world.port.connections == [True]
        assert world.discord.identifies == 1


async def test_too_many_identifies_are_never_sent(world: BridgeWorld) -> None:
    world.budget = IdentifyBudget(burst=2, span=600)
    async with world.started():
        for expected in (1, 2):
            await world.ready()
            assert world.discord.identifies == expected
            world.port.connections.clear()
            world.discord.gateway.forget_sessions()
            await world.discord.go_away()
            await until(lambda: world.port.connections)
            await world.discord.come_back()
        await asyncio.sleep(0.5)
        assert world.discord.identifies == 2


async def test_closing_works_while_nothing_gets_through(world: BridgeWorld) -> None:
    async with world.started() as (bridge, task):
        await world.ready()
        world.discord.blackhole()
        async with asyncio.timeout(5):
            await bridge.close()
            await task
        world.discord.mend()


async def test_closing_works_while_the_other_side_never_hangs_up(
    world: BridgeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_: object) -> None:
        await asyncio.Event().wait()

    async with world.started() as (bridge, task):
        await world.ready()
        monkeypatch.setattr(discord.Client, "close", hang)
        async with asyncio.timeout(5):
            await bridge.close()
            await task
        await until(no_heartbeats)
        await until(lambda: not world.discord.gateway.is_connected)


async def test_a_task_that_is_cancelled_leaves_nothing_behind(world: BridgeWorld) -> None:
    async with world.started() as (_, task):
        await world.ready()
        task.cancel()
        await asyncio.wait([task], timeout=5)
        assert task.cancelled()
        await until(lambda: not world.discord.gateway.is_connected)


async def test_what_cannot_be_rendered_hurts_nobody(
    world: BridgeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    async with world.running() as bridge:
        await world.until(lambda: world.panels)
        bridge.tell(EventView(kind=Happening.WOKEN, name="attic", told=7))  # type: ignore[arg-type]
        world.port.boards = lambda: 1 / 0  # type: ignore[assignment,method-assign,return-value]
        bridge.update()
        await until(lambda: "could not be put together" in caplog.text)
        del world.port.boards
        world.port.host = replace(world.port.host, state=State.FAILED)
        bridge.update()
        await world.until(lambda: "Failed" in world.panels[0].text)


async def test_a_root_that_breaks_breaks_nothing_here(
    world: BridgeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ValueError

    world.port.voice_report = broken  # type: ignore[method-assign]
    world.port.problems_changed = broken  # type: ignore[method-assign]
    async with world.running():
        world.discord.join_voice(world.kim, world.voice)
        await world.until(lambda: world.panels)
        await until(lambda: caplog.text.count("could not be passed on") >= 3)


async def test_what_makes_no_sense_any_more_is_not_remembered(world: BridgeWorld) -> None:
    world.port.memory = BridgeMemory(access={"version": "of tomorrow"})
    async with world.running():
        assert world.port.connections == [True]


async def test_nothing_is_said_where_there_is_no_channel(world: BridgeWorld) -> None:
    world.change(channel_id=None, alert_ids=())
    async with world.running() as bridge:
        bridge.tell(_event(Happening.WAKE_FAILED, is_alert=True))
        assert not bridge.say("hello")
        await world.until(lambda: world.panels)
        assert not _said(world)


async def test_an_alert_for_nobody_goes_into_the_channel(world: BridgeWorld) -> None:
    world.change(groups=frozenset(), alert_ids=())
    async with world.running() as bridge:
        bridge.tell(_event(Happening.WAKE_FAILED, is_alert=True))
        await world.until(lambda: _said(world))


async def test_the_token_is_in_no_line_of_the_log(
    world: BridgeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert world.settings.token not in repr(world.settings)
    world.discord.break_with(ServerError(), path="/gateway", times=1)
    async with world.started() as (_, task):
        await world.ready()
        world.discord.revoke_token()
        await task
    assert world.settings.token not in caplog.text


# The panel


async def test_one_panel_is_posted_and_edited_as_things_change(world: BridgeWorld) -> None:
    async with world.running() as bridge:
        await world.until(lambda: world.panels)
        assert "Asleep" in world.panels[0].text
        assert not world.panels[0].button("Start").disabled
        world.port.host = replace(world.port.host, state=State.RUNNING)
        world.port.game = replace(world.port.game, state=State.RUNNING, players_online=2)
        bridge.update()
        await world.until(lambda: "Running" in world.panels[0].text)
        assert len(world.panels) == 1
        assert world.panels[0].button("Start").disabled
        assert not world.panels[0].pings


async def test_a_panel_that_shows_what_it_should_is_left_alone(world: BridgeWorld) -> None:
    async with world.running() as bridge:
        await world.until(lambda: world.panels)
        for _ in range(5):
            bridge.update()
            await asyncio.sleep(0.06)
        assert not world.discord.record.of(Edited)


async def test_many_changes_make_few_edits(world: BridgeWorld) -> None:
    world.pace = replace(world.pace, edit_every=0.3)
    async with world.running() as bridge:
        await world.until(lambda: world.panels)
        for progress in range(50):
            world.port.host = replace(world.port.host, state=State.WAKING, progress=progress)
            bridge.update()
            await asyncio.sleep(0.01)
        await world.until(lambda: "49%" in world.panels[0].text)
        assert len(world.discord.record.of(Edited)) <= 4


async def test_the_panel_is_found_again_after_a_restart(world: BridgeWorld) -> None:
    async with world.running():
        await world.until(lambda: world.panels)
        await until(lambda: world.port.memory.panel_message_id)
    world.port.host = replace(world.port.host, state=State.FAILED)
    async with world.running():
        await world.until(lambda: "Failed" in world.panels[0].text)
        assert len(world.panels) == 1


async def test_the_panel_is_found_even_if_nobody_remembers_it(world: BridgeWorld) -> None:
    async with world.running():
        await world.until(lambda: world.panels)
        await until(lambda: world.port.memory.panel_message_id)
    world.port.memory = replace(world.port.memory, panel_message_id=None)
    world.port.host = replace(world.port.host, state=State.FAILED)
    async with world.running():
        await world.until(lambda: "Failed" in world.panels[0].text)
        assert len(world.panels) == 1


async def test_a_panel_that_somebody_deleted_is_posted_anew(world: BridgeWorld) -> None:
    async with world.running():
        await world.until(lambda: world.panels)
        await until(lambda: world.port.memory.panel_message_id)
    world.port.memory = replace(world.port.memory, panel_message_id=1)
    async with world.running():
        await world.until(lambda: len(world.panels) == 2)


async def test_a_message_of_somebody_else_is_not_taken_for_the_panel(world: BridgeWorld) -> None:
    foreign = world.discord.say(world.kim, "hello", world.lobby)
    world.port.memory = BridgeMemory(panel_channel_id=world.lobby.id, panel_message_id=foreign.id)
    async with world.running():
        await world.until(lambda: world.panels)
        await until(lambda: world.port.memory.panel_message_id == world.panels[0].id)


async def test_a_panel_that_may_not_be_posted_comes_once_it_may(world: BridgeWorld) -> None:
    deny = Permission.SEND_MESSAGES | Permission.READ_MESSAGE_HISTORY
    world.discord.overwrite(world.lobby, world.guild.everyone, deny=deny)
    async with world.running():
        await until(lambda: world.port.problems)
        assert not world.panels
        world.discord.overwrite(world.lobby, world.guild.everyone)
        await world.until(lambda: world.panels)


async def test_the_bot_is_seen_watching_the_host(world: BridgeWorld) -> None:
    async with world.running() as bridge:
        world.port.host = replace(world.port.host, state=State.RUNNING)
        world.port.game = replace(world.port.game, players_online=3)
        bridge.update()
        seen = await world.discord.record.next(
            PresenceSet, lambda one: "3 playing" in "".join(one.texts)
        )
        assert "attic" in "".join(seen.texts)


# The channel


def _event(kind: Happening, *, is_alert: bool = False) -> EventView:
    return EventView(kind=kind, name="attic @everyone", is_alert=is_alert)


async def test_events_go_into_the_channel_in_their_order(world: BridgeWorld) -> None:
    async with world.running() as bridge:
        bridge.tell(_event(Happening.WAKE_SENT))
        bridge.tell(_event(Happening.WOKEN))
        await world.until(lambda: len(_said(world)) == 2)
        assert [one.embeds[0].title for one in _said(world)] == ["Waking up", "The host is up"]
        assert not any(one.pings for one in _said(world))


async def test_events_wait_while_discord_is_away(world: BridgeWorld) -> None:
    async with world.running() as bridge:
        await world.discord.go_away()
        bridge.tell(_event(Happening.ASLEEP))
        await until(lambda: not bridge.connected)
        await world.discord.come_back()
        await until(lambda: len(_said(world)) == 1)


async def test_a_message_that_nobody_answers_is_sent_again(world: BridgeWorld) -> None:
    world.pace = replace(world.pace, patience=0.3)
    world.change(panel_channel_id=None)
    async with world.running() as bridge:
        world.discord.break_with(Silence(), method="POST", path="/messages", times=1)
        assert bridge.say("hello")
        await world.until(lambda: _said(world))
        assert [one.content for one in _said(world)] == ["hello"]


async def test_an_event_that_cannot_be_dealt_with_is_noted(
    world: BridgeWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ValueError

    async with world.running():
        monkeypatch.setattr(VoiceWatch, "moved", broken)
        world.discord.join_voice(world.kim, world.voice)
        await until(lambda: "on_voice_state_update" in caplog.text)
        assert world.port.connections == [True]


async def test_a_storm_of_rate_limits_loses_nothing(world: BridgeWorld) -> None:
    async with world.running() as bridge:
        world.discord.break_with(RateLimit(retry_after=0.1), method="POST", times=3)
        for number in range(4):
            assert bridge.say(f"line {number}")
        await world.until(lambda: len(_said(world)) == 4)
        assert [one.content for one in _said(world)] == [f"line {one}" for one in range(4)]


async def test_an_alert_reaches_the_admin_alone_with_what_to_do(world: BridgeWorld) -> None:
    world.change(groups=frozenset())
    async with world.running() as bridge:
        bridge.tell(_event(Happening.WAKE_FAILED, is_alert=True))
        await world.until(lambda: world.discord.messages(world.ada.user))
        assert "What to do" in world.discord.messages(world.ada.user)[0].text
        assert not _said(world)


async def test_an_alert_goes_into_the_channel_if_the_admin_takes_none(world: BridgeWorld) -> None:
    world.change(groups=frozenset(), alert_ids=(world.ada.id, world.kim.id))
    world.ada.user.accepts_messages = world.kim.user.accepts_messages = False
    async with world.running() as bridge:
        bridge.tell(_event(Happening.WAKE_FAILED, is_alert=True))
        await world.until(lambda: _said(world))
        assert "What to do" in _said(world)[0].text
        await asyncio.sleep(0.2)
        assert len(_said(world)) == 1


async def test_what_is_said_notifies_nobody(world: BridgeWorld) -> None:
    async with world.running() as bridge:
        assert bridge.say(f"@everyone {world.kim.user.mention} dinner")
        await world.until(lambda: _said(world))
        assert not _said(world)[0].pings


async def test_nothing_is_read_unless_it_is_switched_on(world: BridgeWorld) -> None:
    async with world.running():
        world.discord.say(world.kim, "hello", world.lobby)
        await asyncio.sleep(0.2)
        assert not world.port.messages


async def test_what_players_write_is_passed_on_when_switched_on(world: BridgeWorld) -> None:
    world.discord.application.privileged = Intent.MESSAGE_CONTENT
    world.change(relays=True)
    async with world.running():
        world.discord.say(world.kim, "hello\n`@everyone`", world.lobby)
        await until(lambda: world.port.messages)
        assert world.port.messages[0].name == "kim"
        assert world.port.messages[0].text.startswith("hello ˋ＠")


# What has to be mended


async def test_everything_that_is_wrong_with_the_application_is_told(world: BridgeWorld) -> None:
    world.discord.application.bot_public = True
    world.discord.application.interactions_endpoint_url = "https://example.net/"
    async with world.running():
        await until(lambda: world.port.problems)
        assert world.port.problems == (
            Problem(trouble=Trouble.BOT_PUBLIC),
            Problem(trouble=Trouble.ENDPOINT_SET),
        )


async def test_a_missing_permission_is_told_and_taken_back(world: BridgeWorld) -> None:
    deny = Permission.SEND_MESSAGES | Permission.EMBED_LINKS
    world.discord.overwrite(world.lobby, world.guild.everyone, deny=deny)
    async with world.running():
        await until(lambda: world.port.problems)
        assert world.port.problems == (
            Problem(
                trouble=Trouble.PERMISSION_MISSING,
                channel_id=world.lobby.id,
                channel="lobby",
                missing=("send_messages", "embed_links"),
            ),
        )
        world.discord.overwrite(world.lobby, world.guild.everyone)
        await until(lambda: world.port.problems == ())


async def test_a_channel_that_is_gone_is_told(world: BridgeWorld) -> None:
    async with world.running():
        world.discord.remove_channel(world.voice)
        await until(lambda: world.port.problems)
        assert world.port.problems == (
            Problem(trouble=Trouble.CHANNEL_MISSING, channel_id=world.voice.id),
        )


async def test_a_guild_that_takes_the_bot_in_later_gets_its_commands(world: BridgeWorld) -> None:
    world.discord.remove_guild(world.guild)
    world.discord.break_with(
        Refusal(status=403, code=50001), method="PUT", path="/commands", times=1
    )
    async with world.running():
        await until(lambda: world.port.problems)
        world.discord.world.guilds[world.guild.id] = world.guild
        world.discord.set_available(world.guild, available=True)
        await world.discord.record.next(CommandsSynced)
        await until(lambda: world.port.problems == ())


async def test_a_guild_that_invites_the_bot_anew_gets_its_commands_again(
    world: BridgeWorld,
) -> None:
    async with world.running():
        _tell_of_guild(world, "GUILD_CREATE", unavailable=None)
        await world.until(lambda: len(world.discord.record.of(CommandsSynced)) == 2)


async def test_another_channel_for_those_who_are_away_is_taken_in(world: BridgeWorld) -> None:
    world.discord.join_voice(world.alex, world.afk)
    async with world.running():
        await until(lambda: world.port.presents)
        assert world.port.presents[-1].count == 0
        _tell_of_guild(world, "GUILD_UPDATE", afk_channel_id=None)
        await until(lambda: world.port.presents[-1].count == 1)


async def test_a_guild_in_an_outage_from_the_start_says_nothing(world: BridgeWorld) -> None:
    world.discord.set_available(world.guild, available=False)
    async with world.running():
        assert world.port.problems is None
        assert not world.port.voice
        world.discord.set_available(world.guild, available=True)
        await until(lambda: world.port.problems == ())


async def test_a_guild_that_throws_the_bot_out_is_told(world: BridgeWorld) -> None:
    async with world.running():
        await until(lambda: world.port.problems == ())
        world.discord.remove_guild(world.guild)
        await until(lambda: world.port.problems)
        assert world.port.presents[-1].count is None


async def test_a_guild_without_the_bot_is_told(world: BridgeWorld) -> None:
    world.discord.remove_guild(world.guild)
    async with world.running():
        await until(lambda: world.port.problems)
        assert world.port.problems == (Problem(trouble=Trouble.GUILD_MISSING),)


# Voice


async def test_whoever_is_in_voice_at_the_start_has_not_just_come_in(world: BridgeWorld) -> None:
    world.discord.join_voice(world.kim, world.voice)
    kim = str(world.kim.id)
    async with world.running():
        await until(lambda: len(world.port.voice) == 2)
        assert world.port.voice == [
            VoiceReport(unknown=frozenset({kim})),
            VoiceReport(present={kim: ""}),
        ]


async def test_players_come_and_go_and_nobody_else_counts(world: BridgeWorld) -> None:
    async with world.running():
        await until(lambda: world.port.voice)
        world.port.voice.clear()
        music = world.discord.add_member(world.guild, "music", roles=(world.players,), is_bot=True)
        for member, channel in (
            (music, world.voice),
            (world.stranger, world.voice),
            (world.alex, world.afk),
            (world.kim, world.voice),
        ):
            world.discord.join_voice(member, channel)
        await until(lambda: world.port.voice)
        world.discord.leave_voice(world.kim)
        await until(lambda: len(world.port.voice) == 2)
        assert world.port.voice == [
            VoiceReport(present={str(world.kim.id): ""}),
            VoiceReport(present={}),
        ]


async def test_names_are_passed_on_only_if_they_may_be_shown(world: BridgeWorld) -> None:
    world.change(shows_names=True)
    async with world.running():
        await until(lambda: world.port.presents)
        world.discord.join_voice(world.kim, world.voice)
        await until(lambda: world.port.presents[-1].members)
        assert world.port.presents[-1].members == {world.kim.id: "kim"}
        assert world.port.voice[-1].present == {str(world.kim.id): "kim"}


async def test_no_watched_channel_means_no_reports(world: BridgeWorld) -> None:
    world.change(voice_channel_ids=frozenset())
    async with world.running():
        world.discord.join_voice(world.kim, world.voice)
        await asyncio.sleep(0.2)
        assert not world.port.voice


async def test_a_guild_in_an_outage_is_unknown_not_empty(world: BridgeWorld) -> None:
    world.discord.join_voice(world.kim, world.voice)
    kim = str(world.kim.id)
    async with world.running():
        await until(lambda: len(world.port.voice) == 2)
        world.port.voice.clear()
        world.discord.set_available(world.guild, available=False)
        await until(lambda: world.port.voice == [VoiceReport(unknown=frozenset({kim}))])
        assert world.port.presents[-1].count is None
        world.discord.set_available(world.guild, available=True)
        await until(lambda: world.port.voice[-1] == VoiceReport(present={kim: ""}))


async def test_a_gateway_that_stays_away_makes_voice_unknown(world: BridgeWorld) -> None:
    world.discord.join_voice(world.kim, world.voice)
    async with world.running():
        await until(lambda: len(world.port.voice) == 2)
        await world.discord.go_away()
        unknown = VoiceReport(unknown=frozenset({str(world.kim.id)}))
        await until(lambda: world.port.voice[-1] == unknown)
        world.discord.leave_voice(world.kim)
        await world.discord.come_back()
        await until(lambda: world.port.voice[-1] == VoiceReport(present={}))


def _said(world: BridgeWorld) -> list[Any]:
    return [one for one in world.discord.messages(world.lobby) if not one.buttons]


def _tell_of_guild(world: BridgeWorld, event: str, **changes: Any) -> None:
    """Let the gateway tell of the guild as it is, but for some changes; None leaves a name out."""
    everything = Intent.GUILDS | Intent.GUILD_VOICE_STATES
    shape = guild_create_shape(world.guild, world.discord.world.bot.id, everything) | changes
    if changes.get("unavailable", "") is None:
        del shape["unavailable"]
    world.discord.gateway.dispatch(event, shape)


async def test_closing_before_the_guilds_are_known_leaves_nothing_behind(
    world: BridgeWorld,
) -> None:
    world.pace = replace(world.pace, guild_wait=30.0)
    async with world.started() as (bridge, _):
        await world.discord.connected()
        await until(lambda: any("_delay_ready" in repr(one) for one in asyncio.all_tasks()))
        await bridge.close()
    await asyncio.sleep(0)
    assert not any("_delay_ready" in repr(one) for one in asyncio.all_tasks())
