"""The device of the bot: whether it is there, who is in voice, what is said."""

from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNKNOWN
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr
import pytest

from custom_components.cubeguardian.const import DOMAIN
from custom_components.cubeguardian.diagnostics import async_get_config_entry_diagnostics

from .bots import BOT, BotHouse
from .lab.discord import Intent
from .webhooks import until

pytest_plugins = ("tests.webhook_peer", "tests.bot_peer")

CONNECTED = "binary_sensor.cube_connected"
IN_VOICE = "sensor.cube_in_voice"
CHANNEL = "notify.cube_channel"
MESSAGE = "event.cube_message"


def state(house: BotHouse, entity_id: str) -> str:
    """Return the state of an entity."""
    found = house.hass.states.get(entity_id)
    assert found is not None
    return found.state


async def send(house: BotHouse, message: str, title: str = "") -> None:
    """Say something by the notify entity."""
    data = {"entity_id": CHANNEL, "message": message, **({"title": title} if title else {})}
    await house.hass.services.async_call("notify", "send_message", data, blocking=True)


async def test_the_bot_is_a_service_of_its_own(house: BotHouse) -> None:
    house.add()
    await house.load()
    found = dr.async_get(house.hass).async_get_device_by_identifier((DOMAIN, BOT), "01HOST")
    assert found is not None
    assert (found.name, found.manufacturer, found.model) == ("cube", "Discord", "Bot")
    assert found.entry_type is dr.DeviceEntryType.SERVICE
    assert found.via_device_id is None


async def test_connected_follows_the_connection(house: BotHouse) -> None:
    await house.serve()
    assert state(house, CONNECTED) == STATE_ON
    house.lose_gateway()
    await until(lambda: state(house, CONNECTED) == STATE_OFF)
    house.discord.mend()
    await until(lambda: state(house, CONNECTED) == STATE_ON)


@pytest.mark.parametrize("names", [True, False])
async def test_who_is_in_voice_is_counted_and_named_only_where_that_is_wished(
    house: BotHouse, names: bool
) -> None:
    await house.serve(show_names=names)
    await until(lambda: state(house, IN_VOICE) == "0")
    house.kim_enters()
    house.discord.join_voice(house.town.stranger, house.town.voice)
    await until(lambda: state(house, IN_VOICE) == "1")
    shown = house.hass.states.get(IN_VOICE)
    assert shown is not None
    assert shown.attributes.get("names") == (["kim"] if names else None)
    house.lose_gateway()
    await until(lambda: state(house, IN_VOICE) == STATE_UNKNOWN)


async def test_what_automations_say_appears_as_it_is(house: BotHouse) -> None:
    await house.serve()
    await send(house, "@everyone *come*", "Tonight")
    await until(lambda: any("Tonight" in one.text for one in house.messages()))
    (said,) = [one for one in house.messages() if "Tonight" in one.text]
    assert said.text.startswith("**Tonight**")
    assert not said.pings.everyone
    assert "\\*come\\*" in said.text


async def test_a_bot_without_a_channel_says_so(house: BotHouse) -> None:
    await house.serve(channel=None)
    with pytest.raises(HomeAssistantError) as caught:
        await send(house, "Hello")
    assert caught.value.translation_key == "bot_silent"
    with pytest.raises(ServiceValidationError) as empty:
        await send(house, " ")
    assert empty.value.translation_key == "message_empty"


async def test_messages_are_read_only_where_that_is_wished(house: BotHouse) -> None:
    await house.serve()
    assert house.hass.states.get(MESSAGE) is None


async def test_what_people_write_is_an_event(house: BotHouse) -> None:
    house.discord.application.privileged = Intent.MESSAGE_CONTENT
    await house.serve(relay=True)
    house.write(house.town.kim, "who plays?")
    await until(lambda: state(house, MESSAGE) != STATE_UNKNOWN)
    shown = house.hass.states.get(MESSAGE)
    assert shown is not None
    told = {key: shown.attributes[key] for key in ("event_type", "name", "text", "user", "may")}
    assert told == {
        "event_type": "received",
        "name": "kim",
        "text": "who plays?",
        "user": house.kim_id,
        "may": "player",
    }


async def test_diagnostics_show_how_the_bot_does_and_nobody(house: BotHouse) -> None:
    await house.serve(show_names=True)
    house.kim_enters()
    await until(lambda: state(house, IN_VOICE) == "1")
    given = await async_get_config_entry_diagnostics(house.hass, house.entry)
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
    for secret in (house.discord.token, str(house.town.guild.id), house.kim_id):
        assert secret not in str(given)
