"""Asking Minecraft servers, proper ones and whatever else may sit on the port."""

import asyncio
from collections.abc import AsyncIterator
import errno
import json
import logging
from pathlib import Path
import struct

import dns.exception
import dns.resolver
from mcstatus import JavaServer
import pytest

from custom_components.cubeguardian.server_manager import (
    Address,
    Edition,
    HostConnectionError,
    HostTimeoutError,
    InvalidInputError,
    MinecraftChecker,
    MinecraftProtocolError,
    NameNotFoundError,
    NetworkUnavailableError,
    PortClosedError,
    ServerManagerError,
    minecraft_checker,
    network,
    parse_address,
)
from tests.lab.minecraft import Status, StatusFault, StatusServer, favicon
from tests.lab.peers import BedrockServer, FlyingSquid

from .conftest import closed_port

LOGGER = logging.getLogger("tests.minecraft")
MAGIC = bytes.fromhex("00ffff00fefefefefdfdfdfd12345678")


@pytest.fixture
def checker() -> MinecraftChecker:
    return MinecraftChecker(LOGGER)


@pytest.fixture
async def server() -> AsyncIterator[StatusServer]:
    async with StatusServer() as running:
        yield running


class Pong(asyncio.DatagramProtocol):
    """A Bedrock server of which the answer can be chosen."""

    def __init__(self, text: bytes) -> None:
        self.text = text

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        body = struct.pack(">H", len(self.text)) + self.text
        assert isinstance(self.transport, asyncio.DatagramTransport)
        self.transport.sendto(b"\x1c" + data[1:9] + b"\0" * 8 + MAGIC + body, addr)


async def bedrock(text: bytes) -> tuple[asyncio.DatagramTransport, str]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Pong(text), local_addr=("127.0.0.1", 0)
    )
    return transport, f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"


async def test_a_java_server_tells_everything(
    server: StatusServer, checker: MinecraftChecker
) -> None:
    server.status = Status(players=["Alex", "Steve"], favicon=favicon(10, 20, 30))
    status = await checker.status(server.address)
    assert (status.players_online, status.players_max) == (2, 20)
    assert status.players == ("Alex", "Steve")
    assert (status.version, status.protocol, status.motd) == ("1.21.4", 769, "A lab server")
    assert 0 <= status.latency_ms < 2000
    assert status.icon == favicon(10, 20, 30)


async def test_a_server_that_hides_its_players_still_counts_them(
    server: StatusServer, checker: MinecraftChecker
) -> None:
    server.status = Status(players=["Alex"], shows_sample=False)
    status = await checker.status(server.address)
    assert (status.players_online, status.players) == (1, ())


async def test_what_a_server_says_is_cleaned_and_cut(
    server: StatusServer, checker: MinecraftChecker
) -> None:
    server.status = Status(
        motd={"text": "one\ntwo\x1b[31m", "extra": [" §kthree" + "x" * 500]},
        version="§cPaper\u202e" + "9" * 100,
        players=["A\nb", "\u200b", "§4Evil", "x" * 300, "Alex", "Alex"],
        favicon="data:text/html;base64,PHNjcmlwdD4=",
    )
    status = await checker.status(server.address)
    assert status.players == ("A b", "Evil", "x" * 16, "Alex")
    assert status.motd.startswith("one two [31m three")
    assert (len(status.motd), len(status.version)) == (200, 48)
    assert status.version.startswith("Paper 99")
    assert status.icon is None


@pytest.mark.parametrize(
    ("players", "online"),
    [
        ({"online": "many", "max": None}, None),
        ({"online": -1, "max": 20}, None),
        ({"online": 10**30, "max": 20}, None),
        ({"online": True, "max": 20}, None),
        ({"online": 0, "max": 20}, 0),
    ],
)
async def test_a_number_of_players_that_is_none_is_unknown_and_not_empty(
    server: StatusServer,
    checker: MinecraftChecker,
    monkeypatch: pytest.MonkeyPatch,
    players: dict[str, object],
    online: int | None,
) -> None:
    answer = {
        "version": {"name": 7, "protocol": "x"},
        "players": players,
        "favicon": 9,
        "description": "\ud800",
    }
    monkeypatch.setattr(Status, "to_json", lambda _: json.dumps(answer))
    status = await checker.status(server.address)
    assert status.players_online == online
    assert (status.version, status.protocol, status.icon, status.motd) == ("", -1, None, "")
    json.dumps(status.motd).encode()


@pytest.mark.parametrize(
    "answer",
    [
        "[]",
        "7",
        "{}",
        '{"players": 1}',
        '{"players": {"online": 1, "max": 2, "sample": [1]}}',
        "".join(('{"description": ', '{"extra": [' * 3000, "]}" * 3000, "}")),
    ],
)
async def test_an_answer_that_makes_no_sense_is_a_protocol_error(
    server: StatusServer,
    checker: MinecraftChecker,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
) -> None:
    monkeypatch.setattr(Status, "to_json", lambda _: answer)
    with pytest.raises(MinecraftProtocolError) as refused:
        await checker.status(server.address)
    assert refused.value.port == server.port


