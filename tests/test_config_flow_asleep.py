"""Setting up a host that sleeps: waking it at once, or adding it as it is."""

import asyncio
import socket
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest

from custom_components.cubeguardian import flow_checks
from custom_components.cubeguardian.server_manager import (
    NetworkUnavailableError,
    WakeOnLANManager,
    connectivity_checker,
)
from tests.flows import (
    MAC,
    choose,
    decide,
    go_on,
    host_form,
    start,
    suggested,
)
from tests.lab.nic import LoopbackNic
from tests.lab.pve import LabPve

pytest_plugins = ("tests.flow_peers",)
pytestmark = pytest.mark.usefixtures("quiet_loopback", "entries_stay_still")


async def test_the_mac_address_of_the_neighbour_table_is_proposed_even_while_the_host_sleeps(
    hass: HomeAssistant, sleeping_pve: LabPve
) -> None:
    flow_checks.NEIGHBOUR_TABLE.write_text(
        "IP address       HW type     Flags       HW address            Mask     Device\n"
        "127.0.0.9        0x1         0x2         02:00:00:00:00:99     *        eth0\n"
        f"127.0.0.1        0x1         0x2         {MAC}     *        eth0\n"
    )
    form = await start(hass, host_form(sleeping_pve.port, mac=None))
    assert (form["step_id"], suggested(form)) == ("mac", {"mac": MAC})

    menu = await go_on(hass, form, {"mac": MAC})
    assert menu["step_id"] == "asleep"


async def test_a_sleeping_host_can_be_added_and_is_marked_as_unchecked(
    hass: HomeAssistant, sleeping_pve: LabPve
) -> None:
    menu = await start(hass, host_form(sleeping_pve.port))
    assert (menu["type"], menu["step_id"]) == (FlowResultType.MENU, "asleep")
    assert menu["menu_options"] == ["wake", "save_asleep", "back"]

    done = await decide(hass, await choose(hass, menu, "save_asleep"), "automatic")
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert done["data"]["mode"] == "automatic"
    assert done["data"]["unchecked"] is True
    assert done["data"]["trust"] == {"kind": "system"}


async def test_a_sleeping_host_without_a_token_has_nothing_left_to_check(
    hass: HomeAssistant, sleeping_pve: LabPve
) -> None:
    menu = await start(hass, host_form(sleeping_pve.port, token_id=None, token_secret=None))
    done = await decide(hass, await choose(hass, menu, "save_asleep"))
    assert done["data"]["unchecked"] is False


async def test_one_can_go_back_from_a_sleeping_host_to_what_was_typed(
    hass: HomeAssistant, sleeping_pve: LabPve
) -> None:
    form = await choose(hass, await start(hass, host_form(sleeping_pve.port)), "back")
    assert (form["step_id"], suggested(form)) == ("user", host_form(sleeping_pve.port))


async def test_waking_during_set_up_tries_everything_out(
    hass: HomeAssistant, sleeping_pve: LabPve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_checks, "WAKE_PAUSE", 0.05)
    nic = LoopbackNic(MAC, (("127.0.0.1", 0),))
    await nic.open()
    wake = {"broadcast": "127.0.0.1", "port": nic.port}
    menu = await start(hass, host_form(sleeping_pve.port, wake_on_lan=wake))

    waiting = await choose(hass, menu, "wake")
    assert (waiting["type"], waiting["progress_action"]) == (
        FlowResultType.SHOW_PROGRESS,
        "waking",
    )
    again = await go_on(hass, waiting)
    assert again["type"] is FlowResultType.SHOW_PROGRESS
    await nic.woken()
    nic.close()
    await sleeping_pve.start()
    await hass.async_block_till_done()

    shown = await go_on(hass, waiting)
    assert shown["step_id"] == "certificate"
    done = await decide(hass, await go_on(hass, shown))
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert done["data"]["unchecked"] is False
    assert done["options"] == {"wake_on_lan": wake}


async def test_packets_are_repeated_until_patience_ends_and_the_menu_says_so(
    hass: HomeAssistant, sleeping_pve: LabPve, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "WAKE_PAUSE": 0.02,
        "WAKE_PATIENCE": 0.3,
        "RESEND_EAGERLY_EVERY": 0.05,
        "RESEND_EAGERLY_FOR": 0.1,
        "RESEND_EVERY": 0.1,
    }.items():
        monkeypatch.setattr(flow_checks, name, value)
    send = AsyncMock(side_effect=[None, None, NetworkUnavailableError("down"), None, None, None])
    monkeypatch.setattr(WakeOnLANManager, "send", send)

    menu = await _wake(hass, await start(hass, host_form(sleeping_pve.port)))

    assert (menu["type"], menu["step_id"]) == (FlowResultType.MENU, "wake_silent")
    assert len(send.mock_calls) >= 3
    assert (await choose(hass, menu, "save_asleep"))["step_id"] == "mode"


async def test_a_packet_that_cannot_be_sent_is_said_at_once(
    hass: HomeAssistant, sleeping_pve: LabPve, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = AsyncMock(side_effect=NetworkUnavailableError("Network is unreachable"))
    monkeypatch.setattr(WakeOnLANManager, "send", send)
    menu = await choose(hass, await start(hass, host_form(sleeping_pve.port)), "wake")
    assert (menu["type"], menu["step_id"]) == (FlowResultType.MENU, "wake_not_sent")


async def test_a_host_that_only_answers_ping_is_said_to_start_and_then_to_lack_its_port(
    hass: HomeAssistant, sleeping_pve: LabPve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_checks, "WAKE_PATIENCE", 0.05)
    monkeypatch.setattr(flow_checks, "WAKE_PAUSE", 0.02)
    alive = SimpleNamespace(is_alive=True, avg_rtt=0.4, packets_sent=1)
    monkeypatch.setattr(connectivity_checker, "async_ping", AsyncMock(return_value=alive))
    monkeypatch.setattr(WakeOnLANManager, "send", AsyncMock())

    menu = await start(hass, host_form(sleeping_pve.port))
    assert menu["step_id"] == "starting"
    menu = await _wake(hass, menu)
    assert menu["step_id"] == "wake_no_port"


async def test_a_name_that_only_a_running_host_has_is_waited_for(
    hass: HomeAssistant, sleeping_pve: LabPve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_checks, "WAKE_PATIENCE", 0.1)
    monkeypatch.setattr(flow_checks, "WAKE_PAUSE", 0.02)
    monkeypatch.setattr(WakeOnLANManager, "send", AsyncMock())
    menu = await start(hass, host_form(sleeping_pve.port, host="localhost"))

    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert (await _wake(hass, menu))["step_id"] == "wake_silent"


async def test_leaving_the_flow_ends_the_waiting(
    hass: HomeAssistant, sleeping_pve: LabPve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WakeOnLANManager, "send", AsyncMock())
    waiting = await choose(hass, await start(hass, host_form(sleeping_pve.port)), "wake")
    (task,) = (task for task in asyncio.all_tasks() if "set-up wakes" in task.get_name())
    hass.config_entries.flow.async_abort(waiting["flow_id"])
    with pytest.raises(asyncio.CancelledError):
        await task


async def _wake(hass: HomeAssistant, menu: Any) -> Any:
    """Choose to wake, and wait for the outcome."""
    waiting = await choose(hass, menu, "wake")
    assert (waiting["type"], waiting["step_id"]) == (FlowResultType.SHOW_PROGRESS, "wake")
    await hass.async_block_till_done()
    return await go_on(hass, waiting)
