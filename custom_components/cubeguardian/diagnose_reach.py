"""The checks of the way to the host, of the magic packet, and of the game servers."""

import asyncio
from ipaddress import IPv4Address, IPv4Interface, ip_address
import logging

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_ADDRESS

from .const import CONF_EDITION, CONF_MAC, CONF_PING, CONF_PROBING
from .diagnose_case import Case, Finding, failed, ok, skipped, warning
from .guardian import State
from .server_manager import (
    ConnectivityChecker,
    Edition,
    HostTimeoutError,
    MinecraftProtocolError,
    NameNotFoundError,
    PortClosedError,
    ServerManagerError,
)
from .server_manager.network import resolve
from .server_manager.wake_on_lan import LIMITED_BROADCAST

_LOGGER = logging.getLogger(__name__)

RESOLVE_TIMEOUT = 3.0
PROBE_TIMEOUT = 3.0
PING_TIMEOUT = 2.0
GAME_TIMEOUT = 5.0


async def check_name(case: Case) -> list[Finding]:
    """Resolve the host's name."""
    try:
        case.addresses = await resolve(case.host, RESOLVE_TIMEOUT)
    except NameNotFoundError:
        case.silent = "skipped_name"
        return [failed("name", "name_unknown", host=case.host)]
    return [ok("name", "name_known", host=case.host, addresses=", ".join(case.addresses))]


async def check_network(case: Case) -> list[Finding]:
    """Look whether our own side has a network; this one probe also tells a sleeping host."""
    if case.silent:
        return [skipped("network", case.silent)]
    case.reach = await case.manager.probe(PROBE_TIMEOUT)
    if not case.reach.network:
        case.silent = "skipped_network"
        return [failed("network", "network_down", host=case.host)]
    if not case.reach.answers and not case.expected:
        case.silent = "skipped_asleep"
    return [ok("network", "network_up")]


async def check_ping(case: Case) -> list[Finding]:
    """Look whether pinging is possible, and answered."""
    if not case.options(CONF_PROBING).get(CONF_PING, True):
        return [skipped("ping", "ping_off")]
    if case.silent:
        return [skipped("ping", case.silent)]
    alone = ConnectivityChecker(_LOGGER, port=None)
    ping = await alone.probe(case.host, timeout=PING_TIMEOUT)
    if ping.ping is None:
        return [warning("ping", "ping_impossible")]
    if ping.ping:
        return [ok("ping", "ping_answered", milliseconds=f"{ping.latency_ms or 0:.1f}")]
    return [warning("ping", "ping_silent", host=case.host)]


async def check_api_port(case: Case) -> list[Finding]:
    """Judge what the probe saw of the port."""
    if case.silent or case.reach is None:
        return [skipped("api_port", case.silent or "skipped_port")]
    values = {"host": case.host, "port": str(case.port)}
    if case.reach.port:
        return [ok("api_port", "port_open", **values)]
    case.shut = "skipped_port"
    refused = isinstance(case.reach.port_error, PortClosedError)
    return [failed("api_port", "port_refused" if refused else "port_silent", **values)]


async def check_magic_packet(case: Case) -> list[Finding]:
    """Look whether a packet would find its way; none is sent."""
    wake = case.manager.config["wake_on_lan"]
    targets: list[str] = wake["broadcast_addresses"] or [case.host]
    has_way = case.manager.wake_on_lan.has_way
    values = {"addresses": ", ".join(targets), "mac": str(case.entry.data[CONF_MAC])}
    if not any(has_way(target, wake["source_address"]) for target in targets):
        return [failed("magic_packet", "packet_no_way", **values)]
    own = await case.own_networks()
    known = {LIMITED_BROADCAST, case.host} | {str(one.network.broadcast_address) for one in own}
    if foreign := [target for target in targets if target not in known]:
        shown = {"addresses": ", ".join(foreign), "networks": _listed(own)}
        return [warning("magic_packet", "packet_foreign", **shown)]
    return [ok("magic_packet", "packet_ready", **values)]


async def check_segment(case: Case) -> list[Finding]:
    """Look whether Home Assistant is in the host's network, as broadcasts need."""
    if not case.addresses:
        return [skipped("segment", "skipped_name")]
    hosts = [ip for ip in map(ip_address, case.addresses) if isinstance(ip, IPv4Address)]
    if not hosts:
        return [skipped("segment", "segment_ipv6")]
    own = await case.own_networks()
    if any(ip.is_loopback or any(ip in one.network for one in own) for ip in hosts):
        return [ok("segment", "segment_shared", host=case.host)]
    return [warning("segment", "segment_other", host=case.host, networks=_listed(own))]


async def check_games(case: Case) -> list[Finding]:
    """Ask every game server, side by side."""
    return list(await asyncio.gather(*(_check_game(case, game) for game in case.games())))


async def _check_game(case: Case, game: ConfigSubentry) -> Finding:
    """Ask one game server for its status."""
    check = f"game_server:{game.title}"
    values = {"address": str(game.data[CONF_ADDRESS])}
    if case.silent:
        return skipped(check, case.silent)
    if case.runtime.guardian.snapshot.games[game.subentry_id].state is State.OFF:
        return skipped(check, "game_off")
    try:
        status = await case.manager.minecraft_status(
            values["address"], Edition(game.data[CONF_EDITION]), GAME_TIMEOUT
        )
    except ServerManagerError as err:
        return failed(check, _game_text(err), **values)
    return ok(check, "game_answers", version=status.version, players=str(status.players_online))


def _game_text(err: ServerManagerError) -> str:
    """Return what a game server's failure is called."""
    match err:
        case PortClosedError():
            return "game_refused"
        case MinecraftProtocolError():
            return "game_other"
        case NameNotFoundError():
            return "game_name"
        case HostTimeoutError(port_open=True):
            return "game_silent"
    return "game_unreachable"


def _listed(own: list[IPv4Interface]) -> str:
    """Write Home Assistant's networks down."""
    return ", ".join(str(one.network) for one in own) or "-"
