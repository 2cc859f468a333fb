"""What is seen of the host and its game servers, and what the guardian makes of it.

A host that is off is an observation like any other: nothing here raises because a machine
sleeps. This is the one place where read errors are translated into states.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
import logging
from typing import TYPE_CHECKING, Final, override

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator
from homeassistant.util import dt as dt_util

from .const import BOOT_WINDOW
from .guardian import (
    MISSES_FOR_DOWN,
    ApiState,
    Event,
    Guardian,
    Presence,
    Snapshot,
    Watch,
)
from .observed import PACES, GameData, HostData
from .server_manager import (
    AuthenticationError,
    CertificateError,
    Edition,
    HostTimeoutError,
    MinecraftProtocolError,
    NameNotFoundError,
    NetworkUnavailableError,
    NodeReading,
    PermissionDeniedError,
    PortClosedError,
    Reachability,
    ServerManager,
    ServerManagerError,
)
from .store import GuardianStore

if TYPE_CHECKING:
    from .runtime import CubeGuardianConfigEntry

_LOGGER = logging.getLogger(__name__)

API_STATES: Final[tuple[tuple[type[ServerManagerError], ApiState], ...]] = (
    (AuthenticationError, ApiState.UNAUTHORISED),
    (PermissionDeniedError, ApiState.FORBIDDEN),
    (CertificateError, ApiState.UNTRUSTED),
    (HostTimeoutError, ApiState.TIMEOUT),
    (ServerManagerError, ApiState.FAILING),
)
REFUSED_API_PAUSE: Final = timedelta(seconds=60)


class PacedCoordinator[DataT](DataUpdateCoordinator[DataT]):
    """A coordinator whose pace follows the guardian's watchfulness."""

    config_entry: CubeGuardianConfigEntry

    def __init__(
        self, hass: HomeAssistant, entry: CubeGuardianConfigEntry, name: str, nothing_seen: DataT
    ) -> None:
        """Start with the eager pace: until something was seen, everything is a question."""
        super().__init__(
            hass,
            _LOGGER,
            config_entry=entry,
            name=f"{entry.title} {name}",
            update_interval=PACES[Watch.EAGER].every,
        )
        self.data = nothing_seen
        self.pace = PACES[Watch.EAGER]

    @callback
    def async_set_watch(self, watch: Watch) -> None:
        """Change the pace; a faster one looks at once instead of after the old pause."""
        pace = PACES[watch]
        if pace is self.pace:
            return
        faster = pace.every < self.pace.every
        self.pace = pace
        self.update_interval = pace.every
        if faster:
            self.async_refresh_soon()

    @callback
    def async_refresh_soon(self) -> None:
        """Look now, without anybody waiting for it."""
        self.config_entry.async_create_background_task(
            self.hass, self.async_refresh(), name=f"{self.name} refresh"
        )


