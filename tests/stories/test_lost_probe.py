"""One lost probe says nothing of a host."""

import asyncio
from pathlib import Path
import time

import pytest

from tests.lab.namespaces import HOST_ADDRESS, TwoNamespaces

from .scene import Scene, host_and_home

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_namespaces,
    pytest.mark.needs_demo,
    pytest.mark.timeout(180),
]

_PROBED = "Finished fetching Attic host data in "
_PATIENCE = 30


async def _next_probe(scene: Scene) -> float:
    """Wait for the end of the next probe and return how many seconds it took.

    Only the log tells of a probe that changes nothing.
    """
    before = len(_probes(scene))
    async with asyncio.timeout(_PATIENCE):
        while len(probes := _probes(scene)) == before:
            await asyncio.sleep(0.05)
    return probes[before]


def _probes(scene: Scene) -> list[float]:
    told = (line.partition(_PROBED)[2] for line in scene.home.log())
    return [float(rest.split()[0]) for rest in told if " seconds" in rest]


async def test_a_lost_probe_changes_nothing(wire: TwoNamespaces, tmp_path: Path) -> None:
    async with host_and_home(wire, tmp_path, up=True) as (_, scene):
        await scene.shows("host.proxmox_api", "on")
        await scene.shows("game.online", "on")
        assert await _next_probe(scene) < 1
        begun = time.time()
        wire.vanish(HOST_ADDRESS)
        assert await _next_probe(scene) > 1
        wire.silence(HOST_ADDRESS)
        assert await _next_probe(scene) < 1
        assert [change for key in scene.entities for change in scene.told(key, since=begun)] == []
        assert await scene.journal() == []
