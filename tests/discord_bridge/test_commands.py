"""Slash commands, buttons and what follows them, by the real discord.py on the stand-in."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from custom_components.cubeguardian.discord_bridge import desk
from custom_components.cubeguardian.discord_bridge.access import Command, Denial, Rank
from custom_components.cubeguardian.discord_bridge.bot import BridgeClient
from custom_components.cubeguardian.discord_bridge.bridge_port import (
    Board,
    Failed,
    Maintenance,
    Problem,
    Refused,
    Result,
    Stay,
    Trouble,
)
from custom_components.cubeguardian.discord_bridge.view import (
    BoardView,
    HoldUpView,
    State,
    ThingView,
)
from tests.lab.discord import (
    AnswerKind,
    DiscordStandIn,
    Latency,
    Permission,
    Refusal,
    Torn,
    redirected,
)
from tests.lab.discord.record import CommandsSynced, Posted

from .bridge_world import GAME, HOST, BridgeWorld, until


@pytest.fixture
async def world() -> AsyncIterator[BridgeWorld]:
    async with DiscordStandIn() as discord:
        with redirected(discord.origin):
            yield BridgeWorld(discord)


def _ask(world: BridgeWorld, name: str, by: Any = None, **options: Any) -> Any:
    return world.discord.invoke(name, options, by=by or world.alex, channel=world.lobby)


def _results(world: BridgeWorld) -> list[tuple[Command, Result]]:
    return [(one.command, one.result) for one in world.port.records]


async def test_the_guild_alone_gets_all_commands_in_both_languages(world: BridgeWorld) -> None:
    async with world.running():
        synced = world.discord.record.of(CommandsSynced)
        assert [one.guild_id for one in synced] == [world.guild.id]
        commands = {one.name: one for one in synced[0].commands}
        assert set(commands) == {
            "status",
            "start",
            "stop",
            "restart",
            "players",
            "cancel",
            "keep-awake",
            "maintenance",
            "report",
            "help",
        }
        assert dict(commands["start"].names)["fr"] == "démarrer"
        assert dict(commands["keep-awake"].descriptions)["fr"].startswith("Garde un hôte")
        managed = {name for name, one in commands.items() if one.permissions is not None}
        assert managed == {"stop", "restart", "maintenance"}


async def test_a_second_connection_does_not_register_again(world: BridgeWorld) -> None:
    async with world.running():
        world.port.connections.clear()
        await world.discord.go_away()
        await until(lambda: world.port.connections == [False])
        await world.discord.come_back()
        await world.ready()
        assert len(world.discord.record.of(CommandsSynced)) == 1


async def test_commands_that_may_not_be_registered_are_told(world: BridgeWorld) -> None:
    world.discord.break_with(Refusal(status=403, code=50001), method="PUT", path="/commands")
    async with world.running():
        await until(lambda: world.port.problems)
        assert world.port.problems == (Problem(trouble=Trouble.COMMANDS_REFUSED),)


async def test_a_start_is_followed_until_ready_and_mentions_once(world: BridgeWorld) -> None:
    async with world.running() as bridge:
        asked = _ask(world, "start", by=world.kim)
        answer = await asked.answered()
        assert answer.kind is AnswerKind.DEFERRED_MESSAGE
        await asked.replied("En veille")
        world.port.game = replace(
            world.port.game, state=State.WAKING, progress=40, ready_at=world.now
        )
        bridge.update()
        assert "40\u00a0%" in (await asked.replied("40")).text
        world.port.game = replace(
            world.port.game, state=State.RUNNING, progress=None, ready_at=None
        )
        bridge.update()
        (ready,) = await asked.followed_up()
        assert ready.pings.users == (world.kim.id,)
        bridge.update()
        await asyncio.sleep(0.2)
        pinging = [one for one in world.discord.record.of(Posted) if one.message.pings]
        assert len(pinging) == 1
        assert world.port.calls == [("wake", GAME)]
        assert world.port.askers[0].rank is Rank.PLAYER
        assert _results(world) == [(Command.START, Result.DONE)]


async def test_a_start_of_what_runs_mentions_nobody(world: BridgeWorld) -> None:
    world.port.game = replace(world.port.game, state=State.RUNNING)
    async with world.running():
        asked = _ask(world, "start")
        await asked.replied("Running")
        await asyncio.sleep(0.2)
        assert not asked.followups


async def test_a_start_that_fails_later_shows_that_and_mentions_nobody(
    world: BridgeWorld,
) -> None:
    async with world.running() as bridge:
        asked = _ask(world, "start", server=HOST)
        world.port.host = replace(world.port.host, state=State.WAKING)
        bridge.update()
        await asked.replied("Waking up")
        world.port.host = replace(world.port.host, state=State.FAILED)
        bridge.update()
        await asked.replied("Failed")
        await asyncio.sleep(0.2)
        assert not asked.followups


async def test_an_answer_outlives_the_connection_it_was_asked_over(world: BridgeWorld) -> None:
    async with world.running() as bridge:
        asked = _ask(world, "start", by=world.kim)
        world.port.game = replace(world.port.game, state=State.WAKING)
        bridge.update()
        await asked.replied("Réveil")
        world.port.connections.clear()
        await world.discord.go_away()
        await until(lambda: world.port.connections == [False])
        await world.discord.come_back()
        await world.ready()
        world.port.game = replace(world.port.game, state=State.RUNNING)
        bridge.update()
        await asked.replied("En marche")
        await world.until(
            lambda: any(one.pings.users for one in world.discord.messages(world.lobby))
        )


async def test_a_refusal_says_what_stands_against_it(world: BridgeWorld) -> None:
    world.port.refuses = Refused(
        "forbidden", told="quiet `hours`", hold_ups=(HoldUpView(key="task", details={"task": "7"}),)
    )
    async with world.running():
        asked = _ask(world, "start")
        said = await asked.replied("Request refused")
        assert "quiet ˋhoursˋ" in said.text
        assert _results(world) == [(Command.START, Result.REFUSED)]
        assert world.port.records[0].detail == "forbidden"


async def test_a_command_that_fails_says_why(world: BridgeWorld) -> None:
    world.port.refuses = Failed("timeout_error")
    async with world.running():
        asked = _ask(world, "cancel", server=HOST)
        await asked.replied("no answer in time")
        assert _results(world) == [(Command.CANCEL, Result.FAILED)]


async def test_a_port_that_breaks_is_no_silence(world: BridgeWorld) -> None:
    world.port.refuses = RuntimeError("secret")
    async with world.running():
        asked = _ask(world, "start")
        assert "secret" not in (await asked.replied("went wrong")).text


async def test_a_stop_is_confirmed_by_the_same_person(world: BridgeWorld) -> None:
    world.port.host = replace(world.port.host, state=State.RUNNING)
    world.port.game = replace(world.port.game, state=State.RUNNING, players_online=2)
    async with world.running() as bridge:
        asked = _ask(world, "stop", by=world.ada, delay=5)
        question = await asked.replied("Really shut down `attic` after 5 min")
        assert question.ephemeral
        assert "Players: 2" in question.text
        assert not world.port.calls
        pressed = world.discord.press(question.button("Yes"), by=world.ada)
        await pressed.answered()
        await until(lambda: world.port.calls)
        assert world.port.calls == [("shut_down", HOST, timedelta(minutes=5))]
        world.port.host = replace(
            world.port.host, state=State.COUNTDOWN, shutdown_at=world.now + timedelta(minutes=5)
        )
        bridge.update()
        (shown,) = await pressed.followed_up()
        await until(lambda: "Countdown" in world.discord.message(shown.id).text)
        assert not world.discord.message(shown.id).ephemeral
        assert _results(world) == [
            (Command.STOP, Result.ASKED_BACK),
            (Command.STOP, Result.DONE),
        ]


async def test_a_no_ends_it(world: BridgeWorld) -> None:
    async with world.running():
        question = await _ask(world, "stop", by=world.ada).replied("Really")
        world.discord.press(question.button("No"), by=world.ada)
        await until(lambda: _results(world)[-1] == (Command.STOP, Result.WITHDRAWN))
        await until(lambda: not world.discord.message(question.id).buttons)
        assert not world.port.calls


async def test_a_yes_after_a_minute_is_too_late(world: BridgeWorld) -> None:
    async with world.running():
        question = await _ask(world, "restart", by=world.ada).replied("Really restart")
        world.now += timedelta(seconds=61)
        world.discord.press(question.button("Yes"), by=world.ada)
        await until(lambda: "more than a minute" in world.discord.message(question.id).text)
        assert not world.port.calls


async def test_a_restart_is_ready_only_after_it_was_down(world: BridgeWorld) -> None:
    world.port.game = replace(world.port.game, state=State.RUNNING)
    async with world.running() as bridge:
        question = await _ask(world, "restart", by=world.ada).replied("Really restart")
        pressed = world.discord.press(question.button("Yes"), by=world.ada)
        await pressed.followed_up()
        for state in (State.STOPPING, State.WAKING):
            world.port.game = replace(world.port.game, state=state)
            bridge.update()
            await asyncio.sleep(0.02)
        assert len(pressed.followups) == 1
        world.port.game = replace(world.port.game, state=State.RUNNING)
        bridge.update()
        assert (await pressed.followed_up(2))[1].pings.users == (world.ada.id,)
        assert world.port.calls == [("restart", GAME)]


async def test_strangers_are_denied_and_written_down(world: BridgeWorld) -> None:
    async with world.running():
        said = await _ask(world, "start", by=world.stranger).replied("may not")
        assert said.ephemeral
        assert world.port.records[0].denial is Denial.NOT_ALLOWED
        assert world.port.records[0].asker.name == "stranger"
        lines = world.discord.suggest("start", "server", by=world.stranger, channel=world.lobby)
        assert await lines.suggestions() == ()


async def test_strangers_are_not_told_what_there_is_to_choose_from(world: BridgeWorld) -> None:
    async with world.running():
        said = await _ask(world, "start", by=world.stranger, server="cellar").replied("may not")
        assert not said.buttons


async def test_whoever_asks_far_too_often_is_told_so_twice_and_locked_out(
    world: BridgeWorld,
) -> None:
    async with world.running():
        asked = [_ask(world, "help") for _ in range(20)]
        await until(lambda: sum(one.answer is not None for one in asked) == 10)
        await asyncio.sleep(0.2)
        assert sum(one.answer is not None for one in asked) == 10
        denials = [one.denial for one in world.port.records if one.denial]
        assert denials == [Denial.FLOOD, Denial.LOCKED]


async def test_another_guild_is_refused_and_written_down(world: BridgeWorld) -> None:
    async with world.running():
        other = world.discord.add_guild("other")
        hall = world.discord.add_text_channel(other, "hall")
        kim = world.discord.add_member(other, world.kim.user)
        world.discord.world.commands[other.id] = world.discord.world.commands[world.guild.id]
        asked = world.discord.invoke("start", by=kim, channel=hall)
        await asked.replied("serveur Discord")
        assert world.port.records[0].elsewhere
        assert not world.port.calls


async def test_starting_again_within_a_minute_is_a_violation(world: BridgeWorld) -> None:
    world.port.game = replace(world.port.game, state=State.RUNNING)
    async with world.running():
        await _ask(world, "start").replied("Running")
        for _ in range(3):
            said = await _ask(world, "start").replied()
        assert "locked out" in said.text
        assert world.port.records[-1].locked
        await until(lambda: world.port.memory.access)
    async with world.running():
        asked = _ask(world, "start")
        assert "locked out" in (await asked.replied()).text


async def test_keep_awake_takes_minutes_and_ends_with_none(world: BridgeWorld) -> None:
    async with world.running():
        await _ask(world, "keep-awake", minutes=90).replied("kept awake")
        await _ask(world, "keep-awake", minutes=0).replied("no longer")
        stay = Stay(on=True, duration=timedelta(minutes=90))
        assert world.port.calls == [
            ("keep_awake", HOST, stay),
            ("keep_awake", HOST, Stay(on=False)),
        ]


async def test_maintenance_is_for_admins_with_a_reason(world: BridgeWorld) -> None:
    async with world.running():
        await _ask(world, "maintenance", by=world.ada, on=True, reason="new disk").replied("begun")
        with pytest.raises(PermissionError):
            _ask(world, "maintenance", by=world.alex, on=True)
        world.discord.permit(world.guild, world.players, Permission.MANAGE_GUILD)
        await _ask(world, "maintenance", by=world.alex, on=False).replied("may not")
        given = Maintenance(on=True, reason="new disk")
        assert world.port.calls == [("maintenance", HOST, given)]


async def test_looking_is_answered_to_the_asker_alone(world: BridgeWorld) -> None:
    world.port.game = replace(
        world.port.game,
        state=State.RUNNING,
        players_online=1,
        players=("`**Steve** @everyone",),
        motd="[free](https://evil.example)",
    )
    async with world.running():
        for name, expected in (
            ("status", "attic"),
            ("players", "Steve"),
            ("help", "/keep-awake"),
            ("report", "The last 7 days"),
        ):
            said = await _ask(world, name).replied(expected)
            assert said.ephemeral
            assert "@everyone" not in said.text
            assert "https://" not in said.text


async def test_typing_offers_the_host_and_its_game_server(world: BridgeWorld) -> None:
    async with world.running():
        typed = world.discord.suggest("start", "server", "s", by=world.alex, channel=world.lobby)
        offered = await typed.suggestions()
        assert [(one.name, one.value) for one in offered] == [("Survival · attic", GAME)]
        asked = world.discord.suggest("report", "host", by=world.alex, channel=world.lobby)
        assert [one.value for one in await asked.suggestions()] == [HOST]


async def test_a_name_that_nothing_has_is_said_so(world: BridgeWorld) -> None:
    async with world.running():
        await _ask(world, "start", server="cellar").replied("nothing of that name")
        await _ask(world, "start", server="survival").replied("Survival")
        assert world.port.calls == [("wake", GAME)]


async def test_a_status_of_nothing_is_said_so(world: BridgeWorld) -> None:
    async with world.running():
        await _ask(world, "status", server="cellar").replied("nothing of that name")
        await _ask(world, "status", server="attic").replied("attic")


async def test_no_host_at_all_is_said_so(world: BridgeWorld) -> None:
    world.port.is_empty = True
    async with world.running():
        for name in ("status", "players", "start"):
            await _ask(world, name).replied("nothing here yet")


async def test_several_hosts_are_chosen_from_by_buttons(world: BridgeWorld) -> None:
    barn = BoardView(host=ThingView(name="barn", state=State.RUNNING))
    world.port.more = (Board(key="01JBARN", view=barn),)
    async with world.running():
        asked = await _ask(world, "stop", by=world.ada).replied("Which one")
        assert [one.label for one in asked.buttons] == ["attic", "barn"]
        pressed = world.discord.press(asked.button("barn"), by=world.ada)
        question = await pressed.replied("Really shut down `barn`")
        world.discord.press(question.button("Yes"), by=world.ada)
        await until(lambda: world.port.calls == [("shut_down", "01JBARN", timedelta(0))])
        await _ask(world, "report").replied("Which one")


async def test_a_thing_that_is_taken_away_is_no_longer_followed(world: BridgeWorld) -> None:
    async with world.running() as bridge:
        question = await _ask(world, "stop", by=world.ada).replied("Really")
        world.port.is_empty = True
        world.discord.press(question.button("Yes"), by=world.ada)
        await until(lambda: "nothing here" in world.discord.message(question.id).text)
        world.port.is_empty = False
        asked = _ask(world, "start")
        await asked.replied("Asleep")
        world.port.is_empty = True
        bridge.update()
        await asyncio.sleep(0.2)
        assert not asked.followups


async def test_a_stop_goes_on_when_the_bridge_is_closed(world: BridgeWorld) -> None:
    world.port.accepts.clear()
    async with world.running():
        question = await _ask(world, "stop", by=world.ada).replied("Really")
        world.discord.press(question.button("Yes"), by=world.ada)
        await until(lambda: world.port.calls)
    world.port.accepts.set()
    await until(lambda: _results(world)[-1] == (Command.STOP, Result.DONE))


async def test_an_old_answer_is_edited_as_a_message(world: BridgeWorld) -> None:
    world.pace = replace(world.pace, token_for=0.5)
    async with world.running() as bridge:
        asked = _ask(world, "start")
        world.port.game = replace(world.port.game, state=State.WAKING)
        await asked.replied("Waking up")
        await asyncio.sleep(0.5)
        world.port.game = replace(world.port.game, progress=70)
        bridge.update()
        await asked.replied("70%")
        world.port.game = replace(world.port.game, state=State.RUNNING)
        bridge.update()
        await world.until(
            lambda: any(one.pings.users for one in world.discord.messages(world.lobby))
        )


async def test_nobody_is_mentioned_twice_if_the_answer_gets_lost(world: BridgeWorld) -> None:
    async with world.running() as bridge:
        asked = _ask(world, "start")
        await asked.replied("Asleep")
        world.discord.break_with(Torn(done=True), method="POST", path="/webhooks/")
        world.port.game = replace(world.port.game, state=State.RUNNING)
        bridge.update()
        await world.until(
            lambda: any("Ready" in one.text for one in world.discord.messages(world.lobby))
        )
        await asyncio.sleep(0.3)
        pinging = [one for one in world.discord.record.of(Posted) if one.message.pings]
        assert len(pinging) == 1


async def test_a_command_that_is_gone_hurts_nobody(
    world: BridgeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    async with world.running():
        commands = world.discord.world.commands[world.guild.id]
        old = next(iter(commands.values())) | {"id": "1", "name": "dance"}
        commands[1] = old
        _ask(world, "dance")
        await _ask(world, "help").replied("What I can do")
        assert not [one for one in caplog.records if one.levelname == "ERROR"]


async def test_too_many_answers_are_not_followed(
    world: BridgeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "_FOLLOWED_MOST", 0)
    async with world.running():
        await _ask(world, "start").replied("Accepted")
        assert _results(world) == [(Command.START, Result.DONE)]


async def test_a_journal_that_breaks_stops_no_command(world: BridgeWorld) -> None:
    world.port.record = lambda _: 1 / 0  # type: ignore[assignment,method-assign,return-value]
    async with world.running():
        await _ask(world, "start").replied("Asleep")
        assert world.port.calls == [("wake", GAME)]


async def test_a_yes_that_may_no_longer_be_is_denied_as_any_command(world: BridgeWorld) -> None:
    async with world.running():
        question = await _ask(world, "stop", by=world.ada).replied("Really")
        world.discord.set_roles(world.ada)
        world.discord.press(question.button("Yes"), by=world.ada)
        await until(lambda: "may not" in world.discord.message(question.id).text)
        assert not world.port.calls


async def test_a_command_that_breaks_is_noted(
    world: BridgeWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ValueError

    async with world.running():
        monkeypatch.setattr(BridgeClient, "serve", broken)
        _ask(world, "start")
        await until(lambda: "has failed" in caplog.text)


async def test_an_answer_that_comes_late_starts_nothing(world: BridgeWorld) -> None:
    world.pace = replace(world.pace, patience=0.3)
    async with world.running():
        world.discord.break_with(Latency(seconds=1.0), path="/callback")
        asked = _ask(world, "start")
        await asked.answered()
        assert not world.port.calls


# The panel's buttons


async def test_the_panel_starts_cancels_and_keeps_awake(world: BridgeWorld) -> None:
    async with world.running() as bridge:
        await world.until(lambda: world.panels)
        world.discord.press(world.panels[0].button("Start"), by=world.alex)
        await until(lambda: world.port.calls == [("wake", GAME)])
        world.port.host = replace(world.port.host, state=State.COUNTDOWN)
        bridge.update()
        await world.until(lambda: not world.panels[0].button("Cancel shutdown").disabled)
        world.discord.press(world.panels[0].button("Cancel shutdown"), by=world.kim)
        await until(lambda: ("cancel", HOST) in world.port.calls)
        world.discord.press(world.panels[0].button("Keep awake"), by=world.kim)
        stay = Stay(on=True, duration=timedelta(hours=1))
        await until(lambda: ("keep_awake", HOST, stay) in world.port.calls)


async def test_refresh_shows_what_is_and_looks_anew(world: BridgeWorld) -> None:
    async with world.running():
        await world.until(lambda: world.panels)
        world.port.host = replace(world.port.host, state=State.FAILED)
        world.discord.press(world.panels[0].button("Refresh"), by=world.alex)
        await world.until(lambda: "Failed" in world.panels[0].text)
        assert world.port.calls == [("refresh",)]


async def test_the_buttons_still_work_after_a_restart(world: BridgeWorld) -> None:
    async with world.running():
        await world.until(lambda: world.panels)
        await until(lambda: world.port.memory.panel_message_id)
    async with world.running():
        world.discord.press(world.panels[0].button("Start"), by=world.alex)
        await until(lambda: world.port.calls == [("wake", GAME)])


async def test_a_stranger_cannot_press_anything(world: BridgeWorld) -> None:
    async with world.running():
        await world.until(lambda: world.panels)
        for label in ("Start", "Keep awake", "Refresh"):
            pressed = world.discord.press(world.panels[0].button(label), by=world.stranger)
            assert (await pressed.replied("may not")).ephemeral
        assert not world.port.calls


async def test_a_button_from_another_guild_does_nothing(world: BridgeWorld) -> None:
    async with world.running():
        await world.until(lambda: world.panels)
        other = world.discord.add_guild("other")
        kim = world.discord.add_member(other, world.kim.user)
        pressed = world.discord.press(world.panels[0].button("Start"), by=kim)
        await pressed.replied("serveur Discord")
        assert world.port.records[0].elsewhere
        assert not world.port.calls
