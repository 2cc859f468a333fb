"""Fixtures that every test of the Home Assistant side shares."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState, ConfigSubentryDataWithId
from homeassistant.const import CONF_ADDRESS, CONF_HOST, CONF_PORT, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.amber import AmberSnapshotExtension

# The harness has a package of the same name, which would hide ours.
import custom_components.cubeguardian
from custom_components.cubeguardian.const import (
    CONF_EDITION,
    CONF_MAC,
    CONF_MODE,
    CONF_NODE,
    CONF_PUBLIC_ADDRESS,
    CONF_TOKEN_ID,
    CONF_TOKEN_SECRET,
    CONF_TRUST,
    CONF_VMID,
    DOMAIN,
    SUBENTRY_MINECRAFT_SERVER,
)
from custom_components.cubeguardian.server_manager import ServerManager

from .capabilities import demand_capabilities
from .machines import CREATIVE, SURVIVAL, SURVIVAL_VMID, FakeMachines

type Load = Callable[..., Awaitable[None]]
type Hang = Callable[[str], asyncio.Event]
type PassTime = Callable[[float, float], Awaitable[None]]

# More turns of the loop than anything takes that waits for nothing outside of it.
TURNS = 50


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Ask first whether this machine can do what the test needs."""
    demand_capabilities(item)


@pytest.fixture(autouse=True)
def known_to_home_assistant(request: pytest.FixtureRequest) -> None:
    """Let Home Assistant find the integration, in tests that have a Home Assistant."""
    if "hass" in request.fixturenames:
        request.getfixturevalue("enable_custom_integrations")


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Keep snapshots in one place and form: two plug-ins offer this fixture, in no fixed order."""
    return snapshot.use_extension(AmberSnapshotExtension)


@pytest.fixture
def config_entry() -> MockConfigEntry:
    """Return a host with two game servers, of which one runs in a known guest."""
    return MockConfigEntry(
        domain=DOMAIN,
        title="Attic",
        entry_id="01HOST",
        unique_id="02:00:5e:10:00:01",
        data={
            CONF_HOST: "192.0.2.10",
            CONF_PORT: 8006,
            CONF_MAC: "02:00:5e:10:00:01",
            CONF_TOKEN_ID: "cubeguardian@pve!wake",
            CONF_TOKEN_SECRET: "5f8a1c1e-0000-4000-8000-9c2b7d3e4f50",
            CONF_NODE: "pve-attic",
            CONF_TRUST: {"kind": "system"},
            CONF_MODE: "manual",
        },
        subentries_data=[
            _game("01SURVIVAL", "Survival", SURVIVAL, SURVIVAL_VMID),
            _game("01CREATIVE", "Creative", CREATIVE, None),
        ],
    )


def _game(subentry_id: str, title: str, address: str, vmid: int | None) -> ConfigSubentryDataWithId:
    return ConfigSubentryDataWithId(
        subentry_id=subentry_id,
        subentry_type=SUBENTRY_MINECRAFT_SERVER,
        title=title,
        unique_id=None,
        data={
            CONF_ADDRESS: address,
            CONF_PUBLIC_ADDRESS: "",
            CONF_EDITION: "java",
            CONF_VMID: vmid,
        },
    )


@pytest.fixture
def machines(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> FakeMachines:
    """Return pretended machines, all asleep, in the place of the network."""
    return FakeMachines(hass, monkeypatch)


@pytest.fixture
def asked(machines: FakeMachines, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Return how often the machines were asked for what is only read."""
    counts: Counter[str] = Counter()

    def count(name: str) -> None:
        answer = getattr(ServerManager, name)

        async def counted(*args: Any, **more: Any) -> Any:
            counts[name] += 1
            return await answer(*args, **more)

        monkeypatch.setattr(ServerManager, name, counted)

    for name in ("probe", "read_node", "minecraft_status"):
        count(name)
    return counts


@pytest.fixture
def hang(machines: FakeMachines, monkeypatch: pytest.MonkeyPatch) -> Hang:
    """Return a function that lets a method hang until the event that it returns is set."""

    def hold(name: str) -> asyncio.Event:
        answer, let_go = getattr(ServerManager, name), asyncio.Event()

        async def held(*args: Any, **more: Any) -> Any:
            await let_go.wait()
            return await answer(*args, **more)

        monkeypatch.setattr(ServerManager, name, held)
        return let_go

    return hold


@pytest.fixture
async def load(
    hass: HomeAssistant,
    config_entry: MockConfigEntry,
    machines: FakeMachines,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncGenerator[Load]:
    """Return a function that sets the entry up, with the named platforms or with all of them."""

    async def set_up(*platforms: Platform) -> None:
        if platforms:
            monkeypatch.setattr(custom_components.cubeguardian, "PLATFORMS", list(platforms))
        if hass.config_entries.async_get_entry(config_entry.entry_id) is None:
            config_entry.add_to_hass(hass)
        assert await hass.config_entries.async_setup(config_entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)

    yield set_up
    if config_entry.state is ConfigEntryState.LOADED:
        assert await hass.config_entries.async_unload(config_entry.entry_id)


async def turn() -> None:
    """Let everything run that waits for nothing outside of the loop."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


@pytest.fixture
def pass_time(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PassTime:
    """Return a function that lets seconds pass in steps, and what is due happen.

    It does not wait for anything that hangs.
    """

    async def pass_seconds(seconds: float, step: float) -> None:
        for _ in range(round(seconds / step)):
            freezer.tick(timedelta(seconds=step))
            async_fire_time_changed(hass)
            await turn()

    return pass_seconds


@pytest.fixture
def everything_enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enable the entities that are disabled at first."""
    monkeypatch.setattr(Entity, "entity_registry_enabled_default", True)
