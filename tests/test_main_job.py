"""The main job on real sockets: a sleeping host is woken, watched and put to sleep again.

Home Assistant, the integration and its server manager are the real ones; the host is the lab's,
on loopback.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

from homeassistant.components.event import ATTR_EVENT_TYPE
from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, State, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import pytest_socket

from custom_components.cubeguardian.const import DOMAIN
from custom_components.cubeguardian.guardian import ApiState, State as GuardianState
from custom_components.cubeguardian.server_manager import TlsTrust

from .flows import MAC, host_data, overlook_hang_ups
from .lab.minecraft import StatusServer
from .lab.nic import LoopbackNic
from .lab.pve import TOKEN_ID, LabPve
from .lab.pve_record import Fault
from .lab.sleeping_host import Power, SleepingHost, free_port, lab_host
from .portraits import attribute_of, state_of

ADDRESS = "127.0.0.2"
VMID = 101
SWITCH = "switch.attic"
STATE = "sensor.attic_state"
API = "binary_sensor.attic_proxmox_api"
ACTIVITY = "event.attic_activity"
PLAYERS = "sensor.survival_players_online"


class World:
    """The lab's host with one game server, the entry that watches it, and what was seen of it."""

    def __init__(self, hass: HomeAssistant, machine: SleepingHost, game: StatusServer) -> None:
        """Put the entry together; it is not loaded yet."""
        assert isinstance(machine.nic, LoopbackNic)
        self.hass = hass
        self.machine = machine
        self.pve: LabPve = machine.pve
        self.nic: LoopbackNic = machine.nic
        self.game = game
        self.states: list[State] = []
        self._news = asyncio.Event()
        self.entry = MockConfigEntry(
            domain=DOMAIN,
            title="Attic",
            entry_id="01HOST",
            unique_id=MAC,
            data=host_data(
                self.pve.port,
                host=ADDRESS,
                trust=TlsTrust.pin_authority(self.pve.certificates.authority.pem).to_dict(),
            ),
            options={"wake_on_lan": {"port": self.nic.port}, "probing": {"ping": False}},
            subentries_data=[
                {
                    "data": {
                        "address": f"{ADDRESS}:{game.port}",
                        "public_address": "",
                        "edition": "java",
                        "vmid": VMID,
                    },
                    "subentry_type": "minecraft_server",
                    "subentry_id": "01SURVIVAL",
                    "title": "Survival",
                    "unique_id": None,
                }
            ],
        )
        self.entry.add_to_hass(hass)
        hass.bus.async_listen(EVENT_STATE_CHANGED, self._changed)

    @callback
    def _changed(self, event: Event[EventStateChangedData]) -> None:
        """Keep every state."""
        if (state := event.data["new_state"]) is not None:
            self.states.append(state)
        self._news.set()

    def history(self, entity_id: str) -> list[str]:
        """Return the states that an entity went through."""
        seen = [state.state for state in self.states if state.entity_id == entity_id]
        return [now for at, now in enumerate(seen) if at == 0 or seen[at - 1] != now]

    def activities(self) -> list[str]:
        """Return everything that the host's event entity told, oldest first."""
        told = [state for state in self.states if state.entity_id == ACTIVITY]
        times = {state.state: state.attributes[ATTR_EVENT_TYPE] for state in told}
        times.pop("unknown", None)
        return list(times.values())

    async def load(self) -> None:
        """Set the entry up."""
        assert await self.hass.config_entries.async_setup(self.entry.entry_id)

    async def boot(self) -> None:
        """Let the machine come up by its button."""
        await self.machine.power_button()
        await self.machine.reached(Power.UP)
        await self.machine.games_up()

    async def shows(self, entity_id: str, wanted: str, timeout: float = 20) -> None:
        """Wait until an entity is in a state."""
        async with asyncio.timeout(timeout):
            while state_of(self.hass, entity_id) != wanted:
                self._news.clear()
                await self._news.wait()

    async def turn(self, service: str) -> None:
        """Turn the host's switch."""
        await self.hass.services.async_call("switch", service, {"entity_id": SWITCH}, blocking=True)

    async def look(self) -> None:
        """Let the integration look at everything once."""
        await self.entry.runtime_data.host.async_look()
        await self.entry.runtime_data.games["01SURVIVAL"].async_look()
        await self.hass.async_block_till_done()


