"""What the tests of server_manager/ share: real peers on loopback."""

from collections.abc import AsyncIterator
import logging
from pathlib import Path
import socket
from typing import Any

import aiohttp
import pytest
import pytest_socket

from custom_components.cubeguardian.server_manager import ProxmoxAPI, TlsTrust, network
from tests.lab.pve import TOKEN_ID, TOKEN_SECRET, LabPve

LOGGER = logging.getLogger("tests.server_manager")
MAC = "00:23:7D:FD:C0:5C"


@pytest.fixture(autouse=True)
def loopback(socket_enabled: None) -> None:
    """Allow every loopback address, which the harness forbids."""
    pytest_socket.socket_allow_hosts(["127.0.0.0/8", "::1"])


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Return the names that this machine's resolver knows; any other is unknown."""
    known: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def look_up(host: str, port: int | str | None, *options: Any, **more: Any) -> list[Any]:
        if network.literal(host) is not None:
            return list(real(host, port, *options, **more))
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [found for address in known[host] for found in real(address, port, *options, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Return a session as Home Assistant would lend it: with cookies and kept connections."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as lent:
        yield lent


@pytest.fixture
async def pve(tmp_path: Path) -> AsyncIterator[LabPve]:
    """Return a running node with a token, a game server's guest and another one."""
    async with LabPve(tmp_path) as node:
        node.time_scale = 0
        node.add_guest(101, "minecraft")
        node.add_guest(200, "dns", kind="lxc")
        node.add_token(game_guests=(101, 200))
        yield node


@pytest.fixture
def api(pve: LabPve, session: aiohttp.ClientSession) -> ProxmoxAPI:
    """Return the client of that node, which trusts its authority."""
    return make_api(pve, session)


def make_api(
    pve: LabPve,
    session: aiohttp.ClientSession | None,
    *,
    trust: TlsTrust | None = None,
    secret: str = TOKEN_SECRET,
    node: str | None = None,
) -> ProxmoxAPI:
    """Return a client of a node."""
    return ProxmoxAPI(
        LOGGER,
        session=session,
        host=pve.host,
        port=pve.port,
        token_id=TOKEN_ID,
        token_secret=secret,
        trust=trust or TlsTrust.pin_authority(pve.certificates.authority.pem),
        node=node,
    )


def closed_port(host: str = "127.0.0.1") -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind((host, 0))
        return int(taken.getsockname()[1])