class HostCoordinator(PacedCoordinator[HostData]):
    """Probe the host; read the Proxmox API beside it, so that a hanging API delays no probe."""

    def __init__(
        self, hass: HomeAssistant, entry: CubeGuardianConfigEntry, manager: ServerManager
    ) -> None:
        """Watch the host that `manager` reaches."""
        super().__init__(hass, entry, "host", HostData())
        self.manager = manager
        self._reading: asyncio.Task[None] | None = None
        self._read_due: datetime | None = None
        self._read_anew = False
        self._answers_since: datetime | None = None
        self._seen_down = False
        self._misses = 0

    @override
    async def _async_update_data(self) -> HostData:
        """Probe once, and start a reading where one is due."""
        now = dt_util.utcnow()
        try:
            reachability = await self.manager.probe(self.pace.probe_timeout)
        except NameNotFoundError as err:
            return HostData(seen_at=now, resolvable=False, error=err)
        if reachability.port is not True:
            return self._missed(now, reachability)
        self._misses = 0
        self._answers_since = self._answers_since or now
        if self.manager.proxmox and self._is_reading_due(now):
            self._start_reading()
        return replace(
            self.data,
            seen_at=now,
            reachability=reachability,
            latency_ms=reachability.latency_ms,
            resolvable=True,
        )

    def _missed(self, now: datetime, reachability: Reachability) -> HostData:
        """Forget what was read of a host that has not answered twice in a row."""
        self._misses += 1
        if self._misses < MISSES_FOR_DOWN and self._answers_since is not None:
            return replace(self.data, seen_at=now, reachability=reachability)
        self._answers_since = None
        self._seen_down = True
        self._read_due = None
        return HostData(seen_at=now, reachability=reachability, latency_ms=reachability.latency_ms)

    async def async_look(self) -> HostData:
        """Return a look at everything that began after this call, with nothing from a cache."""
        self._read_anew = True
        if self._reading is not None:
            await asyncio.wait({self._reading})
        self._read_due = None
        await self.async_refresh()
        if self._reading is not None:
            await asyncio.wait({self._reading})
        return self.data

    def _is_reading_due(self, now: datetime) -> bool:
        """Tell whether to read; a pause longer than any means that the clock was set back."""
        due = self._read_due
        return due is None or not now < due <= now + REFUSED_API_PAUSE

    def _start_reading(self) -> None:
        """Read the API in a task of its own, one at a time."""
        if self._reading is not None and not self._reading.done():
            return
        self._read_due = dt_util.utcnow() + self.pace.read_every
        self._reading = self.config_entry.async_create_background_task(
            self.hass, self._async_read(), name=f"{self.name} reading"
        )

    async def _async_read(self) -> None:
        """Read node, guests and tasks, and publish them unless the host has gone meanwhile."""
        error: ServerManagerError | None = None
        reading: NodeReading | None = None
        began = dt_util.utcnow()
        anew, self._read_anew = self._read_anew, False
        try:
            reading = await self.manager.read_node(self.pace.read_timeout, anew=anew)
        except ServerManagerError as err:
            error = err
            self._read_anew |= anew
        if self._answers_since is None:
            return
        state = self._judge(error)
        if state in (ApiState.UNAUTHORISED, ApiState.UNTRUSTED) and not self.booting:
            self._read_due = dt_util.utcnow() + REFUSED_API_PAUSE
        if state is not self.data.api:
            _LOGGER.debug("The Proxmox API of %s is now %s", self.config_entry.title, state)
        self.data = replace(self.data, api=state, reading=reading, read_at=began, error=error)
        self.async_update_listeners()

    def _judge(self, error: ServerManagerError | None) -> ApiState:
        """Translate a read error into what the API's state is called."""
        if error is None:
            return ApiState.OK
        return next(state for kind, state in API_STATES if isinstance(error, kind))

    @property
    def booting(self) -> bool:
        """Tell whether the host came up so recently that it may refuse a good token."""
        if self._answers_since is None or not self._seen_down:
            return False
        return dt_util.utcnow() - self._answers_since < BOOT_WINDOW


class MinecraftCoordinator(PacedCoordinator[GameData]):
    """Ask one game server for its status, but only while its host is up."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: CubeGuardianConfigEntry,
        manager: ServerManager,
        *,
        title: str,
        address: str,
        edition: Edition,
    ) -> None:
        """Watch the game server at `address`."""
        super().__init__(hass, entry, title, GameData())
        self.update_interval = None
        self.address = address
        self.edition = edition
        self._manager = manager
        self._host_up = False
        self._silences = 0

    @callback
    def async_follow(self, host: Presence, watch: Watch) -> None:
        """Poll at the guardian's pace while the host is up, and not at all otherwise."""
        was_up, self._host_up = self._host_up, host is Presence.UP
        if self._host_up and was_up:
            self.async_set_watch(watch)
        elif self._host_up:
            self.pace = PACES[watch]
            self.update_interval = self.pace.every
            self.async_refresh_soon()
        elif was_up:
            self.update_interval = None
            self.async_set_updated_data(GameData())

    @override
    async def _async_update_data(self) -> GameData:
        """Ask for the status once, if the host is up."""
        return await self._async_ask() if self._host_up else GameData()

    async def async_look(self) -> GameData:
        """Ask now, whatever is known of the host."""
        self.async_set_updated_data(await self._async_ask())
        return self.data

    async def _async_ask(self) -> GameData:
        """Ask for the status once."""
        now = dt_util.utcnow()
        timeout = self.pace.probe_timeout + 2
        try:
            status = await self._manager.minecraft_status(self.address, self.edition, timeout)
        except ServerManagerError as err:
            return self._silent(err, now)
        self._silences = 0
        return GameData(seen_at=now, answers=True, status=status, port_open=True)

    def _silent(self, err: ServerManagerError, now: datetime) -> GameData:
        """Describe a lost answer; our own lost network says nothing of the game server."""
        self._silences += 1
        ours = isinstance(err, NetworkUnavailableError | NameNotFoundError)
        return GameData(
            seen_at=now,
            answers=None if ours else False,
            status=self.data.status if self._silences < MISSES_FOR_DOWN else None,
            port_open=_port_open(err),
            error=err,
        )


def _port_open(err: ServerManagerError) -> bool | None:
    """Tell an open port from a closed one; only a refusal proves that nobody can be playing."""
    match err:
        case HostTimeoutError():
            return err.port_open
        case MinecraftProtocolError():
            return True
        case PortClosedError():
            return False
    return None


class GuardianCoordinator(DataUpdateCoordinator[Snapshot]):
    """Give the guardian its time, keep what it decides, and show it to the entities."""

    config_entry: CubeGuardianConfigEntry

    def __init__(
        self,
        hass: HomeAssistant,
        entry: CubeGuardianConfigEntry,
        guardian: Guardian,
        store: GuardianStore,
    ) -> None:
        """Bind the guardian to Home Assistant's clock and storage."""
        super().__init__(hass, _LOGGER, config_entry=entry, name=f"{entry.title} guardian")
        self.guardian = guardian
        self.data = guardian.snapshot
        self._store = store
        self._event_listeners: list[Callable[[Event], None]] = []
        self._cancel_wakeup: CALLBACK_TYPE | None = None
        self._stored = guardian.stored()

    @callback
    def async_start(self) -> None:
        """Follow the guardian until the entry is unloaded."""
        self.config_entry.async_on_unload(self.guardian.subscribe(self._changed, self._happened))
        self.config_entry.async_on_unload(self._disarm)
        self._arm()

    @override
    async def _async_update_data(self) -> Snapshot:
        """Look at the host, for whoever asks for an update: what is decided is always shown."""
        await self.config_entry.runtime_data.host.async_request_refresh()
        return self.guardian.snapshot

    @callback
    def async_listen_events(self, listener: Callable[[Event], None]) -> CALLBACK_TYPE:
        """Call `listener` for every event of the guardian, until the answer is called."""
        self._event_listeners.append(listener)
        return lambda: self._event_listeners.remove(listener)

    async def async_save(self) -> None:
        """Store the guardian as it is."""
        self._stored = self.guardian.stored()
        await self._store.async_save(self._stored)

    @callback
    def _changed(self) -> None:
        """Show the new snapshot, arm the clock, and store what must survive."""
        self._arm()
        self.async_set_updated_data(self.guardian.snapshot)
        if self.guardian.stored() != self._stored:
            self._stored = self.guardian.stored()
            self.config_entry.async_create_task(
                self.hass, self._store.async_save(self._stored), f"{self.name} store"
            )

    @callback
    def _happened(self, event: Event) -> None:
        """Pass an event on; whoever chokes on it must not stop the command behind it."""
        for listener in tuple(self._event_listeners):
            try:
                listener(event)
            except Exception:
                _LOGGER.exception("A listener failed at the event %s", event.kind)

    @callback
    def _arm(self) -> None:
        """Set the one timer to the guardian's next deadline."""
        self._disarm()
        if (due := self.guardian.next_wakeup) is not None:
            self._cancel_wakeup = async_track_point_in_utc_time(self.hass, self._tick, due)

    @callback
    def _disarm(self) -> None:
        """Stop the timer."""
        if self._cancel_wakeup is not None:
            self._cancel_wakeup()
            self._cancel_wakeup = None

    @callback
    def _tick(self, now: datetime) -> None:
        """Let the guardian act on what has become due."""
        self._cancel_wakeup = None
        self.guardian.tick()
        if self._cancel_wakeup is None:
            self._arm()
