"""Speak discord.py: messages, buttons, the status panel, what can be seen of the guild."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
import logging
import re
import threading
from typing import Any, Final, Protocol, Self

import discord
from discord.gateway import DiscordWebSocket, KeepAliveHandler

from .bridge_port import BridgeMemory
from .bridge_settings import BridgeSettings
from .buttons import BUTTON_ID, Act, Button, Look
from .message import Embed, Message
from .outbox import Delivery, Parcel
from .permitting import ChannelFacts, Facts
from .quoting import plain
from .voice import VoiceMember

_LOGGER = logging.getLogger(__name__)

_STYLES: Final = {
    Look.PLAIN: discord.ButtonStyle.secondary,
    Look.GOOD: discord.ButtonStyle.success,
    Look.GRAVE: discord.ButtonStyle.danger,
}
_PANEL_LOOKED_BACK: Final = 30
_OF_ANOTHER_AUTHOR: Final = 50005
NO_MENTIONS: Final = discord.AllowedMentions.none()

type Interaction = discord.Interaction[Any]
type Shown = tuple[Message, tuple[Button, ...]]


def embeds_of(message: Message) -> list[discord.Embed]:
    """Return the embeds of a message as discord.py's own."""
    return [_embed(embed) for embed in message.embeds]


def mentions_of(message: Message) -> discord.AllowedMentions:
    """Return whom a message may notify: nobody but those it names itself."""
    users = [discord.Object(one) for one in message.mentions]
    return discord.AllowedMentions(everyone=False, users=users, roles=False, replied_user=False)


def view_of(buttons: tuple[Button, ...]) -> discord.ui.View:
    """Return buttons that work for as long as the message exists."""
    view = discord.ui.View(timeout=None)
    for button in buttons:
        view.add_item(
            discord.ui.Button(
                label=button.label,
                custom_id=button.custom_id,
                style=_STYLES[button.look],
                disabled=button.disabled,
            )
        )
    view.stop()
    return view


def activity_of(text: str) -> discord.CustomActivity | None:
    """Return what the bot is seen doing: nothing where there is nothing to say."""
    return discord.CustomActivity(text) if text else None


class Pressed(Protocol):
    """Who deals with a button."""

    async def pressed(self, interaction: Interaction, act: Act, key: str) -> None:
        """Deal with it."""


class PressedButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=BUTTON_ID):
    """Any button of ours, whichever message it is under and whoever has sent that."""

    def __init__(self, item: discord.ui.Button[Any], act: Act, key: str) -> None:
        """Keep what it means."""
        super().__init__(item)
        self._act = act
        self._key = key

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Read what it means."""
        button: discord.ui.Button[Any] = discord.ui.Button(custom_id=match[0])
        return cls(button, Act(match["act"]), match["key"] or "")

    async def callback(self, interaction: Interaction) -> None:
        """Hand it on."""
        client: Pressed = interaction.client
        await client.pressed(interaction, self._act, self._key)


class Panel:
    """One message that shows everything, edited in place."""

    def __init__(
        self,
        channel_id: int,
        *,
        message_id: int | None,
        content: Callable[[], Shown],
        moved: Callable[[int], None],
        left: tuple[int, int] | None = None,
    ) -> None:
        """Start with where it was; `moved` is told the id of a new message.

        `left`: the channel and the id of the one before, where it stood in another channel.
        """
        self._channel_id = channel_id
        self._message_id = message_id
        self._content = content
        self._moved = moved
        self._left = left
        self._shown: Shown | None = None

    @property
    def is_due(self) -> bool:
        """Say whether it shows something else than it should."""
        return self._content() != self._shown

    def forget(self) -> None:
        """Take it that it may show anything."""
        self._shown = None

    def showed(self, shown: Shown) -> None:
        """Take in that it was edited by the answer to a button."""
        self._shown = shown

    async def put(self, client: discord.Client) -> None:
        """Make it show what it should: discord.py's errors come out."""
        shown = self._content()
        channel = client.get_partial_messageable(self._channel_id)
        if self._message_id is None:
            self._message_id = await _found(client, channel)
        if self._message_id is None or not await _edited(channel, self._message_id, shown):
            message, buttons = shown
            # Where nobody learns whether this arrives, it is looked for before the next.
            self._message_id = None
            posted = await channel.send(
                content=message.content,
                embeds=embeds_of(message),
                view=view_of(buttons),
                allowed_mentions=NO_MENTIONS,
                silent=True,
            )
            self._message_id = posted.id
        self._moved(self._message_id)
        self._shown = shown
        await self._clear_away(client)

    async def _clear_away(self, client: discord.Client) -> None:
        """Delete the one before: nobody would keep it up to date."""
        left, self._left = self._left, None
        if left is not None:
            channel_id, message_id = left
            channel = client.get_partial_messageable(channel_id)
            with suppress(discord.HTTPException):
                await channel.get_partial_message(message_id).delete()


