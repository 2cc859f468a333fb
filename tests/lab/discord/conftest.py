"""A stand-in with one guild, and a bot of the real discord.py on it."""

from collections.abc import AsyncGenerator

import pytest

from . import Channel, DiscordStandIn, Guild, Member, Permission, redirected
from .panel_bot import PanelBot, running


@pytest.fixture
async def stand_in() -> AsyncGenerator[DiscordStandIn]:
    """Return a Discord that this process takes for the real one."""
    async with DiscordStandIn() as found:
        with redirected(found.origin):
            yield found


@pytest.fixture
def guild(stand_in: DiscordStandIn) -> Guild:
    """Return the guild that the bot is for."""
    return stand_in.add_guild("home")


@pytest.fixture
def lobby(stand_in: DiscordStandIn, guild: Guild) -> Channel:
    """Return a channel to write in."""
    return stand_in.add_text_channel(guild, "lobby")


@pytest.fixture
def voice(stand_in: DiscordStandIn, guild: Guild) -> Channel:
    """Return a channel to talk in."""
    return stand_in.add_voice_channel(guild, "the cube")


@pytest.fixture
def kim(stand_in: DiscordStandIn, guild: Guild) -> Member:
    """Return a member who may use the bot's command."""
    players = stand_in.add_role(guild, "players", Permission.MANAGE_GUILD)
    return stand_in.add_member(guild, "kim", roles=(players,))


@pytest.fixture
async def bot(
    stand_in: DiscordStandIn, guild: Guild, lobby: Channel, voice: Channel
) -> AsyncGenerator[PanelBot]:
    """Return a bot that is connected and ready."""
    bot = PanelBot(guild.id)
    async with running(bot, stand_in.token):
        await bot.has_heard("ready")
        yield bot
