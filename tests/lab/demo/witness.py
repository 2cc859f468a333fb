"""Looks for things in the evidence of a demo, where each of them was seen."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from .discord_witness import DiscordWitness
from .sight import Evidence, NotSeenError, Sight

SYNC = "ff" * 6
POWER_CALL = ("POST", "/nodes/pve/status")


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

    @cached_property
    def discord(self) -> DiscordWitness:
        """Whoever looks at what the Discord of the demo has heard; it remembers what was seen."""
        return DiscordWitness(self.evidence["discord"])

    def action(self, name: str, after: float, *, accepted: bool = True) -> Evidence:
        """Return the next use of an action ("switch.turn_on") on an entity of the host."""
        for action in self.evidence["actions"]:
            if action["at"] >= after and action["action"] == name:
                if action["accepted"] is not accepted:
                    answer = "accepted" if action["accepted"] else "refused"
                    raise NotSeenError(f"{name} was {answer}")
                return dict(action)
        raise NotSeenError(f"{name} was not called")

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

    def event(self, kind: str, after: float) -> Evidence:
        """Return the next event of this kind in `activity`."""
        for change in self.evidence["states"]:
            told = change["attributes"].get("event_type")
            if change["at"] >= after and change["key"] == "host.activity" and told == kind:
                return dict(change)
        raise NotSeenError(f"the event {kind} was not told")

    def announced(self, after: float) -> float:
        """Return the instant at which the host was announced to go down."""
        for change in self.evidence["states"]:
            shown = change["at"] >= after and change["key"] == "host.shutdown_at"
            if shown and change["state"] not in (None, "unknown", "unavailable"):
                return datetime.fromisoformat(change["state"]).timestamp()
        raise NotSeenError("no end of the countdown was shown")

    def demand(
        self, after: float, sources: set[str], *, after_having: set[str] | None = None
    ) -> Evidence:
        """Return the first time that the host was wanted by these alone."""
        had = after_having is None
        for change in self.evidence["states"]:
            if change["at"] < after or change["key"] != "host.demand":
                continue
            leases = change["attributes"].get("leases") or []
            found = {lease["source"] for lease in leases if not lease["declined"]}
            if had and found == sources and change["state"] == ("on" if sources else "off"):
                return dict(change)
            had = had or found == after_having
        raise NotSeenError(f"it was never wanted by {', '.join(sorted(sources)) or 'nobody'} alone")

    def told_to_shut_down(self, after: float, before: float) -> list[float]:
        """Return when the node was told to shut down, by our token, and accepted that."""
        return [
            call["at"]
            for call in self.requests(*POWER_CALL, after, before)
            if call["parameters"].get("command") == "shutdown" and call["status"] == 200
        ]

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

    def guest_call(self, command: str, after: float) -> Evidence:
        """Return the next time that our token told a guest something, and was heard."""
        for request in self._machine["requests"]:
            right = request["path"].endswith(f"/status/{command}") and request["status"] == 200
            ours = request["who"] == self.expected["token_id"]
            if request["at"] >= after and request["method"] == "POST" and right and ours:
                return dict(request)
        raise NotSeenError(f"no guest was told: {command}")

    def game(self, event: str, after: float, player: str) -> Evidence:
        """Return the next time that the Minecraft server saw a player do something."""
        for game in self._machine["games"].values():
            for report in game["events"]:
                right = report["event"] == event and report.get("player") == player
                if report["at"] >= after and right:
                    return dict(report)
        raise NotSeenError(f"the Minecraft server did not see that {player} {event}")

    def playing_at(self, moment: float) -> set[str]:
        """Return who was on the Minecraft server at a time, as it saw it itself."""
        playing: set[str] = set()
        for game in self._machine["games"].values():
            for report in game["events"]:
                if report["at"] <= moment and report["event"] == "joined":
                    playing.add(report["player"])
                elif report["at"] <= moment and report["event"] == "left":
                    playing.discard(report["player"])
        return playing


type Step = Callable[[Witness, float], Iterator[Sight]]
type Steps = tuple[tuple[str, Step], ...]
