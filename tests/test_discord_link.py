"""What happens goes out to Discord, and nobody waits for it."""

from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian import discord_link
from custom_components.cubeguardian.diagnostics import async_get_config_entry_diagnostics
from custom_components.cubeguardian.discord_bridge.notifier import (
    Condition,
    Pace,
)
from custom_components.cubeguardian.guardian import HOST, Caller, Mode, Refused

from .conftest import Load, PassTime
from .discord_bridge.discord_peer import (
    MESSAGE_ID,
    WEBHOOK_ID,
    DiscordPeer,
    says,
)
from .machines import SURVIVAL, FakeMachines
from .webhooks import (
    KEY,
    WEBHOOK,
    add_webhook,
    guardian,
    notifier,
    posts,
    title,
    told,
    until,
)

pytest_plugins = ("tests.webhook_peer",)
pytestmark = pytest.mark.usefixtures("peer")

ROBIN = Caller(name="Robin")
GAME = "01SURVIVAL"


async def test_an_evening_is_told_from_the_packet_to_the_sleep(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    peer: DiscordPeer,
    config_entry: MockConfigEntry,
) -> None:
    add_webhook(hass, config_entry)
    await load()
    await machines.seen()
    await guardian(config_entry).wake(GAME, ROBIN)
    machines.everything_up()
    await machines.seen()
    machines.game_up(SURVIVAL, "Steve", "Alex")
    await machines.glance()
    machines.backup_runs()
    await machines.glance()
    with pytest.raises(Refused):
        await guardian(config_entry).shut_down(HOST, ROBIN)
    await until(lambda: len(posts(peer)) == 6)
    assert told(peer) == [
        "Attic: Waking up",
        "Creative: Ready to play",
        "Survival: Ready to play",
        "Attic: The host is up",
        "Survival: Joined",
        "Attic: Request refused",
    ]
    joined, refused = posts(peer)[-2:]
    assert "`Alex`, `Steve`" in joined.body["embeds"][0]["description"]
    assert "`Robin`" in refused.body["embeds"][0]["description"]
    assert "vzdump" in refused.body["embeds"][0]["description"]


async def test_only_what_was_chosen_is_told(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    peer: DiscordPeer,
    config_entry: MockConfigEntry,
) -> None:
    add_webhook(hass, config_entry, groups=["players"], alerts=False)
    machines.everything_up()
    await load()
    await machines.seen()
    machines.game_up(SURVIVAL, "Steve")
    await machines.glance()
    with pytest.raises(Refused):
        await guardian(config_entry).shut_down(HOST, ROBIN)
    machines.game_up(SURVIVAL)
    await machines.glance()
    await until(lambda: len(posts(peer)) == 2)
    assert told(peer) == ["Survival: Joined", "Survival: Left"]


@pytest.mark.parametrize("alerts", [True, False])
async def test_an_alert_is_told_to_whoever_wants_alerts_and_says_what_to_do(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    peer: DiscordPeer,
    config_entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
    pass_time: PassTime,
    alerts: bool,
) -> None:
    add_webhook(hass, config_entry, groups=[], alerts=alerts)
    await load()
    await machines.seen()
    await guardian(config_entry).wake(HOST, ROBIN)
    await pass_time(620, 20)
    if not alerts:
        assert (notifier(config_entry).waiting, peer.received) == (0, [])
        return
    await until(lambda: posts(peer))
    assert told(peer)[0] == "Attic: Could not be woken"
    (advice,) = posts(peer)[0].body["embeds"][0]["fields"]
    assert advice["name"] == "What to do"
    assert "Wake-on-LAN" in advice["value"]


@pytest.mark.parametrize(
    ("chosen", "ours", "spoken"),
    [
        ("fr", "en", "Réveil lancé"),
        ("en", "fr", "Waking up"),
        ("home_assistant", "fr-CA", "Réveil lancé"),
        ("home_assistant", "tlh", "Waking up"),
    ],
)
async def test_each_webhook_speaks_its_language(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    peer: DiscordPeer,
    config_entry: MockConfigEntry,
    chosen: str,
    ours: str,
    spoken: str,
) -> None:
    hass.config.language = ours
    add_webhook(hass, config_entry, language=chosen)
    await load()
    await machines.seen()
    await guardian(config_entry).wake(HOST, ROBIN)
    await until(lambda: posts(peer))
    assert told(peer) == [f"Attic: {spoken}"]


async def test_a_change_of_the_mode_is_told(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    peer: DiscordPeer,
    config_entry: MockConfigEntry,
) -> None:
    add_webhook(hass, config_entry)
    await load()
    await machines.seen()
    guardian(config_entry).set_mode(Mode.MAINTENANCE, "New disk", ROBIN)
    await until(lambda: posts(peer))
    assert told(peer) == ["Attic: Mode changed"]
    said = posts(peer)[0].body["embeds"][0]["description"]
    assert "New disk" in said
    assert "`Robin`" in said


