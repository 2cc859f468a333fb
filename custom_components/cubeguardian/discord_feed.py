"""Give what happens to a host, and how it stands, to whatever shows it on Discord."""

from collections.abc import Callable
from functools import partial, wraps
import logging
from typing import TYPE_CHECKING, Protocol

from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from .discord_bridge.view import BoardView, EventView, Happening
from .discord_view import Named, board_view, event_view, mode_view, players_view
from .guardian import Event
from .roster import Roster

if TYPE_CHECKING:
    from .runtime import CubeGuardianConfigEntry

_LOGGER = logging.getLogger(__name__)


class Audience(Protocol):
    """Whoever wants to know. Neither method may wait for anything."""

    @property
    def is_listening(self) -> bool:
        """Say whether anything is done with what is told."""

    def tell(self, view: EventView) -> None:
        """Take in what happened."""

    def show(self, board: BoardView) -> None:
        """Take in how things stand now."""


def harmless[**P](listener: Callable[P, None]) -> Callable[P, None]:
    """Keep what goes wrong with Discord away from whoever called the listener."""

    @wraps(listener)
    def listen(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            listener(*args, **kwargs)
        except Exception:
            _LOGGER.exception("Discord could not be told")

    return listen


class HostFeed:
    """What of one loaded host is for Discord."""

    def __init__(self, hass: HomeAssistant, entry: CubeGuardianConfigEntry) -> None:
        """Take bearings from what is known."""
        runtime = entry.runtime_data
        self._hass = hass
        self._entry = entry
        self._audiences: list[Audience] = []
        self._shown: BoardView | None = None
        self._mode = runtime.decisions.data.mode
        self._rosters = {
            key: Roster(game.data, runtime.decisions.data.games[key])
            for key, game in runtime.games.items()
        }
        self.named = Named.of_entry(entry, runtime.games)

    @callback
    def async_start(self) -> None:
        """Listen until the entry is unloaded."""
        runtime = self._entry.runtime_data
        for stop in (
            runtime.decisions.async_listen_events(self._happened),
            runtime.decisions.async_add_listener(self._decided),
            runtime.host.async_add_listener(self._show),
            *(
                game.async_add_listener(partial(self._game_seen, key))
                for key, game in runtime.games.items()
            ),
        ):
            self._entry.async_on_unload(stop)

    @callback
    def async_add(self, audience: Audience) -> None:
        """Tell another one, from how things stand now."""
        self._audiences.append(audience)
        self._shown = None
        self._show()

    def board(self) -> BoardView:
        """Return how things stand."""
        runtime = self._entry.runtime_data
        games = {key: game.data for key, game in runtime.games.items()}
        return board_view(self.named, runtime.decisions.data, games, dt_util.utcnow())

    @callback
    @harmless
    def _happened(self, event: Event) -> None:
        """Tell an event of the guardian."""
        snapshot = self._entry.runtime_data.guardian.snapshot
        self._tell(event_view(self.named, snapshot, event, dt_util.utcnow()))

    @callback
    @harmless
    def _decided(self) -> None:
        """Tell a change of the mode, which is no event of the guardian."""
        snapshot = self._entry.runtime_data.decisions.data
        before, self._mode = self._mode, snapshot.mode
        if before is not snapshot.mode:
            self._tell(mode_view(self.named, snapshot, dt_util.utcnow()))
        self._show()

    @callback
    @harmless
    def _game_seen(self, key: str) -> None:
        """Tell who joined and who left."""
        runtime, now = self._entry.runtime_data, dt_util.utcnow()
        view = runtime.decisions.data.games[key]
        left, joined = self._rosters[key].changes(runtime.games[key].data, view)
        for kind, names in ((Happening.LEFT, left), (Happening.JOINED, joined)):
            if names:
                self._tell(players_view(self.named, key, kind, names, now))
        self._show()

    def _tell(self, view: EventView) -> None:
        """Tell everybody who wants to know; who chokes on it keeps it from nobody else."""
        for audience in self._audiences:
            if audience.is_listening:
                harmless(audience.tell)(view)

    @callback
    @harmless
    def _show(self) -> None:
        """Show how things stand, if that has changed."""
        listening = [one for one in self._audiences if one.is_listening]
        if not listening or (board := self.board()) == self._shown:
            return
        self._shown = board
        for audience in listening:
            harmless(audience.show)(board)
