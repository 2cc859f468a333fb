"""How often the machines are asked, and what is made of their answers."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.guardian import (
    HOST,
    ApiState,
    Caller,
    Presence,
    RefusalReason,
    Refused,
    State,
)
from custom_components.cubeguardian.runtime import RuntimeData
from custom_components.cubeguardian.server_manager import (
    ApiError,
    AuthenticationError,
    CertificateError,
    HostTimeoutError,
    NameNotFoundError,
    PermissionDeniedError,
    ServerManager,
    ServerManagerError,
)

from .conftest import Hang, Load, PassTime, turn
from .machines import FakeMachines

ROBIN = Caller(name="Robin")


def parts(entry: MockConfigEntry) -> RuntimeData:
    """Return what the loaded entry holds."""
    runtime: RuntimeData = entry.runtime_data
    return runtime


async def settled(asked: Counter[str], pass_time: PassTime) -> None:
    """Let the pace of the start run out, and count from now on."""
    await pass_time(30, 15)
    asked.clear()


async def test_a_sleeping_host_costs_one_probe_in_30_seconds_and_its_games_none(
    load: Load, machines: FakeMachines, asked: Counter[str], pass_time: PassTime
) -> None:
    await load()
    await machines.seen()
    await settled(asked, pass_time)
    await pass_time(300, 10)
    assert asked == {"probe": 10}


async def test_what_runs_is_asked_every_15_seconds(
    load: Load, machines: FakeMachines, asked: Counter[str], pass_time: PassTime
) -> None:
    machines.everything_up()
    await load()
    await machines.seen()
    await settled(asked, pass_time)
    await pass_time(60, 5)
    assert asked == {"probe": 4, "read_node": 4, "minecraft_status": 8}


async def test_a_waking_host_is_looked_at_once_and_then_every_second(
    load: Load,
    machines: FakeMachines,
    asked: Counter[str],
    pass_time: PassTime,
    config_entry: MockConfigEntry,
) -> None:
    await load()
    await machines.seen()
    await settled(asked, pass_time)
    await parts(config_entry).guardian.wake(HOST, ROBIN)
    await turn()
    assert asked == {"probe": 1}
    await pass_time(10, 1)
    assert asked == {"probe": 11}


async def test_a_host_that_answers_while_waking_shows_within_two_seconds(
    load: Load, machines: FakeMachines, pass_time: PassTime, config_entry: MockConfigEntry
) -> None:
    await load()
    await machines.seen()
    await parts(config_entry).guardian.wake(HOST, ROBIN)
    await pass_time(20, 1)
    machines.host_up()
    await pass_time(2, 1)
    assert parts(config_entry).guardian.snapshot.host.state is State.RUNNING


async def test_a_host_that_goes_silent_while_stopping_shows_within_six_seconds(
    load: Load, machines: FakeMachines, pass_time: PassTime, config_entry: MockConfigEntry
) -> None:
    machines.everything_up()
    await load()
    await machines.seen()
    await parts(config_entry).guardian.shut_down(HOST, ROBIN)
    await pass_time(20, 1)
    machines.host_down()
    await pass_time(3, 1)
    assert parts(config_entry).guardian.snapshot.host.state is State.OFF


async def test_one_lost_probe_changes_nothing_that_was_read(
    load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    machines.everything_up()
    await load()
    await machines.seen()
    host = parts(config_entry).host
    before = host.data
    machines.awake = machines.pings = False
    await host.async_refresh()
    assert host.data.reading is before.reading is not None
    assert (host.data.api, host.data.latency_ms) == (ApiState.OK, before.latency_ms)
    await host.async_refresh()
    assert host.data.reading is None
    assert (host.data.api, host.data.latency_ms) == (ApiState.UNKNOWN, None)


async def test_a_lost_probe_does_not_make_a_refused_token_look_like_a_boot(
    load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    machines.host_up()
    await load()
    machines.awake = machines.pings = False
    await machines.glance()
    machines.host_up()
    await machines.glance()
    assert not parts(config_entry).host.booting


async def test_a_hanging_api_delays_no_probe_and_is_asked_once_at_a_time(
    load: Load,
    machines: FakeMachines,
    asked: Counter[str],
    hang: Hang,
    pass_time: PassTime,
    config_entry: MockConfigEntry,
) -> None:
    machines.everything_up()
    await load()
    await machines.seen()
    await settled(asked, pass_time)
    reading = hang("read_node")
    await pass_time(60, 5)
    assert asked == {"probe": 4, "minecraft_status": 8}
    reading.set()
    await turn()
    assert asked["read_node"] == 1
    assert parts(config_entry).host.data.api is ApiState.OK


@pytest.mark.parametrize(
    "error", [AuthenticationError("no such token"), CertificateError("another certificate")]
)
async def test_what_refuses_the_token_is_left_alone_for_a_minute(
    load: Load,
    machines: FakeMachines,
    asked: Counter[str],
    pass_time: PassTime,
    error: ServerManagerError,
) -> None:
    machines.everything_up()
    machines.fails("read_node", error)
    await load()
    await settled(asked, pass_time)
    await pass_time(120, 5)
    assert asked["probe"] == 8
    assert asked["read_node"] == 2


async def test_a_host_that_has_just_booted_may_refuse_a_good_token(
    load: Load,
    machines: FakeMachines,
    asked: Counter[str],
    pass_time: PassTime,
    config_entry: MockConfigEntry,
) -> None:
    await load()
    await machines.seen()
    machines.everything_up()
    machines.fails("read_node", AuthenticationError("no such token"))
    await pass_time(60, 15)
    host = parts(config_entry).host
    assert host.booting
    asked.clear()
    await pass_time(60, 5)
    assert asked["read_node"] == asked["probe"] == 4
    await pass_time(120, 5)
    assert not host.booting


async def test_a_reading_of_a_host_that_has_gone_meanwhile_is_dropped(
    load: Load, machines: FakeMachines, hang: Hang, config_entry: MockConfigEntry
) -> None:
    await load()
    await machines.seen()
    host = parts(config_entry).host
    reading = hang("read_node")
    machines.host_up()
    await host.async_refresh()
    machines.host_down()
    await host.async_refresh()
    await host.async_refresh()
    reading.set()
    await turn()
    assert host.data.reading is None
    assert host.data.api is ApiState.UNKNOWN


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (AuthenticationError("no such token"), ApiState.UNAUTHORISED),
        (PermissionDeniedError("Sys.Audit"), ApiState.FORBIDDEN),
        (CertificateError("another certificate"), ApiState.UNTRUSTED),
        (HostTimeoutError("no answer"), ApiState.TIMEOUT),
        (ApiError("not ready", status=500), ApiState.FAILING),
    ],
)
async def test_each_way_to_fail_has_its_state_and_goes_with_the_next_good_answer(
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    error: ServerManagerError,
    state: ApiState,
) -> None:
    machines.host_up()
    machines.fails("read_node", error)
    await load()
    data = parts(config_entry).host.data
    assert (data.api, data.error, data.reading) == (state, error, None)
    machines.works("read_node")
    await machines.glance()
    data = parts(config_entry).host.data
    assert (data.api, data.error) == (ApiState.OK, None)


async def test_without_a_token_the_api_is_never_read_and_holds_nothing_up(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    asked: Counter[str],
    config_entry: MockConfigEntry,
) -> None:
    config_entry.add_to_hass(hass)
    data = {key: value for key, value in config_entry.data.items() if "token" not in key}
    hass.config_entries.async_update_entry(config_entry, data=data)
    machines.host_up()
    await load()
    await machines.seen()
    assert asked["read_node"] == 0
    assert parts(config_entry).host.data.api is ApiState.UNKNOWN
    assert parts(config_entry).guardian.snapshot.host.state is State.RUNNING
    await parts(config_entry).guardian.shut_down(HOST, ROBIN)
    assert machines.calls == ["shut_down"]


@pytest.mark.parametrize("ours", ["no network", "no such name"])
async def test_what_is_wrong_on_our_side_says_nothing_of_the_host(
    load: Load,
    machines: FakeMachines,
    asked: Counter[str],
    pass_time: PassTime,
    config_entry: MockConfigEntry,
    ours: str,
) -> None:
    machines.everything_up()
    await load()
    await machines.seen()
    if ours == "no network":
        machines.network = False
    else:
        machines.fails("probe", NameNotFoundError("no such name"))
    await pass_time(60, 15)
    view = parts(config_entry).guardian.snapshot.host
    assert (view.presence, view.state) == (Presence.UNKNOWN, State.RUNNING)
    assert parts(config_entry).host.data.resolvable is (ours == "no network")
    asked.clear()
    await pass_time(60, 15)
    assert (asked["probe"], asked["minecraft_status"]) == (4, 0)

    machines.network = True
    machines.works("probe")
    await pass_time(15, 15)
    assert parts(config_entry).guardian.snapshot.host.presence is Presence.UP
    assert parts(config_entry).host.data.resolvable
    assert machines.calls == []


async def test_a_look_waits_for_a_reading_that_began_before_it_and_reads_anew(
    load: Load,
    machines: FakeMachines,
    asked: Counter[str],
    hang: Hang,
    freezer: FrozenDateTimeFactory,
    config_entry: MockConfigEntry,
) -> None:
    await load()
    await machines.seen()
    host = parts(config_entry).host
    reading = hang("read_node")
    machines.host_up()
    await host.async_refresh()
    freezer.tick(timedelta(seconds=3))
    asked_at = dt_util.utcnow()
    look = asyncio.create_task(host.async_look())
    await turn()
    assert not look.done()
    reading.set()
    data = await look
    assert asked["read_node"] == 2
    assert data.seen_at is not None
    assert data.read_at is not None
    assert min(data.seen_at, data.read_at) >= asked_at


async def test_only_a_look_reads_what_changes_seldom_anew_and_a_lost_one_is_made_up_for(
    load: Load, machines: FakeMachines, pass_time: PassTime, config_entry: MockConfigEntry
) -> None:
    read_node: Any = ServerManager.read_node
    machines.host_up()
    await load()
    await machines.seen()
    await pass_time(15, 15)
    read_node.reset_mock()
    await pass_time(15, 15)
    await parts(config_entry).host.async_look()
    machines.fails("read_node", HostTimeoutError("no answer"))
    await parts(config_entry).host.async_look()
    machines.works("read_node")
    await pass_time(30, 15)
    anew = [call.kwargs["anew"] for call in read_node.call_args_list]
    assert anew == [False, True, True, True, False]


async def test_a_look_that_came_to_nothing_refuses_a_shutdown(
    load: Load,
    machines: FakeMachines,
    freezer: FrozenDateTimeFactory,
    config_entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    machines.everything_up()
    await load()
    await machines.seen()
    freezer.tick(timedelta(seconds=1))
    machines.failures["probe"] = RuntimeError("a bug")  # type: ignore[assignment]
    with pytest.raises(Refused) as refused:
        await parts(config_entry).guardian.shut_down(HOST, ROBIN)
    assert refused.value.reason is RefusalReason.HELD
    assert refused.value.hold_ups[0].placeholders == {"reason": "silent"}
    assert machines.calls == []
    assert "a bug" in caplog.text


async def test_a_host_that_could_never_be_looked_at_is_unknown_and_left_alone(
    load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    machines.failures["probe"] = RuntimeError("a bug")  # type: ignore[assignment]
    await load()
    assert parts(config_entry).host.data.seen_at is None
    assert parts(config_entry).guardian.snapshot.host.presence is Presence.UNKNOWN
    await parts(config_entry).guardian.shut_down(HOST, ROBIN)
    assert parts(config_entry).guardian.snapshot.host.state is State.OFF
    assert machines.calls == []
