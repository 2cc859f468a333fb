"""A game server is told by its remote console what to say and when to save."""

import _socket
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
import json
import socket
import struct

import pytest

from custom_components.cubeguardian.server_manager import (
    ApiError,
    AuthenticationError,
    GameManagement,
    HostTimeoutError,
    InvalidInputError,
    ManagementKind,
    ManagementSettings,
    NameNotFoundError,
    PortClosedError,
    open_management,
)

from .conftest import LOGGER, closed_port
from .rcon_server import SECRET, UNKNOWN, RconServer, packet
from .test_management_protocol import whole_story

CALLS: list[Callable[[GameManagement, float], Awaitable[object]]] = [
    lambda game, timeout: game.announce("Bye", timeout=timeout),
    lambda game, timeout: game.save(timeout=timeout),
    lambda game, timeout: game.players(timeout=timeout),
    lambda game, timeout: game.check(timeout=timeout),
]


@pytest.fixture
async def server() -> AsyncIterator[RconServer]:
    """Return a running remote console."""
    async with RconServer(players=["Steve", "Alex"]).running() as running:
        yield running


@pytest.fixture
def game(server: RconServer) -> GameManagement:
    return manage(server.port)


def manage(port: int, *, host: str = "127.0.0.1", secret: str = SECRET) -> GameManagement:
    settings = ManagementSettings(kind=ManagementKind.RCON, host=host, port=port, secret=secret)
    return open_management(LOGGER, settings, session=None)


def said(server: RconServer) -> str:
    """Return what the players read, as their game takes it from the last command."""
    command, target, component = server.commands[-1].split(" ", 2)
    assert (command, target) == ("tellraw", "@a")
    found = json.loads(component)
    assert found.keys() == {"text"}
    return str(found["text"])


@pytest.mark.parametrize(
    "text",
    [
        "Arrêt dans 5 min",
        'Bye", "color": "red"}',
        "back\\slash \\u0041",
        "@a @e /stop; op Mallory",
        "\U0001f4a4 schläft",
    ],
)
async def test_an_announcement_reaches_everybody_as_it_is(
    server: RconServer, game: GameManagement, text: str
) -> None:
    await game.announce(text, timeout=5)
    assert said(server) == text
    assert server.commands[0].isascii()
    assert len(server.commands) == 1


async def test_an_announcement_cannot_leave_its_line(
    server: RconServer, game: GameManagement
) -> None:
    await game.announce("Bye\nop Mallory\0\u00a7k!", timeout=5)
    assert said(server) == "Bye op Mallory !"


@pytest.mark.parametrize("character", ["x", "é", "\U0001f4a4", '"'])
async def test_an_announcement_always_fits_into_a_packet(
    server: RconServer, game: GameManagement, character: str
) -> None:
    await game.announce(character * 400, timeout=5)
    assert len(server.commands[0]) <= 1446
    assert 100 < len(said(server)) <= 200
    assert set(said(server)) == {character}


