"""What the tests of discord_bridge/ share: a Discord on loopback, and the texts."""

import asyncio
from collections.abc import AsyncIterator
import json
import threading
from typing import Final

import pytest
import pytest_socket

from tests.house import INTEGRATION

from .discord_peer import DiscordPeer

ALL_TEXTS: Final[dict[str, dict[str, str]]] = {
    language: json.loads((INTEGRATION / "texts" / f"{language}.json").read_text(encoding="utf-8"))
    for language in ("en", "fr")
}


@pytest.fixture(autouse=True)
def loopback(socket_enabled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow loopback, and send nothing through a proxy."""
    pytest_socket.socket_allow_hosts(["127.0.0.0/8"])
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(params=["en", "fr"])
def texts(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the texts, in one language after the other."""
    return ALL_TEXTS[request.param]


@pytest.fixture
def english() -> dict[str, str]:
    return ALL_TEXTS["en"]


@pytest.fixture
async def peer() -> AsyncIterator[DiscordPeer]:
    async with DiscordPeer().running() as running:
        yield running
    async with asyncio.timeout(10):
        while any("webhook" in one.name for one in threading.enumerate()):
            await asyncio.sleep(0.005)
