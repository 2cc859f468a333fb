"""Several hosts on one wire, known to one Home Assistant: each has a story of its own."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.discord import DiscordStandIn
from tests.lab.ha_client import CallError
from tests.lab.namespaces import HOST_INTERFACE, TwoNamespaces, addresses
from tests.lab.plan import GamePlan, GuestPlan, written
from tests.lab.remote_host import RemoteHost

from .scene import Document, KnownGame, KnownHost, Scene, begin, home_on

_FIRST = 2
_SEEN_WITHIN = 60


def short_options(
    *, protected: Sequence[int] = (), sleeping: Sequence[int] = (), found_hours: int = 0
) -> Document:
    """Return options in which everything takes a minute, or no time at all where that is allowed.

    Guests are named by their vmid; `found_hours` 0 lets a host that was found have no lease.
    """
    return {
        "automatic": {
            "wanting": [],
            "forbidding": [],
            "quiet_minutes": 0,
            "least_up_minutes": 0,
            "asked_minutes": 1,
            "cancelled_minutes": 1,
            "found_hours": found_hours,
            "unreadable_is_empty": False,
        },
        "guests": {
            "sleep_with_host": [str(vmid) for vmid in sleeping],
            "keep_awake": [],
            "protected": [str(vmid) for vmid in protected],
        },
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one host brings along: its name, its guests, how long it takes, what is set for it."""

    name: str
    times: Mapping[str, float] = field(default_factory=dict)
    games: tuple[GamePlan, ...] = (GamePlan(),)
    others: tuple[GuestPlan, ...] = ()
    up: bool = False
    discord: tuple[Document, ...] = ()
    options: Document = field(default_factory=short_options)

    def machine(self, wire: TwoNamespaces, index: int) -> RemoteHost:
        """Return the machine, not plugged in yet."""
        times = {name: str(seconds) for name, seconds in self.times.items()}
        return RemoteHost(
            wire.host,
            interface=HOST_INTERFACE,
            address=_address(index),
            mac=_mac(index),
            games=written(self.games),
            others=written(self.others),
            **times,
        )

    def known(self, index: int, authority: str) -> KnownHost:
        """Return the host as Home Assistant knows it."""
        return KnownHost(
            entry_id=self.name,
            title=self.name.capitalize(),
            address=_address(index),
            mac=_mac(index),
            trust={"kind": "ca", "pem": authority},
            games=tuple(
                KnownGame(game_id=f"{self.name}-{number}", title=f"World {number}", plan=plan)
                for number, plan in enumerate(self.games, start=1)
            ),
            discord=self.discord,
            options=self.options,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """One host of a scene: the machine itself, and what Home Assistant shows of it.

    A key without a dot is one of the host's own entities; "1.online" is one of its first game
    server.
    """

    part: Part
    machine: RemoteHost
    scene: Scene

    @property
    def name(self) -> str:
        """The id of its entry."""
        return self.part.name

    def key(self, key: str) -> str:
        """Return the key by which the scene knows an entity."""
        number, dot, rest = key.partition(".")
        return f"{self.name}-{number}.{rest}" if dot else f"{self.name}.{key}"

    async def do(self, what: str, **arguments: object) -> Any:
        """Do something to the machine."""
        return await self.machine.do(what, **arguments)

    async def evidence(self) -> Document:
        """Return all that the machine saw."""
        return dict(await self.machine.do("evidence"))

    async def shows(self, key: str, *states: str, within: float = _SEEN_WITHIN) -> None:
        """Wait until an entity shows one of these states; fail if it does not in time."""
        await self.scene.shows(self.key(key), *states, within=within)

    def state(self, key: str) -> str | None:
        """Return the state of an entity."""
        return self.scene.state(self.key(key))

    def attribute(self, key: str, name: str) -> Any:
        """Return an attribute of an entity."""
        return self.scene.attribute(self.key(key), name)

    def course(self, key: str, *, since: float = 0) -> list[str | None]:
        """Return the states that an entity went through."""
        return self.scene.course(self.key(key), since=since)

    def held_by(self) -> list[str]:
        """Return the reasons that hold an announced shutdown up."""
        return [one["reason"] for one in self.attribute("state", "held") or []]

    def wanted_by(self) -> set[str]:
        """Return where the leases come from that keep the host up."""
        leases = self.attribute("demand", "leases") or []
        return {lease["source"] for lease in leases if not lease["declined"]}

    async def becomes(self, condition: Any, within: float = _SEEN_WITHIN) -> None:
        """Wait until something holds of what is shown; fail if it does not in time."""
        came_true = await self.scene.client.until(condition, within)
        assert came_true, (self.name, self.held_by(), self.states())

    def states(self) -> dict[str, str | None]:
        """Return what is shown of the host and of its game servers."""
        owner = self.name
        return {
            key: state
            for key, state in self.scene.states().items()
            if key.partition(".")[0] == owner or key.startswith(f"{owner}-")
        }

    async def switch(self, service: str, key: str = "power") -> None:
        """Turn a switch on or off; CallError if that is refused."""
        await self.scene.switch(service, self.key(key))

    async def order(self, service: str, key: str = "power") -> None:
        """Turn a switch on or off without waiting for what comes of it."""
        await self.scene.order(service, self.key(key))

    async def act(self, action: str, game: int = 0, **data: Any) -> Any:
        """Call one of our actions on the host, or on one of its game servers."""
        owner = f"{self.name}-{game}" if game else self.name
        return await self.scene.act(action, owner, **data)

    async def sleep_after(self, minutes: int) -> None:
        """Set how long an idle countdown lasts."""
        entity_id = self.scene.entities[self.key("idle_minutes")]
        data = {"entity_id": entity_id, "value": minutes}
        await self.scene.client.call("number", "set_value", data)

    async def become_automatic(self) -> None:
        """Let the host sleep by itself, a minute after nobody wants it."""
        await self.sleep_after(1)
        await self.act("set_mode", mode="automatic")

    async def is_up(self) -> None:
        """Wait until the host and all its game servers are seen up."""
        await self.shows("state", "running")
        await self.shows("proxmox_api", "on")
        for number in range(1, len(self.part.games) + 1):
            await self.shows(f"{number}.online", "on")

    async def journal(self) -> list[str]:
        """Return the kinds of everything that happened to the host."""
        return await self.scene.journal(self.name)

    def stored(self) -> Document:
        """Return what the guardian has stored of the host."""
        return self.scene.stored(self.name)


async def refused(call: Awaitable[Any]) -> CallError:
    """Return what a call was refused with; fail if it was not."""
    try:
        await call
    except CallError as error:
        return error
    raise AssertionError("nothing was refused")


@contextlib.asynccontextmanager
async def company(
    wire: TwoNamespaces,
    directory: Path,
    *parts: Part,
    discord: DiscordStandIn | None = None,
) -> AsyncGenerator[dict[str, Actor]]:
    """Set hosts on the wire, asleep or up, and start one Home Assistant that knows them all."""
    machines = [part.machine(wire, index) for index, part in enumerate(parts)]
    async with contextlib.AsyncExitStack() as stack:
        async with asyncio.TaskGroup() as group:
            for machine in machines:
                group.create_task(stack.enter_async_context(machine))
        async with asyncio.TaskGroup() as group:
            known = [
                group.create_task(_plugged_in(part, machine, index))
                for index, (part, machine) in enumerate(zip(parts, machines, strict=True))
            ]
        home = home_on(wire, directory / "home", [task.result() for task in known], discord)
        scene = await stack.enter_async_context(begin(home))
        yield {
            part.name: Actor(part=part, machine=machine, scene=scene)
            for part, machine in zip(parts, machines, strict=True)
        }


async def play(*stories: Awaitable[None]) -> None:
    """Let stories happen side by side; whatever goes wrong in any of them is told."""
    ended = await asyncio.gather(*stories, return_exceptions=True)
    failures = [end for end in ended if isinstance(end, Exception)]
    if failures:
        raise ExceptionGroup("not every story went well", failures)


async def _plugged_in(part: Part, machine: RemoteHost, index: int) -> KnownHost:
    if part.up:
        await machine.do("button")
        await machine.do("games_up")
    return part.known(index, await machine.do("authority"))


def _address(index: int) -> str:
    return addresses(1, first=_FIRST + index)[0]


def _mac(index: int) -> str:
    return f"02:00:00:00:00:{0x42 + index:02x}"
