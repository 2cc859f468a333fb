"""Fixtures of the flows' tests: a node of the lab, and a loopback where nothing answers ping."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from unittest.mock import AsyncMock, patch

from homeassistant.core import HomeAssistant
import pytest
import pytest_socket

from custom_components.cubeguardian import flow_checks

from .flows import forbid_ping, overlook_hang_ups
from .lab.pve import LabPve


@pytest.fixture
def quiet_loopback(socket_enabled: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Allow loopback alone, where no ping and no neighbour table gives a sleeping host away."""
    pytest_socket.socket_allow_hosts(["127.0.0.0/8", "::1"])
    forbid_ping(monkeypatch)
    monkeypatch.setattr(flow_checks, "NEIGHBOUR_TABLE", tmp_path / "arp")


@pytest.fixture
def entries_stay_still() -> Generator[AsyncMock]:
    """Leave the set-up of what the flows make to its own tests."""
    with patch("custom_components.cubeguardian.async_setup_entry", return_value=True) as set_up:
        yield set_up


@pytest.fixture
async def pve(hass: HomeAssistant, tmp_path: Path) -> AsyncGenerator[LabPve]:
    """Run a node with the token and all rights."""
    overlook_hang_ups()
    async with LabPve(tmp_path) as node:
        node.add_token()
        yield node


@pytest.fixture
async def sleeping_pve(pve: LabPve) -> LabPve:
    """Return a node that does not answer; its port stays the same."""
    await pve.stop()
    return pve
