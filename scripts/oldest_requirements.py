"""Print the oldest version that a manifest allows of each of its requirements."""

import json
from pathlib import Path
import re
import sys


def oldest(requirement: str) -> str:
    """Return `name==lower` for a requirement such as `name>=lower,<upper`."""
    match = re.fullmatch(r"([A-Za-z0-9._-]+)>=([0-9.]+),<[0-9.]+", requirement)
    if match is None:
        raise SystemExit(f"not a range with both ends: {requirement}")
    return f"{match[1]}=={match[2]}"


if __name__ == "__main__":
    manifest = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    print("\n".join(oldest(requirement) for requirement in manifest["requirements"]))
