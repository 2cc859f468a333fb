"""The notifier: in order, bounded, patient, and never silent about what was lost."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
import logging
from typing import Any

import pytest

from custom_components.cubeguardian.discord_bridge.message import Message
from custom_components.cubeguardian.discord_bridge.notifier import (
    Condition,
    Pace,
    WebhookNotifier,
)

from .discord_peer import MESSAGE_ID, TOKEN, DiscordPeer, hangs, resets, says

FAST = Pace(first_pause=0.02, longest_pause=0.05, edit_every=0.05, patience=2.0)
AWAY = says(503)


class Told:
    """What the notifier told the root."""

    def __init__(self) -> None:
        self.conditions: list[Condition] = []
        self.status_ids: list[str | None] = []


@pytest.fixture
def told() -> Told:
    return Told()


def make(peer: DiscordPeer, told: Told, pace: Pace = FAST, **more: Any) -> WebhookNotifier:
    return WebhookNotifier(
        peer.url,
        name="Evening",
        tell_dropped=lambda count: f"{count} lost",
        on_condition=told.conditions.append,
        on_status_id=told.status_ids.append,
        pace=pace,
        **more,
    )


@asynccontextmanager
async def running(notifier: WebhookNotifier) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(notifier.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)


def say(text: str) -> Message:
    return Message(content=text)


async def test_messages_arrive_in_order(peer: DiscordPeer, told: Told) -> None:
    notifier = make(peer, told)
    async with running(notifier):
        assert all(notifier.send(say(f"{number}")) for number in range(4))
        assert await notifier.settle(10) == 0
    assert peer.contents == ["0", "1", "2", "3"]
    assert told.conditions == []


async def test_a_full_queue_drops_the_oldest_and_the_next_message_tells(
    peer: DiscordPeer, told: Told
) -> None:
    notifier = make(peer, told, Pace(waiting_most=2))
    for number in range(5):
        notifier.send(say(f"{number}"))
    assert (notifier.dropped, notifier.waiting) == (3, 2)
    async with running(notifier):
        await notifier.settle(10)
    assert peer.contents == ["3 lost\n3", "4"]
    assert notifier.dropped == 0


async def test_what_was_lost_before_a_reload_is_told_after_it(
    peer: DiscordPeer, told: Told
) -> None:
    notifier = make(peer, told, dropped=7)
    notifier.send(Message())
    async with running(notifier):
        await notifier.settle(10)
    assert peer.contents == ["7 lost"]


async def test_the_note_counts_only_once_it_has_been_delivered(
    peer: DiscordPeer, told: Told
) -> None:
    peer.answers.append(AWAY)
    notifier = make(peer, told, dropped=2)
    async with running(notifier):
        notifier.send(say("a"))
        await notifier.settle(10)
    assert peer.contents == ["2 lost\na", "2 lost\na"]
    assert notifier.dropped == 0


async def test_discord_away_is_waited_for_and_told_once(peer: DiscordPeer, told: Told) -> None:
    peer.answers.extend([AWAY] * 3)
    notifier = make(peer, told)
    async with running(notifier):
        notifier.send(say("a"))
        notifier.send(say("b"))
        await notifier.settle(10)
    assert peer.contents == ["a", "a", "a", "a", "b"]
    assert told.conditions == [Condition.AWAY, Condition.FINE]


async def test_a_message_that_is_too_old_is_dropped_and_counted(
    peer: DiscordPeer, told: Told
) -> None:
    peer.answers.extend([AWAY] * 100)
    notifier = make(peer, told, Pace(first_pause=0.02, longest_pause=0.02, keep_for=0.1))
    async with running(notifier):
        notifier.send(say("old"))
        await until(lambda: notifier.dropped == 1)
        peer.answers.clear()
        notifier.send(say("new"))
        await until(lambda: notifier.dropped == 0)
    assert peer.contents[-1] == "1 lost\nnew"


@pytest.mark.parametrize("body", [{"code": 50006}, None])
async def test_a_message_that_discord_refuses_makes_room_for_the_next(
    peer: DiscordPeer, told: Told, body: object
) -> None:
    peer.answers.append(says(400, body))
    notifier = make(peer, told)
    async with running(notifier):
        notifier.send(say("bad"))
        notifier.send(say("good"))
        await notifier.settle(10)
    assert peer.contents == ["bad", "1 lost\ngood"]


async def test_a_message_that_may_have_arrived_is_sent_once_more_and_no_more(
    peer: DiscordPeer, told: Told
) -> None:
    peer.answers.extend([resets, resets])
    notifier = make(peer, told)
    async with running(notifier):
        notifier.send(say("a"))
        notifier.send(say("b"))
        await notifier.settle(10)
    assert peer.contents == ["a", "a", "1 lost\nb"]


@pytest.mark.parametrize(
    ("status", "code", "condition"),
    [(404, 10015, Condition.GONE), (401, 50027, Condition.DENIED), (403, 50013, Condition.DENIED)],
)
async def test_a_webhook_that_is_gone_is_left_in_peace_for_good(
    peer: DiscordPeer, told: Told, status: int, code: int, condition: Condition
) -> None:
    peer.answers.append(says(status, {"code": code}))
    notifier = make(peer, told)
    notifier.send(say("a"))
    notifier.send(say("b"))
    async with asyncio.timeout(10):
        await notifier.run()
    assert told.conditions == [condition]
    assert notifier.is_stopped
    assert (notifier.waiting, notifier.dropped) == (0, 2)
    assert notifier.send(say("c")) is False
    assert notifier.dropped == 3
    await notifier.run()
    assert len(peer.received) == 1


async def test_a_limit_is_waited_for_and_nothing_is_lost(peer: DiscordPeer, told: Told) -> None:
    peer.answers.append(says(429, {"retry_after": 0.3}))
    notifier = make(peer, told)
    loop = asyncio.get_running_loop()
    async with running(notifier):
        notifier.send(say("a"))
        await peer.wait_for(1)
        limited_at = loop.time()
        await peer.wait_for(2)
        assert loop.time() - limited_at >= 0.28
        await notifier.settle(10)
    assert peer.contents == ["a", "a"]
    assert told.conditions == []


async def test_an_emptied_bucket_delays_the_next_message(peer: DiscordPeer, told: Told) -> None:
    limited = says(204, None, X_RateLimit_Remaining="0", X_RateLimit_Reset_After="0.3")
    peer.answers.append(limited)
    notifier = make(peer, told)
    loop = asyncio.get_running_loop()
    async with running(notifier):
        notifier.send(say("a"))
        notifier.send(say("b"))
        await peer.wait_for(1)
        emptied_at = loop.time()
        await peer.wait_for(2)
    assert loop.time() - emptied_at >= 0.28


async def test_the_status_is_posted_once_and_then_replaced_in_place(
    peer: DiscordPeer, told: Told
) -> None:
    notifier = make(peer, told)
    async with running(notifier):
        notifier.show(say("off"))
        await peer.wait_for(1)
        notifier.show(say("waking"))
        await peer.wait_for(2)
    assert [one.method for one in peer.received] == ["POST", "PATCH"]
    assert peer.received[1].path.endswith(f"/messages/{MESSAGE_ID}")
    assert told.status_ids == [MESSAGE_ID]


async def test_the_status_is_known_again_after_a_restart(peer: DiscordPeer, told: Told) -> None:
    notifier = make(peer, told, status_id=MESSAGE_ID)
    async with running(notifier):
        notifier.show(say("off"))
        await peer.wait_for(1)
    assert peer.received[0].method == "PATCH"
    assert told.status_ids == []


async def test_a_status_that_somebody_deleted_is_posted_anew(peer: DiscordPeer, told: Told) -> None:
    peer.answers.append(says(404, {"code": 10008}))
    notifier = make(peer, told, status_id="111")
    async with running(notifier):
        notifier.show(say("off"))
        await peer.wait_for(2)
        await until(lambda: len(told.status_ids) == 2)
    assert [one.method for one in peer.received] == ["PATCH", "POST"]
    assert told.status_ids == [None, MESSAGE_ID]


async def test_the_status_changes_no_more_often_than_allowed_and_ends_up_right(
    peer: DiscordPeer, told: Told
) -> None:
    notifier = make(peer, told, Pace(edit_every=0.2))
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with running(notifier):
        for number in range(60):
            notifier.show(say(f"{number}"))
            await asyncio.sleep(0.01)
        await until(lambda: bool(peer.contents) and peer.contents[-1] == "59")
    assert len(peer.received) <= (loop.time() - began) / 0.2 + 1


async def test_an_unchanged_status_is_not_sent_again(peer: DiscordPeer, told: Told) -> None:
    notifier = make(peer, told, Pace(edit_every=0.01))
    async with running(notifier):
        notifier.show(say("off"))
        await peer.wait_for(1)
        for _ in range(10):
            notifier.show(say("off"))
            await asyncio.sleep(0.01)
    assert len(peer.received) == 1


async def test_a_status_that_discord_refuses_is_not_tried_for_ever(
    peer: DiscordPeer, told: Told
) -> None:
    peer.answers.append(says(400, {"code": 50035}))
    notifier = make(peer, told, Pace(edit_every=0.01))
    async with running(notifier):
        notifier.show(say("bad"))
        await peer.wait_for(1)
        await asyncio.sleep(0.1)
        assert len(peer.received) == 1
        notifier.show(say("good"))
        await peer.wait_for(2)
    assert peer.contents == ["bad", "good"]


async def test_messages_go_before_the_status(peer: DiscordPeer, told: Told) -> None:
    notifier = make(peer, told)
    notifier.show(say("status"))
    notifier.send(say("news"))
    async with running(notifier):
        await peer.wait_for(2)
    assert peer.contents == ["news", "status"]


async def test_whoever_unloads_learns_what_is_left(peer: DiscordPeer, told: Told) -> None:
    peer.answers.append(hangs)
    notifier = make(peer, told, Pace(patience=30))
    async with running(notifier):
        notifier.send(say("a"))
        notifier.send(say("b"))
        assert await notifier.settle(0.1) == 2


async def test_sending_never_waits_and_says_nothing_secret(
    peer: DiscordPeer, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    peer.answers.extend([hangs, resets, says(500), says(404)])
    notifier = make(peer, told, Pace(patience=0.1, first_pause=0.01, longest_pause=0.01))
    loop = asyncio.get_running_loop()
    async with running(notifier):
        began = loop.time()
        for number in range(500):
            notifier.send(say(f"{number}"))
        assert loop.time() - began < 1
        await until(lambda: notifier.is_stopped)
    assert told.conditions == [Condition.AWAY, Condition.GONE]
    assert notifier.dropped == 500
    assert "Evening" in caplog.text
    assert TOKEN not in f"{caplog.text}{notifier!r}"


async def test_a_message_that_was_dropped_on_its_way_is_counted_once(
    peer: DiscordPeer, told: Told
) -> None:
    let_go = asyncio.Event()

    async def slow(writer: asyncio.StreamWriter) -> None:
        await let_go.wait()
        await says(400, {"code": 1})(writer)

    peer.answers.append(slow)
    notifier = make(peer, told, Pace(waiting_most=1))
    async with running(notifier):
        notifier.send(say("a"))
        await peer.wait_for(1)
        notifier.send(say("b"))
        assert notifier.dropped == 1
        let_go.set()
        await notifier.settle(10)
    assert peer.contents == ["a", "1 lost\nb"]
