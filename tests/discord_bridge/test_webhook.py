"""One webhook: what is sent, how answers are judged, and that the secret stays one."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
import logging
from pathlib import Path
import ssl
import subprocess
import sys
import threading
from typing import Any

import pytest

from custom_components.cubeguardian.discord_bridge import webhook as module
from custom_components.cubeguardian.discord_bridge.message import Embed, Field, Message
from custom_components.cubeguardian.discord_bridge.webhook import Answer, Poster, Verdict, judged
from tests.house import ROOT
from tests.lab.certificates import NodeCertificates

from .discord_peer import (
    MESSAGE_ID,
    THREAD,
    TOKEN,
    WEBHOOK_ID,
    DiscordPeer,
    hangs,
    resets,
    says,
    sends,
)

HELLO = Message(content="Hello")
LIBRARIES = ("urllib3", "requests", "discord_webhook", "charset_normalizer", "asyncio")


@pytest.fixture
async def poster(peer: DiscordPeer) -> AsyncIterator[Poster]:
    made = Poster(peer.url, patience=10)
    yield made
    made.close()


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Return the log with every line of every library at debug level."""
    caplog.set_level(logging.DEBUG)
    for name in (*LIBRARIES, *map(str, logging.root.manager.loggerDict)):
        if name.partition(".")[0] in LIBRARIES:
            caplog.set_level(logging.DEBUG, logger=name)
    return caplog


async def test_a_message_arrives_whole_and_mentions_nobody(
    peer: DiscordPeer, poster: Poster
) -> None:
    embed = Embed(
        title="Ready",
        description="Line",
        colour=0x23A55A,
        author="Attic",
        footer="small",
        fields=(Field(name="Players", value="3", inline=True),),
        at=datetime(2026, 11, 22, 14, 30, tzinfo=UTC),
    )
    answer = await poster.post(Message(content="Hello", embeds=(embed,), mentions=(42,)))
    assert answer.verdict is Verdict.DELIVERED
    assert answer.message_id == MESSAGE_ID
    [received] = peer.received
    assert received.method == "POST"
    assert received.target == f"/api/v10/webhooks/{WEBHOOK_ID}/{TOKEN}?wait=True"
    assert received.body["content"] == "Hello"
    assert received.body["allowed_mentions"] == {"parse": []}
    [sent] = received.body["embeds"]
    assert (sent["title"], sent["description"], sent["color"]) == ("Ready", "Line", 0x23A55A)
    assert sent["author"]["name"] == "Attic"
    assert sent["footer"]["text"] == "small"
    assert sent["fields"] == [{"name": "Players", "value": "3", "inline": True}]
    assert sent["timestamp"].startswith("2026-11-22T14:30:00")


async def test_a_thread_goes_into_the_query(peer: DiscordPeer) -> None:
    poster = Poster(replace(peer.url, thread_id=THREAD))
    await poster.post(HELLO)
    await poster.edit(MESSAGE_ID, HELLO)
    poster.close()
    assert [f"thread_id={THREAD}" in one.target for one in peer.received] == [True, True]


async def test_a_message_is_replaced_in_place(peer: DiscordPeer, poster: Poster) -> None:
    answer = await poster.edit(MESSAGE_ID, HELLO)
    assert answer.verdict is Verdict.DELIVERED
    [received] = peer.received
    assert received.method == "PATCH"
    assert received.path == f"/api/v10/webhooks/{WEBHOOK_ID}/{TOKEN}/messages/{MESSAGE_ID}"
    assert received.body["allowed_mentions"] == {"parse": []}


@pytest.mark.parametrize(
    ("status", "body", "edited", "verdict"),
    [
        (204, b"", False, Verdict.DELIVERED),
        (200, b"no json", False, Verdict.DELIVERED),
        (200, b'{"id": 5}', False, Verdict.DELIVERED),
        (400, b'{"code": 50006}', False, Verdict.REJECTED),
        (404, b'{"code": 10015}', False, Verdict.GONE),
        (404, b"", False, Verdict.GONE),
        (404, b'{"code": 10015}', True, Verdict.GONE),
        (404, b'{"code": 10008}', True, Verdict.MESSAGE_GONE),
        (401, b'{"code": 50027}', False, Verdict.DENIED),
        (403, b'{"code": 50013}', False, Verdict.DENIED),
        (403, b"<html>", False, Verdict.AWAY),
        (429, b"{}", False, Verdict.LIMITED),
        (302, b"", False, Verdict.AWAY),
        (500, b"", False, Verdict.AWAY),
        (502, b"<html>", False, Verdict.AWAY),
    ],
)
def test_each_answer_has_its_meaning(
    status: int, body: bytes, edited: bool, verdict: Verdict
) -> None:
    assert judged(status, {}, body, edited=edited).verdict is verdict


