"""Keep track of who is in the watched voice channels, and tell of it."""

from collections.abc import Iterable
import logging

from .bridge_port import BridgePort
from .bridge_settings import BridgeSettings
from .voice import NOBODY_KNOWN, Present, VoiceMember, Watched, moved, reconcile, reports

_LOGGER = logging.getLogger(__name__)


class VoiceWatch:
    """Turn what the gateway says into reports. Without a watched channel it says nothing."""

    def __init__(self, settings: BridgeSettings, port: BridgePort) -> None:
        """Start with nothing known."""
        self._settings = settings
        self._port = port
        self._watched = Watched(channel_ids=settings.voice_channel_ids, people=settings.people)
        self.present: Present = NOBODY_KNOWN

    def reconciled(self, states: Iterable[VoiceMember], afk_channel_id: int | None) -> None:
        """Take in everybody who is in voice; nobody has just come in by that."""
        self._watched = Watched(
            channel_ids=self._settings.voice_channel_ids,
            people=self._settings.people,
            afk_channel_id=afk_channel_id,
        )
        self._tell(reconcile(states, self._watched, self.present), reconciled=True)

    def moved(self, member: VoiceMember) -> None:
        """Take in that somebody has moved."""
        after = moved(member, self._watched, self.present)
        if after != self.present:
            self._tell(after, reconciled=False)

    def away(self) -> None:
        """Take in that Discord cannot tell."""
        if self.present.known:
            self._tell(reconcile(None, self._watched, self.present), reconciled=False)

    def _tell(self, after: Present, *, reconciled: bool) -> None:
        self.present = after
        if not self._settings.voice_channel_ids:
            return
        names = self._settings.shows_names
        try:
            for report in reports(after, reconciled=reconciled, names=names):
                self._port.voice_report(report)
            self._port.voice_present(after)
        except Exception:
            _LOGGER.exception("Who is in voice could not be passed on")
