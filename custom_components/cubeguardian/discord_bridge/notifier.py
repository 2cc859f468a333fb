"""Tell a Discord channel by its webhook: what waits, in order, and one status kept up to date."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
import logging
from typing import Final

from .message import Message
from .webhook import Answer, Poster, Verdict
from .webhook_url import WebhookUrl

_LOGGER = logging.getLogger(__name__)

_TRIES_UNCLEAR: Final = 2


class Condition(StrEnum):
    """How the webhook does. After `gone` and `denied` nothing is ever sent to it again."""

    FINE = "fine"
    AWAY = "away"
    GONE = "gone"
    DENIED = "denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How patiently messages are sent; times in seconds.

    `edit_every`: the least time between two changes of the status. `keep_for`: how long a
    message is tried before it is dropped. `patience`: how long one attempt may take.
    """

    waiting_most: int = 50
    keep_for: float = 900.0
    edit_every: float = 5.0
    first_pause: float = 5.0
    longest_pause: float = 300.0
    patience: float = 15.0


@dataclass(slots=True, kw_only=True)
class _Waiting:
    """A message that waits, since when, and how often it may already have been delivered."""

    message: Message
    since: float
    unclear: int = 0


class WebhookNotifier:
    """Send messages one after the other, without anybody waiting for them.

    `run` does the work: the root gives it a task of its own, and cancels that to stop. A message
    that an answer is missing to is sent once more, so that it may appear twice.
    """

    def __init__(
        self,
        url: WebhookUrl,
        *,
        name: str,
        tell_dropped: Callable[[int], str],
        on_condition: Callable[[Condition], None],
        on_status_id: Callable[[str | None], None],
        status_id: str | None = None,
        dropped: int = 0,
        pace: Pace = Pace(),
    ) -> None:
        """Start with what is known from before: the id of the status, and how many were dropped.

        `name` is for the log. The callables are called in the event loop: on a change of the
        condition, and with the id of the message that shows the status.
        """
        self._poster = Poster(url, patience=pace.patience)
        self._name = name
        self._tell_dropped = tell_dropped
        self._on_condition = on_condition
        self._on_status_id = on_status_id
        self._pace = pace
        self._queue: deque[_Waiting] = deque()
        self._stirred = asyncio.Event()
        self._tried = asyncio.Event()
        self._is_trying = False
        self._quiet_until = 0.0
        self._failures = 0
        self._status: Message | None = None
        self._status_shown: Message | None = None
        self._status_id = status_id
        self._edit_at = 0.0
        self.condition = Condition.FINE
        self.dropped = dropped

    @property
    def is_stopped(self) -> bool:
        """Say whether nothing will be sent any more."""
        return self.condition in {Condition.GONE, Condition.DENIED}

    @property
    def waiting(self) -> int:
        """Give how many messages wait."""
        return len(self._queue)

    def send(self, message: Message) -> bool:
        """Take a message in; False where the webhook will not take any. Never waits.

        Where too many wait, the oldest is dropped.
        """
        if self.is_stopped:
            self._drop(1)
            return False
        if len(self._queue) >= self._pace.waiting_most:
            self._queue.popleft()
            self._drop(1)
        self._queue.append(_Waiting(message=message.fitted(), since=_now()))
        self._stirred.set()
        return True

    def show(self, message: Message) -> None:
        """Make this the status: one message that is replaced in place when something changes."""
        self._status = message.fitted()
        self._stirred.set()

    async def settle(self, seconds: float) -> int:
        """Wait at most so long for what is still to be sent; return how many messages are left."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._queue or self._is_trying:
                    self._tried.clear()
                    await self._tried.wait()
        return len(self._queue)

    async def run(self) -> None:
        """Send until the webhook is gone or the task is cancelled."""
        try:
            while not self.is_stopped:
                await self._be_quiet()
                if self._queue:
                    await self._try(self._send_next())
                elif (status := self._due_status()) is not None:
                    await self._try(self._send_status(status))
                else:
                    await self._idle()
        finally:
            self._poster.close()

    async def _try(self, attempt: Awaitable[None]) -> None:
        """Make one attempt; whoever unloads may wait for its end."""
        self._is_trying = True
        try:
            await attempt
        finally:
            self._is_trying = False
            self._tried.set()

    async def _be_quiet(self) -> None:
        """Leave Discord in peace for as long as it wants."""
        pause = self._quiet_until - _now()
        if pause > 0:
            await asyncio.sleep(pause)
        self._drop_old()

    async def _idle(self) -> None:
        """Wait for something to do, or until the status may change again."""
        self._stirred.clear()
        pause = None if self._changed_status() is None else max(0.0, self._edit_at - _now())
        try:
            async with asyncio.timeout(pause):
                await self._stirred.wait()
        except TimeoutError:
            return

    def _changed_status(self) -> Message | None:
        """Give the status where it is not what is shown."""
        return None if self._status == self._status_shown else self._status

    def _due_status(self) -> Message | None:
        """Give the status where it has changed and may be sent."""
        return self._changed_status() if _now() >= self._edit_at else None

    async def _send_next(self) -> None:
        """Try the oldest message."""
        waiting, told = self._queue[0], self.dropped
        answer = await self._poster.post(self._with_note(waiting.message, told))
        self._log("message", answer)
        if answer.verdict is Verdict.UNCLEAR:
            waiting.unclear += 1
        hopeless = answer.verdict is Verdict.REJECTED or waiting.unclear >= _TRIES_UNCLEAR
        if answer.verdict is Verdict.DELIVERED:
            self._forget(waiting)
            self.dropped = max(0, self.dropped - told)
        elif hopeless and self._forget(waiting):
            self._drop(1)
        self._take(answer)

    def _with_note(self, message: Message, dropped: int) -> Message:
        """Return a message that tells how many before it were lost."""
        if not dropped:
            return message
        note = self._tell_dropped(dropped)
        content = f"{note}\n{message.content}" if message.content else note
        return replace(message, content=content).fitted()

    async def _send_status(self, status: Message) -> None:
        """Post the status, or put it in the place of the one before."""
        self._edit_at = _now() + self._pace.edit_every
        if self._status_id is None:
            answer = await self._poster.post(status)
        else:
            answer = await self._poster.edit(self._status_id, status)
        self._log("status", answer)
        self._judge_status(status, answer)
        self._take(answer)

    def _judge_status(self, status: Message, answer: Answer) -> None:
        match answer.verdict:
            case Verdict.DELIVERED:
                self._status_shown = status
                if self._status_id is None and answer.message_id is not None:
                    self._know_status(answer.message_id)
            case Verdict.MESSAGE_GONE:
                self._know_status(None)
            case Verdict.REJECTED:
                # The same again would be refused again.
                self._status_shown = status

    def _know_status(self, message_id: str | None) -> None:
        self._status_id = message_id
        self._on_status_id(message_id)

    def _take(self, answer: Answer) -> None:
        """Draw the consequences of an answer for what comes next."""
        match answer.verdict:
            case Verdict.DELIVERED:
                self._failures = 0
                self._quiet_until = _now() + answer.wait
                self._become(Condition.FINE)
            case Verdict.LIMITED:
                self._quiet_until = _now() + answer.wait
            case Verdict.AWAY | Verdict.UNCLEAR:
                doubled = self._pace.first_pause * (1 << min(self._failures, 10))
                self._failures += 1
                pause = max(answer.wait, min(doubled, self._pace.longest_pause))
                self._quiet_until = _now() + pause
                self._become(Condition.AWAY)
            case Verdict.GONE:
                self._stop(Condition.GONE)
            case Verdict.DENIED:
                self._stop(Condition.DENIED)

    def _stop(self, condition: Condition) -> None:
        """Give up for good: to go on would make Discord shut this network out."""
        self._drop(len(self._queue))
        self._queue.clear()
        self._become(condition)

    def _become(self, condition: Condition) -> None:
        if condition is not self.condition:
            self.condition = condition
            self._on_condition(condition)

    def _drop_old(self) -> None:
        """Drop what has waited for too long to be worth telling."""
        oldest = _now() - self._pace.keep_for
        while self._queue and self._queue[0].since < oldest:
            self._queue.popleft()
            self._drop(1)

    def _forget(self, waiting: _Waiting) -> bool:
        """Take a message off, unless it was dropped while it was on its way."""
        if self._queue and self._queue[0] is waiting:
            self._queue.popleft()
            return True
        return False

    def _drop(self, count: int) -> None:
        if count:
            self.dropped += count
            _LOGGER.debug("Webhook %s: %s messages dropped so far", self._name, self.dropped)

    def _log(self, what: str, answer: Answer) -> None:
        _LOGGER.debug("Webhook %s: %s %s (%s)", self._name, what, answer.verdict.value, answer.why)


def _now() -> float:
    return asyncio.get_running_loop().time()
