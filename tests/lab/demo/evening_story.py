"""The idle evening: nobody switches the host off, and it sleeps when nobody needs it."""

import asyncio

from . import evening_steps
from .story import WAIT, Play, Story
from .world import PLAYERS, Household

# What takes a minute by the options ends within that and the next look.
_MINUTE = 60 + 30
_A_MOMENT = 2


class EveningStory(Story):
    """Players come and go; the host waits for them, and sleeps in the end."""

    name = "evening"
    steps = evening_steps.STEPS
    household = Household(
        mode="automatic",
        automatic={
            "quiet_minutes": 0,
            "least_up_minutes": 0,
            "asked_minutes": 1,
            "cancelled_minutes": 1,
        },
        idle_minutes=1,
    )

    def plays(self) -> tuple[Play, ...]:
        """Return what is done for each step."""
        return (
            self._asleep,
            self._wake,
            self._join,
            self._outlast_the_wish,
            self._leave,
            self._come_back,
            self._leave_again,
            self._cancel,
            self._stay_up,
            self._count_down,
            self._look_in,
            self._shut_down,
            self._asleep_again,
        )

    async def _asleep(self) -> bool:
        off = await self.all_off("host.state", "host.reachable", "game.online")
        return off and await self.shows("host.mode", "automatic")

    async def _wake(self) -> bool:
        if not await self.switch("turn_on"):
            return False
        await self.world.machine.games_up(WAIT)
        return await self.shows("game.online", "on")

    async def _join(self) -> bool:
        for player in self.world.players.values():
            await player.start()
        return await self.shows("game.players_online", str(len(PLAYERS)))

    async def _outlast_the_wish(self) -> bool:
        return await self._is_wanted_by({"players"})

    async def _leave(self) -> bool:
        for player in self.world.players.values():
            await player.stop()
        return await self._count_down()

    async def _come_back(self) -> bool:
        await self.world.players[PLAYERS[0]].start()
        return await self.shows("host.state", "running")

    async def _leave_again(self) -> bool:
        await asyncio.sleep(_A_MOMENT)
        await self.world.players[PLAYERS[0]].stop()
        return await self._count_down()

    async def _cancel(self) -> bool:
        await asyncio.sleep(_A_MOMENT)
        pressed = await self.world.act("button.press", "host.cancel_shutdown")
        return bool(pressed["accepted"]) and await self.shows("host.state", "running")

    async def _stay_up(self) -> bool:
        return await self._is_wanted_by({"cancelled"}) and await self._is_wanted_by(set())

    async def _count_down(self) -> bool:
        return await self.shows("host.state", "countdown")

    async def _look_in(self) -> bool:
        await self.world.players[PLAYERS[1]].start()
        if not await self.shows("host.state", "running"):
            return False
        await asyncio.sleep(_A_MOMENT)
        await self.world.players[PLAYERS[1]].stop()
        return await self._count_down()

    async def _shut_down(self) -> bool:
        return await self.shows("host.state", "stopping", within=_MINUTE)

    async def _asleep_again(self) -> bool:
        return await self.all_off("host.state", "host.reachable", "game.online")

    async def _is_wanted_by(self, sources: set[str]) -> bool:
        return await self.world.client.until(lambda: self._wanted_by() == sources, _MINUTE)

    def _wanted_by(self) -> set[str]:
        leases = self.world.attribute("host.demand", "leases") or []
        return {lease["source"] for lease in leases if not lease["declined"]}
