"""What nobody here asked for: a power cut, and somebody at the power button."""

from pathlib import Path

import pytest

from tests.lab.namespaces import TwoNamespaces

from .scene import Scene, bursts, happened, host_and_home, power_commands

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_namespaces,
    pytest.mark.needs_demo,
    pytest.mark.timeout(180),
]

# Two missed probes of a running host: every 15 s, each waits 3 s.
_NOTICED_WITHIN = 2 * (15 + 3) + 1
# One probe of a sleeping host: every 30 s; then one a second.
_FOUND_WITHIN = 30 + 2 + 1


async def test_a_power_cut_is_seen_and_a_return_is_told_from_a_start(
    wire: TwoNamespaces, tmp_path: Path
) -> None:
    async with host_and_home(wire, tmp_path, up=True) as (host, scene):
        await scene.shows("host.proxmox_api", "on")
        await host.do("cut")
        await scene.shows("host.state", "off", within=_NOTICED_WITHIN)
        cut = await host.do("evidence")
        await scene.shows("host.power", "off")
        await scene.shows("host.reachable", "off")
        await scene.shows("game.online", "off")
        await scene.client.until(lambda: _activity(scene) == "went_down", 5)
        assert _activity(scene) == "went_down"

        await host.do("button")
        await scene.shows("host.state", "running", within=_FOUND_WITHIN)
        await scene.shows("host.power", "on")
        await scene.shows("game.online", "on")
        assert await scene.journal() == ["went_down", "rebooted"]
        evidence = await host.do("evidence")
    off = scene.first("host.state", "off").at
    assert off - happened(cut, "power_cut") < _NOTICED_WITHIN
    assert bursts(evidence) == 0
    assert power_commands(evidence) == []


def _activity(scene: Scene) -> str | None:
    return str(scene.attribute("host.activity", "event_type"))


async def test_a_host_switched_on_by_its_own_button_is_found(
    wire: TwoNamespaces, tmp_path: Path
) -> None:
    async with host_and_home(wire, tmp_path, {"api": 34}) as (host, scene):
        await scene.shows("host.reachable", "off")
        await host.do("button")
        await scene.shows("host.state", "waking", within=_FOUND_WITHIN)
        assert scene.attribute("host.state", "cause") == "found"
        await scene.shows("host.state", "running", within=40)
        await scene.shows("host.power", "on")
        evidence = await host.do("evidence")
        assert await scene.journal() == ["found_starting", "found_running"]
    assert scene.first("host.state", "running").at - happened(evidence, "api_up") < 2
    assert bursts(evidence) == 0
    assert power_commands(evidence) == []
