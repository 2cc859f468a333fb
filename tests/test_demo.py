"""The demo shows the main job, and its evidence can be judged again without it."""

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
from .lab.demo import judge

pytestmark = [
    pytest.mark.needs_demo,
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_demo("main", tmp_path_factory.mktemp("demo"))


def test_the_demo_tells_the_whole_story(demo: Run) -> None:
    tells_the_whole_story(demo, steps=11, within=120)


def test_the_evidence_is_judged_again_from_its_file_alone(demo: Run) -> None:
    is_judged_again(demo)


def test_the_evidence_holds_no_secret(demo: Run) -> None:
    holds_no_secret(demo)


def _no_packet(evidence: Evidence) -> None:
    evidence["machine"]["packets"] = []


def _another_packet(evidence: Evidence) -> None:
    for packet in evidence["machine"]["packets"]:
        packet["raw"] = packet["raw"].replace("020000000042", "020000000043")


def _no_power_call(evidence: Evidence) -> None:
    requests = evidence["machine"]["requests"]
    evidence["machine"]["requests"] = [call for call in requests if call["method"] != "POST"]


def _somebody_elses_call(evidence: Evidence) -> None:
    for call in evidence["machine"]["requests"]:
        call["who"] = "root@pam!other"


def _nobody_joined(evidence: Evidence) -> None:
    for game in evidence["machine"]["games"].values():
        game["events"] = [event for event in game["events"] if event["event"] != "joined"]


def _nobody_shown(evidence: Evidence) -> None:
    for change in evidence["states"]:
        change["attributes"].pop("players", None)


def _no_refusal(evidence: Evidence) -> None:
    evidence["actions"] = [action for action in evidence["actions"] if action["accepted"]]


def _nameless_refusal(evidence: Evidence) -> None:
    for action in evidence["actions"]:
        if not action["accepted"]:
            action["error"]["message"] = "somebody is playing"


def _shut_down_nevertheless(evidence: Evidence) -> None:
    refused = next(action for action in evidence["actions"] if not action["accepted"])
    requests = evidence["machine"]["requests"]
    call = next(call for call in requests if (call["method"], call["path"]) == judge.POWER_CALL)
    requests.append({**call, "at": refused["at"]})


def _still_awake(evidence: Evidence) -> None:
    history = evidence["machine"]["history"]
    history.remove([moment for moment in history if moment["what"] == "asleep"][-1])


def _never_shown_as_off(evidence: Evidence) -> None:
    evidence["states"] = [
        change
        for change in evidence["states"]
        if change["key"] != "host.reachable" or change["at"] < evidence["actions"][-1]["at"]
    ]


def _bouncing(evidence: Evidence) -> None:
    states = evidence["states"]
    shown = next(
        change
        for change in states
        if change["key"] == "game.online"
        and change["state"] == "on"
        and change["at"] > evidence["started_at"]
    )
    states.append({**shown, "state": "off", "at": shown["at"] + 0.1})


@pytest.mark.parametrize(
    ("tamper", "missing"),
    [
        (_no_packet, "packet heard"),
        (_another_packet, "packet heard"),
        (_somebody_elses_call, "Proxmox up"),
        (_bouncing, "Minecraft up"),
        (_nobody_joined, "player joins"),
        (_nobody_shown, "player joins"),
        (_no_refusal, "switch off refused"),
        (_nameless_refusal, "switch off refused"),
        (_shut_down_nevertheless, "switch off refused"),
        (_no_power_call, "switched off"),
        (_still_awake, "asleep again"),
        (_never_shown_as_off, "asleep again"),
    ],
)
def test_evidence_that_lacks_something_is_not_enough(
    demo: Run, tamper: Tamper, missing: str
) -> None:
    fails_without(demo, tamper, missing)