@pytest.fixture
def loopback(socket_enabled: None) -> None:
    """Allow real sockets on loopback, and nothing beyond it."""
    pytest_socket.socket_allow_hosts(["127.0.0.0/8"])


@pytest.fixture
async def world(loopback: None, hass: HomeAssistant, tmp_path: Path) -> AsyncGenerator[World]:
    """Plug the machine in; it sleeps."""
    overlook_hang_ups()
    game = StatusServer(ADDRESS, free_port(ADDRESS))
    async with lab_host(tmp_path, address=ADDRESS, games={VMID: game}) as machine:
        world = World(hass, machine, game)
        yield world
        await hass.config_entries.async_unload(world.entry.entry_id)


@pytest.fixture
async def running(world: World) -> World:
    """Return the world with everything up and seen."""
    await world.boot()
    await world.load()
    await world.shows(STATE, "running")
    await world.shows(PLAYERS, "0")
    await world.look()
    return world


async def test_a_host_is_woken_watched_and_put_to_sleep(world: World) -> None:
    sockets = _open_sockets()
    await world.load()
    assert state_of(world.hass, SWITCH) == "off"
    await world.shows("binary_sensor.attic_reachable", "off")

    await world.turn("turn_on")
    assert state_of(world.hass, SWITCH) == "on"
    packet = await asyncio.wait_for(world.nic.woken(), 5)
    assert packet.raw == b"\xff" * 6 + bytes.fromhex(MAC.replace(":", "")) * 16
    assert {(heard.destination, heard.port) for heard in world.nic.packets} == {
        (ADDRESS, world.nic.port)
    }
    world.game.status.players.append("Alex")
    await world.shows(STATE, "running")
    await world.shows(API, "on")
    await world.shows("binary_sensor.survival_online", "on")
    await world.shows(PLAYERS, "1")
    assert attribute_of(world.hass, PLAYERS, "players") == ["Alex"]

    with pytest.raises(ServiceValidationError) as refused:
        await world.turn("turn_off")
    assert refused.value.translation_key == "held_player"
    assert refused.value.translation_placeholders == {"players": "Alex", "server": "Survival"}
    assert state_of(world.hass, SWITCH) == "on"
    assert world.pve.power_commands == []

    world.game.status.players.clear()
    await world.turn("turn_off")
    assert state_of(world.hass, SWITCH) == "off"
    await world.machine.reached(Power.ASLEEP)
    await world.shows(STATE, "off")
    await world.shows("binary_sensor.attic_reachable", "off")
    assert state_of(world.hass, PLAYERS) == "unknown"
    assert world.pve.power_commands == ["shutdown"]

    assert world.history(SWITCH) == ["off", "on", "off"]
    assert world.history(STATE) == ["off", "waking", "running", "stopping", "off"]
    assert world.activities() == ["wake_sent", "woken", "refused", "shutdown_sent", "asleep"]
    # The one thing that may be missing is the right to see the backup jobs.
    told = {(call.who, call.status) for call in world.pve.calls if call.path != "/cluster/backup"}
    assert told == {(TOKEN_ID, 200)}
    assert await world.hass.config_entries.async_unload(world.entry.entry_id)
    assert _open_sockets() == sockets


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.UNAUTHORISED, ApiState.UNAUTHORISED),
        (Fault.FORBIDDEN, ApiState.FORBIDDEN),
        (Fault.SERVER_ERROR, ApiState.FAILING),
        (Fault.PROXY_ERROR, ApiState.FAILING),
        (Fault.HTML, ApiState.FAILING),
        (Fault.CLOSED, ApiState.FAILING),
    ],
)
async def test_an_api_that_misbehaves_is_named_and_polled_until_it_is_mended(
    running: World, fault: Fault, reason: ApiState
) -> None:
    running.pve.break_with(fault)
    await running.look()
    assert state_of(running.hass, API) == "off"
    assert attribute_of(running.hass, API, "reason") == reason.value
    assert state_of(running.hass, STATE) == "running"
    assert state_of(running.hass, PLAYERS) == "0"
    calls = len(running.pve.calls)
    await running.look()
    assert len(running.pve.calls) > calls
    flows = list(running.entry.async_get_active_flows(running.hass, {SOURCE_REAUTH}))
    assert len(flows) == (fault is Fault.UNAUTHORISED)

    running.pve.mend()
    await running.look()
    assert state_of(running.hass, API) == "on"
    # The first look may be over before there is a switch to show "off".
    assert running.history(SWITCH) in (["off", "on"], ["on"])


