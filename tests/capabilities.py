"""What this machine can do beyond plain Python, and what becomes of a test that needs more.

A missing capability skips its tests and says why; where CI is set it fails them instead, so that
nothing goes untested there unnoticed.
"""

from collections.abc import Callable
import functools
import os
from pathlib import Path
import shutil
import subprocess

import pytest

_ROOT = Path(__file__).parent.parent
_CAP_NET_RAW = 1 << 13
_NODE_FLOOR = 20


def _missing_root() -> str | None:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapEff:") and int(line.split()[1], 16) & _CAP_NET_RAW:
            return None
    return "raw sockets need root (CAP_NET_RAW)"


def _missing_node() -> str | None:
    node = shutil.which("node")
    if node is None:
        return "Node is not installed"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    if int(version.stdout.lstrip("v").split(".")[0]) < _NODE_FLOOR:
        return f"Node {version.stdout.strip()} is older than {_NODE_FLOOR}"
    if not (_ROOT / "tests/lab/node/node_modules/minecraft-protocol").is_dir():
        return "the Minecraft peers are not installed (scripts/setup node)"
    return None


def _missing_namespaces() -> str | None:
    if shutil.which("ip") is None or shutil.which("unshare") is None:
        return "network namespaces need ip (iproute2) and unshare (util-linux)"
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-Urn"]
    veth = ["ip", "link", "add", "cgtest0", "type", "veth", "peer", "name", "cgtest1"]
    tried = subprocess.run([*unshare, *veth], capture_output=True, text=True, check=False)
    return f"no network namespaces here: {tried.stderr.strip()}" if tried.returncode else None


def _missing_demo() -> str | None:
    if not (_ROOT / ".venv-demo/bin/hass").exists():
        return "the demo's Home Assistant is not installed (scripts/setup demo)"
    return _missing_node()


_CHECKS: dict[str, Callable[[], str | None]] = {
    "needs_root": _missing_root,
    "needs_node": _missing_node,
    "needs_namespaces": _missing_namespaces,
    "needs_demo": _missing_demo,
}


@functools.cache
def missing(marker: str) -> str | None:
    """Say why this machine lacks what a marker asks for; None when it has it."""
    return _CHECKS[marker]()


def demand_capabilities(item: pytest.Item) -> None:
    """Skip a test whose markers ask for more than this machine has; fail it in CI."""
    for marker in _CHECKS:
        if item.get_closest_marker(marker) is None or (reason := missing(marker)) is None:
            continue
        if os.environ.get("CI"):
            pytest.fail(f"{marker}: {reason}", pytrace=False)
        pytest.skip(f"{marker}: {reason}")
