"""What a reload, and a restart of Home Assistant, find again."""

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, NamedTuple

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.guardian import (
    HOST,
    Caller,
    Guardian,
    GuardianPortError,
    JournalEntry,
    Mode,
    Snapshot,
    State,
)
from custom_components.cubeguardian.server_manager import (
    NetworkUnavailableError,
    PermissionDeniedError,
)
from custom_components.cubeguardian.wiring import async_wire

from .conftest import Load, PassTime, turn
from .machines import FakeMachines
from .portraits import state_of

ROBIN = Caller(name="Robin")
GAME = "01SURVIVAL"
KEY = "cubeguardian.01HOST"

type Reach = Callable[[Guardian, FakeMachines], Coroutine[Any, Any, None]]


def guardian(entry: MockConfigEntry) -> Guardian:
    """Return the guardian of the loaded entry."""
    found: Guardian = entry.runtime_data.guardian
    return found


async def _run(brain: Guardian, machines: FakeMachines) -> None:
    """Leave the host as it runs."""


async def _wake(brain: Guardian, machines: FakeMachines) -> None:
    """Wake a sleeping game server and with it its host."""
    await brain.wake(GAME, ROBIN)


async def _announce(brain: Guardian, machines: FakeMachines) -> None:
    """Announce a shutdown."""
    await brain.shut_down(HOST, ROBIN, timedelta(minutes=10))


async def _stop(brain: Guardian, machines: FakeMachines) -> None:
    """Shut the host down."""
    await brain.shut_down(HOST, ROBIN)


async def _restart(brain: Guardian, machines: FakeMachines) -> None:
    """Restart the host."""
    await brain.restart(HOST, ROBIN)


async def _wake_in_vain(brain: Guardian, machines: FakeMachines) -> None:
    """Wake a host that no packet can be sent to."""
    machines.fails("wake", NetworkUnavailableError("no network"))
    with pytest.raises(GuardianPortError):
        await brain.wake(HOST, ROBIN)


async def _stop_in_vain(brain: Guardian, machines: FakeMachines) -> None:
    """Shut down a host that refuses."""
    machines.fails("shut_down", PermissionDeniedError("Sys.PowerMgmt"))
    with pytest.raises(GuardianPortError):
        await brain.shut_down(HOST, ROBIN)


class Case(NamedTuple):
    """A state of the host: whether it is up, how it gets there and what that commands."""

    up: bool
    reach: Reach
    state: State
    calls: list[str]


CASES = [
    Case(True, _run, State.RUNNING, []),
    Case(False, _wake, State.WAKING, ["wake"]),
    Case(True, _announce, State.COUNTDOWN, []),
    Case(True, _stop, State.STOPPING, ["stop_guest 101", "shut_down"]),
    Case(True, _restart, State.STOPPING, ["stop_guest 101", "reboot"]),
    Case(False, _wake_in_vain, State.FAILED, ["wake"]),
    Case(True, _stop_in_vain, State.FAILED, ["stop_guest 101", "shut_down"]),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.reach.__name__)
async def test_a_reload_loses_nothing_and_does_nothing_twice(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    pass_time: PassTime,
    config_entry: MockConfigEntry,
    case: Case,
) -> None:
    if case.up:
        machines.everything_up()
    await load()
    await pass_time(60, 15)
    guardian(config_entry).set_mode(Mode.MAINTENANCE, "a new disk", ROBIN)
    await case.reach(guardian(config_entry), machines)
    before, stored = guardian(config_entry).snapshot, guardian(config_entry).stored()
    assert (before.host.state, machines.calls) == (case.state, case.calls)

    assert await hass.config_entries.async_reload(config_entry.entry_id)
    assert config_entry.state is ConfigEntryState.LOADED
    await pass_time(10, 5)
    after = guardian(config_entry).snapshot
    assert (after.mode, after.mode_reason) == (Mode.MAINTENANCE, "a new disk")
    assert _of_host(after) == _of_host(before)
    assert after.host == before.host
    assert guardian(config_entry).stored().host == stored.host
    stopped = {GAME: State.OFF} if "stop_guest 101" in case.calls else {}
    assert {key: view.state for key, view in after.games.items()} == {
        key: view.state for key, view in before.games.items()
    } | stopped
    assert machines.calls == case.calls


