"""Judges the evidence of a demo from its file alone: was every step truly seen, in order?

    python -m tests.lab.demo.judge evidence.json

Each step must be seen at its source (the wire, the node, the Minecraft server) and in Home
Assistant, after the step before it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
import json
from pathlib import Path
import sys
from typing import Any

SYNC = "ff" * 6
HOME, HOST, WIRE, GAME = "Home Assistant", "host", "wire", "Minecraft"
POWER_CALL = ("POST", "/nodes/pve/status")

type Evidence = dict[str, Any]


class NotSeenError(Exception):
    """Something that the step needs is not in the evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One thing that was seen, where and when."""

    at: float
    where: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The judgement of one step."""

    name: str
    sights: tuple[Sight, ...] = ()
    missing: str = ""

    @property
    def passed(self) -> bool:
        """Whether everything was seen."""
        return not self.missing


class Witness:
    """Looks for things in the evidence after a given time; NotSeenError where there is none."""

    def __init__(self, evidence: Evidence) -> None:
        """Read from this evidence."""
        self.evidence = evidence
        self.expected = evidence["expected"]
        self._machine = evidence["machine"]

    def action(self, service: str, after: float, *, accepted: bool) -> Evidence:
        """Return the next use of the host's switch."""
        for action in self.evidence["actions"]:
            if action["at"] >= after and action["action"] == f"switch.{service}":
                if action["accepted"] is not accepted:
                    answer = "accepted" if action["accepted"] else "refused"
                    raise NotSeenError(f"{service} was {answer}")
                return dict(action)
        raise NotSeenError(f"{service} was not called")

    def state(
        self, key: str, after: float, states: tuple[str, ...], **attributes: object
    ) -> Evidence:
        """Return the first time that an entity had one of these states, and these attributes."""
        for change in self.evidence["states"]:
            has = {name: change["attributes"].get(name) for name in attributes}
            if (
                change["at"] >= after
                and change["key"] == key
                and change["state"] in states
                and has == attributes
            ):
                return dict(change)
        raise NotSeenError(f"Home Assistant never showed {key} as {' or '.join(states)}")

    def steady(self, key: str, after: float, before: float) -> None:
        """Make sure that an entity did not change its state between two times."""
        first = self.state_at(key, after)
        for change in self.evidence["states"]:
            if change["key"] == key and after < change["at"] < before and change["state"] != first:
                raise NotSeenError(f"{key} did not stay {first}: it became {change['state']}")

    def state_at(self, key: str, moment: float) -> str | None:
        """Return what an entity showed at a time."""
        shown = None
        for change in self.evidence["states"]:
            if change["key"] == key and change["at"] <= moment:
                shown = change["state"]
        return shown

    def moment(self, what: str, after: float, detail: str | None = None) -> Evidence:
        """Return the next thing that happened to the machine."""
        for moment in self._machine["history"]:
            right = moment["what"] == what and detail in (None, moment["detail"])
            if moment["at"] >= after and right:
                return dict(moment)
        raise NotSeenError(f"the host was never {what}")

    def machine_at(self, moment: float) -> str:
        """Return the power state of the machine at a time."""
        powers = ("asleep", "booting", "up", "stopping")
        known = [m for m in self._machine["history"] if m["what"] in powers and m["at"] <= moment]
        return str(known[-1]["what"]) if known else ""

    def packet(self, after: float) -> Evidence:
        """Return the next packet whose bytes are the magic packet of the host."""
        pattern = SYNC + self.expected["mac"].replace(":", "") * 16
        for packet in self._machine["packets"]:
            if packet["at"] >= after and pattern in packet["raw"]:
                if not packet["destination"].startswith("127."):
                    raise NotSeenError("the magic packet left loopback")
                return dict(packet)
        raise NotSeenError("no magic packet was heard")

    def requests(self, method: str, path: str, after: float, before: float) -> list[Evidence]:
        """Return what our token asked of the node."""
        return [
            request
            for request in self._machine["requests"]
            if (request["method"], request["path"]) == (method, path)
            and request["who"] == self.expected["token_id"]
            and after <= request["at"] <= before
        ]

    def game(self, event: str, after: float) -> Evidence:
        """Return the next time that the Minecraft server saw the player do something."""
        for game in self._machine["games"].values():
            for report in game["events"]:
                right = report["event"] == event and report.get("player") == self.expected["player"]
                if report["at"] >= after and right:
                    return dict(report)
        raise NotSeenError(f"the Minecraft server saw nobody who {event}")


