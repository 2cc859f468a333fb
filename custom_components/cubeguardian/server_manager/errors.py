"""Say what went wrong while reaching a machine.

Every error carries a `code` (the seed's error table, design section 4) and an English message that
never holds a secret.
"""

from typing import ClassVar


class ServerManagerError(Exception):
    """Stand at the root of everything that this package raises.

    `sent` True: a command was on its way and its answer is missing, so nobody knows whether it
    is carried out.
    """

    code: ClassVar[str] = "api_error"
    sent: bool = False


class HostConnectionError(ServerManagerError):
    """Report that the host cannot be reached: refused, reset, no route to it."""

    code = "connection_error"


class NameNotFoundError(HostConnectionError):
    """Report a host name that does not resolve."""


class NetworkUnavailableError(HostConnectionError):
    """Report that our own side has no network, so that nothing is known about the host."""


class PortClosedError(HostConnectionError):
    """Report that the host itself refused the port: certainly nothing listens there."""


class HostTimeoutError(ServerManagerError):
    """Report silence. `port_open` None: the port itself neither took nor refused us."""

    code = "timeout_error"

    def __init__(self, message: str, *, port_open: bool | None = None) -> None:
        """Keep what is known about the port."""
        super().__init__(message)
        self.port_open = port_open


class AuthenticationError(ServerManagerError):
    """Report a token (HTTP 401) or an SSH key that was not accepted."""

    code = "auth_error"


class PermissionDeniedError(ServerManagerError):
    """Report a missing right: `privilege` on `path`, each "" where the answer does not say."""

    code = "permission_error"

    def __init__(self, message: str, *, path: str = "", privilege: str = "") -> None:
        """Keep what is missing, and where."""
        super().__init__(message)
        self.path = path
        self.privilege = privilege


class CertificateError(ServerManagerError):
    """Report an untrusted certificate; `fingerprint` is the SHA-256 of the one presented, or ""."""

    code = "tls_error"

    def __init__(self, message: str, *, fingerprint: str = "") -> None:
        """Keep the fingerprint of what was presented."""
        super().__init__(message)
        self.fingerprint = fingerprint


class SSHError(ServerManagerError):
    """Report a failure of the SSH connection or of the command run over it."""

    code = "ssh_error"


class HostKeyChangedError(SSHError):
    """Report a host key other than the pinned one; `fingerprint` is that of the new key, or ""."""

    def __init__(self, message: str, *, fingerprint: str = "") -> None:
        """Keep the fingerprint of what was presented."""
        super().__init__(message)
        self.fingerprint = fingerprint


class KeyFileError(ServerManagerError):
    """Report a private key file that is missing, unreadable or not a usable key."""

    code = "file_not_found"


class InvalidInputError(ServerManagerError):
    """Report a value that cannot be used; `field` names it."""

    code = "invalid_input"

    def __init__(self, message: str, *, field: str) -> None:
        """Keep the name of the field."""
        super().__init__(message)
        self.field = field


class ApiError(ServerManagerError):
    """Report an answer that is an error or makes no sense.

    `status` is the HTTP status, 0 where the connection ended without one: then nobody knows
    whether a command was carried out.
    """

    def __init__(self, message: str, *, status: int = 0, reason: str = "") -> None:
        """Keep the status and its reason phrase."""
        super().__init__(message)
        self.status = status
        self.reason = reason


class GuestIgnoresError(ServerManagerError):
    """Report that a guest still runs although it was asked to shut down."""

    code = "guest_ignores"


class MinecraftProtocolError(ServerManagerError):
    """Report that something other than Minecraft answers on `port`."""

    def __init__(self, message: str, *, port: int) -> None:
        """Keep the port."""
        super().__init__(message)
        self.port = port
