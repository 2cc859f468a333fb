"""What the stand-in saw: messages, answers, calls and gateway sessions, each with its instant.

Every `at` is in seconds since the epoch, every `after` in seconds of the monotonic clock.
"""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from .words import AnswerKind, InteractionKind, Source

PATIENCE = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedField:
    """One field of an embed."""

    name: str
    value: str
    inline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Embed:
    """A card in a message; what is not there is empty."""

    title: str = ""
    description: str = ""
    url: str = ""
    colour: int | None = None
    fields: tuple[EmbedField, ...] = ()
    footer: str = ""
    author: str = ""
    timestamp: str = ""

    @property
    def text(self) -> str:
        """Return all that can be read on the card."""
        fields = (part for field in self.fields for part in (field.name, field.value))
        parts = (self.author, self.title, self.description, *fields, self.footer)
        return "\n".join(part for part in parts if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A button as a member sees it."""

    message_id: int
    label: str
    custom_id: str
    style: int
    emoji: str = ""
    url: str = ""
    disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Menu:
    """A menu of texts; `options` are the values behind them."""

    message_id: int
    custom_id: str
    placeholder: str
    options: tuple[str, ...]
    disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pings:
    """Whom a message would ring, after the mentions that its sender allowed.

    Strict: neither code formatting nor a missing right to ring everyone takes anything away.
    """

    users: tuple[int, ...] = ()
    roles: tuple[int, ...] = ()
    everyone: bool = False

    def __bool__(self) -> bool:
        """Tell whether it rings anybody."""
        return bool(self.users or self.roles or self.everyone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as it stood at one instant."""

    id: int
    channel_id: int
    author_id: int
    author_name: str
    source: Source
    content: str
    embeds: tuple[Embed, ...] = ()
    buttons: tuple[Button, ...] = ()
    menus: tuple[Menu, ...] = ()
    texts: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    pings: Pings = Pings()
    ephemeral: bool = False
    silent: bool = False
    interaction_id: int | None = None
    sent_at: float
    edited_at: float | None = None

    @property
    def text(self) -> str:
        """Return all that can be read in it, buttons left out."""
        parts = (self.content, *(embed.text for embed in self.embeds), *self.texts)
        return "\n".join(part for part in parts if part)

    def button(self, name: str) -> Button:
        """Return the button of this label or custom id; LookupError if there is none."""
        for button in self.buttons:
            if name in (button.label, button.custom_id):
                return button
        raise LookupError(f"no button {name!r} among {[one.label for one in self.buttons]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """One line of an autocompletion."""

    name: str
    value: str | int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A modal that the bot opened; `inputs` are the custom ids of its fields."""

    custom_id: str
    title: str
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A message appeared."""

    at: float
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A message changed."""

    at: float
    before: Message
    after: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """A message went away."""

    at: float
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A member used a command, a component or a form."""

    at: float
    interaction_id: int
    kind: InteractionKind
    name: str
    member_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The bot answered an interaction for the first time, `after` so many seconds."""

    at: float
    interaction_id: int
    kind: AnswerKind
    after: float
    ephemeral: bool = False
    suggestions: tuple[Suggestion, ...] = ()
    form: Form | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command as it is registered; names and descriptions are by locale."""

    id: int
    name: str
    names: tuple[tuple[str, str], ...] = ()
    description: str = ""
    descriptions: tuple[tuple[str, str], ...] = ()
    options: tuple[str, ...] = ()
    permissions: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandsSynced:
    """The bot registered its commands; `created` of them were not known before."""

    at: float
    guild_id: int | None
    commands: tuple[Command, ...]
    created: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """A gateway session was asked for; `refused` is the close code if it was not given."""

    at: float
    intents: int
    refused: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A gateway session was taken up again, or not; so many events were sent again."""

    at: float
    sequence: int | None
    replayed: int
    accepted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected:
    """A gateway connection ended; the code is that of whoever closed it."""

    at: float
    code: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceSet:
    """The bot said how it is and what it does."""

    at: float
    status: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A member went into a voice channel, or out of the last one."""

    at: float
    member_id: int
    channel_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One REST request: the path below /api/vN with its secrets starred, and the outcome.

    `status` is None for one that was never answered; `code` is Discord's own error code.
    """

    at: float
    method: str
    path: str
    body: Any = None
    query: tuple[tuple[str, str], ...] = ()
    agent: str = ""
    status: int | None = None
    code: int | None = None


type Event = (
    Posted
    | Edited
    | Deleted
    | Asked
    | Answered
    | CommandsSynced
    | Identified
    | Resumed
    | Disconnected
    | PresenceSet
    | Moved
    | Call
)


@dataclass(slots=True)
class Record:
    """All events in their order; whoever waits is told of each."""

    events: list[Event] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, event: Event) -> None:
        """Note an event."""
        self.events.append(event)
        self.wake()

    def wake(self) -> None:
        """Let everybody who waits look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    def of[Kind](self, kind: type[Kind]) -> list[Kind]:
        """Return the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, true: Callable[[], bool], *, within: float = PATIENCE) -> None:
        """Wait until something has become true of the record; TimeoutError after `within` s."""
        async with asyncio.timeout(within):
            while not true():
                await self._changed.wait()

    async def next[Kind](
        self,
        kind: type[Kind],
        fits: Callable[[Kind], bool] = lambda _: True,
        *,
        within: float = PATIENCE,
    ) -> Kind:
        """Return the first event of a kind that fits, now or within so many seconds."""
        await self.until(lambda: any(fits(event) for event in self.of(kind)), within=within)
        return next(event for event in self.of(kind) if fits(event))

    def evidence(self) -> list[dict[str, Any]]:
        """Return everything in a form that JSON can hold."""
        return [{"what": type(event).__name__, **asdict(event)} for event in self.events]


def answered_call(call: Call, status: int, code: int | None) -> Call:
    """Return the call with its outcome."""
    return replace(call, status=status, code=code)
