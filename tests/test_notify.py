"""Notify entities: what automations say on Discord."""

from typing import Any

from homeassistant.components.notify import DOMAIN as NOTIFY
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.const import DOMAIN

from .conftest import Load
from .discord_bridge.discord_peer import DiscordPeer, hangs, says
from .flows import all_texts
from .webhooks import WEBHOOK, add_webhook, posts, until

pytest_plugins = ("tests.webhook_peer",)

CHANNEL = "notify.evening_channel"


@pytest.fixture
async def loaded(
    peer: DiscordPeer, hass: HomeAssistant, load: Load, config_entry: MockConfigEntry
) -> None:
    """Set up a host with a webhook."""
    add_webhook(hass, config_entry)
    await load()


async def say(hass: HomeAssistant, **said: Any) -> None:
    """Send a message as an automation does."""
    await hass.services.async_call(
        NOTIFY, "send_message", {"entity_id": CHANNEL, **said}, blocking=True
    )


@pytest.mark.usefixtures("loaded")
async def test_a_message_arrives_with_its_title(hass: HomeAssistant, peer: DiscordPeer) -> None:
    await say(hass, message="Pizza first.\nThen the dragon!", title="Tonight")
    (received,) = await peer.wait_for(1)
    assert received.content == "**Tonight**\nPizza first.\nThen the dragon!"
    assert received.body["allowed_mentions"] == {"parse": []}
    await until(lambda: hass.states.get(CHANNEL).state != "unknown")


@pytest.mark.usefixtures("loaded")
async def test_nothing_in_a_message_means_anything_to_discord(
    hass: HomeAssistant, peer: DiscordPeer
) -> None:
    await say(hass, message="@everyone **run** to [x](https://evil.example/y) <@123456>\u202e")
    (received,) = await peer.wait_for(1)
    assert received.content == (
        "＠everyone \\*\\*run\\*\\* to \\[x\\]\\(https\\: / /evil.example /y\\) \\<＠123456\\>"
    )


@pytest.mark.usefixtures("loaded")
async def test_a_message_of_nothing_is_refused(hass: HomeAssistant, peer: DiscordPeer) -> None:
    with pytest.raises(ServiceValidationError) as raised:
        await say(hass, message=" \n\u200b\n ")
    assert raised.value.translation_key == "message_empty"
    assert not peer.received


@pytest.mark.usefixtures("loaded")
async def test_nobody_waits_for_discord(hass: HomeAssistant, peer: DiscordPeer) -> None:
    peer.answers.append(hangs)
    await say(hass, message="one")
    await say(hass, message="two")
    await peer.wait_for(1)


@pytest.mark.usefixtures("loaded")
async def test_a_webhook_that_is_gone_says_so(
    hass: HomeAssistant, peer: DiscordPeer, config_entry: MockConfigEntry
) -> None:
    peer.answers.append(says(404, {"code": 10015}))
    await say(hass, message="one")
    notifier = config_entry.runtime_data.discord.webhooks[WEBHOOK].notifier
    await until(lambda: notifier.is_stopped)
    with pytest.raises(HomeAssistantError) as raised:
        await say(hass, message="two")
    assert raised.value.translation_key == "webhook_gone"
    assert len(posts(peer)) == 1


@pytest.mark.usefixtures("loaded")
async def test_the_channel_belongs_to_a_service_below_the_host(
    device_registry: dr.DeviceRegistry,
    entity_registry: er.EntityRegistry,
    config_entry: MockConfigEntry,
) -> None:
    entity = entity_registry.async_get(CHANNEL)
    assert entity is not None
    assert (entity.unique_id, entity.config_subentry_id) == (f"{WEBHOOK}_channel", WEBHOOK)
    device = device_registry.async_get(entity.device_id or "")
    host = device_registry.async_get_device_by_identifier(
        (DOMAIN, config_entry.entry_id), config_entry.entry_id
    )
    assert device is not None
    assert host is not None
    assert device.via_device_id == host.id
    assert device.entry_type is dr.DeviceEntryType.SERVICE
    assert device.name == "Evening"


def test_what_it_refuses_is_said_in_every_language() -> None:
    for texts in all_texts("exceptions"):
        assert texts["webhook_gone"]["message"]
        assert texts["message_empty"]["message"]
