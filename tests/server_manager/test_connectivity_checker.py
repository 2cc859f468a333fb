"""Looking at a host: real ports and, where this machine may, real pings on loopback."""

import asyncio
import errno
import socket

from icmplib import Host
from icmplib.exceptions import ICMPSocketError, SocketPermissionError
import pytest

from custom_components.cubeguardian.server_manager import (
    ConnectivityChecker,
    HostConnectionError,
    HostTimeoutError,
    NameNotFoundError,
    NetworkUnavailableError,
    PortClosedError,
    Reachability,
    connectivity_checker,
    network,
)

from .conftest import LOGGER, closed_port


class Pings:
    """A stand-in for icmplib where the kernel would have to be set up differently."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[bool] = []
        self.forbidden: set[bool] = set()
        self.error: Exception | None = None
        self.sent = 1
        self.round_trips: list[float] = [0.5]
        self.delay = 0.0
        monkeypatch.setattr(connectivity_checker, "async_ping", self.ping)

    async def ping(self, address: str, *, count: int, timeout: float, privileged: bool) -> Host:
        self.asked.append(privileged)
        if privileged in self.forbidden:
            raise SocketPermissionError(privileged)
        if self.error:
            raise self.error
        await asyncio.sleep(min(self.delay, timeout))
        return Host(address, self.sent, self.round_trips)


@pytest.fixture
def pings(monkeypatch: pytest.MonkeyPatch) -> Pings:
    return Pings(monkeypatch)


async def listening() -> tuple[asyncio.Server, int]:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def test_an_open_port_answers(pings: Pings) -> None:
    server, port = await listening()
    async with server:
        seen = await ConnectivityChecker(LOGGER, port=port).probe("127.0.0.1", timeout=2)
    assert seen == Reachability(ping=True, port=True, latency_ms=0.5, network=True)
    assert seen.answers


async def test_an_open_port_waits_only_a_moment_for_the_ping(pings: Pings) -> None:
    pings.delay = 10
    server, port = await listening()
    async with server:
        started = asyncio.get_running_loop().time()
        seen = await ConnectivityChecker(LOGGER, port=port).probe("127.0.0.1", timeout=5)
        assert asyncio.get_running_loop().time() - started < 1
    assert (seen.ping, seen.port, seen.answers) == (None, True, True)
    assert seen.latency_ms is not None


async def test_a_closed_port_behind_a_ping_is_a_booting_host(pings: Pings) -> None:
    seen = await ConnectivityChecker(LOGGER, port=closed_port()).probe("127.0.0.1", timeout=2)
    assert (seen.ping, seen.port, seen.answers, seen.network) == (True, False, True, True)
    assert isinstance(seen.port_error, HostConnectionError)


async def test_silence_is_an_answer(pings: Pings) -> None:
    pings.round_trips = []
    seen = await ConnectivityChecker(LOGGER, port=closed_port()).probe("127.0.0.1", timeout=2)
    assert seen == Reachability(ping=False, port=False, latency_ms=None, network=True)
    assert not seen.answers


async def test_pinging_may_be_switched_off(pings: Pings) -> None:
    seen = await ConnectivityChecker(LOGGER, port=None, ping=False).probe("127.0.0.1", timeout=1)
    assert seen == Reachability(ping=None, port=None, latency_ms=None, network=True)
    assert pings.asked == []


async def test_the_way_to_ping_that_works_is_remembered(pings: Pings) -> None:
    pings.forbidden = {True}
    checker = ConnectivityChecker(LOGGER, port=None)
    for _ in range(2):
        assert (await checker.probe("127.0.0.1", timeout=1)).ping is True
    assert pings.asked == [True, False, False]


async def test_a_ping_that_is_not_allowed_is_unknown_and_not_tried_again(pings: Pings) -> None:
    pings.forbidden = {True, False}
    checker = ConnectivityChecker(LOGGER, port=None)
    for _ in range(2):
        assert (await checker.probe("127.0.0.1", timeout=1)).ping is None
    assert pings.asked == [True, False]


async def test_a_ping_that_could_not_be_sent_is_unknown(pings: Pings) -> None:
    pings.sent, pings.round_trips = 0, []
    checker = ConnectivityChecker(LOGGER, port=None)
    assert (await checker.probe("127.0.0.1", timeout=1)).ping is None
    pings.error = ICMPSocketError("address family not supported")
    assert (await checker.probe("127.0.0.1", timeout=1)).ping is None


async def test_without_a_network_of_our_own_nothing_is_known(
    pings: Pings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable(*_: object) -> None:
        raise OSError(errno.ENETUNREACH, "made up")

    pings.sent, pings.round_trips = 0, []
    monkeypatch.setattr(network, "_connect", unreachable)
    checker = ConnectivityChecker(LOGGER, port=8006)
    seen = await checker.probe("127.0.0.1", timeout=1)
    assert (seen.ping, seen.port, seen.network) == (None, False, False)
    result = await checker.check_proxmox_connectivity("127.0.0.1", 1)
    assert (result["success"], result["error"]) == (False, "connection_error")
    assert "no network" in result["message"]


async def test_without_a_route_nothing_is_known_even_if_only_pings_are_used(
    pings: Pings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unrouted(socket.socket):
        def connect(self, address: object) -> None:
            raise OSError(errno.ENETUNREACH, "made up")

    assert network.has_route("127.0.0.1")
    assert network.has_route("::1")
    pings.sent, pings.round_trips = 0, []
    monkeypatch.setattr(socket, "socket", Unrouted)
    seen = await ConnectivityChecker(LOGGER, port=None).probe("127.0.0.1", timeout=1)
    assert seen == Reachability(ping=None, port=None, latency_ms=None, network=False)


async def test_a_filtered_port_costs_no_more_than_the_time_allowed(
    pings: Pings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(*_: object) -> None:
        await asyncio.sleep(30)

    pings.delay, pings.round_trips = 30, []
    monkeypatch.setattr(network, "_connect", silent)
    started = asyncio.get_running_loop().time()
    seen = await ConnectivityChecker(LOGGER, port=1).probe("127.0.0.1", timeout=0.3)
    assert 0.25 < asyncio.get_running_loop().time() - started < 0.9
    assert isinstance(seen.port_error, HostTimeoutError)
    assert not seen.answers


async def test_being_cancelled_ends_both_probes(
    pings: Pings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = []

    async def silent(*_: object) -> None:
        try:
            await asyncio.sleep(30)
        finally:
            ended.append("port")

    async def endless(*_: object, **__: object) -> Host:
        try:
            await asyncio.sleep(30)
        finally:
            ended.append("ping")
        raise AssertionError

    monkeypatch.setattr(network, "_connect", silent)
    monkeypatch.setattr(connectivity_checker, "async_ping", endless)
    probing = asyncio.create_task(ConnectivityChecker(LOGGER).probe("127.0.0.1", timeout=30))
    await asyncio.sleep(0.05)
    probing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probing
    assert sorted(ended) == ["ping", "port"]


@pytest.mark.parametrize("name", ["", "nobody.invalid", "bad..name"])
async def test_a_name_that_is_none_is_told(
    pings: Pings, names: dict[str, list[str]], name: str
) -> None:
    with pytest.raises(NameNotFoundError):
        await ConnectivityChecker(LOGGER).probe(name, timeout=1)


async def test_all_addresses_of_a_name_are_tried(pings: Pings, names: dict[str, list[str]]) -> None:
    names["pve.lan"] = ["::1", "127.0.0.1", "127.0.0.1"]
    server, port = await listening()
    async with server:
        seen = await ConnectivityChecker(LOGGER, port=port).probe("pve.lan", timeout=2)
    assert seen.port is True


async def test_name_servers_that_do_not_answer_leave_the_host_unknown(
    pings: Pings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object, **__: object) -> None:
        await asyncio.sleep(30)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", never)
    with pytest.raises(NameNotFoundError):
        await ConnectivityChecker(LOGGER).probe("pve.lan", timeout=0.1)


async def test_of_several_failures_the_one_about_the_host_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refuse(address: str, _: int) -> None:
        raise OSError(errno.ENETUNREACH if ":" in address else errno.ECONNREFUSED, "made up")

    monkeypatch.setattr(network, "_connect", refuse)
    with pytest.raises(HostConnectionError, match="ECONNREFUSED"):
        await network.reach_port(["fd00::1", "127.0.0.1"], 1, timeout=2)
    with pytest.raises(NetworkUnavailableError):
        await network.reach_port(["fd00::1"], 1, timeout=2)


async def test_a_port_is_closed_only_if_every_address_refuses_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed = {"127.0.0.1"}

    async def answer(address: str, port: int) -> None:
        raise OSError(errno.ECONNREFUSED if address in closed else errno.EHOSTUNREACH, "made up")

    monkeypatch.setattr(network, "_connect", answer)
    with pytest.raises(HostConnectionError, match="EHOSTUNREACH") as unclear:
        await network.reach_port(["127.0.0.1", "fd00::1"], 1, timeout=2)
    assert not isinstance(unclear.value, PortClosedError)
    closed.add("fd00::1")
    with pytest.raises(PortClosedError):
        await network.reach_port(["127.0.0.1", "fd00::1"], 1, timeout=2)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (socket.gaierror(-2, "unknown"), NameNotFoundError),
        (OSError(errno.ETIMEDOUT, "slow"), HostTimeoutError),
        (OSError(errno.ENETDOWN, "down"), NetworkUnavailableError),
        (OSError(errno.EMFILE, "too many files"), NetworkUnavailableError),
        (OSError(errno.EHOSTUNREACH, "no host"), HostConnectionError),
        (OSError(errno.ECONNREFUSED, "closed"), PortClosedError),
        (OSError("no number at all"), HostConnectionError),
    ],
)
def test_an_operating_system_error_says_whose_fault_it_is(
    error: OSError, expected: type[Exception]
) -> None:
    assert type(network.from_os_error(error, "pve")) is expected


async def test_a_check_that_fails_says_why(pings: Pings) -> None:
    pings.round_trips = []
    closed = ConnectivityChecker(LOGGER, port=closed_port())
    assert (await closed.check_proxmox_connectivity("127.0.0.1", 1))["error"] == "connection_error"
    silent = ConnectivityChecker(LOGGER, port=None)
    assert (await silent.check_proxmox_connectivity("127.0.0.1", 1))["error"] == "timeout_error"


@pytest.mark.needs_root
@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.77", "::1"])
async def test_a_real_ping_answers_with_its_round_trip(address: str) -> None:
    seen = await ConnectivityChecker(LOGGER, port=None).probe(address, timeout=2)
    assert seen.ping is True
    assert seen.latency_ms is not None
    assert seen.latency_ms < 1000
