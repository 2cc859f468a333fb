"""The demo plays a voice evening on Discord, and the evidence of Discord itself is judged."""

from collections.abc import Callable
import re

import pytest

from .demo_runs import (
    Evidence,
    Run,
    Tamper,
    fails_without,
    holds_no_secret,
    is_judged_again,
    run_demo,
    tells_the_whole_story,
)

pytestmark = [
    pytest.mark.needs_demo,
    pytest.mark.timeout(500),
]

# Tokens of the stand-in, as a bot's and as part of a webhook's address.
_SECRETS = re.compile(r"MTA1\.|/webhooks/\d+/[\w-]{20,}")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_demo("discord", tmp_path_factory.mktemp("demo"))


def test_the_demo_tells_the_whole_story(demo: Run) -> None:
    tells_the_whole_story(demo, steps=17, within=400)


def test_the_evidence_is_judged_again_from_its_file_alone(demo: Run) -> None:
    is_judged_again(demo)


def test_the_evidence_holds_no_secret(demo: Run) -> None:
    holds_no_secret(demo)
    written = demo.target.read_text("utf-8")
    assert "/webhooks/" in written
    assert not _SECRETS.search(written + demo.shown + demo.progress)


def _events(evidence: Evidence) -> list[Evidence]:
    events: list[Evidence] = evidence["discord"]["events"]
    return events


def _without(what: str, fits: Callable[[Evidence], bool] = lambda _: True) -> Tamper:
    """Return what takes the first event of a kind that fits away."""

    def take(evidence: Evidence) -> None:
        events = _events(evidence)
        events.remove(next(one for one in events if one["what"] == what and fits(one)))

    return take


def _titled(title: str, channel: str) -> Tamper:
    """Return what takes the first message with this title away, which a channel was told."""

    def take(evidence: Evidence) -> None:
        events = _events(evidence)
        events.remove(_message(evidence, title, channel))

    return take


def _message(evidence: Evidence, title: str, channel: str) -> Evidence:
    place = evidence["discord"]["channels"][channel]
    return next(
        event
        for event in _events(evidence)
        if event["what"] == "Posted"
        and event["message"]["channel_id"] == place
        and [card["title"] for card in event["message"]["embeds"]] == [title]
        and event["message"]["source"] != "interaction"
    )


def _edit_of(event: Evidence, title: str) -> bool:
    """Tell whether an event is an edit that led to this title."""
    return [card["title"] for card in event["after"]["embeds"]] == [title]


def _panel_edits(evidence: Evidence, title: str) -> list[Evidence]:
    board = evidence["discord"]["channels"]["servers"]
    return [
        event
        for event in _events(evidence)
        if event["what"] == "Edited"
        and event["after"]["channel_id"] == board
        and _edit_of(event, title)
    ]


def _no_panel_edits(title: str) -> Tamper:
    def forget(evidence: Evidence) -> None:
        for event in _panel_edits(evidence, title):
            _events(evidence).remove(event)

    return forget


def _one_edit_less(evidence: Evidence) -> None:
    _events(evidence).remove(_panel_edits(evidence, "🟢 Running")[0])


def _edited_too_often(evidence: Evidence) -> None:
    posted = _message(evidence, "💤 Asleep", "servers")
    posted["at"] = _panel_edits(evidence, "🟡 Waking up")[0]["at"] - 1.0


def _answer_never_ready(evidence: Evidence) -> None:
    events = _events(evidence)
    events.remove(
        next(
            event
            for event in events
            if event["what"] == "Edited"
            and event["after"]["source"] == "interaction"
            and _edit_of(event, "🟢 En marche")
        )
    )


def _never_seen(evidence: Evidence) -> None:
    events = _events(evidence)
    evidence["discord"]["events"] = [one for one in events if one["what"] != "PresenceSet"]


def _cancel_button_grey(evidence: Evidence) -> None:
    for event in _panel_edits(evidence, "🟠 Countdown to shutdown"):
        for button in event["after"]["buttons"]:
            button["disabled"] = True


def _said_twice(evidence: Evidence) -> None:
    events = _events(evidence)
    told = _message(evidence, "Shutdown cancelled", "lobby")
    again = {**told, "message": {**told["message"], "id": told["message"]["id"] + 1}}
    events.insert(events.index(told) + 1, again)


def _said_beside(evidence: Evidence) -> None:
    told = _message(evidence, "Asleep", "lobby")
    beside = {**told["message"], "id": 1, "channel_id": 2, "embeds": [], "content": "psst"}
    _events(evidence).append({**told, "message": beside})


def _swapped(evidence: Evidence) -> None:
    events = _events(evidence)
    first, second = (
        events.index(_message(evidence, title, "lobby"))
        for title in ("Waking up", "The host is up")
    )
    events[first], events[second] = events[second], events[first]


