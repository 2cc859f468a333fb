"""Trust a Proxmox node's certificate, so that the token is only ever sent to that node.

Three ways: the system's certificate authorities, the node's own pinned authority, or one pinned
certificate (protocols page, section 1.5). "Do not verify" is not among them.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
import hashlib
import ssl
from typing import Any, Self

from aiohttp import Fingerprint
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .errors import CertificateError, HostConnectionError, HostTimeoutError, InvalidInputError
from .network import from_os_error
from .text import plain

_NAME_LIMIT = 200


class TrustKind(StrEnum):
    """Name the ways to trust a certificate."""

    SYSTEM = "system"
    CA = "ca"
    LEAF = "leaf"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsTrust:
    """Say which certificate is trusted.

    `pem` is the pinned authority (kind ca). `fingerprint` is the SHA-256 in hexadecimal of the
    pinned certificate (kind leaf), for a pinned authority only to be shown.
    """

    kind: TrustKind = TrustKind.SYSTEM
    pem: str | None = None
    fingerprint: str | None = None

    def to_dict(self) -> dict[str, str]:
        """Return plain JSON for the config entry."""
        values = {"kind": self.kind.value, "pem": self.pem, "fingerprint": self.fingerprint}
        return {key: value for key, value in values.items() if value is not None}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Return what `to_dict` gave; raise InvalidInputError for anything else."""
        try:
            kind = TrustKind(stored.get("kind", TrustKind.SYSTEM))
        except ValueError:
            raise InvalidInputError("Unknown kind of trust", field="trust") from None
        trust = cls(kind=kind, pem=stored.get("pem"), fingerprint=stored.get("fingerprint"))
        if (kind is TrustKind.CA and not trust.pem) or (
            kind is TrustKind.LEAF and not trust.fingerprint
        ):
            raise InvalidInputError("The pinned certificate is missing", field="trust")
        return trust

    @classmethod
    def pin_authority(cls, pem: str) -> Self:
        """Trust what this authority signed; raise InvalidInputError if `pem` is no certificate."""
        try:
            found = x509.load_pem_x509_certificate(pem.encode())
        except ValueError:
            raise InvalidInputError("Not a certificate in PEM", field="trust") from None
        digest = hashlib.sha256(found.public_bytes(Encoding.DER)).hexdigest()
        return cls(kind=TrustKind.CA, pem=pem, fingerprint=digest)

    @classmethod
    def pin_leaf(cls, fingerprint: str) -> Self:
        """Trust exactly the certificate with this SHA-256, colons or not."""
        return cls(kind=TrustKind.LEAF, fingerprint=_fingerprint_bytes(fingerprint).hex())


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedCertificate:
    """Hold what a server presents; `trusted` tells whether the system would accept it as it is."""

    fingerprint: str
    subject: str
    issuer: str
    not_after: datetime
    trusted: bool


async def ssl_option(trust: TlsTrust, *, kept: bool = True) -> ssl.SSLContext | Fingerprint:
    """Return what aiohttp's `ssl=` takes for `trust`: always the same object.

    Loading authorities reads files, hence the thread. aiohttp only uses a kept connection again
    for an identical object; without `kept` it is another one, so that a new connection is opened.
    """
    return await asyncio.to_thread(_ssl_option, trust, kept)


async def fetch_certificate(host: str, port: int, timeout: float) -> PresentedCertificate:
    """Return the certificate that `host` presents, having sent nothing but a handshake.

    Raises HostConnectionError, HostTimeoutError, NameNotFoundError, NetworkUnavailableError, or
    CertificateError where the port speaks no TLS.
    """
    context = await asyncio.to_thread(_system_context)
    async with _typed_errors(host, port, timeout):
        try:
            return _presented(await _handshake(host, port, context), trusted=True)
        except ssl.SSLCertVerificationError:
            blind = await asyncio.to_thread(_blind_context)
            return _presented(await _handshake(host, port, blind), trusted=False)


