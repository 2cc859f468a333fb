"""The messages that answer commands, and the panel."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from .access import Command
from .aiming import label
from .bridge_port import STAY, Asked, Board, Failed, Found, Refused
from .buttons import COMMAND_OF, Act, Button, Look
from .message import Embed, Message, beginning, length
from .quoting import code, plain
from .render import event_message, status_message
from .view import EventView, Happening, State, ThingView
from .wording import COLOURS, Texts, duration, moment, players, sign, text

_BUTTONS_MOST: Final = 25
_LABEL_LIMIT: Final = 80
_PRESENCE_LIMIT: Final = 128
_WORDS: Final = {
    Command.START: "wake",
    Command.STOP: "stop",
    Command.RESTART: "restart",
    Command.CANCEL: "cancel",
    Command.KEEP_AWAKE: "keep_awake",
    Command.MAINTENANCE: "maintenance",
    Command.REPORT: "report",
}
_FAILURES: Final = {
    Command.START: Happening.WAKE_FAILED,
    Command.STOP: Happening.SHUTDOWN_FAILED,
    Command.RESTART: Happening.SHUTDOWN_FAILED,
}
_ACTS: Final = {command: act for act, command in COMMAND_OF.items()}


def said(texts: Texts, key: str, **values: str) -> Message:
    """Return one text as a message."""
    return Message(content=text(texts, key, **values)).fitted()


def boards_message(boards: Iterable[Board], texts: Texts) -> Message:
    """Return the state of several hosts."""
    embeds = [embed for board in boards for embed in status_message(board.view, texts).embeds]
    return Message(embeds=tuple(embeds)).fitted() if embeds else said(texts, "nothing_here")


def players_message(boards: Iterable[Board], texts: Texts) -> Message:
    """Return who plays where."""
    lines = [
        f"**{code(game.name)}** {_who_plays(game, texts)}"
        for board in boards
        for game in board.view.games
    ]
    if not lines:
        return said(texts, "nothing_here")
    colour = COLOURS[State.RUNNING]
    return Message(embeds=(Embed(description="\n".join(lines), colour=colour),)).fitted()


def help_message(texts: Texts) -> Message:
    """Return what can be asked for."""
    lines = [
        f"`/{text(texts, f'cmd_{command.value}_name')}` {text(texts, f'cmd_{command.value}')}"
        for command in Command
    ]
    embed = Embed(title=text(texts, "help_title"), description="\n".join(lines))
    return Message(embeds=(embed,)).fitted()


def refused_message(found: Found, command: Command, refused: Refused, texts: Texts) -> Message:
    """Return why a command was not carried out."""
    return event_message(
        EventView(
            kind=Happening.REFUSED,
            name=found.thing.name,
            is_game=found.is_game,
            command=_WORDS.get(command, command.value),
            reason=refused.reason,
            told=refused.told,
            hold_ups=refused.hold_ups,
        ),
        texts,
    )


def failed_message(found: Found, command: Command, failed: Failed, texts: Texts) -> Message:
    """Return that a command has failed."""
    return event_message(
        EventView(
            kind=_FAILURES.get(command, Happening.REFUSED),
            name=found.thing.name,
            is_game=found.is_game,
            command=_WORDS.get(command, command.value),
            code=failed.code,
        ),
        texts,
    )


def done_message(found: Found, asked: Asked, now: datetime, texts: Texts) -> Message:
    """Return that a command was carried out which needs no following."""
    name = code(found.thing.name)
    match asked.command:
        case Command.KEEP_AWAKE if not asked.stay.on:
            return said(texts, "done_rests", name=name)
        case Command.KEEP_AWAKE if asked.stay.duration is not None:
            return said(texts, "done_awake", name=name, at=moment(now + asked.stay.duration))
        case Command.KEEP_AWAKE:
            return said(texts, "done_awake_on", name=name)
        case Command.MAINTENANCE:
            ended = "" if asked.maintenance.on else "_off"
            return said(texts, f"done_maintenance{ended}", name=name)
    return said(texts, "done_cancel", name=name)


def question_message(found: Found, asked: Asked, until: datetime, texts: Texts) -> Message:
    """Return the question whether it is really meant, with what it would end."""
    later = "_later" if asked.delay else ""
    question = text(
        texts,
        f"confirm_{asked.command.value}{later}",
        name=code(found.thing.name),
        at=moment(until),
        delay=duration(asked.delay.total_seconds()),
    )
    affected = [found.thing] if found.is_game else list(found.board.view.games)
    lines = [line for game in affected if game.players_online for line in players(texts, game)]
    return Message(content="\n".join([question, *lines])).fitted()


def question_buttons(question: str, texts: Texts) -> tuple[Button, ...]:
    """Return the two answers."""
    yes, no = text(texts, "button_yes"), text(texts, "button_no")
    return (
        Button(act=Act.YES, key=question, label=yes, look=Look.GRAVE),
        Button(act=Act.NO, key=question, label=no),
    )


def choice_buttons(asked: Asked, found: tuple[Found, ...]) -> tuple[Button, ...]:
    """Return one button for each thing that may be meant; none where buttons cannot say it all."""
    act = _ACTS.get(asked.command)
    if act is None or asked.delay or asked.stay != STAY:
        return ()
    is_one_house = len({one.board.key for one in found}) == 1
    return tuple(
        Button(act=act, key=one.key, label=_button_label(one, is_one_house=is_one_house))
        for one in found[:_BUTTONS_MOST]
    )


def panel_buttons(boards: Iterable[Board], texts: Texts) -> tuple[Button, ...]:
    """Return the buttons of the panel; what makes no sense now cannot be pressed."""
    states = [thing.state for board in boards for thing in (board.view.host, *board.view.games)]
    may_start = any(state in {State.OFF, State.FAILED} for state in states)
    may_cancel = any(state in {State.COUNTDOWN, State.STOPPING} for state in states)
    return (
        _panel_button(texts, Act.START, Look.GOOD, enabled=may_start),
        _panel_button(texts, Act.CANCEL, Look.GRAVE, enabled=may_cancel),
        _panel_button(texts, Act.KEEP_AWAKE, Look.PLAIN, enabled=bool(states)),
        _panel_button(texts, Act.REFRESH, Look.PLAIN, enabled=True),
    )


def presence(boards: Iterable[Board], texts: Texts) -> str:
    """Return what the bot is seen doing: where every host stands, and how many play."""
    shown = list(boards)
    stand = [board.view.host for board in shown]
    hosts = " · ".join(f"{sign(host.state)} {plain(host.name)}" for host in stand)
    counts = [game.players_online for one in shown for game in one.view.games]
    playing = sum(count for count in counts if count)
    suffix = f" · {text(texts, 'presence_players', count=str(playing))}" if playing else ""
    return f"{beginning(hosts, _PRESENCE_LIMIT - length(suffix))}{suffix}"


def _button_label(found: Found, *, is_one_house: bool) -> str:
    """Return the name of a thing, with its host where there are several."""
    if is_one_house:
        return beginning(plain(found.thing.name) or "?", _LABEL_LIMIT)
    return label(found, _LABEL_LIMIT)


def _panel_button(texts: Texts, act: Act, look: Look, *, enabled: bool) -> Button:
    label = text(texts, f"button_{act.value}")
    return Button(act=act, label=label, look=look, disabled=not enabled)


def _who_plays(game: ThingView, texts: Texts) -> str:
    if game.state is State.OFF:
        return text(texts, "state_off")
    return " ".join(players(texts, game)) or text(texts, "players_unknown")
