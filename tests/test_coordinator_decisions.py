"""How the guardian gets its time, is stored and is heard."""

from collections import Counter
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_component import async_update_entity
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.guardian import HOST, Caller, Event, EventKind, Guardian, State

from .conftest import Hang, Load, PassTime, turn
from .machines import SURVIVAL, FakeMachines

ROBIN = Caller(name="Robin")


def guardian(entry: MockConfigEntry) -> Guardian:
    """Return the guardian of the loaded entry."""
    found: Guardian = entry.runtime_data.guardian
    return found


async def test_time_alone_resends_the_packet_and_ends_a_wake(
    load: Load,
    machines: FakeMachines,
    hang: Hang,
    pass_time: PassTime,
    config_entry: MockConfigEntry,
) -> None:
    await load()
    await machines.seen()
    hang("probe")
    await guardian(config_entry).wake(HOST, ROBIN)
    await pass_time(120, 1)
    assert machines.calls == ["wake"] * 9
    await pass_time(479, 1)
    assert guardian(config_entry).snapshot.host.state is State.WAKING
    await pass_time(1, 1)
    assert guardian(config_entry).snapshot.host.state is State.FAILED


async def test_an_unloaded_entry_has_no_time_any_more(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    asked: Counter[str],
    pass_time: PassTime,
    config_entry: MockConfigEntry,
) -> None:
    await load()
    await machines.seen()
    await guardian(config_entry).wake(HOST, ROBIN)
    assert await hass.config_entries.async_unload(config_entry.entry_id)
    assert config_entry.state is ConfigEntryState.NOT_LOADED
    asked.clear()
    await pass_time(120, 1)
    assert machines.calls == ["wake"]
    assert not asked


async def test_an_update_that_somebody_asks_for_looks_at_the_host(
    hass: HomeAssistant, load: Load, machines: FakeMachines, asked: Counter[str]
) -> None:
    await load()
    await machines.seen()
    asked.clear()
    await async_update_entity(hass, "switch.attic")
    assert asked == {"probe": 1}
    assert (state := hass.states.get("switch.attic"))
    assert state.state == "off"


async def test_every_transition_is_stored_at_once_and_nothing_else(
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    hass_storage: dict[str, Any],
    pass_time: PassTime,
) -> None:
    await load()
    await pass_time(5, 1)
    key = f"cubeguardian.{config_entry.entry_id}"
    await guardian(config_entry).wake(HOST, ROBIN)
    await turn()
    assert hass_storage[key]["data"]["host"]["state"] == "waking"
    written = hass_storage[key]
    await pass_time(5, 1)
    assert hass_storage[key] is written
    machines.host_up()
    await pass_time(2, 1)
    assert hass_storage[key]["data"]["host"]["state"] == "running"


async def test_who_listens_to_the_guardian_hears_every_event_until_he_leaves(
    load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    await load()
    await machines.seen()
    heard: list[Event] = []
    leave = config_entry.runtime_data.decisions.async_listen_events(heard.append)
    await guardian(config_entry).wake(HOST, ROBIN)
    assert [(event.kind, event.by) for event in heard] == [(EventKind.WAKE_SENT, "Robin")]
    leave()
    machines.host_up()
    await machines.glance()
    assert guardian(config_entry).snapshot.host.state is State.RUNNING
    assert len(heard) == 1


async def test_that_somebody_plays_is_stored_but_not_who(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    hass_storage: dict[str, Any],
) -> None:
    machines.everything_up()
    await load()
    await machines.seen()
    machines.game_up(SURVIVAL, "Alex")
    await machines.glance()
    written = hass_storage["cubeguardian.01HOST"]
    assert "players" in {lease["source"] for lease in written["data"]["leases"]}
    assert "Alex" not in str(written)
    machines.game_up(SURVIVAL, "Alex", "Steve")
    await machines.glance()
    assert guardian(config_entry).snapshot.games["01SURVIVAL"].players == ("Alex", "Steve")
    assert hass_storage["cubeguardian.01HOST"] is written


async def test_a_listener_that_chokes_stops_neither_the_command_nor_the_others(
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def choke(event: Event) -> None:
        raise RuntimeError(f"no {event.kind}")

    await load()
    await machines.seen()
    heard: list[Event] = []
    config_entry.runtime_data.decisions.async_listen_events(choke)
    config_entry.runtime_data.decisions.async_listen_events(heard.append)
    await guardian(config_entry).wake(HOST, ROBIN)
    assert machines.calls == ["wake"]
    assert [event.kind for event in heard] == [EventKind.WAKE_SENT]
    assert "no wake_sent" in caplog.text
