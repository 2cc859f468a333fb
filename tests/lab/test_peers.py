"""The peers in Node do what the tests built on them believe."""

from pathlib import Path

from mcstatus import BedrockServer as BedrockProbe, JavaServer
from mcstatus.responses import JavaStatusResponse
import pytest

from .minecraft import favicon
from .peers import BedrockServer, FlyingSquid, Player, ProtocolServer

pytestmark = pytest.mark.needs_node


async def _status(port: int) -> JavaStatusResponse:
    return await JavaServer("127.0.0.1", port, timeout=10).async_status(tries=1)


async def test_a_player_joins_and_leaves_a_server_that_can_be_started_again(
    tmp_path: Path,
) -> None:
    server = FlyingSquid(tmp_path)
    async with server:
        assert (await _status(server.port)).players.online == 0
        async with Player(tmp_path, "127.0.0.1", server.port, "Steve"):
            assert (await server.saw("joined"))["player"] == "Steve"
            seen = (await _status(server.port)).players
            assert (seen.online, [player.name for player in seen.sample or ()]) == (1, ["Steve"])
        await server.saw("left")
    port = server.port
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await _status(port)
    async with server:
        assert server.port == port
        assert (await _status(port)).players.max == 7


async def test_the_protocol_server_shows_icon_and_players(tmp_path: Path) -> None:
    icon = favicon(1, 2, 3)
    async with ProtocolServer(tmp_path, sample=("Alex", "Steve"), favicon=icon) as server:
        assert isinstance(server, ProtocolServer)
        seen = await _status(server.port)
    assert seen.icon == icon
    assert [player.name for player in seen.players.sample or ()] == ["Alex", "Steve"]


async def test_a_light_player_logs_in(tmp_path: Path) -> None:
    async with ProtocolServer(tmp_path) as server:
        assert isinstance(server, ProtocolServer)
        async with Player(tmp_path, "127.0.0.1", server.port, "Alex", light=True):
            await server.saw("joined")
        await server.saw("left")


async def test_a_bedrock_server_answers(tmp_path: Path) -> None:
    async with BedrockServer(tmp_path, players_online=3) as server:
        assert isinstance(server, BedrockServer)
        seen = await BedrockProbe("127.0.0.1", server.port, timeout=5).async_status()
    assert (seen.players.online, seen.players.max, seen.map_name) == (3, 5, "Lab level")


async def test_nothing_listens_beyond_loopback(tmp_path: Path) -> None:
    async with FlyingSquid(tmp_path) as squid, BedrockServer(tmp_path) as bedrock:
        assert isinstance(squid, FlyingSquid)
        assert isinstance(bedrock, BedrockServer)
        bound = {
            (int(port, 16), address)
            for table in ("tcp", "tcp6", "udp", "udp6")
            for address, port in _local_addresses(table)
        }
    assert {address for port, address in bound if port in (squid.port, bedrock.port)} == {
        "0100007F"
    }


def _local_addresses(table: str) -> list[tuple[str, str]]:
    lines = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    return [(found[0], found[1]) for line in lines if (found := line.split()[1].split(":"))]
