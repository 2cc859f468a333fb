"""The voice evening: it begins and ends in Discord, where the players meet."""

import asyncio
from collections.abc import Callable

from tests.lab.discord import Channel, Interaction, Message
from tests.lab.sleeping_host import BootTimes

from . import discord_steps
from .club import ADMIN, FRENCH_PLAYER, OTHER_PLAYER, PLAYER, STRANGER, Club
from .evening_story import EveningStory
from .story import WAIT, Play, Story
from .world import PLAYERS, Household

# What takes a minute by the options ends within that and the next look.
_MINUTE = 60 + 30
# The least time between two changes of one message is 5 s, that between two presences 15 s.
_SEEN = 30
_A_MOMENT = 2


class DiscordStory(Story):
    """Players meet in a voice channel, and the host wakes for them and sleeps after them."""

    name = "discord"
    steps = discord_steps.STEPS
    household = Household(
        mode="automatic",
        automatic=EveningStory.household.automatic,
        idle_minutes=1,
        # Slow enough for a message that changes every 5 s to show each state on the way.
        boot_times=BootTimes(firmware=4.0, api=3.0, guests=2.0, game=5.0),
        guest_seconds=8.0,
        meets_on_discord=True,
    )

    @property
    def _club(self) -> Club:
        return self.world.club

    def plays(self) -> tuple[Play, ...]:
        """Return what is done for each step."""
        return (
            self._asleep,
            self._let_discord_in,
            self._turn_away,
            self._start,
            self._ready,
            self._stop,
            self._asleep_again,
            self._enter_voice,
            self._up_for_voice,
            self._join,
            self._players_leave,
            self._leave_voice,
            self._cancel,
            self._count_down,
            self._shut_down,
            self._asleep_again,
            self._nothing_else,
        )

    async def _asleep(self) -> bool:
        off = await self.all_off("host.state", "host.reachable", "game.online")
        return off and await self.shows("host.mode", "automatic")

    async def _let_discord_in(self) -> bool:
        await self.world.let_discord_in()
        connected = await self.shows("bot.connected", "on")
        return connected and await self._panel_shows("💤 Asleep") and await self._gazette_sleeps()

    async def _turn_away(self) -> bool:
        await self._give("start", STRANGER).replied()
        await asyncio.sleep(_A_MOMENT)
        return True

    async def _start(self) -> bool:
        by = self._club.members[FRENCH_PLAYER]
        offered = self._club.discord.suggest("start", "server", "surv", by=by)
        (server,) = await offered.suggestions()
        self._asked = self._give("start", FRENCH_PLAYER, server=str(server.value))
        await self._asked.replied("▱", within=WAIT)
        return await self._panel_shows("🟡 Waking up")

    async def _ready(self) -> bool:
        await self._asked.followed_up(within=WAIT)
        online = await self.shows("game.online", "on")
        return online and await self._panel_shows("🟢 Running", "Players: 0 of 7")

    async def _stop(self) -> bool:
        asked = self._give("stop", ADMIN)
        question = await asked.replied()
        self._club.discord.press(question.button("Yes"), by=self._club.members[ADMIN])
        stopping = await self.shows("host.state", "stopping")
        return stopping and await self._panel_shows("🟠 Shutting down")

    async def _asleep_again(self) -> bool:
        off = await self.all_off("host.state", "host.reachable", "game.online")
        told = await self._panel_shows("💤 Asleep") and await self._gazette_sleeps()
        return off and told and await self._is_seen("💤")

    async def _enter_voice(self) -> bool:
        self._club.discord.join_voice(self._club.members[PLAYER], self._club.voice)
        return await self._panel_shows("🟡 Waking up")

    async def _up_for_voice(self) -> bool:
        await self.world.machine.games_up(WAIT)
        return await self.shows("game.online", "on") and await self._panel_shows("🟢 Running")

    async def _join(self) -> bool:
        for player in self.world.players.values():
            await player.start()
        counted = await self._panel_shows("🟢 Running", f"Players: {len(PLAYERS)} of 7")
        return counted and await self._is_seen(f"{len(PLAYERS)} playing")

    async def _players_leave(self) -> bool:
        for player in self.world.players.values():
            await player.stop()
        return await self._panel_shows("🟢 Running", "Players: 0 of 7")

    async def _leave_voice(self) -> bool:
        self._club.discord.leave_voice(self._club.members[PLAYER])
        return await self._count_down()

    async def _cancel(self) -> bool:
        button = self._panel().button("Cancel shutdown")
        pressed = self._club.discord.press(button, by=self._club.members[OTHER_PLAYER])
        await pressed.replied()
        return await self.shows("host.state", "running") and await self._panel_shows("🟢 Running")

    async def _count_down(self) -> bool:
        counting = await self.shows("host.state", "countdown", within=_MINUTE)
        return counting and await self._panel_shows("🟠 Countdown to shutdown")

    async def _shut_down(self) -> bool:
        stopping = await self.shows("host.state", "stopping", within=_MINUTE)
        return stopping and await self._panel_shows("🟠 Shutting down")

    async def _nothing_else(self) -> bool:
        return True

    def _give(self, command: str, who: str, **options: str) -> Interaction:
        by = self._club.members[who]
        return self._club.discord.invoke(command, options, by=by, channel=self._club.lobby)

    def _panel(self) -> Message:
        (panel,) = self._club.discord.messages(self._club.board)
        return panel

    async def _panel_shows(self, title: str, *parts: str) -> bool:
        return await self._reads(self._club.board, title, *parts)

    async def _gazette_sleeps(self) -> bool:
        return await self._reads(self._club.gazette, "💤 En veille")

    async def _reads(self, channel: Channel, title: str, *parts: str) -> bool:
        """Wait until the first message of a channel has a title, and holds some texts."""

        def holds() -> bool:
            for message in self._club.discord.messages(channel)[:1]:
                said = message.text
                return message.embeds[0].title == title and all(part in said for part in parts)
            return False

        return await self._comes_true(holds)

    async def _is_seen(self, text: str) -> bool:
        """Wait until the bot is seen doing something."""
        return await self._comes_true(lambda: text in self._club.presence())

    async def _comes_true(self, condition: Callable[[], bool]) -> bool:
        await self._club.discord.record.until(condition, within=_SEEN)
        return True
