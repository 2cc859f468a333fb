"""Keep the answer to a command up to date until what was asked for has come about."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
import time
from typing import Final, Protocol

from .access import Command
from .aiming import by_key
from .bridge_port import Board
from .bridge_settings import BridgePace
from .buttons import Button
from .message import Message
from .render import thing_message
from .view import State, ThingView
from .wording import Texts

_UP: Final = frozenset({State.RUNNING, State.DEGRADED})


class Changes:
    """Tell everybody who waits that something has changed."""

    def __init__(self) -> None:
        """Start with nothing changed."""
        self._next = asyncio.Event()

    def tell(self) -> None:
        """Wake everybody who waits; never fails."""
        self._next.set()
        self._next = asyncio.Event()

    async def wait(self, seconds: float | None = None) -> None:
        """Wait for the next change, at most so long."""
        event = self._next
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()


class Reply(Protocol):
    """How a command is answered. Nothing here raises; False where Discord did not take it."""

    async def whisper(self, message: Message, buttons: tuple[Button, ...] = ()) -> bool:
        """Answer so that only the asker sees it."""

    async def replace(self, message: Message, buttons: tuple[Button, ...] = ()) -> bool:
        """Put this in the place of the message whose button was pressed."""

    async def begin(self, *, hidden: bool = False) -> bool:
        """Say that the answer will follow, for everybody or for the asker alone."""

    async def show(self, message: Message) -> bool:
        """Show the answer, or put it in the place of the one before."""

    async def announce(self, message: Message) -> bool:
        """Say something new after the answer."""


class Step(Enum):
    """How far it is."""

    GOING = auto()
    READY = auto()
    OVER = auto()


class Course:
    """Judge by the states of a thing what has become of a command."""

    def __init__(self, command: Command, *, settle: float) -> None:
        """Give a command `settle` seconds after it was accepted to show an effect."""
        self._judge = _JUDGES[command]
        self._settle = settle
        self.has_moved = False

    def step(self, state: State, accepted_for: float | None) -> Step:
        """Say how far it is; None: the command was not accepted yet."""
        if state in {State.WAKING, State.STOPPING}:
            self.has_moved = True
        if accepted_for is None:
            return Step.GOING
        step = self._judge(state, self.has_moved)
        if step is Step.GOING and not self.has_moved and accepted_for >= self._settle:
            return Step.OVER
        return step


class Follower:
    """Show one thing in the answer to a command, until it is ready or will not become so."""

    def __init__(
        self,
        *,
        boards: Callable[[], tuple[Board, ...]],
        changes: Changes,
        pace: BridgePace,
        texts: Texts,
    ) -> None:
        """Take what all answers have in common."""
        self._boards = boards
        self._changes = changes
        self._pace = pace
        self._texts = texts

    async def follow(
        self, key: str, course: Course, reply: Reply, call: asyncio.Future[None]
    ) -> ThingView | None:
        """Return the thing once it is ready; None where nothing more is to be expected.

        `call` is the command on its way; what it raises comes out here.
        """
        call.add_done_callback(lambda _: self._changes.tell())
        # Most commands show an effect at once: what stood before would only be a flicker.
        await asyncio.wait({call}, timeout=min(1.0, self._pace.edit_every))
        until = time.monotonic() + self._pace.follow_for
        shown: Message | None = None
        accepted_at: float | None = None
        edit_at = 0.0
        ending = False
        while (now := time.monotonic()) < until:
            if call.done() and accepted_at is None:
                call.result()
                accepted_at = now
            found = by_key(self._boards(), key)
            if found is None:
                return None
            accepted_for = None if accepted_at is None else now - accepted_at
            step = course.step(found.thing.state, accepted_for)
            message = thing_message(found.thing, self._texts)
            if message != shown and (now >= edit_at or step is not Step.GOING):
                shown = message if await reply.show(message) else shown
                edit_at = time.monotonic() + self._pace.edit_every
            if step is not Step.GOING and (message == shown or ending):
                return found.thing if step is Step.READY else None
            ending = step is not Step.GOING
            await self._changes.wait(self._pace.edit_every)
        return None


def _start(state: State, has_moved: bool) -> Step:
    if state in _UP or state is State.COUNTDOWN:
        return Step.READY
    if state in {State.OFF, State.FAILED} and has_moved:
        return Step.OVER
    return Step.GOING


def _stop(state: State, has_moved: bool) -> Step:
    if state in {State.OFF, State.COUNTDOWN}:
        return Step.OVER
    return Step.OVER if has_moved and state in {*_UP, State.FAILED} else Step.GOING


def _restart(state: State, has_moved: bool) -> Step:
    if not has_moved:
        return Step.GOING
    if state in _UP:
        return Step.READY
    return Step.OVER if state is State.FAILED else Step.GOING


_JUDGES: Final = {Command.START: _start, Command.STOP: _stop, Command.RESTART: _restart}
FOLLOWED: Final = frozenset(_JUDGES)
