"""Tie the bot to all hosts: it belongs to the domain, and outlives the reload of any of them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
import logging
from typing import TYPE_CHECKING, Final

from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .announcing import async_load_texts
from .bot_hosts import BotHost, BotHosts
from .bot_repair import (
    async_clear_bot,
    async_clear_connection,
    async_clear_library,
    async_clear_trouble,
    async_raise_end,
    async_raise_library,
    async_raise_problems,
)
from .bot_settings import BotSettings, async_find_bot, async_read_bot
from .bot_store import BotStore
from .const import DOMAIN
from .discord_bridge.bridge_port import BridgeMemory, ChannelMessage, End, Problem
from .discord_bridge.bridge_settings import BridgePace
from .discord_bridge.identifying import IdentifyBudget
from .discord_bridge.view import BoardView, EventView
from .discord_bridge.voice import Present
from .discord_feed import HostFeed, harmless
from .runtime import CubeGuardianConfigEntry

if TYPE_CHECKING:
    from .discord_bridge.bot import Bridge

_LOGGER = logging.getLogger(__name__)

PACE: Final = BridgePace()
# A reload takes a second or two; a host that is not back by then does not come back.
GRACE_SECONDS: Final = 30.0
RESTART_SECONDS: Final = 60.0
BOT_TASK: Final = "cubeguardian bot"
DATA: Final[HassKey[BotLink]] = HassKey(f"{DOMAIN}_bot")


@dataclass(slots=True, kw_only=True)
class Running:
    """A bot that runs, or whose token or application has to be mended first."""

    settings: BotSettings
    bridge: Bridge
    task: asyncio.Task[None]


class BotLink(BotHosts):
    """The bot of the house; it is also what the bridge calls (its port)."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Start without a bot."""
        super().__init__()
        self.connected = False
        self._hass = hass
        self._store = BotStore(hass)
        self._lock = asyncio.Lock()
        self._running: Running | None = None
        self._is_closing = False
        self._grace: CALLBACK_TYPE | None = None
        self._budgets: dict[str, IdentifyBudget] = {}
        self._listeners: list[Callable[[], None]] = []
        self._readers: list[Callable[[ChannelMessage], None]] = []
        hass.async_add_shutdown_job(HassJob(self.async_close))

    # Hosts that come and go

    @callback
    @harmless
    def async_attach(self, entry: CubeGuardianConfigEntry, feed: HostFeed) -> None:
        """Serve a host that was loaded."""
        before = self._hosts.get(entry.entry_id)
        host = self._hosts[entry.entry_id] = BotHost(entry, feed)
        feed.async_add(self)
        if all(one.is_loaded for one in self._hosts.values()):
            self._forget_grace()
        if self._running is not None:
            known = before.present if before else Present()
            self._catch_up(host, known, names=self._running.settings.bridge.shows_names)
        elif async_find_bot(self._hass) is None:
            host.forget_voice()
        for record in before.missed if before else ():
            self.record(record)
        self._async_stir()

    @callback
    @harmless
    def async_detach(self, entry: CubeGuardianConfigEntry) -> None:
        """Keep showing a host that is unloaded, for as long as it may only be loaded anew."""
        host = self._hosts.get(entry.entry_id)
        if host is None or not host.is_loaded:
            return
        has_bot = self._running is not None or async_find_bot(self._hass) is not None
        if not has_bot or entry.disabled_by is not None:
            self.async_forget(entry.entry_id)
            return
        host.unload(self.present)
        self._forget_grace()
        self._grace = async_call_later(self._hass, GRACE_SECONDS, self._async_drop)

    @callback
    def async_forget(self, entry_id: str) -> None:
        """Let go of a host that is gone, and of the bot with it if that was its host."""
        self._hosts.pop(entry_id, None)
        self._async_stir()

    @callback
    def _async_drop(self, _: object) -> None:
        """Let go of hosts that were not loaded again."""
        self._grace = None
        for entry_id in [key for key, host in self._hosts.items() if not host.is_loaded]:
            self.async_forget(entry_id)

    def _forget_grace(self) -> None:
        if self._grace is not None:
            self._grace()
            self._grace = None

    # What happens to them

    @property
    def is_listening(self) -> bool:
        """Say whether there is a bot to tell."""
        return self._running is not None

    @callback
    def tell(self, view: EventView) -> None:
        """Pass on what happened."""
        if self._running is not None:
            self._running.bridge.tell(view)

    @callback
    def show(self, board: BoardView) -> None:
        """Pass on that something shown has changed; the bridge fetches it when it is due."""
        if self._running is not None:
            self._running.bridge.update()

    # The bot itself

    @callback
    def async_restart(self) -> None:
        """Connect anew with what is set up: what was wrong with it was mended on Discord."""
        self._async_stir(anew=True)

    async def async_close(self) -> None:
        """Leave Discord, within five seconds."""
        self._is_closing = True
        self._forget_grace()
        await self._async_apply(anew=False)
        await self._store.async_save()

    def _async_stir(self, *, anew: bool = False) -> None:
        """Have it looked at soon whether the bot is as it is set up."""
        self._hass.async_create_background_task(
            self._async_apply(anew=anew), f"{DOMAIN} settings of the bot"
        )

    async def _async_apply(self, *, anew: bool) -> None:
        """Start the bot, stop it, or leave it alone."""
        async with self._lock:
            running = self._running
            if running is not None and (anew or self._wanted() != running.settings):
                await self._async_stop(running)
            if async_find_bot(self._hass) is None and not self._is_closing:
                async_clear_bot(self._hass)
                await self._store.async_remove()
            if self._running is None and (wanted := self._wanted()) is not None:
                await self._async_start(wanted)

    def _wanted(self) -> BotSettings | None:
        """Return how the bot is set up; nothing if its host is not loaded."""
        settings = None if self._is_closing else async_read_bot(self._hass)
        return settings if settings and settings.entry_id in self._hosts else None

    async def _async_start(self, settings: BotSettings) -> None:
        """Start a bridge; whatever changes meanwhile is looked at right after."""
        memory = await self._store.async_load()
        texts = await async_load_texts(self._hass)
        bridge_class = await self._async_import(settings)
        if bridge_class is None or self._wanted() != settings:
            return
        token = settings.bridge.token
        self._budgets = {token: self._budgets.get(token) or IdentifyBudget()}
        make = partial(
            bridge_class,
            settings.bridge,
            self,
            texts,
            clock=dt_util.utcnow,
            pace=PACE,
            budget=self._budgets[token],
        )
        self.voice_targets = settings.voice_targets
        bridge = make(memory=memory)
        task = self._hass.async_create_background_task(
            self._async_run(settings, bridge, make), BOT_TASK, eager_start=False
        )
        self._running = Running(settings=settings, bridge=bridge, task=task)

    async def _async_import(self, settings: BotSettings) -> type[Bridge] | None:
        """Return what speaks with Discord; discord.py is big, so it is imported only now."""
        try:
            found = await self._hass.async_add_import_executor_job(_import_bridge)
        except Exception as err:
            _LOGGER.error("discord.py cannot be used: %s: %s", type(err).__name__, err)  # noqa: TRY400
            async_raise_library(self._hass, settings)
            return None
        async_clear_library(self._hass)
        return found

    async def _async_run(
        self, settings: BotSettings, bridge: Bridge, make: Callable[..., Bridge]
    ) -> None:
        """Keep it running; what ends it for good is for a person to mend."""
        while True:
            try:
                end = await bridge.run()
            except Exception as err:
                # A traceback may show the token.
                _LOGGER.error("The bot has failed: %s", type(err).__name__)  # noqa: TRY400
            else:
                if end is not End.CLOSED:
                    async_raise_end(self._hass, settings, end)
                return
            # What is to be said meanwhile waits for the next one.
            bridge = make(memory=await self._store.async_load())
            if self._running is not None:
                self._running.bridge = bridge
            await asyncio.sleep(RESTART_SECONDS)

    async def _async_stop(self, running: Running) -> None:
        """Stop a bridge; whom nobody watches any more wants nothing any more."""
        await running.bridge.close()
        running.task.cancel()
        await asyncio.wait({running.task}, timeout=1)
        await self._store.async_save()
        self._running = None
        if self._is_closing:
            return
        wanted = self._wanted()
        if wanted is None:
            async_clear_trouble(self._hass)
        if wanted is None or not _watch_alike(wanted, running.settings):
            self.forget_voice()
        self._notify()

    # What the bridge tells

    @callback
    def voice_present(self, present: Present) -> None:
        """Take in who is in the watched channels, to show it."""
        self.present = present
        self._notify()

    @callback
    def heard(self, message: ChannelMessage) -> None:
        """Take in what was written in the channel."""
        for reader in tuple(self._readers):
            reader(message)

    @callback
    def remember(self, memory: BridgeMemory) -> None:
        """Keep this over restarts."""
        self._store.async_remember(memory)

    @callback
    def connection_changed(self, connected: bool) -> None:
        """Take in whether Discord can be talked to."""
        self.connected = connected
        if connected:
            async_clear_connection(self._hass)
        self._notify()

    @callback
    def problems_changed(self, problems: tuple[Problem, ...]) -> None:
        """Offer repairs for what is wrong, and take back those of what no longer is."""
        if self._running is not None:
            async_raise_problems(self._hass, self._running.settings, problems)

    # For the entities

    @property
    def shown_members(self) -> tuple[str, ...]:
        """Return who is in voice, where names may be shown."""
        if self._running is None or not self._running.settings.bridge.shows_names:
            return ()
        if not self.present.known:
            return ()
        return tuple(sorted(self.present.members.values()))

    @callback
    def async_say(self, text: str) -> bool:
        """Have something said in the channel; False where there is none, or no bot."""
        running = self._running
        return running is not None and not running.task.done() and running.bridge.say(text)

    @callback
    def async_listen(self, listener: Callable[[], None]) -> CALLBACK_TYPE:
        """Call `listener` whenever something shown has changed, until the answer is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    @callback
    def async_read(self, reader: Callable[[ChannelMessage], None]) -> CALLBACK_TYPE:
        """Call `reader` for every message in the channel, until the answer is called."""
        self._readers.append(reader)
        return lambda: self._readers.remove(reader)

    def _notify(self) -> None:
        for listener in tuple(self._listeners):
            harmless(listener)()


def _watch_alike(one: BotSettings, other: BotSettings) -> bool:
    """Say whether two settings watch the same people for the same things."""
    return (
        one.voice_targets == other.voice_targets
        and one.bridge.guild_id == other.bridge.guild_id
        and one.bridge.voice_channel_ids == other.bridge.voice_channel_ids
        and one.bridge.people == other.bridge.people
        and one.bridge.shows_names == other.bridge.shows_names
    )


def _import_bridge() -> type[Bridge]:
    """Import discord.py and what speaks with it."""
    module = import_module(".discord_bridge.bot", __package__)
    bridge: type[Bridge] = module.Bridge
    return bridge


@callback
def async_get_bot(hass: HomeAssistant) -> BotLink:
    """Return the bot of the house."""
    if DATA not in hass.data:
        hass.data[DATA] = BotLink(hass)
    return hass.data[DATA]
