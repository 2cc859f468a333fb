"""Tie the arrows of one loaded host: what is seen goes to the guardian, its pace comes back."""

from functools import partial

from homeassistant.core import HomeAssistant, callback

from .announcing import Announcer
from .bot_link import async_get_bot
from .bot_relay import GameRelay
from .devices import async_update_version
from .discord_feed import HostFeed
from .mending import Mender
from .own_guest import OwnGuestFinder
from .ports import game_sighting, host_sighting
from .runtime import CubeGuardianConfigEntry
from .savings import Rates, async_draws_power
from .wanting import async_follow_wishes


@callback
def async_follow(hass: HomeAssistant, entry: CubeGuardianConfigEntry) -> None:
    """Start watching; the first look happens in the background."""
    runtime = entry.runtime_data
    rates = Rates.from_options(entry.options)
    mender, own_guest = Mender(hass, entry), OwnGuestFinder(hass, entry)

    @callback
    def count_sleep() -> None:
        """Count the host's sleep; from time to time the totals are shown, and stored with it."""
        worth_storing = runtime.savings.count(runtime.guardian.snapshot.host)
        runtime.store.savings = runtime.savings.kept
        if worth_storing:
            entry.async_create_task(hass, runtime.decisions.async_save(), "cubeguardian savings")

    @callback
    def host_seen() -> None:
        """Tell the guardian what the host showed, and offer mends."""
        if runtime.host.data.seen_at is not None:
            witness = async_draws_power(hass, rates)
            runtime.guardian.observe_host(host_sighting(runtime.host.data, draws_power=witness))
        count_sleep()
        own_guest.async_consider()
        mender.async_consider()
        async_update_version(hass, entry)

    @callback
    def decided() -> None:
        """Let every coordinator follow the guardian's watchfulness.

        One that looks at once may change the guardian's mind before the next one has followed.
        """
        runtime.host.async_set_watch(runtime.guardian.snapshot.watch)
        for game in runtime.games.values():
            snapshot = runtime.guardian.snapshot
            game.async_follow(snapshot.host.presence, snapshot.watch)
        count_sleep()

    entry.async_on_unload(runtime.host.async_add_listener(host_seen))
    for key in runtime.games:
        _follow_game(entry, key)
    entry.async_on_unload(runtime.decisions.async_add_listener(decided))
    for listener in (mender.async_happened, Announcer(hass, entry).async_happened):
        entry.async_on_unload(runtime.decisions.async_listen_events(listener))
    feed = HostFeed(hass, entry)
    feed.async_start()
    runtime.discord.async_start(feed)
    runtime.decisions.async_start()
    async_follow_wishes(hass, entry)
    bot = async_get_bot(hass)
    bot.async_attach(entry, feed)
    entry.async_on_unload(partial(bot.async_detach, entry))
    entry.async_on_unload(bot.async_read(GameRelay(hass, entry).async_heard))
    runtime.host.async_refresh_soon()


def _follow_game(entry: CubeGuardianConfigEntry, key: str) -> None:
    """Tell the guardian what one game server showed."""
    runtime = entry.runtime_data
    game = runtime.games[key]

    @callback
    def seen() -> None:
        if game.data.seen_at is not None:
            runtime.guardian.observe_game(key, game_sighting(game.data))

    entry.async_on_unload(game.async_add_listener(seen))
