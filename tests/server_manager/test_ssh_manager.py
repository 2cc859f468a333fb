"""Shutting a host down over SSH, against a real SSH server on loopback."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
import threading
from typing import Any

import asyncssh
import pytest

from custom_components.cubeguardian.server_manager import (
    AuthenticationError,
    HostConnectionError,
    HostKeyChangedError,
    HostTimeoutError,
    InvalidInputError,
    KeyFileError,
    SSHError,
    SSHManager,
    ssh_manager,
)

from .conftest import LOGGER, closed_port
from .ssh_host import USER, SshHost


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[SshHost]:
    async with SshHost(directory=tmp_path).running() as running:
        yield running


@pytest.fixture
def manager() -> SSHManager:
    return SSHManager(LOGGER)


async def shut_down(manager: SSHManager, host: SshHost, **changed: Any) -> None:
    arguments = {
        "target_host": "127.0.0.1",
        "ssh_user": USER,
        "ssh_key_path": host.key_path,
        "port": host.port,
        "host_key": host.host_key,
        "timeout": 5,
    }
    await manager.shutdown(**{**arguments, **changed})


@pytest.mark.parametrize("delay", [0, 5, 1440])
async def test_the_host_is_told_to_shut_down_after_the_delay(
    host: SshHost, manager: SSHManager, delay: int
) -> None:
    await shut_down(manager, host, delay_minutes=delay)
    assert host.commands == [f"shutdown -h +{delay}"]
    assert host.logins == [USER]


async def test_the_host_is_told_to_restart(host: SshHost, manager: SSHManager) -> None:
    await manager.reboot("127.0.0.1", USER, host.key_path, port=host.port, host_key=host.host_key)
    assert host.commands == ["shutdown -r +0"]


@pytest.mark.parametrize("delay", [-1, 1441])
async def test_a_delay_out_of_range_is_bad_input(
    host: SshHost, manager: SSHManager, delay: int
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await shut_down(manager, host, delay_minutes=delay)
    assert refused.value.field == "delay_minutes"
    assert host.logins == []


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"target_host": ""}, "target_host"),
        ({"ssh_user": ""}, "ssh_user"),
        ({"ssh_key_path": ""}, "ssh_key_path"),
        ({"host_key": "ssh-ed25519 nonsense"}, "host_key"),
    ],
)
async def test_what_is_missing_is_named(
    host: SshHost, manager: SSHManager, changed: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await shut_down(manager, host, **changed)
    assert refused.value.field == field


async def test_a_host_that_hangs_up_on_the_command_is_shutting_down(
    host: SshHost, manager: SSHManager
) -> None:
    host.hangs_up = True
    await shut_down(manager, host)
    assert host.commands == ["shutdown -h +0"]


async def test_a_host_that_refuses_the_command_says_why(host: SshHost, manager: SSHManager) -> None:
    host.exit_status, host.complaint = 1, "Must be \x1b[31mroot.\n" + "x" * 5000
    with pytest.raises(SSHError, match=r"exit 1\): Must be \[31mroot\. x+") as refused:
        await shut_down(manager, host)
    assert len(str(refused.value)) < 300


async def test_without_a_pinned_host_key_nothing_is_sent(
    host: SshHost, manager: SSHManager
) -> None:
    with pytest.raises(SSHError, match="not pinned"):
        await shut_down(manager, host, host_key=None)
    assert host.logins == []


@pytest.mark.parametrize("algorithm", ["ssh-ed25519", "ecdsa-sha2-nistp256"])
async def test_a_changed_host_key_is_shown_and_nothing_is_sent(
    host: SshHost, manager: SSHManager, algorithm: str
) -> None:
    pinned = asyncssh.generate_private_key(algorithm).export_public_key().decode()
    with pytest.raises(HostKeyChangedError) as changed:
        await shut_down(manager, host, host_key=pinned)
    assert changed.value.fingerprint == host.own_key.get_fingerprint()
    assert (host.logins, host.commands) == ([], [])


async def test_a_key_exchange_that_fails_otherwise_is_no_changed_key(
    host: SshHost, manager: SSHManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise asyncssh.KeyExchangeFailed("No matching cipher")

    monkeypatch.setattr(asyncssh, "connect", fail)
    with pytest.raises(SSHError, match="No matching cipher") as failed:
        await shut_down(manager, host)
    assert not isinstance(failed.value, HostKeyChangedError)
    monkeypatch.setattr(asyncssh, "get_server_host_key", fail)
    with pytest.raises(SSHError, match="No matching cipher"):
        await shut_down(manager, host)


async def test_a_key_that_is_not_accepted_is_an_authentication_error(
    host: SshHost, manager: SSHManager, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    with pytest.raises(AuthenticationError):
        await shut_down(manager, host, ssh_key_path=str(other))
    with pytest.raises(AuthenticationError):
        await shut_down(manager, host, ssh_user="stranger")
    assert host.commands == []


async def test_key_files_that_cannot_be_used_are_told(
    host: SshHost, manager: SSHManager, tmp_path: Path
) -> None:
    nonsense, locked = tmp_path / "nonsense", tmp_path / "locked"
    nonsense.write_text("not a key")
    locked.write_bytes(host.user_key.export_private_key(passphrase="secret"))
    for path in (tmp_path / "missing", tmp_path, nonsense, locked):
        with pytest.raises(KeyFileError) as refused:
            await shut_down(manager, host, ssh_key_path=str(path))
        assert "secret" not in str(refused.value)
    assert host.logins == []


async def test_only_the_given_key_and_nothing_of_the_environment_is_used(
    host: SshHost, manager: SSHManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / ".ssh"
    settings.mkdir()
    (settings / "id_ed25519").write_bytes(host.user_key.export_private_key())
    (settings / "config").write_text("Host *\n  HostName 127.0.0.99\n  User nobody\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    other = tmp_path / "other"
    other.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    with pytest.raises(AuthenticationError):
        await shut_down(manager, host, ssh_key_path=str(other))
    await shut_down(manager, host)
    assert set(host.logins) == {USER}


async def test_the_key_is_read_off_the_loop(
    host: SshHost, manager: SSHManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    read = ssh_manager._read_key

    def watched(path: Path) -> asyncssh.SSHKey:
        threads.append(threading.current_thread())
        return read(path)

    monkeypatch.setattr(ssh_manager, "_read_key", watched)
    await shut_down(manager, host)
    assert threads[0] is not threading.main_thread()


async def test_a_host_that_is_down_or_silent_is_told_apart(
    host: SshHost, manager: SSHManager
) -> None:
    with pytest.raises(HostConnectionError):
        await shut_down(manager, host, port=closed_port())
    host.hangs = True
    with pytest.raises(HostTimeoutError) as silent:
        await shut_down(manager, host, timeout=0.5)
    assert silent.value.sent


async def test_a_command_that_found_nobody_to_log_in_to_was_never_sent(
    host: SshHost, manager: SSHManager
) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(HostTimeoutError) as unsent:
            await shut_down(manager, host, port=port, timeout=0.3)
    assert not unsent.value.sent


async def test_something_else_on_the_port_is_an_ssh_error(manager: SSHManager) -> None:
    async def speak_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 100)
        writer.close()

    server = await asyncio.start_server(speak_http, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(SSHError):
            await manager.fetch_host_key("127.0.0.1", port, 5)


async def test_the_host_key_can_be_looked_at_without_logging_in(
    host: SshHost, manager: SSHManager
) -> None:
    found = await manager.fetch_host_key("127.0.0.1", host.port)
    assert (found.key, found.fingerprint) == (host.host_key, host.own_key.get_fingerprint())
    assert found.fingerprint.startswith("SHA256:")
    assert host.logins == []


async def test_a_host_without_a_host_key_is_told(
    host: SshHost, manager: SSHManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object, **__: object) -> None:
        return None

    monkeypatch.setattr(asyncssh, "get_server_host_key", nothing)
    with pytest.raises(SSHError, match="no host key"):
        await manager.fetch_host_key("127.0.0.1", host.port)


async def test_a_connection_that_does_not_close_is_dropped(
    host: SshHost, manager: SSHManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    aborted = []
    abort = asyncssh.SSHClientConnection.abort

    async def never(_: object) -> None:
        await asyncio.sleep(30)

    def watched(connection: asyncssh.SSHClientConnection) -> None:
        aborted.append(connection)
        abort(connection)

    monkeypatch.setattr(ssh_manager, "_CLOSE_TIMEOUT", 0.05)
    monkeypatch.setattr(asyncssh.SSHClientConnection, "wait_closed", never)
    monkeypatch.setattr(asyncssh.SSHClientConnection, "abort", watched)
    await shut_down(manager, host)
    assert len(aborted) == 1
