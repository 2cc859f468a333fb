"""Let what was begun come to its end, whoever asked for it."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from .ports import GuardianPortError


class Errands:
    """Run work for callers who may be cancelled meanwhile, such as a script that starts anew."""

    def __init__(self) -> None:
        """Start with nothing under way."""
        self._under_way: set[asyncio.Task[GuardianPortError | None]] = set()

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for `work` and raise its GuardianPortError; being cancelled ends the wait alone."""
        task = asyncio.create_task(_failure_of(work), eager_start=True)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        if (error := await asyncio.shield(task)) is not None:
            raise error


async def _failure_of(work: Coroutine[Any, Any, None]) -> GuardianPortError | None:
    """Return, not raise, what failed: there may be nobody left to raise it for."""
    try:
        await work
    except GuardianPortError as error:
        return error
    return None
