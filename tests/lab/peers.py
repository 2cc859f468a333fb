"""Real Minecraft peers that run in Node: servers that can be joined, and players."""

import asyncio
import contextlib
import json
from pathlib import Path
import socket
from typing import Any, BinaryIO

from .sleeping_host import free_port

NODE_FOLDER = Path(__file__).parent / "node"
JAVA_VERSION = "1.21.4"
_READY_TIMEOUT = 40
_END_TIMEOUT = 5
_TOLD = 1500


class PeerError(RuntimeError):
    """A peer did not start; the message holds the end of its output."""


class NodePeer:
    """One Node process: it reports events as JSON lines, its other output goes to a file."""

    def __init__(self, script: str, directory: Path, options: dict[str, Any]) -> None:
        """Prepare a peer; what it writes goes below an existing directory."""
        self.events: list[dict[str, Any]] = []
        self.options = options
        self._script = NODE_FOLDER / script
        self._directory = directory
        self._log = directory / f"{Path(script).stem}-{id(self):x}.log"
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._heard = asyncio.Event()

    async def __aenter__(self) -> NodePeer:
        """Start the peer."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the peer."""
        await self.stop()

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the process and wait until it says that it is ready."""
        log = await asyncio.to_thread(self._log.open, "ab")
        try:
            self._process = await self._spawn(log)
        finally:
            log.close()
        self._reader = asyncio.create_task(self._read())
        try:
            await self.saw("ready", timeout=_READY_TIMEOUT, since=len(self.events))
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End the process politely, then by force; nothing happens if it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _END_TIMEOUT)
        except TimeoutError:
            process.kill()
            await process.wait()
        if self._reader is not None:
            await self._reader

    async def saw(self, event: str, *, timeout: float = 20, since: int = 0) -> dict[str, Any]:
        """Wait until the peer reports this event; return it."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    for report in self.events[since:]:
                        if report["event"] == event:
                            return report
                    if self._reader is None or self._reader.done():
                        break
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            pass
        output = await asyncio.to_thread(self._log.read_text, "utf-8", "replace")
        seen = [report["event"] for report in self.events[since:]]
        raise PeerError(f"{self._script.name}: no {event}, but {seen}: {output[-_TOLD:]}")

    def evidence(self) -> dict[str, Any]:
        """Return what it saw, in a form that JSON can hold."""
        return {"peer": self._script.stem, "events": list(self.events)}

    async def _spawn(self, log: BinaryIO) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            "node",
            str(self._script),
            json.dumps(self.options),
            cwd=self._directory,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            with contextlib.suppress(ValueError):
                self.events.append(json.loads(line))
            self._heard.set()
        self._heard.set()


class _NodeServer(NodePeer):
    """A Node peer that listens on an address; the same one after every start."""

    def __init__(
        self, script: str, directory: Path, host: str, port: int, options: dict[str, Any]
    ) -> None:
        super().__init__(script, directory, {"host": host, "port": port} | options)

    @property
    def port(self) -> int:
        """The port; known from the first start."""
        return int(self.options["port"])

    @property
    def address(self) -> str:
        """Host and port that players use."""
        return f"{self.options['host']}:{self.port}"

    def choose_port(self) -> None:
        """Settle which port it will have, where that was left open."""
        if not self.port:
            self.options["port"] = free_port(self.options["host"], self._socket_kind)

    async def start(self) -> None:
        """Start the server."""
        self.choose_port()
        await super().start()

    _socket_kind = socket.SOCK_STREAM


class FlyingSquid(_NodeServer):
    """A Java server that players can join; it reports `joined` and `left`."""

    def __init__(
        self,
        directory: Path,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        version: str = JAVA_VERSION,
        motd: str = "A lab world",
        players_max: int = 7,
    ) -> None:
        """Prepare a server; port 0 takes a free one at the first start."""
        options = {"version": version, "motd": motd, "players_max": players_max}
        super().__init__("flying_squid.js", directory, host, port, options)


class ProtocolServer(_NodeServer):
    """A server of node-minecraft-protocol: icon and player sample in its status."""

    def __init__(
        self,
        directory: Path,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        version: str = JAVA_VERSION,
        motd: str = "A lab protocol server",
        players_max: int = 9,
        sample: tuple[str, ...] = (),
        favicon: str | None = None,
    ) -> None:
        """Prepare a server; port 0 takes a free one at the first start."""
        options: dict[str, Any] = {"version": version, "motd": motd, "players_max": players_max}
        if sample:
            options["sample"] = list(sample)
        if favicon:
            options["favicon"] = favicon
        super().__init__("status_server.js", directory, host, port, options)


class BedrockServer(_NodeServer):
    """A Bedrock server that answers pings."""

    _socket_kind = socket.SOCK_DGRAM

    def __init__(
        self,
        directory: Path,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        motd: str = "A lab bedrock server",
        players_online: int = 0,
        players_max: int = 5,
    ) -> None:
        """Prepare a server; port 0 takes a free one at the first start."""
        options = {
            "motd": motd,
            "level": "Lab level",
            "version": "1.21.60",
            "protocol": 776,
            "players_online": players_online,
            "players_max": players_max,
        }
        super().__init__("bedrock.js", directory, host, port, options)


class Player(NodePeer):
    """A player who joins on start and leaves on stop.

    The light one only logs in: enough to be counted, and it needs a server that does not spawn him.
    """

    def __init__(
        self,
        directory: Path,
        host: str,
        port: int,
        name: str,
        *,
        version: str = JAVA_VERSION,
        light: bool = False,
    ) -> None:
        """Prepare a player; he is `ready` when he spawned (the light one: when he logged in)."""
        options = {"host": host, "port": port, "name": name, "version": version, "light": light}
        super().__init__("player.js", directory, options)