async def accepts(host: str, port: int, trust: TlsTrust, timeout: float) -> bool:
    """Tell whether what `host` presents now satisfies `trust`; nothing but a handshake is sent.

    Raises what `fetch_certificate` does.
    """
    option = await ssl_option(trust)
    if isinstance(option, Fingerprint):
        found = await fetch_certificate(host, port, timeout)
        return found.fingerprint == trust.fingerprint
    async with _typed_errors(host, port, timeout):
        try:
            await _handshake(host, port, option)
        except ssl.SSLCertVerificationError:
            return False
    return True


async def presented_fingerprint(host: str, port: int, timeout: float) -> str:
    """Return the SHA-256 of what `host` presents now, or "" if that cannot be had."""
    try:
        return (await fetch_certificate(host, port, timeout)).fingerprint
    except CertificateError, HostConnectionError, HostTimeoutError:
        return ""


@asynccontextmanager
async def _typed_errors(host: str, port: int, timeout: float) -> AsyncIterator[None]:
    """Limit the time of a handshake and turn its errors into our own."""
    where = f"{host}:{port}"
    try:
        async with asyncio.timeout(timeout):
            yield
    except TimeoutError:
        raise HostTimeoutError(f"{where} does not answer") from None
    except ssl.SSLError as error:
        raise CertificateError(f"{where} does not speak TLS") from error
    except OSError as error:
        raise from_os_error(error, where) from error
    except ValueError as error:
        raise CertificateError(f"{where} presents no usable certificate") from error


async def _handshake(host: str, port: int, context: ssl.SSLContext) -> bytes:
    """Shake hands, hang up, and return the certificate in DER."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, host, port, ssl=context)
    try:
        return transport.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
    finally:
        transport.abort()


def _presented(der: bytes, *, trusted: bool) -> PresentedCertificate:
    """Read a certificate; raise ValueError if it cannot be read."""
    found = x509.load_der_x509_certificate(der)
    return PresentedCertificate(
        fingerprint=hashlib.sha256(der).hexdigest(),
        subject=plain(found.subject.rfc4514_string(), _NAME_LIMIT),
        issuer=plain(found.issuer.rfc4514_string(), _NAME_LIMIT),
        not_after=found.not_valid_after_utc,
        trusted=trusted,
    )


@lru_cache(maxsize=64)
def _ssl_option(trust: TlsTrust, kept: bool) -> ssl.SSLContext | Fingerprint:
    """Build the option for `trust`; `kept` only makes two objects of it."""
    del kept
    match trust:
        case TlsTrust(kind=TrustKind.LEAF, fingerprint=str(fingerprint)):
            return Fingerprint(_fingerprint_bytes(fingerprint))
        case TlsTrust(kind=TrustKind.CA, pem=str(pem)):
            return _authority_context(pem)
    return ssl.create_default_context()


@lru_cache(maxsize=1)
def _system_context() -> ssl.SSLContext:
    """Verify by the system's authorities, host name included."""
    return ssl.create_default_context()


def _authority_context(pem: str) -> ssl.SSLContext:
    """Verify by one authority alone, whatever name the node is reached by.

    The authorities of nodes installed before spring 2026 lack the key usage extension, which
    VERIFY_X509_STRICT asks for.
    """
    try:
        context = ssl.create_default_context(cadata=pem)
    except ValueError, ssl.SSLError:
        raise InvalidInputError("The pinned authority is no certificate", field="trust") from None
    context.check_hostname = False
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


@lru_cache(maxsize=1)
def _blind_context() -> ssl.SSLContext:
    """Verify nothing: for looking at a certificate, never for sending."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _fingerprint_bytes(fingerprint: str) -> bytes:
    """Return the 32 bytes of a SHA-256 written in hexadecimal."""
    try:
        digest = bytes.fromhex(fingerprint.replace(":", ""))
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise InvalidInputError("Not the SHA-256 of a certificate", field="trust")
    return digest