async def test_an_api_that_hangs_is_named_and_delays_no_probe(running: World) -> None:
    host = running.entry.runtime_data.host
    host.pace = replace(host.pace, read_timeout=0.5)
    running.pve.break_with(Fault.HANG)
    look = asyncio.create_task(host.async_look())
    calls = len(running.pve.calls)
    async with asyncio.timeout(5):
        while len(running.pve.calls) == calls:
            await asyncio.sleep(0.01)
    before = host.data.seen_at
    await host.async_refresh()
    assert host.data.seen_at > before
    assert not look.done()
    await look
    assert attribute_of(running.hass, API, "reason") == ApiState.TIMEOUT.value
    running.pve.mend()
    await running.look()
    assert state_of(running.hass, API) == "on"


async def test_a_changed_certificate_gets_no_token_and_a_repair(
    running: World, issue_registry: ir.IssueRegistry
) -> None:
    old = running.pve.certificates.authority.fingerprint
    await running.pve.stop()
    running.pve.certificates.replace_authority()
    await running.pve.start()
    running.pve.calls.clear()
    await running.look()
    assert attribute_of(running.hass, API, "reason") == ApiState.UNTRUSTED.value
    assert state_of(running.hass, STATE) == "running"
    assert not running.pve.calls
    issue = issue_registry.async_get_issue(DOMAIN, "certificate_changed_01HOST")
    assert issue is not None
    shown = issue.translation_placeholders or {}
    assert (shown["old"], shown["new"]) == (old, running.pve.certificates.leaf.fingerprint)

    with pytest.raises(ServiceValidationError) as refused:
        await running.turn("turn_off")
    assert refused.value.translation_key == "held_untrusted"


async def test_a_shutdown_that_is_forbidden_is_told_to_whoever_asked_and_by_an_event(
    running: World,
) -> None:
    running.pve.revoke("Sys.PowerMgmt")
    with pytest.raises(HomeAssistantError) as failed:
        await running.turn("turn_off")
    assert not isinstance(failed.value, ServiceValidationError)
    assert failed.value.translation_key == "permission_error"
    assert running.pve.power_commands == []
    assert state_of(running.hass, STATE) == "failed"
    assert state_of(running.hass, SWITCH) == "on"
    assert running.activities()[-1] == "shutdown_failed"
    assert attribute_of(running.hass, ACTIVITY, "error") == "permission_error"


async def test_a_shutdown_whose_answer_is_lost_is_never_asked_for_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = LabPve._power

    async def torn(pve: LabPve, values: dict[str, Any], user: str) -> None:
        await heard(pve, values, user)
        for connection in list(pve.runner.server.connections):
            connection.transport.abort()

    monkeypatch.setattr(LabPve, "_power", torn)
    await world.boot()
    await world.load()
    await world.shows(STATE, "running")
    await world.shows(PLAYERS, "0")
    await world.turn("turn_off")
    assert world.entry.runtime_data.guardian.snapshot.host.state is GuardianState.STOPPING
    await world.shows(STATE, "off")
    assert world.pve.power_commands == ["shutdown"]
    assert len(world.pve.heard("POST", "/nodes/pve/status")) == 1
    assert world.activities()[-1] == "asleep"


def _open_sockets() -> int:
    """Return how many sockets this process holds."""
    held = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            held += str(descriptor.readlink()).startswith("socket:")
        except FileNotFoundError:  # the descriptor of this very listing
            continue
    return held
