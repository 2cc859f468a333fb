"""Say in the game what is about to happen to the server, where it can be managed."""

from collections.abc import Mapping
import logging
from pathlib import Path
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.json import load_json_object

from .guardian import HOST, Event, EventKind, Presence
from .runtime import CubeGuardianConfigEntry
from .server_manager import ServerManagerError

_LOGGER = logging.getLogger(__name__)

LANGUAGES: Final = ("en", "fr")
TIMEOUT: Final = 10.0
FOLDER: Final = Path(__file__).parent / "texts"

type Texts = Mapping[str, str]


async def async_load_texts(hass: HomeAssistant) -> Mapping[str, Texts]:
    """Read what is said outside of Home Assistant, by language."""
    return await hass.async_add_executor_job(_load)


def _load() -> Mapping[str, Texts]:
    """Read every language."""
    return {
        language: {
            key: str(text) for key, text in load_json_object(FOLDER / f"{language}.json").items()
        }
        for language in LANGUAGES
    }


def filled(text: str, placeholders: Mapping[str, str]) -> str:
    """Replace each {name} in one pass, so that what is filled in stays as it is."""
    parts = text.split("{")
    said = parts[0]
    for part in parts[1:]:
        name, _, rest = part.partition("}")
        said += placeholders[name] + rest
    return said


class Announcer:
    """Tell players of the events that concern them.

    Nobody waits for an announcement, and one that fails changes nothing: the log mentions it once
    until one has worked again.
    """

    def __init__(self, hass: HomeAssistant, entry: CubeGuardianConfigEntry) -> None:
        """Start with every game server believed to listen."""
        self._hass = hass
        self._entry = entry
        self._deaf: set[str] = set()

    @callback
    def async_happened(self, event: Event) -> None:
        """Say what an event means to whoever is in the game."""
        if not self._entry.runtime_data.managements or (said := _key(event)) is None:
            return
        texts = self._entry.runtime_data.texts
        language = self._hass.config.language.partition("-")[0]
        text = filled(texts.get(language, texts["en"])[said], _placeholders(event))
        for game_id in self._listening(event.target):
            self._entry.async_create_background_task(
                self._hass, self._async_say(game_id, text), f"cubeguardian says {said}"
            )

    def _listening(self, target: str) -> list[str]:
        """Return the game servers that are concerned, up, and can be told."""
        runtime = self._entry.runtime_data
        concerned = runtime.games if target == HOST else (target,)
        games = runtime.guardian.snapshot.games
        return [
            game_id
            for game_id in concerned
            if game_id in runtime.managements and games[game_id].presence is Presence.UP
        ]

    async def _async_say(self, game_id: str, text: str) -> None:
        """Say it in one game."""
        try:
            await self._entry.runtime_data.managements[game_id].announce(text, timeout=TIMEOUT)
        except ServerManagerError as err:
            if game_id not in self._deaf:
                title = self._entry.subentries[game_id].title
                _LOGGER.debug("Nothing could be said on %s: %s", title, err)
            self._deaf.add(game_id)
        else:
            self._deaf.discard(game_id)


def _key(event: Event) -> str | None:
    """Return the key of the text for an event; most are not for players."""
    match event.kind:
        case EventKind.COUNTDOWN_STARTED:
            return "countdown" if _minutes(event) > 1 else "countdown_last_minute"
        case EventKind.COUNTDOWN_CANCELLED:
            return "countdown_cancelled"
        case EventKind.SHUTDOWN_SENT:
            return "going_down"
        case EventKind.RESTARTING:
            return "restarting"
    return None


def _minutes(event: Event) -> int:
    """Return how long a countdown is, in whole minutes begun."""
    return -(-int(event.placeholders["seconds"]) // 60)


def _placeholders(event: Event) -> dict[str, str]:
    """Return what the texts name."""
    if event.kind is not EventKind.COUNTDOWN_STARTED:
        return {}
    return {"minutes": str(_minutes(event))}
