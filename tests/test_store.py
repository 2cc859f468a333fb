"""What a guardian keeps across restarts of Home Assistant."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest

from custom_components.cubeguardian.guardian import (
    HOST,
    HoldUp,
    HoldUpKey,
    JournalEntry,
    Lease,
    Mode,
    Source,
    State,
    StoredGuardian,
)
from custom_components.cubeguardian.guardian.status import Alert, Cause, Origin, Status, Then
from custom_components.cubeguardian.savings import Savings
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
    leases=(
        Lease(
            source=Source.ENTITY, target=HOST, who="calendar.games", name="Game night", since=NOON
        ),
        Lease(
            source=Source.KEEP_AWAKE,
            target=HOST,
            name="Robin",
            since=NOON,
            until=NOON + timedelta(hours=1),
        ),
    ),
    idle_minutes=25,
    protected=frozenset({200, 101}),
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


async def test_a_file_from_before_there_was_demand_loads(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    then = STORED.to_dict() | {"version": 2}
    for unknown in ("leases", "idle_minutes", "protected"):
        del then[unknown]
    hass_storage[KEY] = {"version": STORAGE_VERSION, "key": KEY, "data": then}
    store = GuardianStore(hass, "01HOST")
    assert await store.async_load() == replace(
        STORED, leases=(), idle_minutes=10, protected=frozenset()
    )
    assert not store.damaged


SAVED = Savings(
    asleep=7200.0,
    saved=0.08,
    asleep_at=NOON,
    mean_watts=42.5,
    measured=3600.0,
    power_sensor="sensor.plug_power",
)


async def test_the_savings_come_back_with_the_guardian(hass: HomeAssistant) -> None:
    store = GuardianStore(hass, "01HOST")
    store.savings = SAVED
    await store.async_save(STORED)
    again = GuardianStore(hass, "01HOST")
    assert await again.async_load() == STORED
    assert again.savings == SAVED


async def test_a_file_from_before_the_savings_were_counted_loads(
    hass: HomeAssistant, hass_storage: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    hass_storage[KEY] = {"version": STORAGE_VERSION, "key": KEY, "data": STORED.to_dict()}
    store = GuardianStore(hass, "01HOST")
    assert await store.async_load() == STORED
    assert store.savings == Savings()
    assert not [one for one in caplog.records if one.levelname == "WARNING"]


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param([], id="a list"),
        pytest.param({}, id="nothing"),
        pytest.param({**SAVED.to_dict(), "version": 99}, id="another version"),
        pytest.param({**SAVED.to_dict(), "asleep": -1}, id="less than nothing"),
        pytest.param({**SAVED.to_dict(), "saved": "much"}, id="no number"),
        pytest.param({**SAVED.to_dict(), "measured": float("inf")}, id="no end"),
        pytest.param({**SAVED.to_dict(), "asleep_at": "noon"}, id="no such time"),
        pytest.param({**SAVED.to_dict(), "asleep_at": "2026-11-22T12:00:00"}, id="no time zone"),
    ],
)
async def test_savings_that_cannot_be_read_are_told_and_leave_the_guardian_alone(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    spoilt: object,
) -> None:
    stored = {**STORED.to_dict(), "savings": spoilt}
    hass_storage[KEY] = {"version": STORAGE_VERSION, "key": KEY, "data": stored}
    store = GuardianStore(hass, "01HOST")
    assert await store.async_load() == STORED
    assert store.savings == Savings()
    told = [record for record in caplog.records if "stored totals" in record.getMessage()]
    assert [record.levelname for record in told] == ["WARNING"]


async def test_savings_outlive_a_guardian_that_cannot_be_read(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    spoilt = {"version": 99, "savings": SAVED.to_dict()}
    hass_storage[KEY] = {"version": STORAGE_VERSION, "key": KEY, "data": spoilt}
    store = GuardianStore(hass, "01HOST")
    assert await store.async_load() is None
    assert store.savings == SAVED


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
    assert hass_storage[f"{KEY}.damaged"]["data"] == spoilt
    issue = ir.async_get(hass).async_get_issue("cubeguardian", "storage_damaged_01HOST")
    assert issue is not None
    assert await hass.config_entries.async_remove("01HOST")
    assert f"{KEY}.damaged" not in hass_storage


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({"some": "file"}, id="not of Home Assistant's form"),
        pytest.param({"version": 99, "key": KEY, "data": {}}, id="of a later version"),
    ],
)
async def test_a_file_that_home_assistant_cannot_read_is_set_aside_whole(
    hass: HomeAssistant, hass_storage: dict[str, Any], tmp_path: Path, content: dict[str, Any]
) -> None:
    hass.config.config_dir = str(tmp_path)
    hass_storage[KEY] = content
    (tmp_path / ".storage").mkdir()
    (tmp_path / ".storage" / KEY).write_text(json.dumps(content))
    store = GuardianStore(hass, "01HOST")
    assert await store.async_load() is None
    assert store.damaged
    assert hass_storage[f"{KEY}.damaged"]["data"] == content


async def test_what_can_be_read_is_not_set_aside(
    hass: HomeAssistant, hass_storage: dict[str, Any], load: Load
) -> None:
    await GuardianStore(hass, "01HOST").async_save(STORED)
    await load()
    assert f"{KEY}.damaged" not in hass_storage
    assert not ir.async_get(hass).issues