def _of_host(shown: Snapshot) -> list[JournalEntry]:
    """Return what the journal tells of the host."""
    return [entry for entry in shown.journal if entry.target == HOST]


async def test_a_countdown_that_is_nearly_over_gets_two_minutes_after_a_reload(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    pass_time: PassTime,
    config_entry: MockConfigEntry,
) -> None:
    machines.everything_up()
    await load()
    await pass_time(60, 15)
    await guardian(config_entry).shut_down(HOST, ROBIN, timedelta(minutes=1))
    assert await hass.config_entries.async_reload(config_entry.entry_id)
    await pass_time(115, 5)
    assert guardian(config_entry).snapshot.host.state is State.COUNTDOWN
    await pass_time(10, 5)
    assert guardian(config_entry).snapshot.host.state is State.STOPPING
    assert machines.calls == ["stop_guest 101", "shut_down"]


async def test_a_host_that_fell_asleep_while_nobody_looked_is_not_shut_down_again(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    pass_time: PassTime,
    config_entry: MockConfigEntry,
) -> None:
    machines.everything_up()
    await load()
    await pass_time(60, 15)
    await guardian(config_entry).shut_down(HOST, ROBIN)
    assert await hass.config_entries.async_unload(config_entry.entry_id)
    machines.host_down()
    await pass_time(60, 60)
    assert await hass.config_entries.async_setup(config_entry.entry_id)
    await pass_time(5, 1)
    assert guardian(config_entry).snapshot.host.state is State.OFF
    assert guardian(config_entry).snapshot.journal[-1].kind == "asleep"
    assert machines.calls == ["stop_guest 101", "shut_down"]


async def test_a_wake_goes_on_after_home_assistant_was_killed(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    pass_time: PassTime,
    freezer: FrozenDateTimeFactory,
    config_entry: MockConfigEntry,
    hass_storage: dict[str, Any],
) -> None:
    await load()
    await pass_time(60, 15)
    await guardian(config_entry).wake(HOST, ROBIN)
    await turn()
    killed = dict(hass_storage[KEY])
    assert await hass.config_entries.async_unload(config_entry.entry_id)
    hass_storage[KEY] = killed
    freezer.tick(timedelta(seconds=8))
    assert await hass.config_entries.async_setup(config_entry.entry_id)
    await turn()
    assert guardian(config_entry).snapshot.host.state is State.WAKING
    assert state_of(hass, "switch.attic") == "on"
    assert machines.calls == ["wake"]
    await pass_time(10, 1)
    assert machines.calls == ["wake", "wake"]


async def test_a_reload_sends_no_packet_before_the_next_one_is_due(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    pass_time: PassTime,
    config_entry: MockConfigEntry,
) -> None:
    await load()
    await pass_time(60, 15)
    await guardian(config_entry).wake(HOST, ROBIN)
    await pass_time(50, 1)
    assert machines.calls == ["wake"] * 4
    assert await hass.config_entries.async_reload(config_entry.entry_id)
    await pass_time(8, 1)
    assert machines.calls == ["wake"] * 4
    await pass_time(4, 1)
    assert machines.calls == ["wake"] * 5


async def test_what_is_changed_while_it_is_being_set_up_counts_all_the_same(
    hass: HomeAssistant,
    load: Load,
    config_entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[bool] = []

    async def wire_while_somebody_saves_options(hass: HomeAssistant, entry: Any) -> Any:
        wired = await async_wire(hass, entry)
        read.append(entry.options.get("probing", {}).get("ping", True))
        hass.config_entries.async_update_entry(entry, options={"probing": {"ping": False}})
        return wired

    patched = "custom_components.cubeguardian.async_wire"
    monkeypatch.setattr(patched, wire_while_somebody_saves_options)
    config_entry.add_to_hass(hass)
    # The reload may have begun before this answers.
    await hass.config_entries.async_setup(config_entry.entry_id)
    await hass.async_block_till_done()
    assert read == [True, False]
    assert config_entry.state is ConfigEntryState.LOADED
