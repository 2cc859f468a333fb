"""Make text that a remote machine chose harmless to log, store and show."""

import re
import unicodedata

_FORMAT_CODE = re.compile("\u00a7.?", re.DOTALL)


def plain(text: str, limit: int) -> str:
    """Return one line of at most `limit` characters without control or formatting characters.

    Everything of Unicode's category C goes: line breaks and escapes forge log lines, direction
    marks disguise names, lone surrogates cannot even be stored.
    """
    without_codes = _FORMAT_CODE.sub("", text[: limit * 8])
    printable = "".join(
        character if not unicodedata.category(character).startswith("C") else " "
        for character in without_codes
    )
    return " ".join(printable.split())[:limit].rstrip()
