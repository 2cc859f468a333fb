"""Keep a connection up: one attempt after the other, with pauses that grow and are never equal."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
import logging
import random
import time
from typing import Any

from .bridge_port import End
from .bridge_settings import BridgePace
from .following import Changes
from .identifying import TooManyIdentifiesError

_LOGGER = logging.getLogger(__name__)


class Supervisor:
    """Run attempts until one says that there is no point, or until it is told to stop."""

    def __init__(self, attempt: Callable[[], Awaitable[End | None]], pace: BridgePace) -> None:
        """Start with nothing running; `attempt` returns why it ended for good, or None."""
        self._attempt = attempt
        self._pace = pace
        self._session: asyncio.Task[tuple[End | None, float]] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()
        self._ended: asyncio.Event | None = None

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside, at most until the end."""
        if self._closing.is_set():
            work.close()
            return
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def run(self) -> End:
        """Return why it ended for good."""
        self._ended = asyncio.Event()
        try:
            return await self._run()
        finally:
            self._closing.set()
            await self._stop()
            self._ended.set()

    async def close(self, within: float) -> None:
        """Stop everything; it is over at the latest after `within` seconds."""
        self._closing.set()
        if self._session is not None:
            self._session.cancel()
        if self._ended is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self._ended.wait()

    async def _run(self) -> End:
        pauses = self._pace.pauses()
        while not self._closing.is_set():
            began = time.monotonic()
            self._session = asyncio.create_task(self._once())
            await asyncio.wait({self._session})
            wait = 0.0
            if not self._session.cancelled():
                end, wait = self._session.result()
                if end is not None:
                    return end
            if time.monotonic() - began >= self._pace.steady_for:
                pauses = self._pace.pauses()
            # Everybody's bot is back at the same instant after an outage, were it not for this.
            pause = max(wait, next(pauses) * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            _LOGGER.debug("The next try to reach Discord is in %.0f s", pause)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._closing.wait()
        return End.CLOSED

    async def _once(self) -> tuple[End | None, float]:
        """Make one attempt: why it ended for good, and how long to wait at least otherwise."""
        try:
            return await self._attempt(), 0.0
        except TooManyIdentifiesError as many:
            _LOGGER.debug("Discord was asked too often")
            return None, many.wait
        except Exception as error:
            _LOGGER.debug("Discord cannot be reached: %s", type(error).__name__)
            return None, 0.0

    async def _stop(self) -> None:
        """End what runs, and wait for it."""
        running: set[asyncio.Task[Any]] = {*self._tasks}
        if self._session is not None and not self._session.done():
            running.add(self._session)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=self._pace.close_within)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOGGER.error("Something went wrong beside the bot", exc_info=error)


async def keep_shown(
    is_due: Callable[[], bool],
    show: Callable[[], Awaitable[object]],
    changes: Changes,
    *,
    every: float,
    pace: BridgePace,
) -> None:
    """Show something whenever it is due, never more often than `every` seconds, for ever."""
    pauses = pace.pauses()
    while True:
        try:
            if not is_due():
                await changes.wait()
                continue
            async with asyncio.timeout(pace.patience):
                await show()
            pauses, pause = pace.pauses(), every
        except Exception as error:
            _LOGGER.debug("Discord could not be shown something: %s", type(error).__name__)
            pause = max(every, next(pauses))
        await asyncio.sleep(pause)


async def to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Await work that has an end of its own; being cancelled meanwhile does not cut it short."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    finally:
        if not task.done():
            await task
