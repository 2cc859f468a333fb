"""What the bridge needs of whoever runs it: the things, the commands, what is kept and told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

from .access import Command, Denial, Rank
from .view import BoardView, HoldUpView, ReportView, ThingView
from .voice import Present, VoiceReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A host as it is shown, with the keys it and its game servers are asked for by.

    `game_keys` stand in the order of the view's game servers; no key is used twice.
    """

    key: str
    view: BoardView
    game_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing of a board."""

    key: str
    thing: ThingView
    board: Board

    @property
    def is_game(self) -> bool:
        """Say whether it is a game server."""
        return self.key != self.board.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who gives a command; `name` is what Discord shows, and may be anything."""

    user_id: int
    name: str
    rank: Rank


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not an error
    """A command was understood and not carried out.

    `reason` is the guardian's word, `told` a text that somebody gave with it.
    """

    def __init__(
        self, reason: str, *, told: str = "", hold_ups: tuple[HoldUpView, ...] = ()
    ) -> None:
        """Keep what there is to show."""
        super().__init__(reason)
        self.reason = reason
        self.told = told
        self.hold_ups = hold_ups


class Failed(Exception):  # noqa: N818 - named as what became of the command
    """A command was tried and failed; `code` is one of the codes of operation results."""

    def __init__(self, code: str) -> None:
        """Keep the code."""
        super().__init__(code)
        self.code = code


class Result(StrEnum):
    """What became of a command, for the journal."""

    DONE = "done"
    ASKED_BACK = "asked_back"
    WITHDRAWN = "withdrawn"
    DENIED = "denied"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRecord:
    """One command for the journal. `detail` is the refusal's reason or the error's code.

    `violation`: a limit was hit; `locked`: that has locked the person out. `elsewhere`: it came
    from outside the guild. `target` is the key of the host or game server, or "".
    """

    at: datetime
    asker: Asker
    command: Command
    result: Result
    target: str = ""
    denial: Denial | None = None
    detail: str = ""
    violation: bool = False
    locked: bool = False
    elsewhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelMessage:
    """What somebody wrote in the channel; `text` and `name` are one line each, made harmless."""

    at: datetime
    message_id: int
    channel_id: int
    user_id: int
    name: str
    text: str
    rank: Rank


class Trouble(StrEnum):
    """What is wrong with how the bot was set up on Discord."""

    GUILD_MISSING = "guild_missing"
    CHANNEL_MISSING = "channel_missing"
    PERMISSION_MISSING = "permission_missing"
    COMMANDS_REFUSED = "commands_refused"
    BOT_PUBLIC = "bot_public"
    ENDPOINT_SET = "endpoint_set"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that a person has to mend. `missing` are Discord's own names of permissions."""

    trouble: Trouble
    channel_id: int | None = None
    channel: str = ""
    missing: tuple[str, ...] = ()


class End(StrEnum):
    """Why the bridge has stopped for good."""

    CLOSED = "closed"
    BAD_TOKEN = "bad_token"
    INTENT_MISSING = "intent_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeMemory:
    """What outlives a restart; plain values for the store. `dropped`: messages not told of yet."""

    access: Mapping[str, Any] | None = None
    panel_channel_id: int | None = None
    panel_message_id: int | None = None
    dropped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """How a host is kept awake; without `duration` until somebody ends it."""

    on: bool
    duration: timedelta | None = None


STAY: Final = Stay(on=True, duration=timedelta(hours=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """Whether a host is in maintenance, and why."""

    on: bool
    reason: str = ""


MAINTENANCE: Final = Maintenance(on=True)


class BridgePort(Protocol):
    """What the root fills in. `key` is that of a host, `target` that of a host or game server.

    The awaited methods raise Refused or Failed. The others must return at once.
    """

    def boards(self) -> tuple[Board, ...]:
        """Return everything that is shown, as it is now."""

    def refresh(self) -> None:
        """Have everything looked at anew, soon."""

    async def wake(self, target: str, asker: Asker) -> None:
        """Wake it; return once the packet is out."""

    async def shut_down(self, target: str, asker: Asker, delay: timedelta) -> None:
        """Shut it down; return once it has accepted or the countdown has begun."""

    async def restart(self, target: str, asker: Asker) -> None:
        """Restart it; return once it has accepted."""

    async def cancel(self, target: str, asker: Asker) -> None:
        """Cancel its shutdown."""

    async def keep_awake(self, key: str, asker: Asker, stay: Stay) -> None:
        """Keep a host awake, or no longer."""

    async def set_maintenance(self, key: str, asker: Asker, maintenance: Maintenance) -> None:
        """Begin or end maintenance."""

    async def report(self, key: str) -> ReportView:
        """Return the report of the last days."""

    def voice_report(self, report: VoiceReport) -> None:
        """Take in who wants to play; several in the order they are told."""

    def voice_present(self, present: Present) -> None:
        """Take in who is in the watched channels, to show it."""

    def heard(self, message: ChannelMessage) -> None:
        """Take in what was written in the channel."""

    def record(self, record: CommandRecord) -> None:
        """Write a command into the journal."""

    def remember(self, memory: BridgeMemory) -> None:
        """Keep this over restarts."""

    def connection_changed(self, connected: bool) -> None:
        """Take in whether Discord can be talked to."""

    def problems_changed(self, problems: tuple[Problem, ...]) -> None:
        """Take in everything that has to be mended; nothing is an answer too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A command as somebody gave it.

    `target` is what was chosen or typed. `elsewhere`: not in the configured guild.
    """

    user_id: int
    name: str
    command: Command
    role_ids: frozenset[int] = frozenset()
    language: str = ""
    target: str = ""
    delay: timedelta = timedelta(0)
    stay: Stay = STAY
    maintenance: Maintenance = MAINTENANCE
    elsewhere: bool = False