def panel_of(
    memory: BridgeMemory,
    channel_id: int | None,
    content: Callable[[], Shown],
    remember: Callable[..., None],
) -> Panel:
    """Return the panel of a channel as it is remembered."""
    before = memory.panel_channel_id, memory.panel_message_id
    is_same = before[0] == channel_id
    left = None if is_same or before[0] is None or before[1] is None else (before[0], before[1])
    return Panel(
        channel_id or 0,
        message_id=before[1] if is_same else None,
        content=content,
        moved=lambda message_id: remember(panel_channel_id=channel_id, panel_message_id=message_id),
        left=left,
    )


async def _edited(channel: discord.PartialMessageable, message_id: int, shown: Shown) -> bool:
    """Edit the panel; False where it is gone, or not the bot's own."""
    message, buttons = shown
    try:
        await channel.get_partial_message(message_id).edit(
            content=message.content,
            embeds=embeds_of(message),
            view=view_of(buttons),
            allowed_mentions=NO_MENTIONS,
        )
    except discord.NotFound:
        return False
    except discord.Forbidden as error:
        if error.code == _OF_ANOTHER_AUTHOR:
            return False
        raise
    return True


async def _found(client: discord.Client, channel: discord.PartialMessageable) -> int | None:
    """Look for a panel that nobody remembers; without the permission it stays lost."""
    refresh = Button(act=Act.REFRESH, label="").custom_id
    try:
        async for message in channel.history(limit=_PANEL_LOOKED_BACK):
            if message.author == client.user and any(
                isinstance(part, discord.Button) and part.custom_id == refresh
                for row in message.components
                for part in getattr(row, "children", ())
            ):
                return message.id
    except discord.Forbidden:
        return None
    return None


def _embed(embed: Embed) -> discord.Embed:
    made = discord.Embed(
        title=embed.title or None,
        description=embed.description or None,
        colour=embed.colour,
        timestamp=embed.at,
    )
    if embed.author:
        made.set_author(name=embed.author)
    if embed.footer:
        made.set_footer(text=embed.footer)
    for field in embed.fields:
        made.add_field(name=field.name, value=field.value, inline=field.inline)
    return made


def take_roles_from_voice(client: discord.Client) -> None:
    """Have discord.py believe what Discord tells of somebody's roles with each move in voice.

    Without the privileged intent for members that is the only time, and discord.py would keep to
    the roles that somebody had on entering.
    """
    state = client._connection
    parse = state.parsers["VOICE_STATE_UPDATE"]

    def parse_with_roles(data: dict[str, Any]) -> None:
        guild = client.get_guild(int(data.get("guild_id") or 0))
        member = guild.get_member(int(data["user_id"])) if guild else None
        # Should a later discord.py do this otherwise, the roles of before will have to do.
        with suppress(Exception):
            if member is not None and "member" in data:
                member._update(data["member"])
        parse(data)

    state.parsers["VOICE_STATE_UPDATE"] = parse_with_roles


def in_voice(guild: discord.Guild, settings: BridgeSettings) -> Iterable[VoiceMember]:
    """Return everybody in the watched channels."""
    for channel_id in settings.voice_channel_ids:
        channel = guild.get_channel(channel_id)
        if isinstance(channel, discord.VoiceChannel | discord.StageChannel):
            for user_id in channel.voice_states:
                yield voice_member(guild.get_member(user_id), user_id, channel_id, settings)


def voice_member(
    member: discord.Member | None,
    user_id: int,
    channel_id: int | None,
    settings: BridgeSettings,
) -> VoiceMember:
    """Return somebody in voice, without a name unless it may be shown."""
    if member is None:
        return VoiceMember(user_id=user_id, channel_id=channel_id)
    return VoiceMember(
        user_id=user_id,
        channel_id=channel_id,
        role_ids=frozenset(role.id for role in member.roles),
        is_bot=member.bot,
        name=plain(member.display_name) if settings.shows_names else "",
    )


