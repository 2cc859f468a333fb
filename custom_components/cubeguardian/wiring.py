"""Build the parts of one host from its config entry."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Interface
import logging
import time
from typing import Any

from homeassistant.components import network
from homeassistant.const import CONF_ADDRESS, CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.util import dt as dt_util

from .const import (
    CONF_BROADCAST,
    CONF_EDITION,
    CONF_INTERFACE,
    CONF_MAC,
    CONF_NODE,
    CONF_PEER,
    CONF_PING,
    CONF_PROBING,
    CONF_SECURE_ON,
    CONF_SSH,
    CONF_SSH_HOST_KEY,
    CONF_SSH_KEY_PATH,
    CONF_SSH_PORT,
    CONF_SSH_USER,
    CONF_STOP_MINUTES,
    CONF_TIMEOUTS,
    CONF_TOKEN_ID,
    CONF_TOKEN_SECRET,
    CONF_TRUST,
    CONF_VMID,
    CONF_WAKE_MINUTES,
    CONF_WAKE_ON_LAN,
    CONF_WAKE_PORT,
    DEFAULT_SSH_PORT,
    DEFAULT_STOP_MINUTES,
    DEFAULT_WAKE_MINUTES,
    DEFAULT_WAKE_PORTS,
    SUBENTRY_MINECRAFT_SERVER,
)
from .coordinator import GuardianCoordinator, HostCoordinator, MinecraftCoordinator
from .guardian import Guardian, Settings
from .ports import GameBinding, HostBinding
from .runtime import CubeGuardianConfigEntry, RuntimeData
from .savings import Rates, Savings, SavingsMeter, async_power
from .server_manager import Edition, ServerManager
from .store import GuardianStore

_LOGGER = logging.getLogger(__name__)


async def async_wire(hass: HomeAssistant, entry: CubeGuardianConfigEntry) -> RuntimeData:
    """Build everything that `entry` needs; nothing here touches the network."""
    manager = ServerManager(
        manager_config(
            entry.data, entry.options, await async_broadcasts(hass, entry.data[CONF_HOST])
        ),
        _LOGGER,
        session=async_get_clientsession(hass),
    )
    host = HostCoordinator(hass, entry, manager)
    games = {
        subentry.subentry_id: MinecraftCoordinator(
            hass,
            entry,
            manager,
            title=subentry.title,
            address=subentry.data[CONF_ADDRESS],
            edition=Edition(subentry.data[CONF_EDITION]),
        )
        for subentry in entry.get_subentries_of_type(SUBENTRY_MINECRAFT_SERVER)
    }
    store = GuardianStore(hass, entry.entry_id)
    guardian = Guardian(
        host=HostBinding(manager, host),
        games={
            key: GameBinding(manager, game, entry.subentries[key].data.get(CONF_VMID))
            for key, game in games.items()
        },
        settings=settings(entry.options),
        clock=dt_util.utcnow,
        spawn=lambda work, name: entry.async_create_background_task(hass, work, name),
        stored=await store.async_load(),
        can_see=manager.proxmox is not None,
    )
    return RuntimeData(
        manager=manager,
        store=store,
        guardian=guardian,
        host=host,
        games=games,
        decisions=GuardianCoordinator(hass, entry, guardian, store),
        savings=_savings_meter(hass, entry, store.savings),
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
    """Translate the timeouts of the options."""
    timeouts = options.get(CONF_TIMEOUTS, {})
    return Settings(
        wake_timeout=timedelta(minutes=timeouts.get(CONF_WAKE_MINUTES, DEFAULT_WAKE_MINUTES)),
        stop_timeout=timedelta(minutes=timeouts.get(CONF_STOP_MINUTES, DEFAULT_STOP_MINUTES)),
    )


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
