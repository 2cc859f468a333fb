"""Read what a Minecraft server says about itself, trusting none of it."""

from collections.abc import Iterable
from dataclasses import dataclass

from mcstatus.motd import Motd
from mcstatus.responses import BedrockStatusResponse, JavaStatusResponse

from .text import plain

_NAME_LIMIT = 16
_VERSION_LIMIT = 48
_MOTD_LIMIT = 200
_MOST_PLAYERS_LISTED = 100
_MOST_PLAYERS = 1_000_000_000
_ICON_PREFIX = "data:image/png;base64,"
# A 64 x 64 PNG needs at most 22 KiB of base64.
_ICON_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class MinecraftStatus:
    """Hold a server's answer, its texts cleaned and cut (16, 48 and 200 characters).

    `players_online` None is unknown, not empty. `players` may name fewer than are online, or
    nobody. `protocol` is -1 where the server does not say. `icon` is a data URL of a PNG.
    """

    players_online: int | None
    players_max: int | None
    players: tuple[str, ...]
    version: str
    protocol: int
    motd: str
    latency_ms: float
    icon: str | None = None


def read_java(answer: JavaStatusResponse) -> MinecraftStatus:
    """Read the status of a Java server."""
    return MinecraftStatus(
        players_online=_count(answer.players.online),
        players_max=_count(answer.players.max),
        players=_names(player.name for player in answer.players.sample or ()),
        version=_text(answer.version.name, _VERSION_LIMIT),
        protocol=_protocol(answer.version.protocol),
        motd=_motd(answer.motd),
        latency_ms=round(answer.latency, 1),
        icon=_icon(answer.icon),
    )


def read_bedrock(answer: BedrockStatusResponse) -> MinecraftStatus:
    """Read the status of a Bedrock server, which names no players and has no icon."""
    return MinecraftStatus(
        players_online=_count(answer.players.online),
        players_max=_count(answer.players.max),
        players=(),
        version=_text(answer.version.name, _VERSION_LIMIT),
        protocol=_protocol(answer.version.protocol),
        motd=_motd(answer.motd),
        latency_ms=round(answer.latency, 1),
    )


def _names(names: Iterable[object]) -> tuple[str, ...]:
    """Return the names that are left of a sample, each once."""
    cleaned = (_text(name, _NAME_LIMIT) for name in names)
    return tuple(dict.fromkeys(name for name in cleaned if name))[:_MOST_PLAYERS_LISTED]


def _count(value: object) -> int | None:
    """Return a number of players, or None if it cannot be one."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_PLAYERS:
        return value
    return None


def _protocol(value: object) -> int:
    """Return the protocol number; snapshots count from 2^30."""
    if isinstance(value, int) and not isinstance(value, bool) and -1 <= value < 2**31:
        return value
    return -1


def _motd(motd: Motd) -> str:
    """Return the message of the day on one line."""
    return plain(motd.to_plain(), _MOTD_LIMIT)


def _icon(value: object) -> str | None:
    """Return the icon if it is a picture of a sensible size."""
    if isinstance(value, str) and value.startswith(_ICON_PREFIX) and len(value) <= _ICON_LIMIT:
        return value
    return None


def _text(value: object, limit: int) -> str:
    """Return cleaned text, "" for what is no text."""
    return plain(value, limit) if isinstance(value, str) else ""
