"""What runs beside a game server in its guest: a way to manage it, or other game servers."""

from contextlib import AsyncExitStack
from typing import Any

from tests.server_manager import management_server, rcon_server
from tests.server_manager.management_server import ManagementServer
from tests.server_manager.rcon_server import RconServer

from .minecraft import GameServer
from .plan import Console

SECRETS = {Console.RCON: rcon_server.SECRET, Console.PROTOCOL: management_server.SECRET}

type Peer = ManagementServer | RconServer


class ManagedServer:
    """A game server with a console that listens while it runs, at the same port every time.

    `peer` is the console: it knows nobody who plays unless that is set.
    """

    def __init__(self, game: GameServer, kind: Console, host: str, port: int) -> None:
        """Put a console beside a game server."""
        self.game = game
        self.peer: Peer = ManagementServer() if kind is Console.PROTOCOL else RconServer()
        self._host, self._port = host, port
        self._stack = AsyncExitStack()

    @property
    def address(self) -> str:
        """Host and port that players use."""
        return self.game.address

    async def start(self) -> None:
        """Listen on both ports."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.peer.running(self._host, self._port))
            await self.game.start()
            stack.push_async_callback(self.game.stop)
            self._stack = stack.pop_all()

    async def stop(self) -> None:
        """Stop listening."""
        await self._stack.aclose()

    def evidence(self) -> dict[str, Any]:
        """Return what both saw; what was said and the commands are in the order of their coming."""
        console = self.peer
        heard = (
            {"commands": list(console.commands)}
            if isinstance(console, RconServer)
            else {
                "said": list(console.said),
                "saves": console.saves,
                "methods": [call["method"] for call in console.calls],
            }
        )
        return {**self.game.evidence(), "console": heard}


class Neighbours:
    """Several game servers in one guest: they start and stop together."""

    def __init__(self, *games: GameServer) -> None:
        """Put game servers together; players know the first one's address."""
        self.games = games

    @property
    def address(self) -> str:
        """Host and port that players of the first one use."""
        return self.games[0].address

    async def start(self) -> None:
        """Start all of them, or none."""
        async with AsyncExitStack() as stack:
            for game in self.games:
                await game.start()
                stack.push_async_callback(game.stop)
            stack.pop_all()

    async def stop(self) -> None:
        """Stop all of them."""
        async with AsyncExitStack() as stack:
            for game in self.games:
                stack.push_async_callback(game.stop)

    def evidence(self) -> dict[str, Any]:
        """Return what each of them saw, by its address."""
        return {game.address: game.evidence() for game in self.games}
