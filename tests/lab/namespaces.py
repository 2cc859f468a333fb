"""Two network namespaces on one wire: Home Assistant's side and the sleeping host's.

Each is held open by a process that ends when its standard input closes, so nothing stays behind
even if the test run is killed. Without root an own user namespace gives the same.
"""

import asyncio
from collections.abc import Sequence
import contextlib
import ipaddress
import os
from pathlib import Path
import shutil
import socket
import subprocess
import threading

HOME_ADDRESS = "10.77.0.1"
HOST_ADDRESS = "10.77.0.2"
PREFIX = 24
HOME_INTERFACE, HOST_INTERFACE = "vha", "vpve"
_NOBODY_MAC = "02:00:00:00:de:ad"
_SETTLE_TIMEOUT = 10


class Namespace:
    """One network namespace, held by a process of ours."""

    def __init__(self, unshare: Sequence[str], *, as_root: bool) -> None:
        """Make it; `unshare` is the command up to what is to run inside."""
        self._as_root = as_root
        self._holder = subprocess.Popen(
            [*unshare, "sh", "-c", "echo ready; exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"ready\n":
            _, message = self._holder.communicate()
            raise OSError(message.decode().strip() or "no namespace could be made")

    @property
    def pid(self) -> int:
        """The process that holds the namespace open."""
        return self._holder.pid

    @property
    def enter(self) -> tuple[str, ...]:
        """What to put in front of a command to run it inside."""
        user = () if self._as_root else ("-U", "--preserve-credentials")
        return ("nsenter", "-t", str(self.pid), *user, "-n", "--")

    def run(self, *command: str) -> str:
        """Run a command inside and return what it wrote; RuntimeError if it fails."""
        done = subprocess.run([*self.enter, *command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    async def spawn(self, *command: str, **options: object) -> asyncio.subprocess.Process:
        """Start a command inside."""
        return await asyncio.create_subprocess_exec(*self.enter, *command, **options)  # type: ignore[arg-type]

    def open_socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """Return a socket that lives inside, for use by this process (root only).

        A socket stays in the namespace of the thread that made it: a short-lived one makes it.
        """
        made: list[socket.socket] = []
        thread = threading.Thread(target=lambda: made.append(self._make(family, kind, protocol)))
        thread.start()
        thread.join()
        if not made:
            raise PermissionError("this process may not enter the namespace")
        return made[0]

    def close(self) -> None:
        """Let the namespace vanish, interfaces and all."""
        self._holder.communicate()

    def _make(self, family: int, kind: int, protocol: int) -> socket.socket:
        handle = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
        try:
            os.setns(handle, os.CLONE_NEWNET)
        finally:
            os.close(handle)
        return socket.socket(family, kind, protocol)


class TwoNamespaces:
    """`home` and `host` with a veth pair between; used as a context manager.

    At first the host's side has its link up and no address: a card with power, a machine asleep.
    """

    def __init__(self, *, mac: str = "02:00:00:00:00:42") -> None:
        """Remember the MAC address of the host's side."""
        self._mac = mac
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> TwoNamespaces:
        """Make everything; OSError where namespaces are not possible."""
        as_root = os.geteuid() == 0
        with contextlib.ExitStack() as stack:
            outside = ["unshare", "-n"] if as_root else ["unshare", "-Urn"]
            self.home = Namespace(outside, as_root=as_root)
            stack.callback(self.home.close)
            self.host = Namespace([*self.home.enter, "unshare", "-n"], as_root=as_root)
            stack.callback(self.host.close)
            self._wire()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Let both vanish."""
        self._stack.close()

    def vanish(self, *addresses: str) -> None:
        """Let packets to these addresses go out on the wire and never be answered."""
        for address in addresses:
            neighbour = (address, "lladdr", _NOBODY_MAC, "dev", HOME_INTERFACE, "nud", "permanent")
            self.home.run("ip", "neigh", "replace", *neighbour)

    def silence(self, *addresses: str) -> None:
        """Let these addresses not even answer ARP: the beginning, and a vanished host mended."""
        for address in addresses:
            self.home.run(
                "ip", "neigh", "flush", "to", address, "dev", HOME_INTERFACE, "nud", "all"
            )

    def unplug(self) -> None:
        """Take our own side's network away."""
        self.home.run("ip", "link", "set", HOME_INTERFACE, "down")

    def plug_in(self) -> None:
        """Bring our own side's network back."""
        self.home.run("ip", "link", "set", HOME_INTERFACE, "up")
        self.home.run("ip", "route", "replace", "default", "dev", HOME_INTERFACE)
        self._settle()

    def allow_unprivileged_ping(self) -> None:
        """Let processes without root ping from the home side."""
        self.home.run("sh", "-c", "echo 0 0 > /proc/sys/net/ipv4/ping_group_range")

    def _wire(self) -> None:
        peer = ("peer", "name", HOST_INTERFACE, "netns", str(self.host.pid))
        self.home.run("ip", "link", "add", HOME_INTERFACE, "type", "veth", *peer)
        self.host.run("ip", "link", "set", HOST_INTERFACE, "address", self._mac)
        self.host.run("ip", "link", "set", "lo", "up")
        self.host.run("ip", "link", "set", HOST_INTERFACE, "up")
        # Else the machine whose address came first takes those of all others with it.
        keep = "echo 1 > /proc/sys/net/ipv4/conf/all/promote_secondaries"
        self.host.run("sh", "-c", keep)
        self.home.run("ip", "link", "set", "lo", "up")
        address = f"{HOME_ADDRESS}/{PREFIX}"
        self.home.run("ip", "addr", "add", address, "brd", "+", "dev", HOME_INTERFACE)
        self.plug_in()

    def _settle(self) -> None:
        # A link that was just set up drops what is sent before its carrier is seen.
        watch = f"until grep -q 1 /sys/class/net/{HOME_INTERFACE}/carrier; do sleep 0.01; done"
        shell = f"mount -t sysfs sysfs /sys && {watch}"
        command = [*self.home.enter, "unshare", "-m", "sh", "-c", shell]
        subprocess.run(command, check=False, timeout=_SETTLE_TIMEOUT, capture_output=True)


def why_impossible() -> str | None:
    """Say why namespaces cannot be made here; None if they can."""
    missing = [tool for tool in ("ip", "unshare", "nsenter") if shutil.which(tool) is None]
    if missing:
        return f"missing: {', '.join(missing)}"
    try:
        with TwoNamespaces():
            return None
    except (OSError, RuntimeError) as error:
        return str(error)


def addresses(count: int, first: int = 100) -> list[str]:
    """Return addresses on the wire that no machine has."""
    base = ipaddress.ip_address(HOME_ADDRESS) - 1
    return [str(base + first + index) for index in range(count)]


def project_root() -> Path:
    """Return the folder in which `python -m tests.lab...` works."""
    return Path(__file__).parents[2]
