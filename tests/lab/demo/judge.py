"""Judges the evidence of a demo from its file alone: was every step truly seen, in order?

    python -m tests.lab.demo.judge evidence.json

Each step must be seen at its source (the wire, the node, the Minecraft server) and in Home
Assistant, after the step before it.
"""

from dataclasses import dataclass
import json
from pathlib import Path
import sys

from . import discord_steps, evening_steps, main_steps
from .sight import GAME, HOME, HOST, Evidence, NotSeenError, Sight
from .witness import POWER_CALL, Step, Steps, Verdict, Witness

__all__ = ["POWER_CALL", "STORIES", "Judgement", "judge", "report"]

STORIES: dict[str, Steps] = {
    "main": main_steps.STEPS,
    "evening": evening_steps.STEPS,
    "discord": discord_steps.STEPS,
}
# What was shown how long after it had happened: the step, and where it happened.
_REACTIONS = {
    "up": ("Proxmox up", HOST),
    "gone": ("asleep again", HOST),
    "game": ("Minecraft up", GAME),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What is to be said of a whole story; what follows an unseen step is not judged."""

    steps: int
    verdicts: tuple[Verdict, ...]

    @property
    def passed(self) -> bool:
        """Whether the whole story was seen."""
        return len(self.verdicts) == self.steps and all(one.passed for one in self.verdicts)


def judge(evidence: Evidence) -> Judgement:
    """Judge every step of the story that the evidence is of, up to the first unseen one."""
    witness, steps = Witness(evidence), STORIES[evidence["story"]]
    verdicts: list[Verdict] = []
    after = 0.0
    for name, step in steps:
        verdict = _judge_step(witness, name, step, after)
        verdicts.append(verdict)
        if not verdict.passed:
            break
        # What Home Assistant shows may come late; the next step begins where this one did.
        after = min(sight.at for sight in verdict.sights)
    return Judgement(steps=len(steps), verdicts=tuple(verdicts))


def report(judgement: Judgement, started_at: float) -> str:
    """Return the timeline as text, what is missing, and how fast Home Assistant was."""
    lines = []
    for verdict in judgement.verdicts:
        lines += [
            f"{sight.at - started_at:7.2f} s  {sight.where:<14}  {sight.what}"
            for sight in sorted(verdict.sights, key=lambda sight: sight.at)
        ]
        if not verdict.passed:
            lines.append(f"  NOT SEEN: {verdict.name}: {verdict.missing}")
    return "\n".join([*lines, _reactions(judgement)])


def _reactions(judgement: Judgement) -> str:
    """Return how long Home Assistant took to show what had happened."""
    seen = {verdict.name: verdict.sights for verdict in judgement.verdicts if verdict.passed}
    taken = []
    for what, (name, source) in _REACTIONS.items():
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
    judgement = judge(evidence)
    print(report(judgement, evidence["started_at"]))
    return 0 if judgement.passed else 1


if __name__ == "__main__":
    sys.exit(main())
