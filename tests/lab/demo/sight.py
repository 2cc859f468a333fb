"""What is seen in the evidence of a demo, and what is said where it is not there."""

from dataclasses import dataclass
from typing import Any

HOME, HOST, WIRE, GAME = "Home Assistant", "host", "wire", "Minecraft"

type Evidence = dict[str, Any]


class NotSeenError(Exception):
    """Something that the step needs is not in the evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One thing that was seen, where and when."""

    at: float
    where: str
    what: str
