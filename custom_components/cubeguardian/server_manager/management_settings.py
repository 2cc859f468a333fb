"""Say how a game server can be managed, and make harmless what passes in either direction."""

from dataclasses import dataclass, field
from enum import StrEnum
import re

from .errors import InvalidInputError
from .minecraft_address import Endpoint
from .text import plain
from .tls import TlsTrust

# Neither way of managing knows a status: anything but 0 tells that an answer came (ApiError).
ANSWERED = 200
COMPLAINT_LIMIT = 200
VERSION_LIMIT = 48
ANNOUNCEMENT_LIMIT = 200
_NAME_LIMIT = 16
_MOST_PLAYERS = 1000
_SECRET_LIMIT = 256
_HEADER_TEXT = re.compile(r"[\x21-\x7e]+")


class ManagementKind(StrEnum):
    """Name the two ways: Minecraft's Server Management Protocol, and RCON."""

    PROTOCOL = "protocol"
    RCON = "rcon"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagementSettings:
    """Hold where and how to manage a game server; raise InvalidInputError for what cannot be.

    `tls` and `trust` concern the protocol alone: RCON knows no encryption. Without `trust` the
    certificate must be one that the system accepts.
    """

    kind: ManagementKind
    host: str
    port: int
    secret: str = field(repr=False)
    tls: bool = True
    trust: TlsTrust | None = None

    def __post_init__(self) -> None:
        """Refuse what could only fail later, or end up in an error of some library."""
        if not self.host:
            raise InvalidInputError("There is no host", field="host")
        if not 0 < self.port < 65536:
            raise InvalidInputError("There is no such port", field="port")
        if not self._secret_can_be_sent():
            raise InvalidInputError("The secret cannot be one", field="secret")

    @property
    def where(self) -> str:
        """Return host and port for messages."""
        return str(Endpoint(host=self.host, port=self.port))

    def harmless(self, text: object, limit: int) -> str:
        """Return one line of what a server said, without the secret; "" for what is no text."""
        if not isinstance(text, str):
            return ""
        line = plain(text.replace(self.secret, "***"), limit * 4)
        return line.replace(self.secret, "***")[:limit].rstrip()

    def _secret_can_be_sent(self) -> bool:
        """Tell whether the secret fits the header, or the packet, that carries it."""
        if not 0 < len(self.secret) <= _SECRET_LIMIT:
            return False
        if self.kind is ManagementKind.PROTOCOL:
            return _HEADER_TEXT.fullmatch(self.secret) is not None
        return self.secret.isprintable()


def announcement(text: str) -> str:
    """Return what can be said in game; raise InvalidInputError if nothing is left of `text`."""
    said = plain(text, ANNOUNCEMENT_LIMIT)
    if not said:
        raise InvalidInputError("There is nothing to announce", field="text")
    return said


def player_names(names: list[object]) -> tuple[str, ...]:
    """Return the cleaned names of all players; raise ValueError where one of them has none."""
    cleaned = tuple(plain(name, _NAME_LIMIT) if isinstance(name, str) else "" for name in names)
    if len(cleaned) > _MOST_PLAYERS or not all(cleaned):
        raise ValueError("Not a list of players")
    return cleaned
