"""The sleeping host as a process of its own: in a namespace, under control of its standard input.

    python -m tests.lab.remote_host --interface vpve --address 10.77.0.2 --minecraft 101

Every line on standard input is a JSON object with `do`; every line on standard output is a JSON
answer. The process ends when its standard input closes.
"""

import argparse
import asyncio
import json
from pathlib import Path
import sys
from tempfile import TemporaryDirectory
from typing import Any

from .minecraft import GameServer, StatusServer
from .namespaces import Namespace, interface_address, project_root
from .nic import EthernetNic
from .peers import FlyingSquid
from .pve import TOKEN_ID, TOKEN_SECRET, LabPve, RunningTask
from .pve_record import Fault
from .sleeping_host import MAC, BootTimes, InterfaceLink, Power, SleepingHost

_GAME_PORT = 25565
_API_PORT = 8006

type Answer = Any


class Controls:
    """What can be done to the host from outside; every method answers something for JSON."""

    def __init__(self, host: SleepingHost, games: dict[int, GameServer]) -> None:
        """Take control of a host."""
        self._host = host
        self._games = games
        self._task: RunningTask | None = None

    async def evidence(self) -> dict[str, Any]:
        """Return all that the machine saw."""
        return self._host.evidence()

    async def authority(self) -> str:
        """Return the certificate of the node's own authority, in PEM."""
        return self._host.pve.certificates.authority.pem

    async def button(self) -> None:
        """Press the power button."""
        await self._host.power_button()

    async def cut(self) -> None:
        """Tear the power away."""
        await self._host.power_cut()

    async def reached(self, power: str, timeout: float = 20) -> None:
        """Wait for a state."""
        await self._host.reached(Power(power), timeout)

    async def games_up(self, timeout: float = 20) -> None:
        """Wait until every game server can be joined."""
        await self._host.games_up(timeout)

    async def players(self, names: list[str]) -> None:
        """Let the status of the simple servers show these players."""
        for game in self._games.values():
            if isinstance(game, StatusServer):
                game.status.players = names

    async def task(self, runs: bool) -> None:
        """Start a backup that stays, or let it finish."""
        if runs:
            self._task = self._host.pve.run_task()
        elif self._task is not None:
            self._task.finish()

    async def fault(self, fault: str | None, path: str = "") -> None:
        """Let the API misbehave, or mend it."""
        self._host.pve.mend()
        if fault is not None:
            self._host.pve.break_with(Fault(fault), path=path)


class RemoteHost:
    """The other end: starts the process in a namespace and speaks to it."""

    def __init__(self, namespace: Namespace, python: str = sys.executable, **options: str) -> None:
        """Prepare the process; options are those of the command line, without dashes."""
        self._namespace = namespace
        self._command = [python, "-m", "tests.lab.remote_host"]
        for name, value in options.items():
            self._command += [f"--{name.replace('_', '-')}", value]
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> RemoteHost:
        """Start the process; the host is asleep when this returns."""
        pipe = asyncio.subprocess.PIPE
        self._process = await self._namespace.spawn(
            *self._command, stdin=pipe, stdout=pipe, cwd=project_root(), limit=2**24
        )
        await self._answer()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the process."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def do(self, what: str, **arguments: object) -> Answer:
        """Do one of the things in `Controls` and return its answer."""
        assert self._process is not None
        assert self._process.stdin is not None
        async with self._turn:
            self._process.stdin.write(json.dumps({"do": what, **arguments}).encode() + b"\n")
            await self._process.stdin.drain()
            return await self._answer()

    async def _answer(self) -> Answer:
        assert self._process is not None
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the host process ended")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["answer"]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.lab.remote_host")
    parser.add_argument("--interface", required=True, help="where magic packets are heard")
    parser.add_argument("--address", required=True, help="the address while it is up")
    parser.add_argument("--mac", default=MAC)
    parser.add_argument("--vmid", type=int, default=101, help="the guest with the game server")
    parser.add_argument("--minecraft", choices=("simple", "squid"), default="simple")
    for name, seconds, meaning in (
        ("--firmware", 0.3, "from the packet until it answers pings"),
        ("--api", 0.1, "from the first ping until Proxmox answers"),
        ("--guests", 0.05, "from Proxmox until it starts the guests"),
        ("--game", 0.05, "from the start of the guest until Minecraft answers"),
        ("--guest-shutdown", 0.2, "that the guest takes to shut down"),
    ):
        parser.add_argument(name, type=float, default=seconds, help=f"seconds {meaning}")
    parser.add_argument("--secure-on", default=None)
    return parser.parse_args()


def _put_together(
    options: argparse.Namespace, directory: Path
) -> tuple[SleepingHost, dict[int, GameServer]]:
    game: GameServer = (
        FlyingSquid(directory, options.address, _GAME_PORT)
        if options.minecraft == "squid"
        else StatusServer(options.address, _GAME_PORT)
    )
    games = {options.vmid: game}
    pve = LabPve(directory, host=options.address, port=_API_PORT)
    pve.add_guest(options.vmid, "minecraft", running=False, shutdown_seconds=options.guest_shutdown)
    pve.add_token(TOKEN_ID, TOKEN_SECRET, game_guests=(options.vmid,))
    host = SleepingHost(
        pve,
        games=games,
        nic=EthernetNic(options.mac, options.interface, secure_on=options.secure_on),
        link=InterfaceLink(options.interface, interface_address()),
        times=BootTimes(
            firmware=options.firmware,
            api=options.api,
            guests=options.guests,
            game=options.game,
        ),
    )
    return host, games


async def _obey(controls: Controls, line: bytes) -> dict[str, Any]:
    order = json.loads(line)
    try:
        return {"answer": await getattr(controls, order.pop("do"))(**order)}
    except TimeoutError:
        return {"error": "timed out"}


async def _main() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    with TemporaryDirectory() as directory:
        host, games = _put_together(_options(), Path(directory))
        controls = Controls(host, games)
        async with host:
            _say({"answer": "asleep"})
            while line := await reader.readline():
                _say(await _obey(controls, line))


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_main())
