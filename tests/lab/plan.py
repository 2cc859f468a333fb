"""What a machine of the lab carries, in a form that fits a command line."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
import json


class Console(StrEnum):
    """The ways in which a game server can be managed."""

    NONE = ""
    RCON = "rcon"
    PROTOCOL = "protocol"


@dataclass(frozen=True, slots=True, kw_only=True)
class GamePlan:
    """One game server: the guest that it runs in and its ports; several may share a guest."""

    vmid: int = 101
    port: int = 25565
    console: Console = Console.NONE
    console_port: int = 25575


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestPlan:
    """One guest without a game server; `seconds` is what it takes to shut down."""

    vmid: int
    name: str
    kind: str = "lxc"
    seconds: float = 0.2
    ignores_shutdown: bool = False
    macs: tuple[str, ...] = ()


def written(plans: Iterable[GamePlan] | Iterable[GuestPlan]) -> str:
    """Return plans as one argument of a command."""
    return json.dumps([asdict(plan) for plan in plans])


def read_games(text: str) -> tuple[GamePlan, ...]:
    """Return the game servers that an argument names."""
    return tuple(
        GamePlan(**{**plan, "console": Console(plan.get("console", ""))})
        for plan in json.loads(text)
    )


def read_guests(text: str) -> tuple[GuestPlan, ...]:
    """Return the guests that an argument names."""
    return tuple(
        GuestPlan(**{**plan, "macs": tuple(plan.get("macs", ()))}) for plan in json.loads(text)
    )
