"""Answer in the seed's JSON, and turn typed errors into it in exactly one place."""

from collections.abc import Awaitable, Mapping
from datetime import datetime
from typing import Any, NotRequired, TypedDict

from .errors import ServerManagerError


class OperationResult(TypedDict):
    """Be the JSON that the seed's modules answer with (seed: "Exemple de retour JSON")."""

    success: bool
    message: str
    timestamp: str
    details: dict[str, Any]
    error: NotRequired[str]


def succeeded(message: str, **details: Any) -> OperationResult:
    """Return the result of an operation that worked."""
    return OperationResult(success=True, message=message, timestamp=_stamp(), details=details)


def failed(error: ServerManagerError, **details: Any) -> OperationResult:
    """Return the result of an operation that did not work; `error` becomes its code."""
    return OperationResult(
        success=False,
        message=str(error),
        timestamp=_stamp(),
        details=details,
        error=error.code,
    )


async def report(
    operation: str, call: Awaitable[Mapping[str, Any]], message: str, **details: Any
) -> OperationResult:
    """Await `call` and tell how it went; what it returns is added to the details."""
    try:
        found = await call
    except ServerManagerError as error:
        return failed(error, **details, operation=operation)
    return succeeded(message, **{**details, **found, "operation": operation})


def _stamp() -> str:
    """Return the local time in the seed's format."""
    return datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