@pytest.mark.parametrize(
    "fault", [StatusFault.GARBAGE, StatusFault.HTTP, StatusFault.CLOSES, StatusFault.NOT_JSON]
)
async def test_something_else_on_the_port_is_a_protocol_error(
    server: StatusServer, checker: MinecraftChecker, fault: StatusFault
) -> None:
    server.fault = fault
    with pytest.raises(MinecraftProtocolError) as refused:
        await checker.status(server.address, timeout=1)
    assert refused.value.port == server.port
    assert refused.value.code == "api_error"


@pytest.mark.parametrize("fault", [StatusFault.SILENT, StatusFault.HALF])
async def test_an_open_port_that_stays_silent_is_told_apart(
    server: StatusServer, checker: MinecraftChecker, fault: StatusFault
) -> None:
    server.fault = fault
    started = asyncio.get_running_loop().time()
    with pytest.raises(HostTimeoutError) as silent:
        await checker.status(server.address, timeout=0.5)
    assert silent.value.port_open is True
    assert asyncio.get_running_loop().time() - started < 1.5


async def test_lost_packets_do_not_say_that_a_port_is_closed(
    checker: MinecraftChecker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def vanish(*_: object, **__: object) -> None:
        await asyncio.sleep(30)

    monkeypatch.setattr(JavaServer, "async_status", vanish)
    monkeypatch.setattr(network, "_connect", vanish)
    with pytest.raises(HostTimeoutError) as silent:
        await checker.status("127.0.0.1:25565", timeout=0.3)
    assert silent.value.port_open is None


async def test_a_closed_port_is_refused_at_once(
    checker: MinecraftChecker, names: dict[str, list[str]]
) -> None:
    started = asyncio.get_running_loop().time()
    names["mc.lan"] = ["127.0.0.1", "::1"]
    for host in ("127.0.0.1", "[::1]", "mc.lan"):
        with pytest.raises(HostConnectionError, match="ECONNREFUSED"):
            await checker.status(f"{host}:{closed_port()}")
    assert asyncio.get_running_loop().time() - started < 1


async def test_our_own_network_and_unknown_names_are_told_apart(
    checker: MinecraftChecker, names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NameNotFoundError):
        await checker.status("nobody.invalid:25565")

    async def unreachable(*_: object, **__: object) -> None:
        raise OSError(errno.ENETUNREACH, "made up")

    monkeypatch.setattr(JavaServer, "async_status", unreachable)
    with pytest.raises(NetworkUnavailableError):
        await checker.status("127.0.0.1:25565")


async def test_a_server_is_asked_once(server: StatusServer, checker: MinecraftChecker) -> None:
    await checker.status(server.address)
    assert (server.connections, server.statuses) == (1, 1)


async def test_a_bedrock_server_tells_everything(checker: MinecraftChecker) -> None:
    transport, address = await bedrock(
        b"MCPE;\xc2\xa7aBed \xc2\xa7lrock;766;1.21.50;3;10;1234;World;Survival;1;19132;19133;"
    )
    status = await checker.status(address, edition=Edition.BEDROCK)
    transport.close()
    assert (status.players_online, status.players_max, status.players) == (3, 10, ())
    assert (status.version, status.protocol, status.motd) == ("1.21.50", 766, "Bed rock")
    assert status.icon is None


async def test_bedrock_silence_cannot_tell_an_open_port(checker: MinecraftChecker) -> None:
    with pytest.raises(HostTimeoutError) as silent:
        await checker.status(f"127.0.0.1:{closed_port()}", edition=Edition.BEDROCK, timeout=0.2)
    assert silent.value.port_open is None


async def test_bedrock_nonsense_and_unknown_names_are_told(
    checker: MinecraftChecker, names: dict[str, list[str]]
) -> None:
    transport, address = await bedrock(b"\xff\xfe;;")
    with pytest.raises(MinecraftProtocolError):
        await checker.status(address, edition=Edition.BEDROCK)
    transport.close()
    with pytest.raises(NameNotFoundError):
        await checker.status("nobody.invalid", edition=Edition.BEDROCK)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mc.example.com", Address(host="mc.example.com", port=None)),
        (" mc.example.com. ", Address(host="mc.example.com", port=None)),
        ("mc.example.com:25570", Address(host="mc.example.com", port=25570)),
        ("docker_mc", Address(host="docker_mc", port=None)),
        ("münchen.de", Address(host="xn--mnchen-3ya.de", port=None)),
        ("192.168.1.2", Address(host="192.168.1.2", port=25565)),
        ("localhost", Address(host="localhost", port=25565)),
        ("fd00::1", Address(host="fd00::1", port=25565)),
        ("[fd00::1]", Address(host="fd00::1", port=25565)),
        ("[fd00::1]:25570", Address(host="fd00::1", port=25570)),
    ],
)
def test_addresses_are_understood_as_players_type_them(text: str, expected: Address) -> None:
    assert parse_address(text, Edition.JAVA) == expected


