"""The hosts that the bot serves: what of them is shown, and what is asked of them."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from homeassistant.core import callback

from .discord_bridge.access import Rank
from .discord_bridge.bridge_port import (
    Asker,
    Board,
    CommandRecord,
    Failed,
    Maintenance,
    Refused,
    Stay,
)
from .discord_bridge.view import PersonView, ReportView
from .discord_bridge.voice import NOBODY_KNOWN, Present, VoiceReport, reports
from .discord_feed import HostFeed
from .discord_view import MODE_CHANGED, Named
from .guardian import (
    HOST,
    Caller,
    Guardian,
    GuardianPortError,
    Mode,
    Refused as NotDone,
    Role,
    Source,
)
from .reports import DEFAULT_DAYS, Outcome, Report, report_of
from .runtime import CubeGuardianConfigEntry

DISCORD_COMMAND: Final = "discord_command"
ROLES: Final = {Rank.ADMIN: Role.ADMIN}
# A host that is being loaded anew answers in a moment.
NOT_LOADED: Final = "timeout_error"
MISSED_MOST: Final = 50


class BotHost:
    """One host, as long as it is loaded; while it is loaded anew it is shown as it was."""

    def __init__(self, entry: CubeGuardianConfigEntry, feed: HostFeed) -> None:
        """Begin with how it stands."""
        self.entry = entry
        self.is_loaded = True
        self.present = NOBODY_KNOWN
        self.missed: deque[CommandRecord] = deque(maxlen=MISSED_MOST)
        self._feed = feed
        self._board: Board | None = None
        self._game_keys = tuple(entry.runtime_data.games)

    @property
    def guardian(self) -> Guardian:
        """Return what decides."""
        return self.entry.runtime_data.guardian

    @property
    def named(self) -> Named:
        """Return what things are called."""
        return self._feed.named

    def board(self) -> Board:
        """Return how it stands, or stood last."""
        if self._board is None or self.is_loaded:
            key, view = self.entry.entry_id, self._feed.board()
            self._board = Board(key=key, view=view, game_keys=self._game_keys)
        return self._board

    def thing(self, key: str) -> str | None:
        """Return what the guardian calls the thing with this key; None for what is not its own."""
        if key == self.entry.entry_id:
            return HOST
        return key if key in self._game_keys else None

    def forget_voice(self) -> None:
        """Let go of what a bot has told that is no more."""
        for lease in self.guardian.snapshot.leases:
            if lease.source is Source.VOICE:
                self.guardian.report(Source.VOICE, lease.target, {})

    def unload(self, present: Present) -> None:
        """Remember how it stood, and who was in voice."""
        self.board()
        self.is_loaded = False
        self.present = present


class BotHosts:
    """All hosts, by entry; this half of the bridge's port needs no Discord."""

    def __init__(self) -> None:
        """Start without any."""
        self.voice_targets: frozenset[str] = frozenset()
        self.present: Present = NOBODY_KNOWN
        self._hosts: dict[str, BotHost] = {}

    # What is shown

    def boards(self) -> tuple[Board, ...]:
        """Return everything that is shown, as it is now."""
        return tuple(host.board() for host in self._hosts.values())

    @callback
    def refresh(self) -> None:
        """Have everything looked at anew, soon."""
        for host in self._loaded():
            runtime = host.entry.runtime_data
            runtime.host.async_refresh_soon()
            for game in runtime.games.values():
                game.async_refresh_soon()

    async def report(self, key: str) -> ReportView:
        """Return the report of the last days."""
        host, _ = self._find(key)
        return _report_view(host.entry.title, report_of(host.entry, DEFAULT_DAYS))

    # What is asked

    async def wake(self, target: str, asker: Asker) -> None:
        """Wake it; return once the packet is out."""
        host, thing = self._find(target)
        with _translated(host):
            await host.guardian.wake(thing, _caller(asker), Source.DISCORD)

    async def shut_down(self, target: str, asker: Asker, delay: timedelta) -> None:
        """Shut it down; return once it has accepted or the countdown has begun."""
        host, thing = self._find(target)
        with _translated(host):
            await host.guardian.shut_down(thing, _caller(asker), delay)

    async def restart(self, target: str, asker: Asker) -> None:
        """Restart it; return once it has accepted."""
        host, thing = self._find(target)
        with _translated(host):
            await host.guardian.restart(thing, _caller(asker))

    async def cancel(self, target: str, asker: Asker) -> None:
        """Cancel its shutdown."""
        host, thing = self._find(target)
        with _translated(host):
            await host.guardian.cancel_shutdown(thing, _caller(asker))

    async def keep_awake(self, key: str, asker: Asker, stay: Stay) -> None:
        """Keep a host awake, or no longer."""
        host, _ = self._find(key)
        with _translated(host):
            host.guardian.keep_awake(stay.on, _caller(asker), stay.duration)

    async def set_maintenance(self, key: str, asker: Asker, maintenance: Maintenance) -> None:
        """Begin maintenance, or go back to the mode that was before it."""
        host, _ = self._find(key)
        mode = Mode.MAINTENANCE if maintenance.on else _mode_before(host)
        reason = maintenance.reason if maintenance.on else ""
        with _translated(host):
            host.guardian.set_mode(mode, reason, _caller(asker))

    @callback
    def record(self, record: CommandRecord) -> None:
        """Write a command into the journal of what it is about, else of the first host.

        That of a host which is loaded anew is written once it is.
        """
        hosts = sorted(self._hosts.values(), key=lambda one: not one.is_loaded)
        about = (one for one in hosts if one.thing(record.target) is not None)
        host = next(about, next(iter(hosts), None))
        if host is None:
            return
        if not host.is_loaded:
            host.missed.append(record)
            return
        thing, (details, error) = host.thing(record.target) or HOST, _noted(record)
        caller = _caller(record.asker)
        host.guardian.note(DISCORD_COMMAND, caller, details, target=thing, error=error)

    # Voice

    @callback
    def voice_report(self, report: VoiceReport) -> None:
        """Take in who wants to play, for everything that those in voice want up."""
        for host in self._loaded():
            self._tell_voice(host, report)

    @callback
    def forget_voice(self) -> None:
        """Let nobody in voice want anything: they are not watched any more."""
        self.voice_report(VoiceReport())
        self.present = NOBODY_KNOWN

    def _tell_voice(self, host: BotHost, report: VoiceReport) -> None:
        for key in self.voice_targets:
            if (thing := host.thing(key)) is not None:
                host.guardian.report(Source.VOICE, thing, report.present, report.unknown)

    def _catch_up(self, host: BotHost, before: Present, *, names: bool) -> None:
        """Tell a guardian who is in voice; only who came while it was loaded anew is news to it."""
        if before.known:
            for report in reports(before, reconciled=True, names=names):
                self._tell_voice(host, report)
        if before != self.present:
            for report in reports(self.present, reconciled=not before.known, names=names):
                self._tell_voice(host, report)

    # Who is there

    def _loaded(self) -> Iterator[BotHost]:
        return (host for host in self._hosts.values() if host.is_loaded)

    def _seek(self, key: str) -> tuple[BotHost, str] | None:
        """Return the host and the guardian's name for the thing with this key."""
        for host in self._loaded():
            if (thing := host.thing(key)) is not None:
                return host, thing
        return None

    def _find(self, key: str) -> tuple[BotHost, str]:
        """Return the same, or raise Failed for what is not there now."""
        if (found := self._seek(key)) is None:
            raise Failed(NOT_LOADED)
        return found


