"""What happens to hosts in real houses, to many of them at once: each is left to its own story."""

import asyncio
from pathlib import Path
import time

import pytest

from custom_components.cubeguardian.own_guest import own_macs
from tests.lab.namespaces import TwoNamespaces
from tests.lab.plan import Console, GamePlan, GuestPlan

from .cast import Actor, Part, company, play, refused, short_options
from .scene import bursts, power_commands

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_namespaces,
    pytest.mark.needs_demo,
    pytest.mark.timeout(300),
]

_FIVE = tuple(GamePlan(vmid=101 + index, port=25565 + index) for index in range(5))
_ONE_VM = (GamePlan(port=25565), GamePlan(port=25566))
_MANAGED = (
    GamePlan(port=25565, console=Console.RCON, console_port=25575),
    GamePlan(port=25566, console=Console.PROTOCOL, console_port=25585),
)
# A packet is sent again after 15 s; a sleeping host is looked at every 30 s, a running one every
# 15 s, and it is down when it was silent twice.
_RESENT_WITHIN = 30
_FOUND_WITHIN = 30 + 5
_NOTICED_WITHIN = 2 * (15 + 3) + 2
_IDLE_WITHIN = 60 + 30

PARTS = (
    Part(name="cutwaking", times={"firmware": 3}, games=()),
    Part(name="cutstopping", times={"guest_shutdown": 60}, up=True),
    Part(name="changedmind", times={"firmware": 3}, games=()),
    Part(name="forbidden", up=True, games=()),
    Part(name="sharing", games=_ONE_VM, up=True),
    Part(name="five", games=_FIVE, up=True),
    Part(name="one", up=True),
    Part(name="updated", times={"firmware": 38}, games=(), up=True),
    Part(name="pressed", options=short_options(found_hours=4)),
    Part(name="managed", games=_MANAGED, times={"guest_shutdown": 1}, up=True),
    Part(
        name="deaf",
        games=(),
        others=(GuestPlan(vmid=200, name="nas", ignores_shutdown=True),),
        # It is given three minutes, which pass quickly here.
        times={"time_scale": 0.01},
        options=short_options(sleeping=[200]),
        up=True,
    ),
    Part(
        name="ours",
        games=(),
        others=(GuestPlan(vmid=300, name="homeassistant", macs=tuple(own_macs())),),
        options=short_options(sleeping=[300]),
        up=True,
    ),
)


async def test_hosts_have_their_stories_side_by_side(wire: TwoNamespaces, tmp_path: Path) -> None:
    async with company(wire, tmp_path, *PARTS) as cast:
        await play(
            _a_power_cut_while_waking_is_mended_by_the_next_packet(cast["cutwaking"]),
            _a_power_cut_while_stopping_ends_the_stop(cast["cutstopping"]),
            _a_stop_while_waking_follows_the_wake(cast["changedmind"]),
            _a_shutdown_that_proxmox_forbids_is_told(cast["forbidden"]),
            _two_game_servers_in_one_vm_share_it(cast["sharing"]),
            _hosts_are_independent(cast["five"], cast["one"]),
            _a_host_that_reboots_itself_keeps_its_leases(cast["updated"]),
            _a_host_switched_on_by_hand_is_found_and_stays(cast["pressed"]),
            _players_are_told_and_worlds_are_saved(cast["managed"]),
            _a_guest_that_ignores_its_shutdown_is_killed_only_by_force(cast["deaf"]),
            _home_assistant_never_switches_itself_off(cast["ours"]),
        )


async def _a_power_cut_while_waking_is_mended_by_the_next_packet(host: Actor) -> None:
    await host.shows("reachable", "off")
    await host.switch("turn_on")
    await host.do("reached", power="booting")
    await host.do("cut")
    await host.shows("state", "running", within=_RESENT_WITHIN)
    assert host.course("state") == ["off", "waking", "running"]
    assert await host.journal() == ["wake_sent", "woken"]
    assert bursts(await host.evidence()) == 2


async def _a_power_cut_while_stopping_ends_the_stop(host: Actor) -> None:
    await host.is_up()
    await host.order("turn_off")
    await host.becomes(lambda: host.attribute("state", "phase") == "guests")
    await host.do("heard", ending="/qemu/101/status/shutdown")
    await host.do("cut")
    await host.shows("state", "off", within=_NOTICED_WITHIN)
    assert host.course("state") == ["running", "stopping", "off"]
    assert (await host.journal())[-1] == "asleep"
    assert power_commands(await host.evidence()) == []
    await host.switch("turn_on")
    await host.is_up()


async def _a_stop_while_waking_follows_the_wake(host: Actor) -> None:
    await host.shows("reachable", "off")
    await host.switch("turn_on")
    await host.shows("state", "waking")
    await host.switch("turn_off")
    await host.shows("state", "off")
    assert host.course("state")[-2:] == ["stopping", "off"]
    assert host.state("power") == "off"
    told = await host.journal()
    assert (told[0], told[-1]) == ("wake_sent", "asleep")
    assert told.count("shutdown_sent") == 1
    assert power_commands(await host.evidence()) == ["shutdown"]


async def _a_shutdown_that_proxmox_forbids_is_told(host: Actor) -> None:
    await host.is_up()
    await host.do("revoke", privilege="Sys.PowerMgmt")
    assert (await refused(host.switch("turn_off"))).key == "permission_error"
    await host.shows("state", "failed")
    assert host.state("power") == "on"
    await host.becomes(lambda: host.attribute("activity", "event_type") == "shutdown_failed")
    assert host.attribute("activity", "error") == "permission_error"
    answers = [
        request["status"]
        for request in (await host.evidence())["requests"]
        if (request["method"], request["path"]) == ("POST", "/nodes/pve/status")
    ]
    assert answers == [403]
    await host.do("grant", privilege="Sys.PowerMgmt", path="/nodes/pve")
    await host.switch("turn_off")
    await host.shows("state", "off")
    told = ["shutdown_sent", "shutdown_failed", "shutdown_sent", "asleep"]
    assert await host.journal() == told


