"""Shut the host down over SSH, for hosts without an API token (seed: module 2)."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from logging import Logger
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import (
    AuthenticationError,
    HostKeyChangedError,
    HostTimeoutError,
    InvalidInputError,
    KeyFileError,
    ServerManagerError,
    SSHError,
)
from .network import from_os_error
from .result import OperationResult, report
from .text import plain

if TYPE_CHECKING:
    import asyncssh

DEFAULT_PORT = 22
LONGEST_DELAY = 1440
_CLOSE_TIMEOUT = 2.0
_KEY_FILE_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedHostKey:
    """Hold the key a server presents: "algorithm base64", and "SHA256:..." to compare."""

    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Login:
    """Hold where and as whom to log in."""

    host: str
    port: int
    user: str
    private_key: asyncssh.SSHKey
    host_key: asyncssh.SSHKey


class SSHManager:
    """Run the one command that shuts a host down or restarts it."""

    def __init__(self, logger: Logger) -> None:
        """Log to `logger`."""
        self.logger = logger

    async def shutdown_server(
        self,
        target_host: str,
        ssh_user: str,
        ssh_key_path: str,
        delay_minutes: int = 0,
        *,
        port: int = DEFAULT_PORT,
        host_key: str | None = None,
        timeout: float = 10,
    ) -> OperationResult:
        """Shut the host down and answer in the seed's JSON; see `shutdown`."""

        async def shut_down() -> Mapping[str, Any]:
            await self.shutdown(
                target_host,
                ssh_user,
                ssh_key_path,
                delay_minutes,
                port=port,
                host_key=host_key,
                timeout=timeout,
            )
            return {}

        return await report(
            "shutdown",
            shut_down(),
            "Shutdown command sent",
            target_host=target_host,
            delay_minutes=delay_minutes,
        )

    async def shutdown(
        self,
        target_host: str,
        ssh_user: str,
        ssh_key_path: str,
        delay_minutes: int = 0,
        *,
        port: int = DEFAULT_PORT,
        host_key: str | None = None,
        timeout: float = 10,
    ) -> None:
        """Run `shutdown -h +delay_minutes` (0 to 1440) within `timeout` seconds.

        `host_key` is the pinned key of the host; without one this refuses. Raises
        InvalidInputError, KeyFileError, AuthenticationError, HostKeyChangedError, SSHError,
        HostTimeoutError or HostConnectionError.
        """
        if not 0 <= delay_minutes <= LONGEST_DELAY:
            raise InvalidInputError(
                f"The delay is 0 to {LONGEST_DELAY} minutes", field="delay_minutes"
            )
        login = await self._login(target_host, port, ssh_user, ssh_key_path, host_key)
        await self._run(login, f"shutdown -h +{delay_minutes}", timeout)

    async def reboot(
        self,
        target_host: str,
        ssh_user: str,
        ssh_key_path: str,
        *,
        port: int = DEFAULT_PORT,
        host_key: str | None = None,
        timeout: float = 10,
    ) -> None:
        """Run `shutdown -r +0`; raises what `shutdown` does."""
        login = await self._login(target_host, port, ssh_user, ssh_key_path, host_key)
        await self._run(login, "shutdown -r +0", timeout)

    async def fetch_host_key(
        self, target_host: str, port: int = DEFAULT_PORT, timeout: float = 10
    ) -> PresentedHostKey:
        """Return the key that the host presents, without logging in."""
        ssh = await _asyncssh()
        async with _typed_errors(f"{target_host}:{port}", timeout):
            key = await ssh.get_server_host_key(target_host, port, config=None)
        if key is None:
            raise SSHError(f"{target_host}:{port} presents no host key")
        exported = key.export_public_key().decode().split()
        return PresentedHostKey(key=" ".join(exported[:2]), fingerprint=key.get_fingerprint())

    async def check_key(self, ssh_key_path: str) -> None:
        """Raise KeyFileError unless the file is a private key that can be used."""
        await asyncio.to_thread(_read_key, Path(ssh_key_path))

    async def _login(
        self, host: str, port: int, user: str, key_path: str, host_key: str | None
    ) -> _Login:
        """Check and read what is needed to log in."""
        if not host:
            raise InvalidInputError("The host is missing", field="target_host")
        if not user:
            raise InvalidInputError("The SSH user is missing", field="ssh_user")
        if not key_path:
            raise InvalidInputError("The path of the SSH key is missing", field="ssh_key_path")
        if not host_key:
            raise SSHError("The host key is not pinned: confirm it first")
        ssh = await _asyncssh()
        try:
            pinned = ssh.import_public_key(host_key)
        except ValueError:
            raise InvalidInputError("Not a public key", field="host_key") from None
        private_key = await asyncio.to_thread(_read_key, Path(key_path))
        return _Login(host=host, port=port, user=user, private_key=private_key, host_key=pinned)

    async def _run(self, login: _Login, command: str, timeout: float) -> None:
        """Log in, run `command`, and raise if the host did not take it."""
        ssh = await _asyncssh()
        logged_in = False
        try:
            async with _typed_errors(f"{login.host}:{login.port}", timeout):
                connection = await _connect(login)
                logged_in = True
                try:
                    await _execute(connection, command)
                finally:
                    await _close(connection)
        except HostTimeoutError as error:
            error.sent = logged_in
            raise
        except SSHError as error:
            if isinstance(error.__cause__, ssh.HostKeyNotVerifiable | ssh.KeyExchangeFailed):
                raise await self._host_key_error(login, error, timeout) from error
            error.sent = logged_in and isinstance(error.__cause__, ssh.DisconnectError)
            raise
        self.logger.debug("%s took the command: %s", login.host, command)

    async def _host_key_error(self, login: _Login, error: SSHError, timeout: float) -> SSHError:
        """Tell a changed host key from another failure of the key exchange."""
        try:
            found = await self.fetch_host_key(login.host, login.port, timeout)
        except ServerManagerError:
            return error
        if found.fingerprint == login.host_key.get_fingerprint():
            return error
        return HostKeyChangedError(
            f"{login.host} presents another host key than the pinned one",
            fingerprint=found.fingerprint,
        )


async def _asyncssh() -> Any:  # noqa: ANN401 - a module that must not be imported here
    """Return asyncssh, imported in a thread: it costs a third of a second and 16 MiB."""
    return await asyncio.to_thread(import_module, "asyncssh")


async def _connect(login: _Login) -> asyncssh.SSHClientConnection:
    """Log in with this one key only: no configuration file, no agent, no password."""
    ssh = await _asyncssh()
    connection: asyncssh.SSHClientConnection = await ssh.connect(
        login.host,
        login.port,
        username=login.user,
        client_keys=[login.private_key],
        known_hosts=([login.host_key], [], []),
        config=None,
        agent_path=None,
        preferred_auth="publickey",
        x509_trusted_certs=None,
    )
    return connection


async def _execute(connection: asyncssh.SSHClientConnection, command: str) -> None:
    """Run the command; a host that hangs up on it is shutting down."""
    ssh = await _asyncssh()
    process = await connection.create_process(
        command, stdin=ssh.DEVNULL, stdout=ssh.DEVNULL, errors="replace"
    )
    try:
        said = plain(await process.stderr.read(1024), 200)
        done = await process.wait(check=False)
    except ssh.DisconnectError, OSError:
        return
    if done.exit_status:
        raise SSHError(f"The host refused the command (exit {done.exit_status}): {said}")


async def _close(connection: asyncssh.SSHClientConnection) -> None:
    """Close the connection, and drop it if the other side does not take part."""
    connection.close()
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT):
            await connection.wait_closed()
    except TimeoutError:
        connection.abort()


@asynccontextmanager
async def _typed_errors(where: str, timeout: float) -> AsyncIterator[None]:
    """Limit the time and turn asyncssh's errors into our own."""
    ssh = await _asyncssh()
    try:
        async with asyncio.timeout(timeout):
            yield
    except TimeoutError:
        raise HostTimeoutError(f"{where} does not answer") from None
    except ssh.PermissionDenied as error:
        raise AuthenticationError(f"{where} does not accept the SSH key") from error
    except ssh.Error as error:
        raise SSHError(f"SSH to {where} failed: {plain(error.reason, 200)}") from error
    except OSError as error:
        raise from_os_error(error, where) from error


def _read_key(path: Path) -> asyncssh.SSHKey:
    """Read a private key without a passphrase."""
    ssh = import_module("asyncssh")
    try:
        with path.open("rb") as file:
            content = file.read(_KEY_FILE_LIMIT)
    except OSError as error:
        raise KeyFileError(f"The SSH key cannot be read: {error.strerror}") from None
    try:
        key: asyncssh.SSHKey = ssh.import_private_key(content)
    except ValueError:
        raise KeyFileError("The file is not a private SSH key without passphrase") from None
    return key
