"""Builds guilds and changes them while a bot looks on."""

from dataclasses import dataclass
import time

from .gateway import Gateway
from .record import Moved, Record
from .shapes import (
    channel_shape,
    guild_create_shape,
    member_shape,
    presence_shape,
    role_shape,
    user_shape,
    voice_shape,
)
from .words import ORDINARY, ChannelKind, Intent, Permission
from .world import Channel, Guild, Json, Member, Overwrite, Role, User, VoiceState, Webhook, World


@dataclass(slots=True, kw_only=True)
class Town:
    """Makes what exists, and tells the gateway of each change as Discord would."""

    world: World
    record: Record
    gateway: Gateway

    def add_guild(self, name: str, *, locale: str = "en-US", available: bool = True) -> Guild:
        """Make a guild with an owner and the bot in it, which has a role of its own."""
        guild = Guild(name=name, locale=locale, available=available)
        owner = Member(user=User(name="owner"), guild=guild)
        guild.owner_id = owner.id
        own = Role(name=self.world.bot.name, permissions=ORDINARY)
        guild.roles[own.id] = own
        bot = Member(user=self.world.bot, guild=guild, roles=[own], status="online")
        guild.members |= {owner.id: owner, bot.id: bot}
        self.world.guilds[guild.id] = guild
        self._show(guild)
        return guild

    def remove_guild(self, guild: Guild) -> None:
        """Throw the bot out of a guild."""
        del self.world.guilds[guild.id]
        self.gateway.dispatch("GUILD_DELETE", {"id": str(guild.id)}, needs=Intent.GUILDS)

    def set_available(self, guild: Guild, *, available: bool) -> None:
        """Begin or end an outage of a guild."""
        guild.available = available
        if available:
            self._show(guild)
        else:
            gone = {"id": str(guild.id), "unavailable": True}
            self.gateway.dispatch("GUILD_DELETE", gone, needs=Intent.GUILDS)

    def add_channel(
        self, guild: Guild, name: str, kind: ChannelKind, parent: Channel | None = None
    ) -> Channel:
        """Make a channel; a thread needs its parent."""
        channel = Channel(
            name=name, kind=kind, guild=guild, parent_id=parent.id if parent else None
        )
        guild.channels[channel.id] = channel
        event = "THREAD_CREATE" if kind is ChannelKind.THREAD else "CHANNEL_CREATE"
        self._tell(guild, event, channel)
        return channel

    def remove_channel(self, channel: Channel) -> None:
        """Delete a channel; whoever talked there is out, whoever wrote there gets 404."""
        guild = _guild(channel)
        for member in guild.members.values():
            if member.voice and member.voice.channel is channel:
                self.move(member, None)
        del guild.channels[channel.id]
        self.world.webhooks = {
            number: one for number, one in self.world.webhooks.items() if one.channel is not channel
        }
        self._tell(guild, "CHANNEL_DELETE", channel)

    def overwrite(
        self, channel: Channel, target: Role | Member, allow: Permission, deny: Permission
    ) -> None:
        """Allow and deny in one channel; nothing of both takes the overwrite away."""
        channel.overwrites.pop(target.id, None)
        if allow or deny:
            channel.overwrites[target.id] = Overwrite(
                target_id=target.id, is_role=isinstance(target, Role), allow=allow, deny=deny
            )
        self._tell(_guild(channel), "CHANNEL_UPDATE", channel)

    def add_role(self, guild: Guild, name: str, permissions: Permission) -> Role:
        """Make a role."""
        role = Role(name=name, permissions=permissions, position=len(guild.roles))
        guild.roles[role.id] = role
        self._tell_role(guild, "GUILD_ROLE_CREATE", role)
        return role

    def permit(self, guild: Guild, role: Role, permissions: Permission) -> None:
        """Set what a role may do in the whole guild."""
        role.permissions = permissions
        self._tell_role(guild, "GUILD_ROLE_UPDATE", role)

    def add_member(
        self, guild: Guild, user: User, roles: tuple[Role, ...], nick: str | None
    ) -> Member:
        """Let a user into a guild."""
        member = Member(user=user, guild=guild, roles=list(roles), nick=nick)
        guild.members[member.id] = member
        shape = {**member_shape(member), "guild_id": str(guild.id)}
        self._tell_members(guild, "GUILD_MEMBER_ADD", shape)
        return member

    def remove_member(self, member: Member) -> None:
        """Let a member leave the guild."""
        if member.voice:
            self.move(member, None)
        del member.guild.members[member.id]
        gone = {"guild_id": str(member.guild.id), "user": user_shape(member.user)}
        self._tell_members(member.guild, "GUILD_MEMBER_REMOVE", gone)

    def set_roles(self, member: Member, roles: tuple[Role, ...]) -> None:
        """Give a member exactly these roles. A bot is told of its own without any intent."""
        member.roles = list(roles)
        shape = {**member_shape(member), "guild_id": str(member.guild.id)}
        needs = Intent.NONE if member.user is self.world.bot else Intent.GUILD_MEMBERS
        if member.guild.available:
            self.gateway.dispatch("GUILD_MEMBER_UPDATE", shape, needs=needs)

    def move(self, member: Member, channel: Channel | None) -> None:
        """Let a member talk in a channel, or in none."""
        if channel is None:
            member.voice = None
        elif member.voice is not None:
            member.voice.channel = channel
        else:
            member.voice = VoiceState(channel=channel)
        channel_id = channel.id if channel else None
        self.record.add(Moved(at=time.time(), member_id=member.id, channel_id=channel_id))
        if member.guild.available:
            shape = voice_shape(member, member.voice)
            self.gateway.dispatch("VOICE_STATE_UPDATE", shape, needs=Intent.GUILD_VOICE_STATES)

    def show_as(self, member: Member, status: str) -> None:
        """Let a member be online, idle, dnd or offline."""
        member.status = status
        shape = presence_shape(member)
        if member.guild.available:
            self.gateway.dispatch("PRESENCE_UPDATE", shape, needs=Intent.GUILD_PRESENCES)

    def add_webhook(self, channel: Channel, name: str) -> Webhook:
        """Make an incoming webhook."""
        webhook = Webhook(channel=channel, name=name)
        self.world.webhooks[webhook.id] = webhook
        return webhook

    def _show(self, guild: Guild) -> None:
        if not guild.available:
            return
        for session in self.gateway.sessions.values():
            if Intent.GUILDS in session.intents:
                shape = guild_create_shape(guild, self.world.bot.id, session.intents)
                session.dispatch("GUILD_CREATE", shape)

    def _tell(self, guild: Guild, event: str, channel: Channel) -> None:
        if guild.available:
            self.gateway.dispatch(event, channel_shape(channel), needs=Intent.GUILDS)

    def _tell_role(self, guild: Guild, event: str, role: Role) -> None:
        if guild.available:
            shape = {"guild_id": str(guild.id), "role": role_shape(role)}
            self.gateway.dispatch(event, shape, needs=Intent.GUILDS)

    def _tell_members(self, guild: Guild, event: str, shape: Json) -> None:
        if guild.available:
            self.gateway.dispatch(event, shape, needs=Intent.GUILD_MEMBERS)


def _guild(channel: Channel) -> Guild:
    assert channel.guild is not None
    return channel.guild
