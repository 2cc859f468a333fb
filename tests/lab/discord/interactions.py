"""What members do with commands, buttons and forms, and how the bot answers."""

from dataclasses import dataclass, field
import secrets
import time

from .mailbox import Stored
from .record import Answered, Form, Message, Record, Suggestion
from .shapes import channel_shape, member_shape
from .words import AnswerKind, InteractionKind
from .world import Channel, Json, Member, World, snowflake

ANSWER_WITHIN = 3.0
TOKEN_LIVES = 900.0


@dataclass(slots=True, kw_only=True, eq=False)
class Interaction:
    """One thing that a member did; the bot's answers appear in it."""

    kind: InteractionKind
    name: str
    member: Member
    channel: Channel
    record: Record
    source: Stored | None = None
    id: int = field(default_factory=snowflake)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)
    asked_at: float = field(default_factory=time.monotonic)
    answer: Answered | None = None
    first: Stored | None = None
    more: list[Stored] = field(default_factory=list)

    @property
    def age(self) -> float:
        """Return the seconds since the member acted."""
        return time.monotonic() - self.asked_at

    @property
    def is_thinking(self) -> bool:
        """Whether the bot deferred, and still owes the message."""
        deferred = self.answer is not None and self.answer.kind is AnswerKind.DEFERRED_MESSAGE
        return deferred and self.first is None

    @property
    def message(self) -> Message:
        """Return the answering message as it stands; LookupError while there is none."""
        if self.first is None:
            raise LookupError("the bot has shown no message")
        return self.first.message

    @property
    def followups(self) -> tuple[Message, ...]:
        """Return the messages after the first."""
        return tuple(stored.message for stored in self.more)

    async def answered(self, *, within: float = ANSWER_WITHIN) -> Answered:
        """Return the first answer; TimeoutError if the bot takes too long."""
        await self.record.until(lambda: self.answer is not None, within=within)
        assert self.answer is not None
        return self.answer

    async def replied(self, text: str = "", *, within: float = 5.0) -> Message:
        """Return the answering message once it has one that holds this text."""
        await self.record.until(
            lambda: self.first is not None and text in self.first.message.text, within=within
        )
        return self.message

    async def followed_up(self, number: int = 1, *, within: float = 5.0) -> tuple[Message, ...]:
        """Return the messages after the first, once there are so many."""
        await self.record.until(lambda: len(self.more) >= number, within=within)
        return self.followups

    async def suggestions(self, *, within: float = ANSWER_WITHIN) -> tuple[Suggestion, ...]:
        """Return the lines of an autocompletion."""
        return (await self.answered(within=within)).suggestions

    async def form(self, *, within: float = ANSWER_WITHIN) -> Form:
        """Return the form that the bot opened; LookupError if it answered otherwise."""
        answer = await self.answered(within=within)
        if answer.form is None:
            raise LookupError(f"the bot answered with {answer.kind.name}")
        return answer.form


def interaction_shape(world: World, interaction: Interaction, data: Json) -> Json:
    """Return an interaction as the gateway tells the bot of it."""
    member, channel = interaction.member, interaction.channel
    guild = member.guild
    bot = guild.members[world.bot.id]
    granted = guild.permissions_of(member, channel)
    return {
        "id": str(interaction.id),
        "application_id": str(world.application.id),
        "type": int(interaction.kind),
        "token": interaction.token,
        "version": 1,
        "guild_id": str(guild.id),
        "guild": {"id": str(guild.id), "locale": guild.locale, "features": []},
        "channel_id": str(channel.id),
        "channel": {**channel_shape(channel), "permissions": str(int(granted))},
        "member": {**member_shape(member), "permissions": str(int(granted))},
        "app_permissions": str(int(guild.permissions_of(bot, channel))),
        "locale": member.user.locale,
        "guild_locale": guild.locale,
        "entitlements": [],
        "authorizing_integration_owners": {"0": str(guild.id)},
        "context": 0,
        "attachment_size_limit": 10 * 1024 * 1024,
        "data": data,
    }
