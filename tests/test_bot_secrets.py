"""What must not leave the house: the token, and who is who."""

import asyncio
import logging
from typing import Any

from homeassistant.helpers import issue_registry as ir
import pytest

from custom_components.cubeguardian.bot_settings import async_read_bot
from custom_components.cubeguardian.diagnostics import async_get_config_entry_diagnostics

from .bots import BotHouse
from .lab.discord import CloseCode, Garbage, RateLimit, Refusal, ServerError, Torn
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


async def shown(house: BotHouse) -> str:
    """Return everything that can be seen of the bot without opening its file."""
    issues = [repr(one) for one in ir.async_get(house.hass).issues.values()]
    states = [repr(one) for one in house.hass.states.async_all()]
    bot = house.bot
    inside = [repr(one) for one in (bot._running, async_read_bot(house.hass), bot)]
    found = await async_get_config_entry_diagnostics(house.hass, house.entry)
    return "\n".join([*issues, *states, *inside, repr(found)])


@pytest.mark.parametrize("name", sorted(FAULTS))
async def test_no_fault_shows_the_token_anywhere(
    house: BotHouse, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    house.discord.break_with(FAULTS[name])
    house.add()
    await house.load()
    bot = house.bot
    await until(lambda: len(house.discord.record.events) >= 2 or not _tries(bot))
    told = await shown(house)
    house.discord.mend()
    if _tries(bot):
        await house.connected()
        await house.give("start", house.town.kim, server="01HOST")
        house.discord.break_with(FAULTS[name], path="messages|interactions|webhooks")
        house.discord.close_gateway(CloseCode.UNKNOWN_ERROR)
        await house.connected()
        house.discord.mend()
    told += await shown(house)
    await bot.async_close()
    assert house.discord.token not in told
    assert house.discord.token not in caplog.text
    secret = house.discord.token.rsplit(".", 1)[-1]
    assert secret not in told + caplog.text
    names = {one.name.partition(".")[0] for one in caplog.records}
    assert "custom_components" in names
    asyncio.get_running_loop().set_debug(False)


def _tries(bot: Any) -> bool:
    running = bot._running
    return running is not None and not running.task.done()


async def test_diagnostics_hold_nobody_who_has_asked_for_anything(house: BotHouse) -> None:
    await house.serve(show_names=True)
    house.kim_enters()
    await until(house.voices)
    await house.give("start", house.town.kim, server="01HOST")
    await house.give("start", house.town.stranger, server="01HOST")
    await until(lambda: len(house.noted()) == 2)
    found = await async_get_config_entry_diagnostics(house.hass, house.entry)
    asked = [one for one in found["journal"] if one["kind"] == "discord_command"]
    assert [one["details"] for one in asked] == [{"command": "start"}] * 2
    for member in (house.town.kim, house.town.stranger):
        for secret in (member.user.name, str(member.user.id)):
            assert secret not in repr(found)


@pytest.mark.parametrize("names", [True, False])
async def test_the_house_shows_who_is_in_voice_only_where_that_is_wished(
    house: BotHouse, names: bool
) -> None:
    bot = await house.serve(show_names=names)
    house.kim_enters()
    await until(lambda: bot.present.count == 1)
    demand = house.hass.states.get("binary_sensor.attic_demand")
    assert demand is not None
    (lease,) = demand.attributes["leases"]
    assert (lease["source"], lease["who"]) == ("voice", "kim" if names else None)
    seen = "".join(repr(one) for one in house.hass.states.async_all())
    assert house.kim_id not in seen
    house.discord.blackhole()
    house.discord.drop_sockets()
    await until(lambda: not bot.present.known)
    assert bot.shown_members == ()
