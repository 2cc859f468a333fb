"""A Proxmox VE node that really goes down when it is told to."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
import contextlib
from pathlib import Path
import ssl
import time
from typing import Any

from aiohttp import web

from .certificates import NodeCertificates
from .pve_answers import AnsweringPve, read_parameters
from .pve_record import (
    REFUSALS,
    ActiveFault,
    ApiCall,
    Fault,
    caller,
    without_prefix,
    without_secrets,
)
from .pve_shapes import network_cards

TOKEN_ID = "cubeguardian@pve!ha"
TOKEN_SECRET = "00000000-1ab0-4000-8000-000000000000"
NODE_RIGHTS = ("Sys.Audit", "Sys.PowerMgmt")
KEEP_ALIVE = 5.0
_NEVER = float("inf")

type PowerHandler = Callable[[str], Awaitable[None]]
type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
type Guest = Any


class RunningTask:
    """A task on the node that runs until it is told to end."""

    def __init__(self, record: dict[str, Any]) -> None:
        """Wrap fakepve's record of the task."""
        self._record = record

    @property
    def upid(self) -> str:
        """The identifier of the task."""
        return str(self._record["upid"])

    def finish(self, exit_status: str = "OK") -> None:
        """Let the task end with this exit status."""
        self._record.update(status="stopped", exitstatus=exit_status, endtime=int(time.time()))