async def test_nothing_is_announced_where_nothing_is_left(
    server: RconServer, game: GameManagement
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await game.announce(" \u00a7k", timeout=5)
    assert refused.value.field == "text"
    assert server.connections == 0


async def test_an_announcement_to_nobody_is_no_failure(
    server: RconServer, game: GameManagement
) -> None:
    server.players = []
    await game.announce("Bye", timeout=5)
    assert said(server) == "Bye"


async def test_an_announcement_that_the_server_does_not_understand_is_a_failure(
    server: RconServer, game: GameManagement
) -> None:
    server.answers = {'tellraw @a {"text": "Bye"}': UNKNOWN.format("tellraw")}
    with pytest.raises(ApiError) as refused:
        await game.announce("Bye", timeout=5)
    assert refused.value.reason.startswith("Unknown or incomplete command")


async def test_a_save_is_over_when_the_server_has_written_everything(
    server: RconServer, game: GameManagement
) -> None:
    server.may_save.clear()
    saving = asyncio.create_task(game.save(timeout=30))
    await asyncio.wait_for(server.saving.wait(), 5)
    assert not saving.done()
    server.may_save.set()
    await saving
    assert server.commands == ["save-all flush"]


async def test_an_old_server_saves_the_world(server: RconServer, game: GameManagement) -> None:
    told = "Saving...Flushing all savesFlushing completedSaved the world"
    server.answers = {"save-all flush": told}
    await game.save(timeout=5)


@pytest.mark.parametrize(
    "told", ["", "Unable to save the game (is there enough disk space?)", "Saving failed: disk"]
)
async def test_a_save_that_is_not_confirmed_is_an_error(
    server: RconServer, game: GameManagement, told: str
) -> None:
    server.answers = {"save-all flush": told}
    with pytest.raises(ApiError) as failed:
        await game.save(timeout=5)
    assert failed.value.reason == told
    assert failed.value.status != 0


async def test_a_save_that_takes_too_long_is_given_up(
    server: RconServer, game: GameManagement
) -> None:
    server.may_save.clear()
    with pytest.raises(HostTimeoutError):
        await game.save(timeout=0.2)
    server.may_save.set()
    await asyncio.wait_for(server.all_closed.wait(), 5)


async def test_the_players_are_listed_by_their_accounts(
    server: RconServer, game: GameManagement
) -> None:
    assert await game.players(timeout=5) == ("Steve", "Alex")
    assert server.commands == ["list uuids"]
    server.players = []
    assert await game.players(timeout=5) == ()


@pytest.mark.parametrize(
    ("told", "names"),
    [
        ("There are 2 of a max of 20 players online: Steve, Alex", ("Steve", "Alex")),
        ("There are 1 of a max 20 players online: .Bedrock_1", (".Bedrock_1",)),
        ("There are 2/20 players online:\nSteve, Alex\n", ("Steve", "Alex")),
        ("There are 2/20 players online:Steve and more, x", ("Steve and more", "x")),
        ("\u00a76There are \u00a7c0\u00a76 of a max of 20 players online: ", ()),
        (f"There are 1 of a max of 20 players online: {'x' * 40}", ("x" * 16,)),
    ],
)
async def test_the_list_of_every_kind_of_server_is_understood(
    server: RconServer, game: GameManagement, told: str, names: tuple[str, ...]
) -> None:
    server.answers = {"list uuids": told}
    assert await game.players(timeout=5) == names


async def test_a_plugin_that_replaces_the_list_is_passed_by(
    server: RconServer, game: GameManagement
) -> None:
    account = "Steve (069a79f4-44e9-4726-a5be-fca90e38aaf5)"
    server.answers = {
        "list uuids": "There are 1 out of maximum 20 players online.\ndefault: Steve",
        "minecraft:list uuids": f"There are 1 of a max of 20 players online: {account}",
    }
    assert await game.players(timeout=5) == ("Steve",)
    assert server.commands == ["list uuids", "minecraft:list uuids"]


async def test_a_server_that_knows_only_the_plain_list_is_asked_for_that(
    server: RconServer, game: GameManagement
) -> None:
    server.answers = {"list uuids": UNKNOWN.format("list")}
    assert await game.players(timeout=5) == ("Steve", "Alex")
    assert server.commands == ["list uuids", "minecraft:list uuids", "list"]


@pytest.mark.parametrize(
    "told",
    [
        "",
        "Nobody",
        "There are 2 of a max of 20 players online: Steve",
        "There are 0 of a max of 20 players online: Steve",
        "There are 1 of a max of 20 players online: [VIP, gold] Steve",
        "There are 99999 of a max of 20 players online: Steve",
        f"There are 1001 of a max of 9999 players online: {', '.join(['x'] * 1001)}",
    ],
)
async def test_a_list_that_does_not_add_up_is_an_error(
    server: RconServer, game: GameManagement, told: str
) -> None:
    server.answers = dict.fromkeys(("list uuids", "minecraft:list uuids", "list"), told)
    with pytest.raises(ApiError) as refused:
        await game.players(timeout=5)
    assert refused.value.status != 0


@pytest.mark.parametrize("count", [70, 71, 500])
async def test_a_long_list_is_put_together_from_its_parts(
    server: RconServer, game: GameManagement, count: int
) -> None:
    server.players = [f"Player_{number:08}" for number in range(count)]
    assert await game.players(timeout=5) == tuple(server.players)


@pytest.mark.parametrize("length", [4095, 4096, 4097, 8192])
async def test_an_answer_may_end_where_a_part_ends(
    server: RconServer, game: GameManagement, length: int
) -> None:
    head = "There are 1 of a max of 20 players online: "
    server.answers = {"list uuids": head + "Steve".rjust(length - len(head))}
    assert await game.players(timeout=5) == ("Steve",)


async def test_a_character_cut_in_two_is_whole_again(
    server: RconServer, game: GameManagement
) -> None:
    told = "There are 1 of a max of 20 players online: ".ljust(4095).encode() + "é".encode()

    def halves(number: int) -> bytes:
        if len(server.commands) > 1:
            return packet(number, 0, "next")
        return packet(number, 0, told[:4096]) + packet(number, 0, told[4096:])

    server.raw = halves
    assert await game.players(timeout=5) == ("é",)


async def test_the_check_changes_nothing_and_tells_no_version(
    server: RconServer, game: GameManagement
) -> None:
    assert await game.check(timeout=5) == ""
    assert server.commands == ["list"]


@pytest.mark.parametrize("call", CALLS)
async def test_every_call_has_one_connection_and_closes_it(
    server: RconServer,
    game: GameManagement,
    call: Callable[[GameManagement, float], Awaitable[object]],
    recwarn: pytest.WarningsRecorder,
) -> None:
    await call(game, 5)
    await asyncio.wait_for(server.all_closed.wait(), 5)
    assert server.connections == 1
    # Forgotten ones are closed as well, but not without a word.
    assert not [one for one in recwarn if one.category is ResourceWarning]


@pytest.mark.parametrize("call", CALLS)
async def test_a_wrong_secret_is_an_error_that_does_not_repeat_it(
    server: RconServer,
    call: Callable[[GameManagement, float], Awaitable[object]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    with pytest.raises(AuthenticationError) as refused:
        await call(manage(server.port, secret="wrong horse"), 5)
    assert "wrong horse" not in whole_story(refused.value) + caplog.text
    assert server.commands == []


async def test_a_server_that_forgets_the_login_is_told_as_such(
    server: RconServer, game: GameManagement
) -> None:
    server.raw = lambda number: packet(-1, 2, "")
    with pytest.raises(AuthenticationError):
        await game.save(timeout=5)


async def test_a_passphrase_is_sent_as_it_is() -> None:
    async with RconServer().running() as server:
        with pytest.raises(AuthenticationError):
            await manage(server.port, secret="zwölf Möwen").check(timeout=5)
        assert "zwölf Möwen".encode() in server.heard


@pytest.mark.parametrize("call", CALLS)
async def test_a_connection_that_breaks_leaves_open_what_was_done(
    server: RconServer,
    game: GameManagement,
    call: Callable[[GameManagement, float], Awaitable[object]],
) -> None:
    commands = ("save-all flush", "list uuids", "list", 'tellraw @a {"text": "Bye"}')
    server.answers = dict.fromkeys(commands)
    with pytest.raises(ApiError) as unknown:
        await call(game, 5)
    assert unknown.value.status == 0


@pytest.mark.parametrize(
    "welcome",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        struct.pack("<i", 9) + b"x" * 9,
        struct.pack("<i", -1),
        struct.pack("<i", 2**31 - 1),
        packet(1, 0, ""),
        packet(7, 2, ""),
    ],
)
async def test_a_port_that_speaks_something_else_is_an_api_error(
    server: RconServer, game: GameManagement, welcome: bytes
) -> None:
    server.instead_of_welcome = welcome
    with pytest.raises(ApiError, match="does not speak RCON"):
        await game.save(timeout=5)
    assert server.commands == []


@pytest.mark.parametrize(("number", "kind"), [(99, 0), (0, 0), (2, 2), (2, 7)])
async def test_an_answer_to_something_else_is_an_api_error(
    server: RconServer, game: GameManagement, number: int, kind: int
) -> None:
    server.raw = lambda _: packet(number, kind, "Saved the game")
    with pytest.raises(ApiError, match="does not speak RCON"):
        await game.save(timeout=5)


async def test_a_part_of_something_else_is_an_api_error(
    server: RconServer, game: GameManagement
) -> None:
    told = "There are 1 of a max of 20 players online: Steve".ljust(4096)

    def mixed(number: int) -> bytes:
        if len(server.commands) > 1:
            return packet(number, 0, "next")
        return packet(number, 0, told) + packet(77, 0, "")

    server.raw = mixed
    with pytest.raises(ApiError, match="does not speak RCON"):
        await game.players(timeout=5)


async def test_an_endless_answer_is_given_up(server: RconServer, game: GameManagement) -> None:
    server.raw = lambda number: packet(number, 0, "x" * 4096) * 40
    with pytest.raises(ApiError, match="without end"):
        await game.players(timeout=5)


@pytest.mark.parametrize("welcome", [b"", b"\x0a", packet(1, 2, "")[:-1]])
async def test_a_silent_server_is_given_up_in_time(
    server: RconServer, game: GameManagement, welcome: bytes
) -> None:
    server.instead_of_welcome = welcome
    with pytest.raises(HostTimeoutError):
        await game.check(timeout=0.2)
    await asyncio.wait_for(server.all_closed.wait(), 5)


async def test_being_cancelled_closes_the_connection(
    server: RconServer, game: GameManagement
) -> None:
    server.may_save.clear()
    saving = asyncio.create_task(game.save(timeout=30))
    await asyncio.wait_for(server.saving.wait(), 5)
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    server.may_save.set()
    await asyncio.wait_for(server.all_closed.wait(), 5)


async def test_a_complaint_never_holds_the_secret(
    server: RconServer, game: GameManagement, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    server.answers = {"save-all flush": f"No\n{SECRET}\x1b[31m {SECRET[:4]}\u00a7r{SECRET[4:]}"}
    with pytest.raises(ApiError) as refused:
        await game.save(timeout=5)
    assert refused.value.reason == "No *** [31m ***"
    assert "save-all" in caplog.text
    assert SECRET not in caplog.text + whole_story(refused.value)


async def test_a_closed_port_is_a_refused_connection() -> None:
    with pytest.raises(PortClosedError):
        await manage(closed_port()).check(timeout=5)


async def test_an_unknown_name_is_told_as_such(names: dict[str, list[str]]) -> None:
    with pytest.raises(NameNotFoundError):
        await manage(25575, host="nowhere.lab").check(timeout=5)


@pytest.mark.parametrize("host", ["a..lab", f"{'x' * 64}.lab"])
async def test_what_can_be_no_name_is_told_as_such(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Python's own, which fails before it asks anybody.
    monkeypatch.setattr(socket, "getaddrinfo", _socket.getaddrinfo)
    with pytest.raises(NameNotFoundError):
        await manage(25575, host=host).check(timeout=5)


async def test_the_second_address_of_a_name_is_tried(names: dict[str, list[str]]) -> None:
    names["mc.lab"] = ["127.0.0.2", "127.0.0.1"]
    async with RconServer().running() as server:
        await manage(server.port, host="mc.lab").check(timeout=5)
        assert server.commands == ["list"]
