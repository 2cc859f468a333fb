"""Build the parts of one host from its config entry."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import partial
from ipaddress import IPv4Address, IPv4Interface
import logging
import time
from typing import Any

import aiohttp
from homeassistant.components import network
from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_ADDRESS, CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.util import dt as dt_util

from .announcing import async_load_texts
from .const import (
    CONF_ASKED_MINUTES,
    CONF_AUTOMATIC,
    CONF_BROADCAST,
    CONF_CANCELLED_MINUTES,
    CONF_EDITION,
    CONF_FOUND_HOURS,
    CONF_INTERFACE,
    CONF_LEAST_UP_MINUTES,
    CONF_MAC,
    CONF_MANAGEMENT,
    CONF_MANAGEMENT_KIND,
    CONF_MANAGEMENT_PORT,
    CONF_MANAGEMENT_SECRET,
    CONF_MANAGEMENT_TLS,
    CONF_MANAGEMENT_TRUST,
    CONF_MODE,
    CONF_NODE,
    CONF_PEER,
    CONF_PING,
    CONF_PROBING,
    CONF_QUIET_MINUTES,
    CONF_SECURE_ON,
    CONF_SSH,
    CONF_SSH_HOST_KEY,
    CONF_SSH_KEY_PATH,
    CONF_SSH_PORT,
    CONF_SSH_USER,
    CONF_STOP_MINUTES,
    CONF_STOP_WHEN_IDLE,
    CONF_TIMEOUTS,
    CONF_TOKEN_ID,
    CONF_TOKEN_SECRET,
    CONF_TRUST,
    CONF_UNREADABLE_IS_EMPTY,
    CONF_VMID,
    CONF_WAKE_MINUTES,
    CONF_WAKE_ON_LAN,
    CONF_WAKE_PORT,
    CONF_WANTING,
    DEFAULT_ASKED_MINUTES,
    DEFAULT_CANCELLED_MINUTES,
    DEFAULT_FOUND_HOURS,
    DEFAULT_LEAST_UP_MINUTES,
    DEFAULT_QUIET_MINUTES,
    DEFAULT_SSH_PORT,
    DEFAULT_STOP_MINUTES,
    DEFAULT_WAKE_MINUTES,
    DEFAULT_WAKE_PORTS,
    SUBENTRY_MINECRAFT_SERVER,
)
from .coordinator import GuardianCoordinator, HostCoordinator, MinecraftCoordinator
from .discord_link import async_link
from .guardian import Guardian, LeaseTimes, Mode, Policy, Settings
from .guest_roles import chosen_roles
from .ports import GameBinding, HostBinding
from .runtime import CubeGuardianConfigEntry, RuntimeData
from .savings import Rates, Savings, SavingsMeter, async_draws_power, async_power
from .server_manager import (
    Edition,
    GameManagement,
    InvalidInputError,
    ManagementKind,
    ManagementSettings,
    ServerManager,
    TlsTrust,
    open_management,
    parse_address,
)
from .store import GuardianStore

_LOGGER = logging.getLogger(__name__)


async def async_wire(hass: HomeAssistant, entry: CubeGuardianConfigEntry) -> RuntimeData:
    """Build everything that `entry` needs; nothing here touches the network."""
    session = async_get_clientsession(hass)
    broadcasts = await async_broadcasts(hass, entry.data[CONF_HOST])
    manager = ServerManager(
        manager_config(entry.data, entry.options, broadcasts), _LOGGER, session=session
    )
    host = HostCoordinator(hass, entry, manager)
    games = {
        subentry.subentry_id: _game_coordinator(hass, entry, manager, subentry)
        for subentry in entry.get_subentries_of_type(SUBENTRY_MINECRAFT_SERVER)
    }
    managements = {
        key: found for key in games if (found := management(entry.subentries[key], session))
    }
    store = GuardianStore(hass, entry.entry_id)
    rates = Rates.from_options(entry.options)
    guardian = Guardian(
        host=HostBinding(manager, host, partial(async_draws_power, hass, rates)),
        games={
            key: GameBinding(
                manager, game, entry.subentries[key].data.get(CONF_VMID), managements.get(key)
            )
            for key, game in games.items()
        },
        settings=settings(entry.options),
        policy=policy(entry),
        clock=dt_util.utcnow,
        monotonic=time.monotonic,
        spawn=lambda work, name: entry.async_create_background_task(hass, work, name),
        stored=await store.async_load(),
        can_see=manager.proxmox is not None,
    )
    texts = await async_load_texts(hass)
    return RuntimeData(
        manager=manager,
        store=store,
        guardian=guardian,
        host=host,
        games=games,
        managements=managements,
        texts=texts,
        decisions=GuardianCoordinator(hass, entry, guardian, store),
        savings=_savings_meter(hass, entry, store.savings),
        discord=await async_link(hass, entry, texts),
    )


def _game_coordinator(
    hass: HomeAssistant,
    entry: CubeGuardianConfigEntry,
    manager: ServerManager,
    subentry: ConfigSubentry,
) -> MinecraftCoordinator:
    """Build what watches one game server."""
    return MinecraftCoordinator(
        hass,
        entry,
        manager,
        title=subentry.title,
        address=subentry.data[CONF_ADDRESS],
        edition=Edition(subentry.data[CONF_EDITION]),
    )


def _savings_meter(
    hass: HomeAssistant, entry: CubeGuardianConfigEntry, kept: Savings
) -> SavingsMeter:
    """Build what counts the host's sleep."""
    rates = Rates.from_options(entry.options)
    return SavingsMeter(
        kept,
        rates,
        power=lambda: async_power(hass, rates.power_sensor),
        monotonic=time.monotonic,
    )


