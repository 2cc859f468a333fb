"""Discord that is gone, broken or silent: the host is none the worse for it."""

import asyncio
from datetime import timedelta
import logging
import threading
import time
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian import discord_link
from custom_components.cubeguardian.const import DOMAIN
from custom_components.cubeguardian.diagnostics import async_get_config_entry_diagnostics
from custom_components.cubeguardian.discord_bridge.notifier import (
    Pace,
    WebhookNotifier,
)
from custom_components.cubeguardian.guardian import HOST, Caller

from .conftest import Load, PassTime
from .discord_bridge.discord_peer import (
    TOKEN,
    TYPED,
    WEBHOOK_ID,
    DiscordPeer,
    hangs,
    resets,
    says,
)
from .evenings import play_evening, twin
from .machines import FakeMachines
from .webhooks import (
    KEY,
    WEBHOOK,
    WEBHOOK_TASK,
    add_webhook,
    guardian,
    notifier,
    told,
    until,
)

pytest_plugins = ("tests.webhook_peer",)
pytestmark = pytest.mark.usefixtures("peer")

ROBIN = Caller(name="Robin")
GAME = "01SURVIVAL"
ISSUE = f"webhook_gone_{WEBHOOK}"
SETTLE_SECONDS = discord_link.SETTLE_SECONDS


def threads() -> list[str]:
    """Return the threads of webhooks."""
    return [one.name for one in threading.enumerate() if "webhook" in one.name]


@pytest.mark.parametrize(
    "answer", [says(404, {"code": 10015}), says(401, {"code": 50027}), says(403, {"code": 50013})]
)
async def test_a_webhook_that_is_gone_is_a_repair_and_is_left_in_peace(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    peer: DiscordPeer,
    config_entry: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
    answer: Any,
) -> None:
    peer.answers.append(answer)
    add_webhook(hass, config_entry)
    await load()
    await machines.seen()
    await guardian(config_entry).wake(HOST, ROBIN)
    await until(lambda: issue_registry.async_get_issue(DOMAIN, ISSUE))
    machines.everything_up()
    await machines.seen()
    assert notifier(config_entry).is_stopped
    assert len(peer.received) == 1
    assert guardian(config_entry).snapshot.host.state.value == "running"

    assert await hass.config_entries.async_reload(config_entry.entry_id)
    assert issue_registry.async_get_issue(DOMAIN, ISSUE)
    await guardian(config_entry).shut_down(HOST, ROBIN, timedelta(minutes=5))
    await until(lambda: issue_registry.async_get_issue(DOMAIN, ISSUE) is None)


async def test_with_the_webhook_goes_its_repair_and_with_the_host_its_file(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    peer: DiscordPeer,
    config_entry: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
    hass_storage: dict[str, Any],
) -> None:
    peer.answers.extend([says(404)] * 2)
    for number, key in enumerate((WEBHOOK, "01OTHER")):
        url = TYPED.replace(WEBHOOK_ID, f"11223344556677889{number}")
        add_webhook(hass, config_entry, key, live_status=True, url=url)
    await load()
    await until(lambda: len(issue_registry.issues) == 2)
    hass.config_entries.async_remove_subentry(config_entry, WEBHOOK)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert set(issue_registry.issues) == {(DOMAIN, "webhook_gone_01OTHER")}
    await hass.config_entries.async_remove(config_entry.entry_id)
    assert not issue_registry.issues
    assert KEY not in hass_storage


