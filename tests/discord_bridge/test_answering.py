"""What commands are answered: nothing that others chose may become more than text."""

from dataclasses import replace
from datetime import timedelta
import re

import pytest

from custom_components.cubeguardian.discord_bridge.access import Command
from custom_components.cubeguardian.discord_bridge.aiming import aim, choices
from custom_components.cubeguardian.discord_bridge.answering import (
    boards_message,
    choice_buttons,
    done_message,
    failed_message,
    help_message,
    players_message,
    presence,
    question_message,
    refused_message,
)
from custom_components.cubeguardian.discord_bridge.bridge_port import (
    Asked,
    Board,
    Failed,
    Found,
    Maintenance,
    Refused,
    Stay,
)
from custom_components.cubeguardian.discord_bridge.message import Message
from custom_components.cubeguardian.discord_bridge.view import (
    BoardView,
    HoldUpView,
    State,
    ThingView,
)

from .bridge_world import NOW

HOSTILE = (
    "EVIL @everyone",
    "EVIL <@1234> <@&1> <#1>",
    "EVIL ``` **bold** `",
    "`EVIL` [free](https://evil.example) discord.gg/EVIL",
    "EVIL\n# title\n> quote",
    "EVIL\u202e \u2066 \x00 \x1b[31m ||x||",
    "EVIL" * 500,
    "<t:1:R> EVIL <:x:1> @here",
)
CODE = re.compile(r"`[^`\n]*`")


def _board(text: str) -> Board:
    game = ThingView(
        name=text,
        state=State.RUNNING,
        is_game=True,
        by=text,
        address=text,
        version=text,
        motd=text,
        players_online=1,
        players_max=2,
        players=(text,),
        held=(HoldUpView(key="players", subject=text, details={"count": "1", "players": text}),),
    )
    host = ThingView(name=text, state=State.COUNTDOWN, by=text)
    view = BoardView(host=host, games=(game,), mode_reason=text, vetoes=(text,))
    return Board(key="h", view=view, game_keys=("g",))


def _markdown(message: Message) -> list[str]:
    """Return every place of a message in which Discord reads markdown."""
    texts = [message.content]
    for embed in message.embeds:
        texts += [embed.title, embed.description]
        texts += [part for field in embed.fields for part in (field.name, field.value)]
    return texts


def _plain(message: Message) -> list[str]:
    return [part for embed in message.embeds for part in (embed.author, embed.footer)]


def _messages(board: Board, text: str, texts: dict[str, str]) -> list[Message]:
    host, game = (one for one in aim((board,), "h", Command.STATUS) + _game(board))
    asked = Asked(user_id=1, name=text, command=Command.KEEP_AWAKE)
    until = NOW + timedelta(minutes=1)
    stays = (Stay(on=True), Stay(on=False), asked.stay)
    stop = replace(asked, command=Command.STOP)
    return [
        boards_message((board,), texts),
        players_message((board,), texts),
        *(done_message(host, replace(asked, stay=stay), NOW, texts) for stay in stays),
        *(
            done_message(
                host,
                replace(asked, command=Command.MAINTENANCE, maintenance=Maintenance(on=on)),
                NOW,
                texts,
            )
            for on in (True, False)
        ),
        done_message(host, replace(asked, command=Command.CANCEL), NOW, texts),
        question_message(host, stop, until, texts),
        question_message(game, replace(stop, delay=timedelta(minutes=5)), until, texts),
        question_message(game, replace(stop, command=Command.RESTART), until, texts),
        refused_message(game, Command.START, Refused("forbidden", told=text), texts),
        refused_message(host, Command.KEEP_AWAKE, Refused(text, told=text), texts),
        failed_message(host, Command.CANCEL, Failed(text), texts),
    ]


def _game(board: Board) -> tuple[Found, ...]:
    return tuple(one for one in aim((board,), "g", Command.STATUS))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_what_others_chose_stays_text(text: str, texts: dict[str, str]) -> None:
    board = _board(text)
    for message in _messages(board, text, texts):
        for shown in _markdown(message):
            assert "EVIL" not in CODE.sub("", shown)
            assert "@everyone" not in shown
        assert not message.mentions
        for shown in _plain(message):
            _assert_harmless(shown)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_labels_and_the_presence_are_plain_and_short(text: str, texts: dict[str, str]) -> None:
    board = _board(text)
    asked = Asked(user_id=1, name=text, command=Command.STOP)
    labels = [one.label for one in choice_buttons(asked, aim((board,), "h", Command.STOP))]
    lines = [label for label, _ in choices((board,), "", Command.STOP)]
    for shown in (*labels, *lines, presence((board,), texts)):
        _assert_harmless(shown)
        assert 0 < len(shown) <= 128
    assert all(len(label) <= 80 for label in labels)


def test_the_help_names_every_command(texts: dict[str, str]) -> None:
    shown = help_message(texts).embeds[0].description
    for command in Command:
        assert texts[f"discord_cmd_{command.value}_name"] in shown


def test_discord_takes_every_name_and_description(texts: dict[str, str]) -> None:
    keys = [key for key in texts if key.startswith(("discord_cmd_", "discord_opt_"))]
    assert len(keys) > 2 * len(Command)
    for key in keys:
        if key.endswith("_name"):
            assert re.fullmatch(r"[-\w]{1,32}", texts[key])
            assert texts[key] == texts[key].lower()
        else:
            assert 1 <= len(texts[key]) <= 100


def test_a_game_server_that_sleeps_has_no_unknown_players(texts: dict[str, str]) -> None:
    asleep = ThingView(name="a", state=State.OFF, is_game=True)
    silent = ThingView(name="b", state=State.RUNNING, is_game=True)
    view = BoardView(host=ThingView(name="h", state=State.OFF), games=(asleep, silent))
    shown = players_message((Board(key="h", view=view, game_keys=("a", "b")),), texts)
    lines = shown.embeds[0].description.splitlines()
    assert texts["discord_state_off"] in lines[0]
    assert texts["discord_players_unknown"] in lines[1]


def _assert_harmless(shown: str) -> None:
    assert "@" not in shown
    assert "://" not in shown
    assert "`" not in shown
    assert "\n" not in shown
