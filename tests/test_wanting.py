"""Entities that want the host, and entities that forbid waking it."""

from typing import Any

from homeassistant.core import HomeAssistant, State
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.guardian import (
    HOST,
    Caller,
    Guardian,
    Mode,
    Refused,
    Role,
    Source,
    State as LifeState,
)
from custom_components.cubeguardian.wanting import is_active

from .conftest import Load, PassTime
from .machines import FakeMachines

ROBIN = Caller(name="Robin")
PLAYER = Caller(name="Alex", role=Role.PLAYER)
CALENDAR, NAS, NIGHT = "calendar.games", "binary_sensor.nas", "schedule.night"


@pytest.fixture
def guardian(hass: HomeAssistant, config_entry: MockConfigEntry) -> Guardian:
    """Stand for the guardian of the entry, once it is loaded."""
    wishes = {"wanting": [CALENDAR, NAS], "forbidding": [NIGHT]}
    config_entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(
        config_entry,
        data=config_entry.data | {"mode": "automatic"},
        options={"automatic": wishes},
    )
    return _Later(config_entry)  # type: ignore[return-value]


class _Later:
    """Pass everything on to the guardian that the entry has by then."""

    def __init__(self, entry: MockConfigEntry) -> None:
        self._entry = entry

    def __getattr__(self, name: str) -> Any:
        return getattr(self._entry.runtime_data.guardian, name)


def wanting(guardian: Guardian) -> dict[str, tuple[str, bool]]:
    """Return the entities that hold the host up: their names, and whether that is only assumed."""
    return {
        lease.who: (lease.name, lease.unknown)
        for lease in guardian.snapshot.live(HOST)
        if lease.source is Source.ENTITY
    }


@pytest.mark.parametrize(
    ("said", "active"),
    [
        ("on", True), ("home", True), ("open", True), ("playing", True), ("heat", True),
        ("off", False), ("not_home", False), ("Work", False), ("closed", False), ("idle", False),
        ("21.5", False), ("0", False), ("", False),
        ("unknown", None), ("unavailable", None),
    ],
)  # fmt: skip
def test_what_is_active_wants_and_what_is_silent_is_unknown(said: str, active: bool | None) -> None:
    assert is_active(State("sensor.anything", said)) is active


def test_an_entity_that_is_not_there_is_unknown() -> None:
    assert is_active(None) is None


async def test_an_entity_that_turns_on_wakes_the_host_and_lets_it_go_when_it_turns_off(
    hass: HomeAssistant, load: Load, machines: FakeMachines, guardian: Guardian
) -> None:
    for entity in (CALENDAR, NAS):
        hass.states.async_set(entity, "off", {"friendly_name": "Game night"})
    await load()
    await machines.seen()
    assert not wanting(guardian)
    hass.states.async_set(CALENDAR, "on", {"friendly_name": "Game night"})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert machines.calls == ["wake"]
    assert guardian.snapshot.host.by == "Game night"
    assert wanting(guardian) == {CALENDAR: ("Game night", False)}
    hass.states.async_set(CALENDAR, "off")
    await hass.async_block_till_done()
    assert not wanting(guardian)


async def test_an_entity_that_was_on_all_along_wakes_nothing_but_holds_up(
    hass: HomeAssistant, load: Load, machines: FakeMachines, guardian: Guardian
) -> None:
    hass.states.async_set(CALENDAR, "on")
    hass.states.async_set(NAS, "off")
    await load()
    await machines.seen()
    assert machines.calls == []
    assert wanting(guardian) == {CALENDAR: ("games", False)}


async def test_an_entity_that_only_looks_different_is_no_news(
    hass: HomeAssistant, load: Load, machines: FakeMachines, guardian: Guardian
) -> None:
    hass.states.async_set(NAS, "off")
    hass.states.async_set(CALENDAR, "off")
    await load()
    await machines.seen()
    before = guardian.snapshot
    hass.states.async_set(NAS, "off", {"clients": 3})
    await hass.async_block_till_done()
    assert guardian.snapshot is before


