"""Make text that somebody else chose harmless on Discord."""

import re
from typing import Final
import unicodedata

NAME_LIMIT: Final = 64
NOTHING: Final = "`?`"

_MOST_MARKS = 2
_FORMAT_CODE = re.compile("\u00a7.?", re.DOTALL)
# Discord makes links of what has a scheme, and invitations of its own addresses without one.
_SCHEME = re.compile(r":(?=//)|(?<=/)(?=/)")
_PATH = re.compile(r"(\.\w{2,})(?=/)")
_STAND_INS = str.maketrans({"`": "\u02cb", "\uff40": "\u02cb", "@": "\uff20"})


def plain(text: str, limit: int = NAME_LIMIT) -> str:
    """Return one line that mentions nobody and links to nothing, for places without markdown.

    Everything of Unicode's category C goes (controls, direction marks, lone surrogates), and marks
    that would pile up on one character.
    """
    visible = "".join(_visible(_FORMAT_CODE.sub("", text[: limit * 8])))
    line = " ".join(visible.split()).translate(_STAND_INS)
    return _PATH.sub(r"\1 ", _SCHEME.sub(_apart, line))[:limit].rstrip()


def code(text: str, limit: int = NAME_LIMIT) -> str:
    """Return it as inline code, which Discord shows as it is."""
    line = plain(text, limit)
    return f"`{line}`" if line else NOTHING


def codes(texts: tuple[str, ...], limit: int = NAME_LIMIT) -> str:
    """Return several of them as a list."""
    return ", ".join(code(text, limit) for text in texts)


def _apart(found: re.Match[str]) -> str:
    return f"{found[0]} "


def _visible(text: str) -> list[str]:
    kept: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category.startswith("M") else 0
        if category.startswith("C"):
            kept.append(" ")
        elif marks <= _MOST_MARKS:
            kept.append(character)
    return kept