def _too_early(evidence: Evidence) -> None:
    _message(evidence, "Ready to play", "lobby")["at"] -= 30


def _mentioned_again(evidence: Evidence) -> None:
    members = evidence["discord"]["members"]
    told = _message(evidence, "Asleep", "lobby")
    told["message"]["pings"]["users"] = [members["lou"]]


def _another_mentioned(evidence: Evidence) -> None:
    members = evidence["discord"]["members"]
    for event in _events(evidence):
        if event["what"] == "Posted" and event["message"]["pings"]["users"]:
            event["message"]["pings"]["users"] = [members["kim"]]


def _refused_before_all(evidence: Evidence) -> None:
    for event in _events(evidence):
        if event["what"] == "Posted" and "You may not" in event["message"]["content"]:
            event["message"]["ephemeral"] = False


def _not_in_french(evidence: Evidence) -> None:
    for event in _events(evidence):
        if event["what"] == "CommandsSynced":
            event["commands"][0]["names"] = []


def _another_end(evidence: Evidence) -> None:
    told = _message(evidence, "Countdown to shutdown", "lobby")
    card = told["message"]["embeds"][0]
    card["description"] = re.sub(r"<t:\d+:R>", "<t:1:R>", card["description"])


def _nobody_named(evidence: Evidence) -> None:
    card = _message(evidence, "Shutdown cancelled", "lobby")["message"]["embeds"][0]
    card["description"] = ""


def _voice_told(evidence: Evidence) -> None:
    told = [one for one in _events(evidence) if one["what"] == "Edited"][-1]
    told["after"]["content"] = "kim is there"


def _call_refused(evidence: Evidence) -> None:
    calls = [event for event in _events(evidence) if event["what"] == "Call"]
    calls[-1]["status"] = 429


def _asked_again(evidence: Evidence) -> None:
    asked = [event for event in _events(evidence) if event["what"] == "Asked"][-1]
    _events(evidence).append({**asked, "at": evidence["finished_at"] - 20})


def _no_packet_for_voice(evidence: Evidence) -> None:
    moved = next(event for event in _events(evidence) if event["what"] == "Moved")
    packets = evidence["machine"]["packets"]
    evidence["machine"]["packets"] = [one for one in packets if one["at"] < moved["at"]]


def _node_told_first(evidence: Evidence) -> None:
    last = [one for one in evidence["machine"]["requests"] if one["method"] == "POST"][-1]
    last["at"] -= evidence["expected"]["guest_seconds"]


def _is(name: str) -> Callable[[Evidence], bool]:
    return lambda event: bool(event["name"] == name)


@pytest.mark.parametrize(
    ("tamper", "missing"),
    [
        (_without("Identified"), "Discord let in"),
        (_without("CommandsSynced"), "Discord let in"),
        (_not_in_french, "Discord let in"),
        (_never_seen, "Discord let in"),
        (_titled("💤 Asleep", "servers"), "Discord let in"),
        (_refused_before_all, "stranger turned away"),
        (_without("Answered"), "stranger turned away"),
        (_titled("Waking up", "lobby"), "started by a command"),
        (_titled("Réveil lancé", "gazette"), "started by a command"),
        (_swapped, "started by a command"),
        (_no_panel_edits("🟡 Waking up"), "started by a command"),
        (_titled("Ready to play", "lobby"), "ready"),
        (_too_early, "ready"),
        (_mentioned_again, "ready"),
        (_another_mentioned, "ready"),
        (_answer_never_ready, "ready"),
        (_without("Asked", _is("Yes")), "stopped by a command"),
        (_without("Moved"), "voice entered"),
        (_no_packet_for_voice, "voice entered"),
        (_titled("Joined", "lobby"), "players counted"),
        (_titled("Déconnexion", "gazette"), "players leave"),
        (_another_end, "voice left"),
        (_cancel_button_grey, "voice left"),
        (_no_panel_edits("🟠 Countdown to shutdown"), "voice left"),
        (_without("Asked", _is("Cancel shutdown")), "cancelled by another"),
        (_nobody_named, "cancelled by another"),
        (_said_twice, "counting down again"),
        (_asked_again, "shuts itself down"),
        (_node_told_first, "shuts itself down"),
        (_said_beside, "nothing else"),
        (_one_edit_less, "nothing else"),
        (_edited_too_often, "nothing else"),
        (_voice_told, "nothing else"),
        (_call_refused, "nothing else"),
    ],
)
def test_evidence_that_lacks_something_is_not_enough(
    demo: Run, tamper: Tamper, missing: str
) -> None:
    fails_without(demo, tamper, missing)
