"""Texts as somebody would write them who wants to break out."""

import random
import re
from typing import Final

# What must not be left anywhere: a mention, an end of inline code, a link, a line of one's own.
SPECIAL: Final = re.compile(
    r"[@`\n\r\u2028\u2029\u00a7\u202a-\u202e\u2066-\u2069\u200b-\u200f]|://|\.\w{2,}/"
)

_PARTS: Final = (
    "@everyone", "@here", "<@1>", "<@!1>", "<@&1>", "<#1>", "</stop:1>", "<:a:1>", "<t:0:R>",
    "<id:home>", "`", "``", "```", "\uff40", "\\", "\\`", "**", "__", "~~", "||", "> ", ">>> ",
    "# ", "-# ", "- ", "1. ", "[x](https://evil.example)", "<https://evil.example/>",
    "https://evil.example/a", "http://1.2.3.4", "https:////x.yz//", "discord.gg/abc",
    "www.evil.example/", "discord://x", "ftp://x.yz/", ":", "/", "//", ".", "gg/", "{by}", "{0}",
    "{", "}", "%s", "${jndi:ldap://x}", "\n", "\r\n", "\u2028", "\x00", "\x1b[0m", "\x7f",
    "\u202e", "\u2066", "\u200b", "\u200f", "\ufeff", "\ud800", "\udfff", "\ue000", "\u00a7c",
    "\u00a7", "\u0301", "\u0489" * 9, "\U0001f41d", "\U000e0041", "é", "ß", "Robin", "Alex_99",
    " ", "  ", "\t", "\u00a0", "\u3000",
)  # fmt: skip


def hostile_text(dice: random.Random, *, without: str = "") -> str:
    """Return a text, short or far too long."""
    parts = dice.choices(_PARTS, k=dice.choice((0, 1, 2, 3, 5, 8, 40)))
    text = "".join(parts) * dice.choice((1, 1, 1, 1, 50))
    return "".join(one for one in text if one not in without)
