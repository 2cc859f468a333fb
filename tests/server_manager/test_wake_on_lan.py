"""Magic packets, heard by real sockets on loopback."""

import asyncio
from collections.abc import AsyncIterator
import errno
import socket

import pytest

from custom_components.cubeguardian.server_manager import (
    HostConnectionError,
    InvalidInputError,
    NameNotFoundError,
    NetworkUnavailableError,
    WakeOnLANManager,
    WakeReport,
    magic_packet,
    normalise_mac,
    wake_on_lan,
)
from tests.lab.nic import LoopbackNic

from .conftest import LOGGER, MAC

BYTES = bytes.fromhex("00237dfdc05c")


@pytest.fixture
async def nic() -> AsyncIterator[LoopbackNic]:
    heard = LoopbackNic(MAC, [("127.0.0.1", 0)])
    await heard.open()
    yield heard
    heard.close()


@pytest.fixture
def manager() -> WakeOnLANManager:
    return WakeOnLANManager(LOGGER)


async def heard_by(nic: LoopbackNic, count: int) -> None:
    async with asyncio.timeout(5):
        while len(nic.packets) < count:
            await asyncio.sleep(0.01)


async def test_three_packets_arrive_a_little_apart(
    nic: LoopbackNic, manager: WakeOnLANManager
) -> None:
    sent = await manager.send(MAC, "127.0.0.1", ports=[nic.port])
    assert sent == WakeReport(packets_sent=3, destinations=(f"127.0.0.1:{nic.port}",))
    await heard_by(nic, 3)
    assert [packet.raw for packet in nic.packets] == [b"\xff" * 6 + BYTES * 16] * 3
    first, _, last = (packet.at for packet in nic.packets)
    assert 0.15 < last - first < 2


async def test_a_secure_on_password_follows_the_packet(
    nic: LoopbackNic, manager: WakeOnLANManager
) -> None:
    await manager.send(MAC, "127.0.0.1", ports=[nic.port], secure_on="01-02-03-04-05-06", repeat=1)
    await heard_by(nic, 1)
    assert nic.packets[0].raw == b"\xff" * 6 + BYTES * 16 + bytes(range(1, 7))


async def test_the_loop_goes_on_while_packets_are_sent(
    nic: LoopbackNic, manager: WakeOnLANManager
) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    await manager.send(MAC, "127.0.0.1", ports=[nic.port])
    ticking.cancel()
    assert ticks > 5


async def test_a_source_address_is_used(nic: LoopbackNic, manager: WakeOnLANManager) -> None:
    await manager.send(MAC, "127.0.0.1", ports=[nic.port], source_address="127.0.0.9", repeat=1)
    await heard_by(nic, 1)
    assert nic.packets[0].source == "127.0.0.9"


async def test_a_source_that_is_not_ours_is_our_own_network(manager: WakeOnLANManager) -> None:
    with pytest.raises(NetworkUnavailableError):
        await manager.send(MAC, "127.0.0.1", source_address="192.0.2.1", repeat=1)


@pytest.mark.parametrize(
    ("target", "given", "expected"),
    [
        ("192.168.1.245", None, ("255.255.255.255", "192.168.1.255")),
        ("pve.lan", None, ("255.255.255.255",)),
        ("fd00::1", None, ("255.255.255.255",)),
        ("192.168.1.245", ["10.0.0.255"], ("10.0.0.255",)),
        ("127.0.0.2", None, ("127.0.0.2",)),
        ("127.0.0.2", ["255.255.255.255"], ("127.0.0.2",)),
        ("127.0.0.2", ["255.255.255.255", "127.0.0.3"], ("127.0.0.3",)),
        ("::1", ["192.168.1.255"], ("::1",)),
        ("localhost", None, ("localhost",)),
    ],
)
def test_where_packets_go(target: str, given: list[str] | None, expected: tuple[str, ...]) -> None:
    assert wake_on_lan._addresses(target, given) == expected


async def test_both_usual_ports_are_used_and_shown(manager: WakeOnLANManager) -> None:
    sent = await manager.send(MAC, "127.0.0.1", repeat=1)
    assert sent.destinations == ("127.0.0.1:9", "127.0.0.1:7")


async def test_packets_go_to_the_sixth_version_too(manager: WakeOnLANManager) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as heard:
        heard.bind(("::1", 0))
        heard.setblocking(False)
        port = heard.getsockname()[1]
        sent = await manager.send(MAC, "::1", ports=[port], source_address="127.0.0.1", repeat=1)
        assert sent.destinations == (f"[::1]:{port}",)
        data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(heard, 200), 5)
    assert data == magic_packet(MAC)


