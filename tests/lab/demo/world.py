"""The world of the demo: the sleeping host and a Home Assistant that was set up by its flows."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
import contextlib
from dataclasses import dataclass
from pathlib import Path
import sys
import time
from typing import Any

from tests.lab.discord import REDIRECTING, VARIABLE, DiscordStandIn
from tests.lab.ha_client import CallError, HomeAssistantClient
from tests.lab.home_assistant import HomeAssistant
from tests.lab.namespaces import project_root
from tests.lab.nic import LoopbackNic
from tests.lab.peers import FlyingSquid, Player
from tests.lab.pve import TOKEN_ID, TOKEN_SECRET
from tests.lab.set_up import DOMAIN, SetUp, SetUpError
from tests.lab.sleeping_host import MAC, BootTimes, SleepingHost, lab_host

from .club import Club

ADDRESS = "127.0.0.2"
VMID = 101
PLAYERS = ("Steve", "Alex")
QUICK_BOOT = BootTimes(firmware=3.0, api=2.0, guests=1.0, game=1.0)
_COMMAND_TIMEOUT = 30
_POLL = 0.2
_WATCHED = {
    "host.activity", "host.cancel_shutdown", "host.demand", "host.idle_minutes", "host.mode",
    "host.power", "host.proxmox_api", "host.reachable", "host.shutdown_at", "host.state",
    "game.online", "game.players_online",
}  # fmt: skip
_WATCHED_OF_BOT = {"bot.connected", "bot.voice_members"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Household:
    """What the people of the house have chosen while they set it up, and how fast their host is.

    `guest_seconds`: how long its guest takes to shut down. `meets_on_discord`: there is a Discord
    on which the players meet.
    """

    mode: str = "manual"
    automatic: Mapping[str, int] | None = None
    idle_minutes: int | None = None
    boot_times: BootTimes = QUICK_BOOT
    guest_seconds: float = 2.0
    meets_on_discord: bool = False


@dataclass(slots=True, kw_only=True)
class World:
    """Everything that takes part, and a record of what was done to it."""

    machine: SleepingHost
    game: FlyingSquid
    home: HomeAssistant
    players: dict[str, Player]
    entities: dict[str, str]
    set_up: list[dict[str, Any]]
    actions: list[dict[str, Any]]
    entry_id: str = ""
    meeting_place: Club | None = None

    @property
    def wake_port(self) -> int:
        """The UDP port on which the sleeping host hears magic packets."""
        assert isinstance(self.machine.nic, LoopbackNic)
        return self.machine.nic.port

    @property
    def client(self) -> HomeAssistantClient:
        """The client of Home Assistant."""
        return self.home.client

    @property
    def club(self) -> Club:
        """The Discord on which the players meet, in a household that has one."""
        assert self.meeting_place is not None
        return self.meeting_place

    @property
    def secrets(self) -> tuple[str, ...]:
        """What may be in nothing that is left behind."""
        others = self.meeting_place.secrets if self.meeting_place else ()
        return (TOKEN_SECRET, self.home.password, *others)

    def state(self, key: str) -> str | None:
        """Return the state of our entity with this key ("host.power", "game.online")."""
        return self.client.state(self.entities[key])

    def attribute(self, key: str, name: str) -> Any:
        """Return an attribute of our entity with this key."""
        known = self.client.now.get(self.entities[key])
        return known.attributes.get(name) if known else None

    async def let_discord_in(self) -> None:
        """Add the webhook and the bot, and wait until the bot is connected."""
        club, set_up = self.club, SetUp(self.client, self.set_up)
        await set_up.add_webhook(self.entry_id, club.webhook_form())
        token, guild = club.discord.token, str(club.guild.id)
        bot_id = await set_up.add_bot(self.entry_id, token, guild, club.bot_form())
        await self.name_entities({bot_id: "bot"}, _WATCHED_OF_BOT)
        await club.discord.connected(within=_COMMAND_TIMEOUT)

    async def name_entities(self, owners: Mapping[str, str], wanted: set[str]) -> None:
        """Learn the entities of these owners, until those that are wanted are among them."""
        # A change reloads the entry, and the last subentry's entities come with the last reload.
        async with asyncio.timeout(_COMMAND_TIMEOUT):
            while not self.entities.keys() >= wanted:
                await asyncio.sleep(_POLL)
                for entity in await self.client.ask("config/entity_registry/list"):
                    owner, _, key = entity["unique_id"].partition("_")
                    if entity["platform"] == DOMAIN and owner in owners:
                        self.entities[f"{owners[owner]}.{key}"] = entity["entity_id"]

    async def act(self, action: str, key: str, **data: Any) -> dict[str, Any]:
        """Call an action ("switch.turn_on") on an entity of ours; return the record of it.

        The record says what Home Assistant answered, be it a refusal.
        """
        record: dict[str, Any] = {"at": time.time(), "action": action, "entity": key}
        domain, _, service = action.partition(".")
        aimed = {"entity_id": self.entities[key], **data}
        try:
            async with asyncio.timeout(_COMMAND_TIMEOUT):
                await self.client.call(domain, service, aimed)
        except CallError as refused:
            record["error"] = refused.to_dict()
        record |= {"answered_at": time.time(), "accepted": "error" not in record}
        self.actions.append(record)
        return record


@contextlib.asynccontextmanager
async def build(
    directory: Path, household: Household, *, squid_port: int = 0
) -> AsyncGenerator[World]:
    """Start everything and set the integration up; the host is asleep afterwards."""
    for name in ("host", "home", "minecraft"):
        (directory / name).mkdir()
    game = FlyingSquid(directory / "minecraft", ADDRESS, squid_port, motd="CubeGuardian demo")
    machine = lab_host(
        directory / "host",
        address=ADDRESS,
        games={VMID: game},
        times=household.boot_times,
        shutdown_seconds=household.guest_seconds,
    )
    async with contextlib.AsyncExitStack() as stack:
        club: Club | None = None
        if household.meets_on_discord:
            club = Club(await stack.enter_async_context(DiscordStandIn()))
        home = _home(directory / "home", club)
        await stack.enter_async_context(machine)
        await stack.enter_async_context(home)
        game.choose_port()
        world = World(
            machine=machine,
            game=game,
            home=home,
            players={
                name: Player(directory / "minecraft", ADDRESS, game.port, name) for name in PLAYERS
            },
            entities={},
            set_up=[],
            actions=[],
            meeting_place=club,
        )
        for player in world.players.values():
            stack.push_async_callback(player.stop)
        await _MovingIn(world, household).run()
        yield world


def _home(directory: Path, club: Club | None) -> HomeAssistant:
    """Return a Home Assistant with our integration; it finds the real Discord nowhere."""
    return HomeAssistant(
        sys.executable,
        directory,
        integrations=[project_root() / "custom_components" / DOMAIN],
        python_path=[REDIRECTING] if club else (),
        environment={VARIABLE: club.discord.origin} if club else {},
    )


class _MovingIn:
    """Sets host and game server up, and lets the host fall asleep."""

    def __init__(self, world: World, household: Household) -> None:
        self._world = world
        self._household = household
        self._set_up = SetUp(world.client, world.set_up)
        # No packet may leave loopback, so this is said before anything is woken.
        self._wake = {"broadcast": ADDRESS, "port": world.wake_port}

    async def run(self) -> None:
        """Add host and game server, set the options, and let the host fall asleep."""
        entry_id = await self._add_host()
        game_id = await self._add_game(entry_id)
        await self._set_options(entry_id)
        self._world.entry_id = entry_id
        await self._world.name_entities({entry_id: "host", game_id: "game"}, _WATCHED)
        await self._fall_asleep()

    async def _add_host(self) -> str:
        pve = self._world.machine.pve
        form = {
            "host": ADDRESS,
            "port": pve.port,
            "mac": MAC,
            "token_id": TOKEN_ID,
            "token_secret": TOKEN_SECRET,
            "wake_on_lan": self._wake,
        }
        fingerprint = pve.certificates.served.fingerprint
        mode = self._household.mode
        return await self._set_up.add_host(form, fingerprint=fingerprint, asleep=True, mode=mode)

    async def _add_game(self, entry_id: str) -> str:
        await self._world.machine.games_up(60)
        form = {
            "name": "Survival",
            "address": self._world.game.address,
            "edition": "java",
            "vmid": str(VMID),
        }
        return await self._set_up.add_game(entry_id, form)

    async def _set_options(self, entry_id: str) -> None:
        # Every address of loopback answers a ping, whether or not the machine is up.
        chosen: dict[str, Any] = {"wake_on_lan": self._wake, "probing": {"ping": False}}
        if self._household.automatic is not None:
            chosen["automatic"] = self._household.automatic
        await self._set_up.set_options(entry_id, **chosen)

    async def _fall_asleep(self) -> None:
        world, minutes = self._world, self._household.idle_minutes
        await self._until(lambda: world.state("host.state") == "running")
        await self._until(lambda: world.state("game.online") == "on")
        if minutes is not None:
            await world.act("number.set_value", "host.idle_minutes", value=minutes)
        off = await world.act("switch.turn_off", "host.power")
        if not off["accepted"]:
            raise SetUpError(f"the first shutdown was refused: {off['error']['message']}")
        await self._until(lambda: world.state("host.state") == "off")
        world.actions.clear()

    async def _until(self, condition: Callable[[], bool]) -> None:
        if not await self._world.client.until(condition, 60):
            shown = {key: self._world.state(key) for key in sorted(_WATCHED)}
            raise SetUpError(f"the host did not come to rest: {shown}")