async def test_entities_that_have_not_said_anything_hold_up_for_half_an_hour(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    pass_time: PassTime,
    guardian: Guardian,
) -> None:
    hass.states.async_set(CALENDAR, "unavailable")
    machines.everything_up()
    await load()
    await machines.seen()
    assert {who: unknown for who, (_, unknown) in wanting(guardian).items()} == {
        CALENDAR: True,
        NAS: True,
    }
    await pass_time(31 * 60, 15)
    assert not wanting(guardian)


async def test_an_entity_that_falls_silent_still_holds_the_host_up(
    hass: HomeAssistant, load: Load, machines: FakeMachines, guardian: Guardian
) -> None:
    hass.states.async_set(NAS, "on")
    hass.states.async_set(CALENDAR, "off")
    machines.everything_up()
    await load()
    await machines.seen()
    hass.states.async_set(NAS, "unavailable")
    await hass.async_block_till_done()
    assert NAS in wanting(guardian)
    hass.states.async_set(NAS, "on")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert machines.calls == []


async def test_a_forbidding_entity_refuses_players_with_its_name_and_nobody_else(
    hass: HomeAssistant, load: Load, machines: FakeMachines, guardian: Guardian
) -> None:
    hass.states.async_set(NIGHT, "on", {"friendly_name": "Quiet hours"})
    await load()
    await machines.seen()
    assert dict(guardian.snapshot.vetoes) == {NIGHT: "Quiet hours"}
    with pytest.raises(Refused) as refused:
        await guardian.wake(HOST, PLAYER, Source.DISCORD)
    assert refused.value.placeholders == {"reason": "Quiet hours"}
    assert machines.calls == []
    await guardian.wake(HOST, ROBIN)
    assert machines.calls == ["wake"]


async def test_a_forbidding_entity_that_falls_silent_says_what_it_last_said(
    hass: HomeAssistant, load: Load, guardian: Guardian
) -> None:
    seen = []
    hass.states.async_set(NIGHT, "unavailable")
    await load()
    for said in ("on", "unavailable", "off", "unknown"):
        seen.append(bool(guardian.snapshot.vetoes))
        hass.states.async_set(NIGHT, said, {"friendly_name": "Quiet hours"})
        await hass.async_block_till_done()
    assert [*seen, bool(guardian.snapshot.vetoes)] == [False, True, True, False, False]


async def test_nothing_is_followed_after_the_entry_is_unloaded(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    guardian: Guardian,
) -> None:
    hass.states.async_set(CALENDAR, "off")
    await load()
    await machines.seen()
    runtime = config_entry.runtime_data
    assert await hass.config_entries.async_unload(config_entry.entry_id)
    hass.states.async_set(CALENDAR, "on")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert machines.calls == []
    assert not wanting(runtime.guardian)


async def test_nothing_goes_out_while_the_entry_is_taken_apart(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    guardian: Guardian,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hass.states.async_set(CALENDAR, "off")
    await load()
    await machines.seen()
    take_apart = hass.config_entries.async_unload_platforms

    async def meanwhile(*entry_and_platforms: Any) -> bool:
        hass.states.async_set(CALENDAR, "on")
        return await take_apart(*entry_and_platforms)

    monkeypatch.setattr(hass.config_entries, "async_unload_platforms", meanwhile)
    assert await hass.config_entries.async_unload(config_entry.entry_id)
    assert machines.calls == []
    monkeypatch.undo()


async def test_an_entity_that_is_no_longer_asked_lets_go_at_the_next_load(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    guardian: Guardian,
) -> None:
    hass.states.async_set(CALENDAR, "on")
    hass.states.async_set(NAS, "off")
    await load()
    await machines.seen()
    assert CALENDAR in wanting(guardian)
    hass.config_entries.async_update_entry(config_entry, options={})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not wanting(guardian)
    assert guardian.snapshot.mode is Mode.AUTOMATIC
    assert guardian.snapshot.host.state is LifeState.OFF
