"""Fixtures for the lab's own tests."""

import pytest
import pytest_socket


@pytest.fixture(autouse=True)
def loopback(socket_enabled: None) -> None:
    """Open loopback and the wire between our namespaces: the harness allows 127.0.0.1 only."""
    pytest_socket.socket_allow_hosts(["127.0.0.0/8", "::1", "10.77.0.0/24"])