async def test_a_stored_address_that_is_none_harms_nothing(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    peer: DiscordPeer,
    config_entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    add_webhook(hass, config_entry, url=f"https://discord.example/{TOKEN}")
    add_webhook(hass, config_entry, key="01OTHER", groups=["nonsense"])
    await load()
    assert config_entry.state is ConfigEntryState.LOADED
    assert not config_entry.runtime_data.discord.webhooks
    assert TOKEN not in caplog.text


async def test_whatever_breaks_here_stays_here(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    peer: DiscordPeer,
    config_entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise KeyError("a text")

    for name in ("event_message", "status_message"):
        monkeypatch.setattr(discord_link, name, broken)
    add_webhook(hass, config_entry, live_status=True)
    await load()
    await machines.seen()
    await guardian(config_entry).wake(HOST, ROBIN)
    machines.everything_up()
    await machines.seen()
    assert guardian(config_entry).snapshot.host.state.value == "running"
    assert "Discord could not be told" in caplog.text


async def test_a_sender_that_fails_begins_anew_and_shows_no_traceback(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    peer: DiscordPeer,
    config_entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run, failures = WebhookNotifier.run, [RuntimeError(TYPED)]

    async def failing(own: WebhookNotifier) -> None:
        if failures:
            raise failures.pop()
        await run(own)

    monkeypatch.setattr(WebhookNotifier, "run", failing)
    monkeypatch.setattr(discord_link, "RESTART_SECONDS", 0.01)
    add_webhook(hass, config_entry, live_status=True)
    await load()
    await until(lambda: peer.received)
    assert "A webhook has failed: RuntimeError" in caplog.text
    assert TOKEN not in caplog.text


async def test_the_guardian_steps_at_the_same_instants_with_discord_in_a_black_hole(
    hass: HomeAssistant,
    machines: FakeMachines,
    peer: DiscordPeer,
    config_entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
    pass_time: PassTime,
) -> None:
    other = twin(config_entry)
    config_entry.add_to_hass(hass)
    without = await play_evening(hass, config_entry, machines, pass_time)

    peer.answers.extend([hangs] * 100)
    add_webhook(hass, other, live_status=True)
    assert await play_evening(hass, other, machines, pass_time) == without
    assert {kind for _, kind, _ in without} >= {"wake_sent", "woken", "refused", "asleep", "wake"}
    assert peer.received


async def test_nothing_is_left_of_a_webhook_after_a_reload_and_an_unload(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    peer: DiscordPeer,
    config_entry: MockConfigEntry,
) -> None:
    add_webhook(hass, config_entry, live_status=True)
    await load()
    await until(lambda: peer.received)
    for _ in range(3):
        assert await hass.config_entries.async_reload(config_entry.entry_id)
        await until(lambda: len(threads()) <= 1)
    assert len(_tasks()) == 1
    assert await hass.config_entries.async_unload(config_entry.entry_id)
    assert not _tasks()
    await until(lambda: not threads())


def _tasks() -> list[str]:
    """Return the tasks of webhooks."""
    return [one.get_name() for one in asyncio.all_tasks() if WEBHOOK_TASK in one.get_name()]


async def test_an_unload_ends_what_hangs_within_five_seconds(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    peer: DiscordPeer,
    config_entry: MockConfigEntry,
    hass_storage: dict[str, Any],
) -> None:
    peer.answers.extend([hangs] * 9)
    add_webhook(hass, config_entry)
    with (
        patch.object(discord_link, "PACE", Pace()),
        patch.object(discord_link, "SETTLE_SECONDS", SETTLE_SECONDS),
    ):
        await load()
        await machines.seen()
        await guardian(config_entry).wake(HOST, ROBIN)
        await peer.wait_for(1)
        began = time.monotonic()
        assert await hass.config_entries.async_unload(config_entry.entry_id)
    assert time.monotonic() - began < 5
    assert hass_storage[KEY]["data"][WEBHOOK]["dropped"] == 1


async def test_what_is_under_way_is_still_delivered_before_the_end(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    peer: DiscordPeer,
    config_entry: MockConfigEntry,
    hass_storage: dict[str, Any],
) -> None:
    add_webhook(hass, config_entry)
    await load()
    await machines.seen()
    await guardian(config_entry).wake(HOST, ROBIN)
    await hass.async_stop()
    assert told(peer) == ["Attic: Waking up"]
    assert hass_storage[KEY]["data"][WEBHOOK]["dropped"] == 0


async def test_no_fault_of_discord_brings_the_address_into_the_log(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    peer: DiscordPeer,
    config_entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "requests", "discord_webhook", "custom_components.cubeguardian"):
        caplog.set_level(logging.DEBUG, logger=name)
    peer.answers.extend(
        [says(500), resets, says(429, {"retry_after": 0.01}), says(400), says(302, Location=TYPED)]
    )
    add_webhook(hass, config_entry, live_status=True)
    await load()
    await machines.seen()
    await guardian(config_entry).wake(GAME, ROBIN)
    machines.everything_up()
    await machines.seen()
    await until(lambda: len(peer.received) > 6 and not notifier(config_entry).waiting)
    peer.answers.append(says(404))
    await guardian(config_entry).shut_down(HOST, ROBIN, timedelta(minutes=5))
    await until(lambda: notifier(config_entry).is_stopped)
    shown = await async_get_config_entry_diagnostics(hass, config_entry)
    assert TOKEN not in caplog.text
    assert TOKEN not in str(shown)
    assert "Webhook Evening is now gone" in caplog.text
