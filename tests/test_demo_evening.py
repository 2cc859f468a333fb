"""The demo plays an idle evening: in the end the host sleeps, and nobody switched it off."""

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
    pytest.mark.timeout(500),
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_demo("evening", tmp_path_factory.mktemp("demo"))


def test_the_demo_tells_the_whole_story(demo: Run) -> None:
    tells_the_whole_story(demo, steps=13, within=400)


def test_the_evidence_is_judged_again_from_its_file_alone(demo: Run) -> None:
    is_judged_again(demo)


def test_the_evidence_holds_no_secret(demo: Run) -> None:
    holds_no_secret(demo)


def _power_calls(evidence: Evidence) -> list[Evidence]:
    requests = evidence["machine"]["requests"]
    return [call for call in requests if (call["method"], call["path"]) == judge.POWER_CALL]


def _event_not_told(kind: str) -> Tamper:
    def forget(evidence: Evidence) -> None:
        evidence["states"] = [
            change
            for change in evidence["states"]
            if change["attributes"].get("event_type") != kind
        ]

    return forget


def _no_countdown_shown(evidence: Evidence) -> None:
    evidence["states"] = [
        change for change in evidence["states"] if change["key"] != "host.shutdown_at"
    ]


def _somebody_was_there(evidence: Evidence) -> None:
    pressed = next(one for one in evidence["actions"] if one["action"] == "button.press")
    for game in evidence["machine"]["games"].values():
        game["events"].insert(
            0, {"event": "joined", "player": "Herobrine", "at": pressed["at"] - 0.5}
        )


def _lease_not_seen(evidence: Evidence) -> None:
    for change in evidence["states"]:
        if change["key"] == "host.demand":
            change["attributes"]["leases"] = []


def _did_not_wait(evidence: Evidence) -> None:
    pressed = next(one for one in evidence["actions"] if one["action"] == "button.press")
    states = evidence["states"]
    shown = next(change for change in states if change["state"] == "countdown")
    states.append({**shown, "at": pressed["at"] + 20})


def _switched_off_by_hand(evidence: Evidence) -> None:
    evidence["actions"].append(
        {
            "at": evidence["finished_at"] - 20,
            "action": "switch.turn_off",
            "entity": "host.power",
            "accepted": True,
        }
    )


def _told_twice(evidence: Evidence) -> None:
    again = {**_power_calls(evidence)[-1], "at": evidence["finished_at"] - 0.1}
    evidence["machine"]["requests"].append(again)


def _node_told_first(evidence: Evidence) -> None:
    told = _power_calls(evidence)[-1]
    told["at"] -= evidence["expected"]["guest_seconds"]


@pytest.mark.parametrize(
    ("tamper", "missing"),
    [
        (_lease_not_seen, "wanted by players alone"),
        (_event_not_told("countdown_started"), "players leave"),
        (_no_countdown_shown, "players leave"),
        (_event_not_told("countdown_cancelled"), "one comes back"),
        (_somebody_was_there, "cancelled"),
        (_did_not_wait, "stays up"),
        (_switched_off_by_hand, "shuts itself down"),
        (_told_twice, "shuts itself down"),
        (_node_told_first, "shuts itself down"),
        (_event_not_told("asleep"), "asleep again"),
    ],
)
def test_evidence_that_lacks_something_is_not_enough(
    demo: Run, tamper: Tamper, missing: str
) -> None:
    fails_without(demo, tamper, missing)
