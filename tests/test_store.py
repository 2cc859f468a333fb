"""What a guardian keeps across restarts of Home Assistant."""

from datetime import UTC, datetime, timedelta
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.cubeguardian.guardian import (
    HOST,
    HoldUp,
    HoldUpKey,
    JournalEntry,
    Mode,
    State,
    StoredGuardian,
)
from custom_components.cubeguardian.guardian.status import Alert, Cause, Origin, Status, Then
from custom_components.cubeguardian.store import STORAGE_VERSION, GuardianStore

from .conftest import Load
from .machines import FakeMachines

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY = "cubeguardian.01HOST"
STORED = StoredGuardian(
    host=Status(
        state=State.COUNTDOWN,
        since=NOON,
        origin=Origin.STORED,
        cause=Cause.ASKED,
        deadline=NOON + timedelta(minutes=10),
        retry_at=NOON + timedelta(minutes=1),
        then=Then.WAKE,
        by="Robin",
        held=(HoldUp(key=HoldUpKey.PLAYERS, subject="01SURVIVAL", placeholders={"count": "1"}),),
        alerts=(Alert(code="timeout_error", at=NOON),),
    ),
    games={"01SURVIVAL": Status(state=State.RUNNING, since=NOON, origin=Origin.STORED)},
    mode=Mode.MAINTENANCE,
    mode_reason="a new disk",
    journal=(JournalEntry(at=NOON, kind="woken", target=HOST, by="Robin"),),
)


async def test_what_is_stored_comes_back_as_it_was(hass: HomeAssistant) -> None:
    await GuardianStore(hass, "01HOST").async_save(STORED)
    assert await GuardianStore(hass, "01HOST").async_load() == STORED


async def test_every_host_has_a_file_of_its_own(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    await GuardianStore(hass, "01HOST").async_save(STORED)
    assert hass_storage[KEY]["version"] == STORAGE_VERSION
    assert await GuardianStore(hass, "02HOST").async_load() is None


async def test_what_is_removed_is_gone(hass: HomeAssistant, hass_storage: dict[str, Any]) -> None:
    store = GuardianStore(hass, "01HOST")
    await store.async_save(STORED)
    await store.async_remove()
    assert KEY not in hass_storage
    assert await GuardianStore(hass, "01HOST").async_load() is None


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param([], id="a list"),
        pytest.param("text", id="a text"),
        pytest.param({}, id="nothing"),
        pytest.param({"version": 99}, id="another version"),
        pytest.param({**STORED.to_dict(), "host": {"state": "asleep"}}, id="no such state"),
        pytest.param({**STORED.to_dict(), "games": None}, id="no game servers"),
        pytest.param({**STORED.to_dict(), "journal": [{"at": "noon"}]}, id="no such time"),
    ],
)
async def test_what_cannot_be_read_is_told_and_everything_starts_from_what_is_seen(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    load: Load,
    machines: FakeMachines,
    caplog: pytest.LogCaptureFixture,
    spoilt: object,
) -> None:
    hass_storage[KEY] = {"version": STORAGE_VERSION, "key": KEY, "data": spoilt}
    machines.host_up()
    await load()
    told = [record for record in caplog.records if "stored state" in record.getMessage()]
    assert [record.levelname for record in told] == ["WARNING"]
    state = hass.states.get("switch.attic")
    assert state is not None
    assert state.state == "on"
    assert hass_storage[KEY]["data"]["host"]["state"] == "running"
    assert machines.calls == []
