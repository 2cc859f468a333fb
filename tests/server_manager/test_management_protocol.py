"""A game server is told by its management port what to say and when to save."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
import hashlib
import json
from pathlib import Path
import ssl

import aiohttp
from aiohttp import web
import pytest

from custom_components.cubeguardian.server_manager import (
    ApiError,
    AuthenticationError,
    CertificateError,
    GameManagement,
    HostConnectionError,
    HostTimeoutError,
    InvalidInputError,
    ManagementKind,
    ManagementSettings,
    NameNotFoundError,
    PortClosedError,
    ServerManagerError,
    TlsTrust,
    management_protocol,
    open_management,
)
from tests.lab.certificates import NodeCertificates

from .conftest import LOGGER, closed_port
from .management_server import SECRET, ManagementServer, notification, player
from .test_tls import recording

PLAYERS, SAVE = "minecraft:players", "minecraft:server/save"
STATUS, MESSAGE = "minecraft:server/status", "minecraft:server/system_message"

CALLS: dict[str, Callable[[GameManagement, float], Awaitable[object]]] = {
    MESSAGE: lambda game, timeout: game.announce("Bye", timeout=timeout),
    SAVE: lambda game, timeout: game.save(timeout=timeout),
    PLAYERS: lambda game, timeout: game.players(timeout=timeout),
    STATUS: lambda game, timeout: game.check(timeout=timeout),
}


@pytest.fixture
async def server() -> AsyncIterator[ManagementServer]:
    """Return a running management port without TLS."""
    async with ManagementServer().running() as running:
        yield running


@pytest.fixture
def game(server: ManagementServer, session: aiohttp.ClientSession) -> GameManagement:
    return manage(server.port, session)


def manage(
    port: int,
    session: aiohttp.ClientSession | None = None,
    *,
    host: str = "127.0.0.1",
    secret: str = SECRET,
    trust: TlsTrust | None = None,
    tls: bool = False,
) -> GameManagement:
    settings = ManagementSettings(
        kind=ManagementKind.PROTOCOL, host=host, port=port, secret=secret, tls=tls, trust=trust
    )
    return open_management(LOGGER, settings, session=session)


def result(value: object, call_id: object = 1) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": call_id, "result": value})


def whole_story(error: BaseException) -> str:
    """Return all that an error, and what led to it, could ever show."""
    told = ""
    rest: list[BaseException | None] = [error]
    while rest:
        one = rest.pop()
        if one is not None:
            told += f"{one} {one!r} {getattr(one, '__dict__', '')}"
            rest += [one.__cause__, one.__context__]
    return told


async def test_an_announcement_reaches_everybody_as_it_is(
    server: ManagementServer, game: GameManagement
) -> None:
    await game.announce('Arrêt dans 5 min, "sauvez" vos {lits}!', timeout=5)
    assert server.said == ['Arrêt dans 5 min, "sauvez" vos {lits}!']
    assert server.calls[0]["params"] == [{"message": {"literal": server.said[0]}, "overlay": False}]


async def test_an_announcement_is_one_line_without_formatting(
    server: ManagementServer, game: GameManagement
) -> None:
    await game.announce("\u00a7kNow\nthen\x07\u202e " + "x" * 500, timeout=5)
    assert server.said[0].startswith("Now then x")
    assert len(server.said[0]) == 200


async def test_nothing_is_announced_where_nothing_is_left(
    server: ManagementServer, game: GameManagement
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await game.announce("\u00a7k\n", timeout=5)
    assert refused.value.field == "text"
    assert server.headers == []


@pytest.mark.parametrize("first", [True, False])
async def test_a_save_is_over_when_the_server_has_written_everything(
    server: ManagementServer, game: GameManagement, first: bool
) -> None:
    server.saved_is_told_first = first
    # Of a save that the server began by itself: not ours.
    server.chatter = [notification("server/saving"), notification("server/saved")]
    server.may_save.clear()
    saving = asyncio.create_task(game.save(timeout=30))
    await asyncio.wait_for(server.saving.wait(), 5)
    assert not saving.done()
    server.may_save.set()
    await saving
    assert server.saves == 1


async def test_a_save_that_failed_is_an_error(
    server: ManagementServer, game: GameManagement
) -> None:
    server.save_succeeds = False
    with pytest.raises(ApiError) as failed:
        await game.save(timeout=5)
    assert failed.value.status != 0


async def test_a_save_that_takes_too_long_is_given_up(
    server: ManagementServer, game: GameManagement
) -> None:
    server.may_save.clear()
    with pytest.raises(HostTimeoutError):
        await game.save(timeout=0.2)
    server.may_save.set()
    await asyncio.wait_for(server.all_closed.wait(), 5)


async def test_the_players_are_listed_with_harmless_names(
    server: ManagementServer, game: GameManagement
) -> None:
    assert await game.players(timeout=5) == ()
    names = ["Steve", "\u00a7cAlex\n", "x" * 40]
    server.players = [player(name) for name in names]
    assert await game.players(timeout=5) == ("Steve", "Alex", "x" * 16)


async def test_the_version_is_told_with_the_check(
    server: ManagementServer, game: GameManagement
) -> None:
    assert await game.check(timeout=5) == "1.21.11"
    server.version = "26.1\x1b[31m" + "x" * 100
    assert (await game.check(timeout=5)).startswith("26.1 [31mxxx")
    assert len(await game.check(timeout=5)) == 48
    assert server.saves == 0
    assert server.said == []


@pytest.mark.parametrize("status", [{}, {"version": None}, {"version": {"protocol": 1}}])
async def test_a_server_without_a_version_is_still_one(
    server: ManagementServer, game: GameManagement, status: object
) -> None:
    server.frames = {STATUS: [result(status)]}
    assert await game.check(timeout=5) == ""


async def test_whatever_else_the_server_says_is_passed_over(
    server: ManagementServer, game: GameManagement
) -> None:
    server.chatter = [
        notification("players/joined", player("Steve")),
        notification("server/status", {"started": True, "players": [player("Steve")]}),
        '{"jsonrpc": "2.0", "id": 1, "method": "minecraft:players", "params": []}',
        result(["somebody else's"], 2),
        result(["true is not one"], True),
        result(["nobody's"], None),
        "[]",
        '"text"',
        "7",
    ]
    assert await game.players(timeout=5) == ()


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_every_call_closes_its_connection(
    server: ManagementServer,
    session: aiohttp.ClientSession,
    call: Callable[[GameManagement, float], Awaitable[object]],
) -> None:
    await call(manage(server.port, session), 5)
    await asyncio.wait_for(server.all_closed.wait(), 5)
    assert session.connector is not None
    assert not session.connector._acquired
    assert not session.closed
    await call(manage(server.port), 5)
    await asyncio.wait_for(server.all_closed.wait(), 5)
    assert len(server.headers) == 2
    assert server.close_codes == [1000, 1000]


async def test_the_request_holds_the_secret_and_no_stray_cookie(
    server: ManagementServer, session: aiohttp.ClientSession
) -> None:
    session.cookie_jar.update_cookies({"session": "stray"})
    await manage(server.port, session).check(timeout=5)
    (headers,) = server.headers
    assert headers["Authorization"] == f"Bearer {SECRET}"
    assert not {"Cookie", "Origin", "Sec-WebSocket-Protocol"} & headers.keys()


async def test_a_wrong_secret_is_an_error_that_does_not_repeat_it(
    server: ManagementServer, session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = SECRET[::-1]
    with pytest.raises(AuthenticationError) as refused:
        await manage(server.port, session, secret=wrong).check(timeout=5)
    assert refused.value.code == "auth_error"
    assert wrong not in whole_story(refused.value)
    assert wrong not in caplog.text
    assert server.calls == []


def tls_server(certificates: NodeCertificates) -> ManagementServer:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificates.write())
    return ManagementServer(context=context)


@pytest.mark.parametrize("by", ["authority", "leaf"])
async def test_a_pinned_certificate_is_trusted(
    by: str, tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    certificates = NodeCertificates(tmp_path)
    certificates.use_self_signed()
    trust = TlsTrust.pin_leaf(certificates.served.fingerprint)
    if by == "authority":
        certificates.custom = None
        trust = TlsTrust.pin_authority(certificates.authority.pem)
    async with tls_server(certificates).running() as server:
        assert await manage(server.port, session, trust=trust, tls=True).check(timeout=5)
        await manage(server.port, trust=trust, tls=True).save(timeout=5)
        assert server.saves == 1


@pytest.mark.parametrize("by", ["system", "authority", "leaf"])
async def test_an_untrusted_server_never_hears_the_secret(
    by: str, tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    stranger, expected = NodeCertificates(tmp_path), NodeCertificates(tmp_path)
    trust = {
        "system": None,
        "authority": TlsTrust.pin_authority(expected.authority.pem),
        "leaf": TlsTrust.pin_leaf(expected.leaf.fingerprint),
    }[by]
    async with recording(stranger) as recorder:
        for call in CALLS.values():
            with pytest.raises(CertificateError) as refused:
                await call(manage(recorder.port, session, trust=trust, tls=True), 10)
            der = ssl.PEM_cert_to_DER_cert(stranger.leaf.pem)
            assert refused.value.fingerprint == hashlib.sha256(der).hexdigest()
            assert SECRET not in whole_story(refused.value)
    assert recorder.connections
    assert bytes(recorder.heard) == b""


async def test_a_trusted_server_without_a_websocket_is_an_api_error(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    certificates = NodeCertificates(tmp_path)
    trust = TlsTrust.pin_authority(certificates.authority.pem)
    async with recording(certificates) as recorder:
        with pytest.raises(ApiError) as refused:
            await manage(recorder.port, session, trust=trust, tls=True).check(timeout=5)
    assert refused.value.status == 200
    assert SECRET.encode() in recorder.heard


async def test_a_port_without_tls_is_not_sent_the_secret(
    server: ManagementServer, session: aiohttp.ClientSession
) -> None:
    with pytest.raises(ApiError, match="TLS") as refused:
        await manage(server.port, session, tls=True).check(timeout=5)
    assert refused.value.status == 0
    assert server.headers == []


async def test_a_port_with_tls_is_not_understood_without(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    async with tls_server(NodeCertificates(tmp_path)).running() as server:
        with pytest.raises(ApiError) as refused:
            await manage(server.port, session).check(timeout=5)
    assert SECRET not in whole_story(refused.value)


async def test_a_redirect_is_not_followed(
    server: ManagementServer, session: aiohttp.ClientSession
) -> None:
    async def redirect(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    server.upset = redirect
    with pytest.raises(ApiError) as refused:
        await manage(server.port, session).check(timeout=5)
    assert refused.value.status == 302
    assert len(server.headers) == 1
    assert session.connector is not None
    assert not session.connector._acquired


async def test_an_upgrade_that_proves_nothing_is_no_upgrade(
    server: ManagementServer, session: aiohttp.ClientSession
) -> None:
    async def pretend(request: web.Request) -> web.Response:
        headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": "no"}
        return web.Response(status=101, headers=headers)

    server.upset = pretend
    with pytest.raises(ApiError, match="does not speak") as refused:
        await manage(server.port, session).check(timeout=5)
    assert SECRET not in whole_story(refused.value)


@pytest.mark.parametrize("method", CALLS)
async def test_a_connection_that_breaks_leaves_open_what_was_done(
    server: ManagementServer, game: GameManagement, method: str
) -> None:
    server.hangs_up_on = method
    with pytest.raises(ApiError) as unknown:
        await CALLS[method](game, 5)
    assert unknown.value.status == 0


async def test_a_server_that_hangs_up_on_the_request_is_an_api_error(
    server: ManagementServer, game: GameManagement
) -> None:
    async def hang_up(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    server.upset = hang_up
    with pytest.raises(ApiError) as unknown:
        await game.save(timeout=5)
    assert unknown.value.status == 0
    assert SECRET not in whole_story(unknown.value)


@pytest.mark.parametrize("method", CALLS)
async def test_a_silent_server_is_given_up_in_time(
    server: ManagementServer, game: GameManagement, method: str
) -> None:
    server.silent_on = method
    with pytest.raises(HostTimeoutError):
        await CALLS[method](game, 0.2)
    assert len(server.calls) == 1


async def test_being_cancelled_closes_the_connection(
    server: ManagementServer, game: GameManagement
) -> None:
    server.may_save.clear()
    saving = asyncio.create_task(game.save(timeout=30))
    await asyncio.wait_for(server.saving.wait(), 5)
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    server.may_save.set()
    await asyncio.wait_for(server.all_closed.wait(), 5)


async def test_a_closed_port_is_a_refused_connection(session: aiohttp.ClientSession) -> None:
    for tls in (False, True):
        with pytest.raises(PortClosedError):
            await manage(closed_port(), session, tls=tls).check(timeout=5)


async def test_an_unknown_name_is_told_as_such(names: dict[str, list[str]]) -> None:
    connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver())
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(NameNotFoundError) as unknown:
            await manage(25585, session, host="nowhere.lab").check(timeout=5)
    assert isinstance(unknown.value, HostConnectionError)


async def test_what_is_no_host_is_invalid(session: aiohttp.ClientSession) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await manage(25585, session, host="not a/host").check(timeout=5)
    assert refused.value.field == "host"


@pytest.mark.parametrize(
    "frames",
    [
        ["<html>"],
        ["[" * 100_000],
        ['{"id": 1, "result": ' + "9" * 5000 + "}"],
        [b"\x00\x01"],
        [result(None)],
        [result({"players": []})],
        [result(["Steve"])],
        [result([{"id": "only"}])],
        [result([{"name": "\u00a7c"}])],
        [result([{"name": 7}])],
        [result([player("x")] * 1001)],
        [result([{"name": "Steve", "id": "x" * 1024 * 1024}])],
        [result([])[:-1]],
    ],
)
async def test_an_answer_that_makes_no_sense_is_an_api_error(
    server: ManagementServer, game: GameManagement, frames: list[str | bytes]
) -> None:
    server.frames = {PLAYERS: frames}
    with pytest.raises(ApiError):
        await game.players(timeout=5)


@pytest.mark.parametrize("answer", [None, 1, "true", [], {"saving": True}])
async def test_only_a_plain_yes_tells_that_something_was_done(
    server: ManagementServer, game: GameManagement, answer: object
) -> None:
    server.frames = {SAVE: [result(answer)], MESSAGE: [result(answer)]}
    for call in (SAVE, MESSAGE):
        with pytest.raises(ApiError):
            await CALLS[call](game, 5)


async def test_a_status_that_is_none_is_an_api_error(
    server: ManagementServer, game: GameManagement
) -> None:
    server.frames = {STATUS: [result("fine")]}
    with pytest.raises(ApiError):
        await game.check(timeout=5)


async def test_endless_talk_is_given_up(
    server: ManagementServer, game: GameManagement, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(management_protocol, "_MOST_MESSAGES", 20)
    server.frames = {PLAYERS: [notification("server/activity")] * 21}
    with pytest.raises(ApiError, match="without answering"):
        await game.players(timeout=5)


@pytest.mark.parametrize("call_id", [1, None])
async def test_a_refused_call_tells_why_but_never_the_secret(
    server: ManagementServer,
    game: GameManagement,
    call_id: int | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    told = f"Method not found:\n{SECRET} {SECRET[:5]}\u00a7r{SECRET[5:]}"
    error = {"code": -32601, "message": told}
    server.frames = {PLAYERS: [json.dumps({"id": call_id, "error": error})]}
    with pytest.raises(ApiError) as refused:
        await game.players(timeout=5)
    assert refused.value.reason == "Method not found: *** ***"
    assert refused.value.status != 0
    assert "Method not found" in caplog.text
    assert SECRET not in caplog.text + whole_story(refused.value)


@pytest.mark.parametrize("error", [None, "text", {"message": None}, {}])
async def test_a_refusal_without_a_text_is_still_one(
    server: ManagementServer, game: GameManagement, error: object
) -> None:
    server.frames = {SAVE: [json.dumps({"id": 1, "error": error})]}
    with pytest.raises(ApiError) as refused:
        await game.save(timeout=5)
    assert refused.value.reason == ""


async def test_calls_that_the_peer_does_not_know_are_refused_by_it(
    server: ManagementServer, game: GameManagement, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The peer is strict about parameters, so that a wrong shape cannot go unnoticed.
    monkeypatch.setattr(management_protocol, "announcement", lambda text: [text])
    with pytest.raises(ServerManagerError, match="Invalid params"):
        await game.announce("Bye", timeout=5)
    assert server.said == []