type Step = Callable[[Witness, float], Iterator[Sight]]


def _asleep(witness: Witness, _after: float) -> Iterator[Sight]:
    switched = witness.action("turn_on", 0, accepted=True)["at"]
    if witness.machine_at(switched) != "asleep":
        raise NotSeenError("the host was not asleep at the beginning")
    yield Sight(at=witness.evidence["started_at"], where=HOST, what="asleep")
    for key in ("host.power", "host.reachable", "game.online"):
        if (shown := witness.state_at(key, switched)) != "off":
            raise NotSeenError(f"Home Assistant showed {key} as {shown}")
    yield Sight(at=witness.evidence["started_at"], where=HOME, what="off, not reachable")


def _switched_on(witness: Witness, after: float) -> Iterator[Sight]:
    action = witness.action("turn_on", after, accepted=True)
    yield Sight(at=action["at"], where=HOME, what="the switch is turned on")


def _packet_heard(witness: Witness, after: float) -> Iterator[Sight]:
    packet = witness.packet(after)
    where = f"{packet['destination']} port {packet['port']}"
    yield Sight(at=packet["at"], where=WIRE, what=f"magic packet, {where}")
    woken = witness.moment("woken", packet["at"], "magic_packet")
    yield Sight(at=woken["at"], where=HOST, what="woken by the packet")


def _booting(witness: Witness, after: float) -> Iterator[Sight]:
    booting = witness.moment("booting", after)
    yield Sight(at=booting["at"], where=HOST, what="booting")
    switched = witness.action("turn_on", 0, accepted=True)["at"]
    shown = witness.state("host.state", switched, ("waking",))
    yield Sight(at=shown["at"], where=HOME, what="waking")


def _proxmox_up(witness: Witness, after: float) -> Iterator[Sight]:
    up = witness.moment("api_up", after)
    yield Sight(at=up["at"], where=HOST, what="Proxmox answers")
    running = witness.state("host.state", up["at"], ("running",))
    yield Sight(at=running["at"], where=HOME, what="running")
    switched = witness.state(
        "host.power", witness.action("turn_on", 0, accepted=True)["at"], ("on",)
    )
    witness.steady("host.power", switched["at"], running["at"])
    api = witness.state("host.proxmox_api", up["at"], ("on",))
    yield Sight(at=api["at"], where=HOME, what="the token is accepted")
    reads = witness.requests("GET", "/nodes/pve/status", up["at"], api["at"])
    if not any(request["status"] == 200 for request in reads):
        raise NotSeenError("nobody read the state of the node")


def _minecraft_up(witness: Witness, after: float) -> Iterator[Sight]:
    up = witness.moment("game_up", after)
    yield Sight(at=up["at"], where=GAME, what="the server can be joined")
    online = witness.state("game.online", up["at"], ("on",))
    yield Sight(at=online["at"], where=HOME, what="online")
    off = witness.action("turn_off", witness.game("left", online["at"])["at"], accepted=True)
    witness.steady("game.online", online["at"], off["at"])


def _player_joins(witness: Witness, after: float) -> Iterator[Sight]:
    player = witness.expected["player"]
    joined = witness.game("joined", after)
    yield Sight(at=joined["at"], where=GAME, what=f"{player} joins")
    shown = witness.state("game.players_online", joined["at"], ("1",), players=[player])
    yield Sight(at=shown["at"], where=HOME, what=f"one player: {player}")


def _refused(witness: Witness, after: float) -> Iterator[Sight]:
    player = witness.expected["player"]
    action = witness.action("turn_off", after, accepted=False)
    if player not in action["error"]["message"]:
        raise NotSeenError(f"the refusal does not name {player}")
    yield Sight(at=action["answered_at"], where=HOME, what=action["error"]["message"])
    left = witness.game("left", action["answered_at"])
    if witness.requests(*POWER_CALL, action["at"], left["at"]):
        raise NotSeenError("the node was told to shut down although it was refused")
    if witness.machine_at(left["at"]) != "up":
        raise NotSeenError("the host did not stay up")
    yield Sight(at=action["answered_at"], where=HOST, what="stays up")


def _player_leaves(witness: Witness, after: float) -> Iterator[Sight]:
    left = witness.game("left", after)
    yield Sight(at=left["at"], where=GAME, what=f"{witness.expected['player']} leaves")
    shown = witness.state("game.players_online", left["at"], ("0",))
    yield Sight(at=shown["at"], where=HOME, what="no player")


