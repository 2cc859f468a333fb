"""Print what a run of scripts/test did: its steps, and every skipped test with its reason."""

from collections import defaultdict
from pathlib import Path
import sys
from xml.etree import ElementTree


def _count(report: Path) -> str:
    suite = ElementTree.parse(report).getroot().find("testsuite")
    if suite is None:
        return "no tests"
    total = int(suite.get("tests", 0))
    failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    skipped = int(suite.get("skipped", 0))
    return f"{total - failed - skipped} passed, {failed} failed, {skipped} skipped"


def _skipped(report: Path) -> dict[str, list[str]]:
    by_reason: dict[str, list[str]] = defaultdict(list)
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        if (skip := case.find("skipped")) is not None:
            name = f"{case.get('classname', '')}::{case.get('name', '')}"
            by_reason[skip.get("message", "no reason given")].append(name)
    return by_reason


def _rows(folder: Path) -> list[tuple[str, str, str]]:
    rows = []
    for line in (folder / "steps.tsv").read_text(encoding="utf-8").splitlines():
        name, outcome, seconds = line.split("\t")
        report = folder / ("oldest.xml" if "oldest" in name else "newest.xml")
        counted = name.startswith("pytest") and report.exists()
        rows.append((name, outcome, f"{seconds:>4} s  {_count(report) if counted else ''}"))
    return rows


def main(folder: Path) -> None:
    """Print the table for the reports in a folder."""
    print("\n== summary")
    for name, outcome, rest in _rows(folder):
        print(f"{name:<28}{outcome:<8}{rest}".rstrip())
    for report in sorted(folder.glob("*.xml")):
        for reason, names in _skipped(report).items():
            print(f"\nskipped ({report.stem} libraries): {reason}")
            print("\n".join(f"  {name}" for name in names))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
