"""Watch and shut down a host through the Proxmox VE API (design section 4)."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from logging import Logger

import aiohttp

from .connectivity_checker import PROXMOX_PORT
from .errors import (
    ApiError,
    GuestIgnoresError,
    HostConnectionError,
    HostTimeoutError,
    InvalidInputError,
    PermissionDeniedError,
    ServerManagerError,
)
from .proxmox_http import ProxmoxClient
from .proxmox_models import (
    BackupJob,
    Guest,
    GuestKind,
    NodeInfo,
    NodeStatus,
    Task,
    TaskStatus,
    read_authority,
    read_backup_jobs,
    read_clock,
    read_guests,
    read_local_node,
    read_macs,
    read_node_status,
    read_nodes,
    read_privileges,
    read_running_tasks,
    read_runs,
    read_task_status,
    read_upid,
    read_version,
    read_wakeonlan,
)
from .proxmox_rights import ALL_GUESTS, MissingRight, must_propagate, needed_rights
from .tls import TlsTrust, TrustKind, accepts
from .wake_on_lan import normalise_mac

# Proxmox ends its own task first, and then knows why.
_TASK_ENDS_FIRST = 10.0


class ProxmoxAPI:
    """Reach one Proxmox VE node with an API token.

    Every method takes `timeout`, in seconds for each request; under 4 a refused token looks like
    silence, because Proxmox delays that answer. All may raise AuthenticationError,
    PermissionDeniedError, CertificateError, HostConnectionError, NetworkUnavailableError,
    NameNotFoundError, HostTimeoutError or ApiError. The token is only sent to a node whose
    certificate `trust` accepts.
    """

    def __init__(
        self,
        logger: Logger,
        *,
        session: aiohttp.ClientSession | None,
        host: str,
        port: int = PROXMOX_PORT,
        token_id: str,
        token_secret: str,
        trust: TlsTrust,
        node: str | None = None,
    ) -> None:
        """Use the token ("user@realm!name" and its secret) on `node`, found out if not given."""
        self.logger = logger
        self._host = host
        self._port = port
        self._token_id = token_id
        self.trust = trust
        self._node = node or None
        self._booted_at: datetime | None = None
        self._client = ProxmoxClient(
            logger,
            session=session,
            host=host,
            port=port,
            token_id=token_id,
            token_secret=token_secret,
            trust=trust,
        )

    async def version(self, *, timeout: float = 10) -> str:
        """Return the version of Proxmox VE: the cheapest proof that the token works."""
        return await self._client.get("/version", read_version, timeout=timeout)

    async def nodes(self, *, timeout: float = 10) -> tuple[NodeInfo, ...]:
        """Return the nodes of the cluster."""
        return await self._client.get("/nodes", read_nodes, timeout=timeout)

    async def find_node(self, *, timeout: float = 10) -> str:
        """Return the node's name: the one given, else the only one, else the one that answers.

        Raises InvalidInputError(field="node") where several could be meant.
        """
        if self._node is None:
            nodes = await self.nodes(timeout=timeout)
            self._node = nodes[0].name if len(nodes) == 1 else await self._local_node(timeout)
        return self._node

    async def node_status(self, *, timeout: float = 10) -> NodeStatus:
        """Return how the node does; `booted_at` stays the same for one boot."""
        status = await self._client.get(
            await self._path("/status", timeout),
            partial(read_node_status, now=datetime.now(UTC), known_boot=self._booted_at),
            timeout=timeout,
        )
        self._booted_at = status.booted_at
        return status

    async def clock(self, *, timeout: float = 10) -> datetime:
        """Return what time it is on the node."""
        return await self._client.get(
            await self._path("/time", timeout), read_clock, timeout=timeout
        )

    async def guests(self, *, timeout: float = 10) -> tuple[Guest, ...]:
        """Return all virtual machines and containers that the token may see, by number."""
        found: list[Guest] = []
        for kind in GuestKind:
            path = await self._path(f"/{kind}", timeout)
            found += await self._client.get(path, partial(read_guests, kind=kind), timeout=timeout)
        return tuple(sorted(found, key=lambda guest: guest.vmid))

    async def running_tasks(self, *, timeout: float = 10) -> tuple[Task, ...]:
        """Return the tasks that run on the node now."""
        return await self._client.get(
            await self._path("/tasks", timeout),
            partial(read_running_tasks, token_id=self._token_id),
            timeout=timeout,
            query={"source": "active"},
        )

    async def missing_rights(
        self, vmids: Collection[int] = (), *, timeout: float = 10
    ) -> tuple[MissingRight, ...]:
        """Return which rights the token lacks to watch, to shut down and to rule `vmids`."""
        needed = needed_rights(await self.find_node(timeout=timeout), vmids)
        return tuple([right for right in needed if not await self._holds(right, timeout)])

    async def sees_all_guests(self, *, timeout: float = 10) -> bool:
        """Tell whether the token may see every guest; lists leave out what it may not see."""
        return await self._holds(ALL_GUESTS, timeout)

    async def backup_jobs(self, *, timeout: float = 10) -> tuple[BackupJob, ...] | None:
        """Return the backup jobs that run on this node, None if they cannot be read.

        They need Sys.Audit on /, which nothing else here needs.
        """
        node = await self.find_node(timeout=timeout)
        try:
            jobs = await self._client.get("/cluster/backup", read_backup_jobs, timeout=timeout)
        except (ApiError, PermissionDeniedError) as error:
            self.logger.debug("The backup jobs of %s cannot be read: %s", self._host, error)
            return None
        return tuple(job for job in jobs if job.node in {"", node})

    async def guest_macs(
        self, vmids: Iterable[int], *, timeout: float = 10
    ) -> Mapping[int, frozenset[str]]:
        """Return the MAC addresses of guests; one whose configuration cannot be read is missing."""
        wanted = frozenset(vmids)
        found: dict[int, frozenset[str]] = {}
        for guest in await self.guests(timeout=timeout) if wanted else ():
            if guest.vmid not in wanted:
                continue
            path = await self._path(f"/{guest.kind}/{guest.vmid}/config", timeout)
            try:
                found[guest.vmid] = await self._client.get(path, read_macs, timeout=timeout)
            except (ApiError, PermissionDeniedError) as error:
                self.logger.debug("The configuration of guest %s: %s", guest.vmid, error)
        return found

    async def ca_certificate(self, *, timeout: float = 10) -> str | None:
        """Return the cluster's own certificate authority in PEM, if the node tells it."""
        path = await self._path("/certificates/info", timeout)
        return await self._client.get(path, read_authority, timeout=timeout)

    async def lasting_trust(self, *, timeout: float = 10) -> TlsTrust:
        """Return what to pin so that a renewed certificate stays trusted.

        That is the node's own authority where it signed what the node presents, else the trust
        that is already used.
        """
        if self.trust.kind is not TrustKind.LEAF:
            return self.trust
        try:
            pem = await self.ca_certificate(timeout=timeout)
            authority = TlsTrust.pin_authority(pem or "")
            signed = await accepts(self._host, self._port, authority, timeout)
        except ApiError, PermissionDeniedError, InvalidInputError:
            return self.trust
        return authority if signed else self.trust

    async def wakeonlan_mac(self, *, timeout: float = 10) -> str | None:
        """Return the MAC address set by `pvenode config set -wakeonlan`, None if not readable."""
        path = await self._path("/config", timeout)
        try:
            mac = await self._client.get(
                path, read_wakeonlan, timeout=timeout, query={"property": "wakeonlan"}
            )
            return normalise_mac(mac) if mac else None
        except ApiError, PermissionDeniedError, InvalidInputError:
            return None

    async def shutdown(self, *, timeout: float = 10) -> None:
        """Shut the node down; an error that is `sent` leaves open whether it does."""
        await self._client.post(
            await self._path("/status", timeout), timeout=timeout, form={"command": "shutdown"}
        )

    async def reboot(self, *, timeout: float = 10) -> None:
        """Restart the node; an error that is `sent` leaves open whether it does."""
        await self._client.post(
            await self._path("/status", timeout), timeout=timeout, form={"command": "reboot"}
        )

    async def start_guest(self, vmid: int, *, timeout: float = 10) -> str | None:
        """Start a guest and return the task (UPID), None if it runs already."""
        guest = await self._guest(vmid, timeout)
        return None if guest.running else await self._command(guest, "start", timeout)

    async def shutdown_guest(
        self, vmid: int, *, timeout_s: int = 180, timeout: float = 10
    ) -> str | None:
        """Shut a guest down within `timeout_s` seconds; return the task, None if it is stopped."""
        guest = await self._guest(vmid, timeout)
        if not guest.running:
            return None
        return await self._command(guest, "shutdown", timeout, {"timeout": str(timeout_s)})

    async def stop_guest(
        self, vmid: int, *, patience: timedelta, timeout: float = 10, every: float = 2
    ) -> None:
        """Ask a guest to shut down, and return once it is stopped; it is never killed.

        It is looked at every `every` seconds. Raises GuestIgnoresError where it still runs after
        `patience`, or where Proxmox has given up before.
        """
        guest = await self._guest(vmid, timeout)
        if not guest.running:
            return
        asked = {"timeout": str(max(1, round(patience.total_seconds())))}
        try:
            upid = await self._command(guest, "shutdown", timeout, asked)
        except ServerManagerError as error:
            if not error.sent:
                raise
            upid = None
        deadline = asyncio.get_running_loop().time() + patience.total_seconds() + _TASK_ENDS_FIRST
        while True:
            if not await self._keeps_running(guest, upid, deadline, timeout):
                return
            await asyncio.sleep(every)

    async def reboot_guest(self, vmid: int, *, timeout: float = 10) -> str | None:
        """Restart a guest, or start it if it is stopped; return the task."""
        guest = await self._guest(vmid, timeout)
        return await self._command(guest, "reboot" if guest.running else "start", timeout)

    async def task(self, upid: str, *, timeout: float = 10) -> TaskStatus:
        """Return how a task goes."""
        node = upid.split(":")[1] if upid.count(":") > 1 else ""
        if not node:
            raise InvalidInputError("Not the identifier of a task", field="upid")
        return await self._client.get(
            f"/nodes/{node}/tasks/{upid}/status", read_task_status, timeout=timeout
        )

    async def wake_peer(self, peer_node_name: str, *, timeout: float = 10) -> None:
        """Let this node send the magic packet for another node of its cluster."""
        await self._client.post(f"/nodes/{peer_node_name}/wakeonlan", timeout=timeout)

    async def _keeps_running(
        self, guest: Guest, upid: str | None, deadline: float, timeout: float
    ) -> bool:
        """Tell whether a guest that was asked to shut down runs on; raise once that is final.

        The task is read first: what the guest does after its end stays so. Where Proxmox's own
        high availability stops the guest, the task ends long before.
        """
        late = asyncio.get_running_loop().time() >= deadline
        try:
            task = await self.task(upid, timeout=timeout) if upid else None
            path = await self._path(f"/{guest.kind}/{guest.vmid}/status/current", timeout)
            if not await self._client.get(path, read_runs, timeout=timeout):
                return False
        except ApiError, HostConnectionError, HostTimeoutError:
            if late:
                raise
            return True
        if late or (task and not task.running and not task.ok):
            why = task.exit_text if task else ""
            raise GuestIgnoresError(f"Guest {guest.vmid} still runs: {why}".rstrip(": "))
        return True

    async def _holds(self, right: MissingRight, timeout: float) -> bool:
        """Tell whether the token holds a right."""
        held = await self._client.get(
            "/access/permissions",
            partial(read_privileges, path=right.path, propagated=must_propagate(right)),
            timeout=timeout,
            query={"path": right.path},
        )
        return right.privilege in held

    async def _path(self, path: str, timeout: float) -> str:
        """Return a path below the node."""
        return f"/nodes/{await self.find_node(timeout=timeout)}{path}"

    async def _local_node(self, timeout: float) -> str:
        """Return the name of the node that answers, for which a cluster needs Sys.Audit on /."""
        try:
            name = await self._client.get("/cluster/status", read_local_node, timeout=timeout)
        except PermissionDeniedError:
            name = None
        if name is None:
            raise InvalidInputError("Several nodes answer: choose one", field="node")
        return name

    async def _guest(self, vmid: int, timeout: float) -> Guest:
        """Return a guest as it is now."""
        for guest in await self.guests(timeout=timeout):
            if guest.vmid == vmid:
                return guest
        raise InvalidInputError(f"The node shows no guest {vmid} to this token", field="vmid")

    async def _command(
        self, guest: Guest, action: str, timeout: float, form: Mapping[str, str] | None = None
    ) -> str | None:
        """Send a command to a guest; whoever was quicker has done the same."""
        path = await self._path(f"/{guest.kind}/{guest.vmid}/status/{action}", timeout)
        try:
            return read_upid(await self._client.post(path, timeout=timeout, form=form))
        except ApiError as error:
            done = {"start": "already running", "shutdown": "not running"}.get(action)
            if done is None or done not in error.reason:
                raise
            return None