@pytest.mark.parametrize(
    ("headers", "body", "wait"),
    [
        ({}, b'{"retry_after": 1.5}', 1.5),
        ({"Retry-After": "7"}, b'{"retry_after": 1.5}', 1.5),
        ({"Retry-After": "7"}, b"<html>", 7),
        ({"X-RateLimit-Reset-After": "2.25"}, b"{}", 2.25),
        ({}, b"{}", 60),
        ({}, b'{"retry_after": 0}', 0.1),
        ({}, b'{"retry_after": -1}', 60),
        ({}, b'{"retry_after": NaN}', 60),
        ({}, b'{"retry_after": true}', 60),
        ({}, b'{"retry_after": "soon"}', 60),
        ({}, b'{"retry_after": 1e9}', 86400),
        ({}, b'{"retry_after": 1' + b"0" * 400 + b"}", 60),
        ({}, b"[" * 100_000, 60),
    ],
)
def test_a_limit_is_waited_for_as_long_as_discord_says(
    headers: dict[str, str], body: bytes, wait: float
) -> None:
    answer = judged(429, headers, body, edited=False)
    assert (answer.verdict, answer.wait) == (Verdict.LIMITED, wait)


def test_an_emptied_bucket_is_waited_for_before_it_overflows() -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "1.5"}
    assert judged(204, headers, b"", edited=False).wait == 1.5
    assert judged(204, headers | {"X-RateLimit-Remaining": "1"}, b"", edited=False).wait == 0


async def test_a_redirection_is_no_delivery(peer: DiscordPeer, poster: Poster) -> None:
    there = f"http://127.0.0.1:{peer.port}/elsewhere"
    peer.answers.append(says(302, Location=there))
    answer = await poster.post(HELLO)
    assert (answer.verdict, answer.why) == (Verdict.AWAY, "status 302")


async def test_a_closed_port_means_that_nothing_was_sent() -> None:
    async with DiscordPeer().running() as gone:
        url = gone.url
    poster = Poster(url)
    answer = await poster.post(HELLO)
    poster.close()
    assert (answer.verdict, answer.why) == (Verdict.AWAY, "ConnectionError")


async def test_a_broken_connection_leaves_open_whether_it_was_delivered(
    peer: DiscordPeer, poster: Poster
) -> None:
    peer.answers.append(resets)
    assert (await poster.post(HELLO)).verdict is Verdict.UNCLEAR


async def test_a_thread_that_does_not_come_back_is_left_behind(peer: DiscordPeer) -> None:
    poster = Poster(peer.url, patience=0.2)
    peer.answers.extend([hangs, hangs])
    first, second = await poster.post(HELLO), await poster.post(HELLO)
    assert {first.verdict, second.verdict} == {Verdict.UNCLEAR}
    stuck = await poster.post(HELLO)
    assert (stuck.verdict, stuck.why) == (Verdict.AWAY, "threads are stuck")
    assert len(peer.received) == 2
    poster.close()


async def test_a_thread_that_came_back_after_all_makes_room(peer: DiscordPeer) -> None:
    poster = Poster(peer.url, patience=0.2)
    let_go = asyncio.Event()

    async def late(writer: asyncio.StreamWriter) -> None:
        await let_go.wait()
        await says(204)(writer)

    peer.answers.extend([late, late])
    await poster.post(HELLO)
    await poster.post(HELLO)
    let_go.set()
    async with asyncio.timeout(5):
        while (await poster.post(HELLO)).verdict is Verdict.AWAY:
            await asyncio.sleep(0.01)
    poster.close()


