"""The scene of every story: the real Home Assistant, and a wire on which its hosts are or are not.

Where there is one host its entry is called `host` and its game server `game`, so that entities are
known as "host.power" and "game.online" whatever their names are.
"""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
import contextlib
from dataclasses import dataclass, field
import json
from pathlib import Path
import re
from typing import Any

from aiohttp.connector import AddrInfoType

from custom_components.cubeguardian.const import DOMAIN
from tests.lab.companions import SECRETS
from tests.lab.discord import REDIRECTING, VARIABLE, DiscordStandIn
from tests.lab.ha_client import HomeAssistantClient, StateChange
from tests.lab.home_assistant import HomeAssistant
from tests.lab.namespaces import HOST_ADDRESS, HOST_INTERFACE, TwoNamespaces, project_root
from tests.lab.plan import GamePlan
from tests.lab.pve import TOKEN_ID, TOKEN_SECRET
from tests.lab.remote_host import RemoteHost
from tests.lab.sleeping_host import MAC

POWER_CALL = "/nodes/pve/status"
HOST, GAME = "host", "game"
_BURST_SECONDS = 2.0
_LOG_LINE = re.compile(r"^\d{4}-\d\d-\d\d \S+ (?P<level>[A-Z]+) \(")
_TALKATIVE = ("discord", "discord_webhook", "requests", "urllib3")
_BORN = "2026-11-01T12:00:00+00:00"
# The lab shows Home Assistant only loopback, but here every interface is our own.
_EVERY_ADAPTER = {"version": 1, "minor_version": 1, "data": {"configured_adapters": []}}

type Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownGame:
    """A game server that Home Assistant knows from before its start."""

    game_id: str = GAME
    title: str = "Survival"
    plan: GamePlan = field(default_factory=GamePlan)

    def subentry(self, address: str) -> Document:
        """Return it as Home Assistant stores it within the entry of its host."""
        plan = self.plan
        return {
            "data": {
                "address": f"{address}:{plan.port}",
                "public_address": "",
                "edition": "java",
                "vmid": plan.vmid,
                "stop_when_idle": False,
                **({"management": self._management()} if plan.console else {}),
            },
            "subentry_id": self.game_id,
            "subentry_type": "minecraft_server",
            "title": self.title,
            "unique_id": None,
        }

    def _management(self) -> Document:
        return {
            "kind": self.plan.console.value,
            "port": self.plan.console_port,
            "secret": SECRETS[self.plan.console],
            "tls": False,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownHost:
    """A host that Home Assistant knows from before its start, with its game servers.

    `discord` are the subentries of a bot and of webhooks, as Home Assistant stores them.
    """

    entry_id: str = HOST
    title: str = "Attic"
    address: str = HOST_ADDRESS
    mac: str = MAC
    trust: dict[str, str] = field(default_factory=lambda: {"kind": "system"})
    games: tuple[KnownGame, ...] = (KnownGame(),)
    discord: tuple[Document, ...] = ()
    options: Document = field(default_factory=dict)

    def entry(self) -> Document:
        """Return its config entry as Home Assistant stores it."""
        return {
            "created_at": _BORN,
            "modified_at": _BORN,
            "data": {
                "host": self.address,
                "port": 8006,
                "mac": self.mac,
                "token_id": TOKEN_ID,
                "token_secret": TOKEN_SECRET,
                "node": "pve",
                "trust": self.trust,
                "mode": "manual",
            },
            "disabled_by": None,
            "discovery_keys": {},
            "domain": DOMAIN,
            "entry_id": self.entry_id,
            "minor_version": 1,
            "options": self.options,
            "pref_disable_new_entities": False,
            "pref_disable_polling": False,
            "source": "user",
            "subentries": [*(game.subentry(self.address) for game in self.games), *self.discord],
            "title": self.title,
            "unique_id": self.mac,
            "version": 1,
        }


def config_entries(hosts: Iterable[KnownHost]) -> Document:
    """Return the storage document in which Home Assistant finds these hosts."""
    entries = [host.entry() for host in hosts]
    return {"version": 1, "minor_version": 5, "data": {"entries": entries}}


def home_on(
    wire: TwoNamespaces,
    directory: Path,
    hosts: Sequence[KnownHost] = (KnownHost(),),
    discord: DiscordStandIn | None = None,
) -> HomeAssistant:
    """Return the newest Home Assistant on our side of the wire, not started yet.

    With a Discord of ours it is led there, and everything that talks to it logs all it can.
    """

    def open_socket(address: AddrInfoType) -> Any:
        return wire.home.open_socket(*address[:3])

    directory.mkdir()
    return HomeAssistant(
        str(project_root() / ".venv-demo/bin/python"),
        directory,
        integrations=[project_root() / "custom_components" / DOMAIN],
        prefix=wire.home.enter,
        python_path=[REDIRECTING] if discord else (),
        environment={VARIABLE: discord.origin} if discord else {},
        log_levels=dict.fromkeys(_TALKATIVE, "debug") if discord else {},
        socket_factory=open_socket,
        storage={"core.config_entries": config_entries(hosts), "core.network": _EVERY_ADAPTER},
    )


class Scene:
    """One Home Assistant, seen through its own interfaces."""

    def __init__(self, home: HomeAssistant) -> None:
        """Look at a Home Assistant that is running."""
        self.home = home
        self.entities: dict[str, str] = {}
        self.devices: dict[str, str] = {}

    @property
    def client(self) -> HomeAssistantClient:
        """The client of Home Assistant."""
        return self.home.client

    async def name_entities(self) -> None:
        """Find our entities, by owner and key, and the devices of their owners."""
        for entity in await self.client.ask("config/entity_registry/list"):
            if entity["platform"] == DOMAIN and entity["disabled_by"] is None:
                owner, _, key = entity["unique_id"].partition("_")
                self.entities[f"{owner}.{key}"] = entity["entity_id"]
                self.devices[owner] = entity["device_id"]

    def state(self, key: str) -> str | None:
        """Return the state of one of our entities."""
        return self.client.state(self.entities[key])

    def states(self) -> dict[str, str | None]:
        """Return the states of all our entities."""
        return {key: self.state(key) for key in self.entities}

    def attribute(self, key: str, name: str) -> Any:
        """Return an attribute of one of our entities."""
        return self.client.now[self.entities[key]].attributes.get(name)

    async def shows(self, key: str, *states: str, within: float = 30) -> None:
        """Wait until an entity shows one of these states; fail if it does not in time."""
        if not await self.client.until(lambda: self.state(key) in states, within):
            seen = [(change.state, change.attributes) for change in self.told(key)]
            raise AssertionError(f"{key} never showed {states}: {seen}")

    def told(self, key: str, *, since: float = 0) -> list[StateChange]:
        """Return every state that an entity was written with, from an instant on."""
        return [
            change
            for change in self.client.history
            if change.entity_id == self.entities[key] and change.at >= since
        ]

    def course(self, key: str, *, since: float = 0) -> list[str | None]:
        """Return the states that an entity went through, without what a reload makes of it."""
        course: list[str | None] = []
        for change in self.told(key, since=since):
            if change.state not in ("unavailable", "unknown", None, *course[-1:]):
                course.append(change.state)
        return course

    def first(self, key: str, state: str, *, since: float = 0) -> StateChange:
        """Return the first time that an entity was told to be in a state."""
        return next(change for change in self.told(key, since=since) if change.state == state)

    async def switch(self, service: str, key: str = "host.power") -> None:
        """Turn a switch on or off; CallError if that is refused."""
        await self.client.call("switch", service, {"entity_id": self.entities[key]})

    async def order(self, service: str, key: str = "host.power") -> None:
        """Turn a switch on or off without waiting for what comes of it."""
        await self.client.order("switch", service, {"entity_id": self.entities[key]})

    async def act(self, action: str, owner: str = HOST, **data: Any) -> Any:
        """Call one of our actions on a host or game server and return its answer."""
        aimed = {"device_id": self.devices[owner], **data}
        return await self.client.call(DOMAIN, action, aimed, answers=True)

    async def reload(self) -> None:
        """Reload the entry of the host, as the menu of the integration does."""
        path = f"/api/config/config_entries/entry/{HOST}/reload"
        assert await self.client.post(path) == {"require_restart": False}

    async def entry_states(self) -> dict[str, str]:
        """Return the state of each of our config entries, by title."""
        found = await self.client.ask("config_entries/get", domain=DOMAIN)
        return {entry["title"]: entry["state"] for entry in found}

    async def journal(self, owner: str = HOST) -> list[str]:
        """Return the kinds of everything that happened to a host."""
        answer = await self.act("get_journal", owner)
        return [entry["kind"] for entry in answer["entries"] if entry["target"] == "host"]

    def stored(self, owner: str = HOST) -> Document:
        """Return what the guardian has stored of a host."""
        path = self.home.directory / f".storage/{DOMAIN}.{owner}"
        return dict(json.loads(path.read_text("utf-8"))["data"]["host"])

    def complaints(self) -> list[str]:
        """Return what the log says about us above debug, but for Home Assistant's own notice."""
        return [
            line
            for line in self.home.log()
            if DOMAIN in line
            and (found := _LOG_LINE.match(line))
            and found["level"] != "DEBUG"
            and "We found a custom integration" not in line
        ]


@contextlib.asynccontextmanager
async def begin(home: HomeAssistant) -> AsyncGenerator[Scene]:
    """Start Home Assistant; in the end look whether its log stayed silent about us."""
    async with home:
        scene = Scene(home)
        await scene.name_entities()
        yield scene
    assert scene.complaints() == []


@contextlib.asynccontextmanager
async def host_and_home(
    wire: TwoNamespaces,
    directory: Path,
    times: Mapping[str, float] | None = None,
    *,
    up: bool = False,
) -> AsyncGenerator[tuple[RemoteHost, Scene]]:
    """Set a host on the wire, asleep or up, and start a Home Assistant that knows it.

    `times` are the seconds that the host takes: firmware, api, game, guest_shutdown.
    """
    remote = RemoteHost(
        wire.host,
        interface=HOST_INTERFACE,
        address=HOST_ADDRESS,
        **{name: str(seconds) for name, seconds in (times or {}).items()},
    )
    async with remote:
        if up:
            await remote.do("button")
            await remote.do("games_up")
        known = KnownHost(trust={"kind": "ca", "pem": await remote.do("authority")})
        async with begin(home_on(wire, directory / "home", [known])) as scene:
            yield remote, scene


def power_commands(evidence: Document) -> list[str]:
    """Return the power commands that the host's Proxmox was given."""
    return [
        call["parameters"]["command"]
        for call in evidence["requests"]
        if (call["method"], call["path"]) == ("POST", POWER_CALL)
    ]


def bursts(evidence: Document) -> int:
    """Count how often the host was woken: the packets of one burst follow at once."""
    heard = sorted(packet["at"] for packet in evidence["packets"] if packet["wakes"])
    return sum(
        index == 0 or at - heard[index - 1] > _BURST_SECONDS for index, at in enumerate(heard)
    )


def happened(evidence: Document, what: str) -> float:
    """Return when something last happened to the host."""
    return float([moment["at"] for moment in evidence["history"] if moment["what"] == what][-1])
