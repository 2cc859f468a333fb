"""The events: what the guardian did, and who came and went."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.event import ATTR_EVENT_TYPE
from homeassistant.const import EVENT_STATE_CHANGED, Platform
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from syrupy.assertion import SnapshotAssertion

from custom_components.cubeguardian.guardian import (
    HOST,
    Caller,
    Event as GuardianEvent,
    EventKind,
    GuardianPortError,
    RefusalReason,
    Refused,
)
from custom_components.cubeguardian.server_manager import NetworkUnavailableError

from .conftest import Load
from .flows import all_texts
from .machines import SURVIVAL, FakeMachines
from .portraits import attribute_of, portraits, state_of

ACTIVITY = "event.attic_activity"
PLAYERS = "event.survival_players"
SOMEBODY = Caller(name="Robin")

type Heard = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def hear(hass: HomeAssistant) -> Callable[[str], Heard]:
    """Return a function that keeps every event of an entity from now on."""

    def keep(entity_id: str) -> Heard:
        heard: Heard = []

        @callback
        def changed(event: Event[EventStateChangedData]) -> None:
            state, before = event.data["new_state"], event.data["old_state"]
            fresh = before is None or (state is not None and state.state != before.state)
            if event.data["entity_id"] == entity_id and state is not None and fresh:
                told = dict(state.attributes)
                for key in ("event_types", "friendly_name"):
                    told.pop(key, None)
                heard.append((told.pop(ATTR_EVENT_TYPE), told))

        hass.bus.async_listen(EVENT_STATE_CHANGED, changed)
        return heard

    return keep


async def test_events_that_never_happened_are_unknown(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    snapshot: SnapshotAssertion,
) -> None:
    await load(Platform.EVENT)
    await machines.seen()
    assert portraits(hass, config_entry.entry_id) == snapshot


async def test_a_wake_is_an_activity_with_its_requester(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    hear: Callable[[str], Heard],
) -> None:
    await load(Platform.EVENT)
    await machines.seen()
    heard = hear(ACTIVITY)
    await config_entry.runtime_data.guardian.wake(HOST, SOMEBODY)
    await hass.async_block_till_done(wait_background_tasks=True)
    machines.host_up()
    await machines.seen()
    assert [kind for kind, _ in heard] == ["wake_sent", "woken"]
    assert heard[0][1]["by"] == "Robin"
    assert float(heard[1][1]["seconds"]) >= 0


async def test_a_refused_shutdown_is_an_activity_that_says_why(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    hear: Callable[[str], Heard],
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL, "Steve")
    await load(Platform.EVENT)
    await machines.seen()
    heard = hear(ACTIVITY)
    with pytest.raises(Refused):
        await config_entry.runtime_data.guardian.shut_down(HOST, SOMEBODY)
    await hass.async_block_till_done(wait_background_tasks=True)
    [(kind, told)] = heard
    assert kind == "refused"
    assert told["reason"] == "held"
    assert told["command"] == "stop"
    assert told["held"][0]["players"] == "Steve"


async def test_what_happens_to_a_game_server_is_no_activity_of_the_host(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    hear: Callable[[str], Heard],
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL)
    await load(Platform.EVENT)
    await machines.seen()
    heard = hear(ACTIVITY)
    await config_entry.runtime_data.guardian.shut_down("01SURVIVAL", SOMEBODY)
    await hass.async_block_till_done(wait_background_tasks=True)
    machines.game_crashed(SURVIVAL)
    await machines.seen()
    assert machines.calls == ["shutdown_guest 101"]
    assert heard == []


async def test_the_first_list_of_players_only_takes_bearings(
    hass: HomeAssistant, load: Load, machines: FakeMachines
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL, "Steve")
    await load(Platform.EVENT)
    await machines.seen()
    assert state_of(hass, PLAYERS) == "unknown"


async def test_who_joins_and_who_leaves_is_told_by_name(
    hass: HomeAssistant, load: Load, machines: FakeMachines, hear: Callable[[str], Heard]
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL, "Steve")
    await load(Platform.EVENT)
    await machines.seen()
    heard = hear(PLAYERS)
    machines.game_up(SURVIVAL, "Alex", "Steve", "Zoe")
    await machines.glance()
    machines.game_up(SURVIVAL, "Alex", "Zoe")
    await machines.glance()
    assert heard == [("joined", {"names": ["Alex", "Zoe"]}), ("left", {"names": ["Steve"]})]


async def test_an_incomplete_list_of_names_tells_nothing(
    hass: HomeAssistant, load: Load, machines: FakeMachines, hear: Callable[[str], Heard]
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL, "Steve")
    await load(Platform.EVENT)
    await machines.seen()
    heard = hear(PLAYERS)
    machines.game_up(SURVIVAL, "Alex", online=20)
    await machines.glance()
    machines.game_up(SURVIVAL, "Anonymous Player")
    await machines.glance()
    assert heard == []
    machines.game_up(SURVIVAL, "Alex")
    await machines.glance()
    assert heard == [("left", {"names": ["Steve"]}), ("joined", {"names": ["Alex"]})]


async def test_a_server_that_falls_silent_tells_nothing(
    hass: HomeAssistant, load: Load, machines: FakeMachines, hear: Callable[[str], Heard]
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL, "Steve")
    await load(Platform.EVENT)
    await machines.seen()
    heard = hear(PLAYERS)
    machines.game_silent(SURVIVAL)
    await machines.seen()
    machines.game_up(SURVIVAL, "Steve")
    await machines.seen()
    assert heard == []


@pytest.mark.parametrize("how", ["crashed", "host_down"])
async def test_everybody_leaves_once_when_the_server_is_gone_and_joins_when_it_is_back(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    hear: Callable[[str], Heard],
    how: str,
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL, "Alex", "Steve")
    await load(Platform.EVENT)
    await machines.seen()
    heard = hear(PLAYERS)
    if how == "crashed":
        machines.game_crashed(SURVIVAL)
    else:
        machines.host_down()
    await machines.seen()
    await machines.seen()
    assert heard == [("left", {"names": ["Alex", "Steve"]})]
    machines.host_up()
    machines.game_up(SURVIVAL, "Steve")
    await machines.seen()
    assert heard[1:] == [("joined", {"names": ["Steve"]})]


async def test_names_are_not_recorded(hass: HomeAssistant, load: Load) -> None:
    await load(Platform.EVENT)
    entity = hass.data["entity_components"]["event"].get_entity(PLAYERS)
    assert entity is not None
    state_info = entity._state_info
    assert "names" in state_info["unrecorded_attributes"]


async def test_a_failed_wake_says_which_error(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
) -> None:
    await load(Platform.EVENT)
    await machines.seen()
    machines.fails("wake", NetworkUnavailableError("no route"))
    with pytest.raises(GuardianPortError):
        await config_entry.runtime_data.guardian.wake(HOST, SOMEBODY)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert attribute_of(hass, ACTIVITY, ATTR_EVENT_TYPE) == "wake_failed"
    assert attribute_of(hass, ACTIVITY, "error") == "connection_error"


async def test_a_crashed_game_server_is_told_by_its_host(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    freezer: FrozenDateTimeFactory,
    hear: Callable[[str], Heard],
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL)
    await load(Platform.EVENT)
    await machines.seen()
    heard = hear(ACTIVITY)
    machines.game_crashed(SURVIVAL)
    freezer.tick(timedelta(seconds=15))
    await machines.seen()
    assert heard == []
    freezer.tick(timedelta(minutes=31))
    await machines.seen()
    assert heard == [("server_crashed", {"server": "Survival"})]


async def test_a_guest_that_ignores_its_shutdown_is_named(
    hass: HomeAssistant, load: Load, config_entry: MockConfigEntry, hear: Callable[[str], Heard]
) -> None:
    await load(Platform.EVENT)
    heard = hear(ACTIVITY)
    config_entry.runtime_data.decisions._happened(
        GuardianEvent(
            kind=EventKind.GUEST_IGNORES, placeholders={"vmid": "200", "name": "nextcloud"}
        )
    )
    await hass.async_block_till_done()
    assert heard == [("guest_ignores", {"guest": "nextcloud"})]


def test_every_event_has_a_text() -> None:
    for texts in all_texts("entity", "event", "activity", "state_attributes"):
        assert set(texts["event_type"]["state"]) == {kind.value for kind in EventKind}
        assert set(texts["reason"]["state"]) == {reason.value for reason in RefusalReason}
