"""Home Assistant's own network is down: that says nothing of a host, and nothing is done to it."""

from pathlib import Path

import pytest

from tests.lab.namespaces import TwoNamespaces

from .cast import Actor, Part, company, refused
from .scene import power_commands

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_namespaces,
    pytest.mark.needs_demo,
    pytest.mark.timeout(240),
]

# Two steady probes, and a few seconds in which something could happen.
_UNSEEN_WITHIN = 2 * 15 + 5


async def test_a_host_that_cannot_be_seen_is_left_alone(
    wire: TwoNamespaces, tmp_path: Path
) -> None:
    async with company(wire, tmp_path, Part(name="attic", up=True)) as cast:
        host = cast["attic"]
        await host.is_up()
        await host.switch("turn_on", "keep_awake")
        await host.become_automatic()
        wire.unplug()
        await _nothing_is_seen(host)
        await host.switch("turn_off", "keep_awake")
        await host.shows("demand", "off")
        error = await refused(host.switch("turn_off"))
        assert error.key == "held_silent"
        assert host.course("state") == ["running"]
        assert host.course("power") == ["on"]

        wire.plug_in()
        await host.shows("state", "countdown")
        await host.act("cancel_shutdown")
        await host.shows("state", "running")
        assert not {"went_down", "lost"} & set(await host.journal())
        assert power_commands(await host.evidence()) == []


async def _nothing_is_seen(host: Actor) -> None:
    """Wait until it shows that nobody knows whether the host is reachable."""
    await host.shows("reachable", "unknown", within=_UNSEEN_WITHIN)
