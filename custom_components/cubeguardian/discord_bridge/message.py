"""A message as it is handed to Discord, within the lengths that Discord accepts."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate, takewhile
from typing import Final

CONTENT_LIMIT: Final = 2000
EMBEDS_LIMIT: Final = 10
EMBEDS_LENGTH_LIMIT: Final = 6000
TITLE_LIMIT: Final = 256
DESCRIPTION_LIMIT: Final = 4096
FIELDS_LIMIT: Final = 25
FIELD_NAME_LIMIT: Final = 256
FIELD_VALUE_LIMIT: Final = 1024
AUTHOR_LIMIT: Final = 256
FOOTER_LIMIT: Final = 2048

_MORE = "…"
# Discord refuses a field without a name or a value.
_BLANK = "\u200b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A named part of an embed."""

    name: str
    value: str
    inline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Embed:
    """A box in a message. `author` and `footer` show no markdown; `colour` is 0xRRGGBB."""

    title: str = ""
    description: str = ""
    colour: int | None = None
    author: str = ""
    footer: str = ""
    fields: tuple[Field, ...] = ()
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is said at once. `mentions` are the ids of those who may be notified by it."""

    content: str = ""
    embeds: tuple[Embed, ...] = ()
    mentions: tuple[int, ...] = ()

    def fitted(self) -> Message:
        """Return it within Discord's limits; what is too much is left out from the end."""
        left = EMBEDS_LENGTH_LIMIT
        embeds = []
        for embed in self.embeds[:EMBEDS_LIMIT]:
            fitted = _fitted(embed, left)
            left -= _embed_length(fitted)
            if fitted.title or fitted.description or fitted.fields:
                embeds.append(fitted)
        # Half of a surrogate pair cannot be sent.
        content = self.content.encode(errors="replace").decode()
        return replace(self, content=cut(content, CONTENT_LIMIT), embeds=tuple(embeds))


def length(text: str) -> int:
    """Return how long a text is at most by Discord's counting: in UTF-16 code units."""
    return len(text) + sum(ord(character) > 0xFFFF for character in text)


def cut(text: str, limit: int) -> str:
    """Return at most `limit` of a text, cut between lines where it has several.

    Inline code is never left open: what a backtick hid would become formatting.
    """
    if length(text) <= limit:
        return text
    kept = beginning(text, limit - 2)
    if "\n" in kept:
        return f"{kept.rpartition('\n')[0]}\n{_MORE}"
    if kept.count("`") % 2:
        kept = kept.rpartition("`")[0]
    return f"{kept.rstrip()}{_MORE}" if limit >= len(_MORE) + 1 else ""


def beginning(text: str, limit: int) -> str:
    """Return at most `limit` of a text by Discord's counting."""
    taken = accumulate(map(length, text))
    return text[: sum(1 for _ in takewhile(lambda end: end <= limit, taken))]


def _fitted(embed: Embed, left: int) -> Embed:
    """Return an embed that is at most `left` long."""
    author = cut(embed.author, min(AUTHOR_LIMIT, left))
    left -= length(author)
    title = cut(embed.title, min(TITLE_LIMIT, left))
    left -= length(title)
    description = cut(embed.description, min(DESCRIPTION_LIMIT, left))
    left -= length(description)
    footer = cut(embed.footer, min(FOOTER_LIMIT, left))
    return replace(
        embed,
        author=author,
        title=title,
        description=description,
        footer=footer,
        fields=_fitted_fields(embed.fields, left - length(footer)),
    )


def _fitted_fields(fields: Iterable[Field], left: int) -> tuple[Field, ...]:
    kept: list[Field] = []
    for field in fields:
        name = cut(field.name, FIELD_NAME_LIMIT) or _BLANK
        value = cut(field.value, FIELD_VALUE_LIMIT) or _BLANK
        left -= length(name) + length(value)
        if left < 0 or len(kept) == FIELDS_LIMIT:
            break
        kept.append(replace(field, name=name, value=value))
    return tuple(kept)


def _embed_length(embed: Embed) -> int:
    texts = (embed.author, embed.title, embed.description, embed.footer)
    return sum(length(text) for text in texts) + sum(
        length(field.name) + length(field.value) for field in embed.fields
    )
