"""A host is set up while it runs: it is not taken away from those who use it."""

from pathlib import Path

import pytest

from tests.lab.namespaces import HOST_ADDRESS, HOST_INTERFACE, TwoNamespaces
from tests.lab.plan import GuestPlan, written
from tests.lab.pve import TOKEN_ID, TOKEN_SECRET
from tests.lab.remote_host import RemoteHost
from tests.lab.set_up import SetUp
from tests.lab.sleeping_host import MAC

from .cast import refused
from .scene import begin, bursts, home_on, power_commands

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_namespaces,
    pytest.mark.needs_demo,
    pytest.mark.timeout(180),
]

_FORM = {
    "host": HOST_ADDRESS,
    "port": 8006,
    "mac": MAC,
    "token_id": TOKEN_ID,
    "token_secret": TOKEN_SECRET,
    "wake_on_lan": {},
}
_SHORT = {"quiet_minutes": 0, "least_up_minutes": 0}


async def test_a_running_host_is_found_and_stays_up(wire: TwoNamespaces, tmp_path: Path) -> None:
    machine = RemoteHost(
        wire.host,
        interface=HOST_INTERFACE,
        address=HOST_ADDRESS,
        others=written([GuestPlan(vmid=200, name="nas")]),
    )
    async with machine as host, begin(home_on(wire, tmp_path / "home", [])) as scene:
        await host.do("button")
        await host.do("games_up")
        set_up = SetUp(scene.client)
        entry_id = await set_up.add_host(
            _FORM, fingerprint=await host.do("fingerprint"), asleep=False, mode="automatic"
        )
        await set_up.set_options(entry_id, automatic=_SHORT)
        power, demand = f"{entry_id}.power", f"{entry_id}.demand"
        state, mode = f"{entry_id}.state", f"{entry_id}.mode"
        await scene.name_entities()
        await scene.shows(demand, "on")
        await scene.shows(state, "running")
        assert scene.state(mode) == "automatic"
        leases = scene.attribute(demand, "leases")
        assert [lease["source"] for lease in leases] == ["found"]
        assert (await refused(scene.switch("turn_off", power))).key == "held_guest"

        await scene.act("shutdown_server", entry_id, force=True)
        await scene.shows(state, "off")
        evidence = await host.do("evidence")
    assert scene.course(state) == ["running", "stopping", "off"]
    assert (bursts(evidence), power_commands(evidence)) == (0, ["shutdown"])
