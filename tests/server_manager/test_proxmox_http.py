"""What only a hostile or broken server does to the Proxmox client."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
import ssl

import aiohttp
from aiohttp import web
import pytest

from custom_components.cubeguardian.server_manager import (
    ApiError,
    HostTimeoutError,
    PermissionDeniedError,
    ProxmoxAPI,
    ServerManagerError,
    TlsTrust,
    proxmox_http,
)
from tests.lab.certificates import NodeCertificates
from tests.lab.pve import TOKEN_ID, TOKEN_SECRET

from .conftest import LOGGER

type Serve = Callable[
    [web.BaseRequest], web.StreamResponse | Coroutine[object, object, web.StreamResponse]
]


@asynccontextmanager
async def answering(tmp_path: Path, serve: Serve) -> AsyncIterator[ProxmoxAPI]:
    certificates = NodeCertificates(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificates.write())

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        answer = serve(request)
        return answer if isinstance(answer, web.StreamResponse) else await answer

    runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    async with aiohttp.ClientSession() as session:
        yield ProxmoxAPI(
            LOGGER,
            session=session,
            host="127.0.0.1",
            port=runner.addresses[0][1],
            token_id=TOKEN_ID,
            token_secret=TOKEN_SECRET,
            trust=TlsTrust.pin_authority(certificates.authority.pem),
            node="pve",
        )
    await runner.cleanup()


@pytest.mark.parametrize(
    "body", ["", "[]", "null", "{}", '{"data": ', "[" * 100_000, '{"data": {"version": null}}x']
)
async def test_an_answer_that_is_not_proxmox_is_an_api_error(tmp_path: Path, body: str) -> None:
    async with answering(tmp_path, lambda _: web.Response(text=body)) as api:
        with pytest.raises(ApiError) as refused:
            await api.version()
    assert refused.value.status == 200


@pytest.mark.parametrize("data", ["null", "[]", "7", '{"uptime": 1e400}', '[{"vmid": "x"}]', "[1]"])
async def test_data_that_makes_no_sense_is_an_api_error(tmp_path: Path, data: str) -> None:
    async with answering(tmp_path, lambda _: web.Response(text=f'{{"data": {data}}}')) as api:
        with pytest.raises(ApiError, match="makes no sense"):
            await api.node_status()
        if data != "[]":
            with pytest.raises(ApiError, match="makes no sense"):
                await api.guests()


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    asked = []

    def redirect(request: web.BaseRequest) -> web.Response:
        asked.append(request.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    async with answering(tmp_path, redirect) as api:
        with pytest.raises(ApiError) as refused:
            await api.version()
    assert refused.value.status == 302
    assert asked == ["/api2/json/version"]


async def test_a_server_that_echoes_the_secret_does_not_get_it_into_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def echo(request: web.BaseRequest) -> web.Response:
        header = request.headers["Authorization"]
        return web.json_response({"message": f"\x1b[31m{header}\n", "errors": []}, status=500)

    async with answering(tmp_path, echo) as api:
        with pytest.raises(ApiError) as refused:
            await api.version()
    assert refused.value.reason == f"[31mPVEAPIToken={TOKEN_ID}=***"
    assert TOKEN_SECRET not in caplog.text


async def test_an_endless_answer_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxmox_http, "_ANSWER_LIMIT", 1000)
    async with answering(tmp_path, lambda _: web.Response(body=b"x" * 2000)) as api:
        with pytest.raises(ApiError, match="too long"):
            await api.version()


async def test_a_command_cut_off_after_it_was_sent_is_unknown_and_not_repeated(
    tmp_path: Path,
) -> None:
    heard = []

    def hang_up(request: web.BaseRequest) -> web.Response:
        heard.append(request.headers["Connection"])
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with answering(tmp_path, hang_up) as api:
        with pytest.raises(ApiError) as unknown:
            await api.shutdown()
    assert (unknown.value.status, unknown.value.sent) == (0, True)
    assert heard == ["close"]


async def test_a_command_that_was_heard_and_never_answered_is_unknown(tmp_path: Path) -> None:
    let_go = asyncio.Event()

    async def hang(_: web.BaseRequest) -> web.Response:
        await let_go.wait()
        return web.Response()

    async with answering(tmp_path, hang) as api:
        with pytest.raises(HostTimeoutError) as silent:
            await api.shutdown(timeout=0.5)
        assert silent.value.sent
        with pytest.raises(HostTimeoutError) as unread:
            await api.start_guest(101, timeout=0.5)
        assert not unread.value.sent
        let_go.set()


@pytest.mark.parametrize("status", [401, 403, 500])
async def test_a_command_that_was_refused_is_not_unknown(tmp_path: Path, status: int) -> None:
    async with answering(tmp_path, lambda _: web.Response(status=status)) as api:
        with pytest.raises(ServerManagerError) as refused:
            await api.shutdown()
    assert not refused.value.sent


@pytest.mark.parametrize("hangs_up", [True, False])
async def test_a_command_that_never_left_is_not_unknown(hangs_up: bool) -> None:
    let_go = asyncio.Event()

    async def never_greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not hangs_up:
            await let_go.wait()
        writer.close()

    server = await asyncio.start_server(never_greet, "127.0.0.1", 0)
    api = ProxmoxAPI(
        LOGGER,
        session=None,
        host="127.0.0.1",
        port=server.sockets[0].getsockname()[1],
        token_id=TOKEN_ID,
        token_secret=TOKEN_SECRET,
        trust=TlsTrust(),
        node="pve",
    )
    with pytest.raises(ServerManagerError) as unsent:
        await api.shutdown(timeout=0.5)
    let_go.set()
    server.close()
    await server.wait_closed()
    assert isinstance(unsent.value, HostTimeoutError) is not hangs_up
    assert not unsent.value.sent


async def test_a_denial_without_details_is_still_a_denial(tmp_path: Path) -> None:
    bare = web.Response(status=403, reason="Forbidden")
    async with answering(tmp_path, lambda _: bare) as api:
        with pytest.raises(PermissionDeniedError) as denied:
            await api.version()
    assert (denied.value.path, denied.value.privilege) == ("", "")


@pytest.mark.parametrize("body", ["[]", "7", "", "<html>", "[" * 100_000])
async def test_an_error_is_read_from_its_reason_where_the_body_says_nothing(
    tmp_path: Path, body: str
) -> None:
    def fail(_: web.BaseRequest) -> web.Response:
        return web.Response(status=596, reason="Connection timed out", text=body)

    async with answering(tmp_path, fail) as api:
        with pytest.raises(ApiError) as failed:
            await api.version()
    assert (failed.value.status, failed.value.reason) == (596, "Connection timed out")


async def test_being_cancelled_gives_the_connection_back(tmp_path: Path) -> None:
    asked, silent = asyncio.Event(), asyncio.Event()

    async def stay_silent(request: web.BaseRequest) -> web.Response:
        asked.set()
        await silent.wait()
        return web.Response()

    async with answering(tmp_path, stay_silent) as api, aiohttp.ClientSession() as session:
        assert session.connector is not None
        api._client._session = session
        task = asyncio.create_task(api.version())
        await asyncio.wait_for(asked.wait(), 5)
        assert len(session.connector._acquired) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not session.connector._acquired
        silent.set()
