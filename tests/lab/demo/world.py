"""The world of the demo: the sleeping host and a Home Assistant that was set up by its flows."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
import contextlib
from dataclasses import dataclass
from pathlib import Path
import sys
import time
from typing import Any

from tests.lab.ha_client import CallError, HomeAssistantClient
from tests.lab.home_assistant import HomeAssistant
from tests.lab.namespaces import project_root
from tests.lab.nic import LoopbackNic
from tests.lab.peers import FlyingSquid, Player
from tests.lab.pve import TOKEN_ID, TOKEN_SECRET
from tests.lab.set_up import DOMAIN, SetUp, SetUpError
from tests.lab.sleeping_host import MAC, BootTimes, SleepingHost, lab_host

ADDRESS = "127.0.0.2"
VMID = 101
PLAYERS = ("Steve", "Alex")
BOOT_TIMES = BootTimes(firmware=3.0, api=2.0, guests=1.0, game=1.0)
GUEST_SHUTDOWN = 2.0
_COMMAND_TIMEOUT = 30
_POLL = 0.2
_WATCHED = {
    "host.activity", "host.cancel_shutdown", "host.demand", "host.idle_minutes", "host.mode",
    "host.power", "host.proxmox_api", "host.reachable", "host.shutdown_at", "host.state",
    "game.online", "game.players_online",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Household:
    """What the people of the house have chosen while they set it up."""

    mode: str = "manual"
    automatic: Mapping[str, int] | None = None
    idle_minutes: int | None = None


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

    @property
    def wake_port(self) -> int:
        """The UDP port on which the sleeping host hears magic packets."""
        assert isinstance(self.machine.nic, LoopbackNic)
        return self.machine.nic.port

    @property
    def client(self) -> HomeAssistantClient:
        """The client of Home Assistant."""
        return self.home.client

    def state(self, key: str) -> str | None:
        """Return the state of our entity with this key ("host.power", "game.online")."""
        return self.client.state(self.entities[key])

    def attribute(self, key: str, name: str) -> Any:
        """Return an attribute of our entity with this key."""
        known = self.client.now.get(self.entities[key])
        return known.attributes.get(name) if known else None

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
        times=BOOT_TIMES,
        shutdown_seconds=GUEST_SHUTDOWN,
    )
    home = HomeAssistant(
        sys.executable,
        directory / "home",
        integrations=[project_root() / "custom_components" / DOMAIN],
    )
    async with machine, home:
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
        )
        async with contextlib.AsyncExitStack() as stack:
            for player in world.players.values():
                stack.push_async_callback(player.stop)
            await _MovingIn(world, household).run()
            yield world


class _MovingIn:
    """Sets host and game server up, and lets the host fall asleep."""

    def __init__(self, world: World, household: Household) -> None:
        self._world = world
        self._household = household
        self._set_up = SetUp(world.client)
        # No packet may leave loopback, so this is said before anything is woken.
        self._wake = {"broadcast": ADDRESS, "port": world.wake_port}

    async def run(self) -> None:
        """Add host and game server, set the options, and let the host fall asleep."""
        entry_id = await self._add_host()
        game_id = await self._add_game(entry_id)
        await self._set_options(entry_id)
        self._world.set_up = self._set_up.record
        await self._name_entities(entry_id, game_id)
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

    async def _name_entities(self, entry_id: str, game_id: str) -> None:
        # A change reloads the entry, and the game server's entities come with the last reload.
        owners = {entry_id: "host", game_id: "game"}
        async with asyncio.timeout(_COMMAND_TIMEOUT):
            while not self._world.entities.keys() >= _WATCHED:
                await asyncio.sleep(_POLL)
                for entity in await self._world.client.ask("config/entity_registry/list"):
                    owner, _, key = entity["unique_id"].partition("_")
                    if entity["platform"] == DOMAIN and owner in owners:
                        self._world.entities[f"{owners[owner]}.{key}"] = entity["entity_id"]

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
