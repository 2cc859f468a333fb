"""The words of the bridge are those of the guardian, and each has its text."""

from enum import StrEnum

import pytest

from custom_components.cubeguardian import guardian
from custom_components.cubeguardian.discord_bridge import access, view
from custom_components.cubeguardian.guardian import demand, observation, safety, status

from .conftest import ALL_TEXTS


def values(words: type[StrEnum]) -> set[str]:
    return {word.value for word in words}


def test_everything_that_the_guardian_tells_can_be_shown() -> None:
    own = {view.Happening.MODE_CHANGED, view.Happening.JOINED, view.Happening.LEFT}
    assert values(view.Happening) - own == values(status.EventKind)
    assert values(view.State) - {view.State.DEGRADED} == values(status.State)
    assert values(view.Mode) == values(guardian.Mode)


def test_each_happening_is_in_one_group() -> None:
    assert set(view.GROUP_OF) == set(view.Happening)
    assert set(view.GROUP_OF.values()) == set(view.Group)


@pytest.mark.parametrize("language", ALL_TEXTS)
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("state", view.State),
        ("event", view.Happening),
        ("mode", view.Mode),
        ("phase", status.Phase),
        ("source", demand.Source),
        ("command", status.CommandKind),
        ("refused", guardian.RefusalReason),
        ("held", safety.HoldUpKey),
        ("denied", access.Denial),
    ],
)
def test_each_word_has_a_text(language: str, kind: str, words: type[StrEnum]) -> None:
    keys = {f"discord_{kind}_{word}" for word in values(words)}
    assert keys <= ALL_TEXTS[language].keys()


@pytest.mark.parametrize("language", ALL_TEXTS)
def test_every_reason_not_to_see_has_a_text(language: str) -> None:
    reasons = values(observation.ApiState) - {"ok"} | {"silent", "incomplete", "unreadable"}
    assert {f"discord_unseen_{reason}" for reason in reasons} <= ALL_TEXTS[language].keys()


def test_both_languages_say_the_same_things_with_the_same_names() -> None:
    english, french = (
        {key: text for key, text in texts.items() if key.startswith("discord_")}
        for texts in ALL_TEXTS.values()
    )
    assert english.keys() == french.keys()
    for key, text in english.items():
        assert text.strip()
        assert names_in(text) == names_in(french[key]), key


def names_in(text: str) -> list[str]:
    return sorted(part.partition("}")[0] for part in text.split("{")[1:])
