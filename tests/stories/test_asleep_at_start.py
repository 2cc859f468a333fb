"""Home Assistant starts while its hosts sleep: all is known, nothing is said, nobody waits."""

from collections.abc import Callable
from pathlib import Path
import statistics
import sys

import pytest

from tests.lab.home_assistant import HomeAssistant
from tests.lab.namespaces import HOST_ADDRESS, TwoNamespaces, addresses

from .scene import KnownGame, KnownHost, begin, home_on

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_namespaces,
    pytest.mark.needs_demo,
    pytest.mark.timeout(300),
]

_SETTLED_WITHIN = 10
_HOSTS = 20
_MOST_EXTRA_SECONDS = 1.0
_ROUNDS = 3
# A busy machine disturbs single starts by more than is measured here: then more of them count.
_MOST_ROUNDS = 6

ASLEEP = {
    "host.power": "off",
    "host.mode": "manual",
    "host.keep_awake": "off",
    "host.demand": "off",
    "host.idle_minutes": "10",
    "host.reachable": "off",
    "host.proxmox_api": "off",
    "host.state": "off",
    "host.cpu": "unknown",
    "host.memory": "unknown",
    "host.time_asleep": "0.0",
    "host.energy_saved": "0.0",
    "host.booted_at": "unknown",
    "host.running_guests": "unknown",
    "host.shutdown_at": "unknown",
    "host.ready_at": "unknown",
    "host.progress": "unknown",
    "host.cancel_shutdown": "unknown",
    "host.restart": "unknown",
    "host.activity": "unknown",
    "game.server": "off",
    "game.online": "off",
    "game.state": "off",
    "game.ready_at": "unknown",
    "game.progress": "unknown",
    "game.players_online": "unknown",
    "game.players_max": "unknown",
    "game.version": "unknown",
    "game.restart": "unknown",
    "game.players": "unknown",
}


@pytest.mark.parametrize("vanishes", [False, True], ids=["no ARP answer", "packets vanish"])
async def test_a_sleeping_host_is_known_at_once_and_not_worth_a_word(
    wire: TwoNamespaces, tmp_path: Path, vanishes: bool
) -> None:
    if vanishes:
        wire.vanish(HOST_ADDRESS)
    async with begin(home_on(wire, tmp_path / "home")) as scene:
        assert await scene.entry_states() == {"Attic": "loaded"}
        await scene.client.until(lambda: scene.states() == ASLEEP, _SETTLED_WITHIN)
        assert scene.states() == ASLEEP
        assert scene.complaints() == []
        assert any("cubeguardian" in line and " DEBUG " in line for line in scene.home.log())


async def test_twenty_sleeping_hosts_start_within_a_second_of_none(
    wire: TwoNamespaces,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    hosts = [_neighbour(index, address) for index, address in enumerate(addresses(_HOSTS))]
    wire.vanish(*(host.address for host in hosts[::2]))
    homes = home_on(wire, tmp_path / "empty", []), home_on(wire, tmp_path / "full", hosts)
    # The first start of all makes registries and compiles: only later ones are compared.
    await _seconds_to_start(homes)
    rounds: list[tuple[float, ...]] = []
    while len(rounds) < _ROUNDS or (
        _extra(rounds) > _MOST_EXTRA_SECONDS and len(rounds) < _MOST_ROUNDS
    ):
        rounds.append(await _seconds_to_start(homes))
    told = f"start in s (empty, {_HOSTS} asleep): {rounds}; {_extra(rounds):+.2f} s"
    record_property("seconds_to_start", told)
    with capsys.disabled():
        sys.stdout.write(f"\n{told}\n")
    assert _extra(rounds) <= _MOST_EXTRA_SECONDS


def _neighbour(index: int, address: str) -> KnownHost:
    return KnownHost(
        entry_id=f"host{index}",
        games=(KnownGame(game_id=f"game{index}"),),
        title=f"Cube {index}",
        address=address,
        mac=f"02:00:00:00:01:{index:02x}",
    )


async def _seconds_to_start(homes: tuple[HomeAssistant, HomeAssistant]) -> tuple[float, ...]:
    """Start both, one after the other; return how long each took until everything was loaded."""
    seconds = []
    for expected, home in zip((0, _HOSTS), homes, strict=True):
        async with begin(home) as scene:
            entries = await scene.entry_states()
            assert list(entries.values()) == ["loaded"] * expected
            seconds.append(round(home.started_in, 2))
    return tuple(seconds)


def _extra(rounds: list[tuple[float, ...]]) -> float:
    """Compare the medians of both."""
    empty, full = zip(*rounds, strict=True)
    return float(statistics.median(full) - statistics.median(empty))
