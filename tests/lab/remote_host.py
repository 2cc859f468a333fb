"""The sleeping host as a process of its own: in a namespace, under control of its standard input.

    python -m tests.lab.remote_host --interface vpve --address 10.77.0.2

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

from .companions import ManagedServer, Neighbours
from .minecraft import GameServer, StatusServer
from .namespaces import PREFIX, Namespace, project_root
from .nic import EthernetNic
from .peers import FlyingSquid
from .plan import Console, GamePlan, GuestPlan, read_games, read_guests, written
from .pve import TOKEN_ID, TOKEN_SECRET, LabPve, RunningTask
from .pve_record import Fault
from .sleeping_host import MAC, BootTimes, InterfaceLink, Power, SleepingHost

_API_PORT = 8006
_POLL = 0.02

type Answer = Any


class Controls:
    """What can be done to the host from outside; every method answers something for JSON."""

    def __init__(self, host: SleepingHost, games: dict[int, GameServer]) -> None:
        """Take control of a host; `games` are the game servers by their port."""
        self._host = host
        self._games = games
        self._task: RunningTask | None = None

    async def evidence(self) -> dict[str, Any]:
        """Return all that the machine saw."""
        return self._host.evidence()

    async def authority(self) -> str:
        """Return the certificate of the node's own authority, in PEM."""
        return self._host.pve.certificates.authority.pem

    async def fingerprint(self) -> str:
        """Return the fingerprint of the certificate that the node shows."""
        return self._host.pve.certificates.served.fingerprint

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

    async def reboot_itself(self) -> None:
        """Restart without having been asked over the API, as after an update."""
        await self._host.reboot_itself()

    async def heard(self, ending: str, timeout: float = 20) -> None:
        """Wait until a command was answered whose path ends so."""
        async with asyncio.timeout(timeout):
            while not any(
                call.method == "POST" and call.status is not None and call.path.endswith(ending)
                for call in self._host.pve.calls
            ):
                await asyncio.sleep(_POLL)

    async def players(self, names: list[str], port: int | None = None) -> None:
        """Let the status of the simple servers, or of the one at a port, show these players."""
        for at, game in self._games.items():
            if isinstance(game, StatusServer) and port in (None, at):
                game.status.players = names

    async def guest(self, vmid: int, runs: bool) -> None:
        """Start or stop a guest, as somebody does in Proxmox's own interface."""
        self._host.pve.find_guest(vmid).status = "running" if runs else "stopped"

    async def task(self, runs: bool, kind: str = "vzdump", target: str = "101") -> None:
        """Start a task that stays, or let it finish."""
        if runs:
            self._task = self._host.pve.run_task(kind, target)
        elif self._task is not None:
            self._task.finish()

    async def backup_due(self, seconds: float | None) -> None:
        """Let a backup be due so soon, or none at all."""
        self._host.pve.backup_jobs.clear()
        if seconds is not None:
            self._host.pve.schedule_backup("backup-nightly", seconds)

    async def grant(self, privilege: str, path: str) -> None:
        """Give the user of the token a privilege."""
        self._host.pve.grant(TOKEN_ID.partition("!")[0], path, privilege)

    async def revoke(self, privilege: str, path: str | None = None) -> None:
        """Take a privilege from everybody, on one path or on all."""
        self._host.pve.revoke(privilege, path)

    async def token(self, valid: bool) -> None:
        """Take the token away, or give it back."""
        if valid:
            self._host.pve.restore_token()
        else:
            self._host.pve.remove_token()

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
    parser.add_argument("--games", default=written([GamePlan()]), help="game servers, in JSON")
    parser.add_argument("--others", default="[]", help="guests without a game server, in JSON")
    parser.add_argument("--minecraft", choices=("simple", "squid"), default="simple")
    for name, seconds, meaning in (
        ("--firmware", 0.3, "from the packet until it answers pings"),
        ("--api", 0.1, "from the first ping until Proxmox answers"),
        ("--guests", 0.05, "from Proxmox until it starts the guests"),
        ("--game", 0.05, "from the start of the guest until Minecraft answers"),
        ("--guest-shutdown", 0.2, "that a guest with a game server takes to shut down"),
        ("--halt", 0.0, "from the end of the last guest until nothing answers any more"),
    ):
        parser.add_argument(name, type=float, default=seconds, help=f"seconds {meaning}")
    parser.add_argument("--secure-on", default=None)
    parser.add_argument(
        "--time-scale",
        type=float,
        default=1.0,
        help="how much of its time a task on the node takes",
    )
    return parser.parse_args()


def _game(options: argparse.Namespace, plan: GamePlan, directory: Path) -> GameServer:
    return (
        FlyingSquid(directory, options.address, plan.port)
        if options.minecraft == "squid"
        else StatusServer(options.address, plan.port)
    )


def _in_its_guest(
    options: argparse.Namespace, plans: list[GamePlan], games: dict[int, GameServer]
) -> GameServer:
    """Return everything that runs in one guest."""
    inside = [
        ManagedServer(games[plan.port], plan.console, options.address, plan.console_port)
        if plan.console is not Console.NONE
        else games[plan.port]
        for plan in plans
    ]
    return inside[0] if len(inside) == 1 else Neighbours(*inside)


def _node(
    options: argparse.Namespace, vmids: set[int], others: tuple[GuestPlan, ...], directory: Path
) -> LabPve:
    pve = LabPve(directory, host=options.address, port=_API_PORT)
    pve.time_scale = options.time_scale
    for vmid in sorted(vmids):
        name = f"minecraft-{vmid}"
        pve.add_guest(vmid, name, running=False, shutdown_seconds=options.guest_shutdown)
    for plan in others:
        pve.add_guest(
            plan.vmid,
            plan.name,
            kind=plan.kind,
            running=False,
            shutdown_seconds=plan.seconds,
            ignores_shutdown=plan.ignores_shutdown,
            macs=plan.macs,
        )
    guests = (*vmids, *(plan.vmid for plan in others))
    pve.add_token(TOKEN_ID, TOKEN_SECRET, game_guests=guests)
    pve.grant(TOKEN_ID.partition("!")[0], "/", "Sys.Audit")
    return pve


def _put_together(
    options: argparse.Namespace, directory: Path
) -> tuple[SleepingHost, dict[int, GameServer]]:
    plans = read_games(options.games)
    games = {plan.port: _game(options, plan, directory) for plan in plans}
    vmids = {plan.vmid for plan in plans}
    host = SleepingHost(
        _node(options, vmids, read_guests(options.others), directory),
        games={
            vmid: _in_its_guest(options, [plan for plan in plans if plan.vmid == vmid], games)
            for vmid in vmids
        },
        nic=EthernetNic(options.mac, options.interface, secure_on=options.secure_on),
        link=InterfaceLink(options.interface, f"{options.address}/{PREFIX}"),
        times=BootTimes(
            firmware=options.firmware,
            api=options.api,
            guests=options.guests,
            game=options.game,
            halt=options.halt,
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
