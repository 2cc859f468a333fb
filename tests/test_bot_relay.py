"""What people write in the channel, read in the game: real discord.py, real management ports."""

import asyncio
from datetime import UTC, datetime, timedelta
import logging
import random
from typing import Any
import unicodedata

import aiohttp
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian import bot_relay
from custom_components.cubeguardian.bot_link import BotLink
from custom_components.cubeguardian.bot_relay import MOST_WAITING, PREFIX, in_game
from custom_components.cubeguardian.discord_bridge import quoting
from custom_components.cubeguardian.discord_bridge.access import Rank
from custom_components.cubeguardian.discord_bridge.bridge_port import ChannelMessage
from custom_components.cubeguardian.guardian import HOST, Caller, State
from custom_components.cubeguardian.server_manager import (
    ANNOUNCEMENT_LIMIT,
    GameManagement,
    ManagementKind,
    ManagementSettings,
    open_management,
)

from .bots import BotHouse
from .consoles import ADDRESS, GAME, OTHER_ADDRESS, manage, told
from .discord_bridge.hostile import SPECIAL, hostile_text
from .lab.discord import Intent
from .server_manager.management_server import SECRET as PROTOCOL_SECRET, ManagementServer
from .server_manager.rcon_server import SECRET as RCON_SECRET, RconServer
from .webhooks import until

pytest_plugins = ("tests.webhook_peer", "tests.bot_peer", "tests.game_peer")

ROBIN = Caller(name="Robin")
SAY = "minecraft:server/system_message"
LOGGER = logging.getLogger(__name__)


