"""The namespaces of the lab: nothing answers that should not, and the full cycle does."""

from collections.abc import Iterator
import errno
import socket
import sys

import pytest

from .namespaces import HOST_ADDRESS, HOST_INTERFACE, TwoNamespaces, addresses
from .remote_host import RemoteHost
from .sleeping_host import MAC

pytestmark = pytest.mark.needs_namespaces

_WAKE = (
    "from tests.lab.nic import send_magic_packet;"
    f"[send_magic_packet('{MAC}', a, 9) for a in ('255.255.255.255', '10.77.0.255')]"
)
_PING = "import sys,icmplib;sys.exit(not icmplib.ping(sys.argv[1],count=1,timeout=0.5).is_alive)"
_CONNECT = (
    "import socket,sys;s=socket.socket();s.settimeout(float(sys.argv[2]));"
    "print(s.connect_ex((sys.argv[1],int(sys.argv[3]))))"
)


@pytest.fixture
def wire() -> Iterator[TwoNamespaces]:
    with TwoNamespaces() as both:
        yield both


def _pings(wire: TwoNamespaces, address: str) -> bool:
    try:
        wire.home.run(sys.executable, "-c", _PING, address)
    except RuntimeError:
        return False
    return True


def _connects(wire: TwoNamespaces, address: str, patience: float, port: int = 8006) -> int:
    command = (sys.executable, "-c", _CONNECT, address, str(patience), str(port))
    return int(wire.home.run(*command))


async def test_a_host_on_the_wire_wakes_and_sleeps_again(wire: TwoNamespaces) -> None:
    async with RemoteHost(wire.host, interface=HOST_INTERFACE, address=HOST_ADDRESS) as host:
        assert not _pings(wire, HOST_ADDRESS)
        wire.home.run(sys.executable, "-c", _WAKE)
        await host.do("reached", power="up")
        await host.do("games_up")
        assert _pings(wire, HOST_ADDRESS)
        assert _connects(wire, HOST_ADDRESS, 1) == 0
        assert _connects(wire, HOST_ADDRESS, 1, 25565) == 0
        await host.do("cut")
        assert not _pings(wire, HOST_ADDRESS)
        evidence = await host.do("evidence")
    heard = {packet["destination"] for packet in evidence["packets"] if packet["wakes"]}
    assert heard == {"255.255.255.255", "10.77.0.255"}


async def test_two_hosts_on_one_wire_come_and_go_alone(wire: TwoNamespaces) -> None:
    (second,) = addresses(1)
    hosts = [
        RemoteHost(wire.host, interface=HOST_INTERFACE, address=address, mac=mac)
        for address, mac in ((HOST_ADDRESS, MAC), (second, "02:00:00:00:00:43"))
    ]
    async with hosts[0] as first, hosts[1] as other:
        for host in (first, other):
            await host.do("button")
            await host.do("games_up")
        await first.do("cut")
        assert not _pings(wire, HOST_ADDRESS)
        assert _pings(wire, second)
        assert _connects(wire, second, 1) == 0
        wire.home.run(sys.executable, "-c", _WAKE)
        await first.do("games_up")
        assert not any(packet["wakes"] for packet in (await other.do("evidence"))["packets"])


def test_packets_vanish_where_they_are_told_to(wire: TwoNamespaces) -> None:
    (address,) = addresses(1)
    wire.vanish(address)
    assert _connects(wire, address, 0.5) == errno.EAGAIN


def test_a_host_without_arp_is_no_route(wire: TwoNamespaces) -> None:
    (address,) = addresses(1)
    assert _connects(wire, address, 10) == errno.EHOSTUNREACH


def test_an_unplugged_home_has_no_network(wire: TwoNamespaces) -> None:
    wire.unplug()
    assert _connects(wire, HOST_ADDRESS, 1) == errno.ENETUNREACH
    wire.plug_in()
    assert _connects(wire, HOST_ADDRESS, 10) == errno.EHOSTUNREACH


@pytest.mark.needs_root
def test_a_socket_made_here_can_live_on_the_wire(wire: TwoNamespaces) -> None:
    with wire.home.open_socket(socket.AF_INET, socket.SOCK_DGRAM) as inside:
        inside.connect(("10.77.0.9", 9))
        assert inside.getsockname()[0] == "10.77.0.1"
