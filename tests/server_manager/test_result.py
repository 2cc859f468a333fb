"""Results, errors and cleaned texts."""

import pytest

from custom_components.cubeguardian.server_manager import (
    ApiError,
    AuthenticationError,
    CertificateError,
    HostConnectionError,
    HostKeyChangedError,
    HostTimeoutError,
    InvalidInputError,
    KeyFileError,
    MinecraftProtocolError,
    NameNotFoundError,
    NetworkUnavailableError,
    PermissionDeniedError,
    ServerManagerError,
    SSHError,
    failed,
    report,
    succeeded,
)
from custom_components.cubeguardian.server_manager.text import plain


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (HostConnectionError("x"), "connection_error"),
        (NameNotFoundError("x"), "connection_error"),
        (NetworkUnavailableError("x"), "connection_error"),
        (HostTimeoutError("x", port_open=True), "timeout_error"),
        (AuthenticationError("x"), "auth_error"),
        (PermissionDeniedError("x", path="/", privilege="Sys.Audit"), "permission_error"),
        (CertificateError("x", fingerprint="ab"), "tls_error"),
        (SSHError("x"), "ssh_error"),
        (HostKeyChangedError("x", fingerprint="SHA256:ab"), "ssh_error"),
        (KeyFileError("x"), "file_not_found"),
        (InvalidInputError("x", field="port"), "invalid_input"),
        (ApiError("x", status=500, reason="y"), "api_error"),
        (MinecraftProtocolError("x", port=25565), "api_error"),
    ],
)
def test_every_error_has_its_code_in_a_result(error: ServerManagerError, code: str) -> None:
    result = failed(error, operation="shutdown")
    assert (result["success"], result["error"], result["message"]) == (False, code, "x")
    assert result["details"] == {"operation": "shutdown"}


def test_a_success_has_no_error() -> None:
    assert "error" not in succeeded("done", port=1)


async def test_only_our_own_errors_become_results() -> None:
    async def broken() -> dict[str, str]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await report("shutdown", broken(), "done")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("§aGreen§r and §", "Green and"),
        ("two\r\nlines\tand\x00more", "two lines and more"),
        ("\x1b[31mred", "[31mred"),
        ("user\u202egpj.exe", "user gpj.exe"),
        ("\ud800lone", "lone"),
        ("x" * 50, "x" * 20),
        ("é漢🎮", "é漢🎮"),
        ("", ""),
    ],
)
def test_text_from_outside_is_one_harmless_line(text: str, expected: str) -> None:
    assert plain(text, 20) == expected
