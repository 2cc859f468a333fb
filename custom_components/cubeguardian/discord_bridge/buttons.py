"""The buttons under a message, and what pressing one means."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
import re
from typing import Final

from .access import Command


class Act(StrEnum):
    """What a button does."""

    START = "start"
    CANCEL = "cancel"
    KEEP_AWAKE = "awake"
    REFRESH = "refresh"
    STOP = "stop"
    RESTART = "restart"
    YES = "yes"
    NO = "no"


COMMAND_OF: Final[Mapping[Act, Command]] = {
    Act.START: Command.START,
    Act.STOP: Command.STOP,
    Act.RESTART: Command.RESTART,
    Act.CANCEL: Command.CANCEL,
    Act.KEEP_AWAKE: Command.KEEP_AWAKE,
}


class Look(StrEnum):
    """How a button looks."""

    PLAIN = "plain"
    GOOD = "good"
    GRAVE = "grave"


BUTTON_ID: Final = re.compile(
    r"cubeguardian:(?P<act>" + "|".join(Act) + r")(?::(?P<key>[A-Za-z0-9_.-]{1,64}))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A button. `key` is that of a thing or of a question; without, what is meant is found out."""

    act: Act
    label: str
    key: str = ""
    look: Look = Look.PLAIN
    disabled: bool = False

    @property
    def custom_id(self) -> str:
        """Return what Discord sends when it is pressed, whoever runs the bot then."""
        return f"cubeguardian:{self.act}:{self.key}" if self.key else f"cubeguardian:{self.act}"
