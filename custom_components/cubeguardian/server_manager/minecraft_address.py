"""Understand a Minecraft address as players type it, and find where it leads."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
import re

from mcstatus import JavaServer

from .errors import InvalidInputError
from .network import literal

# One label of a host name; Docker's names have underscores.
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)


class Edition(StrEnum):
    """Name the two kinds of Minecraft, which speak different protocols."""

    JAVA = "java"
    BEDROCK = "bedrock"

    @property
    def default_port(self) -> int:
        """Return the port where the address names none."""
        return 25565 if self is Edition.JAVA else 19132


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Hold a host and the port; None leaves the port to an SRV record."""

    host: str
    port: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Hold where to connect; `guessed` where nobody could say which port it is."""

    host: str
    port: int
    guessed: bool = False

    def __str__(self) -> str:
        """Write the endpoint as people do."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str, edition: Edition = Edition.JAVA) -> Address:
    """Split "host", "host:port" or "[v6]:port"; raise InvalidInputError(field="address").

    Where no SRV record can exist (an IP address, this machine, Bedrock), the edition's own port
    is filled in.
    """
    host, port = _split(text.strip())
    recordless = edition is Edition.BEDROCK or literal(host) is not None
    if port is None and (recordless or host.lower() == "localhost"):
        port = edition.default_port
    if literal(host) is not None:
        return Address(host=host, port=port)
    try:
        name = host.rstrip(".").encode("idna").decode()
    except UnicodeError:
        raise _invalid() from None
    labels = name.split(".")
    numeric = labels[-1].isdecimal()
    if numeric or len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _invalid()
    return Address(host=name, port=port)


async def look_up(address: Address, timeout: float) -> Endpoint:
    """Return where `address` leads: its own port, else what its SRV record says.

    Without a record, or without an answer within `timeout` seconds, it is Java's usual port.
    """
    if address.port is not None:
        return Endpoint(host=address.host, port=address.port)
    await asyncio.to_thread(_load_resolver)
    try:
        async with asyncio.timeout(timeout):
            found = await JavaServer.async_lookup(address.host, timeout=timeout)
    except Exception:  # dnspython has dozens of ways to say that nobody answers
        return Endpoint(host=address.host, port=Edition.JAVA.default_port, guessed=True)
    return Endpoint(host=found.address.host, port=found.address.port)


def _load_resolver() -> None:
    """Read what dnspython would otherwise read inside the event loop."""
    import_module("dns.asyncbackend").get_backend("asyncio")
    import_module("dns.rdata").load_all_types()
    try:
        import_module("dns.asyncresolver").get_default_resolver()
    except import_module("dns.resolver").NoResolverConfiguration:
        return


def _split(text: str) -> tuple[str, int | None]:
    """Split off the port."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or ":" not in host or (rest and not rest.startswith(":")):
            raise _invalid()
        return host, _port(rest[1:]) if rest else None
    host, colon, port = text.partition(":")
    if not colon or ":" in port:
        return text, None
    return host, _port(port)


def _port(digits: str) -> int:
    """Return a port that exists."""
    if not re.fullmatch(r"[0-9]{1,5}", digits) or not 0 < int(digits) < 65536:
        raise _invalid()
    return int(digits)


def _invalid() -> InvalidInputError:
    """Return the error for text that is no address."""
    return InvalidInputError("Not an address like host or host:port", field="address")
