"""The world of the demo: the sleeping host and a Home Assistant that was set up by its flows."""

import asyncio
from collections.abc import AsyncGenerator, Callable
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
from tests.lab.sleeping_host import MAC, BootTimes, SleepingHost, lab_host

DOMAIN = "cubeguardian"
ADDRESS = "127.0.0.2"
VMID = 101
PLAYER = "Steve"
BOOT_TIMES = BootTimes(firmware=3.0, api=2.0, guests=1.0, game=1.0)
GUEST_SHUTDOWN = 2.0
_COMMAND_TIMEOUT = 30
_POLL = 0.2
_WATCHED = {
    "host.power", "host.state", "host.reachable", "host.proxmox_api", "game.online",
    "game.players_online",
}  # fmt: skip


class SetUpError(RuntimeError):
    """The flow of the integration did not go the way that it should."""


@dataclass(slots=True, kw_only=True)
class World:
    """Everything that takes part, and a record of what was done to it."""

    machine: SleepingHost
    game: FlyingSquid
    home: HomeAssistant
    player: Player
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

    def attributes(self, key: str) -> dict[str, Any]:
        """Return the attributes of our entity with this key."""
        known = self.client.now.get(self.entities[key])
        return known.attributes if known else {}

    async def act(self, service: str, key: str) -> dict[str, Any]:
        """Turn a switch of ours; return the record of it, whatever Home Assistant answered."""
        record: dict[str, Any] = {"at": time.time(), "action": f"switch.{service}", "entity": key}
        try:
            async with asyncio.timeout(_COMMAND_TIMEOUT):
                await self.client.call("switch", service, {"entity_id": self.entities[key]})
        except CallError as refused:
            record["error"] = refused.to_dict()
        record |= {"answered_at": time.time(), "accepted": "error" not in record}
        self.actions.append(record)
        return record


@contextlib.asynccontextmanager
async def build(directory: Path, *, squid_port: int = 0) -> AsyncGenerator[World]:
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
            player=Player(directory / "minecraft", ADDRESS, game.port, PLAYER),
            entities={},
            set_up=[],
            actions=[],
        )
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(world.player.stop)
            await _SetUp(world).run()
            yield world


class _SetUp:
    """Leads the integration's own flows to their end, as a person would."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._client = world.client
        # No packet may leave loopback, so this is said before anything is woken.
        self._wake = {"broadcast": ADDRESS, "port": world.wake_port}

    async def run(self) -> None:
        """Add host and game server, set the options, and let the host fall asleep."""
        entry_id = await self._add_host()
        game_id = await self._add_game(entry_id)
        await self._set_options(entry_id)
        await self._name_entities(entry_id, game_id)
        await self._fall_asleep()

    async def _add_host(self) -> str:
        step = await self._client.begin("config", DOMAIN)
        form = {
            "host": ADDRESS,
            "port": self._world.machine.pve.port,
            "mac": MAC,
            "token_id": TOKEN_ID,
            "token_secret": TOKEN_SECRET,
            "wake_on_lan": self._wake,
        }
        step = await self._submit("config", step, form, "menu")
        step = await self._submit("config", step, {"next_step_id": "wake"}, "progress")
        step = await self._client.finish_progress("config", step)
        self._compare_certificate(step)
        step = await self._submit("config", step, {}, "create_entry")
        return str(step["result"]["entry_id"])

    async def _add_game(self, entry_id: str) -> str:
        await self._world.machine.games_up(60)
        step = await self._client.begin("subentry", [entry_id, "minecraft_server"])
        form = {
            "name": "Survival",
            "address": self._world.game.address,
            "edition": "java",
            "vmid": str(VMID),
        }
        await self._submit("subentry", step, form, "create_entry")
        entry = await self._client.ask("config_entries/subentries/list", entry_id=entry_id)
        return str(entry[0]["subentry_id"])

    async def _set_options(self, entry_id: str) -> None:
        step = await self._client.begin("options", entry_id)
        form: dict[str, dict[str, Any]] = {field["name"]: {} for field in step["data_schema"]}
        form["wake_on_lan"] = self._wake
        # Every address of loopback answers a ping, whether or not the machine is up.
        form["probing"] = {"ping": False}
        await self._submit("options", step, form, "create_entry")

    async def _name_entities(self, entry_id: str, game_id: str) -> None:
        # A change reloads the entry, and the game server's entities come with the last reload.
        owners = {entry_id: "host", game_id: "game"}
        async with asyncio.timeout(_COMMAND_TIMEOUT):
            while not self._world.entities.keys() >= _WATCHED:
                await asyncio.sleep(_POLL)
                for entity in await self._client.ask("config/entity_registry/list"):
                    owner, _, key = entity["unique_id"].partition("_")
                    if entity["platform"] == DOMAIN and owner in owners:
                        self._world.entities[f"{owners[owner]}.{key}"] = entity["entity_id"]

    async def _fall_asleep(self) -> None:
        world = self._world
        await self._until(lambda: world.state("host.state") == "running")
        await self._until(lambda: world.state("game.online") == "on")
        off = await world.act("turn_off", "host.power")
        if not off["accepted"]:
            raise SetUpError(f"the first shutdown was refused: {off['error']['message']}")
        await self._until(lambda: world.state("host.state") == "off")
        world.actions.clear()

    async def _until(self, condition: Callable[[], bool]) -> None:
        if not await self._client.until(condition, 60):
            raise SetUpError("the host did not come to rest")

    def _compare_certificate(self, step: dict[str, Any]) -> None:
        shown = step.get("description_placeholders", {}).get("fingerprint")
        own = self._world.machine.pve.certificates.served.fingerprint
        if step.get("step_id") != "certificate" or shown != own:
            raise SetUpError(f"no certificate to compare in {step.get('step_id')}: {shown}")

    async def _submit(
        self, kind: str, step: dict[str, Any], data: dict[str, Any], expected: str
    ) -> dict[str, Any]:
        done = await self._client.proceed(kind, step["flow_id"], data)
        self._world.set_up.append(
            {
                "at": time.time(),
                "flow": kind,
                "step": step.get("step_id"),
                "led_to": done["type"],
                "shows": done.get("step_id"),
            }
        )
        if done["type"] != expected:
            raise SetUpError(f"{kind} flow at {done.get('step_id')}: {done.get('errors')}")
        return dict(done)
