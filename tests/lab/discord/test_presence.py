"""What a bot is seen doing is noted, from its first instant on."""

import discord
import pytest

from . import Channel, DiscordStandIn, Guild, Permission
from .panel_bot import PanelBot, running
from .record import PresenceSet


async def test_presence_and_voice_status_are_noted(
    stand_in: DiscordStandIn, bot: PanelBot, guild: Guild, voice: Channel
) -> None:
    await bot.change_presence(activity=discord.CustomActivity(name="attic is asleep"))
    shown = await stand_in.record.next(PresenceSet)
    assert shown.texts == ("attic is asleep",)
    found = bot.get_channel(voice.id)
    assert isinstance(found, discord.VoiceChannel)
    with pytest.raises(discord.Forbidden):
        await found.edit(status="waking")
    rights = Permission.SET_VOICE_CHANNEL_STATUS | Permission.MANAGE_CHANNELS
    stand_in.overwrite(voice, guild.members[stand_in.world.bot.id], allow=rights)
    await found.edit(status="waking")
    assert voice.status == "waking"


async def test_a_bot_may_say_what_it_does_from_its_first_instant(
    stand_in: DiscordStandIn, guild: Guild
) -> None:
    bot = PanelBot(guild.id)
    bot.activity = discord.CustomActivity(name="attic is asleep")
    async with running(bot, stand_in.token):
        await bot.has_heard("ready")
    (shown,) = stand_in.record.of(PresenceSet)
    assert shown.texts == ("attic is asleep",)
