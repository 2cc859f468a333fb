"""Wake a sleeping host with a magic packet (seed: module 1)."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_network
from logging import Logger
import re
import socket
from typing import Any

from wakeonlan import create_magic_packet

from .errors import (
    HostConnectionError,
    InvalidInputError,
    NameNotFoundError,
    ServerManagerError,
)
from .network import from_os_error, is_loopback, literal, resolve
from .result import OperationResult, report

LIMITED_BROADCAST = "255.255.255.255"
# Discard and echo: a sleeping card does not look at the port, a firewall on the way may.
DEFAULT_PORTS = (9, 7)
_BURST_PAUSE = 0.1
_RESOLVE_TIMEOUT = 5.0
_SIX_BYTES = re.compile(
    r"[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}|[0-9a-f]{12}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeReport:
    """Hold what was sent: bursts that left, and where each of them went ("address:port")."""

    packets_sent: int
    destinations: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Destination:
    """Hold one address and port to send to."""

    address: str
    port: int

    def __str__(self) -> str:
        """Write the destination as people do."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}:{self.port}"


def normalise_mac(text: str) -> str:
    """Return a MAC address as "aa:bb:cc:dd:ee:ff"; raise InvalidInputError if it is none.

    Accepts what the seed and common tools write: colons, dashes, dotted groups of four, or nothing
    between the digits.
    """
    digits = _hex_digits(text, "mac_address")
    if digits in {"0" * 12, "f" * 12}:
        raise InvalidInputError("This MAC address cannot be a network card's", field="mac_address")
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


class WakeOnLANManager:
    """Send magic packets."""

    def __init__(self, logger: Logger) -> None:
        """Log to `logger`."""
        self.logger = logger

    async def wake_server(
        self,
        mac_address: str,
        target_host: str,
        *,
        broadcast_addresses: Sequence[str] | None = None,
        ports: Sequence[int] = DEFAULT_PORTS,
        source_address: str | None = None,
        secure_on: str | None = None,
        repeat: int = 3,
    ) -> OperationResult:
        """Send the packet and answer in the seed's JSON; see `send`."""

        async def send() -> Mapping[str, Any]:
            sent = await self.send(
                mac_address,
                target_host,
                broadcast_addresses=broadcast_addresses,
                ports=ports,
                source_address=source_address,
                secure_on=secure_on,
                repeat=repeat,
            )
            return {"packets_sent": sent.packets_sent, "destinations": list(sent.destinations)}

        return await report(
            "wake_on_lan",
            send(),
            "Magic packet sent",
            mac_address=mac_address,
            target_host=target_host,
        )

    async def send(
        self,
        mac_address: str,
        target_host: str,
        *,
        broadcast_addresses: Sequence[str] | None = None,
        ports: Sequence[int] = DEFAULT_PORTS,
        source_address: str | None = None,
        secure_on: str | None = None,
        repeat: int = 3,
    ) -> WakeReport:
        """Send `repeat` bursts, 100 ms apart, each to every address and port.

        Without `broadcast_addresses` they go to the limited broadcast and to the directed one of
        the target's /24. A target on loopback only ever gets packets on loopback. One destination
        that fails is no failure. Raises InvalidInputError, NetworkUnavailableError or
        HostConnectionError. That a packet left does not mean that it arrived.
        """
        packet = magic_packet(mac_address, secure_on)
        addresses = await _resolved(_addresses(target_host, broadcast_addresses))
        destinations = [
            _Destination(address=address, port=_checked_port(port))
            for address in addresses
            for port in ports
        ]
        with _Sockets(source_address) as sockets:
            return await self._send_bursts(packet, destinations, sockets, repeat)

    def has_way(self, address: str, source_address: str | None = None) -> bool:
        """Tell whether a packet to this IP address would leave this machine; none is sent."""
        if literal(address) is None:
            return True
        with _Sockets(source_address) as sockets:
            return sockets.has_way(address)

    async def _send_bursts(
        self, packet: bytes, destinations: Sequence[_Destination], sockets: _Sockets, repeat: int
    ) -> WakeReport:
        """Send the bursts; count those of which at least one packet left."""
        bursts = 0
        reached: dict[str, None] = {}
        failure: ServerManagerError = HostConnectionError("There is nowhere to send the packet to")
        for burst in range(repeat):
            if burst:
                await asyncio.sleep(_BURST_PAUSE)
            left = False
            for destination in destinations:
                try:
                    await sockets.send(packet, destination)
                except OSError as error:
                    failure = from_os_error(error, str(destination))
                    self.logger.debug("No magic packet to %s: %s", destination, failure)
                else:
                    left = True
                    reached[str(destination)] = None
            bursts += left
        if not bursts:
            raise failure
        return WakeReport(packets_sent=bursts, destinations=tuple(reached))


