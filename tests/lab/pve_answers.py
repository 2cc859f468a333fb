"""What a lab node answers where fakepve says nothing, or too little."""

import time
from typing import Any

from aiohttp import web
from fakepve import FakePve
from fakepve.model import PveError
from fakepve.server import USER, ok, params

from .certificates import NodeCertificates
from .nic import send_magic_packet
from .pve_shapes import backup_row, node_row, node_status, task_row


class AnsweringPve(FakePve):  # type: ignore[misc]
    """A node whose state, certificates, rights and tasks look like those of a real one."""

    host: str
    port: int
    node: str
    certificates: NodeCertificates

    def __init__(self, *, host: str, port: int) -> None:
        """Prepare what the answers are made of; change it while the node runs."""
        super().__init__(host=host, port=port)
        self.cpu = 0.0625
        self.state_in_list = "online"
        self.clock_error = 0.0
        self.wakeonlan: str | None = None
        self.peer_nics: dict[str, tuple[str, str, int]] = {}
        self.booted_at: float | None = None
        self.backup_jobs: list[dict[str, Any]] = []

    @property
    def uptime(self) -> float:
        """Seconds since the node started."""
        return time.time() - self.booted_at if self.booted_at else 0.0

    def _routes_lab(self) -> list[tuple[str, str, Any]]:
        node = "/nodes/{node}"
        return [
            ("GET", f"{node}/status", self._node_figures),
            ("POST", f"{node}/status", self._power),
            ("POST", f"{node}/wakeonlan", self._wake_peer),
            ("GET", f"{node}/certificates/info", self._certificates),
            ("GET", f"{node}/config", self._config),
            ("GET", f"{node}/time", self._time),
            ("GET", "/cluster/backup", self._backups),
        ]

    def schedule_backup(
        self, job_id: str, due_in: float, *, enabled: bool = True, repeats_missed: bool = False
    ) -> None:
        """Add a backup job of every guest whose next run is so many seconds away."""
        self.backup_jobs.append(
            backup_row(
                job_id,
                next_run=int(time.time() + due_in),
                enabled=enabled,
                repeats_missed=repeats_missed,
            )
        )

    async def _backups(self, _values: dict[str, Any], user: str) -> list[dict[str, Any]]:
        self.require(user, "/", "Sys.Audit")
        return self.backup_jobs

    async def _time(self, _values: dict[str, Any], _user: str) -> dict[str, Any]:
        now = int(time.time() + self.clock_error)
        return {"time": now, "localtime": now, "timezone": "Etc/UTC"}

    async def _certificates(self, _values: dict[str, Any], _user: str) -> list[dict[str, Any]]:
        return self.certificates.info()

    async def _config(self, _values: dict[str, Any], _user: str) -> dict[str, Any]:
        config: dict[str, Any] = {"digest": "0" * 40}
        if self.wakeonlan:
            config["wakeonlan"] = self.wakeonlan
        return config

    async def _node_figures(self, _values: dict[str, Any], _user: str) -> dict[str, Any]:
        return node_status(self.cpu, self.uptime, self.version)

    async def _nodes(self, request: web.Request) -> web.Response:
        rows = [
            node_row(
                name,
                status=self.state_in_list if state.get("online", True) else "offline",
                fingerprint=self.certificates.served.fingerprint,
                uptime=int(self.uptime),
                audited=self.allowed(request[USER], f"/nodes/{name}", "Sys.Audit"),
            )
            for name, state in sorted(self.nodes.items())
        ]
        return ok(rows)  # type: ignore[no-any-return]

    async def _permissions(self, values: dict[str, Any], user: str) -> dict[str, dict[str, int]]:
        path = values.get("path")
        if path is None or self.acl is None:
            return await super()._permissions(values, user)  # type: ignore[no-any-return]
        who = values.get("userid") or user
        every = {name for grants in self.acl.values() for _, names in grants for name in names}
        held = {name: 1 for name in sorted(every) if self.allowed(who, path, name)}
        return {path: held} if held else {}

    async def _task_list(self, request: web.Request) -> web.Response:
        node, user = request.match_info["node"], request[USER]
        source = (await read_parameters(request)).get("source", "archive")
        audited = self.allowed(user, f"/nodes/{node}", "Sys.Audit")
        rows = [
            task_row(task)
            for task in reversed(self.tasklog)
            if task["node"] == node and (audited or self._task_owner(user, task))
        ]
        running = [row for row in rows if row["status"] == "RUNNING"]
        finished = [row for row in rows if row["status"] != "RUNNING"]
        chosen = {"active": running, "archive": finished, "all": running + finished}
        return ok(chosen[source])  # type: ignore[no-any-return]

    async def _wake_peer(self, values: dict[str, Any], _user: str) -> str:
        peer = values["node"]
        if peer == self.node:
            raise PveError(500, f"'{peer}' is local node, cannot wake my self!")
        if peer not in self.peer_nics:
            raise PveError(500, f"No wake on LAN MAC address defined for '{peer}'!")
        mac, address, port = self.peer_nics[peer]
        send_magic_packet(mac, address, port)
        return mac


async def read_parameters(request: web.Request) -> dict[str, Any]:
    """Return what a request carries in its query and body; empty if it cannot be read."""
    try:
        return dict(await params(request))
    except PveError:
        return {}
