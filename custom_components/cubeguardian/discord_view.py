"""Translate what the guardian decides into what Discord is shown.

What the house calls its entities stays in the house: who is at home is nobody's business.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
import re
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry

from .const import CONF_PUBLIC_ADDRESS
from .discord_bridge.message import CONTENT_LIMIT, Message
from .discord_bridge.quoting import plain
from .discord_bridge.view import (
    BoardView,
    EventView,
    Happening,
    HoldUpView,
    Mode,
    State,
    ThingView,
    WantedBy,
)
from .guardian import (
    HOST,
    Event,
    EventKind,
    HoldUp,
    Lease,
    RefusalReason,
    Severity,
    Snapshot,
    Source,
    State as Stage,
    ThingView as Decided,
)
from .observed import GameData
from .roster import present

# Smaller steps would only keep an edited message busy.
READY_AT_STEP: Final = timedelta(seconds=10)
PROGRESS_STEP: Final = 5
NAMED: Final = frozenset(
    {
        Source.SWITCH,
        Source.ACTION,
        Source.DISCORD,
        Source.KNOCK,
        Source.CANCELLED,
        Source.KEEP_AWAKE,
    }
)
SOURCES: Final = frozenset(source.value for source in Source)
MODE_CHANGED: Final = Happening.MODE_CHANGED.value
MARKDOWN: Final = re.compile(r"([\\*_~|>#\[\]()<`:+=-])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What things are called, and what players type to reach them; by id, the host's is HOST."""

    names: Mapping[str, str]
    addresses: Mapping[str, str]

    @classmethod
    def of_entry(cls, entry: ConfigEntry[Any], game_ids: Iterable[str]) -> Named:
        """Read the names of a host and of its game servers."""
        games = {game_id: entry.subentries[game_id] for game_id in game_ids}
        return cls(
            names={HOST: entry.title} | {key: game.title for key, game in games.items()},
            addresses={
                key: game.data.get(CONF_PUBLIC_ADDRESS) or "" for key, game in games.items()
            },
        )

    def name(self, target: str) -> str:
        """Give the name of a thing, nothing for one that is gone."""
        return self.names.get(target, "")

    def held(self, hold_ups: Iterable[HoldUp]) -> tuple[HoldUpView, ...]:
        """Give hold-ups with names; the host needs none."""
        return tuple(
            HoldUpView(
                key=one.key.value,
                subject="" if one.subject == HOST else self.name(one.subject),
                details=one.placeholders,
            )
            for one in hold_ups
        )


def board_view(
    named: Named, snapshot: Snapshot, games: Mapping[str, GameData], now: datetime
) -> BoardView:
    """Return a host with its game servers, as equal as its facts at two instants."""
    host = thing_view(named, HOST, snapshot.host, None, now)
    shown = (thing_view(named, key, snapshot.games[key], data, now) for key, data in games.items())
    return BoardView(
        host=host,
        games=tuple(_beside(host, game) for game in shown),
        mode=Mode(snapshot.mode.value),
        mode_reason=snapshot.mode_reason,
        wanted_by=tuple(dict.fromkeys(_wanted(named, one) for one in snapshot.live(HOST))),
        vetoes=tuple(sorted(set(snapshot.vetoes.values()))),
    )


def thing_view(
    named: Named, target: str, view: Decided, data: GameData | None, now: datetime
) -> ThingView:
    """Return one thing; `data` is the last look at a game server.

    The message of the day is left out: some servers change it every few seconds.
    """
    progress = view.progress(now)
    silent = view.degraded and view.state is Stage.RUNNING
    status = data.status if data else None
    names = present(data, view) if data else None
    return ThingView(
        name=named.name(target),
        state=State.DEGRADED if silent else State(view.state.value),
        is_game=target != HOST,
        phase=view.phase.value if view.phase else "",
        cause=view.cause.value if view.cause else "",
        by=view.by or "",
        since=view.since,
        ready_at=_stepwise(view.ready_at(now)),
        shutdown_at=view.shutdown_at,
        retry_at=view.retry_at if view.state is Stage.FAILED else None,
        progress=None if progress is None else progress - progress % PROGRESS_STEP,
        held=named.held(view.held),
        address=named.addresses.get(target, ""),
        version=status.version if status else "",
        players_online=status.players_online if status else None,
        players_max=status.players_max if status else None,
        players=tuple(sorted(names or ())),
    )