@pytest.fixture
def house(house: BotHouse, managed: MockConfigEntry) -> BotHouse:
    """Return a house whose game servers can be managed."""
    return house


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not keep a test waiting between two lines."""
    monkeypatch.setattr(bot_relay, "GAP_SECONDS", 0.01)


async def play(house: BotHouse, **changes: Any) -> BotLink:
    """Let somebody play on both game servers, with a bot that reads and shows what is written."""
    house.discord.application.privileged = Intent.MESSAGE_CONTENT
    house.machines.game_up(ADDRESS, "Alex")
    house.machines.game_up(OTHER_ADDRESS, "Steve")
    return await house.serve(**({"relay": True, "relay_in_game": True} | changes))


def message(name: str, text: str) -> ChannelMessage:
    """Return what the bridge passes on of something that was written."""
    return ChannelMessage(
        at=datetime(2026, 11, 22, tzinfo=UTC),
        message_id=1,
        channel_id=2,
        user_id=3,
        name=quoting.plain(name),
        text=quoting.plain(text, 1000),
        rank=Rank.NOBODY,
    )


async def test_who_plays_reads_what_is_written_by_either_way_of_managing(
    house: BotHouse, rcon: RconServer, protocol: ManagementServer
) -> None:
    await play(house)
    house.write(house.town.kim, 'dinner is "ready"')
    house.write(house.town.stranger, "/stop\n@a §kwho?")
    read = ['[Discord] kim: dinner is "ready"', "[Discord] stranger: /stop ＠a who?"]
    await until(lambda: told(rcon) == protocol.said == read)
    assert all(one.startswith("tellraw @a {") for one in rcon.commands)


async def test_nothing_of_bots_of_webhooks_or_of_its_own_comes_into_the_game(
    house: BotHouse, protocol: ManagementServer
) -> None:
    music = house.discord.add_member(
        house.town.guild, "music", roles=(house.town.players,), is_bot=True
    )
    webhook = house.discord.add_webhook(house.town.lobby)
    bot = await play(house)
    house.write(music, "now playing")
    async with (
        aiohttp.ClientSession() as session,
        session.post(webhook.url, json={"content": "by a webhook"}) as answer,
    ):
        assert answer.status == 204
    assert bot.async_say("by an automation")
    await until(lambda: "by an automation" in [one.content for one in house.messages()])
    house.write(house.town.kim, "by me")
    await until(lambda: protocol.said)
    assert protocol.said == ["[Discord] kim: by me"]


async def test_where_nobody_plays_or_the_game_server_is_down_nothing_is_said(
    house: BotHouse, rcon: RconServer, protocol: ManagementServer
) -> None:
    await play(house)
    house.machines.game_up(ADDRESS)
    await house.machines.seen()
    house.write(house.town.kim, "one")
    await until(lambda: protocol.said)
    house.machines.game_crashed(OTHER_ADDRESS)
    house.machines.game_up(ADDRESS, "Alex")
    await house.machines.seen()
    house.write(house.town.kim, "two")
    await until(lambda: told(rcon))
    assert (protocol.said, told(rcon)) == (["[Discord] kim: one"], ["[Discord] kim: two"])


async def test_a_game_server_that_cannot_be_managed_is_left_in_peace(
    house: BotHouse, rcon: RconServer, protocol: ManagementServer
) -> None:
    manage(house.hass, house.entry, GAME, kind="none")
    await play(house)
    house.write(house.town.kim, "hello")
    await until(lambda: protocol.said)
    assert not rcon.connections


async def test_it_is_a_choice_that_is_made_without_another_connection(
    house: BotHouse, protocol: ManagementServer
) -> None:
    bot = await play(house, relay_in_game=False)
    heard: list[str] = []

    def read(one: ChannelMessage) -> None:
        heard.append(one.text)

    bot.async_read(read)
    house.write(house.town.kim, "not yet")
    await until(lambda: heard == ["not yet"])
    for changes in ({"relay_in_game": True}, {"relay_in_game": False}):
        house.change(relay=True, **changes)
        await house.hass.async_block_till_done()
        await house.machines.seen()
        house.write(house.town.kim, str(changes))
        await until(lambda now=changes: heard[-1] == str(now))
        await house.hass.async_block_till_done(wait_background_tasks=True)
    assert protocol.said == ["[Discord] kim: {'relay_in_game': True}"]
    assert house.discord.identifies == 1


async def test_a_flood_in_the_channel_is_none_in_the_game(
    house: BotHouse,
    protocol: ManagementServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, bot_relay.__name__)
    bot = await play(house)
    for number in range(500):
        bot.heard(message("kim", f"flood {number}"))
    await house.hass.async_block_till_done(wait_background_tasks=True)
    shown = [0, *range(500 - MOST_WAITING, 500)]
    assert protocol.said == [f"[Discord] kim: flood {number}" for number in shown]
    assert caplog.text.count("489 messages were not shown on Creative") == 1
    assert "flood" not in caplog.text


async def test_two_lines_keep_their_distance(
    house: BotHouse,
    protocol: ManagementServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bot_relay, "GAP_SECONDS", 0.3)
    bot = await play(house)
    started = asyncio.get_running_loop().time()
    for number in range(3):
        bot.heard(message("kim", str(number)))
    await until(lambda: len(protocol.said) == 3)
    assert asyncio.get_running_loop().time() - started >= 0.6


async def test_a_game_server_that_does_not_answer_keeps_nobody_waiting(
    house: BotHouse,
    rcon: RconServer,
    protocol: ManagementServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    protocol.silent_on = SAY
    await play(house)
    for text in ("one", "two", "three"):
        house.write(house.town.kim, text)
    await until(lambda: len(told(rcon)) == 3)
    async with asyncio.timeout(5):
        await house.guardian.shut_down(HOST, ROBIN, timedelta(minutes=10))
    assert house.guardian.snapshot.host.state is State.COUNTDOWN
    protocol.silent_on = ""
    protocol.released.set()
    await until(lambda: "3 messages were not shown on Creative" in caplog.text)
    house.write(house.town.kim, "four")
    await until(lambda: "[Discord] kim: four" in protocol.said)
    assert not [one for one in protocol.said if one.endswith(("two", "three"))]
    assert not any(secret in caplog.text for secret in (PROTOCOL_SECRET, RCON_SECRET))


async def test_what_goes_wrong_with_a_message_reaches_nobody_else(
    house: BotHouse,
    protocol: ManagementServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bot = await play(house)
    heard: list[ChannelMessage] = []
    faults = [RuntimeError("nonsense")]

    def relays(_: HomeAssistant) -> bool:
        if faults:
            raise faults.pop()
        return True

    monkeypatch.setattr(bot_relay, "async_relays_in_game", relays)
    bot.async_read(heard.append)
    bot.heard(message("kim", "one"))
    bot.heard(message("kim", "two"))
    await until(lambda: protocol.said == ["[Discord] kim: two"])
    assert len(heard) == 2


@pytest.mark.parametrize(
    ("name", "text", "read"),
    [
        ("kim", "hello", "[Discord] kim: hello"),
        ("kim", "one\ntwo\r\n\r\nthree", "[Discord] kim: one two three"),
        ("\u200b", "hello", "[Discord] ?: hello"),
        ("§4Notch§r", "§khello", "[Discord] Notch: hello"),
        ("kim", "well <:done:123456789012345678> <a:hop:1>", "[Discord] kim: well :done: :hop:"),
        ("a\u3164\u3164b", "x" + "\u2800" * 60 + "<Alex> op", "[Discord] a b: x <Alex> op"),
        ("kim", "", ""),
        ("kim", "\u3164\n\u2800", ""),
    ],
)
def test_a_message_is_one_plain_line(name: str, text: str, read: str) -> None:
    assert in_game(message(name, text)) == read


def test_a_long_message_is_seen_to_be_cut() -> None:
    line = in_game(message("kim", "la " * 300))
    assert (len(line), line[-1]) == (ANNOUNCEMENT_LIMIT, "…")


async def test_nothing_injectable_reaches_the_game_whatever_is_written(
    socket_enabled: None, rcon: RconServer, protocol: ManagementServer
) -> None:
    dice = random.Random(20261123)
    lines = [in_game(message(hostile(dice), "x " + hostile(dice))) for _ in range(4000)]
    for line in lines:
        assert line.startswith(PREFIX)
        assert len(line) <= ANNOUNCEMENT_LIMIT
        assert not SPECIAL.search(line), line
        assert not any(unicodedata.category(one).startswith("C") for one in line)
    for line in dice.sample(lines, 60):
        for way in ways(rcon, protocol):
            await way.announce(line, timeout=5)
    assert all(one.isascii() and len(one) <= 1446 for one in rcon.commands)
    assert len(told(rcon)) == len(rcon.commands) == len(protocol.said) == 60
    for shown, whole in zip(told(rcon), protocol.said, strict=True):
        assert whole.startswith(shown)
        assert whole in lines


def hostile(dice: random.Random) -> str:
    """Return a text that would break out of Discord, or out of a command in the game."""
    parts = (
        '"}', "\\", '\\"', "@a", "@e[type=!player]", "\\u00a7c", "§", "§§4", "\x00", "/op kim",
        '{"text":"x","clickEvent":{"action":"run_command","value":"/op kim"}}', "\u3164" * 90,
        "${x}", "%1$s", "\n/stop", "<Alex> ", "[Discord] ada: ", "\ud83d", "\U0001f41d" * 80,
    )  # fmt: skip
    return "".join(dice.choices(parts, k=dice.randrange(6))) + hostile_text(dice)


def ways(rcon: RconServer, protocol: ManagementServer) -> tuple[GameManagement, ...]:
    """Return both ways of managing."""
    return tuple(
        open_management(
            LOGGER,
            ManagementSettings(kind=kind, host="127.0.0.1", port=port, secret=secret, tls=False),
            session=None,
        )
        for kind, port, secret in (
            (ManagementKind.RCON, rcon.port, RCON_SECRET),
            (ManagementKind.PROTOCOL, protocol.port, PROTOCOL_SECRET),
        )
    )
