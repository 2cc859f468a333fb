"""The address of a webhook: what people paste, what is refused, what Discord tells of it."""

from collections.abc import AsyncIterator
import logging
from typing import Any

import aiohttp
import pytest

from custom_components.cubeguardian.discord_bridge.webhook_url import (
    API,
    BadWebhookUrlError,
    Flaw,
    Refusal,
    WebhookFetchError,
    fetch_webhook,
    parse_webhook_url,
)

from .discord_peer import THREAD, TOKEN, TYPED, WEBHOOK_ID, DiscordPeer, resets, says

FACTS: dict[str, Any] = {
    "type": 1,
    "id": WEBHOOK_ID,
    "token": TOKEN,
    "name": "Cube",
    "channel_id": THREAD,
    "guild_id": WEBHOOK_ID,
}


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as lent:
        yield lent


@pytest.mark.parametrize("branch", ["", "www.", "canary.", "ptb."])
@pytest.mark.parametrize("name", ["discord.com", "discordapp.com", "DISCORD.com"])
@pytest.mark.parametrize("version", ["", "/v6", "/v10"])
def test_every_form_that_discord_copies_leads_to_the_same_place(
    branch: str, name: str, version: str
) -> None:
    parsed = parse_webhook_url(
        f" https://{branch}{name}/api{version}/webhooks/{WEBHOOK_ID}/{TOKEN}\n"
    )
    assert parsed.secret() == f"{API}/webhooks/{WEBHOOK_ID}/{TOKEN}"
    assert parsed.thread_id is None


def test_a_thread_is_taken_out_of_the_query_and_the_rest_of_it_forgotten() -> None:
    parsed = parse_webhook_url(f"<{TYPED}?wait=true&thread_id={THREAD}&x=1>")
    assert parsed.thread_id == THREAD
    assert "?" not in parsed.secret()


@pytest.mark.parametrize(
    "query",
    ["thread_id=", "thread_id=1", f"thread_id={THREAD}x", f"thread_id={THREAD}&thread_id={THREAD}"],
)
def test_a_thread_that_is_none_is_refused(query: str) -> None:
    with pytest.raises(BadWebhookUrlError) as caught:
        parse_webhook_url(f"{TYPED}?{query}")
    assert caught.value.flaw is Flaw.BAD_THREAD


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        TYPED.replace("https", "http"),
        TYPED.replace("https://", "https://me@"),
        TYPED.replace("discord.com", "discord.com:444"),
        TYPED.replace("discord.com", "discord.com.evil.example"),
        TYPED.replace("discord.com", "evildiscord.com"),
        TYPED.replace("discord.com", "127.0.0.1"),
        f"https://evil.example/?{TYPED}",
        f"https://[{TYPED}",
        f"{TYPED}/slack",
        f"{TYPED}/../..",
        TYPED.replace(TOKEN, TOKEN[:20]),
        TYPED.replace(TOKEN, f"{TOKEN}%2f"),
        TYPED.replace(WEBHOOK_ID, "1"),
        TYPED.replace("/webhooks/", "/webhooks//"),
        f"{TYPED}\u0661",
        f"{TYPED[:-1]}\n{TYPED[-1]}",
        f"{TYPED}?x={'y' * 600}",
    ],
)
def test_what_is_no_webhook_of_discord_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(BadWebhookUrlError) as caught:
        parse_webhook_url(text)
    assert caught.value.flaw is Flaw.NOT_A_WEBHOOK
    assert str(caught.value) == "not_a_webhook"
    assert caught.value.__context__ is None


def test_the_token_shows_in_no_representation() -> None:
    parsed = parse_webhook_url(TYPED)
    assert TOKEN not in f"{parsed!r} {parsed!s} {[parsed]}"
    assert WEBHOOK_ID in repr(parsed)


async def test_discord_tells_what_a_webhook_belongs_to(
    peer: DiscordPeer, session: aiohttp.ClientSession
) -> None:
    peer.answers.append(says(200, FACTS))
    facts = await fetch_webhook(peer.url, session)
    assert (facts.name, facts.channel_id, facts.guild_id) == ("Cube", THREAD, WEBHOOK_ID)
    assert peer.received[0].method == "GET"
    assert peer.received[0].target == f"/api/v10/webhooks/{WEBHOOK_ID}/{TOKEN}"


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        (says(404, {"code": 10015}), Refusal.GONE),
        (says(401, {"code": 50027}), Refusal.DENIED),
        (says(403), Refusal.DENIED),
        (says(429, {"retry_after": 5}), Refusal.BUSY),
        (says(500), Refusal.AWAY),
        (says(302, Location="http://127.0.0.1:1/"), Refusal.AWAY),
        (says(200, b"<html>"), Refusal.AWAY),
        (says(200, [1]), Refusal.AWAY),
        (says(200, {"type": 1}), Refusal.AWAY),
        (says(200, b"[" * 70_000), Refusal.AWAY),
        (says(200, FACTS | {"type": 2}), Refusal.NOT_INCOMING),
        (resets, Refusal.AWAY),
    ],
)
async def test_a_webhook_that_cannot_be_asked_says_why_and_nothing_secret(
    peer: DiscordPeer,
    session: aiohttp.ClientSession,
    answer: Any,
    refusal: Refusal,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    peer.answers.append(answer)
    with pytest.raises(WebhookFetchError) as caught:
        await fetch_webhook(peer.url, session)
    assert caught.value.refusal is refusal
    assert caught.value.__context__ is None
    assert TOKEN not in f"{caught.value!r}{caplog.text}"


async def test_what_discord_calls_a_webhook_is_made_harmless(
    peer: DiscordPeer, session: aiohttp.ClientSession
) -> None:
    peer.answers.append(says(200, FACTS | {"name": "@everyone\u202e`x", "guild_id": 7}))
    facts = await fetch_webhook(peer.url, session)
    assert not set("@`\u202e") & set(facts.name)
    assert facts.guild_id == ""
