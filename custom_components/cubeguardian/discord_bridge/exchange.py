"""Between whoever runs the bridge and the connection: what is kept, shown, told and asked."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
import logging
from typing import Any

from .access import Access, Rank
from .answering import boards_message, panel_buttons, presence
from .bridge_port import Board, BridgeMemory, BridgePort, ChannelMessage, Problem
from .bridge_settings import BridgePace, BridgeSettings
from .buttons import Button
from .desk import Desk
from .following import Changes
from .listening import VoiceWatch
from .message import CONTENT_LIMIT, Message, cut
from .outbox import Outbox
from .quoting import plain
from .render import dropped_note, event_message
from .view import EventView
from .wording import Texts

_LOGGER = logging.getLogger(__name__)

_HEARD_LIMIT = 1000


class Exchange:
    """Everything of the bridge that outlives a connection. Nothing raises into either side."""

    def __init__(
        self,
        settings: BridgeSettings,
        port: BridgePort,
        texts: Mapping[str, Texts],
        *,
        memory: BridgeMemory,
        clock: Callable[[], datetime],
        pace: BridgePace,
    ) -> None:
        """Take up what is remembered; what of it makes no sense is left behind."""
        self.settings = settings
        self.pace = pace
        self.texts = texts
        self.own_texts = texts[settings.language]
        self.memory = memory
        self.changes = Changes()
        self.voice = VoiceWatch(settings, port)
        self.outbox = Outbox(
            keep_for=pace.keep_for,
            tell_dropped=lambda count: dropped_note(count, self.own_texts),
            dropped=memory.dropped,
        )
        self.access = _access(settings, memory)
        self.connected = False
        self.problems: tuple[Problem, ...] | None = None
        self._clock = clock
        self._port = port
        self._away_timer: asyncio.TimerHandle | None = None
        self.desk = Desk(
            port=port,
            access=self.access,
            texts=texts,
            language=settings.language,
            changes=self.changes,
            clock=clock,
            pace=pace,
            decided=lambda: self.remember(access=self.access.to_dict()),
        )

    # From whoever runs the bridge

    def update(self) -> None:
        """Take in that something shown has changed."""
        self.changes.tell()

    def tell(self, event: EventView) -> None:
        """Tell the channel of an event, and those who have to act."""
        self._pass_on(self._tell, event)

    def _tell(self, event: EventView) -> None:
        settings = self.settings
        if settings.channel_id is not None and event.group in settings.groups:
            self.outbox.to_channel(settings.channel_id, event_message(event, self.own_texts))
        if not event.is_alert:
            return
        alert = event_message(event, self.own_texts, advise=True)
        if settings.alert_ids:
            self.outbox.to_people(settings.alert_ids, alert, settings.channel_id)
        elif settings.channel_id is not None and event.group not in settings.groups:
            self.outbox.to_channel(settings.channel_id, alert)

    def say(self, text: str) -> bool:
        """Say something in the channel; False where there is none."""
        if self.settings.channel_id is None or not text.strip():
            return False
        message = Message(content=cut(text, CONTENT_LIMIT))
        self.outbox.to_channel(self.settings.channel_id, message)
        return True

    # From the connection

    def boards(self) -> tuple[Board, ...]:
        """Return what is shown."""
        try:
            return self._port.boards()
        except Exception:
            _LOGGER.exception("What Discord is shown could not be put together")
            return ()

    def panel(self) -> tuple[Message, tuple[Button, ...]]:
        """Return what the panel shows."""
        boards, texts = self.boards(), self.own_texts
        return boards_message(boards, texts), panel_buttons(boards, texts)

    def presence(self) -> str:
        """Return what the bot is seen doing."""
        return presence(self.boards(), self.own_texts)

    def refresh(self) -> None:
        """Have everything looked at anew."""
        self._pass_on(self._port.refresh)

    def remember(self, **changes: Any) -> None:
        """Keep something over restarts."""
        memory = replace(self.memory, **changes)
        if memory != self.memory:
            self.memory = memory
            self._pass_on(self._port.remember, memory)

    def heard(
        self, ids: tuple[int, int, int], name: str, text: str, role_ids: Iterable[int]
    ) -> None:
        """Pass on what somebody wrote; `ids` are those of the message, channel and user."""
        message_id, channel_id, user_id = ids
        rank: Rank = self.settings.people.rank(user_id, role_ids)
        self._pass_on(
            self._port.heard,
            ChannelMessage(
                at=self._clock(),
                message_id=message_id,
                channel_id=channel_id,
                user_id=user_id,
                name=plain(name),
                text=plain(text, _HEARD_LIMIT),
                rank=rank,
            ),
        )

    def found(self, problems: tuple[Problem, ...]) -> None:
        """Take in what has to be mended."""
        if problems != self.problems:
            self.problems = problems
            self._pass_on(self._port.problems_changed, problems)

    def came(self) -> None:
        """Take in that the connection stands."""
        self._forget_timer()
        self._set_connected(connected=True)
        self.changes.tell()
        self.outbox.stir()

    def lost(self) -> None:
        """Take in that it is lost; that means nothing if it is soon there again."""
        if self.connected and self._away_timer is None:
            loop = asyncio.get_running_loop()
            self._away_timer = loop.call_later(self.pace.away_after, self.gone)

    def gone(self) -> None:
        """Take in that it will not be there soon."""
        self._forget_timer()
        self.voice.away()
        self._set_connected(connected=False)

    def ended(self) -> None:
        """Keep how much was not said: whoever comes next says so."""
        self.remember(dropped=self.outbox.lost)

    def _forget_timer(self) -> None:
        if self._away_timer is not None:
            self._away_timer.cancel()
            self._away_timer = None

    def _set_connected(self, *, connected: bool) -> None:
        if connected is not self.connected:
            self.connected = connected
            _LOGGER.debug("Discord is %s", "there" if connected else "away")
            self._pass_on(self._port.connection_changed, connected)

    def _pass_on(self, call: Callable[..., None], *given: Any) -> None:
        try:
            call(*given)
        except Exception:
            _LOGGER.exception("Something could not be passed on to Discord, or from it")


def _access(settings: BridgeSettings, memory: BridgeMemory) -> Access:
    access = Access(settings.people, settings.limits)
    if memory.access is not None:
        try:
            access.restore(memory.access)
        except ValueError, KeyError, TypeError, AttributeError:
            _LOGGER.debug("What was remembered of who asked for what makes no sense")
    return access
