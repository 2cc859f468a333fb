"""Asleep, woken by a packet on the wire, followed until Minecraft answers, shut down, asleep."""

import ipaddress
from pathlib import Path

import pytest

from tests.lab.namespaces import HOME_ADDRESS, PREFIX, TwoNamespaces

from .scene import bursts, happened, host_and_home, power_commands

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_namespaces,
    pytest.mark.needs_demo,
    pytest.mark.timeout(180),
]

_SEEN_WITHIN = 2.0
_GONE_WITHIN = 6.0
_BOOT = {"firmware": 1.0, "api": 4.0, "guests": 0.0, "game": 2.0, "guest_shutdown": 1.0}
_DIRECTED = str(ipaddress.ip_interface(f"{HOME_ADDRESS}/{PREFIX}").network.broadcast_address)


async def test_a_host_is_woken_followed_and_shut_down(wire: TwoNamespaces, tmp_path: Path) -> None:
    async with host_and_home(wire, tmp_path, _BOOT) as (host, scene):
        await scene.shows("host.reachable", "off")

        await scene.switch("turn_on")
        await scene.shows("host.state", "running")
        await scene.shows("host.proxmox_api", "on")
        await scene.shows("game.online", "on")
        woken = await host.do("evidence")

        await scene.switch("turn_off")
        await scene.shows("host.state", "stopping")
        assert scene.state("host.power") == "off"
        await scene.shows("host.state", "off")
        await scene.shows("host.reachable", "off")
        await scene.shows("game.online", "off")
        slept = await host.do("evidence")

        journal = await scene.journal()

    waking = [change for change in scene.told("host.state") if change.state == "waking"]
    assert [change.attributes["phase"] for change in waking] == ["packet", "ping"]
    pinged = waking[-1].at
    assert happened(woken, "network_up") < pinged < happened(woken, "api_up")
    assert pinged - happened(woken, "network_up") < _SEEN_WITHIN
    assert scene.first("host.reachable", "on").at < happened(woken, "api_up")
    heard = {packet["destination"] for packet in woken["packets"] if packet["wakes"]}
    assert heard == {"255.255.255.255", _DIRECTED}
    assert bursts(slept) == 1
    assert scene.first("host.state", "running").at - happened(woken, "api_up") < _SEEN_WITHIN
    assert scene.first("game.online", "on").at - happened(woken, "game_up") < _SEEN_WITHIN
    assert power_commands(slept) == ["shutdown"]
    gone = {"host.state": "network_down", "host.reachable": "network_down"}
    for key, what in (gone | {"game.online": "game_down"}).items():
        off = scene.first(key, "off", since=happened(slept, what))
        assert off.at - happened(slept, what) < _GONE_WITHIN
    assert scene.course("host.power") == ["off", "on", "off"]
    assert scene.course("host.state") == ["off", "waking", "running", "stopping", "off"]
    assert journal == ["wake_sent", "woken", "shutdown_sent", "asleep"]
