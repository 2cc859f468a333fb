"""Turn what is to be shown into messages: the state of things, what happened, what to do.

Whatever somebody else chose stands in inline code, or where Discord reads no markdown.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from .access import Denial
from .message import Embed, Field, Message
from .quoting import NAME_LIMIT, code, plain
from .view import (
    BoardView,
    EventView,
    Group,
    Happening,
    Mode,
    PersonView,
    ReportView,
    State,
    ThingView,
)
from .wording import (
    ADDRESS_LIMIT,
    COLOURS,
    REASON_LIMIT,
    Texts,
    bar,
    date,
    duration,
    hold_ups,
    moment,
    name_list,
    number,
    players,
    state,
    text,
    text_or,
    wanted,
    word,
)

_MOTD_LIMIT: Final = 100
_PEOPLE_SHOWN: Final = 15
_GROUP_COLOURS: Final[Mapping[Group, int]] = {
    Group.START: COLOURS[State.WAKING],
    Group.READY: COLOURS[State.RUNNING],
    Group.COUNTDOWN: COLOURS[State.COUNTDOWN],
    Group.SHUTDOWN: COLOURS[State.OFF],
    Group.PLAYERS: 0x5865F2,
    Group.PROBLEMS: COLOURS[State.FAILED],
}
_OWN_COLOURS: Final[Mapping[Happening, int]] = {
    Happening.COUNTDOWN_CANCELLED: COLOURS[State.RUNNING],
    Happening.ABORTED: COLOURS[State.RUNNING],
    Happening.REFUSED: COLOURS[State.WAKING],
    Happening.DEMAND_UNKNOWN: COLOURS[State.WAKING],
}


def status_message(board: BoardView, texts: Texts) -> Message:
    """Return the state of a host and its game servers; equal facts give equal messages."""
    embed = Embed(
        author=plain(board.host.name),
        title=state(texts, board.host.state),
        description="\n".join([*_thing_lines(texts, board.host), *_board_lines(texts, board)]),
        colour=COLOURS[board.host.state],
        fields=tuple(_game_field(texts, game) for game in board.games),
    )
    return Message(embeds=(embed,)).fitted()


def thing_message(thing: ThingView, texts: Texts) -> Message:
    """Return the state of one thing: what answers a command until the thing is ready."""
    embed = Embed(
        author=plain(thing.name),
        title=state(texts, thing.state),
        description="\n".join(_thing_lines(texts, thing)),
        colour=COLOURS[thing.state],
    )
    return Message(embeds=(embed,)).fitted()


def ready_message(thing: ThingView, texts: Texts, *, requester: int | None = None) -> Message:
    """Return that a thing is ready; the one mention there is goes to whoever asked for it.

    A phone shows nothing but the content, so that says it as well.
    """
    title = _title(texts, Happening.WOKEN, is_game=thing.is_game)
    content = "" if requester is None else f"<@{requester}> {code(thing.name)} · {title}"
    embed = Embed(
        author=plain(thing.name),
        title=title,
        description="\n".join(_thing_lines(texts, thing)),
        colour=COLOURS[State.RUNNING],
    )
    mentions = () if requester is None else (requester,)
    return Message(content=content, embeds=(embed,), mentions=mentions).fitted()


def event_message(event: EventView, texts: Texts, *, advise: bool = False) -> Message:
    """Return what happened; `advise` adds what to do, for those who have to act."""
    advice = _advice(texts, event) if advise else ""
    embed = Embed(
        author=plain(event.name),
        title=_title(texts, event.kind, is_game=event.is_game),
        description="\n".join(_event_lines(texts, event)),
        colour=_OWN_COLOURS.get(event.kind, _GROUP_COLOURS[event.group]),
        fields=(Field(name=text(texts, "what_to_do"), value=advice),) if advice else (),
        at=event.at,
    )
    return Message(embeds=(embed,)).fitted()


def report_message(report: ReportView, texts: Texts) -> Message:
    """Return the report of the last days."""
    fields = [
        Field(name=text(texts, f"report_{name}"), value=value, inline=True)
        for name, value in _report_values(texts, report)
    ]
    if report.people:
        shown = [_person(texts, person) for person in report.people[:_PEOPLE_SHOWN]]
        fields.append(Field(name=text(texts, "report_people"), value="\n".join(shown)))
    embed = Embed(
        author=plain(report.name),
        title=text(texts, "report_title", days=str(report.days)),
        description=text(texts, "report_since", at=date(report.since)),
        colour=_GROUP_COLOURS[Group.PLAYERS],
        fields=tuple(fields),
    )
    return Message(embeds=(embed,)).fitted()


def dropped_note(count: int, texts: Texts) -> str:
    """Return that messages were lost before this one."""
    return text(texts, "dropped_one" if count == 1 else "dropped", count=str(count))


def denial_text(denial: Denial, texts: Texts, *, until: datetime | None = None) -> str:
    """Return why a request is denied, and from when on it may be made again."""
    at = moment(until) if until is not None else ""
    return text(texts, f"denied_{denial.value}", at=at)


def _thing_lines(texts: Texts, thing: ThingView) -> list[str]:
    """Return what there is to say of a thing besides its state."""
    lines = []
    if thing.progress is not None:
        lines.append(bar(texts, thing.progress))
    if thing.phase:
        lines.append(word(texts, "phase", thing.phase))
    if thing.ready_at is not None:
        lines.append(text(texts, "ready_at", at=moment(thing.ready_at)))
    if thing.shutdown_at is not None:
        lines.append(text(texts, "shutdown_at", at=moment(thing.shutdown_at)))
    if thing.retry_at is not None and thing.state is State.FAILED:
        lines.append(text(texts, "retry_at", at=moment(thing.retry_at)))
    if thing.by and thing.state not in {State.OFF, State.RUNNING, State.DEGRADED}:
        lines.append(text(texts, "by", who=code(thing.by)))
    if thing.held:
        lines += [text(texts, "held"), *hold_ups(texts, thing.held)]
    return [*lines, *_game_lines(texts, thing)]


def _game_lines(texts: Texts, thing: ThingView) -> list[str]:
    """Return what is only known of a game server; its address is no secret while it sleeps."""
    lines = players(texts, thing)
    if thing.address:
        lines.append(text(texts, "address", address=code(thing.address, ADDRESS_LIMIT)))
    if thing.motd:
        lines.append(code(thing.motd, _MOTD_LIMIT))
    if thing.version:
        lines.append(text(texts, "version", version=code(thing.version)))
    return lines


def _game_field(texts: Texts, game: ThingView) -> Field:
    lines = [state(texts, game.state), *_thing_lines(texts, game)]
    return Field(name=code(game.name), value="\n".join(lines))


def _board_lines(texts: Texts, board: BoardView) -> list[str]:
    """Return who wants the host, and what stands against it."""
    lines = []
    if board.wanted_by:
        lines += [text(texts, "wanted"), *(wanted(texts, by) for by in board.wanted_by)]
    if board.mode is not Mode.AUTOMATIC:
        lines.append(word(texts, "mode", board.mode.value))
    if board.mode_reason:
        lines.append(code(board.mode_reason, REASON_LIMIT))
    for veto in board.vetoes:
        lines.append(text(texts, "veto", reason=code(veto, REASON_LIMIT)))
    return lines


def _title(texts: Texts, kind: Happening, *, is_game: bool) -> str:
    """Return what happened in a few words; some of it means more for a game server."""
    general = text(texts, f"event_{kind.value}")
    return text_or(texts, f"event_{kind.value}_game", general) if is_game else general


def _event_lines(texts: Texts, event: EventView) -> list[str]:
    """Return what explains an event, without what is not known."""
    lines = [text_or(texts, f"event_{event.kind.value}_text", "")]
    if event.names:
        lines.append(name_list(event.names))
    if event.mode is not None:
        lines.append(word(texts, "mode", event.mode.value))
    if event.by:
        lines.append(text(texts, "by", who=code(event.by)))
    if event.command:
        lines.append(text(texts, "asked", command=word(texts, "command", event.command)))
    if event.reason:
        lines.append(word(texts, "refused", event.reason))
    if event.told:
        lines.append(code(event.told, REASON_LIMIT))
    lines += _event_facts(texts, event)
    if event.hold_ups:
        lines += [text(texts, "held"), *hold_ups(texts, event.hold_ups)]
    return [line for line in lines if line]


def _event_facts(texts: Texts, event: EventView) -> list[str]:
    """Return the times, the place and the error of an event."""
    lines = []
    if event.guest:
        lines.append(text(texts, "guest", guest=code(event.guest)))
    if event.who:
        lines.append(text(texts, "who", source=word(texts, "source", event.who)))
    for name, at in (
        ("ready_at", event.ready_at),
        ("shutdown_at", event.shutdown_at),
        ("retry_at", event.retry_at),
    ):
        if at is not None:
            lines.append(text(texts, name, at=moment(at)))
    if event.seconds is not None and event.kind is not Happening.COUNTDOWN_STARTED:
        lines.append(text(texts, "took", time=duration(event.seconds)))
    if event.phase:
        lines.append(text(texts, "came_to", phase=word(texts, "phase", event.phase)))
    if event.code:
        lines.append(text(texts, "error", error=word(texts, "error", event.code)))
    if event.address:
        lines.append(text(texts, "address", address=code(event.address, ADDRESS_LIMIT)))
    return lines


def _advice(texts: Texts, event: EventView) -> str:
    """Return what to do: about this error, about what was reached, or about this in general."""
    kind = event.kind.value
    for key in (f"help_{event.code}", f"help_{kind}_{event.phase}", f"help_{kind}"):
        if advice := text_or(texts, key, ""):
            return advice
    return ""


def _report_values(texts: Texts, report: ReportView) -> list[tuple[str, str]]:
    """Return the numbers of a report, without those that are not known."""
    values = [
        ("starts", str(report.starts)),
        ("stops", str(report.stops)),
        ("failures", str(report.failures)),
        ("refusals", str(report.refusals)),
        ("up", duration(report.hours_up * 3600)),
        ("asleep", duration(report.hours_asleep * 3600)),
    ]
    if report.energy_saved is not None:
        values.append(("energy", text(texts, "energy", energy=number(texts, report.energy_saved))))
    if report.seconds_to_play is not None:
        values.append(("to_play", duration(report.seconds_to_play)))
    return values


def _person(texts: Texts, person: PersonView) -> str:
    return text(
        texts,
        "report_person",
        name=code(person.name, NAME_LIMIT),
        starts=str(person.starts),
        stops=str(person.stops),
        restarts=str(person.restarts),
    )
