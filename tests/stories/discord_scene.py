"""A house with a bot and a webhook; their Discord listens on our side of the wire."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
import contextlib
from dataclasses import dataclass, replace
from itertools import cycle
import json
from pathlib import Path
import re
from typing import Any

from tests.lab.discord import Channel, DiscordStandIn, Interaction, Member, Permission, Source
from tests.lab.discord.acting import Value
from tests.lab.discord.record import Call, Disconnected, Message, Posted
from tests.lab.namespaces import TwoNamespaces

from .cast import Actor, Part, company
from .scene import Document, Scene

BOT, WEBHOOK = "bot", "webhook"
SEEN_WITHIN = 60.0
# A webhook that was away for long is left in peace for longer and longer.
_TRIED_AGAIN_WITHIN = 180.0
_EVERYTHING = ["start", "ready", "countdown", "shutdown", "players", "problems"]
# Where what goes wrong in our tasks and in theirs ends up, if nobody takes it in.
_FAILED = re.compile(r"^\S+ \S+ (ERROR|CRITICAL) \(\w+\) \[(discord\b.*|homeassistant|asyncio)\]")
_DROPPED = re.compile(r"(?P<count>\d*) messages? before this one could not be delivered")


class Town:
    """A guild: kim and alex play, ada is an admin; channels for news, for the panel, to talk in.

    What is told comes twice: into the lobby from the bot, into the news from the webhook.
    """

    def __init__(self, discord: DiscordStandIn) -> None:
        """Found it."""
        self.discord = discord
        self.guild = discord.add_guild("home")
        self.lobby = discord.add_text_channel(self.guild, "lobby")
        self.board = discord.add_text_channel(self.guild, "board")
        self.news = discord.add_text_channel(self.guild, "news")
        self.voice = discord.add_voice_channel(self.guild, "the cube")
        self.players = discord.add_role(self.guild, "players")
        self.admins = discord.add_role(self.guild, "admins", Permission.MANAGE_GUILD)
        self.kim = discord.add_member(self.guild, "kim", roles=(self.players,))
        self.alex = discord.add_member(self.guild, "alex", roles=(self.players,))
        self.ada = discord.add_member(self.guild, "ada", roles=(self.admins,))
        # Nobody may ask more than eight things in twenty seconds.
        self.watchers = cycle(
            discord.add_member(self.guild, name, roles=(self.players,)) for name in "abc"
        )
        self._webhook = discord.add_webhook(self.news)
        self.secrets = [discord.token, self._webhook.token]

    def subentries(self, *targets: str) -> tuple[Document, ...]:
        """Return the bot and the webhook as Home Assistant stores them.

        Those in voice want the `targets`: ids of config entries and of game servers.
        """
        bot = {
            "token": self.discord.token,
            "application": str(self.discord.application.id),
            "guild": str(self.guild.id),
            "channel": str(self.lobby.id),
            "panel_channel": str(self.board.id),
            "voice_channels": [str(self.voice.id)],
            "voice_targets": list(targets),
            "player_roles": [str(self.players.id)],
            "admin_roles": [str(self.admins.id)],
            "admins": [str(self.ada.id)],
            "groups": _EVERYTHING,
            "language": "en",
            "show_names": False,
            "relay": False,
            "relay_in_game": False,
        }
        webhook = {
            "url": self._webhook.url,
            "groups": _EVERYTHING,
            "alerts": False,
            "live_status": False,
            "language": "en",
        }
        return (_subentry(BOT, bot), _subentry(WEBHOOK, webhook))

    # What can be seen of the bot

    @property
    def panels(self) -> list[Message]:
        """The messages with buttons on the board, where answers to them stand as well."""
        return [one for one in self.discord.messages(self.board) if one.buttons]

    @property
    def panel(self) -> Message:
        """The one panel that there is."""
        (panel,) = self.panels
        return panel

    @property
    def disconnects(self) -> int:
        """How many connections of the gateway have ended."""
        return len(self.discord.record.of(Disconnected))

    def told(self, channel: Channel) -> list[str]:
        """Return the titles of what a channel was told, answers to commands left out."""
        return [
            embed.title
            for message in self.discord.messages(channel)
            if message.source in (Source.BOT, Source.WEBHOOK)
            for embed in message.embeds
        ]

    def dropped(self, channel: Channel) -> int:
        """Return how many messages a channel was said to have missed."""
        said = [one.content for one in self.discord.messages(channel)]
        noted = [found for text in said if (found := _DROPPED.search(text))]
        return sum(int(found["count"] or 1) for found in noted)

    def rings(self) -> list[int]:
        """Return whom messages have mentioned, one after the other."""
        pings = [one.message.pings for one in self.discord.record.of(Posted)]
        assert not any(one.roles or one.everyone for one in pings)
        return [user for one in pings for user in one.users]

    def calls(self, method: str, path: str, *, since: float = 0) -> list[Call]:
        """Return the requests for what matches a path, by any method where none is given."""
        return [
            call
            for call in self.discord.record.of(Call)
            if call.method == (method or call.method)
            and re.search(path, call.path)
            and call.at >= since
        ]

    async def shows(self, *texts: str, within: float = SEEN_WITHIN) -> None:
        """Wait until there is one panel, and all this can be read on it."""
        try:
            await self.discord.record.until(lambda: self._shows(texts), within=within)
        except TimeoutError:
            shown = [one.text for one in self.panels]
            raise AssertionError(f"{texts} never stood on the panel: {shown}") from None

    async def is_told(self, title: str, *, within: float = SEEN_WITHIN) -> None:
        """Wait until both ways have told this."""
        for channel in (self.lobby, self.news):
            await self.has_told(channel, title, within=within)

    async def has_told(
        self, channel: Channel, title: str, *, since: int = 0, within: float = SEEN_WITHIN
    ) -> None:
        """Wait until a channel was told this, after so many other things."""
        try:
            await self.discord.record.until(
                lambda: title in self.told(channel)[since:], within=within
            )
        except TimeoutError:
            told = self.told(channel)
            raise AssertionError(f"#{channel.name} never told {title!r}: {told}") from None

    async def nothing_was_lost(self) -> None:
        """Wait until all was told once in each of both ways; what was not is counted there."""

        def complete() -> bool:
            lobby, news = self.told(self.lobby), self.told(self.news)
            return len(lobby) == len(news) + self.dropped(self.news) and _within(news, lobby)

        try:
            await self.discord.record.until(complete, within=_TRIED_AGAIN_WITHIN)
        except TimeoutError:
            told = self.told(self.lobby), self.told(self.news), self.dropped(self.news)
            raise AssertionError(f"not the same was told: {told}") from None
        assert self.dropped(self.lobby) == 0

    # What people do

    async def presses(self, label: str, by: Member) -> Interaction:
        """Let somebody press a button of the panel, as soon as that can be pressed."""
        await self.discord.record.until(
            lambda: not self.panel.button(label).disabled, within=SEEN_WITHIN
        )
        return self.discord.press(self.panel.button(label), by=by)

    async def gives(
        self, command: str, options: Mapping[str, Value], by: Member, answer: str = ""
    ) -> Interaction:
        """Let somebody give a command in the lobby, and wait for its answer."""
        given = self.discord.invoke(command, options, by=by, channel=self.lobby)
        await given.replied(answer, within=SEEN_WITHIN)
        return given

    def renew_token(self) -> str:
        """Return a new token for the bot; the old one is still nobody's business."""
        token = self.discord.renew_token()
        self.secrets.append(token)
        return token

    def _shows(self, texts: tuple[str, ...]) -> bool:
        panels = self.panels
        return len(panels) == 1 and all(text in panels[0].text for text in texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The people on Discord, and the one host, which has the bot."""

    town: Town
    host: Actor

    @property
    def scene(self) -> Scene:
        """Home Assistant as it shows itself."""
        return self.host.scene

    async def is_connected(self, state: str = "on") -> None:
        """Wait until Home Assistant shows the bot as connected, or as not."""
        await self.scene.shows(f"{BOT}.connected", state, within=SEEN_WITHIN)

    async def issues(self) -> set[str]:
        """Return the repairs that there are."""
        found = await self.scene.client.ask("repairs/list_issues")
        return {issue["issue_id"] for issue in found["issues"]}

    async def has_issue(self, issue_id: str, *, there: bool = True) -> None:
        """Wait until a repair is there, or is no longer."""
        async with asyncio.timeout(SEEN_WITHIN):
            while (issue_id in await self.issues()) is not there:
                await asyncio.sleep(0.2)

    async def players(self, *names: str) -> None:
        """Let exactly these people play; Refresh on the panel, so that it is seen at once."""
        await self.host.do("players", names=list(names))
        await self.town.presses("Refresh", next(self.town.watchers))
        await self.host.shows("1.players_online", str(len(names)))

    async def entries(self, kind: str) -> list[Document]:
        """Return what the journal says of one kind."""
        answer = await self.host.act("get_journal")
        return [entry for entry in answer["entries"] if entry["kind"] == kind]

    async def shown(self) -> str:
        """Return everything that Home Assistant shows of us, in one text."""
        path = f"/api/diagnostics/config_entry/{self.host.name}"
        diagnostics = await self.scene.client.get(path)
        states = [change.to_dict() for change in self.scene.client.history]
        journal = await self.host.act("get_journal")
        repairs = await self.scene.client.ask("repairs/list_issues")
        assert diagnostics["data"]["bot"]
        return json.dumps([diagnostics, states, journal, repairs])


@contextlib.asynccontextmanager
async def house_on_discord(
    wire: TwoNamespaces, directory: Path, part: Part, *, voice_at_start: bool = False
) -> AsyncGenerator[House]:
    """Set up a host with a bot and a webhook; in the end no secret of theirs is to be seen.

    `voice_at_start`: kim is in voice before Home Assistant starts.
    """
    async with DiscordStandIn(open_socket=wire.home.open_socket) as discord:
        town = Town(discord)
        if voice_at_start:
            discord.join_voice(town.kim, town.voice)
        part = replace(part, discord=town.subentries(part.name))
        async with company(wire, directory, part, discord=discord) as cast:
            house = House(town=town, host=cast[part.name])
            yield house
            shown = await house.shown()
        log = house.scene.home.log()
        assert [line for line in log if _FAILED.match(line)] == []
        assert any("[discord.http]" in line for line in log)
        for secret in town.secrets:
            assert secret not in shown
            assert [line for line in log if secret in line] == []


def _within(some: list[str], all_of_them: list[str]) -> bool:
    """Say whether all of some are there, in the same order."""
    rest = iter(all_of_them)
    return all(one in rest for one in some)


def _subentry(kind: str, data: Mapping[str, Any]) -> Document:
    return {
        "data": data,
        "subentry_id": kind,
        "subentry_type": f"discord_{kind}",
        "title": f"Our {kind}",
        "unique_id": None,
    }
