"""Home Assistant starts while its hosts sleep: at once, silently, with everything known."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
import socket

from aiohttp.connector import AddrInfoType
import pytest

from .lab.home_assistant import HomeAssistant
from .lab.namespaces import TwoNamespaces, addresses, project_root

pytestmark = [
    pytest.mark.needs_demo,
    pytest.mark.needs_namespaces,
    pytest.mark.needs_root,
    pytest.mark.timeout(300),
]

_DOMAIN = "cubeguardian"
_HOSTS = 20
_STARTS = 2
_SLOWER_BY = 1.0


@pytest.fixture(autouse=True)
def sockets(socket_enabled: None) -> None:
    """Let the client of Home Assistant have sockets; they live in the namespace."""


@pytest.fixture
def wire() -> Iterator[TwoNamespaces]:
    with TwoNamespaces() as both:
        both.vanish(*addresses(_HOSTS)[::2])
        yield both


@pytest.fixture
async def home(wire: TwoNamespaces, tmp_path: Path) -> AsyncGenerator[HomeAssistant]:
    def open_socket(info: AddrInfoType) -> socket.socket:
        return wire.home.open_socket(info[0], info[1], info[2])

    root = project_root()
    home = HomeAssistant(
        str(root / ".venv-demo/bin/python"),
        tmp_path,
        integrations=[root / "custom_components" / _DOMAIN],
        prefix=wire.home.enter,
        socket_factory=open_socket,
    )
    async with home:
        yield home


async def test_twenty_sleeping_hosts_cost_no_time_and_no_line_in_the_log(
    home: HomeAssistant,
) -> None:
    empty = await _start_again(home)
    await asyncio.gather(*(_add(home, number) for number in range(_HOSTS)))
    full = await _start_again(home)
    assert full - empty < _SLOWER_BY, f"empty {empty:.2f} s, full {full:.2f} s"

    entries = await home.client.get("/api/config/config_entries/entry?domain=cubeguardian")
    assert [entry["state"] for entry in entries] == ["loaded"] * _HOSTS
    expected = {"power": "off", "reachable": "off", "state": "off", "online": "off"}
    ours = await _states(home, expected)
    assert len(ours) == _HOSTS * 3 + 1
    settled = await home.client.until(
        lambda: all(home.client.state(entity) == expected[key] for entity, key in ours), 30
    )
    assert settled, {entity: home.client.state(entity) for entity, _ in ours}
    players = await _states(home, {"players_online": "unknown"})
    assert [home.client.state(entity) for entity, _ in players] == ["unknown"]
    assert _loud(home.log()) == []


async def _start_again(home: HomeAssistant) -> float:
    times = []
    for _ in range(_STARTS):
        await home.stop()
        (home.directory / "home-assistant.log").unlink()
        await home.start()
        times.append(home.started_in)
    return min(times)


async def _add(home: HomeAssistant, number: int) -> None:
    step = await home.client.begin("config", _DOMAIN)
    form = {
        "host": addresses(_HOSTS)[number],
        "port": 8006,
        "mac": f"02:00:00:00:01:{number:02x}",
        "token_id": "cubeguardian@pve!ha",
        "token_secret": "00000000-1ab0-4000-8000-000000000000",
        "node": "pve",
        "wake_on_lan": {},
    }
    step = await home.client.proceed("config", step["flow_id"], form)
    assert (step["type"], step["step_id"]) == ("menu", "asleep")
    step = await home.client.proceed("config", step["flow_id"], {"next_step_id": "save_asleep"})
    assert step["type"] == "create_entry"
    if number == 0:
        await _add_game(home, step["result"]["entry_id"])


async def _add_game(home: HomeAssistant, entry_id: str) -> None:
    step = await home.client.begin("subentry", [entry_id, "minecraft_server"])
    form = {"name": "Survival", "address": addresses(1)[0], "edition": "java", "vmid": "101"}
    step = await home.client.proceed("subentry", step["flow_id"], form)
    assert step["type"] == "create_entry"


async def _states(home: HomeAssistant, keys: dict[str, str]) -> list[tuple[str, str]]:
    """Return entity ids with their keys; the host's `state` only, not the game server's."""
    entities = await home.client.ask("config/entity_registry/list")
    found = []
    for entity in entities:
        key = entity["unique_id"].partition("_")[2]
        hosts_own = entity["config_subentry_id"] is None or key != "state"
        if entity["platform"] == _DOMAIN and key in keys and hosts_own:
            found.append((entity["entity_id"], key))
    return found


def _loud(lines: list[str]) -> list[str]:
    loud = (" INFO ", " WARNING ", " ERROR ", " CRITICAL ")
    return [
        line
        for line in lines
        if _DOMAIN in line
        and any(level in line for level in loud)
        and "has not been tested by Home Assistant" not in line
    ]