def facts_of(
    client: discord.Client,
    guild: discord.Guild | None,
    settings: BridgeSettings,
    *,
    may_register: bool,
) -> Facts:
    """Return how the bot is set up on Discord."""
    application = client.application
    return Facts(
        is_public=application is not None and application.bot_public,
        has_endpoint=application is not None and application.interactions_endpoint_url is not None,
        may_register=may_register,
        channels=None if guild is None else _channels(guild, settings),
    )


def may_read(client: discord.Client) -> bool:
    """Say whether the application's page lets the bot read what people write."""
    if client.application is None:
        return True
    flags = client.application.flags
    return flags.gateway_message_content or flags.gateway_message_content_limited


async def delivered(client: discord.Client, parcel: Parcel, patience: float) -> Delivery:
    """Send what waits to its channel or person; nothing raises."""
    message = parcel.message
    try:
        async with asyncio.timeout(patience):
            await (await _place(client, parcel)).send(
                content=message.content,
                embeds=embeds_of(message),
                allowed_mentions=mentions_of(message),
                nonce=parcel.nonce,
            )
    except discord.HTTPException as error:
        _LOGGER.debug("A message was not taken: %s", error.status)
        never = error.status in {400, 403, 404}
        return Delivery.NEVER if never else Delivery.LATER
    except Exception as error:
        _LOGGER.debug("A message could not be sent: %s", type(error).__name__)
        # What cannot be written down will not be sent by waiting.
        return Delivery.NEVER if isinstance(error, TypeError | ValueError) else Delivery.LATER
    return Delivery.SENT


async def hang_up(client: discord.Client, within: float) -> None:
    """Leave nothing of a connection behind, even where the other side is silent.

    discord.py forgets a websocket that it could not introduce itself on, with its thread.
    """
    sockets = _sockets(client)
    _stop_awaiting_guilds(client)
    try:
        async with asyncio.timeout(within - 0.5):
            for socket in sockets:
                await socket.close(code=1000)
            await client.close()
    # discord.py also closes by itself, and is then cancelled together with what waits for it.
    except (Exception, asyncio.CancelledError) as error:
        _LOGGER.debug("The connection was not closed properly: %s", type(error).__name__)
        for end in (*(one.ws.close() for one in _heartbeats(client)), client.http.close()):
            with suppress(Exception):
                async with asyncio.timeout(0.25):
                    await end
    finally:
        _stop_awaiting_guilds(client)
        for thread in _heartbeats(client):
            thread.stop()


def _stop_awaiting_guilds(client: discord.Client) -> None:
    """End what would call a client ready that is closed by then; discord.py forgets it as well."""
    waiting = client._connection._ready_task
    if waiting is not None:
        waiting.cancel()


def _sockets(client: discord.Client) -> list[DiscordWebSocket]:
    return [one.ws for one in _heartbeats(client) if one.ws is not client.ws]


def _heartbeats(client: discord.Client) -> list[KeepAliveHandler]:
    return [
        thread
        for thread in threading.enumerate()
        if isinstance(thread, KeepAliveHandler) and thread.ws._connection is client._connection
    ]


async def _place(client: discord.Client, parcel: Parcel) -> discord.abc.Messageable:
    if parcel.user_id is not None:
        return await client.create_dm(discord.Object(parcel.user_id))
    return client.get_partial_messageable(parcel.channel_id or 0)


def _channels(guild: discord.Guild, settings: BridgeSettings) -> tuple[ChannelFacts, ...]:
    used = [(one, False) for one in settings.text_channel_ids]
    used += [(one, True) for one in sorted(settings.voice_channel_ids)]
    return tuple(_channel_facts(guild, channel_id, is_voice) for channel_id, is_voice in used)


def _channel_facts(guild: discord.Guild, channel_id: int, is_voice: bool) -> ChannelFacts:
    channel = guild.get_channel_or_thread(channel_id)
    if channel is None:
        return ChannelFacts(channel_id=channel_id, is_voice=is_voice)
    return ChannelFacts(
        channel_id=channel_id,
        is_voice=is_voice,
        name=plain(channel.name),
        granted=channel.permissions_for(guild.me).value,
    )
