"""The repair of a webhook that Discord does not know any more."""

from typing import Any
from unittest.mock import patch

from homeassistant.components.repairs import repairs_flow_manager
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.const import DOMAIN
from custom_components.cubeguardian.webhook_repair import (
    async_clear_webhook_gone,
    async_is_webhook_gone,
    async_raise_webhook_gone,
)

from .discord_bridge.discord_peer import TOKEN, TYPED, WEBHOOK_ID, DiscordPeer, says
from .flows import all_texts, check_texts, known_host, placeholders
from .webhooks import FACTS, WEBHOOK, add_webhook

pytest_plugins = ("tests.webhook_peer",)
pytestmark = pytest.mark.usefixtures("peer")

ISSUE = f"webhook_gone_{WEBHOOK}"
OTHER = TYPED.replace(WEBHOOK_ID, "998877665544332211")


@pytest.fixture
async def entry(hass: HomeAssistant) -> MockConfigEntry:
    """Return a host with a webhook that is gone."""
    assert await async_setup_component(hass, "repairs", {})
    assert await async_setup_component(hass, DOMAIN, {})
    host = known_host(hass)
    async_raise_webhook_gone(hass, host, add_webhook(hass, host))
    return host


async def mend(hass: HomeAssistant) -> Any:
    """Open the repair."""
    manager = repairs_flow_manager(hass)
    assert manager is not None
    step = await manager.async_init(DOMAIN, context={"issue_id": ISSUE})
    check_texts(step, "issues", "webhook_gone", "fix_flow")
    return step


async def go_on(hass: HomeAssistant, step: Any, typed: dict[str, Any] | None = None) -> Any:
    """Submit a step of the repair."""
    manager = repairs_flow_manager(hass)
    assert manager is not None
    following = await manager.async_configure(step["flow_id"], typed or {})
    check_texts(following, "issues", "webhook_gone", "fix_flow")
    return following


async def test_the_repair_names_webhook_and_host_and_no_address(
    hass: HomeAssistant, entry: MockConfigEntry, issue_registry: ir.IssueRegistry
) -> None:
    issue = issue_registry.async_get_issue(DOMAIN, ISSUE)
    assert issue is not None
    assert (issue.is_fixable, issue.is_persistent) == (True, True)
    assert issue.translation_placeholders == {"name": "pve", "title": "Evening"}
    for texts in all_texts("issues", "webhook_gone"):
        assert placeholders(texts["title"]) <= {"name", "title"}
    assert TOKEN not in str(issue)

    assert async_is_webhook_gone(hass, WEBHOOK)
    async_clear_webhook_gone(hass, WEBHOOK)
    assert not async_is_webhook_gone(hass, WEBHOOK)


async def test_a_new_address_is_tried_out_shown_and_kept(
    hass: HomeAssistant, entry: MockConfigEntry, peer: DiscordPeer
) -> None:
    peer.answers.extend([says(404), says(200, FACTS)])
    step = await mend(hass)
    assert step["step_id"] == "address"
    step = await go_on(hass, step, {"url": "nonsense"})
    assert step["errors"] == {"url": "not_a_webhook"}
    step = await go_on(hass, step, {"url": OTHER})
    assert step["errors"] == {"url": "gone"}

    step = await go_on(hass, step, {"url": f" {OTHER} "})
    assert step["step_id"] == "confirm"
    assert step["description_placeholders"]["webhook"] == "Evening"
    assert entry.subentries[WEBHOOK].data["url"] == TYPED
    done = await go_on(hass, step)
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert entry.subentries[WEBHOOK].data["url"] == OTHER
    assert not async_is_webhook_gone(hass, WEBHOOK)


async def test_the_same_address_may_work_again(
    hass: HomeAssistant, entry: MockConfigEntry, peer: DiscordPeer
) -> None:
    peer.answers.append(says(200, FACTS))
    entry.mock_state(hass, ConfigEntryState.LOADED)
    step = await go_on(hass, await mend(hass), {"url": TYPED})
    with patch.object(hass.config_entries, "async_schedule_reload") as reload:
        await go_on(hass, step)
    reload.assert_called_once_with(entry.entry_id)
    assert not async_is_webhook_gone(hass, WEBHOOK)


async def test_the_address_of_another_webhook_of_the_host_is_refused(
    hass: HomeAssistant, entry: MockConfigEntry, peer: DiscordPeer
) -> None:
    add_webhook(hass, entry, key="01OTHER", url=OTHER)
    step = await go_on(hass, await mend(hass), {"url": OTHER})
    assert step["errors"] == {"url": "webhook_used"}
    assert not peer.received


async def test_of_a_webhook_that_was_removed_there_is_nothing_to_repair(
    hass: HomeAssistant, entry: MockConfigEntry, peer: DiscordPeer
) -> None:
    peer.answers.append(says(200, FACTS))
    step = await go_on(hass, await mend(hass), {"url": OTHER})
    hass.config_entries.async_remove_subentry(entry, WEBHOOK)
    for last in (await go_on(hass, step), await mend(hass)):
        assert (last["type"], last["reason"]) == (FlowResultType.ABORT, "entry_gone")
