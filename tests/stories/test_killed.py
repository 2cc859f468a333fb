"""Home Assistant is killed in the middle of everything, and goes on where it was."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.namespaces import TwoNamespaces

from .cast import Actor, Part, company, play, refused, short_options
from .scene import Document, bursts, power_commands

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_namespaces,
    pytest.mark.needs_demo,
    pytest.mark.timeout(240),
]

# Longer than Home Assistant needs to be there again.
_LONG = 40
_KEPT = ("state", "cause", "since", "by", "then", "deadline", "retry_at", "attempts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """What a host is in the middle of when Home Assistant dies, and how it goes on."""

    part: Part
    begins: Callable[[Actor], Awaitable[None]]
    goes_on: Callable[[Actor, Document], Awaitable[None]]


async def test_home_assistant_is_killed_in_every_state_and_goes_on(
    wire: TwoNamespaces, tmp_path: Path
) -> None:
    async with company(wire, tmp_path, *(one.part for one in INTERRUPTED)) as cast:
        await play(*(one.begins(cast[one.part.name]) for one in INTERRUPTED))
        scene = next(iter(cast.values())).scene
        await scene.home.kill()
        stored = {name: host.stored() for name, host in cast.items()}
        await scene.home.start()
        # Home Assistant writes its registries late: ours may be new ones.
        await scene.name_entities()
        await play(
            *(one.goes_on(cast[one.part.name], stored[one.part.name]) for one in INTERRUPTED)
        )


def _is_kept(host: Actor, stored: Document) -> None:
    found = host.stored()
    assert {key: found[key] for key in _KEPT} == {key: stored[key] for key in _KEPT}


async def _sleep(host: Actor) -> None:
    await host.shows("reachable", "off")


async def _sleep_on(host: Actor, stored: Document) -> None:
    await host.shows("reachable", "off")
    assert host.course("state") == ["off"]
    assert await host.journal() == []
    _is_kept(host, stored)


async def _wake(host: Actor) -> None:
    await host.shows("reachable", "off")
    await host.switch("turn_on")
    await host.becomes(lambda: host.attribute("state", "phase") == "ping")


async def _wake_on(host: Actor, stored: Document) -> None:
    assert stored["state"] == "waking"
    await host.shows("state", "running")
    assert host.course("state") == ["waking", "running"]
    assert await host.journal() == ["wake_sent", "woken"]
    assert host.wanted_by() == {"switch"}
    assert power_commands(await host.evidence()) == []


async def _run(host: Actor) -> None:
    await host.is_up()
    await host.switch("turn_on", "keep_awake")
    await host.shows("demand", "on")
    await host.become_automatic()


async def _run_on(host: Actor, stored: Document) -> None:
    await host.is_up()
    assert host.course("state") == ["running"]
    assert host.course("power") == ["on"]
    assert host.state("keep_awake") == "on"
    assert host.wanted_by() == {"keep_awake"}
    assert (host.state("mode"), host.state("idle_minutes")) == ("automatic", "1")
    assert stored["state"] == "running"


async def _count_down(host: Actor) -> None:
    await host.is_up()
    await host.act("shutdown_server", delay_minutes=30)
    await host.shows("state", "countdown")


async def _count_on(host: Actor, stored: Document) -> None:
    await host.shows("reachable", "on")
    assert host.course("state") == ["countdown"]
    _is_kept(host, stored)
    await host.act("cancel_shutdown")
    await host.shows("state", "running")


async def _stop_guests(host: Actor) -> None:
    await host.is_up()
    await host.order("turn_off")
    await host.becomes(lambda: host.attribute("state", "phase") == "guests")


async def _announce_again(host: Actor, stored: Document) -> None:
    assert (stored["state"], stored["phase"]) == ("stopping", "guests")
    await host.shows("state", "countdown")
    assert host.state("shutdown_at") != "unknown"
    await host.act("cancel_shutdown")
    await host.shows("state", "running")
    assert power_commands(await host.evidence()) == []


async def _go_down(host: Actor) -> None:
    await host.is_up()
    await host.order("turn_off")
    await host.becomes(lambda: host.attribute("state", "phase") == "power")


async def _go_down_on(host: Actor, stored: Document) -> None:
    assert (stored["state"], stored["phase"]) == ("stopping", "power")
    await host.shows("state", "off")
    assert host.course("state") == ["stopping", "off"]
    assert await host.journal() == ["shutdown_sent", "asleep"]
    assert power_commands(await host.evidence()) == ["shutdown"]
    assert bursts(await host.evidence()) == 0


async def _fail(host: Actor) -> None:
    await host.is_up()
    await host.do("revoke", privilege="Sys.PowerMgmt")
    await refused(host.switch("turn_off"))
    await host.shows("state", "failed")


async def _fail_on(host: Actor, stored: Document) -> None:
    await host.shows("reachable", "on")
    assert host.course("state") == ["failed"]
    _is_kept(host, stored)
    await host.do("grant", privilege="Sys.PowerMgmt", path="/nodes/pve")
    await host.switch("turn_off")
    await host.shows("state", "off")


async def _fail_to_wake(host: Actor) -> None:
    await host.shows("reachable", "off")
    await refused(host.switch("turn_on"))
    await host.shows("state", "failed")


async def _let_go(host: Actor, stored: Document) -> None:
    assert (stored["state"], stored["cause"]) == ("failed", "wake")
    await host.shows("state", "off")
    assert bursts(await host.evidence()) == 0


# No adapter of Home Assistant has it, so that no packet can leave.
_NOWHERE = {"wake_on_lan": {"interface": "10.99.99.99"}}

INTERRUPTED = (
    Interrupted(part=Part(name="asleep", games=()), begins=_sleep, goes_on=_sleep_on),
    Interrupted(
        part=Part(name="waking", times={"api": _LONG}, games=()), begins=_wake, goes_on=_wake_on
    ),
    Interrupted(part=Part(name="running", up=True), begins=_run, goes_on=_run_on),
    Interrupted(
        part=Part(name="counting", games=(), up=True), begins=_count_down, goes_on=_count_on
    ),
    Interrupted(
        part=Part(name="guests", times={"guest_shutdown": 10 * _LONG}, up=True),
        begins=_stop_guests,
        goes_on=_announce_again,
    ),
    Interrupted(
        part=Part(name="power", times={"halt": _LONG}, games=(), up=True),
        begins=_go_down,
        goes_on=_go_down_on,
    ),
    Interrupted(
        part=Part(name="vain", games=(), options={**short_options(), **_NOWHERE}),
        begins=_fail_to_wake,
        goes_on=_let_go,
    ),
    Interrupted(part=Part(name="failed", games=(), up=True), begins=_fail, goes_on=_fail_on),
)
