"""Read what Proxmox VE answers into frozen types (protocols page, section 1.2).

Each reader raises ValueError, KeyError or TypeError for an answer that makes no sense; the client
turns these into ApiError in one place.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
import re
from typing import Any

from .text import plain

_TEXT_LIMIT = 200
_NETWORK_CARD = re.compile(r"net\d+")
_MAC = re.compile(r"=((?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2})(?:,|$)")
_SAME_BOOT = timedelta(seconds=10)


class GuestKind(StrEnum):
    """Name the two kinds of guests, as Proxmox's paths do."""

    QEMU = "qemu"
    LXC = "lxc"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeInfo:
    """Hold a node of the cluster; `status` is online, offline or unknown (still booting)."""

    name: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """Hold how the node does: memory in bytes, `version` of Proxmox VE."""

    uptime: timedelta
    cpu_percent: float
    memory_used: int
    memory_total: int
    booted_at: datetime | None
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Hold a virtual machine or container; `lock` names what works on it right now."""

    vmid: int
    name: str
    kind: GuestKind
    status: str
    running: bool
    uptime: timedelta
    lock: str | None
    template: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Hold a task that runs now; `ours` if our own token started it."""

    upid: str
    kind: str
    target: str
    user: str
    started_at: datetime
    ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStatus:
    """Hold how a task goes; `ok` and `exit_text` count once it no longer runs."""

    running: bool
    ok: bool
    exit_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupJob:
    """Hold a planned backup; it runs on `node`, "" for every node.

    `repeat_missed`: what was missed while the node slept is caught up on at its next start.
    """

    id: str
    enabled: bool
    next_run: datetime | None
    repeat_missed: bool
    node: str


def read_version(data: object) -> str:
    """Read GET /version."""
    return _text(_mapping(data)["version"])


def read_clock(data: object) -> datetime:
    """Read GET /nodes/N/time."""
    return datetime.fromtimestamp(float(_mapping(data)["time"]), UTC)


def read_nodes(data: object) -> tuple[NodeInfo, ...]:
    """Read GET /nodes."""
    return tuple(
        NodeInfo(name=_text(node["node"]), status=_text(node.get("status", "unknown")))
        for node in _list(data)
    )


def read_local_node(data: object) -> str | None:
    """Read from GET /cluster/status the name of the node that answered."""
    return next(
        (
            _text(item["name"])
            for item in _list(data)
            if item.get("type") == "node" and item.get("local")
        ),
        None,
    )


def read_node_status(data: object, now: datetime, known_boot: datetime | None) -> NodeStatus:
    """Read GET /nodes/{node}/status; `known_boot` is kept where it is the same boot.

    Two clocks and whole seconds of uptime let one boot look up to some seconds different.
    """
    status = _mapping(data)
    uptime = timedelta(seconds=int(status["uptime"]))
    memory = _mapping(status["memory"])
    booted_at = now - uptime if uptime else None
    if booted_at and known_boot and abs(booted_at - known_boot) < _SAME_BOOT:
        booted_at = known_boot
    return NodeStatus(
        uptime=uptime,
        cpu_percent=round(float(status["cpu"]) * 100, 1),
        memory_used=int(memory["used"]),
        memory_total=int(memory["total"]),
        booted_at=booted_at,
        version=_version(status.get("pveversion", "")),
    )


def read_guests(data: object, kind: GuestKind) -> tuple[Guest, ...]:
    """Read GET /nodes/{node}/qemu or /lxc."""
    return tuple(_guest(item, kind) for item in _list(data))


def read_running_tasks(data: object, token_id: str) -> tuple[Task, ...]:
    """Read GET /nodes/{node}/tasks; older versions also list tasks that have just ended."""
    return tuple(
        _task(item, token_id)
        for item in _list(data)
        if "endtime" not in item and str(item.get("status") or "running").lower() == "running"
    )


def read_task_status(data: object) -> TaskStatus:
    """Read GET /nodes/{node}/tasks/{upid}/status."""
    task = _mapping(data)
    exit_text = _text(task.get("exitstatus") or "")
    return TaskStatus(
        running=task["status"] == "running",
        ok=exit_text == "OK" or exit_text.startswith("WARNINGS"),
        exit_text=exit_text,
    )


