"""Runs of the demo, and what is asked of every one of them."""

from collections.abc import Callable
from dataclasses import dataclass
import json
from pathlib import Path
import subprocess
import sys
from typing import Any

from .lab.demo import judge
from .lab.namespaces import project_root
from .lab.pve import TOKEN_SECRET

_LONGEST = 480

type Evidence = dict[str, Any]
type Tamper = Callable[[Evidence], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the demo."""

    story: str
    code: int
    shown: str
    progress: str
    target: Path

    def evidence(self) -> Evidence:
        """Read the evidence afresh from its file."""
        return dict(json.loads(self.target.read_text("utf-8")))


def run_demo(story: str, directory: Path) -> Run:
    """Run the demo without a person and keep everything that it leaves behind."""
    target = directory / "evidence.json"
    demo = str(project_root() / "scripts/demo")
    command = [demo, "--headless", "--story", story, "--json", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LONGEST)
    return Run(
        story=story, code=done.returncode, shown=done.stdout, progress=done.stderr, target=target
    )


def tells_the_whole_story(run: Run, *, steps: int, within: float) -> None:
    """See that a run saw every step, in time, and that nothing was logged about us."""
    assert run.code == 0, run.shown + run.progress
    assert f"{steps}/{steps}" in run.progress
    evidence = run.evidence()
    assert evidence["story"] == run.story
    assert evidence["log"] == []
    assert evidence["finished_at"] - evidence["set_up"][0]["at"] < within


def is_judged_again(run: Run) -> None:
    """See that another process comes to the same, from the file alone."""
    command = [sys.executable, "-m", "tests.lab.demo.judge", str(run.target)]
    again = subprocess.run(command, capture_output=True, text=True, cwd=project_root(), check=False)
    assert again.returncode == 0
    assert again.stdout == run.shown


def holds_no_secret(run: Run) -> None:
    """See that the secret of the token is in nothing that is left."""
    assert TOKEN_SECRET not in run.target.read_text("utf-8")
    assert TOKEN_SECRET not in run.shown + run.progress


def fails_without(run: Run, tamper: Tamper, missing: str) -> None:
    """See that evidence passes, and no more at one step once something was taken from it."""
    evidence = run.evidence()
    assert judge.judge(evidence).passed
    tamper(evidence)
    judgement = judge.judge(evidence)
    assert not judgement.passed
    assert judgement.verdicts[-1].name == missing
