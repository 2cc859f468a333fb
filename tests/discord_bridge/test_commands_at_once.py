"""People who press twice, together, or long after: what counts, and what is told."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from custom_components.cubeguardian.discord_bridge.access import Command, Denial
from custom_components.cubeguardian.discord_bridge.bridge_port import BridgeMemory, Refused, Result
from custom_components.cubeguardian.discord_bridge.view import Group, State
from tests.lab.discord import Channel, DiscordStandIn, Refusal, redirected
from tests.lab.discord.record import Call, Posted, Resumed

from .bridge_world import GAME, HOST, BridgeWorld, until


@pytest.fixture
async def world() -> AsyncIterator[BridgeWorld]:
    async with DiscordStandIn() as discord:
        with redirected(discord.origin):
            yield BridgeWorld(discord)


def _ask(world: BridgeWorld, name: str, by: Any = None, **options: Any) -> Any:
    return world.discord.invoke(name, options, by=by or world.alex, channel=world.lobby)


def _denials(world: BridgeWorld) -> list[Denial]:
    return [one.denial for one in world.port.records if one.denial]


async def test_a_button_and_a_command_at_once_are_one_start(world: BridgeWorld) -> None:
    world.port.accepts.clear()
    async with world.running():
        await world.until(lambda: world.panels)
        world.discord.press(world.panels[0].button("Start"), by=world.alex)
        asked = _ask(world, "start", server=HOST)
        assert "already" in (await asked.replied()).text
        world.port.accepts.set()
        await until(lambda: world.port.records[-1].result is Result.DONE)
        assert world.port.calls == [("wake", GAME)]
        assert _denials(world) == [Denial.COOLDOWN]


async def test_a_restart_that_is_still_on_its_way_counts(world: BridgeWorld) -> None:
    world.port.game = replace(world.port.game, state=State.RUNNING)
    world.port.accepts.clear()
    async with world.running():
        question = await _ask(world, "restart", by=world.ada).replied("Really restart")
        world.discord.press(question.button("Yes"), by=world.ada)
        await until(lambda: world.port.calls)
        again = await _ask(world, "restart", by=world.ada).replied()
        assert "already" in again.text
        assert not again.buttons
        world.port.accepts.set()
        await until(lambda: world.port.records[-1].result is Result.DONE)
        assert world.port.calls == [("restart", GAME)]


async def test_a_refused_start_costs_nothing(world: BridgeWorld) -> None:
    world.port.refuses = Refused("forbidden")
    async with world.running():
        await _ask(world, "start").replied("Request refused")
        world.port.refuses = None
        await _ask(world, "start").replied("Asleep")
        assert [one.result for one in world.port.records] == [Result.REFUSED, Result.DONE]


async def test_a_start_whose_answer_discord_did_not_take_costs_nothing(
    world: BridgeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[BridgeMemory] = []
    monkeypatch.setattr(world.port, "remember", kept.append)
    async with world.running():
        await until(lambda: kept)
        kept.clear()
        world.discord.break_with(Refusal(status=404, code=10062), path="/callback", times=1)
        _ask(world, "start")
        # It was decided, counted and taken back.
        await until(lambda: len(kept) == 3)
        await _ask(world, "start").replied("Asleep")
        assert world.port.calls == [("wake", GAME)]


async def test_a_yes_pressed_twice_does_it_once(world: BridgeWorld) -> None:
    async with world.running():
        question = await _ask(world, "stop", by=world.ada).replied("Really shut down")
        for _ in range(2):
            world.discord.press(question.button("Yes"), by=world.ada)
        await until(lambda: Denial.NO_QUESTION in _denials(world))
        await until(lambda: world.port.calls)
        assert len(world.port.calls) == 1


async def test_whoever_asks_twice_is_mentioned_once(world: BridgeWorld) -> None:
    async with world.running() as bridge:
        world.port.game = replace(world.port.game, state=State.WAKING)
        first = _ask(world, "start", by=world.kim)
        await first.replied("Réveil")
        world.now += timedelta(seconds=61)
        second = _ask(world, "start", by=world.kim)
        await second.replied("Réveil")
        other = _ask(world, "start", by=world.alex)
        await other.replied("Waking")
        world.port.game = replace(world.port.game, state=State.RUNNING)
        bridge.update()
        for one in (first, second):
            await one.replied("En marche")
        await other.followed_up()
        await until(lambda: first.followups or second.followups)
        await asyncio.sleep(0.2)
        assert sorted(_pinged(world)) == sorted([world.kim.id, world.alex.id])


@pytest.mark.parametrize("label", ["Start", "Cancel shutdown", "Keep awake"])
async def test_what_a_button_leads_to_does_not_push_the_panel_out_of_sight(
    world: BridgeWorld, label: str
) -> None:
    world.port.game = replace(world.port.game, state=State.OFF)
    countdown = State.COUNTDOWN if label == "Cancel shutdown" else State.OFF
    world.port.host = replace(world.port.host, state=countdown)
    panel = world.discord.add_text_channel(world.guild, "servers")
    world.change(panel_channel_id=panel.id)
    async with world.running():
        await world.until(lambda: world.discord.messages(panel))
        (shown,) = world.discord.messages(panel)
        pressed = world.discord.press(shown.button(label), by=world.alex)
        assert (await pressed.replied("`attic`" if label != "Start" else "Asleep")).ephemeral
        assert _lasting(world, panel) == [shown.id]


@pytest.mark.parametrize("is_told", [True, False])
async def test_whoever_presses_start_is_mentioned_where_everybody_is_told(
    world: BridgeWorld, is_told: bool
) -> None:
    panel = world.discord.add_text_channel(world.guild, "servers")
    groups = frozenset({Group.READY}) if is_told else frozenset[Group]()
    world.change(panel_channel_id=panel.id, groups=groups)
    async with world.running() as bridge:
        await world.until(lambda: world.discord.messages(panel))
        (shown,) = world.discord.messages(panel)
        pressed = world.discord.press(shown.button("Start"), by=world.alex)
        await pressed.replied("Asleep")
        world.port.game = replace(world.port.game, state=State.RUNNING)
        bridge.update()
        await world.until(lambda: _pinged(world))
        (ready,) = world.discord.messages(world.lobby)
        assert ready.pings.users == (world.alex.id,)
        assert ready.content == f"<@{world.alex.id}> `Survival` · Ready to play"
        assert bool(ready.embeds) is not is_told
        assert _lasting(world, panel) == [shown.id]


async def test_the_one_mention_survives_a_torn_connection(world: BridgeWorld) -> None:
    async with world.running() as bridge:
        world.port.game = replace(world.port.game, state=State.WAKING)
        asked = _ask(world, "start", by=world.kim)
        await asked.replied("Réveil")
        world.discord.gateway.ask_to_reconnect()
        await world.until(lambda: world.discord.record.of(Resumed))
        await world.discord.go_away()
        await world.discord.come_back()
        await world.until(lambda: world.discord.identifies == 2)
        world.port.game = replace(world.port.game, state=State.RUNNING)
        bridge.update()
        await world.until(lambda: _pinged(world))
        world.discord.drop_sockets()
        bridge.update()
        await asyncio.sleep(0.5)
        assert _pinged(world) == [world.kim.id]


async def test_an_answer_that_was_deleted_is_left_alone_and_the_mention_still_comes(
    world: BridgeWorld,
) -> None:
    async with world.running() as bridge:
        world.port.game = replace(world.port.game, state=State.WAKING)
        asked = _ask(world, "start", by=world.kim)
        answer = await asked.replied("Réveil")
        mailbox = world.discord.mailbox
        mailbox.delete(mailbox.find(answer.id))
        world.port.game = replace(world.port.game, progress=50)
        bridge.update()
        await world.until(lambda: _edits(world, answer.id))
        for _ in range(10):
            bridge.update()
            await asyncio.sleep(0.06)
        assert _edits(world, answer.id) == 1
        world.port.game = replace(world.port.game, state=State.RUNNING)
        bridge.update()
        await world.until(lambda: _pinged(world) == [world.kim.id])


def _edits(world: BridgeWorld, message_id: int) -> int:
    """Count the attempts that failed to change a message."""
    calls = world.discord.record.of(Call)
    return sum(one.method == "PATCH" and one.status == 404 for one in calls)


def _lasting(world: BridgeWorld, channel: Channel) -> list[int]:
    return [one.id for one in world.discord.messages(channel) if not one.ephemeral]


def _pinged(world: BridgeWorld) -> list[int]:
    posted = world.discord.record.of(Posted)
    return [user for one in posted for user in one.message.pings.users]


async def test_a_question_that_was_replaced_is_answered_in_vain(world: BridgeWorld) -> None:
    async with world.running():
        old = await _ask(world, "stop", by=world.ada).replied("Really shut down")
        new = await _ask(world, "restart", by=world.ada).replied("Really restart")
        world.discord.press(old.button("Yes"), by=world.ada)
        await until(lambda: Denial.NO_QUESTION in _denials(world))
        world.discord.press(new.button("No"), by=world.ada)
        await until(lambda: world.port.records[-1].result is Result.WITHDRAWN)
        assert world.port.records[-1].command is Command.RESTART
        assert not world.port.calls


async def test_two_admins_are_asked_each_and_answer_for_themselves(world: BridgeWorld) -> None:
    bob = world.discord.add_member(world.guild, "bob", roles=(world.admins,))
    async with world.running():
        first = await _ask(world, "stop", by=world.ada).replied("Really shut down")
        second = await _ask(world, "stop", by=bob).replied("Really shut down")
        with pytest.raises(LookupError):
            world.discord.press(first.button("Yes"), by=bob)
        world.discord.press(second.button("Yes"), by=bob)
        await until(lambda: world.port.askers)
        assert [one.name for one in world.port.askers] == ["bob"]
        world.discord.press(first.button("No"), by=world.ada)
        await until(lambda: world.port.records[-1].result is Result.WITHDRAWN)
        assert world.port.records[-1].asker.name == "ada"
        assert len(world.port.calls) == 1


async def test_an_admin_who_is_locked_out_can_still_cancel(world: BridgeWorld) -> None:
    async with world.running() as bridge:
        await world.until(lambda: world.panels)
        await _ask(world, "start", by=world.ada).replied("Asleep")
        for _ in range(3):
            said = await _ask(world, "start", by=world.ada).replied()
        assert "locked out" in said.text
        world.port.host = replace(world.port.host, state=State.COUNTDOWN)
        bridge.update()
        await world.until(lambda: not world.panels[0].button("Cancel shutdown").disabled)
        world.discord.press(world.panels[0].button("Cancel shutdown"), by=world.ada)
        await until(lambda: world.port.calls[-1] == ("cancel", HOST))


async def test_whoever_refreshes_too_often_is_told_so_and_written_down(
    world: BridgeWorld,
) -> None:
    async with world.running():
        await world.until(lambda: world.panels)
        pressed = [
            world.discord.press(world.panels[0].button("Refresh"), by=world.alex) for _ in range(12)
        ]
        assert "Not so fast" in (await pressed[8].replied()).text
        assert "locked out" in (await pressed[10].replied()).text
        await asyncio.sleep(0.2)
        assert _denials(world) == [Denial.FLOOD, Denial.LOCKED]
        assert {one.command for one in world.port.records} == {Command.STATUS}
