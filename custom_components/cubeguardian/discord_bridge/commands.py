"""The slash commands of the guild: what they are called, how they are read and answered."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import timedelta
import logging
import time
from typing import Any, Final, Protocol

import aiohttp
import discord
from discord import app_commands

from .access import Command
from .aiming import choices
from .bridge_port import STAY, Asked, Board, Maintenance, Stay
from .bridge_settings import BridgePace, BridgeSettings
from .buttons import Button
from .message import Message
from .panel import Interaction, embeds_of, mentions_of, view_of
from .view import Group
from .wording import Texts

_LOGGER = logging.getLogger(__name__)

DAY_IN_MINUTES: Final = 24 * 60
_FOR_MANAGERS: Final = frozenset({Command.STOP, Command.RESTART, Command.MAINTENANCE})


class Counter(Protocol):
    """Who takes commands in: the client."""

    guild_id: int

    def serve(self, interaction: Interaction, asked: Asked) -> None:
        """Deal with a command; returns at once."""

    def offered(self, asked: Asked) -> tuple[Board, ...]:
        """Return what may be offered to somebody who types."""


class CommandsTree(app_commands.CommandTree[Any]):
    """The commands of one guild. What comes from elsewhere is refused as a command like others."""

    async def interaction_check(self, interaction: Interaction, /) -> bool:
        """Say whether it comes from the guild."""
        counter: Counter = interaction.client
        if interaction.guild_id == counter.guild_id:
            return True
        if interaction.type is discord.InteractionType.application_command:
            counter.serve(interaction, asked_of(interaction, Command.HELP))
        return False

    async def on_error(
        self, interaction: Interaction, error: app_commands.AppCommandError, /
    ) -> None:
        """Note what a command stumbled over; one that nobody knows any more is no news."""
        if isinstance(error, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch):
            _LOGGER.debug("Discord still has a command from before")
            return
        _LOGGER.error("A command from Discord has failed", exc_info=error)


class _Words(app_commands.Translator):
    """Give Discord every name and description in the languages that there are."""

    def __init__(self, texts: Mapping[str, Texts]) -> None:
        """Take the texts by language."""
        super().__init__()
        self._texts = texts

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """Return one text; None where the English one will do."""
        language = locale.value.partition("-")[0]
        key = string.extras.get("key")
        if language == "en" or language not in self._texts or key is None:
            return None
        return self._texts[language][key]


async def commands_tree(
    client: discord.Client, guild_id: int, texts: Mapping[str, Texts]
) -> CommandsTree:
    """Return the commands, ready to be registered."""
    tree = CommandsTree(client)
    await tree.set_translator(_Words(texts))
    guild = discord.Object(guild_id)
    for command, (read, completed) in _CALLBACKS.items():
        tree.add_command(_made(command, read, completed, texts["en"]), guild=guild)
    return tree


def asked_of(interaction: Interaction, command: Command, **more: Any) -> Asked:
    """Return a command with whoever gives it."""
    user = interaction.user
    roles = user.roles if isinstance(user, discord.Member) else []
    counter: Counter = interaction.client
    return Asked(
        user_id=user.id,
        name=user.display_name,
        command=command,
        role_ids=frozenset(role.id for role in roles),
        language=interaction.locale.value,
        elsewhere=interaction.guild_id != counter.guild_id,
        **more,
    )


def stay_of(minutes: int | None) -> Stay:
    """Return for how long a host is kept awake."""
    if minutes is None:
        return STAY
    return Stay(on=True, duration=timedelta(minutes=minutes)) if minutes else Stay(on=False)


def _made(
    command: Command, read: _Callback, completed: str, texts: Texts
) -> app_commands.Command[Any, ..., None]:
    """Return a command with its names, descriptions and completion."""

    def worded(key: str) -> app_commands.locale_str:
        return app_commands.locale_str(texts[f"discord_{key}"], key=f"discord_{key}")

    if command in _FOR_MANAGERS:
        app_commands.default_permissions(manage_guild=True)(read)
    made: app_commands.Command[Any, ..., None] = app_commands.Command(
        name=worded(f"cmd_{command.value}_name"),
        description=worded(f"cmd_{command.value}"),
        callback=_described(read, worded),
    )
    if completed:
        made.autocomplete(completed)(_completion(command))
    return made


def _described(read: _Callback, worded: Callable[[str], app_commands.locale_str]) -> _Callback:
    """Give the options of a command their names and descriptions."""
    names = [name for name in read.__annotations__ if name not in {"interaction", "return"}]
    app_commands.describe(**{name: worded(f"opt_{name}") for name in names})(read)
    app_commands.rename(**{name: worded(f"opt_{name}_name") for name in names})(read)
    return read


def _completion(
    command: Command,
) -> Callable[[Interaction, str], Coroutine[Any, Any, list[app_commands.Choice[str]]]]:
    """Return what offers the things that a command may be meant for."""

    async def complete(interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        counter: Counter = interaction.client
        boards = counter.offered(asked_of(interaction, command))
        return [
            app_commands.Choice(name=label, value=key)
            for label, key in choices(boards, typed, command)
        ]

    return complete


def _serve(interaction: Interaction, command: Command, **more: Any) -> None:
    counter: Counter = interaction.client
    counter.serve(interaction, asked_of(interaction, command, **more))


async def _status(interaction: Interaction, server: str | None = None) -> None:
    _serve(interaction, Command.STATUS, target=server or "")


async def _start(interaction: Interaction, server: str | None = None) -> None:
    _serve(interaction, Command.START, target=server or "")


async def _stop(
    interaction: Interaction,
    server: str | None = None,
    delay: app_commands.Range[int, 0, DAY_IN_MINUTES] | None = None,
) -> None:
    later = timedelta(minutes=delay or 0)
    _serve(interaction, Command.STOP, target=server or "", delay=later)


async def _restart(interaction: Interaction, server: str | None = None) -> None:
    _serve(interaction, Command.RESTART, target=server or "")


async def _players(interaction: Interaction) -> None:
    _serve(interaction, Command.PLAYERS)


async def _cancel(interaction: Interaction, server: str | None = None) -> None:
    _serve(interaction, Command.CANCEL, target=server or "")


async def _keep_awake(
    interaction: Interaction,
    minutes: app_commands.Range[int, 0, DAY_IN_MINUTES] | None = None,
    host: str | None = None,
) -> None:
    _serve(interaction, Command.KEEP_AWAKE, target=host or "", stay=stay_of(minutes))


async def _maintenance(
    interaction: Interaction,
    on: bool,
    reason: app_commands.Range[str, 1, 200] | None = None,
    host: str | None = None,
) -> None:
    maintenance = Maintenance(on=on, reason=reason or "")
    _serve(interaction, Command.MAINTENANCE, target=host or "", maintenance=maintenance)


async def _report(interaction: Interaction, host: str | None = None) -> None:
    _serve(interaction, Command.REPORT, target=host or "")


async def _help(interaction: Interaction) -> None:
    _serve(interaction, Command.HELP)


type _Callback = Callable[..., Any]

_CALLBACKS: Final[Mapping[Command, tuple[_Callback, str]]] = {
    Command.STATUS: (_status, "server"),
    Command.START: (_start, "server"),
    Command.STOP: (_stop, "server"),
    Command.RESTART: (_restart, "server"),
    Command.PLAYERS: (_players, ""),
    Command.CANCEL: (_cancel, "server"),
    Command.KEEP_AWAKE: (_keep_awake, "host"),
    Command.MAINTENANCE: (_maintenance, "host"),
    Command.REPORT: (_report, "host"),
    Command.HELP: (_help, ""),
}


class Surroundings(Protocol):
    """What an answer needs when its own way is closed."""

    def messageable(self, channel_id: int) -> discord.PartialMessageable | None:
        """Return a channel of the connection that there is now."""

    def post(self, channel_id: int, message: Message) -> None:
        """Have a message sent to a channel sooner or later."""


class InteractionReply:
    """Answer an interaction; after a quarter of an hour, or a new connection, as the bot.

    What a button of the panel leads to is shown by the panel: only who has pressed it gets an
    answer, so that the panel is not pushed out of sight.
    """

    def __init__(
        self,
        interaction: Interaction,
        around: Surroundings,
        settings: BridgeSettings,
        pace: BridgePace,
    ) -> None:
        """Start with nothing said."""
        pressed = interaction.message
        self._on_panel = pressed is not None and not pressed.flags.ephemeral
        told_in = settings.channel_id
        self._channel_id = (self._on_panel and told_in) or interaction.channel_id
        self._is_told = told_in == self._channel_id and Group.READY in settings.groups
        self._interaction = interaction
        self._around = around
        self._pace = pace
        self._since = time.monotonic()
        self._deferred = False
        self._shown: discord.WebhookMessage | discord.InteractionMessage | None = None

    async def whisper(self, message: Message, buttons: tuple[Button, ...] = ()) -> bool:
        """Answer so that only the asker sees it."""
        response = self._interaction.response
        send = self._interaction.followup.send if response.is_done() else response.send_message
        return await self._taken(
            send(
                content=message.content,
                embeds=embeds_of(message),
                view=view_of(buttons) if buttons else discord.utils.MISSING,
                ephemeral=True,
                allowed_mentions=mentions_of(message),
            )
        )

    async def replace(self, message: Message, buttons: tuple[Button, ...] = ()) -> bool:
        """Put this in the place of the message whose button was pressed."""
        return await self._taken(
            self._interaction.response.edit_message(
                content=message.content,
                embeds=embeds_of(message),
                view=view_of(buttons) if buttons else None,
                allowed_mentions=mentions_of(message),
            )
        )

    async def begin(self, *, hidden: bool = False) -> bool:
        """Say that the answer will follow."""
        response = self._interaction.response
        if response.is_done():
            return True
        hidden = hidden or self._on_panel
        self._deferred = await self._taken(response.defer(thinking=True, ephemeral=hidden))
        return self._deferred

    async def show(self, message: Message) -> bool:
        """Show the answer, or put it in the place of the one before."""
        error = await self._error(
            self._show(message) if self._is_open else self._edit_as_bot(message)
        )
        # Whoever has deleted the answer does not miss it: to try again would change nothing.
        return error is None or isinstance(error, discord.NotFound)

    async def announce(self, message: Message) -> bool:
        """Say something new after the answer, as the bot where it cannot be said so.

        Where nobody knows whether it was said, nobody is mentioned a second time. A channel that
        is told of it anyway needs only the mention.
        """
        if self._is_told:
            message = replace(message, embeds=())
        if self._is_open and not self._on_panel:
            error = await self._error(
                self._interaction.followup.send(
                    content=message.content,
                    embeds=embeds_of(message),
                    allowed_mentions=mentions_of(message),
                )
            )
            if error is None:
                return True
            if _is_unclear(error):
                message = replace(message, content="", mentions=())
        if self._channel_id is None or not (message.content or message.embeds):
            return False
        self._around.post(self._channel_id, message)
        return True

    @property
    def _is_open(self) -> bool:
        """Say whether Discord still takes this for an answer."""
        age = time.monotonic() - self._since
        return age < self._pace.token_for and not self._interaction.client.is_closed()

    async def _show(self, message: Message) -> None:
        embeds, mentions = embeds_of(message), mentions_of(message)
        content = message.content
        if self._shown is not None:
            await self._shown.edit(content=content, embeds=embeds, allowed_mentions=mentions)
        elif self._deferred:
            self._shown = await self._interaction.edit_original_response(
                content=content, embeds=embeds, allowed_mentions=mentions
            )
        else:
            self._shown = await self._interaction.followup.send(
                content=content, embeds=embeds, allowed_mentions=mentions, wait=True
            )

    async def _edit_as_bot(self, message: Message) -> None:
        shown, channel_id = self._shown, self._interaction.channel_id
        if shown is None or shown.flags.ephemeral or channel_id is None:
            return
        channel = self._around.messageable(channel_id)
        if channel is None:
            raise ConnectionError
        await channel.get_partial_message(shown.id).edit(
            content=message.content,
            embeds=embeds_of(message),
            allowed_mentions=mentions_of(message),
        )

    async def _taken(self, sending: Awaitable[object]) -> bool:
        """Say whether Discord took it."""
        return await self._error(sending) is None

    async def _error(self, sending: Awaitable[object]) -> Exception | None:
        """Return why Discord did not take it."""
        try:
            async with asyncio.timeout(self._pace.patience):
                await sending
        except Exception as error:
            _LOGGER.debug("An answer was not taken: %s", type(error).__name__)
            return error
        return None


def _is_unclear(error: Exception) -> bool:
    """Say whether what failed may have been done all the same."""
    if isinstance(error, discord.HTTPException):
        return error.status >= 500
    return not isinstance(error, aiohttp.ClientConnectorError | RuntimeError)