async def test_the_live_status_is_one_message_that_outlives_a_reload(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    peer: DiscordPeer,
    config_entry: MockConfigEntry,
    hass_storage: dict[str, Any],
) -> None:
    add_webhook(hass, config_entry, groups=[], live_status=True)
    await load()
    await until(lambda: peer.received)
    assert [title(one) for one in posts(peer)] == ["💤 Asleep"]
    machines.everything_up()
    await machines.seen()
    await until(
        lambda: peer.received[-1].method == "PATCH" and "Running" in title(peer.received[-1])
    )
    await hass.async_block_till_done()
    assert hass_storage[KEY]["data"] == {
        WEBHOOK: {"webhook": WEBHOOK_ID, "status_id": MESSAGE_ID, "dropped": 0}
    }

    before = len(peer.received)
    assert await hass.config_entries.async_reload(config_entry.entry_id)
    machines.host_down()
    await machines.seen()
    await until(lambda: "Asleep" in title(peer.received[-1]))
    assert {one.method for one in peer.received[before:]} == {"PATCH"}
    assert len(posts(peer)) == 1
    assert all(one.path.endswith(f"/messages/{MESSAGE_ID}") for one in peer.received[before:])


async def test_a_status_that_was_deleted_is_posted_anew_and_remembered(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    peer: DiscordPeer,
    config_entry: MockConfigEntry,
    hass_storage: dict[str, Any],
) -> None:
    kept = {WEBHOOK: {"webhook": WEBHOOK_ID, "status_id": "77", "dropped": 0}}
    hass_storage[KEY] = {"version": 1, "key": KEY, "data": kept}
    peer.answers.append(says(404, {"code": 10008}))
    add_webhook(hass, config_entry, live_status=True)
    await load()
    await until(lambda: hass_storage[KEY]["data"][WEBHOOK]["status_id"] == MESSAGE_ID)
    assert [one.method for one in peer.received] == ["PATCH", "POST"]


async def test_a_status_of_another_webhook_is_left_alone(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    peer: DiscordPeer,
    config_entry: MockConfigEntry,
    hass_storage: dict[str, Any],
) -> None:
    kept = {WEBHOOK: {"webhook": "998877665544332211", "status_id": "77", "dropped": 0}}
    hass_storage[KEY] = {"version": 1, "key": KEY, "data": kept}
    add_webhook(hass, config_entry, live_status=True)
    await load()
    await until(lambda: peer.received)
    assert peer.received[0].method == "POST"


@pytest.mark.parametrize(
    ("version", "data"),
    [(1, [7]), (1, {WEBHOOK: {"status_id": 1}}), (1, {WEBHOOK: None}), (9, {})],
)
async def test_what_was_stored_and_makes_no_sense_costs_nothing_else(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    peer: DiscordPeer,
    config_entry: MockConfigEntry,
    hass_storage: dict[str, Any],
    version: int,
    data: Any,
) -> None:
    hass_storage[KEY] = {"version": version, "key": KEY, "data": data}
    add_webhook(hass, config_entry, live_status=True)
    await load()
    await until(lambda: peer.received)
    assert peer.received[0].method == "POST"


async def test_what_could_not_be_delivered_before_a_reload_is_told_after_it(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    peer: DiscordPeer,
    config_entry: MockConfigEntry,
    hass_storage: dict[str, Any],
) -> None:
    peer.answers.append(says(503))
    add_webhook(hass, config_entry)
    with patch.object(discord_link, "PACE", Pace(first_pause=60)):
        await load()
        await machines.seen()
        await guardian(config_entry).wake(HOST, ROBIN)
        await until(lambda: notifier(config_entry).condition is Condition.AWAY)
    assert await hass.config_entries.async_reload(config_entry.entry_id)
    assert hass_storage[KEY]["data"][WEBHOOK]["dropped"] == 1
    machines.everything_up()
    await machines.seen()
    await until(lambda: len(posts(peer)) >= 2)
    assert posts(peer)[1].content.startswith("⚠️ A message before this one")
    await until(lambda: notifier(config_entry).dropped == 0)


async def test_diagnostics_tell_how_a_webhook_does_and_not_where_it_leads(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    peer: DiscordPeer,
    config_entry: MockConfigEntry,
) -> None:
    add_webhook(hass, config_entry, groups=["ready"])
    await load()
    told_of = await async_get_config_entry_diagnostics(hass, config_entry)
    assert told_of["webhooks"] == [
        {
            "groups": ["ready"],
            "alerts": True,
            "live_status": False,
            "language": "en",
            "condition": "fine",
            "waiting": 0,
            "dropped": 0,
        }
    ]
    assert WEBHOOK_ID not in str(told_of)
    assert "Evening" not in str(told_of)
