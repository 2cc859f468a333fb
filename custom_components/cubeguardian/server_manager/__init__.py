"""Reach the machines: wake them, watch them, shut them down.

The classes, methods, parameters and answers are those of the seed document
(modules-python-natifs); beside each of them stands a typed twin that raises ServerManagerError.
"""

from .connectivity_checker import PROXMOX_PORT, ConnectivityChecker, Reachability
from .errors import (
    ApiError,
    AuthenticationError,
    CertificateError,
    GuestIgnoresError,
    HostConnectionError,
    HostKeyChangedError,
    HostTimeoutError,
    InvalidInputError,
    KeyFileError,
    MinecraftProtocolError,
    NameNotFoundError,
    NetworkUnavailableError,
    PermissionDeniedError,
    PortClosedError,
    ServerManagerError,
    SSHError,
)
from .management import GameManagement, open_management
from .management_settings import ANNOUNCEMENT_LIMIT, ManagementKind, ManagementSettings
from .minecraft_address import Address, Edition, parse_address
from .minecraft_checker import MinecraftChecker
from .minecraft_status import MinecraftStatus
from .proxmox_api import ProxmoxAPI
from .proxmox_models import (
    BackupJob,
    Guest,
    GuestKind,
    NodeInfo,
    NodeStatus,
    Task,
    TaskStatus,
)
from .proxmox_rights import MissingRight, needed_rights, pveum_lines
from .result import OperationResult, failed, report, succeeded
from .server_manager import NodeReading, ServerManager
from .ssh_manager import PresentedHostKey, SSHManager
from .tls import PresentedCertificate, TlsTrust, TrustKind, accepts, fetch_certificate
from .wake_on_lan import WakeOnLANManager, WakeReport, magic_packet, normalise_mac

__all__ = [
    "ANNOUNCEMENT_LIMIT",
    "PROXMOX_PORT",
    "Address",
    "ApiError",
    "AuthenticationError",
    "BackupJob",
    "CertificateError",
    "ConnectivityChecker",
    "Edition",
    "GameManagement",
    "Guest",
    "GuestIgnoresError",
    "GuestKind",
    "HostConnectionError",
    "HostKeyChangedError",
    "HostTimeoutError",
    "InvalidInputError",
    "KeyFileError",
    "ManagementKind",
    "ManagementSettings",
    "MinecraftChecker",
    "MinecraftProtocolError",
    "MinecraftStatus",
    "MissingRight",
    "NameNotFoundError",
    "NetworkUnavailableError",
    "NodeInfo",
    "NodeReading",
    "NodeStatus",
    "OperationResult",
    "PermissionDeniedError",
    "PortClosedError",
    "PresentedCertificate",
    "PresentedHostKey",
    "ProxmoxAPI",
    "Reachability",
    "SSHError",
    "SSHManager",
    "ServerManager",
    "ServerManagerError",
    "Task",
    "TaskStatus",
    "TlsTrust",
    "TrustKind",
    "WakeOnLANManager",
    "WakeReport",
    "accepts",
    "failed",
    "fetch_certificate",
    "magic_packet",
    "needed_rights",
    "normalise_mac",
    "open_management",
    "parse_address",
    "pveum_lines",
    "report",
    "succeeded",
]
