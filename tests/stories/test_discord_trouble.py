"""Reloads, a revoked token and a Discord that refuses most of what it is asked."""

from itertools import pairwise
from pathlib import Path
import time

import pytest

from tests.lab.discord import Latency, RateLimit, ServerError
from tests.lab.discord.faults import Fault
from tests.lab.discord.record import Call
from tests.lab.namespaces import TwoNamespaces

from .cast import Part
from .discord_scene import BOT, House, house_on_discord
from .scene import bursts, happened

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_namespaces,
    pytest.mark.needs_demo,
    pytest.mark.timeout(400),
]

_CELLAR = Part(name="cellar", times={"guest_shutdown": 1.0})
_MESSAGES = r"^/channels/\d+/messages"
_WEBHOOK = r"^/webhooks/\d+/\*\*\*$"
_OF_THE_BOT = r"^/(channels|guilds|users|gateway|applications)/"
_STORM: dict[str, tuple[Fault, ...]] = {
    _MESSAGES: (
        RateLimit(retry_after=2.0, is_global=True),
        ServerError(),
        RateLimit(retry_after=1.5),
        ServerError(status=503, is_html=False),
    ),
    _WEBHOOK: (
        RateLimit(retry_after=2.0, is_global=True),
        ServerError(),
        RateLimit(retry_after=1.5),
    ),
}
_EDIT_EVERY = 4.0
_WOKEN = ["Waking up", "The host is up", "Ready to play"]
_TOLD = ["Shutting down", "Asleep", *_WOKEN]
# Home Assistant may be that late on a busy machine.
_LATE = 6.0


async def test_a_house_has_trouble_with_discord(wire: TwoNamespaces, tmp_path: Path) -> None:
    async with house_on_discord(wire, tmp_path, _CELLAR, voice_at_start=True) as house:
        await _reloads_leave_the_bot_connected_and_wake_nobody(house)
        await _a_revoked_token_is_mended_by_its_repair(house)
        await _a_storm_of_refusals_loses_nothing(house)


async def _reloads_leave_the_bot_connected_and_wake_nobody(house: House) -> None:
    town, host = house.town, house.host
    await house.is_connected()
    await host.shows("reachable", "off")
    await host.become_automatic()
    await host.becomes(lambda: house.scene.state(f"{BOT}.voice_members") == "1")
    await town.shows("Asleep")
    panel, begun = town.panel.id, time.time()

    for _ in range(3):
        path = f"/api/config/config_entries/entry/{host.name}/reload"
        assert await house.scene.client.post(path) == {"require_restart": False}
        await house.is_connected()
        await host.shows("reachable", "off")
        await host.becomes(lambda: host.wanted_by() == {"voice"})
    assert host.course("state") == ["off"]
    assert bursts(await host.evidence()) == 0
    assert (town.discord.identifies, town.disconnects) == (1, 0)
    assert town.panel.id == panel
    assert len(town.calls("POST", rf"^/channels/{town.board.id}/messages$")) == 1
    assert house.scene.course(f"{BOT}.connected", since=begun) == ["on"]


async def _a_revoked_token_is_mended_by_its_repair(house: House) -> None:
    town, host, client = house.town, house.host, house.scene.client
    panel = town.panel.id
    town.discord.revoke_token()
    await house.has_issue("bot_token")
    await house.is_connected("off")
    assert await house.scene.entry_states() == {"Cellar": "loaded"}
    begun, identified = time.time(), town.discord.identifies
    await host.switch("turn_on")
    await host.is_up()
    assert town.discord.identifies == identified
    assert town.calls("", _OF_THE_BOT, since=begun) == []
    for title in _WOKEN:
        await town.has_told(town.news, title)
    missed = len(town.told(town.news)) - len(town.told(town.lobby))

    flow = await client.begin("repair", "cubeguardian", issue_id="bot_token")
    assert (flow["type"], flow["step_id"]) == ("form", "token")
    flow = await client.proceed("repair", flow["flow_id"], {"token": town.discord.token})
    assert flow["errors"]
    flow = await client.proceed("repair", flow["flow_id"], {"token": town.renew_token()})
    assert flow["type"] == "create_entry"
    await house.is_connected()
    await house.has_issue("bot_token", there=False)
    await town.shows("Running")
    assert town.panel.id == panel
    assert await house.scene.entry_states() == {"Cellar": "loaded"}
    await town.gives("status", {}, town.alex, "Running")
    channel = {"entity_id": house.scene.entities[f"{BOT}.channel"], "message": "Good evening"}
    await client.call("notify", "send_message", channel)
    await town.discord.record.until(lambda: town.dropped(town.lobby) == missed)
    assert missed == len(_WOKEN)


async def _a_storm_of_refusals_loses_nothing(house: House) -> None:
    town, host, discord = house.town, house.host, house.town.discord
    told = {channel: len(town.told(channel)) for channel in (town.lobby, town.news)}
    dropped = [town.dropped(channel) for channel in told]
    begun = time.time()
    for path, faults in _STORM.items():
        for fault in faults:
            discord.break_with(fault, path=path, times=1)
        discord.break_with(Latency(seconds=0.5), path=path)
        discord.limit("POST", path, limit=1, per=2.0)

    await host.switch("turn_off")
    await host.shows("state", "off")
    await host.switch("turn_on")
    await host.is_up()
    assert host.course("state", since=begun) == ["stopping", "off", "waking", "running"]
    seen = house.scene.first(host.key("state"), "running", since=begun).at
    assert seen - happened(await host.evidence(), "api_up") < _LATE

    for channel, before in told.items():
        await town.has_told(channel, _TOLD[-1], since=before)
        assert town.told(channel)[before:] == _TOLD
    assert [town.dropped(channel) for channel in told] == dropped
    await town.shows("Running")
    for path, faults in _STORM.items():
        _was_patient(town.calls("", path, since=begun), faults)


def _was_patient(calls: list[Call], faults: tuple[Fault, ...]) -> None:
    """See that each refusal was believed: nothing was asked again before its time."""
    refused = [call for call in calls if call.status not in (200, None)]
    assert [call.status for call in refused] == [_status(fault) for fault in faults]
    for call, fault in zip(refused, faults, strict=True):
        again = (one for one in calls if one.at > call.at and one.path == call.path)
        if isinstance(fault, RateLimit):
            assert next(again).at - call.at > fault.retry_after - 0.1
    posts = [call for call in calls if call.method == "POST" and call.status == 200]
    assert len(posts) == len(_TOLD)
    edits = [call for call in calls if call.method == "PATCH" and call.status == 200]
    assert all(later.at - earlier.at > _EDIT_EVERY for earlier, later in pairwise(edits))


def _status(fault: Fault) -> int:
    return fault.status if isinstance(fault, ServerError) else 429
