"""The bot as it moves, is disabled, removed or loaded anew, whatever its host does meanwhile."""

from typing import Any

from homeassistant.helpers import entity_registry as er

from custom_components.cubeguardian.guardian import HOST, Caller, State

from .bots import BOT, BotHouse
from .lab.discord import Intent, Permission
from .webhooks import guardian, until

pytest_plugins = ("tests.webhook_peer", "tests.bot_peer")

ROBIN = Caller(name="Robin")
KEY = "cubeguardian.discord_bot"


async def test_the_bot_moves_to_another_host(house: BotHouse) -> None:
    other = house.add_cellar()
    bot = await house.serve()
    house.kim_enters()
    await until(house.voices)
    house.remove_bot()
    await until(lambda: not bot.is_listening)
    assert house.voices() == []
    house.add(other, "01MOVED", voice_targets=["01CELLAR"])
    await house.connected()
    await until(lambda: house.voices(other))
    assert house.voices(other) == [(HOST, house.kim_id, False)]
    assert guardian(other).snapshot.host.state is State.OFF
    states = {one.entity_id: one.state for one in house.hass.states.async_all("binary_sensor")}
    assert [state for name, state in states.items() if "connected" in name] == ["on"]


async def test_of_two_bots_only_one_is_there_and_the_other_takes_over(house: BotHouse) -> None:
    house.add()
    other = house.add_cellar()
    house.add(other, "01SECOND", voice_targets=["01CELLAR"])
    await house.load()
    await house.connected()
    await house.hass.async_block_till_done()
    assert house.discord.identifies == 1
    house.remove_bot()
    await until(lambda: house.discord.identifies == 2)
    await house.connected()


async def test_a_bot_that_is_removed_while_it_is_disabled_leaves_nothing(
    house: BotHouse, hass_storage: dict[str, Any]
) -> None:
    bot = await house.serve()
    await until(lambda: house.town.panels)
    house.discord.revoke_token()
    await until(lambda: house.issue("bot_token"))
    await house.disable()
    await until(lambda: not bot.is_listening)
    await house.hass.async_block_till_done()
    assert KEY in hass_storage
    await house.hass.config_entries.async_remove(house.entry.entry_id)
    await until(lambda: house.issue("bot_token") is None)
    await until(lambda: KEY not in hass_storage)


async def test_a_bot_that_is_disabled_has_nothing_to_mend_on_discord(house: BotHouse) -> None:
    house.discord.application.bot_public = True
    everybody = house.town.guild.roles[house.town.guild.id]
    house.discord.overwrite(house.town.lobby, everybody, deny=Permission.EMBED_LINKS)
    await house.serve()
    await until(lambda: house.issue("bot_permission") and house.issue("bot_public"))
    await house.disable()
    await until(lambda: not house.bot.is_listening)
    assert not house.issue("bot_permission")
    assert not house.issue("bot_public")


async def test_a_storm_of_reloads_never_connects_anew_and_leaves_no_listener(
    house: BotHouse,
) -> None:
    bot = await house.serve()
    listeners, readers = len(bot._listeners), len(bot._readers)
    subentry = house.entry.subentries[BOT]
    for number in range(8):
        options = {"automatic": {"quiet_minutes": number + 1}}
        house.hass.config_entries.async_update_entry(house.entry, options=options)
        house.hass.config_entries.async_update_subentry(
            house.entry, subentry, title=f"cube {number}"
        )
    await house.hass.async_block_till_done()
    assert bot.connected
    assert house.discord.identifies == 1
    assert (len(bot._listeners), len(bot._readers)) == (listeners, readers)
    assert len(bot.boards()) == 1


async def test_a_channel_that_is_read_no_longer_leaves_no_dead_entity(house: BotHouse) -> None:
    house.discord.application.privileged = Intent.MESSAGE_CONTENT
    await house.serve(relay=True)
    entities = er.async_get(house.hass)
    assert entities.async_get("event.cube_message")
    house.change(relay=False)
    await until(lambda: house.discord.identifies == 2)
    await house.hass.async_block_till_done()
    assert entities.async_get("event.cube_message") is None
    assert house.hass.states.get("event.cube_message") is None
    assert entities.async_get("binary_sensor.cube_connected")


async def test_an_entity_that_chokes_does_not_keep_the_bot_from_connecting_anew(
    house: BotHouse,
) -> None:
    def choke() -> None:
        raise RuntimeError("choked")

    bot = await house.serve()
    stop = bot.async_listen(choke)
    bot.async_restart()
    await until(lambda: house.discord.identifies == 2)
    await house.connected()
    stop()


async def test_a_host_that_is_loaded_anew_tells_everything_once(house: BotHouse) -> None:
    await house.serve()
    for _ in range(3):
        await house.reload()
    await house.machines.seen()
    await house.guardian.wake(HOST, ROBIN)
    await until(lambda: "Attic: Waking up" in house.embeds())
    house.machines.everything_up()
    await house.machines.seen()
    await until(lambda: "Attic: The host is up" in house.embeds())
    assert house.embeds().count("Attic: Waking up") == 1
