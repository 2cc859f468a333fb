"""An evening on Discord: voice wakes, a child relogs, and Discord is away when it matters."""

import asyncio
from datetime import datetime
from pathlib import Path

import pytest

from tests.lab.namespaces import TwoNamespaces

from .cast import Part
from .discord_scene import BOT, House, house_on_discord
from .scene import bursts, power_commands

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_namespaces,
    pytest.mark.needs_demo,
    pytest.mark.timeout(400),
]

_ATTIC = Part(name="attic", times={"game": 0.5, "guest_shutdown": 1.0})
_AT_THE_HOST = {"server": "attic"}
# How long Discord refuses every connection, before it swallows everything.
_GONE_FOR = 12.0
# Home Assistant may be that late on a busy machine.
_LATE = 10.0


async def test_an_evening_on_discord(wire: TwoNamespaces, tmp_path: Path) -> None:
    async with house_on_discord(wire, tmp_path, _ATTIC) as house:
        await _whoever_enters_voice_wakes_the_host(house)
        await _another_cancels_once_the_last_one_has_left(house)
        await _a_child_relogs_while_a_parents_shutdown_is_due(house)
        await _discord_is_away_until_the_host_is_asleep(house)
        await _whoever_asked_is_mentioned_once(house)


async def _whoever_enters_voice_wakes_the_host(house: House) -> None:
    town, host = house.town, house.host
    await host.shows("reachable", "off")
    await host.become_automatic()
    await house.is_connected()
    await town.shows("Asleep")

    town.discord.join_voice(town.kim, town.voice)
    await host.shows("state", "waking")
    await host.is_up()
    assert host.wanted_by() == {"voice"}
    assert house.scene.state(f"{BOT}.voice_members") == "1"
    for title in ("Waking up", "The host is up", "Ready to play"):
        await town.is_told(title)
    await town.shows("Running")

    await house.players("Kim")
    await town.shows("Players: 1 of 20")
    await house.players("Kim", "Alex")
    await town.shows("Players: 2 of 20")
    assert town.rings() == []


async def _another_cancels_once_the_last_one_has_left(house: House) -> None:
    town, host = house.town, house.host
    await house.players("Kim")
    await house.players()
    assert host.state("state") == "running"
    town.discord.leave_voice(town.kim)
    await host.shows("state", "countdown")
    assert host.attribute("state", "cause") == "idle"
    await town.shows("Countdown to shutdown")

    pressed = await town.presses("Cancel shutdown", town.alex)
    await pressed.replied("is cancelled", within=60)
    await host.shows("state", "running")
    await town.is_told("Shutdown cancelled")
    (cancelled,) = await house.entries("countdown_cancelled")
    assert cancelled["by"] == "alex"
    (command,) = await house.entries("discord_command")
    assert (command["by"], command["details"]["command"]) == ("alex", "cancel")
    assert power_commands(await host.evidence()) == []


async def _a_child_relogs_while_a_parents_shutdown_is_due(house: House) -> None:
    town, host = house.town, house.host
    town.discord.join_voice(town.kim, town.voice)
    await house.players("Kim")
    asked = await town.gives("stop", {**_AT_THE_HOST, "delay": 1}, town.ada, "Really shut down")
    town.discord.press(asked.message.button("Yes"), by=town.ada)
    await host.shows("state", "countdown")
    assert host.attribute("state", "by") == "ada"
    due = host.state("shutdown_at")

    await house.players()
    town.discord.leave_voice(town.kim)
    await host.becomes(lambda: house.scene.state(f"{BOT}.voice_members") == "0")
    await house.players("Kim")
    town.discord.join_voice(town.kim, town.voice)
    await host.becomes(lambda: house.scene.state(f"{BOT}.voice_members") == "1")
    await town.shows("Countdown to shutdown", "Players: 1 of 20")
    await house.players()
    assert host.attribute("state", "cause") == "asked"
    assert host.state("shutdown_at") == due
    assert len(await house.entries("countdown_cancelled")) == 1


async def _discord_is_away_until_the_host_is_asleep(house: House) -> None:
    town, host, discord = house.town, house.host, house.town.discord
    due = datetime.fromisoformat(str(host.state("shutdown_at"))).timestamp()
    told = len(town.told(town.lobby))
    await discord.go_away()
    await house.is_connected("off")
    await asyncio.sleep(_GONE_FOR)
    discord.blackhole()
    await discord.come_back()

    await host.shows("state", "stopping", within=90)
    await host.shows("state", "off")
    assert due <= house.scene.first(host.key("state"), "stopping").at < due + _LATE
    assert power_commands(await host.evidence()) == ["shutdown"]
    assert len(town.told(town.lobby)) == told

    discord.mend()
    await house.is_connected()
    await town.shows("Asleep")
    await town.has_told(town.lobby, "Asleep")
    assert town.told(town.lobby)[-2:] == ["Shutting down", "Asleep"]
    assert house.scene.state(f"{BOT}.voice_members") == "1"
    assert host.state("state") == "off"
    assert bursts(await host.evidence()) == 1


async def _whoever_asked_is_mentioned_once(house: House) -> None:
    town, host = house.town, house.host
    pressed = await town.presses("Start", town.alex)
    await pressed.replied("Waking up", within=60)
    await host.is_up()
    await town.shows("Running")
    await town.discord.record.until(lambda: bool(town.rings()), within=60)
    assert town.rings() == [town.alex.id]
    await town.nothing_was_lost()
