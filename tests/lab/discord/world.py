"""What exists on the stand-in: guilds with their channels, roles and members, the application."""

from dataclasses import dataclass, field
import itertools
import secrets
import time
from typing import Any

from .words import INTENT_FLAGS, ORDINARY, ChannelKind, Intent, Permission

type Json = dict[str, Any]

_EPOCH_MS = 1_420_070_400_000
_numbers = itertools.count(1)


def snowflake() -> int:
    """Return a new id, which tells when it was made as Discord's do."""
    moment = int(time.time() * 1000) - _EPOCH_MS
    return moment << 22 | next(_numbers) & 0x3FFFFF


@dataclass(slots=True, kw_only=True, eq=False)
class User:
    """An account."""

    name: str
    id: int = field(default_factory=snowflake)
    display_name: str | None = None
    is_bot: bool = False
    locale: str = "en-US"
    accepts_messages: bool = True

    @property
    def mention(self) -> str:
        """Return what rings the user, where that is allowed."""
        return f"<@{self.id}>"


@dataclass(slots=True, kw_only=True, eq=False)
class Role:
    """A role of a guild; the one with the guild's own id is everybody's."""

    name: str
    id: int = field(default_factory=snowflake)
    permissions: Permission = Permission.NONE
    position: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Overwrite:
    """What a channel allows or denies to a role or a member."""

    target_id: int
    is_role: bool
    allow: Permission = Permission.NONE
    deny: Permission = Permission.NONE


@dataclass(slots=True, kw_only=True, eq=False)
class Channel:
    """A place to write or talk; a thread has a parent."""

    name: str
    kind: ChannelKind = ChannelKind.TEXT
    id: int = field(default_factory=snowflake)
    guild: Guild | None = field(default=None, repr=False)
    parent_id: int | None = None
    overwrites: dict[int, Overwrite] = field(default_factory=dict)
    recipient: User | None = None
    status: str = ""

    @property
    def guild_id(self) -> int | None:
        """Return the id of its guild; None for a conversation with one user."""
        return self.guild.id if self.guild else None


@dataclass(slots=True, kw_only=True, eq=False)
class VoiceState:
    """Somebody's presence in a voice channel."""

    channel: Channel
    session_id: str = field(default_factory=lambda: secrets.token_hex(16))
    self_mute: bool = False
    self_deaf: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class Member:
    """A user in a guild."""

    user: User
    guild: Guild = field(repr=False)
    nick: str | None = None
    roles: list[Role] = field(default_factory=list)
    voice: VoiceState | None = None
    status: str = "offline"

    @property
    def id(self) -> int:
        """Return the id of the user."""
        return self.user.id


@dataclass(slots=True, kw_only=True, eq=False)
class Guild:
    """A Discord server. An unavailable one is in an outage: the bot hears nothing of it."""

    name: str
    id: int = field(default_factory=snowflake)
    owner_id: int = 0
    roles: dict[int, Role] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict)
    afk_channel: Channel | None = None
    locale: str = "en-US"
    available: bool = True

    def __post_init__(self) -> None:
        self.roles[self.id] = Role(id=self.id, name="@everyone", permissions=ORDINARY, position=0)

    @property
    def everyone(self) -> Role:
        """Return the role that all members have."""
        return self.roles[self.id]

    def permissions_of(self, member: Member, channel: Channel | None = None) -> Permission:
        """Return what a member may do, in a channel if one is given."""
        roles = [self.everyone, *member.roles]
        base = Permission.NONE
        for role in roles:
            base |= role.permissions
        if member.id == self.owner_id or Permission.ADMINISTRATOR in base:
            return ~Permission.NONE
        return base if channel is None else _overwritten(base, channel, roles, member)


def _overwritten(
    base: Permission, channel: Channel, roles: list[Role], member: Member
) -> Permission:
    if channel.guild is not None and channel.parent_id in channel.guild.channels:
        parent = channel.guild.channels[channel.parent_id]
        if channel.kind is ChannelKind.THREAD:
            return _overwritten(base, parent, roles, member)
    everyone, own = roles[0].id, [role.id for role in roles[1:]]
    for targets in ([everyone], own, [member.id]):
        found = [channel.overwrites[one] for one in targets if one in channel.overwrites]
        for overwrite in found:
            base &= ~overwrite.deny
        for overwrite in found:
            base |= overwrite.allow
    return base if Permission.VIEW_CHANNEL in base else Permission.NONE


@dataclass(slots=True, kw_only=True, eq=False)
class Webhook:
    """A door into one channel for whoever knows its URL."""

    channel: Channel
    name: str
    id: int = field(default_factory=snowflake)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(51))

    @property
    def url(self) -> str:
        """Return the URL that Discord shows; it needs the redirection to reach the stand-in."""
        return f"https://discord.com/api/webhooks/{self.id}/{self.token}"


@dataclass(slots=True, kw_only=True, eq=False)
class Application:
    """What the application's page in Discord's developer portal says."""

    name: str
    id: int = field(default_factory=snowflake)
    owner: User
    team_owner: User | None = None
    description: str = ""
    bot_public: bool = False
    requires_code_grant: bool = False
    interactions_endpoint_url: str | None = None
    install_scopes: tuple[str, ...] | None = None
    install_permissions: Permission = Permission.NONE
    privileged: Intent = Intent.NONE

    @property
    def flags(self) -> int:
        """Return the bits that say which privileged intents are switched on."""
        bits = [bit for intent, bit in INTENT_FLAGS.items() if intent in self.privileged]
        return sum(bits)


@dataclass(slots=True, kw_only=True, eq=False)
class World:
    """Everything that exists, with the bot and its token."""

    bot: User
    application: Application
    token: str = field(default_factory=lambda: f"MTA1.{secrets.token_urlsafe(27)}")
    revoked: bool = False
    guilds: dict[int, Guild] = field(default_factory=dict)
    directs: dict[int, Channel] = field(default_factory=dict)
    webhooks: dict[int, Webhook] = field(default_factory=dict)
    commands: dict[int | None, dict[int, Json]] = field(default_factory=dict)

    def knows(self, token: str) -> bool:
        """Tell whether this is the bot's token, and still good."""
        return not self.revoked and token == self.token

    def find_channel(self, channel_id: int) -> Channel | None:
        """Return a channel of a guild, or a conversation with one user."""
        for guild in self.guilds.values():
            if channel_id in guild.channels:
                return guild.channels[channel_id]
        return self.directs.get(channel_id)

    def find_user(self, user_id: int) -> User | None:
        """Return a user who is in any guild."""
        for guild in self.guilds.values():
            if user_id in guild.members:
                return guild.members[user_id].user
        return self.bot if user_id == self.bot.id else None

    def direct(self, user: User) -> Channel:
        """Return the conversation between the bot and a user."""
        for channel in self.directs.values():
            if channel.recipient is user:
                return channel
        channel = Channel(name="", kind=ChannelKind.DIRECT, recipient=user)
        self.directs[channel.id] = channel
        return channel
