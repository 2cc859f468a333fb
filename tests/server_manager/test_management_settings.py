"""What cannot be managed is refused at once, and the secret is never shown."""

import pytest

from custom_components.cubeguardian.server_manager import (
    InvalidInputError,
    ManagementKind,
    ManagementSettings,
)

PROTOCOL, RCON = ManagementKind.PROTOCOL, ManagementKind.RCON


def settings(
    kind: ManagementKind = PROTOCOL, *, host: str = "mc.lab", port: int = 25585, secret: str = "s3"
) -> ManagementSettings:
    return ManagementSettings(kind=kind, host=host, port=port, secret=secret)


def test_the_secret_is_in_no_representation() -> None:
    secret = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcd"
    found = settings(secret=secret)
    assert secret not in f"{found!r} {found} {[found]}"
    assert "mc.lab" in repr(found)


@pytest.mark.parametrize(
    ("host", "where"), [("mc.lab", "mc.lab:25585"), ("fd00::1", "[fd00::1]:25585")]
)
def test_a_message_names_the_place_as_people_write_it(host: str, where: str) -> None:
    assert settings(host=host).where == where


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_does_not_exist_is_refused(port: int) -> None:
    with pytest.raises(InvalidInputError) as refused:
        settings(port=port)
    assert refused.value.field == "port"


def test_a_host_is_needed() -> None:
    with pytest.raises(InvalidInputError) as refused:
        settings(host="")
    assert refused.value.field == "host"


@pytest.mark.parametrize(
    ("kind", "secret"),
    [
        (PROTOCOL, ""),
        (PROTOCOL, "two words"),
        (PROTOCOL, "line\r\nX-Evil: 1"),
        (PROTOCOL, "schlüssel"),
        (PROTOCOL, "x" * 257),
        (RCON, ""),
        (RCON, "nul\0"),
        (RCON, "lone\ud800"),
        (RCON, "é" * 257),
    ],
)
def test_a_secret_that_cannot_be_sent_is_refused_and_not_repeated(
    kind: ManagementKind, secret: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        settings(kind, secret=secret)
    assert refused.value.field == "secret"
    assert not secret or secret not in str(refused.value)


def test_a_remote_console_may_have_a_passphrase() -> None:
    assert settings(RCON, secret="zwölf Möwen, 1 Ei").kind is RCON


def test_a_passphrase_is_hidden_before_and_after_cleaning() -> None:
    found = settings(RCON, secret="two  spaces")
    assert found.harmless("two  spaces", 48) == "***"
    assert found.harmless(None, 48) == ""
    assert settings(secret="s3cret").harmless("s3\u00a7rcret", 48) == "***"
