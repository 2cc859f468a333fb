"""Webhooks of the stand-in, with the libraries that post to them, in this and another process."""

import asyncio
import importlib
import json
import os
from pathlib import Path
import sys
from typing import Any

import aiohttp
import discord
import pytest

from . import REDIRECTING, VARIABLE, Channel, DiscordStandIn, Member, RateLimit, Source, Webhook
from .record import Call, Posted

# It says nothing of its types.
discord_webhook: Any = importlib.import_module("discord_webhook")

LOOPBACK_ONLY = Path(__file__).parents[1] / "loopback_only"
CODE = """
import asyncio, json, os, sys
import aiohttp, requests

async def ask(url):
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.json()

def refused(ask):
    try:
        ask()
    except OSError as error:
        return type(error).__name__

url = sys.argv[1]
first, second = asyncio.run(ask(url)), requests.get(url, timeout=5).json()
elsewhere = refused(lambda: requests.get("http://192.0.2.1/", timeout=1))
print(json.dumps([first["name"], second["name"], elsewhere]))
"""


@pytest.fixture
def webhook(stand_in: DiscordStandIn, lobby: Channel) -> Webhook:
    return stand_in.add_webhook(lobby, "attic")


async def test_a_webhook_can_be_looked_at(stand_in: DiscordStandIn, webhook: Webhook) -> None:
    for url in (webhook.url, webhook.url.replace("/api/", "/api/v10/")):
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            shown = await response.json(content_type="application/json")
        assert (shown["name"], int(shown["channel_id"])) == ("attic", webhook.channel.id)
    assert webhook.token not in json.dumps(stand_in.evidence())


async def test_discord_webhook_posts_and_edits(
    stand_in: DiscordStandIn, webhook: Webhook, lobby: Channel
) -> None:
    post = discord_webhook.DiscordWebhook(webhook.url, content="@everyone hello", timeout=5)
    post.add_embed(
        discord_webhook.DiscordEmbed(title="attic", description="waking", color="03b2f8")
    )
    answer = await asyncio.to_thread(post.api_post_request)
    assert answer.status_code == 200
    post.id, post.content = answer.json()["id"], "changed"
    await asyncio.to_thread(post.edit)
    (message,) = stand_in.messages(lobby)
    assert (message.content, message.source) == ("changed", Source.WEBHOOK)
    assert message.embeds[0].text == "attic\nwaking"
    assert message.embeds[0].colour == 0x03B2F8
    (posted,) = stand_in.record.of(Posted)
    assert not posted.message.pings.everyone


async def test_a_webhook_writes_into_a_thread_of_its_channel_only(
    stand_in: DiscordStandIn, webhook: Webhook, lobby: Channel
) -> None:
    thread = stand_in.add_thread(lobby, "nights")
    async with aiohttp.ClientSession() as session:
        body = {"content": "hello"}
        for place, status in ((thread.id, 204), (lobby.id, 400)):
            async with session.post(f"{webhook.url}?thread_id={place}", json=body) as response:
                assert response.status == status
    assert [message.content for message in stand_in.messages(thread)] == ["hello"]
    assert stand_in.messages(lobby) == ()


async def test_a_webhook_that_is_gone_is_not_found(
    stand_in: DiscordStandIn, webhook: Webhook
) -> None:
    stand_in.remove_webhook(webhook)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(discord.NotFound) as missing:
            await discord.Webhook.from_url(webhook.url, session=session).send("hello")
    assert missing.value.code == 10015


async def test_a_webhook_of_a_wrong_token_or_name_is_refused(
    stand_in: DiscordStandIn, webhook: Webhook, lobby: Channel
) -> None:
    async with aiohttp.ClientSession() as session:
        for url, name, status in (
            (f"{webhook.url}x", "attic", 401),
            (webhook.url, "a Discord bot", 400),
        ):
            body = {"content": "hello", "username": name}
            async with session.post(url, json=body) as response:
                assert response.status == status
    assert stand_in.messages(lobby) == ()


async def test_a_webhook_edits_and_deletes_its_own_messages_only(
    stand_in: DiscordStandIn, webhook: Webhook, lobby: Channel, kim: Member
) -> None:
    said = stand_in.say(kim, "hands off", lobby)
    async with aiohttp.ClientSession() as session:
        door = discord.Webhook.from_url(webhook.url, session=session)
        with pytest.raises(discord.NotFound) as missing:
            await door.edit_message(said.id, content="changed")
        assert missing.value.code == 10008
        sent = await door.send("hello", wait=True)
        assert (await door.fetch_message(sent.id)).content == "hello"
        await door.delete_message(sent.id)
        await door.delete(reason="moving out")
    assert stand_in.messages(lobby) == (said,)
    assert stand_in.world.webhooks == {}


async def test_a_webhook_can_be_limited(
    stand_in: DiscordStandIn, webhook: Webhook, lobby: Channel
) -> None:
    stand_in.break_with(RateLimit(retry_after=0.1), path="^/webhooks/", times=1)
    async with aiohttp.ClientSession() as session:
        door = discord.Webhook.from_url(webhook.url, session=session)
        sent = await door.send("hello", wait=True)
        await door.edit_message(sent.id, content="changed")
    assert [message.content for message in stand_in.messages(lobby)] == ["changed"]
    assert [call.status for call in stand_in.record.of(Call)] == [429, 200, 200]


async def test_another_process_is_led_to_the_stand_in_and_nowhere_else(
    stand_in: DiscordStandIn, webhook: Webhook
) -> None:
    path = os.pathsep.join(str(place) for place in (REDIRECTING, LOOPBACK_ONLY))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CODE, webhook.url,
        env={**os.environ, "PYTHONPATH": path, VARIABLE: stand_in.origin},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert json.loads(output) == ["attic", "attic", "ConnectionError"]
