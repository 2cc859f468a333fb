"""The bot on Discord: one connection after the other, kept up by itself."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
import logging
import sys
import time
from typing import Any, Final

import discord

from .access import Command, Rank
from .bridge_port import Asked, Board, BridgeMemory, BridgePort, End
from .bridge_settings import BridgePace, BridgeSettings
from .buttons import COMMAND_OF, Act
from .commands import CommandsTree, InteractionReply, asked_of, commands_tree, stay_of
from .exchange import Exchange
from .hushing import hush
from .identifying import IdentifyBudget
from .message import Message
from .outbox import Delivery, Parcel
from .panel import (
    Interaction,
    PressedButton,
    Shown,
    activity_of,
    delivered,
    facts_of,
    hang_up,
    in_voice,
    may_read,
    panel_of,
    take_roles_from_voice,
    voice_member,
)
from .permitting import problems
from .supervising import Supervisor, keep_shown, to_the_end
from .wording import Texts

_LOGGER = logging.getLogger(__name__)

_ENDS: Final = {4004: End.BAD_TOKEN, 4014: End.INTENT_MISSING}
_FOR_TALK: Final = frozenset({discord.MessageType.default, discord.MessageType.reply})


class BridgeClient(discord.Client):
    """One connection: turns what Discord says into what the exchange understands."""

    def __init__(self, bridge: Bridge, exchange: Exchange, budget: IdentifyBudget) -> None:
        """Prepare a connection."""
        settings = exchange.settings
        intents = discord.Intents(guilds=True, voice_states=True)
        intents.guild_messages = intents.message_content = settings.relays
        super().__init__(
            intents=intents,
            allowed_mentions=discord.AllowedMentions.none(),
            activity=activity_of(exchange.presence()),
            guild_ready_timeout=exchange.pace.guild_wait,
            chunk_guilds_at_startup=False,
            max_messages=None,
            max_ratelimit_timeout=exchange.pace.patience,
        )
        self.guild_id = settings.guild_id
        self._bridge = bridge
        self._exchange = exchange
        self._budget = budget
        take_roles_from_voice(self)

    @property
    def is_serving(self) -> bool:
        """Say whether messages can be sent."""
        return self.is_ready() and not self.is_closed()

    async def setup_hook(self) -> None:
        """Take buttons and commands, and register those if that was not done before."""
        self.add_dynamic_items(PressedButton)
        self._tree = await commands_tree(self, self.guild_id, self._exchange.texts)
        await self._bridge.register(self._tree)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Give up where there were too many."""
        await super().before_identify_hook(shard_id, initial=initial)
        self._budget.take(time.monotonic())

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        """Note what an event stumbled over; the next one is dealt with all the same."""
        error = sys.exception()
        _LOGGER.error("The event %s could not be dealt with", event_method, exc_info=error)

    # How the connection does

    async def on_ready(self) -> None:
        """Take everything in anew."""
        self._bridge.anew()
        self._exchange.came()
        self._look_around()

    async def on_resumed(self) -> None:
        """Go on, but with nobody having just come in."""
        self._exchange.came()
        self._look_around()

    async def on_disconnect(self) -> None:
        """Wait for it to come back."""
        self._exchange.lost()

    # The guild

    async def on_guild_available(self, guild: discord.Guild) -> None:
        """Look around after an outage; what is there at the start is looked at when ready."""
        if guild.id == self.guild_id and self.is_ready():
            self._look_at(guild)
            await self._bridge.register(self._tree)
            self._look_at(guild, voice=False)

    async def on_guild_unavailable(self, guild: discord.Guild) -> None:
        """Know nothing of it."""
        if guild.id == self.guild_id:
            self._exchange.voice.away()

    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Register the commands where they were never known."""
        if guild.id == self.guild_id and self.is_ready():
            self._look_at(guild)
            await self._bridge.register(self._tree, again=True)
            self._look_at(guild, voice=False)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Miss it."""
        await self.on_guild_unavailable(guild)
        self._look_around()

    async def on_guild_update(self, _: discord.Guild, after: discord.Guild) -> None:
        """Look whether the channel for those who are away is another."""
        self._look_at(after)

    async def on_guild_channel_create(self, one: discord.abc.GuildChannel | discord.Role) -> None:
        """Look what may be done with it, or without."""
        self._look_at(one.guild, voice=False)

    on_guild_role_delete = on_guild_channel_create

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """Miss it, and those who were in it."""
        self._look_at(channel.guild)

    async def on_guild_channel_update(
        self, _: object, after: discord.abc.GuildChannel | discord.Role
    ) -> None:
        """Look what may be done now."""
        self._look_at(after.guild, voice=False)

    on_guild_role_update = on_guild_channel_update

    async def on_member_update(self, _: discord.Member, after: discord.Member) -> None:
        """Look what may be done with other roles: of itself the bot is always told."""
        if after == after.guild.me:
            self._look_at(after.guild, voice=False)

    # People

    async def on_voice_state_update(
        self, member: discord.Member, _: discord.VoiceState, after: discord.VoiceState
    ) -> None:
        """Take in that somebody has moved."""
        if member.guild.id == self.guild_id:
            channel_id = after.channel.id if after.channel else None
            one = voice_member(member, member.id, channel_id, self._exchange.settings)
            self._exchange.voice.moved(one)

    async def on_message(self, message: discord.Message) -> None:
        """Pass on what people say in the channel."""
        settings = self._exchange.settings
        if (
            settings.relays
            and message.channel.id == settings.channel_id
            and not message.author.bot
            and message.webhook_id is None
            and message.type in _FOR_TALK
        ):
            author = message.author
            roles = author.roles if isinstance(author, discord.Member) else []
            ids = (message.id, message.channel.id, author.id)
            said = message.clean_content
            self._exchange.heard(ids, author.display_name, said, (role.id for role in roles))

    # Commands

    def serve(self, interaction: Interaction, asked: Asked) -> None:
        """Deal with a command."""
        reply = self._reply(interaction)
        self._bridge.spawn(self._exchange.desk.ask(asked, reply))

    def offered(self, asked: Asked) -> tuple[Board, ...]:
        """Return what may be offered to somebody who types: nothing to those who may nothing."""
        rank = self._exchange.settings.people.rank(asked.user_id, asked.role_ids)
        return self._exchange.boards() if rank > Rank.NOBODY and not asked.elsewhere else ()

    async def pressed(self, interaction: Interaction, act: Act, key: str) -> None:
        """Deal with a button."""
        desk = self._exchange.desk
        asked = asked_of(interaction, COMMAND_OF.get(act, Command.STATUS), target=key)
        if asked.elsewhere:
            self.serve(interaction, asked)
        elif act in {Act.YES, Act.NO}:
            deal = desk.confirm if act is Act.YES else desk.withdraw
            self._bridge.spawn(deal(key, asked, self._reply(interaction)))
        elif act is Act.REFRESH:
            await self._refresh(interaction, asked)
        else:
            self.serve(interaction, replace(asked, stay=stay_of(None)))

    async def _refresh(self, interaction: Interaction, asked: Asked) -> None:
        """Show the panel as it is, and have everything looked at anew."""
        reply = self._reply(interaction)
        if not await self._exchange.desk.may_look(asked, reply):
            return
        self._exchange.refresh()
        shown = self._exchange.panel()
        if await reply.replace(*shown):
            self._bridge.showed(interaction.message, shown)

    def _reply(self, interaction: Interaction) -> InteractionReply:
        exchange = self._exchange
        return InteractionReply(interaction, self._bridge, exchange.settings, exchange.pace)

    # What can be seen

    def _look_around(self) -> None:
        guild = self.get_guild(self.guild_id)
        if guild is None:
            self._exchange.voice.away()
            self._find_problems(None)
        else:
            self._look_at(guild)

    def _look_at(self, guild: discord.Guild, *, voice: bool = True) -> None:
        """Take in who is in voice, and what is wrong with the permissions."""
        if guild.id != self.guild_id:
            return
        if guild.unavailable:
            self._exchange.voice.away()
            return
        if voice:
            afk = guild.afk_channel.id if guild.afk_channel else None
            self._exchange.voice.reconciled(in_voice(guild, self._exchange.settings), afk)
        self._find_problems(guild)

    def _find_problems(self, guild: discord.Guild | None) -> None:
        may_register = self._bridge.may_register
        facts = facts_of(self, guild, self._exchange.settings, may_register=may_register)
        self._exchange.found(problems(facts))


