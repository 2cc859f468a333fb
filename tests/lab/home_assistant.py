"""A real Home Assistant in a process of its own, with a fresh configuration folder."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
import contextlib
import json
import os
from pathlib import Path
import secrets
import shutil
import socket
import time
from typing import Any

import aiohttp
from aiohttp.connector import AddrInfoType

from .ha_client import HomeAssistantClient
from .sleeping_host import free_port

LOOPBACK = "127.0.0.1"
USER_NAME = "lab"
_LOOPBACK_ONLY = Path(__file__).parent / "loopback_only"
_START_TIMEOUT = 180
_STOP_TIMEOUT = 30
_POLL = 0.1

type SocketFactory = Callable[[AddrInfoType], socket.socket]

# The core loads `marketplace` by itself and resolves the host of its catalogue at every start. An
# integration of the user's goes before one of the core: this one does nothing.
_QUIET_MANIFEST = {
    "domain": "marketplace",
    "name": "No marketplace in the lab",
    "codeowners": [],
    "documentation": "https://www.home-assistant.io/",
    "integration_type": "system",
    "iot_class": "calculated",
    "requirements": [],
    "version": "0.0.1",
}
_QUIET_CODE = '''"""Nothing."""


async def async_setup(hass, config):
    """Do nothing."""
    return True
'''


class HomeAssistantError(RuntimeError):
    """Home Assistant did not start; the message holds the end of its output."""


class HomeAssistant:
    """One Home Assistant bound to 127.0.0.1, onboarded with a random password.

    Used as an async context manager. Nothing of it goes beyond loopback. `prefix` is put in front
    of the command to enter a network namespace, which then is the limit; `socket_factory` makes
    the client's sockets there.
    """

    def __init__(
        self,
        python: str,
        directory: Path,
        *,
        integrations: Sequence[Path] = (),
        configuration: str = "",
        storage: Mapping[str, dict[str, Any]] | None = None,
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        python_path: Sequence[Path] = (),
        socket_factory: SocketFactory | None = None,
        port: int = 0,
        log_levels: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare a Home Assistant of the interpreter `python` in an existing empty directory.

        `storage` holds documents for its .storage folder, by key; `python_path` the folders that
        its interpreter looks into first; `log_levels` are those beside our own, by logger.
        """
        self.directory = directory
        self.password = secrets.token_urlsafe(12)
        self.port = port or free_port(LOOPBACK)
        self.started_in = 0.0
        self._command = [*prefix, python, "-m", "homeassistant", "-c", str(directory)]
        self._environment = {**os.environ, **(environment or {})}
        # Nothing of this repository: Home Assistant would find it beside the copies that it has.
        self._environment.pop("PYTHONDONTWRITEBYTECODE", None)
        paths = [*python_path, *(() if prefix else (_LOOPBACK_ONLY,))]
        self._environment["PYTHONPATH"] = os.pathsep.join(str(path) for path in paths)
        self._integrations = integrations
        levels = "".join(f"    {name}: {level}\n" for name, level in (log_levels or {}).items())
        # The levels go on where what is made here ends.
        self._configuration = _CONFIGURATION + levels + configuration
        self._storage = dict(storage or {})
        self._socket_factory = socket_factory
        self._process: asyncio.subprocess.Process | None = None
        self.client: HomeAssistantClient

    @property
    def url(self) -> str:
        """The address for a browser."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process else None

    async def __aenter__(self) -> HomeAssistant:
        """Start, onboard and log in."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()

    async def start(self) -> None:
        """Start the process; the first time with everything that a fresh installation needs."""
        fresh = not (self.directory / "configuration.yaml").exists()
        if fresh:
            await asyncio.to_thread(self._furnish)
        begun = time.monotonic()
        await self._spawn()
        session = aiohttp.ClientSession(
            base_url=self.url,
            connector=aiohttp.TCPConnector(socket_factory=self._socket_factory),
        )
        self.client = HomeAssistantClient(session)
        try:
            await self._wait_for_http()
            if fresh:
                await self.client.onboard(USER_NAME, self.password)
            else:
                await self.client.log_in(USER_NAME, self.password)
            await self._wait_until_running()
            await self.client.listen()
        except BaseException:
            await self.stop()
            raise
        self.started_in = time.monotonic() - begun

    async def stop(self) -> None:
        """End the process by its id, politely and then by force."""
        await self.client.close()
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_TIMEOUT)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def kill(self) -> None:
        """End the process at once, so that it can write nothing more; `start` begins it again."""
        process, self._process = self._process, None
        assert process is not None
        process.kill()
        await process.wait()
        await self.client.close()

    def log(self) -> list[str]:
        """Return the lines of the log."""
        path = self.directory / "home-assistant.log"
        return path.read_text("utf-8", "replace").splitlines() if path.exists() else []

    def output(self) -> str:
        """Return the end of what the process wrote."""
        return self._output.read_text("utf-8", "replace")[-4000:]

    @property
    def _output(self) -> Path:
        return self.directory / "process.out"

    async def _spawn(self) -> None:
        with self._output.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.directory,
                env=self._environment,
                start_new_session=True,
            )

    def _furnish(self) -> None:
        (self.directory / "configuration.yaml").write_text(self._configuration, "utf-8")
        storage = self.directory / ".storage"
        storage.mkdir()
        documents = {
            key: {"version": version, "minor_version": 1, "data": data}
            for key, version, data in (
                ("http", 3, _http_settings(self.port)),
                # Else zeroconf joins a multicast group on every real interface.
                ("core.network", 1, {"configured_adapters": ["lo"]}),
                ("onboarding", 4, {"done": ["core_config", "analytics", "integration"]}),
            )
        }
        for key, document in (documents | self._storage).items():
            (storage / key).write_text(json.dumps({"key": key, **document}), "utf-8")
        custom = self.directory / "custom_components"
        for source in self._integrations:
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, custom / source.name, ignore=ignore)
        quiet = custom / "marketplace"
        quiet.mkdir(parents=True)
        (quiet / "manifest.json").write_text(json.dumps(_QUIET_MANIFEST), "utf-8")
        (quiet / "__init__.py").write_text(_QUIET_CODE, "utf-8")

    async def _wait_for_http(self) -> None:
        async with self._patience():
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    if await self.client.status_of("/manifest.json") == 200:
                        return
                await self._still_there()

    async def _wait_until_running(self) -> None:
        async with self._patience():
            while (await self.client.get("/api/config"))["state"] != "RUNNING":
                await self._still_there()

    @contextlib.asynccontextmanager
    async def _patience(self) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                yield
        except TimeoutError:
            raise HomeAssistantError(f"no answer in time: {self.output()}") from None

    async def _still_there(self) -> None:
        assert self._process is not None
        if self._process.returncode is not None:
            raise HomeAssistantError(f"ended with {self._process.returncode}: {self.output()}")
        await asyncio.sleep(_POLL)


_CONFIGURATION = """\
# Made by the lab: only what is needed, no default_config, so that nothing looks outside.
homeassistant:
  name: Lab
  time_zone: UTC
  language: en
  country: FR
  latitude: 48.0
  longitude: 2.0
  elevation: 0
  unit_system: metric
frontend:
config:
api:
websocket_api:
logger:
  default: warning
  logs:
    custom_components.cubeguardian: debug
"""


def _http_settings(port: int) -> dict[str, Any]:
    stable = {
        "server_port": port,
        "server_host": [LOOPBACK],
        "cors_allowed_origins": [],
        "login_attempts_threshold": -1,
        "ip_ban_enabled": True,
        "ssl_profile": "intermediate_v6",
        "use_x_frame_options": True,
        "created_at": "2026-11-22T12:00:00+00:00",
        "error": None,
        "error_message": None,
    }
    return {"stable": stable, "pending": None, "yaml_migration_done": True}
