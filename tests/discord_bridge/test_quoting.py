"""What somebody else chose does no harm on Discord."""

import random
import unicodedata

import pytest

from custom_components.cubeguardian.discord_bridge.quoting import NOTHING, code, codes, plain

from .hostile import SPECIAL, hostile_text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Robin", "Robin"),
        ("Zoë 🐝", "Zoë 🐝"),
        ("play.example.org:25566", "play.example.org:25566"),
        ("1/20 players", "1/20 players"),
        ("a`b``c", "aˋbˋˋc"),
        ("@everyone", "\uff20everyone"),
        ("<@123>", "<\uff20123>"),
        ("https://evil.example/x", "https: / /evil.example /x"),
        ("discord.gg/abc", "discord.gg /abc"),
        ("\u00a7cRed\u00a7", "Red"),
        ("one\ntwo\r\u2028three", "one two three"),
        ("ab\u202ecd\u200be", "ab cd e"),
        ("\ud800x\x1b[31m", "x [31m"),
        ("e\u0301" + "\u0301" * 50, "e\u0301\u0301"),
        ("  ", ""),
    ],
)
def test_harmful_characters_are_taken_apart(given: str, shown: str) -> None:
    assert plain(given) == shown


def test_code_is_never_empty_nor_left_open() -> None:
    assert code("") == code("\u200b\n") == NOTHING
    assert code("`") == "`ˋ`"
    assert codes(("a", "b")) == "`a`, `b`"


def test_a_text_is_cut() -> None:
    assert plain("x" * 1000, 10) == "x" * 10
    assert plain("x " * 1000, 10) == "x x x x x"


def test_nothing_injectable_comes_out_whatever_goes_in() -> None:
    dice = random.Random(20261122)
    for _ in range(20_000):
        text = hostile_text(dice)
        shown = plain(text)
        assert len(shown) <= 64
        assert not SPECIAL.search(shown), (text, shown)
        assert not any(unicodedata.category(one).startswith("C") for one in shown)
        assert shown == shown.strip()
        assert code(text).count("`") == 2
