"""Routes by which the bot answers interactions, with Discord's time limits."""

from dataclasses import dataclass, field
import time

from .faults import ApiError
from .interactions import ANSWER_WITHIN, TOKEN_LIVES, Interaction
from .mailbox import Mailbox, Sender, Stored
from .reading import invalid, read_form, read_suggestions
from .record import Answered, Record
from .rest import Answer, Request, Route
from .words import AnswerKind, InteractionKind, MessageFlag, Source
from .world import Json, World

_ALLOWED = {
    InteractionKind.COMMAND: {AnswerKind.MESSAGE, AnswerKind.DEFERRED_MESSAGE, AnswerKind.MODAL},
    InteractionKind.AUTOCOMPLETE: {AnswerKind.SUGGESTIONS},
    InteractionKind.COMPONENT: set(AnswerKind) - {AnswerKind.SUGGESTIONS},
    InteractionKind.MODAL: set(AnswerKind) - {AnswerKind.SUGGESTIONS, AnswerKind.MODAL},
}
_UNKNOWN_WEBHOOK = ApiError(404, 10015, "Unknown Webhook")


@dataclass(slots=True, kw_only=True)
class Answers:
    """Takes the answers; times are in seconds since the member acted."""

    world: World
    record: Record
    mailbox: Mailbox
    answer_within: float = ANSWER_WITHIN
    token_lives: float = TOKEN_LIVES
    asked: dict[int, Interaction] = field(default_factory=dict)

    def routes(self) -> list[Route]:
        """Return the routes; the webhook of an interaction has the application's own id."""
        webhook = f"/webhooks/{self.world.application.id}/{{token}}"
        message = webhook + "/messages/{message}"
        table = [
            ("POST", "/interactions/{interaction}/{token}/callback", self._call_back),
            ("POST", webhook, self._follow_up),
            ("GET", message, self._get),
            ("PATCH", message, self._edit),
            ("DELETE", message, self._delete),
        ]
        return [
            Route(method=one, path=path, handler=handler, is_public=True)
            for one, path, handler in table
        ]

    def _call_back(self, asked: Request) -> Answer:
        interaction = self.asked.get(asked.number("interaction"))
        if interaction is None or interaction.token != asked.parts["token"]:
            raise ApiError(404, 10062, "Unknown interaction")
        if interaction.age > self.answer_within:
            raise ApiError(404, 10062, "Unknown interaction")
        if interaction.answer is not None:
            raise ApiError(400, 40060, "Interaction has already been acknowledged.")
        kind = AnswerKind(asked.body["type"])
        if kind not in _ALLOWED[interaction.kind]:
            raise invalid(f"type {kind} does not answer {interaction.kind.name}")
        self._take(interaction, kind, asked.body.get("data") or {})
        return self._outcome(interaction, kind) if "with_response" in asked.query else None

    def _take(self, interaction: Interaction, kind: AnswerKind, data: Json) -> None:
        after = interaction.age
        hidden = _is_hidden(data)
        answer = Answered(
            at=time.time(),
            interaction_id=interaction.id,
            kind=kind,
            after=after,
            ephemeral=hidden,
            suggestions=read_suggestions(data) if kind is AnswerKind.SUGGESTIONS else (),
            form=read_form(data) if kind is AnswerKind.MODAL else None,
        )
        if kind is AnswerKind.MESSAGE:
            interaction.first = self._post(interaction, data, hidden=hidden)
        if kind in (AnswerKind.UPDATE, AnswerKind.DEFERRED_UPDATE):
            interaction.first = _source(interaction)
        if kind is AnswerKind.UPDATE:
            self.mailbox.edit(_source(interaction), data)
        interaction.answer = answer
        self.record.add(answer)

    def _post(self, interaction: Interaction, data: Json, *, hidden: bool) -> Stored:
        sender = Sender(
            user=self.world.bot,
            source=Source.INTERACTION,
            webhook_id=self.world.application.id,
            interaction_id=interaction.id,
            rings=("users",),
        )
        return self.mailbox.post(interaction.channel, sender, data, hidden=hidden)

    def _outcome(self, interaction: Interaction, kind: AnswerKind) -> Json:
        assert interaction.answer is not None
        about: Json = {
            "id": str(interaction.id),
            "type": int(interaction.kind),
            "response_message_loading": interaction.is_thinking,
            "response_message_ephemeral": interaction.answer.ephemeral,
        }
        resource: Json = {"type": int(kind)}
        if interaction.first is not None:
            about["response_message_id"] = str(interaction.first.message.id)
            resource["message"] = self.mailbox.shape(interaction.first)
        return {"interaction": about, "resource": resource}

    def _by_token(self, asked: Request) -> Interaction:
        token = asked.parts["token"]
        found = next((one for one in self.asked.values() if one.token == token), None)
        if found is None or found.answer is None:
            raise _UNKNOWN_WEBHOOK
        if found.age > self.token_lives:
            raise ApiError(401, 50027, "Invalid Webhook Token")
        return found

    def _follow_up(self, asked: Request) -> Answer:
        interaction = self._by_token(asked)
        assert interaction.answer is not None
        if interaction.is_thinking:
            return self.mailbox.shape(self._fill(interaction, asked.body))
        stored = self._post(interaction, asked.body, hidden=_is_hidden(asked.body))
        interaction.more.append(stored)
        self.record.wake()
        return self.mailbox.shape(stored)

    def _fill(self, interaction: Interaction, body: Json) -> Stored:
        assert interaction.answer is not None
        stored = self._post(interaction, body, hidden=interaction.answer.ephemeral)
        interaction.first = stored
        self.record.wake()
        return stored

    def _message(self, asked: Request, interaction: Interaction) -> Stored:
        wanted = asked.parts["message"]
        known = [one for one in (interaction.first, *interaction.more) if one is not None]
        for stored in known:
            if wanted == str(stored.message.id) or (
                wanted == "@original" and stored is interaction.first
            ):
                return self.mailbox.find(stored.message.id)
        raise ApiError(404, 10008, "Unknown Message")

    def _get(self, asked: Request) -> Answer:
        return self.mailbox.shape(self._message(asked, self._by_token(asked)))

    def _edit(self, asked: Request) -> Answer:
        interaction = self._by_token(asked)
        if asked.parts["message"] == "@original" and interaction.is_thinking:
            return self.mailbox.shape(self._fill(interaction, asked.body))
        return self.mailbox.shape(self.mailbox.edit(self._message(asked, interaction), asked.body))

    def _delete(self, asked: Request) -> Answer:
        self.mailbox.delete(self._message(asked, self._by_token(asked)))
        return None


def _is_hidden(data: Json) -> bool:
    return MessageFlag.EPHEMERAL in MessageFlag(int(data.get("flags") or 0))


def _source(interaction: Interaction) -> Stored:
    if interaction.source is None:
        raise invalid("there is no message to update")
    return interaction.source
