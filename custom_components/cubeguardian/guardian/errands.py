"""Let what was begun come to its end, whoever asked for it."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from .ports import GuardianPortError, RefusalReason, Refused


class Errands:
    """Run work for callers who may be cancelled meanwhile, such as a script that starts anew."""

    def __init__(self) -> None:
        """Start with nothing under way."""
        self._under_way: set[asyncio.Task[GuardianPortError | Refused | None]] = set()

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for `work` and raise what it ends with; being cancelled ends the wait alone."""
        task = asyncio.create_task(_failure_of(work), eager_start=True)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        await asyncio.wait({task})
        if task.cancelled():
            raise Refused(RefusalReason.SUPERSEDED)
        if (error := task.result()) is not None:
            raise error

    def call_off(self) -> None:
        """End what is under way: whoever waits for it hears that something newer took its place."""
        for task in tuple(self._under_way):
            task.cancel()


async def _failure_of(work: Coroutine[Any, Any, None]) -> GuardianPortError | Refused | None:
    """Return, not raise, what failed: there may be nobody left to raise it for."""
    try:
        await work
    except (GuardianPortError, Refused) as error:
        return error
    return None
