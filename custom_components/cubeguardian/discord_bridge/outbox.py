"""What waits to be sent to the channel and to people, in order, without anybody waiting for it."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
import logging
import time
from typing import Final

from .following import Changes
from .message import Message

_LOGGER = logging.getLogger(__name__)

_WAITING_MOST: Final = 50
_LONGEST_PAUSE: Final = 30.0


class Delivery(Enum):
    """What became of a parcel."""

    SENT = auto()
    NEVER = auto()
    LATER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A message for a channel or a person.

    `number` is the same for what belongs together, `serial` its own. `fallback_id`: the channel
    that is told where a person cannot be.
    """

    message: Message
    number: int
    serial: int = 0
    since: float
    channel_id: int | None = None
    user_id: int | None = None
    fallback_id: int | None = None

    @property
    def nonce(self) -> str:
        """Give what Discord tells a message by that it was sent before; at most 25 characters."""
        return f"{self.serial:x}-{int(self.since * 1000):x}"


class Outbox:
    """Keep what is to be sent until it was. `tell_dropped` says how many were lost."""

    def __init__(
        self, *, keep_for: float, tell_dropped: Callable[[int], str], dropped: int = 0
    ) -> None:
        """Start empty, with so many lost before.

        What could not be sent within `keep_for` seconds is dropped.
        """
        self._keep_for = keep_for
        self._tell_dropped = tell_dropped
        self._queue: deque[Parcel] = deque()
        self._stirred = Changes()
        self._number = 0
        self._serial = 0
        self._fallen_back: deque[int] = deque(maxlen=_WAITING_MOST)
        self.dropped = dropped

    @property
    def lost(self) -> int:
        """Give how many are lost where nothing is sent any more."""
        return self.dropped + len(self._queue)

    def to_channel(self, channel_id: int, message: Message) -> None:
        """Take in what a channel is to be told; never waits."""
        self._number += 1
        self._put(self._parcel(message, channel_id=channel_id))

    def to_people(
        self, user_ids: tuple[int, ...], message: Message, fallback_id: int | None
    ) -> None:
        """Take in what people are to be told each, or the channel once."""
        self._number += 1
        for user_id in user_ids:
            self._put(self._parcel(message, user_id=user_id, fallback_id=fallback_id))

    def stir(self) -> None:
        """Try again at once."""
        self._stirred.tell()

    async def run(self, send: Callable[[Parcel], Awaitable[Delivery]]) -> None:
        """Send what waits, for ever."""
        pause = 1.0
        while True:
            if not self._queue:
                await self._stirred.wait()
                continue
            parcel, told = self._queue[0], self.dropped
            delivery = await self._delivery(parcel, send)
            if delivery is Delivery.LATER:
                await self._stirred.wait(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
                continue
            pause = 1.0
            if self._queue and self._queue[0] is parcel:
                self._queue.popleft()
            else:
                # It had to make room while it was on its way, and was counted as lost then.
                self.dropped -= 1
            self._settle(parcel, delivery, told)

    async def _delivery(
        self, parcel: Parcel, send: Callable[[Parcel], Awaitable[Delivery]]
    ) -> Delivery:
        if time.monotonic() - parcel.since > self._keep_for:
            return Delivery.NEVER
        try:
            return await send(self._with_note(parcel))
        except Exception:
            _LOGGER.exception("A message for Discord could not be sent")
            return Delivery.NEVER

    def _settle(self, parcel: Parcel, delivery: Delivery, told: int) -> None:
        """Count what was lost, or send it somewhere else; `told` is how many it has told of."""
        if delivery is Delivery.SENT:
            if parcel.channel_id is not None:
                self.dropped -= told
            return
        if parcel.user_id is None or parcel.fallback_id is None:
            self.dropped += 1
        elif parcel.number not in self._fallen_back:
            self._fallen_back.append(parcel.number)
            aside = self._parcel(parcel.message, channel_id=parcel.fallback_id)
            self._queue.appendleft(replace(aside, number=parcel.number))

    def _parcel(
        self,
        message: Message,
        *,
        channel_id: int | None = None,
        user_id: int | None = None,
        fallback_id: int | None = None,
    ) -> Parcel:
        self._serial += 1
        return Parcel(
            message=message.fitted(),
            number=self._number,
            serial=self._serial,
            since=time.monotonic(),
            channel_id=channel_id,
            user_id=user_id,
            fallback_id=fallback_id,
        )

    def _put(self, parcel: Parcel) -> None:
        if len(self._queue) >= _WAITING_MOST:
            self._queue.popleft()
            self.dropped += 1
        self._queue.append(parcel)
        self._stirred.tell()

    def _with_note(self, parcel: Parcel) -> Parcel:
        """Say in a message for the channel how many before it were lost."""
        if not self.dropped or parcel.channel_id is None:
            return parcel
        content = f"{self._tell_dropped(self.dropped)}\n{parcel.message.content}".rstrip()
        return replace(parcel, message=replace(parcel.message, content=content).fitted())