def test_a_bedrock_address_has_bedrocks_port() -> None:
    assert parse_address("mc.example.com", Edition.BEDROCK).port == 19132
    assert parse_address("mc.example.com:1", Edition.BEDROCK).port == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":25565",
        "mc:",
        "mc:0",
        "mc:65536",
        "mc:x",
        "mc:٣",
        "mc:25565:1",
        "[mc]:25565",
        "[fd00::1",
        "[fd00::1]x",
        "a b",
        "-mc.de",
        "mc..de",
        "300.1.1.1",
        "http://mc.de",
        "a." * 200 + "de",
    ],
)
def test_what_is_no_address_is_bad_input(text: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_address(text)
    assert refused.value.field == "address"


class Records:
    """A stand-in for the name servers that mcstatus asks for SRV records."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.answer: JavaServer | Exception | None = None
        monkeypatch.setattr(JavaServer, "async_lookup", self.look_up)

    async def look_up(self, address: str, timeout: float) -> JavaServer:
        self.asked.append(address)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is None:
            await asyncio.sleep(30)
        assert self.answer is not None
        return self.answer


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> Records:
    return Records(monkeypatch)


async def test_a_record_leads_to_the_server_and_is_kept(
    server: StatusServer, checker: MinecraftChecker, records: Records
) -> None:
    records.answer = JavaServer(server.host, server.port)
    for _ in range(3):
        assert (await checker.status("mc.example.com")).players_max == 20
    assert records.asked == ["mc.example.com"]
    await server.stop()
    with pytest.raises(HostConnectionError):
        await checker.status("mc.example.com")
    with pytest.raises(HostConnectionError):
        await checker.status("mc.example.com")
    assert len(records.asked) == 2


@pytest.mark.parametrize("answer", [dns.exception.Timeout, OSError, None])
async def test_without_a_record_the_usual_port_is_asked(
    checker: MinecraftChecker,
    records: Records,
    names: dict[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    answer: type[Exception] | None,
) -> None:
    records.answer = answer() if answer else None
    endpoints = []

    async def ask(endpoint: object, _: float) -> None:
        endpoints.append(str(endpoint))

    monkeypatch.setattr(minecraft_checker, "_ask_java", ask)
    await checker.status("mc.example.com", timeout=0.5)
    assert endpoints == ["mc.example.com:25565"]


async def test_a_guessed_port_that_refuses_does_not_close_the_server(
    checker: MinecraftChecker, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(endpoint: object, _: float) -> None:
        raise PortClosedError(f"{endpoint} cannot be reached")

    monkeypatch.setattr(minecraft_checker, "_ask_java", refuse)
    records.answer = dns.exception.Timeout()
    with pytest.raises(HostConnectionError) as unclear:
        await checker.status("mc.example.com", timeout=0.5)
    assert not isinstance(unclear.value, PortClosedError)
    records.answer = JavaServer("mc.example.com", 25565)
    with pytest.raises(PortClosedError):
        await checker.status("mc.example.com", timeout=0.5)


async def test_no_name_server_is_asked_where_there_can_be_no_record(
    checker: MinecraftChecker, records: Records, names: dict[str, list[str]]
) -> None:
    names["localhost"] = ["127.0.0.1"]
    for address in ("127.0.0.1", "[::1]", "localhost", f"mc.lan:{closed_port()}"):
        with pytest.raises(ServerManagerError):
            await checker.status(address, timeout=0.5)
    assert records.asked == []


async def test_the_resolver_is_made_ready_off_the_loop(
    checker: MinecraftChecker, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_configuration() -> None:
        raise dns.resolver.NoResolverConfiguration

    records.answer = OSError("no answer")
    monkeypatch.setattr("dns.asyncresolver.get_default_resolver", no_configuration)
    monkeypatch.setattr(JavaServer, "async_status", lambda *_, **__: asyncio.sleep(0))
    with pytest.raises(MinecraftProtocolError):
        await checker.status("mc.example.com")


async def test_a_failed_look_is_no_news_in_the_log(
    checker: MinecraftChecker, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(HostConnectionError):
        await checker.status(f"127.0.0.1:{closed_port()}")
    assert {record.levelno for record in caplog.records if record.name == LOGGER.name} <= {
        logging.DEBUG
    }


@pytest.mark.needs_node
async def test_a_real_java_server_is_understood(checker: MinecraftChecker, tmp_path: Path) -> None:
    squid = FlyingSquid(tmp_path)
    async with squid:
        status = await checker.status(squid.address)
    assert (status.players_online, status.players) == (0, ())
    assert status.version


@pytest.mark.needs_node
async def test_a_real_bedrock_server_is_understood(
    checker: MinecraftChecker, tmp_path: Path
) -> None:
    peer = BedrockServer(tmp_path)
    async with peer:
        status = await checker.status(peer.address, edition=Edition.BEDROCK)
    assert status.players_online == 0
    assert status.motd
