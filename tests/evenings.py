"""An evening that is played twice, with and without something that must not matter."""

from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any, override

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


class Calls(list[str]):
    """The calls of the machines, each noted at its instant."""

    def __init__(self, noted: Callable[[str], None]) -> None:
        super().__init__()
        self._noted = noted

    @override
    def append(self, call: str) -> None:
        super().append(call)
        self._noted(call)


async def play_evening(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    machines: FakeMachines,
    pass_time: PassTime,
    begin: Callable[[], Awaitable[None]] | None = None,
) -> Steps:
    """Play an evening in seconds of the frozen clock; return what happened when.

    `begin` is awaited once the host is loaded. Nobody waits for a command: what takes more than
    a second of the clock, as all does that waits for a network, fails.
    """
    began = dt_util.utcnow()
    steps: Steps = []
    machines.host_down()
    machines.calls = Calls(lambda call: steps.append((dt_util.utcnow() - began, call, "")))
    assert await hass.config_entries.async_setup(entry.entry_id)
    if begin is not None:
        await begin()
    await pass_time(60, 1)
    brain = guardian(entry)

    def happened(event: Event) -> None:
        steps.append((dt_util.utcnow() - began, event.kind.value, event.target))

    async def give(command: Coroutine[Any, Any, None]) -> None:
        given = hass.async_create_task(command)
        await pass_time(1, 1)
        assert given.done(), "a command waits for something that it must not wait for"
        given.result()

    entry.runtime_data.decisions.async_listen_events(happened)
    await give(brain.wake(GAME, ROBIN))
    await pass_time(40, 1)
    machines.everything_up()
    machines.game_up(SURVIVAL, "Steve")
    await pass_time(60, 1)
    with pytest.raises(Refused):
        machines.backup_runs()
        await give(brain.shut_down(HOST, ROBIN))
    machines.tasks = ()
    machines.game_up(SURVIVAL)
    await pass_time(60, 1)
    await give(brain.shut_down(HOST, ROBIN, timedelta(minutes=2)))
    await pass_time(130, 1)
    machines.host_down()
    await pass_time(120, 1)
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
