"""Every row of the seed's modules, called as the seed says, against real peers on loopback."""

import asyncio
from collections.abc import Callable
from datetime import datetime
import inspect
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from custom_components.cubeguardian.server_manager import (
    ConnectivityChecker,
    MinecraftChecker,
    ServerManager,
    SSHManager,
    WakeOnLANManager,
)
from tests.lab.minecraft import StatusServer
from tests.lab.nic import LoopbackNic

from .conftest import MAC, closed_port
from .ssh_host import USER, SshHost

LOGGER = logging.getLogger("seed")
HOST = "127.0.0.1"


def proven(result: Any, *, success: bool, details: set[str]) -> dict[str, Any]:
    """Return a result after checking that it is the seed's JSON."""
    read = json.loads(json.dumps(result))
    assert read == result
    expected = {"success", "message", "timestamp", "details"}
    assert set(read) == (expected if success else expected | {"error"})
    assert read["success"] is success
    assert read["message"]
    assert abs(datetime.strptime(read["timestamp"], "%Y-%m-%d %H:%M:%S") - datetime.now()).days < 1
    assert details <= set(read["details"])
    return dict(read)


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        (WakeOnLANManager.wake_server, {"mac_address": ..., "target_host": ...}),
        (
            SSHManager.shutdown_server,
            {"target_host": ..., "ssh_user": ..., "ssh_key_path": ..., "delay_minutes": 0},
        ),
        (
            ConnectivityChecker.check_proxmox_connectivity,
            {"target_host": ..., "timeout_seconds": 10},
        ),
        (
            MinecraftChecker.check_minecraft_connectivity,
            {"target_host": ..., "port": 25565, "timeout_seconds": 5},
        ),
        (ServerManager.wake_server, {"mac_address": None, "target_host": None}),
        (
            ServerManager.shutdown_server,
            {"target_host": None, "ssh_user": None, "ssh_key_path": None, "delay_minutes": 0},
        ),
        (ServerManager.check_proxmox_status, {"target_host": None}),
        (ServerManager.check_minecraft_status, {"target_host": None, "port": None}),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_parameters_and_defaults_are_the_seeds(
    method: Callable[..., Any], parameters: dict[str, Any]
) -> None:
    positional = {
        name: ... if parameter.default is inspect.Parameter.empty else parameter.default
        for name, parameter in inspect.signature(method).parameters.items()
        if name != "self" and parameter.kind is not inspect.Parameter.KEYWORD_ONLY
    }
    assert positional == parameters
    assert inspect.iscoroutinefunction(method)


def test_every_class_is_constructed_as_in_the_seed() -> None:
    for module in (WakeOnLANManager, SSHManager, ConnectivityChecker, MinecraftChecker):
        assert module(LOGGER).logger is LOGGER
    config = {"proxmox": {"ipv4": HOST}}
    manager = ServerManager(config, LOGGER)
    assert manager.config is config
    assert manager.logger is LOGGER
    assert isinstance(manager.wake_on_lan, WakeOnLANManager)
    assert isinstance(manager.ssh_manager, SSHManager)
    assert isinstance(manager.connectivity_checker, ConnectivityChecker)
    assert isinstance(manager.minecraft_checker, MinecraftChecker)


async def test_wake_on_lan() -> None:
    result = proven(
        await WakeOnLANManager(LOGGER).wake_server(MAC, HOST),
        success=True,
        details={"mac_address", "target_host", "packets_sent", "operation"},
    )
    assert result["details"]["mac_address"] == MAC
    assert result["details"]["target_host"] == HOST
    assert result["details"]["packets_sent"] == 3
    assert result["details"]["operation"] == "wake_on_lan"
    failed = proven(
        await WakeOnLANManager(LOGGER).wake_server(mac_address="nonsense", target_host=HOST),
        success=False,
        details={"mac_address", "target_host", "operation"},
    )
    assert failed["error"] == "invalid_input"


async def test_ssh_manager(tmp_path: Path) -> None:
    async with SshHost(directory=tmp_path).running() as host:
        manager = SSHManager(LOGGER)
        result = proven(
            await manager.shutdown_server(
                HOST, USER, host.key_path, 5, port=host.port, host_key=host.host_key
            ),
            success=True,
            details={"target_host", "delay_minutes", "operation"},
        )
        assert result["details"] == {
            "target_host": HOST,
            "delay_minutes": 5,
            "operation": "shutdown",
        }
        assert host.commands == ["shutdown -h +5"]
        unpinned = await manager.shutdown_server(HOST, USER, host.key_path)
        assert proven(unpinned, success=False, details=set())["error"] == "ssh_error"
        missing = await manager.shutdown_server(
            HOST, USER, str(tmp_path / "missing"), host_key=host.host_key
        )
        assert proven(missing, success=False, details=set())["error"] == "file_not_found"


async def test_connectivity_checker() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), HOST, 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        checker = ConnectivityChecker(LOGGER, port=port, ping=False)
        result = proven(
            await checker.check_proxmox_connectivity(HOST),
            success=True,
            details={"target_host", "response_time", "operation", "latency_ms", "ping", "port"},
        )
    assert result["details"]["response_time"] == "OK"
    assert result["details"]["operation"] == "connectivity_check"
    failed = proven(
        await checker.check_proxmox_connectivity(target_host=HOST, timeout_seconds=1),
        success=False,
        details={"target_host", "operation"},
    )
    assert failed["error"] == "connection_error"


async def test_minecraft_checker() -> None:
    async with StatusServer() as server:
        result = proven(
            await MinecraftChecker(LOGGER).check_minecraft_connectivity(HOST, server.port),
            success=True,
            details={"target_host", "port", "operation", "players_online", "version"},
        )
    assert result["details"]["port"] == server.port
    assert result["details"]["operation"] == "minecraft_check"
    failed = proven(
        await MinecraftChecker(LOGGER).check_minecraft_connectivity(
            target_host="::1", port=closed_port(), timeout_seconds=1
        ),
        success=False,
        details={"target_host", "port", "operation"},
    )
    assert failed["error"] == "connection_error"


async def test_server_manager(tmp_path: Path) -> None:
    nic = LoopbackNic(MAC, [(HOST, 0)])
    await nic.open()
    async with SshHost(directory=tmp_path).running() as host, StatusServer() as server:
        manager = ServerManager(
            {
                "proxmox": {
                    "ipv4": HOST,
                    "mac_address": MAC,
                    "port": host.port,
                    "ssh_user": USER,
                    "ssh_key_path": host.key_path,
                    "ssh_port": host.port,
                    "ssh_host_key": host.host_key,
                    "ping": False,
                },
                "minecraft": {"ipv4": HOST, "port": server.port},
                "wake_on_lan": {"ports": [nic.port]},
            },
            LOGGER,
        )
        woken = proven(await manager.wake_server(), success=True, details={"packets_sent"})
        assert woken["details"]["mac_address"] == MAC
        assert (await manager.wake_server(MAC, HOST))["success"]
        async with asyncio.timeout(5):
            while len(nic.packets) < 6:
                await asyncio.sleep(0.01)
        proven(await manager.shutdown_server(), success=True, details={"delay_minutes"})
        assert (await manager.shutdown_server(HOST, USER, host.key_path, 2))["success"]
        assert host.commands == ["shutdown -h +0", "shutdown -h +2"]
        proven(await manager.check_proxmox_status(), success=True, details={"response_time"})
        assert (await manager.check_proxmox_status(HOST))["success"]
        proven(await manager.check_minecraft_status(), success=True, details={"port"})
        assert (await manager.check_minecraft_status(HOST, server.port))["success"]
    nic.close()
