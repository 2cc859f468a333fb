"""Talk to a running game server: announce, save, list its players."""

from logging import Logger
from typing import Protocol

import aiohttp

from .management_protocol import ManagementProtocol
from .management_settings import ManagementKind, ManagementSettings
from .rcon import Rcon


class GameManagement(Protocol):
    """Manage one game server: every call opens its own connection, and closes it.

    Each takes at most `timeout` seconds and raises AuthenticationError (wrong secret),
    HostConnectionError and its kinds, HostTimeoutError, CertificateError (before the secret was
    sent), InvalidInputError, or ApiError; one of status 0 and a HostTimeoutError leave open
    whether the server acts on the call.
    """

    async def announce(self, text: str, *, timeout: float) -> None:
        """Show `text`, cut to 200 characters and never interpreted, to everybody in the game."""
        ...

    async def save(self, *, timeout: float) -> None:
        """Write the world to disk; return once that is done."""
        ...

    async def players(self, *, timeout: float) -> tuple[str, ...]:
        """Return the names of everybody in the game, cut to 16 characters."""
        ...

    async def check(self, *, timeout: float) -> str:
        """Return the version of the server, "" where it cannot be told; nothing is changed."""
        ...


def open_management(
    logger: Logger, settings: ManagementSettings, *, session: aiohttp.ClientSession | None
) -> GameManagement:
    """Return the way to manage that `settings` describe; nothing is connected yet.

    `session` lends its connector to the protocol; without one, each call has its own.
    """
    if settings.kind is ManagementKind.RCON:
        return Rcon(logger, settings)
    return ManagementProtocol(logger, settings, session=session)