async def test_whoever_no_longer_waits_leaves_the_thread_behind(peer: DiscordPeer) -> None:
    poster = Poster(peer.url)
    peer.answers.append(hangs)
    task = asyncio.create_task(poster.post(HELLO))
    await peer.wait_for(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await poster.post(HELLO)).verdict is Verdict.DELIVERED
    poster.close()


async def test_the_thread_is_gone_as_soon_as_it_is_told_to(peer: DiscordPeer) -> None:
    poster = Poster(peer.url)
    await poster.post(HELLO)
    assert _threads() == 1
    poster.close()
    assert _threads() == 0
    poster.close()


def _threads() -> int:
    return sum("webhook" in one.name for one in threading.enumerate() if one.is_alive())


FAULTS: dict[str, Any] = {
    "fine": says(204),
    "404": says(404, {"code": 10015, "message": "Unknown Webhook"}),
    "401": says(401, {"code": 50027}),
    "429": says(429, {"retry_after": 0.01}),
    "500": says(500, b"oops"),
    "echo": says(400, f"bad {TOKEN}".encode()),
    "html": says(502, "<html>é</html>".encode("latin-1"), Content_Type="text/html"),
    "redirection": says(307, Location=f"http://127.0.0.1:1/api/{TOKEN}"),
    "no http": sends(b"\x00\x01\x02\r\n\r\n"),
    "bad header": sends(b"HTTP/1.1 200 OK\r\nno colon here\r\nX: y\r\n\r\n{}"),
    "two lengths": sends(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    ),
    "cut off": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
    "nothing": sends(b""),
    "reset": resets,
    "timeout": hangs,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("edit", [False, True], ids=["post", "edit"])
async def test_no_line_of_the_log_ever_holds_the_secret(
    peer: DiscordPeer, fault: str, edit: bool, everything_logged: pytest.LogCaptureFixture
) -> None:
    asyncio.get_running_loop().set_debug(True)
    poster = Poster(peer.url, patience=0.3)
    peer.answers.append(FAULTS[fault])
    answer = await (poster.edit(MESSAGE_ID, HELLO) if edit else poster.post(HELLO))
    poster.close()
    assert len(peer.received) == 1
    assert TOKEN not in everything_logged.text
    assert TOKEN not in f"{answer!r} {poster!r}"


async def test_no_line_holds_the_secret_where_the_certificate_is_not_trusted(
    tmp_path: Path, everything_logged: pytest.LogCaptureFixture
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*NodeCertificates(tmp_path).write())
    async with DiscordPeer().running(context) as peer:
        poster = Poster(peer.url)
        answer = await poster.post(HELLO)
        poster.close()
    assert (answer.verdict, answer.why) == (Verdict.AWAY, "SSLError")
    assert peer.received == []
    assert TOKEN not in everything_logged.text


async def test_in_any_other_thread_the_libraries_would_tell_the_secret(
    peer: DiscordPeer, everything_logged: pytest.LogCaptureFixture
) -> None:
    peer.answers.append(FAULTS["bad header"])
    await asyncio.to_thread(module._sent, peer.url, HELLO, None)
    told = [one for one in everything_logged.records if TOKEN in one.getMessage()]
    assert {one.levelno for one in told} >= {logging.DEBUG, logging.WARNING}


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (ImportError(TOKEN), Verdict.AWAY),
        (ValueError(TOKEN), Verdict.REJECTED),
        (MemoryError(), Verdict.REJECTED),
    ],
)
async def test_what_goes_wrong_in_the_thread_stays_there(
    peer: DiscordPeer,
    poster: Poster,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    verdict: Verdict,
    everything_logged: pytest.LogCaptureFixture,
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(module, "_hush", fail)
    answer = await poster.post(HELLO)
    assert answer == Answer(verdict=verdict, why=type(error).__name__)
    assert TOKEN not in everything_logged.text


def test_the_library_is_not_loaded_before_the_first_message() -> None:
    code = """
import sys, types
for name in ("custom_components", "custom_components.cubeguardian"):
    sys.modules[name] = stub = types.ModuleType(name)
    stub.__path__ = [name.replace(".", "/")]
import custom_components.cubeguardian.discord_bridge.notifier
import custom_components.cubeguardian.discord_bridge.render
print(sorted({"discord_webhook", "requests", "discord", "homeassistant"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr
