"""Answers of a node in the shapes that a real Proxmox VE 9 sends."""

from typing import Any

_GIB = 1024**3
_KERNEL = "6.14.11-4-pve"


def node_status(cpu: float, uptime: float, version: str) -> dict[str, Any]:
    """Return `/nodes/N/status`; cpu is a share of one, uptime in seconds."""
    return {
        "boot-info": {"mode": "efi", "secureboot": 0},
        "cpu": cpu,
        "cpuinfo": {
            "cores": 4,
            "cpus": 8,
            "flags": "fpu vme",
            "hvm": "1",
            "mhz": "2904.000",
            "model": "Lab CPU",
            "sockets": 1,
            "user_hz": 100,
        },
        "current-kernel": {
            "machine": "x86_64",
            "release": _KERNEL,
            "sysname": "Linux",
            "version": "#1 SMP PREEMPT_DYNAMIC PMX",
        },
        "idle": 0,
        "ksm": {"shared": 0},
        "kversion": f"Linux {_KERNEL} #1 SMP PREEMPT_DYNAMIC PMX",
        "loadavg": ["0.25", "0.20", "0.15"],
        "memory": {
            "available": 12 * _GIB,
            "free": 10 * _GIB,
            "total": 16 * _GIB,
            "used": 4 * _GIB,
        },
        "pveversion": f"pve-manager/{version}/0123456789abcdef",
        "rootfs": {"avail": 40 * _GIB, "free": 44 * _GIB, "total": 64 * _GIB, "used": 20 * _GIB},
        "swap": {"free": 8 * _GIB, "total": 8 * _GIB, "used": 0},
        "uptime": int(uptime),
        "wait": 0,
    }


def node_row(
    name: str, *, status: str, fingerprint: str, uptime: int, audited: bool
) -> dict[str, Any]:
    """Return one row of `/nodes`; the figures only for whoever holds Sys.Audit."""
    row: dict[str, Any] = {
        "node": name,
        "id": f"node/{name}",
        "type": "node",
        "status": status,
        "level": "",
        "ssl_fingerprint": fingerprint,
    }
    if audited and status == "online":
        row |= {
            "cpu": 0.0625,
            "maxcpu": 8,
            "mem": 4 * _GIB,
            "maxmem": 16 * _GIB,
            "disk": 20 * _GIB,
            "maxdisk": 64 * _GIB,
            "uptime": uptime,
        }
    return row


def task_row(task: dict[str, Any]) -> dict[str, Any]:
    """Return one row of `/nodes/N/tasks`; the status of a running task is RUNNING."""
    row = {key: task[key] for key in ("upid", "node", "pid", "pstart", "starttime", "type", "id")}
    user, _, token = str(task["user"]).partition("!")
    row["user"] = user
    if token:
        row["tokenid"] = token
    row["status"] = task.get("exitstatus", "RUNNING")
    if "endtime" in task:
        row["endtime"] = task["endtime"]
    return row


def backup_row(
    job_id: str, *, next_run: int, enabled: bool, repeats_missed: bool
) -> dict[str, Any]:
    """Return one row of `/cluster/backup`; `next_run` in seconds since 1970."""
    return {
        "id": job_id,
        "type": "vzdump",
        "enabled": int(enabled),
        "all": 1,
        "compress": "zstd",
        "mode": "snapshot",
        "next-run": next_run,
        "notes-template": "{{guestname}}",
        "repeat-missed": int(repeats_missed),
        "schedule": "02:00",
        "storage": "local",
    }


def network_cards(kind: str, macs: tuple[str, ...]) -> dict[str, str]:
    """Return the `netN` of a guest's configuration, one card for each address."""
    shapes = {
        "qemu": "virtio={mac},bridge=vmbr0,firewall=1",
        "lxc": "name=eth{index},bridge=vmbr0,hwaddr={mac},ip=dhcp,type=veth",
    }
    return {
        f"net{index}": shapes[kind].format(index=index, mac=mac.upper())
        for index, mac in enumerate(macs)
    }
