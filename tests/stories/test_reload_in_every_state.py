"""Reloading the entry loses nothing, whatever the guardian is in the middle of."""

import asyncio
from pathlib import Path
import time

import pytest

from tests.lab.ha_client import CallError
from tests.lab.namespaces import TwoNamespaces

from .scene import Document, Scene, bursts, host_and_home, power_commands

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_namespaces,
    pytest.mark.needs_demo,
    pytest.mark.timeout(120),
]

_KEPT = ("state", "cause", "since", "by", "then", "deadline", "retry_at", "resend_at", "attempts")


async def _reload(scene: Scene, state: str) -> float:
    """Reload in this state; see that all of it was kept, and return when the reload began."""
    await scene.shows("host.state", state)
    before = await _written(scene, state)
    begun = time.time()
    await scene.reload()
    await scene.client.until(lambda: scene.course("host.state", since=begun) == [state], 10)
    assert scene.course("host.state", since=begun) == [state]
    assert _kept(scene) == before
    assert before["state"] == state
    return begun


async def _written(scene: Scene, state: str) -> Document:
    """Wait until what is shown is on the disk as well: it is written beside everything else."""
    async with asyncio.timeout(5):
        while (kept := _kept(scene))["state"] != state:
            await asyncio.sleep(0.05)
    return kept


def _kept(scene: Scene) -> Document:
    stored = scene.stored()
    return {key: stored[key] for key in _KEPT}


async def test_a_wake_goes_on_without_a_second_packet(wire: TwoNamespaces, tmp_path: Path) -> None:
    async with host_and_home(wire, tmp_path, {"firmware": 5}) as (host, scene):
        await scene.shows("host.reachable", "off")
        await scene.switch("turn_on")
        reloaded = await _reload(scene, "waking")
        await scene.shows("host.power", "on")
        await scene.shows("host.state", "running")
        assert scene.course("host.state", since=reloaded) == ["waking", "running"]
        assert scene.course("host.power", since=reloaded) == ["on"]
        assert bursts(await host.do("evidence")) == 1
        assert await scene.journal() == ["wake_sent", "woken"]


async def test_a_running_host_stays_running(wire: TwoNamespaces, tmp_path: Path) -> None:
    async with host_and_home(wire, tmp_path, up=True) as (host, scene):
        await scene.shows("game.online", "on")
        await scene.shows("host.proxmox_api", "on")
        reloaded = await _reload(scene, "running")
        await scene.shows("host.reachable", "on")
        await scene.shows("host.proxmox_api", "on")
        await scene.shows("game.online", "on")
        assert scene.course("host.state", since=reloaded) == ["running"]
        assert scene.course("host.power", since=reloaded) == ["on"]
        assert scene.course("game.server", since=reloaded) == ["on"]
        assert await scene.journal() == []
        evidence = await host.do("evidence")
    assert bursts(evidence) == 0
    assert power_commands(evidence) == []


async def test_a_countdown_keeps_its_end(wire: TwoNamespaces, tmp_path: Path) -> None:
    async with host_and_home(wire, tmp_path, up=True) as (host, scene):
        await scene.shows("host.proxmox_api", "on")
        await scene.act("shutdown_server", delay_minutes=10)
        announced = scene.state("host.shutdown_at")
        reloaded = await _reload(scene, "countdown")
        await scene.shows("host.reachable", "on")
        assert scene.course("host.shutdown_at", since=reloaded) == [announced]
        await scene.act("cancel_shutdown")
        await scene.shows("host.state", "running")
        assert await scene.journal() == ["countdown_started", "countdown_cancelled"]
        assert power_commands(await host.do("evidence")) == []


async def test_a_shutdown_goes_on_and_is_asked_for_once(
    wire: TwoNamespaces, tmp_path: Path
) -> None:
    async with host_and_home(wire, tmp_path, {"guest_shutdown": 5}, up=True) as (host, scene):
        await scene.shows("host.proxmox_api", "on")
        await scene.switch("turn_off")
        reloaded = await _reload(scene, "stopping")
        await scene.shows("host.power", "off")
        await scene.shows("host.state", "off")
        assert scene.course("host.state", since=reloaded) == ["stopping", "off"]
        assert scene.course("host.power", since=reloaded) == ["off"]
        assert await scene.journal() == ["shutdown_sent", "asleep"]
        evidence = await host.do("evidence")
    assert power_commands(evidence) == ["shutdown"]
    assert bursts(evidence) == 0


async def test_a_failure_is_not_forgotten(wire: TwoNamespaces, tmp_path: Path) -> None:
    async with host_and_home(wire, tmp_path) as (host, scene):
        await scene.shows("host.reachable", "off")
        wire.unplug()
        with pytest.raises(CallError):
            await scene.switch("turn_on")
        wire.plug_in()
        reloaded = await _reload(scene, "failed")
        await scene.shows("host.reachable", "off")
        assert scene.course("host.state", since=reloaded) == ["failed"]
        assert await scene.journal() == ["wake_sent", "wake_failed"]
        assert bursts(await host.do("evidence")) == 0