@contextmanager
def _translated(host: BotHost) -> Iterator[None]:
    """Say in the words of the bridge why something was not done."""
    try:
        yield
    except NotDone as refused:
        raise Refused(
            refused.reason.value,
            told=refused.placeholders.get("reason", ""),
            hold_ups=host.named.held(refused.hold_ups),
        ) from refused
    except GuardianPortError as err:
        raise Failed(err.code) from err


def _caller(asker: Asker) -> Caller:
    return Caller(name=asker.name, role=ROLES.get(asker.rank, Role.PLAYER))


def _noted(record: CommandRecord) -> tuple[dict[str, str], str | None]:
    """Return what the journal says of a command, and the code of why it was not done."""
    why = record.denial.value if record.denial else record.detail
    details = {
        "command": record.command.value,
        "result": record.result.value,
        "user": str(record.asker.user_id),
        "violation": "true" if record.violation else "",
        "locked": "true" if record.locked else "",
        "elsewhere": "true" if record.elsewhere else "",
    }
    return {key: value for key, value in details.items() if value}, why or None


def _mode_before(host: BotHost) -> Mode:
    """Return the mode before maintenance; manual where nobody remembers it."""
    snapshot = host.guardian.snapshot
    if snapshot.mode is not Mode.MAINTENANCE:
        return snapshot.mode
    for entry in reversed(snapshot.journal):
        before = entry.details.get("before")
        if entry.kind == MODE_CHANGED and before and before != Mode.MAINTENANCE:
            return Mode(before)
    return Mode.MANUAL


def _report_view(name: str, report: Report) -> ReportView:
    counts = report.host
    return ReportView(
        name=name,
        days=report.days,
        since=report.since,
        starts=counts[Outcome.STARTS],
        stops=counts[Outcome.STOPS],
        failures=counts[Outcome.FAILURES],
        refusals=counts[Outcome.REFUSALS],
        people=tuple(
            PersonView(
                name=who,
                starts=done[Outcome.STARTS],
                stops=done[Outcome.STOPS],
                restarts=done[Outcome.RESTARTS],
            )
            for who, done in sorted(report.people.items())
        ),
        hours_up=report.hours.up,
        hours_asleep=report.hours.asleep,
        energy_saved=report.savings.saved,
        seconds_to_play=report.seconds_to_play,
    )
