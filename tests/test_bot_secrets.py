"""What must not leave the house: the token, and who is who."""

import asyncio
import logging
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.bot_link import async_get_bot
from custom_components.cubeguardian.bot_settings import async_read_bot
from custom_components.cubeguardian.diagnostics import async_get_config_entry_diagnostics

from .bots import add_bot, connected, give, noted, voices
from .conftest import Load
from .discord_bridge.bridge_world import BridgeWorld
from .lab.discord import CloseCode, Garbage, RateLimit, Refusal, ServerError, Torn
from .machines import FakeMachines
from .webhooks import until

pytest_plugins = ("tests.webhook_peer", "tests.bot_peer")

FAULTS = {
    "torn": Torn(),
    "html": ServerError(),
    "json": ServerError(status=500, is_html=False),
    "garbage": Garbage(),
    "limited": RateLimit(retry_after=0.05),
    "banned": RateLimit(retry_after=0.05, is_discord=False),
    "forbidden": Refusal(status=403, code=50001),
    "unknown": Refusal(status=401, code=0, message="401: Unauthorized"),
}


async def shown(hass: HomeAssistant, entry: MockConfigEntry) -> str:
    """Return everything that can be seen of the bot without opening its file."""
    issues = [repr(one) for one in ir.async_get(hass).issues.values()]
    states = [repr(one) for one in hass.states.async_all()]
    bot = async_get_bot(hass)
    inside = [repr(one) for one in (bot._running, async_read_bot(hass), bot)]
    found = await async_get_config_entry_diagnostics(hass, entry)
    return "\n".join([*issues, *states, *inside, repr(found)])


@pytest.mark.parametrize("name", sorted(FAULTS))
async def test_no_fault_shows_the_token_anywhere(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    town.discord.break_with(FAULTS[name])
    add_bot(hass, config_entry, town)
    await load()
    bot = async_get_bot(hass)
    await until(lambda: len(town.discord.record.events) >= 2 or not _tries(bot))
    told = await shown(hass, config_entry)
    town.discord.mend()
    if _tries(bot):
        await connected(hass)
        await give(town, "start", town.kim, {"server": "01HOST"})
        town.discord.break_with(FAULTS[name], path="messages|interactions|webhooks")
        town.discord.close_gateway(CloseCode.UNKNOWN_ERROR)
        await until(lambda: bot.connected)
        town.discord.mend()
    told += await shown(hass, config_entry)
    await bot.async_close()
    assert town.discord.token not in told
    assert town.discord.token not in caplog.text
    secret = town.discord.token.rsplit(".", 1)[-1]
    assert secret not in told + caplog.text
    names = {one.name.partition(".")[0] for one in caplog.records}
    assert "custom_components" in names
    asyncio.get_running_loop().set_debug(False)


def _tries(bot: Any) -> bool:
    running = bot._running
    return running is not None and not running.task.done()


async def test_diagnostics_hold_nobody_who_has_asked_for_anything(
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
    await until(lambda: voices(config_entry))
    await give(town, "start", town.kim, {"server": "01HOST"})
    await give(town, "start", town.stranger, {"server": "01HOST"})
    await until(lambda: len(noted(config_entry)) == 2)
    found = await async_get_config_entry_diagnostics(hass, config_entry)
    asked = [one for one in found["journal"] if one["kind"] == "discord_command"]
    assert [one["details"] for one in asked] == [{"command": "start"}] * 2
    for member in (town.kim, town.stranger):
        for secret in (member.user.name, str(member.user.id)):
            assert secret not in repr(found)


@pytest.mark.parametrize("names", [True, False])
async def test_the_house_shows_who_is_in_voice_only_where_that_is_wished(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    names: bool,
) -> None:
    add_bot(hass, config_entry, town, show_names=names)
    await load()
    bot = await connected(hass)
    town.discord.join_voice(town.kim, town.voice)
    await until(lambda: bot.present.count == 1)
    demand = hass.states.get("binary_sensor.attic_demand")
    assert demand is not None
    (lease,) = demand.attributes["leases"]
    assert (lease["source"], lease["who"]) == ("voice", "kim" if names else None)
    seen = "".join(repr(one) for one in hass.states.async_all())
    assert str(town.kim.user.id) not in seen
    town.discord.blackhole()
    town.discord.drop_sockets()
    await until(lambda: not bot.present.known)
    assert bot.shown_members == ()