async def test_one_destination_that_fails_is_no_failure(
    nic: LoopbackNic,
    manager: WakeOnLANManager,
    names: dict[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wake_on_lan, "is_loopback", lambda _: False)
    fail_for(monkeypatch, "127.0.0.7", errno.ENETUNREACH)
    sent = await manager.send(
        MAC,
        "127.0.0.1",
        broadcast_addresses=["nobody.invalid", "127.0.0.7", "127.0.0.1"],
        ports=[nic.port],
    )
    assert sent.packets_sent == 3
    assert sent.destinations == (f"127.0.0.1:{nic.port}",)


@pytest.mark.parametrize(
    ("number", "error"),
    [(errno.ENETUNREACH, NetworkUnavailableError), (errno.EHOSTUNREACH, HostConnectionError)],
)
async def test_when_no_packet_leaves_the_reason_is_told(
    number: int,
    error: type[Exception],
    manager: WakeOnLANManager,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fail_for(monkeypatch, "127.0.0.1", number)
    with pytest.raises(error) as failed:
        await manager.send(MAC, "127.0.0.1", repeat=1)
    assert type(failed.value) is error


async def test_a_name_alone_that_does_not_resolve_is_told(
    manager: WakeOnLANManager, names: dict[str, list[str]]
) -> None:
    with pytest.raises(NameNotFoundError):
        await manager.send(MAC, "pve.lan", broadcast_addresses=["nobody.invalid"])


async def test_nowhere_to_send_is_a_failure(manager: WakeOnLANManager) -> None:
    with pytest.raises(HostConnectionError):
        await manager.send(MAC, "127.0.0.1", ports=[])


@pytest.mark.parametrize(
    "text",
    [
        "00:23:7D:FD:C0:5C",
        "00-23-7d-fd-c0-5c",
        "0023.7dfd.c05c",
        "00237DFDC05C",
        " 00:23:7d:fd:c0:5c ",
    ],
)
def test_every_usual_way_to_write_a_mac_is_understood(text: str) -> None:
    assert normalise_mac(text) == "00:23:7d:fd:c0:5c"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00:23:7d:fd:c0",
        "00:23:7d:fd:c0:5g",
        "00:23-7d:fd:c0:5c",
        "00:23:7d:fd:c0:5c:00",
        "00:00:00:00:00:00",
        "FF:FF:FF:FF:FF:FF",
        "00:23:7d:fd:c0:5c/01:02:03:04:05:06",
    ],
)
def test_what_is_no_mac_is_bad_input(text: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        normalise_mac(text)
    assert refused.value.field == "mac_address"


async def test_bad_input_is_named_before_anything_is_sent(
    nic: LoopbackNic, manager: WakeOnLANManager
) -> None:
    async def refused(**options: object) -> str:
        with pytest.raises(InvalidInputError) as error:
            await manager.send(MAC, "127.0.0.1", **options)  # type: ignore[arg-type]
        return error.value.field

    assert await refused(ports=[nic.port, 0]) == "port"
    assert await refused(ports=[nic.port, 65536]) == "port"
    assert await refused(ports=[nic.port], source_address="eth0") == "source_address"
    assert await refused(ports=[nic.port], secure_on="secret") == "secure_on"
    assert nic.packets == []


async def test_no_socket_stays_open(
    manager: WakeOnLANManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[socket.socket] = []
    original = wake_on_lan._Sockets._opened

    def watched(self: wake_on_lan._Sockets, family: socket.AddressFamily) -> socket.socket:
        opened.append(original(self, family))
        return opened[-1]

    monkeypatch.setattr(wake_on_lan._Sockets, "_opened", watched)
    await manager.send(MAC, "127.0.0.1", repeat=1)
    assert [found.fileno() for found in opened] == [-1]


def fail_for(monkeypatch: pytest.MonkeyPatch, address: str, number: int) -> None:
    """Let sending to one address fail as the kernel would."""
    original = wake_on_lan._Sockets.send

    async def send(
        self: wake_on_lan._Sockets, packet: bytes, destination: wake_on_lan._Destination
    ) -> None:
        if destination.address == address:
            raise OSError(number, "made up")
        await original(self, packet, destination)

    monkeypatch.setattr(wake_on_lan._Sockets, "send", send)


@pytest.mark.parametrize(
    ("address", "source", "way"),
    [
        ("127.0.0.1", None, True),
        ("127.255.255.255", None, True),
        ("::1", None, True),
        ("127.0.0.1", "203.0.113.9", False),
        ("attic.lab", None, True),
    ],
)
def test_the_way_of_a_packet_is_known_without_sending_one(
    address: str, source: str | None, way: bool
) -> None:
    assert WakeOnLANManager(LOGGER).has_way(address, source) is way