def settings(options: Mapping[str, Any]) -> Settings:
    """Translate the times of the options that the lifecycle keeps."""
    timeouts, automatic = options.get(CONF_TIMEOUTS, {}), options.get(CONF_AUTOMATIC, {})
    return Settings(
        wake_timeout=timedelta(minutes=timeouts.get(CONF_WAKE_MINUTES, DEFAULT_WAKE_MINUTES)),
        stop_timeout=timedelta(minutes=timeouts.get(CONF_STOP_MINUTES, DEFAULT_STOP_MINUTES)),
        quiet_for=timedelta(minutes=automatic.get(CONF_QUIET_MINUTES, DEFAULT_QUIET_MINUTES)),
        up_for=timedelta(minutes=automatic.get(CONF_LEAST_UP_MINUTES, DEFAULT_LEAST_UP_MINUTES)),
    )


def policy(entry: ConfigEntry[Any]) -> Policy:
    """Translate what the people of the house have decided in the flows."""
    automatic = entry.options.get(CONF_AUTOMATIC, {})
    return Policy(
        automatic=entry.data.get(CONF_MODE) == Mode.AUTOMATIC,
        roles=chosen_roles(entry.options),
        stop_when_idle=frozenset(
            subentry.subentry_id
            for subentry in entry.get_subentries_of_type(SUBENTRY_MINECRAFT_SERVER)
            if subentry.data.get(CONF_STOP_WHEN_IDLE)
        ),
        wanting=frozenset(automatic.get(CONF_WANTING, ())),
        unreadable_is_empty=automatic.get(CONF_UNREADABLE_IS_EMPTY, False),
        times=_lease_times(automatic),
    )


def _lease_times(automatic: Mapping[str, Any]) -> LeaseTimes:
    """Translate how long leases last; 0 hours give a host that was found running no lease."""
    found = timedelta(hours=automatic.get(CONF_FOUND_HOURS, DEFAULT_FOUND_HOURS))
    return LeaseTimes(
        asked=timedelta(minutes=automatic.get(CONF_ASKED_MINUTES, DEFAULT_ASKED_MINUTES)),
        cancelled=timedelta(
            minutes=automatic.get(CONF_CANCELLED_MINUTES, DEFAULT_CANCELLED_MINUTES)
        ),
        found=found or None,
    )


def management(subentry: ConfigSubentry, session: aiohttp.ClientSession) -> GameManagement | None:
    """Return the way to manage a game server, None where none is set up, or none that can work."""
    chosen = subentry.data.get(CONF_MANAGEMENT) or {}
    try:
        kind = ManagementKind(chosen.get(CONF_MANAGEMENT_KIND, ""))
    except ValueError:
        return None
    trust = chosen.get(CONF_MANAGEMENT_TRUST)
    edition = Edition(subentry.data[CONF_EDITION])
    try:
        reached = ManagementSettings(
            kind=kind,
            host=parse_address(subentry.data[CONF_ADDRESS], edition).host,
            port=chosen[CONF_MANAGEMENT_PORT],
            secret=chosen[CONF_MANAGEMENT_SECRET],
            tls=chosen.get(CONF_MANAGEMENT_TLS, True),
            trust=TlsTrust.from_dict(trust) if trust else None,
        )
    except (InvalidInputError, KeyError) as err:
        _LOGGER.debug("%s cannot be managed as set up: %s", subentry.title, type(err).__name__)
        return None
    return open_management(_LOGGER, reached, session=session)


def manager_config(
    data: Mapping[str, Any], options: Mapping[str, Any], broadcasts: Iterable[str]
) -> dict[str, Any]:
    """Translate an entry into the configuration that the seed's ServerManager takes."""
    wake, ssh = options.get(CONF_WAKE_ON_LAN, {}), options.get(CONF_SSH, {})
    port = wake.get(CONF_WAKE_PORT)
    return {
        "proxmox": {
            "ipv4": data[CONF_HOST],
            "mac_address": data[CONF_MAC],
            "port": data[CONF_PORT],
            "node": data.get(CONF_NODE),
            "token_id": data.get(CONF_TOKEN_ID),
            "token_secret": data.get(CONF_TOKEN_SECRET),
            "trust": data.get(CONF_TRUST),
            "ssh_user": ssh.get(CONF_SSH_USER),
            "ssh_key_path": ssh.get(CONF_SSH_KEY_PATH),
            "ssh_port": ssh.get(CONF_SSH_PORT, DEFAULT_SSH_PORT),
            "ssh_host_key": ssh.get(CONF_SSH_HOST_KEY),
            "ping": options.get(CONF_PROBING, {}).get(CONF_PING, True),
        },
        "wake_on_lan": {
            "broadcast_addresses": wake.get(CONF_BROADCAST, "").replace(",", " ").split()
            or list(broadcasts),
            "ports": [port] if port else list(DEFAULT_WAKE_PORTS),
            "source_address": wake.get(CONF_INTERFACE) or None,
            "secure_on": wake.get(CONF_SECURE_ON) or None,
            "peer": wake.get(CONF_PEER) or None,
        },
    }


async def async_broadcasts(hass: HomeAssistant, host: str) -> list[str]:
    """Return the limited broadcast and the directed one of the adapter that shares the host's net.

    A host on loopback, or one that only a name knows, gets what the Wake-on-LAN manager chooses.
    """
    try:
        address = IPv4Address(host)
    except ValueError:
        return [str(found) for found in await network.async_get_ipv4_broadcast_addresses(hass)]
    if address.is_loopback:
        return []
    found = ["255.255.255.255"]
    for adapter in await network.async_get_adapters(hass):
        for ipv4 in adapter["ipv4"]:
            net = IPv4Interface(f"{ipv4['address']}/{ipv4['network_prefix']}").network
            if address in net:
                found.append(str(net.broadcast_address))
    return found
