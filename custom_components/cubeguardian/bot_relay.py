"""Show in the game what people write in the bot's channel, where a game server can be told."""

import asyncio
from collections import deque
import logging
import re
from typing import Final

from homeassistant.core import HomeAssistant, callback

from .announcing import TIMEOUT
from .bot_settings import async_relays_in_game
from .discord_bridge.bridge_port import ChannelMessage
from .discord_feed import harmless
from .runtime import CubeGuardianConfigEntry
from .server_manager import ANNOUNCEMENT_LIMIT, ServerManagerError

_LOGGER = logging.getLogger(__name__)

MOST_WAITING: Final = 10
GAP_SECONDS: Final = 0.5
# Nobody in the game can take a line that begins like this for one of the game, or of a player.
PREFIX: Final = "[Discord] "
_EMOJI: Final = re.compile(r"<a?(:\w{1,32}:)\d{1,20}>", re.ASCII)
# What looks like a blank without being one could push words to where a line of its own begins.
_BLANKS: Final = re.compile("[\u115f\u1160\u2800\u3164\uffa0]+")


def in_game(message: ChannelMessage) -> str:
    """Return what players read of a message: one plain line, "" where it has no words."""
    name, text = (" ".join(_BLANKS.sub(" ", one).split()) for one in (message.name, message.text))
    if not text:
        return ""
    line = f"{PREFIX}{name or '?'}: {_EMOJI.sub(r'\1', text)}"
    return line if len(line) <= ANNOUNCEMENT_LIMIT else f"{line[: ANNOUNCEMENT_LIMIT - 1]}…"


class GameRelay:
    """Pass messages of the channel on to the game servers of one loaded host."""

    def __init__(self, hass: HomeAssistant, entry: CubeGuardianConfigEntry) -> None:
        """Start with nothing to say."""
        self._hass = hass
        self._entry = entry
        self._lines: dict[str, _Line] = {}

    @callback
    @harmless
    def async_heard(self, message: ChannelMessage) -> None:
        """Have a message shown wherever somebody is there to read it; nobody waits for that."""
        managements = self._entry.runtime_data.managements
        if (
            not managements
            or not async_relays_in_game(self._hass)
            or not (said := in_game(message))
        ):
            return
        games = self._entry.runtime_data.guardian.snapshot.games
        for game_id in managements:
            if games[game_id].players_online:
                self._line(game_id).say(said)

    def _line(self, game_id: str) -> _Line:
        """Return what speaks with one game server."""
        if game_id not in self._lines:
            self._lines[game_id] = _Line(self._hass, self._entry, game_id)
        return self._lines[game_id]


class _Line:
    """Say one thing after another in one game.

    A flood in the channel becomes none in the game: little waits, the oldest gives way, and what
    has waited for a game server that does not answer is out of date.
    """

    def __init__(self, hass: HomeAssistant, entry: CubeGuardianConfigEntry, game_id: str) -> None:
        """Start with nothing to say."""
        self._hass = hass
        self._entry = entry
        self._game_id = game_id
        self._waiting: deque[str] = deque()
        self._dropped = 0
        self._task: asyncio.Task[None] | None = None

    @callback
    def say(self, text: str) -> None:
        """Have this said soon."""
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(text)
        if self._task is None or self._task.done():
            self._task = self._entry.async_create_background_task(
                self._hass, self._speak(), "cubeguardian relays the channel"
            )

    async def _speak(self) -> None:
        """Say what waits, slowly."""
        management = self._entry.runtime_data.managements[self._game_id]
        title = self._entry.subentries[self._game_id].title
        while self._waiting:
            try:
                await management.announce(self._waiting.popleft(), timeout=TIMEOUT)
            except ServerManagerError as err:
                _LOGGER.debug("A message could not be shown on %s: %s", title, err)
                self._dropped += 1 + len(self._waiting)
                self._waiting.clear()
            await asyncio.sleep(GAP_SECONDS)
        if self._dropped:
            _LOGGER.debug("%s messages were not shown on %s", self._dropped, title)
            self._dropped = 0
