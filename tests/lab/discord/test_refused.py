"""What Discord does not take, the stand-in does not take either."""

from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest

from . import Channel, DiscordStandIn, Guild, Permission
from .record import CommandsSynced, Posted

API = "https://discord.com/api/v10"


@pytest.fixture
async def client(stand_in: DiscordStandIn) -> AsyncGenerator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bot {stand_in.token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        yield session


def _button(custom_id: str) -> dict[str, Any]:
    return {"type": 2, "style": 1, "label": "x", "custom_id": custom_id}


def _row(*components: dict[str, Any]) -> dict[str, Any]:
    return {"type": 1, "components": list(components)}


def _command(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "description": "Does it", **more}


@pytest.mark.parametrize(
    "body",
    [
        {"embeds": [{"title": "x"}] * 11},
        {"embeds": [{"fields": [{"name": "x", "value": "y"}] * 26}]},
        {"embeds": [{"fields": [{"name": "x", "value": ""}]}]},
        {"embeds": [{"footer": {"text": "x" * 2049}}]},
        {"components": [_row(_button(str(number))) for number in range(6)]},
        {"components": [_row(*(_button(str(number)) for number in range(6)))]},
        {"components": [_row(_button("one"), _button("one"))]},
        {"components": [_row(_button("x" * 101))]},
        {"content": "x", "allowed_mentions": {"parse": ["somebody"]}},
        {"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}},
        {"content": "x", "flags": 1 << 15, "components": [{"type": 10, "content": "y"}]},
    ],
    ids=[
        "embeds", "fields", "field", "footer", "rows", "row", "same id", "long id", "mentions",
        "both mentions", "content beside components",
    ],
)  # fmt: skip
async def test_a_message_of_a_wrong_form(
    stand_in: DiscordStandIn, lobby: Channel, client: aiohttp.ClientSession, body: dict[str, Any]
) -> None:
    async with client.post(f"{API}/channels/{lobby.id}/messages", json=body) as response:
        assert (response.status, (await response.json())["code"]) == (400, 50035)
    assert stand_in.record.of(Posted) == []


async def test_a_message_of_nothing(lobby: Channel, client: aiohttp.ClientSession) -> None:
    async with client.post(f"{API}/channels/{lobby.id}/messages", json={}) as response:
        assert (await response.json())["code"] == 50006


@pytest.mark.parametrize(
    "commands",
    [
        [_command("Start")],
        [_command("start now")],
        [_command("start"), _command("start")],
        [{"name": "start"}],
        [_command("start", description_localizations={"fr": "x" * 101})],
        [_command("start", name_localizations={"fr": "Démarrer"})],
        [_command("start", options=[_command(f"o{number}", type=3) for number in range(26)])],
        [
            _command(
                "start", options=[_command("a", type=3), _command("b", type=3, required=True)]
            )
        ],
    ],
    ids=[
        "capital", "space", "twice", "undescribed", "long", "french capital", "options", "order",
    ],
)  # fmt: skip
async def test_commands_of_a_wrong_form(
    stand_in: DiscordStandIn,
    guild: Guild,
    client: aiohttp.ClientSession,
    commands: list[dict[str, Any]],
) -> None:
    url = f"{API}/applications/{stand_in.application.id}/guilds/{guild.id}/commands"
    async with client.put(url, json=commands) as response:
        assert (response.status, (await response.json())["code"]) == (400, 50035)
    assert stand_in.record.of(CommandsSynced) == []


async def test_commands_for_another_application_or_guild(
    stand_in: DiscordStandIn, guild: Guild, client: aiohttp.ClientSession
) -> None:
    own = stand_in.application.id
    for application, place, code in ((own, own, 50001), (guild.id, guild.id, 20012)):
        url = f"{API}/applications/{application}/guilds/{place}/commands"
        async with client.put(url, json=[]) as response:
            assert (response.status, (await response.json())["code"]) == (403, code)


async def test_a_channel_that_the_bot_does_not_see(
    stand_in: DiscordStandIn, guild: Guild, lobby: Channel, client: aiohttp.ClientSession
) -> None:
    stand_in.overwrite(lobby, guild.everyone, deny=Permission.VIEW_CHANNEL)
    thread = stand_in.add_thread(lobby, "nights")
    for place in (lobby, thread):
        url = f"{API}/channels/{place.id}/messages"
        async with client.post(url, json={"content": "x"}) as response:
            assert (response.status, (await response.json())["code"]) == (403, 50001)
