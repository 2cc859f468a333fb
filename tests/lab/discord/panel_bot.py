"""A small bot of the real discord.py: what the stand-in's own tests let loose on it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
import contextlib
import threading
from typing import Any

import discord
from discord import app_commands

_QUICK = 0.02
type Asked = discord.Interaction[PanelBot]


class Panel(discord.ui.View):
    """One button that counts itself up, and one that opens a form."""

    def __init__(self) -> None:
        super().__init__(timeout=None)
        self.presses = 0

    @discord.ui.button(label="Refresh", custom_id="refresh")
    async def refresh(self, asked: Asked, _: discord.ui.Button[Panel]) -> None:
        """Edit the panel in place."""
        self.presses += 1
        await asked.response.edit_message(content=f"pressed {self.presses} times", view=self)

    @discord.ui.button(label="Reason", custom_id="reason")
    async def reason(self, asked: Asked, _: discord.ui.Button[Panel]) -> None:
        """Ask for a text."""
        await asked.response.send_modal(Reason())


class Reason(discord.ui.Modal, title="Why?"):
    """A form with one line."""

    text: discord.ui.TextInput[Reason] = discord.ui.TextInput(label="Text", custom_id="text")

    async def on_submit(self, asked: discord.Interaction[Any], /) -> None:
        """Repeat the text to whoever wrote it."""
        await asked.response.send_message(f"because {self.text.value}", ephemeral=True)


class PanelBot(discord.Client):
    """Notes what it hears, and has a command that takes a while."""

    def __init__(self, guild_id: int, intents: discord.Intents | None = None) -> None:
        """Prepare a bot for one guild; it believes to know all guilds after 20 ms of silence."""
        if intents is None:
            intents = discord.Intents(guilds=True, voice_states=True)
        super().__init__(
            intents=intents,
            allowed_mentions=discord.AllowedMentions.none(),
            guild_ready_timeout=_QUICK,
        )
        self.home = discord.Object(guild_id)
        self.heard: list[str] = []
        self.go_on = asyncio.Event()
        self.tree = app_commands.CommandTree(self)
        self.tree.add_command(start, guild=self.home)

    async def setup_hook(self) -> None:
        """Register the command and the panel's buttons."""
        self.add_view(Panel())
        await self.tree.sync(guild=self.home)

    async def before_identify_hook(self, _: int | None, *, initial: bool = False) -> None:
        """Leave out the five seconds that discord.py waits before it identifies again."""

    async def until(self, true: Callable[[], bool], *, within: float = 10.0) -> None:
        """Wait until something is true of the bot."""
        async with asyncio.timeout(within):
            while not true():
                await asyncio.sleep(_QUICK)

    async def has_heard(self, *lines: str, within: float = 10.0) -> None:
        """Wait until it has heard all of these."""
        await self.until(lambda: set(lines) <= set(self.heard), within=within)

    async def on_ready(self) -> None:
        """Note it."""
        self.heard.append("ready")

    async def on_resumed(self) -> None:
        """Note it."""
        self.heard.append("resumed")

    async def on_disconnect(self) -> None:
        """Note it."""
        self.heard.append("disconnect")

    async def on_guild_available(self, guild: discord.Guild) -> None:
        """Note it."""
        self.heard.append(f"{guild.name} available")

    async def on_guild_unavailable(self, guild: discord.Guild) -> None:
        """Note it."""
        self.heard.append(f"{guild.name} unavailable")

    async def on_voice_state_update(
        self, member: discord.Member, _: discord.VoiceState, after: discord.VoiceState
    ) -> None:
        """Note who went where."""
        self.heard.append(f"{member.name} in {after.channel.name if after.channel else 'none'}")

    async def on_presence_update(self, _: discord.Member, after: discord.Member) -> None:
        """Note how somebody is."""
        self.heard.append(f"{after.name} is {after.status}")

    async def on_message(self, message: discord.Message) -> None:
        """Note what was written."""
        self.heard.append(f"{message.author.name}: {message.content}")


@app_commands.command(description="Wake a host")
@app_commands.default_permissions(manage_guild=True)
async def start(asked: Asked, host: str) -> None:
    """Defer, show a text, edit it once the bot may go on, mention who asked."""
    await asked.response.defer()
    await asked.edit_original_response(content=f"waking {host}")
    await asked.client.go_on.wait()
    await asked.edit_original_response(content=f"{host} is up")
    await asked.followup.send(
        asked.user.mention, allowed_mentions=discord.AllowedMentions(users=[asked.user])
    )


@start.autocomplete("host")
async def hosts(_: Asked, typed: str) -> list[app_commands.Choice[str]]:
    """Offer the hosts that begin so."""
    names = ("attic", "cellar")
    return [app_commands.Choice(name=one, value=one) for one in names if one.startswith(typed)]


@contextlib.asynccontextmanager
async def running(bot: discord.Client, token: str) -> AsyncGenerator[asyncio.Task[Any]]:
    """Run a bot as the bridge does: log in, connect beside, close, leave nothing behind."""
    try:
        await bot.login(token)
    except discord.DiscordException:
        await bot.close()
        raise
    task = asyncio.create_task(bot.connect())
    try:
        yield task
    finally:
        await bot.close()
        await asyncio.wait([task], timeout=5)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
        await _heartbeats_end()


async def _heartbeats_end() -> None:
    # discord.py tells its heartbeat threads to stop and does not wait for them.
    async with asyncio.timeout(5):
        while any(one.name.startswith("keep-alive") for one in threading.enumerate()):
            await asyncio.sleep(_QUICK)
