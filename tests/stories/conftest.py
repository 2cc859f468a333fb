"""Fixtures of the stories."""

from collections.abc import Iterator

import pytest
import pytest_socket

from tests.lab.namespaces import TwoNamespaces


@pytest.fixture(autouse=True)
def wire_only(socket_enabled: None) -> None:
    """Open loopback and the wire between our namespaces: the harness allows 127.0.0.1 only."""
    pytest_socket.socket_allow_hosts(["127.0.0.0/8", "10.77.0.0/24"])


@pytest.fixture
def wire() -> Iterator[TwoNamespaces]:
    """Return two namespaces and the wire between them; they vanish with the test."""
    with TwoNamespaces() as both:
        yield both
