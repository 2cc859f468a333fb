"""Fixtures of the tests about webhooks: a Discord on loopback in the place of the real one."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
import threading
from typing import Any

from homeassistant.core import HomeAssistant
import pytest
import pytest_socket

from custom_components.cubeguardian import discord_link, webhook_checks
from custom_components.cubeguardian.bot_link import BOT_TASK
from custom_components.cubeguardian.discord_bridge.webhook_url import WebhookUrl, parse_webhook_url

from .discord_bridge.discord_peer import DiscordPeer
from .webhooks import FAST, WEBHOOK_TASK, until


@pytest.fixture
def hass_that_settles(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for what runs on for as long as it is set up: webhooks, and the bot."""
    block = hass.async_block_till_done

    async def settle(wait_background_tasks: bool = False) -> None:
        await block()
        while wait_background_tasks and (running := _under_way(hass)):
            await asyncio.wait(running, timeout=1)
            await block()

    monkeypatch.setattr(hass, "async_block_till_done", settle)


def _under_way(hass: HomeAssistant) -> set[asyncio.Future[Any]]:
    """Return what runs in the background and comes to an end by itself."""
    return {
        one
        for one in hass._background_tasks
        if not isinstance(one, asyncio.Task)
        or not one.get_name().startswith((WEBHOOK_TASK, BOT_TASK))
    }


@pytest.fixture
async def peer(
    socket_enabled: None, monkeypatch: pytest.MonkeyPatch, hass_that_settles: None
) -> AsyncIterator[DiscordPeer]:
    """Run a Discord, and lead what is sent to Discord there; its threads are gone afterwards."""
    pytest_socket.socket_allow_hosts(["127.0.0.0/8"])
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with DiscordPeer().running() as running:

        def led(text: str) -> WebhookUrl:
            return replace(parse_webhook_url(text), base=running.url.base)

        monkeypatch.setattr(discord_link, "parse_webhook_url", led)
        monkeypatch.setattr(webhook_checks, "parse_webhook_url", led)
        monkeypatch.setattr(discord_link, "PACE", FAST)
        monkeypatch.setattr(discord_link, "SETTLE_SECONDS", 0.5)
        yield running
    await until(lambda: not any("webhook" in one.name for one in threading.enumerate()))
