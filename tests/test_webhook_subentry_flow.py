"""Adding a Discord webhook below a host, and changing one."""

import logging
from typing import Any
from unittest.mock import patch

from homeassistant.config_entries import SOURCE_USER, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.const import DOMAIN, SUBENTRY_DISCORD_WEBHOOK
from custom_components.cubeguardian.webhook_repair import async_raise_webhook_gone

from .discord_bridge.discord_peer import (
    THREAD,
    TOKEN,
    TYPED,
    WEBHOOK_ID,
    DiscordPeer,
    hangs,
    says,
    sends,
)
from .flows import check_texts, known_host, suggested
from .webhooks import EVERYTHING, FACTS, WEBHOOK, add_webhook

pytest_plugins = ("tests.webhook_peer",)
pytestmark = pytest.mark.usefixtures("peer")

TEXTS = ("config_subentries", SUBENTRY_DISCORD_WEBHOOK)
OTHER = TYPED.replace(WEBHOOK_ID, "998877665544332211")
WISHES: dict[str, Any] = {
    "groups": ["ready", "problems"],
    "alerts": False,
    "live_status": True,
    "language": "fr",
}


@pytest.fixture
def entry(hass: HomeAssistant) -> MockConfigEntry:
    """Return a host that is not loaded and has no webhook."""
    return known_host(hass)


async def open_form(hass: HomeAssistant, entry: MockConfigEntry) -> Any:
    """Begin to add a webhook."""
    return await hass.config_entries.subentries.async_init(
        (entry.entry_id, SUBENTRY_DISCORD_WEBHOOK), context={"source": SOURCE_USER}
    )


async def go_on(hass: HomeAssistant, step: Any, typed: dict[str, Any] | None = None) -> Any:
    """Submit a step; its texts are there in every language."""
    check_texts(step, *TEXTS)
    following = await hass.config_entries.subentries.async_configure(step["flow_id"], typed or {})
    check_texts(following, *TEXTS)
    return following


async def add(hass: HomeAssistant, entry: MockConfigEntry, **typed: Any) -> Any:
    """Submit the form of a new webhook."""
    form = await open_form(hass, entry)
    return await go_on(hass, form, {"name": " Evening ", "url": TYPED, **typed})


async def test_a_webhook_is_kept_once_its_channel_was_shown(
    hass: HomeAssistant, entry: MockConfigEntry, peer: DiscordPeer
) -> None:
    peer.answers.append(says(200, FACTS))
    step = await add(hass, entry, url=f" {TYPED} ", **WISHES)
    assert (step["type"], step["step_id"]) == (FlowResultType.FORM, "confirm")
    assert step["description_placeholders"] == {
        "webhook": "Evening",
        "channel": FACTS["channel_id"],
        "link": f"https://discord.com/channels/{FACTS['guild_id']}/{FACTS['channel_id']}",
    }
    assert not entry.subentries

    done = await go_on(hass, step)
    assert done["type"] is FlowResultType.CREATE_ENTRY
    (webhook,) = entry.subentries.values()
    assert (webhook.title, webhook.subentry_type) == ("Evening", SUBENTRY_DISCORD_WEBHOOK)
    assert webhook.data == {"url": TYPED, **WISHES}
    (asked,) = peer.received
    assert asked.method == "GET"


async def test_nobody_is_named_unless_somebody_asks_for_it(
    hass: HomeAssistant, entry: MockConfigEntry, peer: DiscordPeer
) -> None:
    peer.answers.append(says(200, FACTS))
    await go_on(hass, await add(hass, entry))
    (webhook,) = entry.subentries.values()
    assert webhook.data == {
        "url": TYPED,
        "groups": [group for group in EVERYTHING if group != "players"],
        "alerts": True,
        "live_status": False,
        "language": "home_assistant",
    }


async def test_a_thread_is_shown_in_the_place_of_its_channel(
    hass: HomeAssistant, entry: MockConfigEntry, peer: DiscordPeer
) -> None:
    peer.answers.append(says(200, {**FACTS, "name": "`evil` [link](https://x.y)"}))
    step = await add(hass, entry, url=f"{TYPED}?thread_id={THREAD}")
    shown = step["description_placeholders"]
    assert shown["channel"] == THREAD
    assert shown["link"].endswith(THREAD)
    assert "`" not in shown["webhook"]


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ({"name": "  "}, {"name": "name_missing"}),
        ({"url": "https://discord.example/api/webhooks/1/x"}, {"url": "not_a_webhook"}),
        ({"url": f"{TYPED}?thread_id=tea"}, {"url": "bad_thread"}),
    ],
)
async def test_what_cannot_be_right_never_reaches_discord(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    peer: DiscordPeer,
    typed: dict[str, Any],
    error: dict[str, str],
) -> None:
    form = await add(hass, entry, **typed)
    assert form["errors"] == error
    assert not peer.received


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (says(404, {"code": 10015}), "gone"),
        (says(401, {"code": 50027}), "denied"),
        (says(403), "denied"),
        (says(429, {"retry_after": 5}), "busy"),
        (says(500), "away"),
        (says(200, b"<html>"), "away"),
        (says(200, {**FACTS, "type": 3}), "not_incoming"),
        (sends(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), "away"),
    ],
)
async def test_a_refused_webhook_is_explained_and_the_next_try_may_work(
    hass: HomeAssistant, entry: MockConfigEntry, peer: DiscordPeer, answer: Any, error: str
) -> None:
    peer.answers.extend([answer, says(200, FACTS)])
    form = await add(hass, entry, **WISHES)
    assert form["errors"] == {"url": error}
    assert suggested(form) == {"name": " Evening ", **WISHES}

    step = await go_on(hass, form, {"name": "Evening", "url": TYPED, **WISHES})
    assert step["step_id"] == "confirm"


