"""Who sits in voice wants something of a host for as long as host and bot are there."""

import pytest

from custom_components.cubeguardian import bot_link
from custom_components.cubeguardian.guardian import HOST, State

from .bots import BotHouse
from .webhooks import until

pytest_plugins = ("tests.webhook_peer", "tests.bot_peer")


@pytest.mark.parametrize("remembered", [True, False])
async def test_who_sat_in_voice_all_along_wakes_nothing_when_home_assistant_starts(
    house: BotHouse, remembered: bool
) -> None:
    house.kim_enters()
    house.start_in("automatic")
    house.add()
    await house.load()
    bot = await house.connected()
    await until(lambda: house.voices() == [(HOST, house.kim_id, False)])
    await house.machines.seen()
    assert house.host_state is State.OFF
    if remembered:
        await bot.async_close()
        house.hass.data.pop(bot_link.DATA)
        await house.reload()
        assert house.bot is not bot
        await house.connected()
        await until(lambda: house.voices() == [(HOST, house.kim_id, False)])
        await house.machines.seen()
        assert house.host_state is State.OFF
    house.kim_leaves()
    await until(lambda: not house.voices())
    house.kim_enters()
    await until(lambda: house.host_state is State.WAKING)


async def test_two_hosts_and_a_game_server_that_is_gone_may_be_wanted_by_voice(
    house: BotHouse,
) -> None:
    other = house.add_cellar()
    targets = ["01SURVIVAL", "01CELLAR", "01CREATIVE", "01GONE"]
    await house.serve(voice_targets=targets)
    house.kim_enters()
    kim = house.kim_id
    await until(lambda: house.voices(other) == [(HOST, kim, False)])
    wanted = {("01SURVIVAL", kim, False), ("01CREATIVE", kim, False)}
    assert set(house.voices()) == wanted
    house.hass.config_entries.async_remove_subentry(house.entry, "01CREATIVE")
    await house.hass.async_block_till_done()
    assert house.voices() == [("01SURVIVAL", kim, False)]
    assert house.discord.identifies == 1
    house.kim_leaves()
    await until(lambda: not house.voices() and not house.voices(other))


async def test_the_bot_that_is_disabled_lets_nobody_in_voice_keep_a_host_up(
    house: BotHouse,
) -> None:
    other = house.add_cellar()
    await house.serve(voice_targets=["01CELLAR"])
    house.kim_enters()
    await until(lambda: house.voices(other))
    await house.disable()
    await until(lambda: not house.voices(other))


async def test_a_bot_that_was_removed_while_a_host_was_not_loaded_keeps_nothing_up(
    house: BotHouse,
) -> None:
    other = house.add_cellar()
    bot = await house.serve(voice_targets=["01CELLAR"])
    house.kim_enters()
    await until(lambda: house.voices(other))
    assert await house.hass.config_entries.async_unload(other.entry_id)
    house.remove_bot()
    await until(lambda: not bot.is_listening)
    assert await house.hass.config_entries.async_setup(other.entry_id)
    assert house.voices(other) == []