def _switched_off(witness: Witness, after: float) -> Iterator[Sight]:
    action = witness.action("turn_off", after, accepted=True)
    yield Sight(at=action["at"], where=HOME, what="the switch is turned off")
    calls = witness.requests(*POWER_CALL, action["at"], witness.evidence["finished_at"])
    told = [
        call
        for call in calls
        if call["status"] == 200 and call["parameters"].get("command") == "shutdown"
    ]
    if len(told) != 1:
        raise NotSeenError(f"the node was told to shut down {len(told)} times")
    yield Sight(at=told[0]["at"], where=HOST, what="told to shut down, by our token")
    stopping = witness.moment("stopping", told[0]["at"], "shutdown")
    yield Sight(at=stopping["at"], where=HOST, what="guests, then the node, go down")


def _asleep_again(witness: Witness, after: float) -> Iterator[Sight]:
    asleep = witness.moment("asleep", after)
    yield Sight(at=asleep["at"], where=HOST, what="asleep")
    for key in ("host.state", "host.reachable", "game.online"):
        shown = witness.state(key, after, ("off",))
        if witness.state_at(key, witness.evidence["finished_at"]) != "off":
            raise NotSeenError(f"{key} did not stay off")
    yield Sight(at=shown["at"], where=HOME, what="off, not reachable")
    if witness.machine_at(witness.evidence["finished_at"]) != "asleep":
        raise NotSeenError("the host did not stay asleep")


STEPS: tuple[tuple[str, Step], ...] = (
    ("asleep", _asleep),
    ("switched on", _switched_on),
    ("packet heard", _packet_heard),
    ("booting", _booting),
    ("Proxmox up", _proxmox_up),
    ("Minecraft up", _minecraft_up),
    ("player joins", _player_joins),
    ("switch off refused", _refused),
    ("player leaves", _player_leaves),
    ("switched off", _switched_off),
    ("asleep again", _asleep_again),
)


def judge(evidence: Evidence) -> list[Verdict]:
    """Judge every step; a step that was not seen leaves those after it unjudged."""
    witness = Witness(evidence)
    verdicts: list[Verdict] = []
    after = 0.0
    for name, step in STEPS:
        verdict = _judge_step(witness, name, step, after)
        verdicts.append(verdict)
        if not verdict.passed:
            break
        # What Home Assistant shows may come late; the next step begins where this one did.
        after = min(sight.at for sight in verdict.sights)
    return verdicts


def passed(verdicts: list[Verdict]) -> bool:
    """Tell whether the whole story was seen."""
    return len(verdicts) == len(STEPS) and all(verdict.passed for verdict in verdicts)


def report(verdicts: list[Verdict], started_at: float) -> str:
    """Return the timeline as text, and what is missing."""
    lines = []
    for verdict in verdicts:
        lines += [
            f"{sight.at - started_at:7.2f} s  {sight.where:<14}  {sight.what}"
            for sight in sorted(verdict.sights, key=lambda sight: sight.at)
        ]
        if not verdict.passed:
            lines.append(f"  NOT SEEN: {verdict.name}: {verdict.missing}")
    return "\n".join(lines)


def reactions(verdicts: list[Verdict]) -> str:
    """Return how long Home Assistant took to show what had happened."""
    pairs = {
        "up": ("Proxmox up", HOST),
        "gone": ("asleep again", HOST),
        "game": ("Minecraft up", GAME),
    }
    seen = {verdict.name: verdict.sights for verdict in verdicts if verdict.passed}
    taken = []
    for what, (name, source) in pairs.items():
        times = {sight.where: sight.at for sight in reversed(seen.get(name, ()))}
        if HOME in times and source in times:
            taken.append(f"{what} {times[HOME] - times[source]:.1f} s")
    return f"Shown after it happened: {', '.join(taken)}"


def _judge_step(witness: Witness, name: str, step: Step, after: float) -> Verdict:
    sights: list[Sight] = []
    try:
        sights.extend(step(witness, after))
    except NotSeenError as reason:
        return Verdict(name=name, sights=tuple(sights), missing=str(reason))
    return Verdict(name=name, sights=tuple(sights))


def main() -> int:
    """Judge the file named on the command line."""
    evidence = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    verdicts = judge(evidence)
    print(report(verdicts, evidence["started_at"]), reactions(verdicts), sep="\n")
    return 0 if passed(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
