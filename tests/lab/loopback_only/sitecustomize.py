"""Keeps the Python process that finds this on its path within loopback.

Put on PYTHONPATH for the lab's Home Assistant: a socket bound to every address is bound to loopback
instead, and whatever would go further fails as it does on a machine without a network.
"""

import errno
import ipaddress
import os
import socket
from typing import Any

type Address = Any

_EVERY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}

_bind, _connect, _connect_ex = socket.socket.bind, socket.socket.connect, socket.socket.connect_ex
_sendto = socket.socket.sendto


def _is_within(own: socket.socket, address: Address) -> bool:
    if own.family not in (socket.AF_INET, socket.AF_INET6) or not isinstance(address, tuple):
        return True
    try:
        found = ipaddress.ip_address(str(address[0]).partition("%")[0])
    except ValueError:
        return bool(address[0] == "localhost")
    return bool(found.is_loopback)


def _refusal() -> OSError:
    return OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))


def bind(own: socket.socket, address: Address) -> None:
    """Bind on loopback."""
    if isinstance(address, tuple) and address[0] in _EVERY and own.family != socket.AF_UNIX:
        here = "::1" if own.family == socket.AF_INET6 else _EVERY[address[0]]
        address = (here, *address[1:])
    if not _is_within(own, address):
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    _bind(own, address)


def connect(own: socket.socket, address: Address) -> None:
    """Connect within loopback."""
    if not _is_within(own, address):
        raise _refusal()
    _connect(own, address)


def connect_ex(own: socket.socket, address: Address) -> int:
    """Connect within loopback."""
    return _connect_ex(own, address) if _is_within(own, address) else errno.ENETUNREACH


def sendto(own: socket.socket, data: bytes, *rest: Any) -> int:
    """Send within loopback."""
    if not _is_within(own, rest[-1]):
        raise _refusal()
    return int(_sendto(own, data, *rest))


for _name, _guarded in (
    ("bind", bind),
    ("connect", connect),
    ("connect_ex", connect_ex),
    ("sendto", sendto),
):
    setattr(socket.socket, _name, _guarded)
