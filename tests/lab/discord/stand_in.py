"""A Discord on loopback: its REST interface, its gateway and the people on it."""

import asyncio
from collections.abc import Callable, Mapping
import re
import socket
import time
from typing import Any

from aiohttp import web

from .accounts import Accounts
from .acting import People, Value
from .answers import Answers
from .channels import Channels
from .faults import ActiveFault, Bucket, Fault, Troubles
from .gateway import Gateway
from .interactions import ANSWER_WITHIN, TOKEN_LIVES, Interaction
from .mailbox import Mailbox
from .record import PATIENCE, Button, Identified, Menu, Message, Record
from .rest import Rest
from .town import Town
from .webhooks import Webhooks
from .words import ORDINARY, ChannelKind, CloseCode, Intent, Permission
from .world import Application, Channel, Guild, Member, Role, User, Webhook, World

_TURNS_TO_TAKE_IN = 5

type OpenSocket = Callable[[int, int], socket.socket]


class DiscordStandIn:
    """Discord for one bot, used as an async context manager.

    People, channels and faults can be made before and while a bot is connected; `record` holds
    everything that was heard. Reach it through `redirected` (see the package's docstring).
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        bot_name: str = "cube",
        privileged: Intent = Intent.NONE,
        heartbeat_interval: float = 41.25,
        answer_within: float = ANSWER_WITHIN,
        token_lives: float = TOKEN_LIVES,
        open_socket: OpenSocket = socket.socket,
    ) -> None:
        """Prepare it; port 0 takes a free one at the first start, times are in seconds.

        `privileged` are the intents switched on in the application's page; `open_socket` makes
        what it listens on, where that must be in a network namespace.
        """
        self.host = host
        self.port = port
        self._open_socket = open_socket
        bot, owner = User(name=bot_name, is_bot=True), User(name="developer")
        application = Application(name=bot_name, owner=owner, privileged=privileged)
        self.world = World(bot=bot, application=application)
        self.record = Record()
        self.troubles = Troubles()
        self.gateway = Gateway(
            self.world, self.record, self.troubles, heartbeat_interval=heartbeat_interval
        )
        self.mailbox = Mailbox(self.world, self.record, self.gateway)
        self._answers = Answers(
            world=self.world,
            record=self.record,
            mailbox=self.mailbox,
            answer_within=answer_within,
            token_lives=token_lives,
        )
        self._people = People(
            world=self.world,
            record=self.record,
            gateway=self.gateway,
            mailbox=self.mailbox,
            answers=self._answers,
        )
        self._town = Town(world=self.world, record=self.record, gateway=self.gateway)
        self._runner: web.AppRunner | None = None

    # Life

    async def __aenter__(self) -> DiscordStandIn:
        """Start."""
        await self.come_back()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop, and let go of all that hangs."""
        self.mend()
        await self.go_away()

    @property
    def origin(self) -> str:
        """Scheme, host and port of both its REST interface and its gateway."""
        return f"http://{self.host}:{self.port}"

    @property
    def token(self) -> str:
        """The bot's token."""
        return self.world.token

    @property
    def application(self) -> Application:
        """What the developer portal says of the application; change it at will."""
        return self.world.application

    async def come_back(self) -> None:
        """Listen; the address stays the same from one time to the next, and so do sessions."""
        self._runner = web.AppRunner(self._routes(), shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        listening = self._open_socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((self.host, self.port))
        self.port = listening.getsockname()[1]
        self._listening = listening
        await web.SockSite(self._runner, listening).start()
        self.gateway.url = f"ws://{self.host}:{self.port}/resume"

    async def go_away(self) -> None:
        """Tear everything and refuse every connection until it comes back."""
        if self._runner is not None:
            await self._stop_accepting()
            self.drop_sockets()
            await self._runner.cleanup()
            self._runner = None

    async def _stop_accepting(self) -> None:
        """Let what was just accepted be taken in: asyncio stumbles over it in a closed server."""
        asyncio.get_running_loop().remove_reader(self._listening.fileno())
        for _ in range(_TURNS_TO_TAKE_IN):
            await asyncio.sleep(0)

    def _routes(self) -> web.Application:
        application = web.Application(client_max_size=32 * 1024 * 1024)
        accounts = Accounts(world=self.world, record=self.record, gateway=self.gateway)
        channels = Channels(world=self.world, mailbox=self.mailbox)
        webhooks = Webhooks(world=self.world, mailbox=self.mailbox)
        routes = [
            *accounts.routes(),
            *channels.routes(),
            *self._answers.routes(),
            *webhooks.routes(),
        ]
        Rest(self.world, self.record, self.troubles).add_to(application, routes)
        for path in ("/", "/resume"):
            application.router.add_get(path, self.gateway.serve)
        return application

    # The bot, as the stand-in sees it

    async def connected(self, *, within: float = PATIENCE) -> None:
        """Wait until a bot has identified itself and is listening."""
        await self.record.until(lambda: self.gateway.is_connected, within=within)

    @property
    def identifies(self) -> int:
        """How many sessions were asked for; a real bot has 1,000 a day."""
        return len(self.record.of(Identified))

    def messages(self, channel: Channel | User) -> tuple[Message, ...]:
        """Return the messages of a channel, or those alone with a user, as they stand now."""
        place = self.world.direct(channel) if isinstance(channel, User) else channel
        return self.mailbox.inside(place)

    def message(self, message_id: int) -> Message:
        """Return a message as it stands now."""
        return self.mailbox.find(message_id).message

    def evidence(self) -> list[dict[str, Any]]:
        """Return everything that was heard in a form that JSON can hold."""
        return self.record.evidence()

    # Places and people

    def add_guild(self, name: str, *, locale: str = "en-US", available: bool = True) -> Guild:
        """Make a guild that the bot is in."""
        return self._town.add_guild(name, locale=locale, available=available)

    def remove_guild(self, guild: Guild) -> None:
        """Throw the bot out of a guild."""
        self._town.remove_guild(guild)

    def set_available(self, guild: Guild, *, available: bool) -> None:
        """Begin or end an outage of a guild."""
        self._town.set_available(guild, available=available)

    def add_text_channel(self, guild: Guild, name: str) -> Channel:
        """Make a channel to write in."""
        return self._town.add_channel(guild, name, ChannelKind.TEXT)

    def add_voice_channel(self, guild: Guild, name: str, *, is_afk: bool = False) -> Channel:
        """Make a channel to talk in, before the bot connects if it is the one for the absent."""
        channel = self._town.add_channel(guild, name, ChannelKind.VOICE)
        if is_afk:
            guild.afk_channel = channel
        return channel

    def add_thread(self, parent: Channel, name: str) -> Channel:
        """Make a thread in a channel."""
        assert parent.guild is not None
        return self._town.add_channel(parent.guild, name, ChannelKind.THREAD, parent)

    def remove_channel(self, channel: Channel) -> None:
        """Delete a channel."""
        self._town.remove_channel(channel)

    def overwrite(
        self,
        channel: Channel,
        target: Role | Member,
        *,
        allow: Permission = Permission.NONE,
        deny: Permission = Permission.NONE,
    ) -> None:
        """Allow and deny a role or member something in one channel."""
        self._town.overwrite(channel, target, allow, deny)

    def add_role(self, guild: Guild, name: str, permissions: Permission = Permission.NONE) -> Role:
        """Make a role."""
        return self._town.add_role(guild, name, permissions)

    def permit(self, guild: Guild, role: Role, permissions: Permission = ORDINARY) -> None:
        """Set what a role may do in the whole guild."""
        self._town.permit(guild, role, permissions)

    def add_member(
        self,
        guild: Guild,
        user: User | str,
        *,
        roles: tuple[Role, ...] = (),
        nick: str | None = None,
        locale: str = "en-US",
        is_bot: bool = False,
    ) -> Member:
        """Let somebody into a guild; a name makes a new user with this language."""
        if isinstance(user, str):
            user = User(name=user, locale=locale, is_bot=is_bot)
        return self._town.add_member(guild, user, roles, nick)

    def remove_member(self, member: Member) -> None:
        """Let a member leave the guild."""
        self._town.remove_member(member)

    def set_roles(self, member: Member, *roles: Role) -> None:
        """Give a member exactly these roles."""
        self._town.set_roles(member, roles)

    def show_as(self, member: Member, status: str) -> None:
        """Let a member be online, idle, dnd or offline."""
        self._town.show_as(member, status)

    def add_webhook(self, channel: Channel, name: str = "cube") -> Webhook:
        """Make a webhook, whose `url` is what a user would paste."""
        return self._town.add_webhook(channel, name)

    def remove_webhook(self, webhook: Webhook) -> None:
        """Delete a webhook: its URL answers 404 from now on."""
        del self.world.webhooks[webhook.id]

    # What people do

    def join_voice(self, member: Member, channel: Channel) -> None:
        """Let a member talk in a channel, coming from another or from none."""
        self._town.move(member, channel)

    def leave_voice(self, member: Member) -> None:
        """Let a member leave the voice channel."""
        self._town.move(member, None)

    def say(self, author: Member | User, text: str, channel: Channel | None = None) -> Message:
        """Let somebody write in a channel, or to the bot alone when there is none given."""
        user = author.user if isinstance(author, Member) else author
        return self._people.say(user, channel or self.world.direct(user), text)

    def invoke(
        self,
        name: str,
        options: Mapping[str, Value] | None = None,
        *,
        by: Member,
        channel: Channel | None = None,
    ) -> Interaction:
        """Let a member use a command, where none is given in the guild's first text channel.

        Errors: People.invoke.
        """
        return self._people.invoke(name, options or {}, by, channel or _first_text(by.guild))

    def suggest(
        self, name: str, option: str, typed: str = "", *, by: Member, channel: Channel | None = None
    ) -> Interaction:
        """Let a member type into an option; the lines come as the answer's suggestions."""
        return self._people.suggest(name, option, typed, by, channel or _first_text(by.guild))

    def press(self, button: Button, *, by: Member) -> Interaction:
        """Let a member press a button (errors: People.press)."""
        return self._people.press(button, by)

    def choose(self, menu: Menu, *values: str, by: Member) -> Interaction:
        """Let a member choose from a menu."""
        return self._people.choose(menu, values, by)

    def submit(self, opened: Interaction, values: Mapping[str, str]) -> Interaction:
        """Let the member send the form that was opened in answer to an interaction."""
        return self._people.submit(opened, values)

    # Trouble

    def break_with(
        self, fault: Fault, *, method: str = "", path: str = "", times: int | None = None
    ) -> None:
        """Misbehave when a path below /api/vN matches, until mended or so many times.

        The gateway's handshake is a GET of "/gateway", that for its address of "/gateway/bot".
        """
        active = ActiveFault(fault=fault, method=method, path=re.compile(path), times=times)
        self.troubles.faults.append(active)

    def limit(self, method: str, path: str, *, limit: int, per: float) -> None:
        """Allow so many requests in so many seconds, with headers, and answer 429 beyond."""
        bucket = Bucket(
            name=f"bucket{len(self.troubles.buckets)}",
            method=method,
            path=re.compile(path),
            limit=limit,
            per=per,
        )
        self.troubles.buckets.append(bucket)

    def blackhole(self) -> None:
        """Let nothing through in either direction; connections stay open, and new ones hang."""
        self.troubles.swallow()

    def mend(self) -> None:
        """End every fault and the black hole; what hangs goes on."""
        self.troubles.mend()

    def drop_sockets(self) -> None:
        """Tear every connection, REST and gateway, without a word."""
        self.gateway.tear()
        server = self._runner.server if self._runner else None
        for connection in list(server.connections) if server else []:
            if connection.transport is not None:
                connection.transport.abort()

    def close_gateway(self, code: CloseCode = CloseCode.UNKNOWN_ERROR) -> None:
        """Close the gateway's connections with a code; the sessions may be resumed."""
        self.gateway.close(code)

    def revoke_token(self) -> None:
        """Make the token worthless: REST answers 401, the gateway closes with 4004."""
        self.world.revoked = True
        self.gateway.close(CloseCode.AUTHENTICATION_FAILED)

    def renew_token(self) -> str:
        """Return a new token, good from now on; the one before is worthless."""
        self.world.token = f"{self.world.application.id}.lab.{time.monotonic_ns():x}"
        self.world.revoked = False
        self.gateway.close(CloseCode.AUTHENTICATION_FAILED)
        return self.world.token


def _first_text(guild: Guild) -> Channel:
    return next(one for one in guild.channels.values() if one.kind is ChannelKind.TEXT)
