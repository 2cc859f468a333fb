"""Find what a command is meant for: by key, by what was typed, or because nothing else can be."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from .access import Command
from .bridge_port import Board, Found
from .message import beginning
from .quoting import plain
from .view import State

# Discord shows no more lines and no longer ones.
CHOICES_LIMIT: Final = 25
_CHOICE_LENGTH: Final = 100
_ONLY_HOSTS: Final = frozenset({Command.KEEP_AWAKE, Command.MAINTENANCE, Command.REPORT})
_GOING_DOWN: Final = frozenset({State.COUNTDOWN, State.STOPPING})
_DOWN: Final = frozenset({State.OFF, State.FAILED})


def things(boards: Iterable[Board], command: Command = Command.STATUS) -> tuple[Found, ...]:
    """Return everything that a command may be meant for: each host, then its game servers."""
    found = []
    for board in boards:
        found.append(Found(key=board.key, thing=board.view.host, board=board))
        if command not in _ONLY_HOSTS:
            found += [
                Found(key=key, thing=game, board=board)
                for key, game in zip(board.game_keys, board.view.games, strict=True)
            ]
    return tuple(found)


def by_key(boards: Iterable[Board], key: str) -> Found | None:
    """Return the thing with this key."""
    return next((one for one in things(boards) if one.key == key), None)


def choices(boards: Iterable[Board], typed: str, command: Command) -> list[tuple[str, str]]:
    """Return what to offer while somebody types: label and key, those that begin so first."""
    offered = [(label(one), one.key) for one in things(boards, command)]
    wanted = typed.strip().casefold()
    fitting = [line for line in offered if wanted in line[0].casefold()]
    fitting.sort(key=lambda line: not line[0].casefold().startswith(wanted))
    return fitting[:CHOICES_LIMIT]


def aim(boards: Iterable[Board], typed: str, command: Command) -> tuple[Found, ...]:
    """Return what a command may be meant for: one thing, several to choose from, or none."""
    offered = things(boards, command)
    if typed:
        wanted = typed.strip().casefold()
        return tuple(one for one in offered if typed == one.key) or tuple(
            one for one in offered if wanted in {one.thing.name.casefold(), label(one).casefold()}
        )
    return _LIKELY.get(command, _hosts)(offered)


def label(found: Found, limit: int = _CHOICE_LENGTH) -> str:
    """Return what tells a thing from others of the same name."""
    name = plain(found.thing.name) or "?"
    if not found.is_game:
        return beginning(name, limit)
    return beginning(f"{name} · {plain(found.board.view.host.name)}", limit)


def _hosts(offered: tuple[Found, ...]) -> tuple[Found, ...]:
    return tuple(one for one in offered if not one.is_game)


def _to_play(offered: tuple[Found, ...]) -> tuple[Found, ...]:
    """Return the game servers; a host alone where it has none."""
    served = {one.board.key for one in offered if one.is_game}
    return tuple(one for one in offered if one.is_game or one.key not in served)


def _to_start(offered: tuple[Found, ...]) -> tuple[Found, ...]:
    """Return what is down of what can be played on; all of it where nothing is."""
    playable = _to_play(offered)
    return tuple(one for one in playable if one.thing.state in _DOWN) or playable


def _to_cancel(offered: tuple[Found, ...]) -> tuple[Found, ...]:
    """Return the hosts that go down, or else the game servers that do."""
    falling = tuple(one for one in offered if one.thing.state in _GOING_DOWN)
    return _hosts(falling) or falling or _hosts(offered)


_LIKELY: Final[Mapping[Command, Callable[[tuple[Found, ...]], tuple[Found, ...]]]] = {
    Command.START: _to_start,
    Command.RESTART: _to_play,
    Command.CANCEL: _to_cancel,
}