async def _two_game_servers_in_one_vm_share_it(host: Actor) -> None:
    await host.is_up()
    await host.do("players", names=["Alex"], port=25566)
    await host.shows("2.players_online", "1")
    refusal = await refused(host.act("stop_minecraft", game=1))
    assert (refusal.key, "World 2" in str(refusal)) == ("held_player", True)
    await host.do("players", names=[])
    await host.act("stop_minecraft", game=1)
    for game in (1, 2):
        await host.shows(f"{game}.state", "off")
        await host.shows(f"{game}.online", "off")
    assert host.state("state") == "running"
    await host.act("start_minecraft", game=2)
    await host.is_up()
    await host.shows("1.state", "running")
    assert power_commands(await host.evidence()) == []


async def _hosts_are_independent(five: Actor, one: Actor) -> None:
    await five.is_up()
    await one.is_up()
    await five.do("players", names=["Alex"], port=25567)
    await five.shows("3.players_online", "1")
    begun = time.time()
    for host in (five, one):
        await host.become_automatic()
    await one.shows("state", "countdown", within=10)
    await five.act("stop_minecraft", game=5)
    await five.shows("5.state", "off")
    await one.shows("state", "off", within=_IDLE_WITHIN)
    assert five.wanted_by() == {"players"}
    assert five.state("state") == "running"
    assert five.course("state", since=begun) == []
    for game in (1, 2, 3, 4):
        assert five.course(f"{game}.state", since=begun) == []
    assert power_commands(await five.evidence()) == []
    assert power_commands(await one.evidence()) == ["shutdown"]

    await five.do("players", names=[])
    await five.shows("state", "countdown")
    await five.act("cancel_shutdown")
    await five.shows("state", "running")
    assert five.wanted_by() == {"cancelled"}
    assert one.state("state") == "off"


async def _a_host_that_reboots_itself_keeps_its_leases(host: Actor) -> None:
    await host.is_up()
    await host.switch("turn_on", "keep_awake")
    await host.become_automatic()
    await host.do("reboot_itself")
    await host.shows("state", "off", within=_NOTICED_WITHIN)
    await host.shows("state", "running", within=38 + _FOUND_WITHIN)
    assert host.state("keep_awake") == "on"
    assert host.wanted_by() == {"keep_awake"}
    told = [kind for kind in await host.journal() if kind not in ("mode_changed", "found_starting")]
    assert told[-2:] == ["went_down", "rebooted"]
    evidence = await host.evidence()
    assert (bursts(evidence), power_commands(evidence)) == (0, [])


async def _a_host_switched_on_by_hand_is_found_and_stays(host: Actor) -> None:
    await host.shows("reachable", "off")
    await host.become_automatic()
    await host.do("button")
    await host.shows("state", "running", within=_FOUND_WITHIN)
    await host.shows("demand", "on")
    assert host.wanted_by() == {"found"}
    assert "found_running" in await host.journal()
    await host.is_up()
    assert host.state("state") == "running"
    evidence = await host.evidence()
    assert (bursts(evidence), power_commands(evidence)) == (0, [])


async def _players_are_told_and_worlds_are_saved(host: Actor) -> None:
    await host.is_up()
    await host.act("shutdown_server", delay_minutes=5)
    await host.shows("state", "countdown")
    await host.act("cancel_shutdown")
    await host.shows("state", "running")
    await host.switch("turn_off")
    await host.shows("state", "off")
    evidence = await host.evidence()
    console, protocol = (seen["console"] for seen in evidence["games"]["101"].values())
    spoken = [command for command in console["commands"] if command.startswith("tellraw")]
    assert ["5" in text for text in spoken][:1] == [True]
    assert len(spoken) == len(protocol["said"]) == 3
    assert "save-all flush" in console["commands"]
    assert protocol["saves"] == 1
    orders = [
        (request["path"].rpartition("/")[2], request["status"])
        for request in evidence["requests"]
        if request["method"] == "POST"
    ]
    assert orders == [("shutdown", 200), ("status", 200)]


async def _a_guest_that_ignores_its_shutdown_is_killed_only_by_force(host: Actor) -> None:
    await host.is_up()
    refusal = await refused(host.switch("turn_off"))
    assert (refusal.key, host.state("power")) == ("guest_ignores", "on")
    await host.shows("state", "failed")
    assert "guest_ignores" in await host.journal()
    assert power_commands(await host.evidence()) == []
    await host.act("shutdown_server", force=True)
    await host.shows("state", "off")
    assert power_commands(await host.evidence()) == ["shutdown"]


async def _home_assistant_never_switches_itself_off(host: Actor) -> None:
    assert host.part.others[0].macs
    await host.is_up()
    await _told_to_repair(host, f"own_guest_{host.name}")
    await host.become_automatic()
    for force in (False, True):
        refusal = await refused(host.act("shutdown_server", force=force))
        assert (refusal.key, "homeassistant" in str(refusal)) == ("held_protected", True)
    assert host.course("state") == ["running"]
    assert power_commands(await host.evidence()) == []


async def _told_to_repair(host: Actor, issue_id: str) -> None:
    async with asyncio.timeout(20):
        while True:
            found = await host.scene.client.ask("repairs/list_issues")
            if issue_id in {issue["issue_id"] for issue in found["issues"]}:
                return
            await asyncio.sleep(0.5)
