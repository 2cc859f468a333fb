"""Tell whether the host answers: ICMP and TCP side by side (seed: module 3)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from logging import Logger
from typing import Any

from icmplib import async_ping
from icmplib.exceptions import ICMPLibError, SocketPermissionError

from .errors import HostTimeoutError, NetworkUnavailableError, ServerManagerError
from .network import has_route, reach_port, resolve
from .result import OperationResult, report

PROXMOX_PORT = 8006
# How long an open port waits for the ping beside it, which only adds the latency.
_PING_GRACE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachability:
    """Hold what one probe saw.

    `ping` is None where pinging is impossible, switched off or was not waited for; `port` is None
    where none is watched. `network` False means that our own network is down and that nothing is
    known about the host. `port_error` says why the port did not answer.
    """

    ping: bool | None
    port: bool | None
    latency_ms: float | None
    network: bool
    port_error: ServerManagerError | None = field(default=None, compare=False)

    @property
    def answers(self) -> bool:
        """Tell whether anything at all answered."""
        return self.ping is True or self.port is True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Echo:
    """Hold the outcome of one ping; `alive` None means that none could be sent."""

    alive: bool | None
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Knock:
    """Hold the outcome of one TCP connection; `opened` None means that none was tried."""

    opened: bool | None
    latency_ms: float | None = None
    error: ServerManagerError | None = None


class ConnectivityChecker:
    """Check whether a host answers."""

    def __init__(
        self, logger: Logger, *, port: int | None = PROXMOX_PORT, ping: bool = True
    ) -> None:
        """Watch TCP `port` (None: none) and, unless `ping` is off, ICMP."""
        self.logger = logger
        self._port = port
        # Ways to ping that may still work: a raw socket first, then the unprivileged one.
        self._ping_ways: tuple[bool, ...] = (True, False) if ping else ()

    async def check_proxmox_connectivity(
        self, target_host: str, timeout_seconds: int = 10
    ) -> OperationResult:
        """Answer in the seed's JSON whether the host can be reached within `timeout_seconds`."""
        return await report(
            "connectivity_check",
            self._check(target_host, timeout_seconds),
            "Proxmox server is reachable",
            target_host=target_host,
        )

    async def probe(self, target_host: str, *, timeout: float) -> Reachability:
        """Look at the host once, in at most `timeout` seconds.

        A host that is down is an answer, not an error. Only a name that does not resolve raises
        (NameNotFoundError).
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        addresses = await resolve(target_host, timeout)
        remaining = max(deadline - loop.time(), 0.01)
        pinging = asyncio.create_task(self._ping(addresses[0], remaining))
        try:
            knock = await self._knock(addresses, remaining)
            await asyncio.wait({pinging}, timeout=_PING_GRACE if knock.opened else remaining)
            echo = pinging.result() if pinging.done() else _Echo(alive=None)
        finally:
            pinging.cancel()
            await asyncio.gather(pinging, return_exceptions=True)
        return _judge(echo, knock, routed=any(map(has_route, addresses)))

    async def _check(self, target_host: str, timeout: float) -> dict[str, Any]:
        """Return the details of a successful check, or raise why there is none."""
        seen = await self.probe(target_host, timeout=timeout)
        if not seen.network:
            raise NetworkUnavailableError("This machine has no network to reach the host by")
        if not seen.answers:
            raise seen.port_error or HostTimeoutError(f"{target_host} does not answer")
        return {
            "response_time": "OK",
            "latency_ms": seen.latency_ms,
            "ping": seen.ping,
            "port": seen.port,
        }

    async def _knock(self, addresses: Sequence[str], timeout: float) -> _Knock:
        """Try the watched port."""
        if self._port is None:
            return _Knock(opened=None)
        try:
            seconds = await reach_port(addresses, self._port, timeout=timeout)
        except ServerManagerError as error:
            return _Knock(opened=False, error=error)
        return _Knock(opened=True, latency_ms=seconds * 1000)

    async def _ping(self, address: str, timeout: float) -> _Echo:
        """Send one echo request by the first way that this process is allowed."""
        for privileged in self._ping_ways:
            try:
                host = await async_ping(address, count=1, timeout=timeout, privileged=privileged)
            except SocketPermissionError:
                self.logger.debug("Not allowed to ping (privileged: %s)", privileged)
                continue
            except ICMPLibError, OSError:
                return _Echo(alive=None)
            self._ping_ways = (privileged,)
            if host.is_alive:
                return _Echo(alive=True, latency_ms=host.avg_rtt)
            return _Echo(alive=False if host.packets_sent else None)
        self._ping_ways = ()
        return _Echo(alive=None)


def _judge(echo: _Echo, knock: _Knock, *, routed: bool) -> Reachability:
    """Put both probes together."""
    latency = knock.latency_ms if echo.latency_ms is None else echo.latency_ms
    stuck = isinstance(knock.error, NetworkUnavailableError) or not routed
    return Reachability(
        ping=echo.alive,
        port=knock.opened,
        latency_ms=None if latency is None else max(round(latency, 1), 0.0),
        network=echo.alive is True or knock.opened is True or not stuck,
        port_error=knock.error,
    )
