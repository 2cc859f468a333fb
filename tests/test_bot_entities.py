"""The device of the bot: whether it is there, who is in voice, what is said."""

from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.const import DOMAIN
from custom_components.cubeguardian.diagnostics import async_get_config_entry_diagnostics

from .bots import BOT, add_bot, connected
from .conftest import Load
from .discord_bridge.bridge_world import BridgeWorld
from .lab.discord import Intent, ServerError
from .machines import FakeMachines
from .webhooks import until

pytest_plugins = ("tests.webhook_peer", "tests.bot_peer")
pytestmark = pytest.mark.usefixtures("machines")

CONNECTED = "binary_sensor.cube_connected"
IN_VOICE = "sensor.cube_in_voice"
CHANNEL = "notify.cube_channel"
MESSAGE = "event.cube_message"


def state(hass: HomeAssistant, entity_id: str) -> str:
    """Return the state of an entity."""
    found = hass.states.get(entity_id)
    assert found is not None
    return found.state


def lose(town: BridgeWorld) -> None:
    """Let the gateway be away until that is mended."""
    town.discord.break_with(ServerError(), path="/gateway")
    town.discord.close_gateway()


async def send(hass: HomeAssistant, message: str, title: str = "") -> None:
    """Say something by the notify entity."""
    data = {"entity_id": CHANNEL, "message": message, **({"title": title} if title else {})}
    await hass.services.async_call("notify", "send_message", data, blocking=True)


async def test_the_bot_is_a_service_of_its_own(
    load: Load, hass: HomeAssistant, town: BridgeWorld, config_entry: MockConfigEntry
) -> None:
    add_bot(hass, config_entry, town)
    await load()
    found = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, BOT), "01HOST")
    assert found is not None
    assert (found.name, found.manufacturer, found.model) == ("cube", "Discord", "Bot")
    assert found.entry_type is dr.DeviceEntryType.SERVICE
    assert found.via_device_id is None


async def test_connected_follows_the_connection(
    load: Load, hass: HomeAssistant, town: BridgeWorld, config_entry: MockConfigEntry
) -> None:
    add_bot(hass, config_entry, town)
    await load()
    await connected(hass)
    assert state(hass, CONNECTED) == STATE_ON
    lose(town)
    await until(lambda: state(hass, CONNECTED) == STATE_OFF)
    town.discord.mend()
    await until(lambda: state(hass, CONNECTED) == STATE_ON)


@pytest.mark.parametrize("names", [True, False])
async def test_who_is_in_voice_is_counted_and_named_only_where_that_is_wished(
    load: Load,
    hass: HomeAssistant,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    names: bool,
) -> None:
    add_bot(hass, config_entry, town, show_names=names)
    await load()
    await connected(hass)
    await until(lambda: state(hass, IN_VOICE) == "0")
    town.discord.join_voice(town.kim, town.voice)
    town.discord.join_voice(town.stranger, town.voice)
    await until(lambda: state(hass, IN_VOICE) == "1")
    shown = hass.states.get(IN_VOICE)
    assert shown is not None
    assert shown.attributes.get("names") == (["kim"] if names else None)
    lose(town)
    await until(lambda: state(hass, IN_VOICE) == STATE_UNKNOWN)


async def test_what_automations_say_appears_as_it_is(
    load: Load, hass: HomeAssistant, town: BridgeWorld, config_entry: MockConfigEntry
) -> None:
    add_bot(hass, config_entry, town)
    await load()
    await connected(hass)
    await send(hass, "@everyone *come*", "Tonight")
    await until(lambda: any("Tonight" in one.text for one in town.discord.messages(town.lobby)))
    (said,) = [one for one in town.discord.messages(town.lobby) if "Tonight" in one.text]
    assert said.text.startswith("**Tonight**")
    assert not said.pings.everyone
    assert "\\*come\\*" in said.text


async def test_a_bot_without_a_channel_says_so(
    load: Load, hass: HomeAssistant, town: BridgeWorld, config_entry: MockConfigEntry
) -> None:
    add_bot(hass, config_entry, town, channel=None)
    await load()
    await connected(hass)
    with pytest.raises(HomeAssistantError) as caught:
        await send(hass, "Hello")
    assert caught.value.translation_key == "bot_silent"
    with pytest.raises(ServiceValidationError) as empty:
        await send(hass, " ")
    assert empty.value.translation_key == "message_empty"


async def test_messages_are_read_only_where_that_is_wished(
    load: Load, hass: HomeAssistant, town: BridgeWorld, config_entry: MockConfigEntry
) -> None:
    add_bot(hass, config_entry, town)
    await load()
    await connected(hass)
    assert hass.states.get(MESSAGE) is None


async def test_what_people_write_is_an_event(
    load: Load, hass: HomeAssistant, town: BridgeWorld, config_entry: MockConfigEntry
) -> None:
    town.discord.application.privileged = Intent.MESSAGE_CONTENT
    add_bot(hass, config_entry, town, relay=True)
    await load()
    await connected(hass)
    town.discord.say(town.kim, "who plays?", town.lobby)
    await until(lambda: state(hass, MESSAGE) != STATE_UNKNOWN)
    shown = hass.states.get(MESSAGE)
    assert shown is not None
    told = {key: shown.attributes[key] for key in ("event_type", "name", "text", "user", "may")}
    assert told == {
        "event_type": "received",
        "name": "kim",
        "text": "who plays?",
        "user": str(town.kim.user.id),
        "may": "player",
    }


async def test_diagnostics_show_how_the_bot_does_and_nobody(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    add_bot(hass, config_entry, town, show_names=True)
    await load()
    await connected(hass)
    town.discord.join_voice(town.kim, town.voice)
    await until(lambda: state(hass, IN_VOICE) == "1")
    given = await async_get_config_entry_diagnostics(hass, config_entry)
    assert given["bot"] == {
        "connected": True,
        "in_voice": 1,
        "hosts": 1,
        "channel": True,
        "panel_channel": True,
        "voice_channels": 1,
        "voice_targets": 1,
        "player_roles": 1,
        "admin_roles": 1,
        "admins": 1,
        "groups": given["bot"]["groups"],
        "language": "en",
        "show_names": True,
        "relay": False,
        "relay_in_game": False,
    }
    for secret in (town.discord.token, str(town.guild.id), str(town.kim.user.id)):
        assert secret not in str(given)
