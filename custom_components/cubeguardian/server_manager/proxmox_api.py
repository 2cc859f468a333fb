"""Watch and shut down a host through the Proxmox VE API (design section 4)."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from functools import partial
from logging import Logger

import aiohttp

from .connectivity_checker import PROXMOX_PORT
from .errors import ApiError, InvalidInputError, PermissionDeniedError
from .proxmox_http import ProxmoxClient
from .proxmox_models import (
    Guest,
    GuestKind,
    NodeInfo,
    NodeStatus,
    Task,
    TaskStatus,
    read_authority,
    read_clock,
    read_guests,
    read_local_node,
    read_node_status,
    read_nodes,
    read_privileges,
    read_running_tasks,
    read_task_status,
    read_upid,
    read_version,
    read_wakeonlan,
)
from .proxmox_rights import MissingRight, must_propagate, needed_rights
from .tls import TlsTrust, TrustKind, accepts
from .wake_on_lan import normalise_mac


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
        missing = []
        for right in needed_rights(await self.find_node(timeout=timeout), vmids):
            held = await self._client.get(
                "/access/permissions",
                partial(read_privileges, path=right.path, propagated=must_propagate(right)),
                timeout=timeout,
                query={"path": right.path},
            )
            if right.privilege not in held:
                missing.append(right)
        return tuple(missing)

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
