"""Resolve names, try ports, and tell whose fault a failure is."""

import asyncio
from collections.abc import Sequence
import errno
from ipaddress import IPv4Address, IPv6Address, ip_address
import socket

from .errors import (
    HostConnectionError,
    HostTimeoutError,
    NameNotFoundError,
    NetworkUnavailableError,
    PortClosedError,
    ServerManagerError,
)

# What keeps a packet from ever leaving this machine says nothing about the other one.
_OWN_SIDE = frozenset(
    {
        errno.EACCES,
        errno.EADDRNOTAVAIL,
        errno.EAFNOSUPPORT,
        errno.EMFILE,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
        errno.EPERM,
    }
)
_MOST_ADDRESSES = 4


def literal(host: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address that `host` spells, or None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Tell whether `host` is this machine itself."""
    address = literal(host)
    if address is None:
        return host.lower().rstrip(".") == "localhost"
    return address.is_loopback


def from_os_error(error: OSError, where: str) -> ServerManagerError:
    """Return the typed error for a failed connection to `where`."""
    if isinstance(error, socket.gaierror):
        return NameNotFoundError(f"{where} does not resolve")
    if isinstance(error, TimeoutError):
        return HostTimeoutError(f"{where} does not answer")
    reason = errno.errorcode.get(error.errno or 0, type(error).__name__)
    if error.errno in _OWN_SIDE:
        return NetworkUnavailableError(f"This machine cannot send to {where} ({reason})")
    kind = PortClosedError if error.errno == errno.ECONNREFUSED else HostConnectionError
    return kind(f"{where} cannot be reached ({reason})")


async def resolve(host: str, timeout: float) -> tuple[str, ...]:
    """Return the addresses of `host` within `timeout` seconds; an IP address asks nobody.

    Raises NameNotFoundError, also where the name servers do not answer: either way nothing is
    known about the host itself.
    """
    if literal(host) is not None:
        return (host,)
    if not host:
        raise NameNotFoundError("There is no host name")
    try:
        async with asyncio.timeout(timeout):
            found = await asyncio.get_running_loop().getaddrinfo(
                host, None, type=socket.SOCK_STREAM
            )
    except (OSError, ValueError) as error:
        raise NameNotFoundError(f"{host} does not resolve") from error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))[:_MOST_ADDRESSES]


def has_route(address: str) -> bool:
    """Tell whether this machine knows a way to `address`, without sending anything."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
    except OSError as error:
        return error.errno not in _OWN_SIDE
    return True


async def reach_port(addresses: Sequence[str], port: int, *, timeout: float) -> float:
    """Return the seconds until one of `addresses` accepted a TCP connection on `port`.

    All are tried side by side. Raises HostConnectionError, NetworkUnavailableError or
    HostTimeoutError.
    """
    started = asyncio.get_running_loop().time()
    attempts = [asyncio.create_task(_connect(address, port)) for address in addresses]
    failures: list[ServerManagerError] = []
    try:
        async with asyncio.timeout(timeout):
            async for attempt in asyncio.as_completed(attempts):
                try:
                    await attempt
                except OSError as error:
                    failures.append(from_os_error(error, f"{addresses[0]}:{port}"))
                else:
                    return asyncio.get_running_loop().time() - started
    except TimeoutError:
        raise HostTimeoutError(f"{addresses[0]}:{port} does not answer") from None
    finally:
        for attempt in attempts:
            attempt.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)
    raise _most_telling(failures)


async def _connect(address: str, port: int) -> None:
    """Open a connection and close it."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, address, port)
    transport.close()


def _most_telling(failures: Sequence[ServerManagerError]) -> ServerManagerError:
    """Return the failure that counts for all addresses.

    An address family that we lack says nothing, and a port is closed only if all refuse it.
    """
    telling = [one for one in failures if not isinstance(one, NetworkUnavailableError)] or failures
    return next((one for one in telling if not isinstance(one, PortClosedError)), telling[0])
