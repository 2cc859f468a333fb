"""The headless story: every step done through Home Assistant, and waited for at both ends."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .judge import STEPS
from .progress import Progress
from .world import World

_WAIT = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Plays the steps; whether they were truly seen is judged afterwards, from the evidence."""

    world: World
    progress: Progress

    async def play(self) -> None:
        """Play every step, up to the first that does not happen."""
        plays: tuple[Callable[[], Awaitable[bool]], ...] = (
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
        for (name, _), play in zip(STEPS, plays, strict=True):
            self.progress.begin(name)
            if not await play():
                self.progress.fail()
                return
            self.progress.done()

    async def _shows(self, key: str, *states: str) -> bool:
        return await self.world.client.until(lambda: self.world.state(key) in states, _WAIT)

    async def _all_off(self, *keys: str) -> bool:
        return all([await self._shows(key, "off") for key in keys])

    async def _asleep(self) -> bool:
        return await self._all_off("host.reachable", "game.online")

    async def _switch_on(self) -> bool:
        return bool((await self.world.act("turn_on", "host.power"))["accepted"])

    async def _packet(self) -> bool:
        await self.world.machine.nic.woken()
        return True

    async def _booting(self) -> bool:
        return await self._shows("host.state", "waking", "running")

    async def _proxmox(self) -> bool:
        return await self._shows("host.state", "running") and await self._shows(
            "host.proxmox_api", "on"
        )

    async def _minecraft(self) -> bool:
        await self.world.machine.games_up(_WAIT)
        return await self._shows("game.online", "on")

    async def _join(self) -> bool:
        await self.world.player.start()
        return await self._shows("game.players_online", "1")

    async def _refusal(self) -> bool:
        return not (await self.world.act("turn_off", "host.power"))["accepted"]

    async def _leave(self) -> bool:
        await self.world.player.stop()
        return await self._shows("game.players_online", "0")

    async def _switch_off(self) -> bool:
        return bool((await self.world.act("turn_off", "host.power"))["accepted"])

    async def _asleep_again(self) -> bool:
        return await self._all_off("host.state", "host.reachable", "game.online")
