"""A story: every step done through Home Assistant, and waited for at both ends."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
import contextlib
from typing import ClassVar

from .progress import Progress
from .witness import Steps
from .world import Household, World

WAIT = 60

type Play = Callable[[], Awaitable[bool]]


class Story(ABC):
    """Plays its steps; whether they were truly seen is judged afterwards, from the evidence."""

    name: ClassVar[str]
    steps: ClassVar[Steps]
    household: ClassVar[Household]

    def __init__(self, world: World) -> None:
        """Take part in a world that was set up for this story's household."""
        self.world = world

    @abstractmethod
    def plays(self) -> tuple[Play, ...]:
        """Return what is done for each step; False if it did not happen."""

    async def play(self, progress: Progress) -> None:
        """Play every step, up to the first that does not happen."""
        for (name, _), play in zip(self.steps, self.plays(), strict=True):
            progress.begin(name)
            happened = False
            with contextlib.suppress(TimeoutError):
                happened = await play()
            if not happened:
                progress.fail()
                return
            progress.done()

    async def shows(self, key: str, *states: str, within: float = WAIT) -> bool:
        """Wait until an entity is in one of these states."""
        return await self.world.client.until(lambda: self.world.state(key) in states, within)

    async def all_off(self, *keys: str) -> bool:
        """Wait until entities are off."""
        return all([await self.shows(key, "off") for key in keys])

    async def switch(self, service: str, key: str = "host.power") -> bool:
        """Turn a switch of the host's; tell whether that was accepted."""
        return bool((await self.world.act(f"switch.{service}", key))["accepted"])