class _Sockets:
    """Own one UDP socket for each address family while a packet is sent."""

    def __init__(self, source_address: str | None) -> None:
        """Send from `source_address` where the family is the same."""
        self._source = source_address or None
        if self._source is not None and literal(self._source) is None:
            raise InvalidInputError("The source is not an IP address", field="source_address")
        self._open: dict[socket.AddressFamily, socket.socket] = {}

    def __enter__(self) -> _Sockets:
        """Open nothing yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close what was opened."""
        for opened in self._open.values():
            opened.close()

    async def send(self, packet: bytes, destination: _Destination) -> None:
        """Send one datagram without blocking the loop; raise OSError if it cannot leave."""
        family = _family(destination.address)
        if family not in self._open:
            self._open[family] = self._opened(family)
        await asyncio.get_running_loop().sock_sendto(
            self._open[family], packet, (destination.address, destination.port)
        )

    def has_way(self, address: str) -> bool:
        """Tell whether the system would take a datagram to this address."""
        try:
            with self._opened(_family(address)) as opened:
                opened.connect((address, DEFAULT_PORTS[0]))
        except OSError:
            return False
        return True

    def _opened(self, family: socket.AddressFamily) -> socket.socket:
        """Return a new socket that may broadcast."""
        opened = socket.socket(family, socket.SOCK_DGRAM)
        try:
            opened.setblocking(False)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            if self._source is not None and _family(self._source) is family:
                opened.bind((self._source, 0))
        except OSError:
            opened.close()
            raise
        return opened


def magic_packet(mac_address: str, secure_on: str | None = None) -> bytes:
    """Return 6 x FF and 16 x the MAC (102 bytes), with a SecureOn password 6 bytes more."""
    # wakeonlan only knows passwords since 3.2.
    password = bytes.fromhex(_hex_digits(secure_on, "secure_on")) if secure_on else b""
    return create_magic_packet(normalise_mac(mac_address)) + password


def _hex_digits(text: str, field: str) -> str:
    """Return the twelve hexadecimal digits of six bytes; the text itself may be a password."""
    if not _SIX_BYTES.fullmatch(text.strip().lower()):
        raise InvalidInputError("Not six bytes in hexadecimal, like 00:23:7d:fd:c0:5c", field=field)
    return re.sub(r"[^0-9a-f]", "", text.lower())


def _addresses(target_host: str, broadcast_addresses: Sequence[str] | None) -> tuple[str, ...]:
    """Return where to send: what was given, else both broadcasts."""
    if is_loopback(target_host):
        given = tuple(address for address in broadcast_addresses or () if is_loopback(address))
        return given or (target_host,)
    if broadcast_addresses:
        return tuple(broadcast_addresses)
    address = literal(target_host)
    if not isinstance(address, IPv4Address):
        return (LIMITED_BROADCAST,)
    network = ip_network(f"{address}/24", strict=False)
    return (LIMITED_BROADCAST, str(network.broadcast_address))


async def _resolved(addresses: Sequence[str]) -> tuple[str, ...]:
    """Return IP addresses for what may be names; raise NameNotFoundError if none resolves."""
    found: dict[str, None] = {}
    failure: NameNotFoundError | None = None
    for address in addresses:
        try:
            found[(await resolve(address, _RESOLVE_TIMEOUT))[0]] = None
        except NameNotFoundError as error:
            failure = error
    if failure is not None and not found:
        raise failure
    return tuple(found)


def _checked_port(port: int) -> int:
    """Return a port that exists."""
    if not 0 < port < 65536:
        raise InvalidInputError("A port is a number from 1 to 65535", field="port")
    return port


def _family(address: str) -> socket.AddressFamily:
    """Return the family of an IP address."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET
