"""A host that understands SSH, and remembers what it was told to run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

USER = "root"


@dataclass(slots=True, kw_only=True)
class SshHost:
    """One SSH server on loopback; `port`, `key_path` and `host_key` are what a client needs."""

    directory: Path
    port: int = 0
    commands: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    exit_status: int = 0
    complaint: str = ""
    hangs_up: bool = False
    hangs: bool = False
    released: asyncio.Event = field(default_factory=asyncio.Event)
    own_key: asyncssh.SSHKey = field(
        default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519")
    )
    user_key: asyncssh.SSHKey = field(
        default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519")
    )

    @property
    def host_key(self) -> str:
        """The line that a client pins."""
        return " ".join(self.own_key.export_public_key().decode().split()[:2])

    @property
    def key_path(self) -> str:
        """The path of the private key that may log in."""
        path = self.directory / "proxmox_key"
        if not path.exists():
            path.write_bytes(self.user_key.export_private_key())
        return str(path)

    async def run(self, process: asyncssh.SSHServerProcess[str]) -> None:
        """Take a command as a shell would."""
        self.commands.append(process.command or "")
        if self.hangs:
            await self.released.wait()
        if self.hangs_up:
            process.channel.get_connection().abort()
            return
        process.stderr.write(self.complaint)
        process.exit(self.exit_status)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[SshHost]:
        """Listen until the block ends; the port stays the same from one time to the next."""
        host = self

        class Guard(asyncssh.SSHServer):
            def begin_auth(self, username: str) -> bool:
                host.logins.append(username)
                return True

            def public_key_auth_supported(self) -> bool:
                return True

            def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
                return username == USER and key == host.user_key.convert_to_public()

        server = await asyncssh.listen(
            "127.0.0.1",
            self.port,
            server_factory=Guard,
            server_host_keys=[self.own_key],
            process_factory=self.run,
        )
        self.port = server.get_port()
        try:
            yield self
        finally:
            self.released.set()
            server.close()
            await server.wait_closed()
