"""Go down in order: the worlds are saved, the guests are shut down, then the power goes."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from .observation import GuestSighting, Presence
from .policy import GuestRole
from .ports import GuardianPortError
from .status import Effect, Event, EventKind, Phase, Severity
from .things import Tracked, TrackedGame, TrackedHost

IGNORES_CODE: Final = "guest_ignores"
NOT_OURS_CODE: Final = "permission_error"
_ASLEEP_WITH_HOST: Final = frozenset({GuestRole.GAME, GuestRole.SLEEPS_WITH_HOST})


@dataclass(frozen=True, slots=True, kw_only=True)
class Descent:
    """One shutdown or reboot of a host or a guest.

    `games` are those that go down with it. `goes_on` says whether it is still wanted: between two
    steps it can be turned back. `reconsider` is called once all but the power is down.
    """

    thing: Tracked
    effect: Effect
    host: TrackedHost
    games: tuple[TrackedGame, ...]
    roles: Mapping[int, GuestRole]
    reached: Callable[[Phase], None]
    tell: Callable[[Tracked, Event], None]
    goes_on: Callable[[], bool]
    reconsider: Callable[[], None]

    async def run(self) -> bool:
        """Go down and tell whether the power was reached; GuardianPortError where that failed."""
        await asyncio.gather(*(self._save(game) for game in self.games))
        if self.thing is self.host:
            await self._stop_guests()
        if self.goes_on():
            self.reconsider()
        if self.goes_on():
            self.reached(Phase.POWER)
            await self.thing.send(self.effect)
            return True
        return False

    async def _save(self, game: TrackedGame) -> None:
        """Save a world; its server saves it once more when its guest is shut down."""
        if game.judgement.presence is not Presence.UP:
            return
        try:
            await game.port.save()
        except GuardianPortError as error:
            kind, placeholders = EventKind.SAVE_FAILED, {"code": error.code}
            event = Event(kind=kind, severity=Severity.WARNING, placeholders=placeholders)
            self.tell(game, event)

    async def _stop_guests(self) -> None:
        """Shut the guests down that sleep with their host, and wait until they are stopped."""
        guests = tuple(self._guests())
        if not guests or not self.goes_on():
            return
        self.host.missed |= {guest.vmid for guest in guests}
        self.reached(Phase.GUESTS)
        self.host.guests_stopping = stopping = asyncio.create_task(self._stop_all(guests))
        try:
            await asyncio.wait({stopping})
        finally:
            stopping.cancel()
            self.host.guests_stopping = None
        if not stopping.cancelled():
            stopping.result()

    async def _stop_all(self, guests: Iterable[GuestSighting]) -> None:
        """Shut guests down, all at once; whoever waits may be called off when their host is off."""
        errors = await asyncio.gather(*(self._stop(guest) for guest in guests))
        if not self.thing.status.forced and (serious := [error for error in errors if error]):
            raise serious[0]

    def _guests(self) -> Iterable[GuestSighting]:
        """Give the running guests that we shut down; what is forced leaves out the protected."""
        read = self.host.read
        for guest in (read and read.guests) or ():
            role = self.roles.get(guest.vmid, GuestRole.KEEPS_AWAKE)
            forced = self.thing.status.forced and role is not GuestRole.PROTECTED
            if guest.running and (forced or role in _ASLEEP_WITH_HOST):
                yield guest

    async def _stop(self, guest: GuestSighting) -> GuardianPortError | None:
        """Shut one guest down; one that we have no right to is left to its host's own shutdown."""
        try:
            await self.host.port.stop_guest(guest.vmid, self.thing.settings.guest_timeout)
        except GuardianPortError as error:
            if error.code == IGNORES_CODE and self.goes_on():
                placeholders = {"vmid": str(guest.vmid), "name": guest.name}
                kind = EventKind.GUEST_IGNORES
                event = Event(kind=kind, severity=Severity.WARNING, placeholders=placeholders)
                self.tell(self.host, event)
            if error.code != NOT_OURS_CODE:
                return error
            self.host.missed -= {guest.vmid}
            return None
        for game in self.games:
            game.taken_down = game.taken_down or game.vmid == guest.vmid
        return None
