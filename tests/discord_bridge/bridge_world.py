"""A bridge on the stand-in for Discord, and a port that plays a host with one game server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
import threading
from typing import Any

from custom_components.cubeguardian.discord_bridge.access import Limits, People
from custom_components.cubeguardian.discord_bridge.bot import Bridge
from custom_components.cubeguardian.discord_bridge.bridge_port import (
    Asker,
    Board,
    BridgeMemory,
    ChannelMessage,
    CommandRecord,
    End,
    Maintenance,
    Problem,
    Stay,
)
from custom_components.cubeguardian.discord_bridge.bridge_settings import (
    BridgePace,
    BridgeSettings,
)
from custom_components.cubeguardian.discord_bridge.identifying import IdentifyBudget
from custom_components.cubeguardian.discord_bridge.view import (
    BoardView,
    ReportView,
    State,
    ThingView,
)
from custom_components.cubeguardian.discord_bridge.voice import Present, VoiceReport
from tests.lab.discord import DiscordStandIn, Permission

from .conftest import ALL_TEXTS

HOST = "01JHOST"
GAME = "01JGAME"
NOW = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
QUICK = BridgePace(
    edit_every=0.05,
    presence_every=0.05,
    guild_wait=0.02,
    first_pause=0.05,
    longest_pause=0.2,
    patience=5.0,
    close_within=2.0,
    away_after=0.3,
    settle=0.3,
)


class PlayedPort:
    """Notes what it is asked for; the states change when a test says so."""

    def __init__(self) -> None:
        self.host = ThingView(name="attic", state=State.OFF)
        self.game = ThingView(
            name="Survival", state=State.OFF, is_game=True, address="play.example.net"
        )
        self.calls: list[tuple[Any, ...]] = []
        self.askers: list[Asker] = []
        self.records: list[CommandRecord] = []
        self.voice: list[VoiceReport] = []
        self.presents: list[Present] = []
        self.messages: list[ChannelMessage] = []
        self.memory = BridgeMemory()
        self.connections: list[bool] = []
        self.problems: tuple[Problem, ...] | None = None
        self.refuses: Exception | None = None
        self.accepts = asyncio.Event()
        self.accepts.set()
        self.more: tuple[Board, ...] = ()
        self.is_empty = False

    def boards(self) -> tuple[Board, ...]:
        view = BoardView(host=self.host, games=(self.game,))
        if self.is_empty:
            return ()
        return (Board(key=HOST, view=view, game_keys=(GAME,)), *self.more)

    def refresh(self) -> None:
        self.calls.append(("refresh",))

    async def _asked(self, asker: Asker, *call: Any) -> None:
        self.calls.append(call)
        self.askers.append(asker)
        await self.accepts.wait()
        if self.refuses is not None:
            raise self.refuses

    async def wake(self, target: str, asker: Asker) -> None:
        await self._asked(asker, "wake", target)

    async def shut_down(self, target: str, asker: Asker, delay: timedelta) -> None:
        await self._asked(asker, "shut_down", target, delay)

    async def restart(self, target: str, asker: Asker) -> None:
        await self._asked(asker, "restart", target)

    async def cancel(self, target: str, asker: Asker) -> None:
        await self._asked(asker, "cancel", target)

    async def keep_awake(self, key: str, asker: Asker, stay: Stay) -> None:
        await self._asked(asker, "keep_awake", key, stay)

    async def set_maintenance(self, key: str, asker: Asker, maintenance: Maintenance) -> None:
        await self._asked(asker, "maintenance", key, maintenance)

    async def report(self, key: str) -> ReportView:
        return ReportView(name=key, days=7, since=NOW - timedelta(days=7), starts=4)

    def voice_report(self, report: VoiceReport) -> None:
        self.voice.append(report)

    def voice_present(self, present: Present) -> None:
        self.presents.append(present)

    def heard(self, message: ChannelMessage) -> None:
        self.messages.append(message)

    def record(self, record: CommandRecord) -> None:
        self.records.append(record)

    def remember(self, memory: BridgeMemory) -> None:
        self.memory = memory

    def connection_changed(self, connected: bool) -> None:
        self.connections.append(connected)

    def problems_changed(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems


class BridgeWorld:
    """A guild with its channels and people, and what a bridge for it is made of."""

    def __init__(self, discord: DiscordStandIn) -> None:
        self.discord = discord
        self.guild = discord.add_guild("home")
        self.lobby = discord.add_text_channel(self.guild, "lobby")
        self.voice = discord.add_voice_channel(self.guild, "the cube")
        self.afk = discord.add_voice_channel(self.guild, "away", is_afk=True)
        self.players = discord.add_role(self.guild, "players")
        self.admins = discord.add_role(self.guild, "admins", Permission.MANAGE_GUILD)
        self.kim = discord.add_member(self.guild, "kim", roles=(self.players,), locale="fr")
        self.alex = discord.add_member(self.guild, "alex", roles=(self.players,))
        self.ada = discord.add_member(self.guild, "ada", roles=(self.admins,))
        self.stranger = discord.add_member(self.guild, "stranger")
        self.port = PlayedPort()
        self.now = NOW
        self.pace = QUICK
        self.budget = IdentifyBudget()
        self.settings = BridgeSettings(
            token=discord.token,
            guild_id=self.guild.id,
            channel_id=self.lobby.id,
            panel_channel_id=self.lobby.id,
            voice_channel_ids=frozenset({self.voice.id, self.afk.id}),
            people=People(
                player_roles=frozenset({self.players.id}), admin_roles=frozenset({self.admins.id})
            ),
            limits=Limits(),
            alert_ids=(self.ada.id,),
        )

    def make(self) -> Bridge:
        return Bridge(
            self.settings,
            self.port,
            ALL_TEXTS,
            memory=self.port.memory,
            clock=lambda: self.now,
            pace=self.pace,
            budget=self.budget,
        )

    def change(self, **changes: Any) -> None:
        self.settings = replace(self.settings, **changes)

    @asynccontextmanager
    async def started(self) -> AsyncIterator[tuple[Bridge, asyncio.Task[End]]]:
        bridge = self.make()
        task = asyncio.create_task(bridge.run())
        try:
            yield bridge, task
        finally:
            await bridge.close()
            await asyncio.wait([task], timeout=5)
            assert task.done()
            await until(no_heartbeats)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Bridge]:
        async with self.started() as (bridge, _):
            await self.ready()
            yield bridge

    async def ready(self) -> None:
        await until(lambda: bool(self.port.connections and self.port.connections[-1]))

    async def until(self, true: Callable[[], object]) -> None:
        await self.discord.record.until(lambda: bool(true()))

    @property
    def panels(self) -> list[Any]:
        return [one for one in self.discord.messages(self.lobby) if one.buttons]


def no_heartbeats() -> bool:
    return not any(one.name.startswith("keep-alive") for one in threading.enumerate())


async def until(true: Callable[[], object], *, within: float = 8.0) -> None:
    """Wait for something that the stand-in does not see."""
    async with asyncio.timeout(within):
        while not true():
            await asyncio.sleep(0.01)
