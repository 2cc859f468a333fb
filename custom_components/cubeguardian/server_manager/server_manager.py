"""Put the modules together for one host: the seed's ServerManager."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from logging import Logger
from typing import Any

import aiohttp

from .connectivity_checker import PROXMOX_PORT, ConnectivityChecker, Reachability
from .errors import (
    HostConnectionError,
    HostTimeoutError,
    InvalidInputError,
    ServerManagerError,
)
from .minecraft_address import Edition
from .minecraft_checker import MinecraftChecker
from .minecraft_status import MinecraftStatus
from .proxmox_api import ProxmoxAPI
from .proxmox_models import BackupJob, Guest, NodeStatus, Task
from .result import OperationResult, report
from .settings import Settings
from .ssh_manager import SSHManager
from .wake_on_lan import WakeOnLANManager, WakeReport

_PEER_TIMEOUT = 5.0
_SELDOM = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReading:
    """Hold what one look at the node showed.

    `backups` are the jobs that run on this node, None where the token must not read them.
    `sees_all_guests` False: the token lacks the right to see every guest.
    """

    status: NodeStatus
    guests: tuple[Guest, ...]
    tasks: tuple[Task, ...]
    backups: tuple[BackupJob, ...] | None = None
    sees_all_guests: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seldom:
    """Hold what changes seldom, and when it was read (time of the event loop)."""

    read_at: float
    backups: tuple[BackupJob, ...] | None
    sees_all_guests: bool


class ServerManager:
    """Wake, watch and shut down one host, by Proxmox where there is a token, else by SSH.

    The seed's methods answer with its JSON; the others return frozen types and raise
    ServerManagerError.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        logger: Logger,
        *,
        session: aiohttp.ClientSession | None = None,
    ) -> None:
        """Read the seed's nested `config`; requests borrow the connections of `session`."""
        self.config = config
        self.logger = logger
        self._settings = settings = Settings.from_config(config)
        self._session = session
        self.wake_on_lan = WakeOnLANManager(logger)
        self.ssh_manager = SSHManager(logger)
        self.connectivity_checker = ConnectivityChecker(
            logger, port=settings.watched_port, ping=settings.ping
        )
        self.minecraft_checker = MinecraftChecker(logger)
        self.proxmox = self._proxmox(settings.host, settings.node) if settings.has_token else None
        self._seldom: _Seldom | None = None

    async def wake_server(
        self, mac_address: str | None = None, target_host: str | None = None
    ) -> OperationResult:
        """Send the magic packet and answer in the seed's JSON."""
        mac = mac_address or self._settings.mac_address
        host = target_host or self._settings.host

        async def woken() -> Mapping[str, Any]:
            sent = await self._wake(mac, host)
            return {"packets_sent": sent.packets_sent, "destinations": list(sent.destinations)}

        return await report(
            "wake_on_lan", woken(), "Magic packet sent", mac_address=mac, target_host=host
        )

    async def shutdown_server(
        self,
        target_host: str | None = None,
        ssh_user: str | None = None,
        ssh_key_path: str | None = None,
        delay_minutes: int = 0,
    ) -> OperationResult:
        """Shut the host down and answer in the seed's JSON.

        By Proxmox where there is a token; by SSH without one, for another host, for a given user
        or key, and for a delay, which Proxmox's API does not have.
        """
        settings = self._settings
        elsewhere = target_host not in (None, settings.host)
        asks_for_ssh = elsewhere or ssh_user or ssh_key_path or delay_minutes
        if self.proxmox is not None and not asks_for_ssh:
            return await report(
                "shutdown",
                self._shut_down_by_proxmox(),
                "Shutdown command sent",
                target_host=settings.host,
                delay_minutes=0,
            )
        return await self.ssh_manager.shutdown_server(
            target_host or settings.host,
            ssh_user or settings.ssh_user,
            ssh_key_path or settings.ssh_key_path,
            delay_minutes,
            port=settings.ssh_port,
            host_key=settings.ssh_host_key,
            timeout=settings.timeout,
        )

    async def check_proxmox_status(self, target_host: str | None = None) -> OperationResult:
        """Check whether the host answers, in the seed's JSON."""
        return await self.connectivity_checker.check_proxmox_connectivity(
            target_host or self._settings.host
        )

    async def check_minecraft_status(
        self, target_host: str | None = None, port: int | None = None
    ) -> OperationResult:
        """Check whether the Minecraft server answers, in the seed's JSON."""
        return await self.minecraft_checker.check_minecraft_connectivity(
            target_host or self._settings.minecraft_host, port or self._settings.minecraft_port
        )

    async def wake(self) -> WakeReport:
        """Send the magic packet, and let the cluster peer send it too where one is set up."""
        return await self._wake(self._settings.mac_address, self._settings.host)

    async def shut_down(self) -> None:
        """Shut the host down; raise InvalidInputError(field="token_id") where no way is set up."""
        if self.proxmox is not None:
            await self.proxmox.shutdown(timeout=self._settings.timeout)
        else:
            await self._by_ssh(self.ssh_manager.shutdown)

    async def reboot(self) -> None:
        """Restart the host; raises what `shut_down` does."""
        if self.proxmox is not None:
            await self.proxmox.reboot(timeout=self._settings.timeout)
        else:
            await self._by_ssh(self.ssh_manager.reboot)

    async def probe(self, timeout: float) -> Reachability:
        """Look whether the host answers, in at most `timeout` seconds."""
        return await self.connectivity_checker.probe(self._settings.host, timeout=timeout)

    async def read_node(self, timeout: float, *, anew: bool = False) -> NodeReading:
        """Read status, guests and tasks of the node, in at most `timeout` seconds together.

        Backup jobs and rights are read only every five minutes, unless all must be `anew`.
        """
        proxmox = self._required_proxmox()
        try:
            async with asyncio.timeout(timeout):
                # One after another: all of them then share one connection.
                reading = NodeReading(
                    status=await proxmox.node_status(timeout=timeout),
                    guests=await proxmox.guests(timeout=timeout),
                    tasks=await proxmox.running_tasks(timeout=timeout),
                )
                seldom = await self._read_seldom(proxmox, timeout, anew)
        except TimeoutError:
            raise HostTimeoutError(f"{self._settings.host} did not answer in time") from None
        return replace(reading, backups=seldom.backups, sees_all_guests=seldom.sees_all_guests)

    async def _read_seldom(self, proxmox: ProxmoxAPI, timeout: float, anew: bool) -> _Seldom:
        """Return backup jobs and rights, read now or not long ago."""
        now = asyncio.get_running_loop().time()
        known = self._seldom
        if known is None or anew or now - known.read_at >= _SELDOM:
            known = self._seldom = _Seldom(
                read_at=now,
                sees_all_guests=await proxmox.sees_all_guests(timeout=timeout),
                backups=await proxmox.backup_jobs(timeout=timeout),
            )
        return known

    async def peer_nodes(self, timeout: float) -> tuple[str, ...]:
        """Return the nodes that the cluster peer knows, () where none is set up.

        It takes our token as the host does; raises what ProxmoxAPI does.
        """
        peer = self._settings.peer
        if not (peer and self._settings.has_token):
            return ()
        nodes = await self._proxmox(peer, peer).nodes(timeout=timeout)
        return tuple(node.name for node in nodes)

    async def start_guest(self, vmid: int) -> None:
        """Start a guest; one that runs already is fine."""
        await self._required_proxmox().start_guest(vmid, timeout=self._settings.timeout)

    async def shutdown_guest(self, vmid: int) -> None:
        """Shut a guest down; one that is stopped already is fine."""
        await self._required_proxmox().shutdown_guest(vmid, timeout=self._settings.timeout)

    async def stop_guest(self, vmid: int, patience: timedelta) -> None:
        """Ask a guest to shut down, and return once it is stopped; it is never killed.

        Raises GuestIgnoresError where it still runs after `patience`.
        """
        await self._required_proxmox().stop_guest(
            vmid, patience=patience, timeout=self._settings.timeout
        )

    async def guest_macs(self, vmids: Iterable[int]) -> Mapping[int, frozenset[str]]:
        """Return the MAC addresses of guests; one whose configuration cannot be read is missing."""
        return await self._required_proxmox().guest_macs(vmids, timeout=self._settings.timeout)

    async def reboot_guest(self, vmid: int) -> None:
        """Restart a guest, or start it if it is stopped."""
        await self._required_proxmox().reboot_guest(vmid, timeout=self._settings.timeout)

    async def minecraft_status(
        self, address: str, edition: Edition, timeout: float
    ) -> MinecraftStatus:
        """Return what a Minecraft server says; see MinecraftChecker.status."""
        return await self.minecraft_checker.status(address, edition=edition, timeout=timeout)

    async def _wake(self, mac_address: str, target_host: str) -> WakeReport:
        """Send the packet ourselves and through the peer; one of the two is enough."""
        settings = self._settings
        try:
            sent = await self.wake_on_lan.send(
                mac_address,
                target_host,
                broadcast_addresses=settings.broadcast_addresses,
                ports=settings.wake_ports,
                source_address=settings.source_address,
                secure_on=settings.secure_on,
            )
        except HostConnectionError:
            if not await self._peer_wakes():
                raise
            return WakeReport(packets_sent=1, destinations=(settings.peer,))
        if await self._peer_wakes():
            return replace(sent, destinations=(*sent.destinations, settings.peer))
        return sent

    async def _peer_wakes(self) -> bool:
        """Let another node of the cluster, which knows the same token, send the packet."""
        settings = self._settings
        if not (settings.peer and settings.node and settings.has_token):
            return False
        try:
            peer = self._proxmox(settings.peer, settings.peer)
            await peer.wake_peer(settings.node, timeout=_PEER_TIMEOUT)
        except ServerManagerError as error:
            self.logger.debug("The peer %s sent no magic packet: %s", settings.peer, error)
            return False
        return True

    async def _shut_down_by_proxmox(self) -> Mapping[str, Any]:
        """Shut the node down and say by which way."""
        await self.shut_down()
        return {"method": "proxmox"}

    def _proxmox(self, host: str, node: str) -> ProxmoxAPI:
        """Return the API of a node that takes the configured token."""
        settings = self._settings
        return ProxmoxAPI(
            self.logger,
            session=self._session,
            host=host,
            port=settings.proxmox_port or PROXMOX_PORT,
            token_id=settings.token_id,
            token_secret=settings.token_secret,
            trust=settings.trust,
            node=node,
        )

    def _required_proxmox(self) -> ProxmoxAPI:
        """Return the API, or raise that there is no token."""
        if self.proxmox is None:
            raise InvalidInputError("No Proxmox token is set", field="token_id")
        return self.proxmox

    async def _by_ssh(self, command: Callable[..., Awaitable[None]]) -> None:
        """Give the host a command of the SSH manager."""
        settings = self._ssh_settings()
        await command(
            settings.host,
            settings.ssh_user,
            settings.ssh_key_path,
            port=settings.ssh_port,
            host_key=settings.ssh_host_key,
            timeout=settings.timeout,
        )

    def _ssh_settings(self) -> Settings:
        """Return the settings if SSH is set up in them."""
        if not self._settings.ssh_key_path:
            raise InvalidInputError("Neither a Proxmox token nor SSH is set up", field="token_id")
        return self._settings
