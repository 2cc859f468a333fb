"""What a lab node heard over HTTP, and how it can be made to misbehave."""

from dataclasses import dataclass, field
from enum import StrEnum
import time
from typing import Any

API_PREFIXES = ("/api2/json", "/api2/extjs")
_SECRETS = frozenset({"password", "new-password", "ticket", "vncticket", "otp", "tfa-challenge"})


class Fault(StrEnum):
    """A way in which a node can fail to answer properly."""

    UNAUTHORISED = "unauthorised"
    FORBIDDEN = "forbidden"
    SERVER_ERROR = "server_error"
    PROXY_ERROR = "proxy_error"
    HANG = "hang"
    HTML = "html"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Status and reason phrase of a fault that is answered."""

    status: int
    reason: str
    body: str = '{"data":null}'
    content_type: str = "application/json"


REFUSALS = {
    Fault.UNAUTHORISED: Refusal(401, "Authentication failed!"),
    Fault.FORBIDDEN: Refusal(403, "Permission check failed (/nodes/pve, Sys.Audit)"),
    Fault.SERVER_ERROR: Refusal(500, "cluster not ready - no quorum?"),
    Fault.PROXY_ERROR: Refusal(595, "No route to host"),
    Fault.HTML: Refusal(200, "OK", "<html><body>Welcome to nginx!</body></html>", "text/html"),
}


@dataclass(slots=True, kw_only=True)
class ActiveFault:
    """A fault in force: for which paths, how many times still (None: for ever)."""

    fault: Fault
    path: str = ""
    times: int | None = None

    def strikes(self, path: str) -> bool:
        """Tell whether this request is hit, and count it."""
        if self.times == 0 or not path.endswith(self.path):
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass(slots=True, kw_only=True)
class ApiCall:
    """One request as the node heard it; `status` is None until it was answered."""

    method: str
    path: str
    parameters: dict[str, Any]
    who: str
    at: float = field(default_factory=time.time)
    status: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it in a form that JSON can hold."""
        return {
            "at": self.at,
            "method": self.method,
            "path": self.path,
            "parameters": self.parameters,
            "who": self.who,
            "status": self.status,
        }


def without_prefix(path: str) -> str:
    """Return the path below /api2/json."""
    for prefix in API_PREFIXES:
        if path.startswith(prefix):
            return path.removeprefix(prefix)
    return path


def without_secrets(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters with every secret replaced by stars."""
    return {key: "***" if key in _SECRETS else value for key, value in parameters.items()}


def caller(authorization: str) -> str:
    """Return the token id of an Authorization header, never its secret."""
    if not authorization.startswith("PVEAPIToken="):
        return ""
    return authorization.removeprefix("PVEAPIToken=").rpartition("=")[0]
