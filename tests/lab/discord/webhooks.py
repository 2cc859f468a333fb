"""Routes of incoming webhooks, for which the URL is all that is needed."""

from dataclasses import dataclass

from .faults import ApiError, check_available
from .mailbox import Mailbox, Sender, Stored
from .reading import invalid
from .rest import Answer, Request, Route
from .shapes import webhook_shape
from .words import ChannelKind, Source
from .world import Channel, Json, User, Webhook, World

_FORBIDDEN_NAMES = ("clyde", "discord")


@dataclass(slots=True, kw_only=True)
class Webhooks:
    """Answers whoever knows the URL of a webhook."""

    world: World
    mailbox: Mailbox

    def routes(self) -> list[Route]:
        """Return the routes; those of an interaction's token must be asked first."""
        webhook = r"/webhooks/{webhook:\d+}/{token}"
        message = webhook + r"/messages/{message:\d+}"
        table = [
            ("GET", webhook, lambda asked: webhook_shape(self._webhook(asked))),
            ("DELETE", webhook, self._remove),
            ("POST", webhook, self._post),
            ("GET", message, lambda asked: self.mailbox.shape(self._message(asked))),
            ("PATCH", message, self._edit),
            ("DELETE", message, self._delete),
        ]
        return [
            Route(method=one, path=path, handler=handler, is_public=True)
            for one, path, handler in table
        ]

    def _webhook(self, asked: Request) -> Webhook:
        webhook = self.world.webhooks.get(asked.number("webhook"))
        if webhook is None:
            raise ApiError(404, 10015, "Unknown Webhook")
        if webhook.token != asked.parts["token"]:
            raise ApiError(401, 50027, "Invalid Webhook Token")
        check_available(webhook.channel.guild)
        return webhook

    def _remove(self, asked: Request) -> Answer:
        del self.world.webhooks[self._webhook(asked).id]
        return None

    def _channel(self, asked: Request) -> Channel:
        channel = self._webhook(asked).channel
        thread_id = asked.query.get("thread_id")
        if thread_id is None:
            return channel
        thread = self.world.find_channel(int(thread_id))
        if thread is None or (thread.kind, thread.parent_id) != (ChannelKind.THREAD, channel.id):
            raise ApiError(400, 10003, "Unknown Channel")
        return thread

    def _post(self, asked: Request) -> Answer:
        webhook, channel, body = self._webhook(asked), self._channel(asked), _plain(asked)
        name = body.get("username") or webhook.name
        if not 1 <= len(name) <= 80 or any(word in name.lower() for word in _FORBIDDEN_NAMES):
            raise invalid("username")
        sender = Sender(
            user=User(id=webhook.id, name=webhook.name, is_bot=True),
            source=Source.WEBHOOK,
            name=name,
            webhook_id=webhook.id,
            rings=("users",),
        )
        stored = self.mailbox.post(channel, sender, body)
        wants_it = asked.query.get("wait", "").lower() in ("true", "1")
        return self.mailbox.shape(stored) if wants_it else None

    def _message(self, asked: Request) -> Stored:
        webhook, channel = self._webhook(asked), self._channel(asked)
        stored = self.mailbox.find(asked.number("message"), channel)
        if stored.sender.webhook_id != webhook.id:
            raise ApiError(404, 10008, "Unknown Message")
        return stored

    def _edit(self, asked: Request) -> Answer:
        return self.mailbox.shape(self.mailbox.edit(self._message(asked), _plain(asked)))

    def _delete(self, asked: Request) -> Answer:
        self.mailbox.delete(self._message(asked))
        return None


def _plain(asked: Request) -> Json:
    """Return the body without what a webhook of no application cannot show."""
    return {key: value for key, value in (asked.body or {}).items() if key != "components"}
