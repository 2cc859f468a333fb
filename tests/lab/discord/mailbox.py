"""Keeps the messages: checks them, tells the gateway of them, records each change."""

from dataclasses import dataclass, replace
import time
from typing import Any

from .faults import ApiError
from .gateway import Gateway, Session
from .reading import (
    all_components,
    check_allowed_mentions,
    check_components,
    read_buttons,
    read_content,
    read_embeds,
    read_menus,
    read_pings,
    read_texts,
)
from .record import Deleted, Edited, Message, Pings, Posted, Record
from .shapes import member_shape, stamp, user_shape
from .words import ChannelKind, Intent, MessageFlag, Permission, Source
from .world import Channel, Json, User, World, snowflake

_SHOWN = ("embeds", "components")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sends, through which door, under which name."""

    user: User
    source: Source
    name: str = ""
    webhook_id: int | None = None
    interaction_id: int | None = None
    rings: tuple[str, ...] = ("everyone", "roles", "users")


@dataclass(slots=True, kw_only=True, eq=False)
class Stored:
    """A message with what is needed to show it again."""

    message: Message
    channel: Channel
    sender: Sender
    shown: Json


class Mailbox:
    """All messages of the stand-in; deleted ones are gone from here, not from the record."""

    def __init__(self, world: World, record: Record, gateway: Gateway) -> None:
        """Prepare an empty mailbox."""
        self._world = world
        self._record = record
        self._gateway = gateway
        self._stored: dict[int, Stored] = {}

    def inside(self, channel: Channel) -> tuple[Message, ...]:
        """Return the messages of a channel as they stand, those for one member's eyes too."""
        return tuple(one.message for one in self._stored.values() if one.channel is channel)

    def find(self, message_id: int, channel: Channel | None = None) -> Stored:
        """Return a message; ApiError 10008 if it is not there."""
        stored = self._stored.get(message_id)
        if stored is None or channel not in (None, stored.channel):
            raise ApiError(404, 10008, "Unknown Message")
        return stored

    def post(self, channel: Channel, sender: Sender, body: Json, *, hidden: bool = False) -> Stored:
        """Put a message into a channel; `hidden` if only one member sees it."""
        message_id, flags = snowflake(), MessageFlag(int(body.get("flags") or 0))
        message = Message(
            id=message_id,
            channel_id=channel.id,
            author_id=sender.user.id,
            author_name=sender.name or sender.user.name,
            source=sender.source,
            content="",
            ephemeral=hidden,
            silent=MessageFlag.SILENT in flags,
            interaction_id=sender.interaction_id,
            sent_at=time.time(),
        )
        message = _written(message, body, sender.rings)
        if not (message.text or message.files or body.get("components")):
            raise ApiError(400, 50006, "Cannot send an empty message")
        stored = Stored(message=message, channel=channel, sender=sender, shown=_shown({}, body))
        self._stored[message_id] = stored
        self._record.add(Posted(at=message.sent_at, message=message))
        if not hidden:
            self._announce("MESSAGE_CREATE", stored)
        return stored

    def edit(self, stored: Stored, body: Json) -> Stored:
        """Change what the body names, and leave the rest."""
        before, now = stored.message, time.time()
        after = replace(_written(before, body, stored.sender.rings), edited_at=now)
        stored.message, stored.shown = after, _shown(stored.shown, body)
        self._record.add(Edited(at=now, before=before, after=after))
        if not after.ephemeral:
            self._announce("MESSAGE_UPDATE", stored)
        return stored

    def delete(self, stored: Stored) -> None:
        """Take a message away."""
        del self._stored[stored.message.id]
        self._record.add(Deleted(at=time.time(), message=stored.message))
        gone = {"id": str(stored.message.id), "channel_id": str(stored.channel.id)}
        if stored.channel.guild_id is not None:
            gone["guild_id"] = str(stored.channel.guild_id)
        self._gateway.dispatch("MESSAGE_DELETE", gone, needs=_intent(stored.channel))

    def shape(self, stored: Stored) -> Json:
        """Return a message as REST shows it to the bot."""
        message, sender = stored.message, stored.sender
        author = user_shape(sender.user) | {"username": message.author_name}
        shape: Json = {
            "id": str(message.id),
            "type": 20 if sender.source is Source.INTERACTION else 0,
            "channel_id": str(message.channel_id),
            "author": author,
            "content": message.content,
            "embeds": [],
            "components": [],
            "attachments": [],
            "mentions": self._mentioned(message.pings),
            "mention_roles": [str(one) for one in message.pings.roles],
            "mention_everyone": message.pings.everyone,
            "pinned": False,
            "tts": False,
            "timestamp": stamp(message.sent_at),
            "edited_timestamp": stamp(message.edited_at),
            "flags": _flags(message),
        }
        if sender.webhook_id is not None:
            shape |= {"webhook_id": str(sender.webhook_id)}
        return shape | stored.shown

    def _mentioned(self, pings: Pings) -> list[Json]:
        users = (self._world.find_user(one) for one in pings.users)
        return [user_shape(user) for user in users if user is not None]

    def _announce(self, event: str, stored: Stored) -> None:
        for session in self._gateway.sessions.values():
            if _intent(stored.channel) & session.intents:
                session.dispatch(event, self._seen_by(session, stored))

    def _seen_by(self, session: Session, stored: Stored) -> Json:
        shape, guild = self.shape(stored), stored.channel.guild
        if guild is not None:
            shape["guild_id"] = str(guild.id)
            member = guild.members.get(stored.sender.user.id)
            if member is not None:
                shape["member"] = member_shape(member)
                del shape["member"]["user"]
        bot = self._world.bot
        concerns_bot = stored.sender.user is bot or bot.id in stored.message.pings.users
        if not (guild is None or concerns_bot or Intent.MESSAGE_CONTENT in session.intents):
            shape |= {"content": "", "embeds": [], "attachments": [], "components": []}
        return shape


def check_may_write(world: World, channel: Channel, body: Json) -> None:
    """Refuse the bot what its permissions in a channel do not allow."""
    if channel.recipient is not None:
        if not channel.recipient.accepts_messages:
            raise ApiError(403, 50007, "Cannot send messages to this user")
        return
    assert channel.guild is not None
    granted = channel.guild.permissions_of(channel.guild.members[world.bot.id], channel)
    if Permission.VIEW_CHANNEL not in granted:
        raise ApiError(403, 50001, "Missing Access")
    needed = Permission.SEND_MESSAGES
    if channel.kind is ChannelKind.THREAD:
        needed = Permission.SEND_MESSAGES_IN_THREADS
    if body.get("embeds"):
        needed |= Permission.EMBED_LINKS
    if needed & ~granted:
        raise ApiError(403, 50013, "Missing Permissions")


def _written(message: Message, body: Json, rings: tuple[str, ...]) -> Message:
    flags = MessageFlag(int(body.get("flags") or 0))
    check_allowed_mentions(body)
    changes: dict[str, Any] = {}
    if "content" in body:
        changes["content"] = read_content(body, flags)
    if "embeds" in body:
        changes["embeds"] = read_embeds(body)
    if "components" in body:
        shapes = body["components"] or []
        check_components(shapes, flags)
        changes["buttons"] = read_buttons(shapes, message.id)
        changes["menus"] = read_menus(shapes, message.id)
        changes["texts"] = read_texts(shapes)
    if "attachments" in body:
        changes["files"] = tuple(one.get("filename", "") for one in body["attachments"] or ())
    message = replace(message, **changes)
    text = "\n".join((message.content, *message.texts))
    return replace(message, pings=read_pings(text, body, rings))


def _shown(before: Json, body: Json) -> Json:
    shown = before | {key: body[key] or [] for key in _SHOWN if key in body}
    for number, component in enumerate(all_components(shown.get("components", [])), start=1):
        component.setdefault("id", number)
    return shown


def _flags(message: Message) -> int:
    flags = MessageFlag.EPHEMERAL if message.ephemeral else MessageFlag(0)
    return int(flags | (MessageFlag.SILENT if message.silent else MessageFlag(0)))


def _intent(channel: Channel) -> Intent:
    return Intent.DIRECT_MESSAGES if channel.recipient else Intent.GUILD_MESSAGES
