"""What loopback cannot show: packets that vanish, hosts without ARP answer, a pulled cable."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
import os
import socket
from typing import Any

import pytest
import pytest_socket

from custom_components.cubeguardian.server_manager import (
    ConnectivityChecker,
    HostTimeoutError,
    MinecraftChecker,
    NetworkUnavailableError,
    WakeOnLANManager,
    magic_packet,
)
from tests.lab.namespaces import HOST_ADDRESS, HOST_INTERFACE, PREFIX, TwoNamespaces

from .conftest import LOGGER, MAC

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_namespaces]

ALL_FRAMES = socket.htons(3)


@pytest.fixture
def wire(loopback: None) -> Iterator[TwoNamespaces]:
    pytest_socket.socket_allow_hosts(["127.0.0.0/8", "10.77.0.0/24", "255.255.255.255"])
    with TwoNamespaces() as both:
        yield both


def at_home[ResultT](
    wire: TwoNamespaces, work: Callable[[], Coroutine[Any, Any, ResultT]]
) -> ResultT:
    """Run `work` in a loop of its own, in a thread that lives in the home namespace."""

    def inside() -> ResultT:
        handle = os.open(f"/proc/{wire.home.pid}/ns/net", os.O_RDONLY)
        try:
            os.setns(handle, os.CLONE_NEWNET)
        finally:
            os.close(handle)
        return asyncio.run(work())

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(inside).result()


def wake_up(wire: TwoNamespaces) -> None:
    """Give the host its address, as booting does."""
    address = f"{HOST_ADDRESS}/{PREFIX}"
    wire.host.run("ip", "addr", "add", address, "brd", "+", "dev", HOST_INTERFACE)


def test_a_host_that_is_up_answers_pings_and_refuses_the_port(wire: TwoNamespaces) -> None:
    wake_up(wire)
    seen = at_home(wire, lambda: ConnectivityChecker(LOGGER).probe(HOST_ADDRESS, timeout=2))
    assert (seen.ping, seen.port, seen.network) == (True, False, True)


@pytest.mark.parametrize("vanishing", [False, True], ids=["no ARP answer", "packets vanish"])
def test_a_sleeping_host_is_down_within_the_time(wire: TwoNamespaces, vanishing: bool) -> None:
    if vanishing:
        wire.vanish(HOST_ADDRESS)

    async def look() -> tuple[bool, float]:
        started = asyncio.get_running_loop().time()
        seen = await ConnectivityChecker(LOGGER).probe(HOST_ADDRESS, timeout=1)
        assert (seen.ping, seen.port, seen.network) == (False, False, True)
        return seen.answers, asyncio.get_running_loop().time() - started

    answers, seconds = at_home(wire, look)
    assert not answers
    assert seconds < 1.5


@pytest.mark.parametrize("port", [8006, None])
def test_without_a_cable_of_our_own_nothing_is_known(wire: TwoNamespaces, port: int | None) -> None:
    wire.unplug()
    checker = ConnectivityChecker(LOGGER, port=port)
    seen = at_home(wire, lambda: checker.probe(HOST_ADDRESS, timeout=1))
    assert (seen.ping, seen.answers, seen.network) == (None, False, False)


def test_without_a_cable_of_our_own_nothing_is_sent(wire: TwoNamespaces) -> None:
    wire.unplug()
    with pytest.raises(NetworkUnavailableError):
        at_home(wire, lambda: MinecraftChecker(LOGGER).status(HOST_ADDRESS, timeout=1))
    with pytest.raises(NetworkUnavailableError):
        at_home(wire, lambda: WakeOnLANManager(LOGGER).send(MAC, HOST_ADDRESS, repeat=1))


def test_a_filtered_minecraft_port_is_neither_open_nor_closed(wire: TwoNamespaces) -> None:
    wire.vanish(HOST_ADDRESS)
    with pytest.raises(HostTimeoutError) as silent:
        at_home(wire, lambda: MinecraftChecker(LOGGER).status(HOST_ADDRESS, timeout=1))
    assert silent.value.port_open is None


def test_both_broadcasts_reach_a_card_without_an_address(wire: TwoNamespaces) -> None:
    with wire.host.open_socket(socket.AF_PACKET, socket.SOCK_RAW, ALL_FRAMES) as card:
        card.bind((HOST_INTERFACE, 0))
        card.settimeout(2)
        sent = at_home(wire, lambda: WakeOnLANManager(LOGGER).send(MAC, HOST_ADDRESS, repeat=1))
        assert sent.destinations == (
            "255.255.255.255:9",
            "255.255.255.255:7",
            "10.77.0.255:9",
            "10.77.0.255:7",
        )
        heard: set[str] = set()
        while len(heard) < 4:
            frame = card.recv(2048)
            if magic_packet(MAC) in frame:
                port = int.from_bytes(frame[36:38])
                heard.add(f"{socket.inet_ntoa(frame[30:34])}:{port}")
    assert heard == set(sent.destinations)
