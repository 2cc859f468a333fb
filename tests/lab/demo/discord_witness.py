"""Looks for things in what the Discord of a demo has heard."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from tests.lab.discord.words import InteractionKind

from .sight import Evidence, NotSeenError

LOBBY, BOARD, GAZETTE = "lobby", "servers", "gazette"
# So long may it take until something shows what has happened: a message changes every 5 s at most,
# what the bot is seen doing every 15 s, and who plays is looked at every 15 s.
_SHOWN_WITHIN = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A message as it stood from one instant on."""

    at: float
    message: Evidence

    @property
    def author(self) -> str:
        """What the first card is about."""
        return str(self._card["author"])

    @property
    def title(self) -> str:
        """What the first card says in a few words."""
        return str(self._card["title"])

    @property
    def _card(self) -> Evidence:
        cards = self.message["embeds"]
        return dict(cards[0]) if cards else {"author": "", "title": ""}

    @property
    def text(self) -> str:
        """All that can be read in it, buttons left out."""
        parts = [self.message["content"]]
        for card in self.message["embeds"]:
            parts += [card["author"], card["title"], card["description"]]
            parts += [part for field in card["fields"] for part in (field["name"], field["value"])]
            parts.append(card["footer"])
        return "\n".join(part for part in parts if part)

    @property
    def buttons(self) -> set[str]:
        """The labels of the buttons that can be pressed."""
        return {one["label"] for one in self.message["buttons"] if not one["disabled"]}

    @property
    def content(self) -> Evidence:
        """What of it can change, without the instant at which it did."""
        return {key: value for key, value in self.message.items() if key != "edited_at"}


class DiscordWitness:
    """Looks for things after a given time; NotSeenError where there is none.

    What is told in a channel is seen in its order, each message once and none left out.
    """

    def __init__(self, evidence: Evidence) -> None:
        """Read what a Discord left behind."""
        self.channels: Evidence = evidence["channels"]
        self.members: Evidence = evidence["members"]
        self.events: list[Evidence] = evidence["events"]
        self.panel = self._states(BOARD, "bot")
        self.status = self._first(self._states(GAZETTE, "webhook"))
        self._answers_seen: set[int] = set()
        status_ids = {one.message["id"] for one in self.status}
        told = {
            LOBBY: self._posted(LOBBY, "bot"),
            GAZETTE: self._posted(GAZETTE, "webhook"),
        }
        self._told = {
            channel: deque(one for one in posted if one.message["id"] not in status_ids)
            for channel, posted in told.items()
        }

    def of(self, what: str) -> list[Evidence]:
        """Return all events of one kind, in their order."""
        return [event for event in self.events if event["what"] == what]

    def told(self, channel: str, after: float, about: str, title: str) -> Shown:
        """Return the next thing that a channel was told, which is to be this one."""
        wanted = f"{about}: {title}"
        if not self._told[channel]:
            raise NotSeenError(f"#{channel} was not told {wanted}")
        found = self._told[channel][0]
        if f"{found.author}: {found.title}" != wanted or found.at < after:
            heard = f"{found.author}: {found.title}"
            raise NotSeenError(f"#{channel} was not told {wanted} now; the next was {heard}")
        return self._told[channel].popleft()

    def shown(
        self,
        states: Iterable[Shown],
        after: float,
        title: str,
        *parts: str,
        can: Iterable[str] = (),
        cannot: Iterable[str] = (),
    ) -> Shown:
        """Return the first state of a message with these texts and buttons, if it came soon."""
        for one in states:
            pressable = set(can) <= one.buttons and not set(cannot) & one.buttons
            says_so = one.title == title and all(part in one.text for part in parts)
            if after <= one.at <= after + _SHOWN_WITHIN and pressable and says_so:
                return one
        wanted = ", ".join((title, *parts))
        raise NotSeenError(f"a message was not changed to show {wanted} in time")

    def asked(self, who: str, kind: InteractionKind, what: str, after: float) -> Evidence:
        """Return the next time that somebody typed, gave a command, or pressed a button."""
        wanted = (self.members[who], kind, what)
        for event in self.of("Asked"):
            found = (event["member_id"], event["kind"], event["name"])
            if event["at"] >= after and found == wanted:
                return event
        raise NotSeenError(f"{who} did not ask for {what}")

    def answered(self, asked: Evidence) -> Evidence:
        """Return how something was answered first."""
        for event in self.of("Answered"):
            if event["interaction_id"] == asked["interaction_id"]:
                return event
        raise NotSeenError(f"{asked['name']} was not answered")

    def answers(self, asked: Evidence) -> list[list[Shown]]:
        """Return the messages that answered something, each in all its states."""
        ids = [
            event["message"]["id"]
            for event in self.of("Posted")
            if event["message"]["interaction_id"] == asked["interaction_id"]
        ]
        self._answers_seen.update(ids)
        return [self._history(message_id) for message_id in ids]

    def only_answer(self, asked: Evidence, *, states: int) -> list[Shown]:
        """Return the one message that answered something, in all its states, at least so many."""
        self.answered(asked)
        answers = self.answers(asked)
        if len(answers) != 1 or len(answers[0]) < states:
            raise NotSeenError(f"{asked['name']} was not answered by one message")
        return answers[0]

    def moved(self, who: str, channel: str | None, after: float) -> Evidence:
        """Return the next time that somebody entered a voice channel, or left the last one."""
        wanted = (self.members[who], self.channels[channel] if channel else None)
        for event in self.of("Moved"):
            if event["at"] >= after and (event["member_id"], event["channel_id"]) == wanted:
                return event
        raise NotSeenError(f"{who} was not seen to enter {channel}")

    def presence(self, text: str, after: float) -> Evidence:
        """Return the next time that the bot was seen doing this, if it came soon."""
        for event in self.of("PresenceSet"):
            if after <= event["at"] <= after + _SHOWN_WITHIN and text in event["texts"]:
                return event
        raise NotSeenError(f"the bot was not seen as {text} in time")

    def everything_shown(self) -> list[Shown]:
        """Return every message in every state."""
        return [_state(event) for event in self.events if event["what"] in ("Posted", "Edited")]

    def unseen(self) -> list[str]:
        """Return what was said beside all that was looked for."""
        known = self._answers_seen | {one.message["id"] for one in (*self.panel, *self.status)}
        left = {one.message["id"] for waiting in self._told.values() for one in waiting}
        told_in = {self.channels[channel] for channel in self._told}
        return [
            one.text
            for one in map(_state, self.of("Posted"))
            if one.message["id"] not in known
            and (
                one.message["id"] in left
                or one.message["source"] == "interaction"
                or one.message["channel_id"] not in told_in
            )
        ]

    def _posted(self, channel: str, source: str) -> list[Shown]:
        return [
            _state(event)
            for event in self.of("Posted")
            if event["message"]["channel_id"] == self.channels[channel]
            and event["message"]["source"] == source
        ]

    def _states(self, channel: str, source: str) -> list[Shown]:
        return [
            one
            for one in self.everything_shown()
            if one.message["channel_id"] == self.channels[channel]
            and one.message["source"] == source
        ]

    def _history(self, message_id: int) -> list[Shown]:
        return [one for one in self.everything_shown() if one.message["id"] == message_id]

    def _first(self, states: list[Shown]) -> list[Shown]:
        return self._history(states[0].message["id"]) if states else []


def _state(event: Evidence) -> Shown:
    message = event["message"] if event["what"] == "Posted" else event["after"]
    return Shown(at=event["at"], message=message)