async def test_a_silent_discord_is_not_waited_for_without_end(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    peer: DiscordPeer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("custom_components.cubeguardian.discord_bridge.webhook_url._TIMEOUT", 0.1)
    peer.answers.append(hangs)
    assert (await add(hass, entry))["errors"] == {"url": "away"}


async def test_a_channel_that_is_told_already_is_refused(
    hass: HomeAssistant, entry: MockConfigEntry, peer: DiscordPeer
) -> None:
    add_webhook(hass, entry, url="scribbled over")
    add_webhook(hass, entry, key="01OTHER")
    same = TYPED.replace("discord.com/api", "ptb.discord.com/api/v9")
    form = await add(hass, entry, url=same)
    assert form["errors"] == {"url": "webhook_used"}
    assert not peer.received

    peer.answers.append(says(200, FACTS))
    step = await go_on(hass, form, {"name": "Thread", "url": f"{same}?thread_id={THREAD}"})
    assert step["step_id"] == "confirm"


async def test_a_change_without_an_address_keeps_it_and_asks_nobody(
    hass: HomeAssistant, entry: MockConfigEntry, peer: DiscordPeer
) -> None:
    webhook = add_webhook(hass, entry)
    form = await entry.start_subentry_reconfigure_flow(hass, WEBHOOK)
    assert "url" not in suggested(form)
    assert TOKEN not in str(form)

    done = await go_on(hass, form, {"name": "Night", **WISHES})
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    changed = entry.subentries[webhook.subentry_id]
    assert (changed.title, changed.data) == ("Night", {"url": TYPED, **WISHES})
    assert not peer.received


async def test_another_address_is_tried_out_and_takes_the_repair_back(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    peer: DiscordPeer,
    issue_registry: ir.IssueRegistry,
) -> None:
    async_raise_webhook_gone(hass, entry, add_webhook(hass, entry))
    form = await entry.start_subentry_reconfigure_flow(hass, WEBHOOK)
    peer.answers.extend([says(404), says(200, FACTS)])
    form = await go_on(hass, form, {"name": "Evening", "url": OTHER, **WISHES})
    assert (form["step_id"], form["errors"]) == ("reconfigure", {"url": "gone"})
    assert issue_registry.async_get_issue(DOMAIN, f"webhook_gone_{WEBHOOK}")

    step = await go_on(hass, form, {"name": "Evening", "url": OTHER, **WISHES})
    done = await go_on(hass, step)
    assert done["reason"] == "reconfigure_successful"
    assert entry.subentries[WEBHOOK].data["url"] == OTHER
    assert issue_registry.async_get_issue(DOMAIN, f"webhook_gone_{WEBHOOK}") is None


async def test_the_same_address_begins_anew_where_it_had_been_given_up(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    peer: DiscordPeer,
    issue_registry: ir.IssueRegistry,
) -> None:
    async_raise_webhook_gone(hass, entry, add_webhook(hass, entry, **WISHES))
    entry.mock_state(hass, ConfigEntryState.LOADED)
    form = await entry.start_subentry_reconfigure_flow(hass, WEBHOOK)
    peer.answers.append(says(200, FACTS))
    step = await go_on(hass, form, {"name": "Evening", "url": TYPED, **WISHES})
    with patch.object(hass.config_entries, "async_schedule_reload") as reload:
        await go_on(hass, step)
    reload.assert_called_once_with(entry.entry_id)
    assert not issue_registry.issues


async def test_the_address_is_in_no_step_and_in_no_line_of_the_log(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    peer: DiscordPeer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    peer.answers.extend([says(429), says(404), says(500), says(200, FACTS)])
    step = await add(hass, entry)
    steps = [step]
    while step["step_id"] != "confirm":
        steps.append(step := await go_on(hass, step, {"name": "Evening", "url": TYPED}))
    assert TOKEN not in str(steps)
    await go_on(hass, step)
    assert len(peer.received) == 4
    assert TOKEN not in caplog.text