def read_runs(data: object) -> bool:
    """Read from GET /nodes/{node}/{kind}/{vmid}/status/current whether the guest runs."""
    return _text(_mapping(data)["status"]) == "running"


def read_macs(data: object) -> frozenset[str]:
    """Read from GET /nodes/{node}/{kind}/{vmid}/config the cards' MAC addresses."""
    return frozenset(
        mac.lower()
        for key, value in _mapping(data).items()
        if _NETWORK_CARD.fullmatch(key)
        for mac in _MAC.findall(str(value))
    )


def read_backup_jobs(data: object) -> tuple[BackupJob, ...]:
    """Read GET /cluster/backup."""
    return tuple(_backup_job(item) for item in _list(data))


def read_authority(data: object) -> str | None:
    """Read from GET /nodes/{node}/certificates/info the cluster's own authority, in PEM."""
    for item in _list(data):
        if item.get("filename") == "pve-root-ca.pem":
            return str(item["pem"])
    return None


def read_wakeonlan(data: object) -> str:
    """Read from GET /nodes/{node}/config the MAC address; "" if none is set."""
    first = str(_mapping(data).get("wakeonlan") or "").split(",")[0]
    return first.removeprefix("mac=")


def read_upid(data: object) -> str | None:
    """Read the task that a POST started."""
    return data if isinstance(data, str) else None


def read_privileges(data: object, path: str, *, propagated: bool) -> frozenset[str]:
    """Read from GET /access/permissions?path= the privileges held on `path`.

    With `propagated`, only those that hold for everything below it too. What is granted higher up
    counts if it propagates.
    """
    held: set[str] = set()
    for where, privileges in _mapping(data).items():
        here = where == path and not propagated
        if here or where in {path, "/"} or path.startswith(f"{where}/"):
            held.update(name for name, flag in privileges.items() if here or int(flag))
    return frozenset(held)


def _guest(item: Mapping[str, Any], kind: GuestKind) -> Guest:
    """Read one guest of a list."""
    vmid = int(item["vmid"])
    status = _text(item["status"])
    return Guest(
        vmid=vmid,
        name=_text(item.get("name") or str(vmid)),
        kind=kind,
        status=status,
        running=status == "running",
        uptime=timedelta(seconds=int(item.get("uptime") or 0)),
        lock=_text(item["lock"]) if item.get("lock") else None,
        template=bool(int(item.get("template") or 0)),
    )


def _task(item: Mapping[str, Any], token_id: str) -> Task:
    """Read one task of a list; the end of its UPID names who started it, token included."""
    upid = str(item["upid"])
    owner = upid.rstrip(":").rpartition(":")[2]
    return Task(
        upid=upid,
        kind=_text(item["type"]),
        target=_text(item.get("id") or ""),
        user=_text(owner),
        started_at=datetime.fromtimestamp(int(item["starttime"]), UTC),
        ours=owner == token_id,
    )


def _backup_job(item: Mapping[str, Any]) -> BackupJob:
    """Read one planned backup; Proxmox leaves out what is as it is by default."""
    next_run = item.get("next-run")
    return BackupJob(
        id=_text(item["id"]),
        enabled=bool(int(item.get("enabled", 1))),
        next_run=datetime.fromtimestamp(int(next_run), UTC) if next_run else None,
        repeat_missed=bool(int(item.get("repeat-missed", 0))),
        node=_text(item.get("node") or ""),
    )


def _version(text: object) -> str:
    """Return "8.2.4" of "pve-manager/8.2.4/faa83925c9641325"."""
    parts = _text(text).split("/")
    return parts[1] if len(parts) > 1 else parts[0]


def _text(value: object) -> str:
    """Return cleaned text."""
    return plain(str(value), _TEXT_LIMIT)


def _list(data: object) -> list[Mapping[str, Any]]:
    """Return a list of objects."""
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise TypeError("not a list of objects")
    return data


def _mapping(data: object) -> Mapping[str, Any]:
    """Return an object."""
    if not isinstance(data, dict):
        raise TypeError("not an object")
    return data