class Bridge:
    """Talk to Discord for as long as `run` is not cancelled or `close` called.

    `update`, `tell` and `say` return at once and never raise: what goes wrong on Discord is no
    business of whoever tells it something.
    """

    def __init__(
        self,
        settings: BridgeSettings,
        port: BridgePort,
        texts: Mapping[str, Texts],
        *,
        memory: BridgeMemory,
        clock: Callable[[], datetime],
        pace: BridgePace | None = None,
        budget: IdentifyBudget | None = None,
    ) -> None:
        """Prepare; `texts` are by language, `budget` is that of the token from before."""
        self._pace = pace or BridgePace()
        exchange = Exchange(settings, port, texts, memory=memory, clock=clock, pace=self._pace)
        self._exchange = exchange
        self._budget = budget or IdentifyBudget()
        self._supervisor = Supervisor(self._connect, self._pace)
        self._client: BridgeClient | None = None
        self._panel = panel_of(memory, settings.panel_channel_id, exchange.panel, exchange.remember)
        self._presence = ""
        self._registered = False
        self.may_register = True
        self.update = exchange.update
        self.tell = exchange.tell
        self.say = exchange.say
        hush()
        # Voice is listened to, never joined: what is missing for that is nothing to warn of.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False

    @property
    def connected(self) -> bool:
        """Say whether Discord can be talked to."""
        return self._exchange.connected

    async def run(self) -> End:
        """Stay on Discord; return why that has ended for good."""
        exchange, pace = self._exchange, self._pace
        keep = partial(keep_shown, changes=exchange.changes, pace=pace)
        self.spawn(exchange.outbox.run(self._send))
        self.spawn(keep(self._panel_is_due, self._show_panel, every=pace.edit_every))
        self.spawn(keep(self._presence_is_due, self._be_seen, every=pace.presence_every))
        try:
            return await self._supervisor.run()
        finally:
            self._exchange.gone()

    async def close(self) -> None:
        """Leave Discord; that takes 5 s at most."""
        await self._supervisor.close(self._pace.close_within + 1.0)
        self._exchange.ended()

    # For the connection

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside, at most until the bridge is closed."""
        self._supervisor.spawn(work)

    def anew(self) -> None:
        """Take it that nothing that was shown still is."""
        self._panel.forget()

    def showed(self, message: discord.Message | None, shown: Shown) -> None:
        """Take in that a panel was edited by the answer to a button."""
        if message is not None and message.id == self._exchange.memory.panel_message_id:
            self._panel.showed(shown)

    def messageable(self, channel_id: int) -> discord.PartialMessageable | None:
        """Return a channel of the connection that there is now."""
        client = self._serving
        return client.get_partial_messageable(channel_id) if client else None

    def post(self, channel_id: int, message: Message) -> None:
        """Have a message sent to a channel sooner or later."""
        self._exchange.outbox.to_channel(channel_id, message)

    async def register(self, tree: CommandsTree, *, again: bool = False) -> None:
        """Register the commands of the guild, once as long as the bridge lives."""
        if self._registered and not again:
            return
        try:
            await tree.sync(guild=discord.Object(self._exchange.settings.guild_id))
        except discord.Forbidden:
            self.may_register = False
        else:
            self.may_register = self._registered = True

    # The connection

    @property
    def _serving(self) -> BridgeClient | None:
        client = self._client
        return client if client is not None and client.is_serving else None

    async def _connect(self) -> End | None:
        """Be connected once; return why there is no point in trying again."""
        self._presence = self._exchange.presence()
        client = self._client = BridgeClient(self, self._exchange, self._budget)
        try:
            async with asyncio.timeout(self._pace.login_patience):
                await client.login(self._exchange.settings.token)
            if self._exchange.settings.relays and not may_read(client):
                return End.INTENT_MISSING
            await client.connect(reconnect=False)
        except discord.LoginFailure:
            return End.BAD_TOKEN
        except discord.ConnectionClosed as closed:
            return _ENDS.get(closed.code)
        finally:
            self._exchange.lost()
            await to_the_end(hang_up(client, self._pace.close_within))
        return None

    async def _send(self, parcel: Parcel) -> Delivery:
        """Send what waits."""
        client = self._serving
        if client is None:
            return Delivery.LATER
        return await delivered(client, parcel, self._pace.patience)

    def _panel_is_due(self) -> bool:
        has_place = self._exchange.settings.panel_channel_id is not None
        return has_place and self._serving is not None and self._panel.is_due

    async def _show_panel(self) -> None:
        if (client := self._serving) is not None:
            await self._panel.put(client)

    def _presence_is_due(self) -> bool:
        return self._serving is not None and self._exchange.presence() != self._presence

    async def _be_seen(self) -> None:
        if (client := self._serving) is not None:
            text = self._exchange.presence()
            await client.change_presence(activity=activity_of(text))
            self._presence = text
