"""A message always fits into what Discord accepts."""

from dataclasses import replace
import random

import pytest

from custom_components.cubeguardian.discord_bridge.message import (
    Embed,
    Field,
    Message,
    cut,
    length,
)

BEES = "\U0001f41d"


def embeds_length(message: Message) -> int:
    return sum(
        length(text)
        for embed in message.embeds
        for text in (
            embed.title,
            embed.description,
            embed.author,
            embed.footer,
            *(part for field in embed.fields for part in (field.name, field.value)),
        )
    )


def check(message: Message) -> None:
    assert length(message.content) <= 2000
    assert len(message.embeds) <= 10
    assert embeds_length(message) <= 6000
    for embed in message.embeds:
        assert length(embed.title) <= 256
        assert length(embed.description) <= 4096
        assert length(embed.author) <= 256
        assert length(embed.footer) <= 2048
        assert len(embed.fields) <= 25
        for field in embed.fields:
            assert 1 <= length(field.name) <= 256
            assert 1 <= length(field.value) <= 1024


def test_what_fits_stays_as_it_is() -> None:
    embed = Embed(title="a", description="b", fields=(Field(name="c", value="d"),))
    message = Message(content="Hello", embeds=(embed,))
    assert message.fitted() == message


def test_what_does_not_fit_is_cut_everywhere() -> None:
    dice = random.Random(4)
    for _ in range(300):
        sizes = [dice.choice((0, 1, 30, 255, 256, 257, 1024, 2000, 2049, 4096, 9000))] * 6
        texts = [dice.choice(("x", BEES, "`a` ", "line\n")) * size for size in sizes]
        fields = tuple(Field(name=texts[0], value=texts[1]) for _ in range(dice.choice((0, 3, 30))))
        embed = Embed(
            title=texts[2],
            description=texts[3],
            author=texts[4],
            footer=texts[5],
            fields=fields,
        )
        embeds = (embed,) * dice.choice((0, 1, 12))
        check(Message(content=texts[0], embeds=embeds).fitted())


def test_a_text_of_lines_loses_whole_lines() -> None:
    assert cut("one\ntwo\nthree", 9) == "one\n…"
    assert cut("one\ntwo\nthree", 12) == "one\ntwo\n…"


def test_inline_code_is_never_left_open() -> None:
    text = "said `**bold** and more` and `again`"
    for limit in range(len(text) + 1):
        kept = cut(text, limit)
        assert kept.count("`") % 2 == 0
        assert length(kept) <= limit


@pytest.mark.parametrize("limit", range(9))
def test_letters_outside_of_the_basic_plane_count_twice(limit: int) -> None:
    kept = cut(BEES * 4, limit)
    assert length(kept) <= limit
    kept.encode()


def test_a_field_without_a_name_or_value_gets_a_blank() -> None:
    embed = Embed(title="x", fields=(Field(name="", value=""),))
    [fitted] = Message(embeds=(embed,)).fitted().embeds
    assert fitted.fields == (Field(name="\u200b", value="\u200b"),)


def test_an_embed_that_has_nothing_left_to_say_is_left_out() -> None:
    full = Embed(description="x" * 4096)
    message = Message(embeds=(full, replace(full, description="y" * 4096), full)).fitted()
    assert len(message.embeds) == 2
    assert Message(embeds=(Embed(author="only"),)).fitted().embeds == ()


def test_half_a_surrogate_pair_is_not_handed_over() -> None:
    fitted = Message(content="a\ud800b\udfffc \U0001f41d").fitted()
    assert fitted.content == "a?b?c \U0001f41d"
