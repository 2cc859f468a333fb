"""Carry effects out, and hand in what became of them."""

from collections.abc import Callable, Coroutine
import contextlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from .errands import Errands
from .looking import Look, Looker
from .orderly import Descent
from .ports import GuardianPortError, RefusalReason, Refused
from .status import Effect, Event, Failure, Origin, Phase, State
from .things import Tracked, TrackedHost
from .wishes import Wishes

type Spawn = Callable[[Coroutine[Any, Any, None], str], object]

_LOWERING: Final = frozenset({Effect.SHUT_DOWN, Effect.REBOOT})


class HandIn(Protocol):
    """Take in what became of an effect, and act on it."""

    def __call__(
        self, thing: Tracked, *, look: Look | None = None, failure: Failure | None = None
    ) -> None:
        """Step one thing with it, then everything."""


@dataclass(slots=True, kw_only=True)
class Carrier:
    """Call the ports for the guardian; nothing goes out any more once it is `closed`."""

    host: TrackedHost
    looker: Looker
    wishes: Wishes
    spawn: Spawn
    hand_in: HandIn
    tell: Callable[[Tracked, Event], None]
    errands: Errands = field(default_factory=Errands)
    closed: bool = False

    def close(self) -> None:
        """Let nothing go out any more."""
        self.closed = True
        self.errands.call_off()

    def start(self, thing: Tracked, effect: Effect) -> None:
        """Carry out an effect that nobody waits for."""
        if self.closed or (effect is Effect.WAKE and thing.wake_lock.locked()):
            return
        looks = effect is Effect.LOOK
        work = self._look(thing) if looks else self._carry_out_alone(thing, effect)
        self.spawn(work, f"cubeguardian {effect.value} {thing.target}")

    async def carry_out(self, thing: Tracked, effects: tuple[Effect, ...]) -> None:
        """Carry out what a command came to; its caller hears of a failure.

        The state has changed already: a cancelled caller must not keep the effect from going out.
        """
        if effects:
            await self.errands.run(self._carry_out_each(thing, effects))

    async def wake_under_way(self, thing: Tracked) -> None:
        """Wait for a Wake that is being sent already, and share its failure."""
        if not thing.wake_lock.locked():
            return
        async with thing.wake_lock:
            error = thing.wake_error
        if error is not None and thing.status.state is State.FAILED:
            raise GuardianPortError(error.code, str(error))

    def bring_back(self, now: datetime) -> None:
        """Start again what was stopped for a shutdown that did not come about, or for a reboot.

        Those that start on boot get their time first. Whoever misses one that does not start can
        start it by hand.
        """
        host = self.host
        if host.status.state is State.OFF:
            host.missed = frozenset()
            if host.guests_stopping is not None:
                host.guests_stopping.cancel()
        due = host.up_since and host.up_since + host.settings.autostart_delay
        if self.closed or host.guests_stopping or not host.missed or not due or now < due:
            return
        if host.status.state is State.RUNNING and host.status.origin is Origin.LIVE:
            guests, host.missed = host.missed, frozenset()
            self.spawn(self._start_guests(guests), "cubeguardian guests again")

    async def _start_guests(self, guests: frozenset[int]) -> None:
        for vmid in sorted(guests):
            with contextlib.suppress(GuardianPortError):
                await self.host.port.start_guest(vmid)

    async def _look(self, thing: Tracked) -> None:
        """C4: look, and hand in what was found."""
        if (asked_at := thing.status.look_asked_at) is not None:
            self.hand_in(thing, look=await self.looker.look(thing, asked_at))

    async def _carry_out_each(self, thing: Tracked, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            await self._carry_out(thing, effect, first=True)

    async def _carry_out_alone(self, thing: Tracked, effect: Effect) -> None:
        """Carry out what nobody waits for: a failure is told by the events of its step."""
        try:
            await self._carry_out(thing, effect, first=effect is not Effect.WAKE)
        except GuardianPortError, Refused:
            return

    async def _carry_out(self, thing: Tracked, effect: Effect, *, first: bool) -> None:
        """Do it; a failure counts only for the state that asked for the effect."""
        visit = thing.visits
        try:
            if effect not in _LOWERING:
                await thing.send(effect)
            else:
                await self._descend(thing, effect, visit)
        except GuardianPortError as error:
            if error.sent:
                return
            if thing.visits == visit:
                self.hand_in(thing, failure=Failure(effect=effect, code=error.code, first=first))
            raise

    async def _descend(self, thing: Tracked, effect: Effect, visit: int) -> None:
        """Go down in order, as long as this is what is wanted and nothing forbids it."""
        before, refused = self.host.read, Refused(RefusalReason.SUPERSEDED)

        def goes_on() -> bool:
            return thing.visits == visit and not self.closed

        def reached(phase: Phase) -> None:
            thing.falling = phase
            self.hand_in(thing)

        def reconsider() -> None:
            nonlocal refused
            look = self.looker.reconsider(before) if thing is self.host else None
            if look is None or not look.hold_ups:
                return
            self.hand_in(thing, look=look)
            if thing.visits != visit:
                refused = Refused(RefusalReason.HELD, look.hold_ups)

        thing.falling = None
        descent = Descent(
            thing=thing,
            effect=effect,
            host=self.host,
            games=self.looker.touched(thing),
            roles=self.wishes.roles,
            reached=reached,
            tell=self.tell,
            goes_on=goes_on,
            reconsider=reconsider,
        )
        if not await descent.run():
            self.hand_in(thing)
            raise refused
