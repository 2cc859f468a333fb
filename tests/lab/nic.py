"""The network card of a sleeping machine: it hears magic packets and nothing else."""

import asyncio
from collections.abc import Callable, Sequence
import contextlib
from dataclasses import dataclass
import socket
import struct
import time
from typing import Any, Protocol

SYNC = b"\xff" * 6
_REPEATS = 16
_PATTERN_LENGTH = len(SYNC) + 6 * _REPEATS
_ETHERNET_HEADER = 14
_IPV4, _IPV6, _WAKE_ON_LAN, _UDP = 0x0800, 0x86DD, 0x0842, 17
_ALL_PROTOCOLS = 3
_LARGEST_FRAME = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardPacket:
    """One packet on the wire; `mac` is None if it is no magic packet at all."""

    at: float
    raw: bytes
    source: str
    destination: str
    port: int
    mac: str | None
    secure_on: str | None
    wakes: bool

    def to_dict(self) -> dict[str, Any]:
        """Return it in a form that JSON can hold, the bytes in hex."""
        return {
            "at": self.at,
            "raw": self.raw.hex(),
            "source": self.source,
            "destination": self.destination,
            "port": self.port,
            "mac": self.mac,
            "secure_on": self.secure_on,
            "wakes": self.wakes,
        }


class Nic(Protocol):
    """What the sleeping host needs of its network card."""

    packets: list[HeardPacket]

    async def open(self) -> None:
        """Begin to listen."""

    def close(self) -> None:
        """Stop listening."""

    def forget(self) -> None:
        """Fall asleep: what was heard before does not wake any more."""

    async def woken(self) -> HeardPacket:
        """Wait for a packet that wakes this machine."""


def magic_target(data: bytes) -> tuple[str, str | None] | None:
    """Return MAC and SecureOn password of the magic packet within some bytes, if any."""
    start = data.find(SYNC)
    while start >= 0:
        mac = data[start + 6 : start + 12]
        if data[start : start + _PATTERN_LENGTH] == SYNC + mac * _REPEATS:
            password = data[start + _PATTERN_LENGTH : start + _PATTERN_LENGTH + 6]
            return mac.hex(":"), password.hex(":") if len(password) == len(SYNC) else None
        start = data.find(SYNC, start + 1)
    return None


def send_magic_packet(mac: str, address: str, port: int, secure_on: str = "") -> None:
    """Send one magic packet, for tests of the lab and for the node that wakes its peer."""
    data = SYNC + bytes.fromhex(mac.replace(":", "")) * _REPEATS
    data += bytes.fromhex(secure_on.replace(":", ""))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sender.sendto(data, (address, port))


class _Ears:
    """What both kinds of card have in common: judging and remembering packets."""

    def __init__(self, mac: str, secure_on: str | None = None) -> None:
        self.mac = mac.lower()
        self.secure_on = secure_on.lower() if secure_on else None
        self.packets: list[HeardPacket] = []
        self._wake = asyncio.Event()
        self._last: HeardPacket | None = None

    def forget(self) -> None:
        """Fall asleep: what was heard before does not wake any more."""
        self._wake.clear()

    async def woken(self) -> HeardPacket:
        """Wait for a packet that wakes this machine."""
        await self._wake.wait()
        assert self._last is not None
        return self._last

    def _hear(self, raw: bytes, source: str, destination: str, port: int) -> None:
        mac, password = magic_target(raw) or (None, None)
        wakes = mac == self.mac and self.secure_on in (None, password)
        packet = HeardPacket(
            at=time.time(),
            raw=raw,
            source=source,
            destination=destination,
            port=port,
            mac=mac,
            secure_on=password,
            wakes=wakes,
        )
        self.packets.append(packet)
        if wakes:
            self._last = packet
            self._wake.set()


class LoopbackNic(_Ears):
    """A card that hears UDP on given loopback addresses; port 0 takes a free one."""

    def __init__(
        self,
        mac: str,
        addresses: Sequence[tuple[str, int]] = (("127.0.0.2", 0),),
        *,
        secure_on: str | None = None,
    ) -> None:
        """Prepare a card that is not listening yet."""
        super().__init__(mac, secure_on)
        self.addresses = list(addresses)
        self._transports: list[asyncio.DatagramTransport] = []

    @property
    def port(self) -> int:
        """The port of the first address."""
        return self.addresses[0][1]

    async def open(self) -> None:
        """Begin to listen."""
        for index, address in enumerate(self.addresses):
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _Datagrams(self._hear), local_addr=address
            )
            self.addresses[index] = transport.get_extra_info("sockname")[:2]
            self._transports.append(transport)

    def close(self) -> None:
        """Stop listening."""
        while self._transports:
            self._transports.pop().close()


class _Datagrams(asyncio.DatagramProtocol):
    """Hands every datagram on with both of its ends."""

    def __init__(self, hear: Callable[[bytes, str, str, int], None]) -> None:
        self._hear = hear

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the address that this socket is bound to."""
        self._local = transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Hand the datagram on."""
        self._hear(data, str(addr[0]), str(self._local[0]), int(self._local[1]))


class EthernetNic(_Ears):
    """A card that hears raw frames on an interface, in a network namespace of our own."""

    def __init__(self, mac: str, interface: str, *, secure_on: str | None = None) -> None:
        """Prepare a card that is not listening yet; opening it needs root in the namespace."""
        super().__init__(mac, secure_on)
        self._interface = interface
        self._socket: socket.socket | None = None

    async def open(self) -> None:
        """Begin to listen."""
        self._socket = socket.socket(
            socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS)
        )
        self._socket.bind((self._interface, 0))
        self._socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def close(self) -> None:
        """Stop listening."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _read(self) -> None:
        assert self._socket is not None
        with contextlib.suppress(BlockingIOError, OSError):
            frame, origin = self._socket.recvfrom(_LARGEST_FRAME)
            if origin[2] != socket.PACKET_OUTGOING and SYNC in frame:
                self._hear(*_dissect(frame))


def _dissect(frame: bytes) -> tuple[bytes, str, str, int]:
    """Return payload, source, destination and port of a frame; port 0 if it is not UDP."""
    kind = struct.unpack_from("!H", frame, 12)[0]
    body = frame[_ETHERNET_HEADER:]
    if kind == _IPV4 and body[9] == _UDP:
        header = (body[0] & 0x0F) * 4
        source, destination = socket.inet_ntoa(body[12:16]), socket.inet_ntoa(body[16:20])
        return body[header + 8 :], source, destination, _udp_port(body[header:])
    if kind == _IPV6 and body[6] == _UDP:
        source = socket.inet_ntop(socket.AF_INET6, body[8:24])
        destination = socket.inet_ntop(socket.AF_INET6, body[24:40])
        return body[48:], source, destination, _udp_port(body[40:])
    source, destination = frame[6:12].hex(":"), frame[:6].hex(":")
    return body if kind == _WAKE_ON_LAN else frame, source, destination, 0


def _udp_port(datagram: bytes) -> int:
    return int(struct.unpack_from("!H", datagram, 2)[0])
