"""Routes about channels and the bot's own messages in them."""

from dataclasses import dataclass

from .faults import ApiError, check_available
from .mailbox import Mailbox, Sender, Stored, check_may_write
from .rest import Answer, Request, Route
from .shapes import channel_shape
from .words import ChannelKind, Permission, Source
from .world import Channel, World


@dataclass(slots=True, kw_only=True)
class Channels:
    """Answers what a bot does in channels."""

    world: World
    mailbox: Mailbox

    def routes(self) -> list[Route]:
        """Return the routes."""
        channel = "/channels/{channel}"
        messages = channel + "/messages"
        table = [
            ("POST", "/users/@me/channels", self._open_direct),
            ("GET", channel, lambda asked: channel_shape(self._channel(asked))),
            ("PUT", channel + "/voice-status", self._set_voice_status),
            ("GET", messages, self._list),
            ("POST", messages, self._post),
            ("GET", messages + "/{message}", self._get),
            ("PATCH", messages + "/{message}", self._edit),
            ("DELETE", messages + "/{message}", self._delete),
        ]
        return [Route(method=one, path=path, handler=handler) for one, path, handler in table]

    def _channel(self, asked: Request) -> Channel:
        channel = self.world.find_channel(asked.number("channel"))
        if channel is None:
            raise ApiError(404, 10003, "Unknown Channel")
        check_available(channel.guild)
        return channel

    def _demand(self, channel: Channel, needed: Permission) -> None:
        if channel.guild is None:
            return
        bot = channel.guild.members[self.world.bot.id]
        granted = channel.guild.permissions_of(bot, channel)
        if Permission.VIEW_CHANNEL not in granted:
            raise ApiError(403, 50001, "Missing Access")
        if needed & ~granted:
            raise ApiError(403, 50013, "Missing Permissions")

    def _open_direct(self, asked: Request) -> Answer:
        user = self.world.find_user(int(asked.body["recipient_id"]))
        if user is None or user.is_bot:
            raise ApiError(400, 50033, "Invalid Recipient(s)")
        return channel_shape(self.world.direct(user))

    def _set_voice_status(self, asked: Request) -> Answer:
        channel = self._channel(asked)
        if channel.kind is not ChannelKind.VOICE:
            raise ApiError(400, 50024, "Cannot execute action on this channel type")
        self._demand(channel, Permission.SET_VOICE_CHANNEL_STATUS | Permission.MANAGE_CHANNELS)
        channel.status = asked.body.get("status") or ""
        return None

    def _list(self, asked: Request) -> Answer:
        channel = self._channel(asked)
        self._demand(channel, Permission.READ_MESSAGE_HISTORY)
        seen = [one for one in self.mailbox.inside(channel) if not one.ephemeral]
        if "before" in asked.query:
            seen = [one for one in seen if one.id < int(asked.query["before"])]
        newest = seen[::-1][: int(asked.query.get("limit", 50))]
        return [self.mailbox.shape(self.mailbox.find(one.id)) for one in newest]

    def _post(self, asked: Request) -> Answer:
        channel = self._channel(asked)
        check_may_write(self.world, channel, asked.body)
        sender = Sender(user=self.world.bot, source=Source.BOT)
        return self.mailbox.shape(self.mailbox.post(channel, sender, asked.body))

    def _message(self, asked: Request) -> Stored:
        stored = self.mailbox.find(asked.number("message"), self._channel(asked))
        if stored.message.ephemeral:
            raise ApiError(404, 10008, "Unknown Message")
        return stored

    def _get(self, asked: Request) -> Answer:
        self._demand(self._channel(asked), Permission.READ_MESSAGE_HISTORY)
        return self.mailbox.shape(self._message(asked))

    def _edit(self, asked: Request) -> Answer:
        stored = self._message(asked)
        if not _is_own(self.world, stored):
            raise ApiError(403, 50005, "Cannot edit a message authored by another user")
        self._demand(stored.channel, Permission.VIEW_CHANNEL)
        return self.mailbox.shape(self.mailbox.edit(stored, asked.body))

    def _delete(self, asked: Request) -> Answer:
        stored = self._message(asked)
        if not _is_own(self.world, stored):
            self._demand(stored.channel, Permission.MANAGE_MESSAGES)
        self.mailbox.delete(stored)
        return None


def _is_own(world: World, stored: Stored) -> bool:
    # An answer to an interaction is the bot's own as well: that is how it is edited after 15 min.
    own_doors = (None, world.application.id)
    return stored.sender.user is world.bot and stored.sender.webhook_id in own_doors
