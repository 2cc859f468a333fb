"""Read the nested configuration of the seed's ServerManager into one frozen type."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .connectivity_checker import PROXMOX_PORT
from .minecraft_address import Edition
from .ssh_manager import DEFAULT_PORT as SSH_PORT
from .tls import TlsTrust
from .wake_on_lan import DEFAULT_PORTS

_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Hold how to reach one host; "" and None stand for what is not set up."""

    host: str
    mac_address: str
    proxmox_port: int | None
    node: str
    token_id: str
    token_secret: str = field(repr=False)
    trust: TlsTrust
    ping: bool
    timeout: float
    ssh_user: str
    ssh_key_path: str
    ssh_port: int
    ssh_host_key: str | None
    broadcast_addresses: tuple[str, ...] | None
    wake_ports: tuple[int, ...]
    source_address: str | None
    secure_on: str | None = field(repr=False)
    peer: str
    minecraft_host: str
    minecraft_port: int

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Settings:
        """Read {"proxmox": {...}, "wake_on_lan": {...}, "minecraft": {...}}; all keys optional."""
        proxmox = config.get("proxmox") or {}
        wake = config.get("wake_on_lan") or {}
        minecraft = config.get("minecraft") or {}
        return cls(
            host=proxmox.get("ipv4") or "",
            mac_address=proxmox.get("mac_address") or "",
            proxmox_port=proxmox.get("port", PROXMOX_PORT) or None,
            node=proxmox.get("node") or "",
            token_id=proxmox.get("token_id") or "",
            token_secret=proxmox.get("token_secret") or "",
            trust=TlsTrust.from_dict(proxmox.get("trust") or {}),
            ping=proxmox.get("ping", True),
            timeout=proxmox.get("timeout") or _TIMEOUT,
            ssh_user=proxmox.get("ssh_user") or "",
            ssh_key_path=proxmox.get("ssh_key_path") or "",
            ssh_port=proxmox.get("ssh_port") or SSH_PORT,
            ssh_host_key=proxmox.get("ssh_host_key") or None,
            broadcast_addresses=tuple(wake.get("broadcast_addresses") or ()) or None,
            wake_ports=tuple(wake.get("ports") or DEFAULT_PORTS),
            source_address=wake.get("source_address") or None,
            secure_on=wake.get("secure_on") or None,
            peer=wake.get("peer") or "",
            minecraft_host=minecraft.get("ipv4") or "",
            minecraft_port=minecraft.get("port") or Edition.JAVA.default_port,
        )

    @property
    def watched_port(self) -> int | None:
        """Return the port that shows the host is up: Proxmox, else SSH where it is set up."""
        if self.proxmox_port is None and self.ssh_key_path:
            return self.ssh_port
        return self.proxmox_port

    @property
    def has_token(self) -> bool:
        """Tell whether the Proxmox API can be used."""
        return bool(self.token_id and self.token_secret)
