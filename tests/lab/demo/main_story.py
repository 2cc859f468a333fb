"""The main story: the host is switched on, played on and switched off."""

from . import main_steps
from .story import WAIT, Play, Story
from .world import PLAYERS, Household


class MainStory(Story):
    """Somebody wakes the host and shuts it down; in between somebody plays."""

    name = "main"
    steps = main_steps.STEPS
    household = Household()

    def plays(self) -> tuple[Play, ...]:
        """Return what is done for each step."""
        return (
            self._asleep,
            self._switch_on,
            self._packet,
            self._booting,
            self._proxmox,
            self._minecraft,
            self._join,
            self._refusal,
            self._leave,
            self._switch_off,
            self._asleep_again,
        )

    async def _asleep(self) -> bool:
        return await self.all_off("host.reachable", "game.online")

    async def _switch_on(self) -> bool:
        return await self.switch("turn_on")

    async def _packet(self) -> bool:
        await self.world.machine.nic.woken()
        return True

    async def _booting(self) -> bool:
        return await self.shows("host.state", "waking", "running")

    async def _proxmox(self) -> bool:
        running = await self.shows("host.state", "running")
        return running and await self.shows("host.proxmox_api", "on")

    async def _minecraft(self) -> bool:
        await self.world.machine.games_up(WAIT)
        return await self.shows("game.online", "on")

    async def _join(self) -> bool:
        await self.world.players[PLAYERS[0]].start()
        return await self.shows("game.players_online", "1")

    async def _refusal(self) -> bool:
        return not await self.switch("turn_off")

    async def _leave(self) -> bool:
        await self.world.players[PLAYERS[0]].stop()
        return await self.shows("game.players_online", "0")

    async def _switch_off(self) -> bool:
        return await self.switch("turn_off")

    async def _asleep_again(self) -> bool:
        return await self.all_off("host.state", "host.reachable", "game.online")
