"""Carry effects out, and hand in what became of them."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from .errands import Errands
from .looking import Look, Looker
from .orderly import Descent
from .ports import GuardianPortError, RefusalReason, Refused
from .status import Effect, Event, Failure, Phase, State
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
            elif not await self._descend(thing, effect, visit):
                raise Refused(RefusalReason.SUPERSEDED)
        except GuardianPortError as error:
            if error.sent:
                return
            if thing.visits == visit:
                self.hand_in(thing, failure=Failure(effect=effect, code=error.code, first=first))
            raise

    async def _descend(self, thing: Tracked, effect: Effect, visit: int) -> bool:
        """Go down in order, as long as this is what is wanted."""

        def goes_on() -> bool:
            return thing.visits == visit and not self.closed

        def reached(phase: Phase) -> None:
            thing.falling = phase
            self.hand_in(thing)

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
        )
        return await descent.run()
