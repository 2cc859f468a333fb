"""An evening that is played twice, with and without something that must not matter."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from homeassistant.config_entries import ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.const import DOMAIN
from custom_components.cubeguardian.guardian import HOST, Caller, Event, Refused

from .conftest import PassTime
from .machines import SURVIVAL, FakeMachines
from .webhooks import guardian

GAME = "01SURVIVAL"
ROBIN = Caller(name="Robin")

type Steps = list[tuple[timedelta, str, str]]


async def play_evening(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    machines: FakeMachines,
    pass_time: PassTime,
    begin: Callable[[], Awaitable[None]] | None = None,
) -> Steps:
    """Play an evening in seconds of the frozen clock; return what happened when.

    `begin` is awaited once the host is loaded.
    """
    began = dt_util.utcnow()
    steps: Steps = []
    machines.host_down()
    machines.calls.clear()
    assert await hass.config_entries.async_setup(entry.entry_id)
    if begin is not None:
        await begin()
    await pass_time(60, 1)
    brain = guardian(entry)

    def happened(event: Event) -> None:
        steps.append((dt_util.utcnow() - began, event.kind.value, event.target))

    entry.runtime_data.decisions.async_listen_events(happened)
    await brain.wake(GAME, ROBIN)
    await pass_time(40, 1)
    machines.everything_up()
    machines.game_up(SURVIVAL, "Steve")
    await pass_time(60, 1)
    with pytest.raises(Refused):
        machines.backup_runs()
        await brain.shut_down(HOST, ROBIN)
    machines.tasks = ()
    machines.game_up(SURVIVAL)
    await pass_time(60, 1)
    await brain.shut_down(HOST, ROBIN, timedelta(minutes=2))
    await pass_time(130, 1)
    machines.host_down()
    await pass_time(120, 1)
    steps.extend((timedelta(), call, "") for call in machines.calls)
    assert await hass.config_entries.async_remove(entry.entry_id)
    return steps


def twin(entry: MockConfigEntry) -> MockConfigEntry:
    """Return another entry of the same host."""
    games = [
        ConfigSubentryDataWithId(
            subentry_id=one.subentry_id,
            subentry_type=one.subentry_type,
            title=one.title,
            unique_id=None,
            data=dict(one.data),
        )
        for one in entry.subentries.values()
    ]
    return MockConfigEntry(
        domain=DOMAIN,
        title=entry.title,
        unique_id=entry.unique_id,
        data=dict(entry.data),
        subentries_data=games,
    )
