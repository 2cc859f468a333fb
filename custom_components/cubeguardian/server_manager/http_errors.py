"""Turn what aiohttp raises while it talks to a machine into our own errors."""

import aiohttp

from .errors import (
    ApiError,
    CertificateError,
    HostConnectionError,
    NameNotFoundError,
    ServerManagerError,
)
from .minecraft_address import Endpoint
from .network import from_os_error
from .tls import presented_fingerprint

_FINGERPRINT_TIMEOUT = 3.0


async def from_client_error(error: aiohttp.ClientError, host: str, port: int) -> ServerManagerError:
    """Return the error for one of aiohttp's; an untrusted certificate is fetched to name it.

    Raise it outside of the handler or `from None`: aiohttp's may hold the request, and so a secret.
    """
    where = str(Endpoint(host=host, port=port))
    match error:
        case aiohttp.ServerFingerprintMismatch():
            return _untrusted(where, error.got.hex())
        case aiohttp.ClientConnectorCertificateError():
            return _untrusted(where, await presented_fingerprint(host, port, _FINGERPRINT_TIMEOUT))
        case aiohttp.ClientConnectorDNSError():
            return NameNotFoundError(f"{host} does not resolve")
        case aiohttp.ClientSSLError():
            return ApiError(f"{where} does not speak TLS", reason="no TLS")
        case aiohttp.ClientConnectorError(os_error=ConnectionResetError()):
            return HostConnectionError(f"{where} hangs up at once (does it allow this address?)")
        case aiohttp.ClientConnectorError():
            return from_os_error(error.os_error, where)
    return ApiError(f"{where} hung up without an answer", reason=type(error).__name__)


def _untrusted(where: str, fingerprint: str) -> CertificateError:
    """Return the error for a certificate that is not the trusted one."""
    return CertificateError(f"The certificate of {where} is not trusted", fingerprint=fingerprint)
