"""What the guardian needs from outside, and the errors that cross its border."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from .observation import GameSighting, HostSighting
from .safety import HoldUp


class GuardianPortError(Exception):
    """A port could not do what it was asked to do.

    `code` is one of the codes of operation results. `sent` True: the command went out and only
    its answer is missing, so the deadline decides and the command is not taken for refused.
    """

    def __init__(self, code: str, message: str = "", *, sent: bool = False) -> None:
        """Keep the code beside an English message without secrets."""
        super().__init__(message or code)
        self.code = code
        self.sent = sent


class RefusalReason(StrEnum):
    """Say why a command was refused; the root translates it."""

    HELD = "held"
    MAINTENANCE = "maintenance"
    NO_GUEST = "no_guest"
    NOT_RUNNING = "not_running"
    NOTHING_TO_CANCEL = "nothing_to_cancel"
    NOT_ALLOWED = "not_allowed"
    SUPERSEDED = "superseded"
    FORBIDDEN = "forbidden"


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not an error
    """A command was understood and not carried out.

    Placeholders: `reason` for maintenance (the text that was given with the mode) and for
    forbidden (the texts of the vetoes).
    """

    def __init__(
        self,
        reason: RefusalReason,
        hold_ups: tuple[HoldUp, ...] = (),
        placeholders: Mapping[str, str] | None = None,
    ) -> None:
        """Keep the reason and the hold-ups that stood."""
        super().__init__(reason.value)
        self.reason = reason
        self.hold_ups = hold_ups
        self.placeholders: Mapping[str, str] = dict(placeholders or {})


class HostPort(Protocol):
    """The host. Every method raises GuardianPortError where it fails."""

    async def wake(self) -> None:
        """Send the magic packets; return once they are out."""

    async def shut_down(self) -> None:
        """Ask the host to shut down; return once it has accepted."""

    async def reboot(self) -> None:
        """Ask the host to reboot; return once it has accepted."""

    async def stop_guest(self, vmid: int, patience: timedelta) -> None:
        """Ask a guest to shut down and return once it is stopped; it is never killed.

        Raise GuardianPortError `guest_ignores` where it still runs after `patience`.
        """

    async def start_guest(self, vmid: int) -> None:
        """Start a guest; one that already runs is a success."""

    async def look(self) -> HostSighting:
        """Read everything anew: reachability, tasks, guests. Never from a cache."""


class GamePort(Protocol):
    """A game server and the guest it runs in; without a `vmid` it can only be looked at."""

    @property
    def vmid(self) -> int | None:
        """Give the guest's number."""

    async def start(self) -> None:
        """Start the guest; one that already runs is a success."""

    async def shut_down(self) -> None:
        """Ask the guest to shut down; one that is already stopped is a success."""

    async def reboot(self) -> None:
        """Ask the guest to reboot."""

    async def save(self) -> None:
        """Have the world written to disk; nothing happens where no way to say so is set up."""

    async def look(self) -> GameSighting:
        """Ask the Minecraft server anew for its status. Never from a cache."""