class LabPve(AnsweringPve):
    """One node `pve` with guests, a token and rights, over TLS under its own authority.

    Times are real seconds; those that guests and tasks take are multiplied by `time_scale`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        node: str = "pve",
        certificates: NodeCertificates | None = None,
    ) -> None:
        """Prepare a node that is not listening yet; port 0 takes a free one at the first start."""
        super().__init__(host=host, port=port)
        self.node = node
        self.nodes.clear()
        self.add_node(node)
        self.time_scale = 1.0
        hosts = tuple(dict.fromkeys((host, "127.0.0.1", "localhost", f"{node}.lab")))
        self.certificates = certificates or NodeCertificates(directory, node=node, hosts=hosts)
        self.calls: list[ApiCall] = []
        self.power_commands: list[str] = []
        self.power_handler: PowerHandler = self._act_alone
        self.power_delay = 0.05
        self.reboot_delay = 0.2
        self.refusal_delay = 0.0
        self.bare_errors = False
        self.going_down: dict[int, asyncio.Task[Any] | None] = {}
        self._faults: list[ActiveFault] = []
        self._hung = asyncio.Event()
        self._power_task: asyncio.Task[None] | None = None

    # Life

    async def __aenter__(self) -> LabPve:
        """Start the node."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the node, its pending power command too."""
        await self.close()

    @property
    def listening(self) -> bool:
        """Whether the API can be reached."""
        return self.runner is not None

    async def start(self, certfile: str | None = None, keyfile: str | None = None) -> None:
        """Listen; the address stays the same from one start to the next."""
        served = (certfile, keyfile) if certfile and keyfile else self.certificates.write()
        self._tls = await asyncio.to_thread(_tls_context, *served)
        self._hung.clear()
        self.runner = web.AppRunner(
            self._build_app(), keepalive_timeout=KEEP_ALIVE, shutdown_timeout=0.1, access_log=None
        )
        await self.runner.setup()
        await web.TCPSite(self.runner, self.host, self.port, ssl_context=self._tls).start()
        self.port = self.port or self.runner.addresses[0][1]
        self.booted_at = time.time()

    async def stop(self) -> None:
        """Stop listening; requests that hang are let go."""
        self._hung.set()
        self.booted_at = None
        await super().stop()

    async def cut(self) -> None:
        """Lose power: every connection is torn, every guest is off, nothing is answered."""
        for guest in self.all_guests():
            guest.status = "stopped"
        for task in tuple(self.going_down.values()):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        if self.runner is not None and self.runner.server is not None:
            for connection in list(self.runner.server.connections):
                if connection.transport is not None:
                    connection.transport.abort()
        await self.stop()

    async def close(self) -> None:
        """End everything that this node still does."""
        if self._power_task is not None and self._power_task is not asyncio.current_task():
            self._power_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._power_task
        await self.stop()

    # Guests, tasks, rights

    def add_guest(
        self,
        vmid: int,
        name: str,
        *,
        kind: str = "qemu",
        running: bool = True,
        on_boot: bool = True,
        shutdown_seconds: float = 0,
        ignores_shutdown: bool = False,
        macs: tuple[str, ...] = (),
    ) -> Guest:
        """Add a VM or container; return fakepve's object for it."""
        add = self.add_vm if kind == "qemu" else self.add_ct
        status = "running" if running else "stopped"
        config = {"onboot": int(on_boot)} | network_cards(kind, macs)
        guest = add(vmid, name, node=self.node, status=status, config=config)
        guest.shutdown_secs = _NEVER if ignores_shutdown else shutdown_seconds
        return guest

    def all_guests(self) -> list[Guest]:
        """Return fakepve's objects of all VMs and containers."""
        return [*self.vms, *self.cts]

    def find_guest(self, vmid: int) -> Guest:
        """Return fakepve's object of a guest; KeyError if there is none."""
        return {guest.vmid: guest for guest in self.all_guests()}[vmid]

    def boot_guests(self) -> None:
        """Start the guests that start with the node."""
        for guest in self.all_guests():
            if guest.config.get("onboot"):
                guest.status = "running"
                guest.started_at = time.time()

    def run_task(
        self, kind: str = "vzdump", target: str = "101", user: str = "root@pam"
    ) -> RunningTask:
        """Start a task that stays until it is told to finish."""
        upid, pid, started = self._upid(self.node, kind, target, user)
        record = {
            "upid": upid,
            "node": self.node,
            "pid": pid,
            "pstart": pid * 7,
            "starttime": started,
            "type": kind,
            "id": target,
            "user": user,
            "status": "running",
            "log": [],
        }
        self.tasks[upid] = record
        self.tasklog.append(record)
        return RunningTask(record)

    def add_token(
        self,
        token_id: str = TOKEN_ID,
        secret: str = TOKEN_SECRET,
        *,
        game_guests: tuple[int, ...] = (),
    ) -> None:
        """Add a token without privilege separation whose user has every right that we ask for."""
        self.apitokens[token_id] = secret
        user = token_id.partition("!")[0]
        self.grant(user, f"/nodes/{self.node}", *NODE_RIGHTS)
        self.grant(user, "/vms", "VM.Audit")
        for vmid in game_guests:
            self.grant(user, f"/vms/{vmid}", "VM.PowerMgmt")

    def revoke(self, privilege: str, path: str | None = None) -> None:
        """Take a privilege from everybody, on one path or on all."""
        for grants in (self.acl or {}).values():
            for granted, privileges in grants:
                if path in (None, granted):
                    privileges.discard(privilege)

    def remove_token(self, token_id: str = TOKEN_ID) -> None:
        """Take the token away: whoever uses it is answered 401 from now on."""
        del self.apitokens[token_id]

    def restore_token(self, token_id: str = TOKEN_ID, secret: str = TOKEN_SECRET) -> None:
        """Give the token back, with the rights that it had."""
        self.apitokens[token_id] = secret

    # Faults

    def break_with(self, fault: Fault, *, path: str = "", times: int | None = None) -> None:
        """Answer requests whose path ends so with a fault, until mended or so many times."""
        self._faults.append(ActiveFault(fault=fault, path=path, times=times))

    def mend(self) -> None:
        """Answer properly again; what hangs is let go."""
        self._faults.clear()
        self._hung.set()

    def present(self) -> None:
        """Show the current certificate to every connection made from now on."""
        self._tls.load_cert_chain(*self.certificates.write())

    def renew_leaf(self) -> None:
        """Serve a new leaf of the same authority."""
        self.certificates.renew_leaf()
        self.present()

    def replace_authority(self) -> None:
        """Serve a leaf of another authority, as after a reinstallation."""
        self.certificates.replace_authority()
        self.present()

    # What was heard

    def heard(self, method: str, path: str) -> list[ApiCall]:
        """Return the calls of this method to this path (below /api2/json)."""
        return [call for call in self.calls if (call.method, call.path) == (method, path)]

    # Answers

    def _build_app(self) -> web.Application:
        app: web.Application = super()._build_app()
        app.middlewares.insert(0, self._listen_in)
        return app

    @web.middleware
    async def _listen_in(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        path = without_prefix(request.path)
        call = ApiCall(
            method=request.method,
            path=path,
            parameters=without_secrets(await read_parameters(request)),
            who=caller(request.headers.get("Authorization", "")),
        )
        self.calls.append(call)
        fault = next((active.fault for active in self._faults if active.strikes(path)), None)
        response = await (self._misbehave(fault, request) if fault else handler(request))
        call.status = response.status
        return await self._finish(response)

    async def _misbehave(self, fault: Fault, request: web.Request) -> web.Response:
        if fault is Fault.HANG:
            self._hung.clear()
            await self._hung.wait()
        if fault in (Fault.HANG, Fault.CLOSED):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        refusal = REFUSALS[fault]
        return web.Response(
            status=refusal.status,
            reason=refusal.reason,
            text=refusal.body,
            content_type=refusal.content_type,
        )

    async def _finish(self, response: web.StreamResponse) -> web.StreamResponse:
        if response.status == web.HTTPUnauthorized.status_code:
            await asyncio.sleep(self.refusal_delay)
        if response.status < web.HTTPBadRequest.status_code:
            return response
        if self.bare_errors:
            response = web.json_response(
                {"data": None}, status=response.status, reason=response.reason
            )
        response.force_close()
        return response

    async def _answer(
        self, request: web.Request, handler: Handler, generic: object, node: str | None
    ) -> web.StreamResponse:
        # The answering node sends the packet itself, so a target that is offline is no error.
        asked = None if request.path.endswith("/wakeonlan") else node
        answer: web.StreamResponse = await super()._answer(request, handler, generic, asked)
        return answer

    # Power

    async def _power(self, values: dict[str, Any], _user: str) -> None:
        command = values["command"]
        self.power_commands.append(command)
        if self._power_task is None or self._power_task.done():
            self._power_task = asyncio.create_task(self._go_down(command))

    async def _go_down(self, command: str) -> None:
        await asyncio.sleep(self.power_delay)
        await self.power_handler(command)

    async def stop_guests(self) -> None:
        """Shut every running guest down, each taking its own time."""
        await asyncio.gather(*(self._stop_guest(guest) for guest in self.all_guests()))

    async def _stop_guest(self, guest: Guest) -> None:
        if guest.status == "running":
            with self._going_down(guest):
                # A guest that ignores the request is killed by its node in the end.
                await self.pause(min(guest.shutdown_secs, self.shutdown_default_timeout))
                guest.status = "stopped"

    async def _powerdown(self, vm: Guest, p: dict[str, Any]) -> Any:
        with self._going_down(vm):
            return await super()._powerdown(vm, p)

    async def _ct_powerdown(self, ct: Guest, timeout: float, force: object) -> None:
        with self._going_down(ct):
            await super()._ct_powerdown(ct, timeout, force)

    @contextlib.contextmanager
    def _going_down(self, guest: Guest) -> Iterator[None]:
        """Let what runs in a guest end as soon as it is asked, unless it ignores that."""
        if guest.shutdown_secs < _NEVER:
            self.going_down[guest.vmid] = asyncio.current_task()
        try:
            yield
        finally:
            self.going_down.pop(guest.vmid, None)

    async def _act_alone(self, command: str) -> None:
        await self.stop_guests()
        await self.stop()
        if command == "reboot":
            await asyncio.sleep(self.reboot_delay)
            await self.start()
            self.boot_guests()


def _tls_context(certfile: str, keyfile: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certfile, keyfile)
    return context