def _beside(host: ThingView, game: ThingView) -> ThingView:
    """Return a game server of a host: one that falls silent as that goes down goes down too."""
    if host.state is State.STOPPING and game.state is State.DEGRADED:
        return replace(game, state=State.STOPPING, by=host.by)
    return game


def event_view(named: Named, snapshot: Snapshot, event: Event, now: datetime) -> EventView:
    """Return an event of the guardian with what explains it."""
    details = event.placeholders
    view = snapshot.host if event.target == HOST else snapshot.games[event.target]
    return EventView(
        kind=_kind(event),
        name=named.name(event.target),
        is_game=event.target != HOST,
        is_alert=event.severity is Severity.ALERT,
        at=event.at,
        by=event.by or "",
        seconds=int(details["seconds"]) if "seconds" in details else None,
        ready_at=_stepwise(view.ready_at(now)),
        shutdown_at=view.shutdown_at if event.kind is EventKind.COUNTDOWN_STARTED else None,
        retry_at=view.retry_at if view.state is Stage.FAILED else None,
        phase=details.get("phase", ""),
        code=details.get("code", ""),
        command=details.get("command", ""),
        reason=event.reason.value if event.reason else "",
        told=_told(snapshot, event.reason),
        who=_who(details.get("source", "")),
        guest=details.get("name") or details.get("vmid", ""),
        address=named.addresses.get(event.target, ""),
        hold_ups=named.held(event.hold_ups),
    )


def mode_view(named: Named, snapshot: Snapshot, now: datetime) -> EventView:
    """Return that the mode has changed; the journal knows by whom."""
    entry = next((one for one in reversed(snapshot.journal) if one.kind == MODE_CHANGED), None)
    return EventView(
        kind=Happening.MODE_CHANGED,
        name=named.name(HOST),
        at=now,
        by=(entry.by or "") if entry else "",
        mode=Mode(snapshot.mode.value),
        told=snapshot.mode_reason,
    )


def players_view(
    named: Named, target: str, kind: Happening, names: Iterable[str], now: datetime
) -> EventView:
    """Return who joined, or left, a game server."""
    return EventView(
        kind=kind, name=named.name(target), is_game=True, at=now, names=tuple(sorted(names))
    )


def notice(message: str, title: str | None = None) -> Message:
    """Return somebody's own text as it is: no mention, no link, no formatting comes of it."""
    lines = [_literal(line) for line in message.splitlines()]
    if heading := _literal(title or ""):
        lines.insert(0, f"**{heading}**")
    return Message(content="\n".join(lines).strip()).fitted()


def _literal(text: str) -> str:
    """Return one line in which nothing means anything to Discord."""
    return MARKDOWN.sub(r"\\\1", plain(text, CONTENT_LIMIT))


def _stepwise(instant: datetime | None) -> datetime | None:
    """Return an instant in steps, so that what is estimated anew is often the same."""
    if instant is None:
        return None
    step = READY_AT_STEP.total_seconds()
    return datetime.fromtimestamp(round(instant.timestamp() / step) * step, instant.tzinfo)


def _wanted(named: Named, lease: Lease) -> WantedBy:
    """Return why something is up, without the names of entities."""
    name = lease.name if lease.source in NAMED else ""
    if lease.source is Source.PLAYERS:
        name = named.name(lease.target)
    return WantedBy(source=lease.source.value, name=name, until=lease.until, doubtful=lease.unknown)


def _kind(event: Event) -> Happening:
    """Return what happened; a game server that came up along with its host is ready as any."""
    if event.kind is EventKind.FOUND_RUNNING and event.target != HOST:
        return Happening.WOKEN
    return Happening(event.kind.value)


def _told(snapshot: Snapshot, reason: RefusalReason | None) -> str:
    """Return the text that somebody gave for what was refused."""
    match reason:
        case RefusalReason.MAINTENANCE:
            return snapshot.mode_reason
        case RefusalReason.FORBIDDEN:
            return ", ".join(sorted(set(snapshot.vetoes.values())))
    return ""


def _who(source: str) -> str:
    """Return where a demand came from; one that has a name came from an entity."""
    return source if source in SOURCES or not source else Source.ENTITY.value
