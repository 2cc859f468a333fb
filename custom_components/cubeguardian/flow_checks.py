"""What the flows try out on a host, in the order in which a person can act on it.

Set-up, reauthentication, reconfiguration and repairs share this one sequence. It stops at
whatever needs a person (a finding) or at whatever is wrong (a refusal), and goes on from there.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
import logging
from pathlib import Path
import socket
from typing import Any, Final, Self

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_BASE, CONF_HOST
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from .const import (
    CONF_MAC,
    CONF_NODE,
    CONF_TOKEN_SECRET,
    CONF_TRUST,
    CONF_UNCHECKED,
    CONF_VMID,
    SUBENTRY_MINECRAFT_SERVER,
)
from .flow_input import HostInput, InputRefusedError
from .server_manager import (
    AuthenticationError,
    CertificateError,
    Guest,
    HostConnectionError,
    HostTimeoutError,
    MissingRight,
    NameNotFoundError,
    NetworkUnavailableError,
    PermissionDeniedError,
    PresentedCertificate,
    ProxmoxAPI,
    Reachability,
    ServerManager,
    ServerManagerError,
    TlsTrust,
    fetch_certificate,
    normalise_mac,
    pveum_lines,
)
from .wiring import async_broadcasts, manager_config

_LOGGER = logging.getLogger(__name__)

PROBE_TIMEOUT: Final = 3.0
READ_TIMEOUT: Final = 10.0

WAKE_PATIENCE: Final = 600.0
WAKE_PAUSE: Final = 2.0
RESEND_EAGERLY_FOR: Final = 120.0
RESEND_EAGERLY_EVERY: Final = 15.0
RESEND_EVERY: Final = 60.0

NEIGHBOUR_TABLE: Final = Path("/proc/net/arp")
NO_MAC: Final = "00:00:00:00:00:00"

CHECK_ERRORS: Final[Mapping[type[BaseException], tuple[str, str]]] = {
    NameNotFoundError: (CONF_HOST, "cannot_resolve"),
    NetworkUnavailableError: (CONF_BASE, "no_network"),
    HostTimeoutError: (CONF_BASE, "timeout"),
    HostConnectionError: (CONF_BASE, "cannot_connect"),
    AuthenticationError: (CONF_TOKEN_SECRET, "invalid_auth"),
    PermissionDeniedError: (CONF_BASE, "permission_denied"),
    CertificateError: (CONF_BASE, "no_certificate"),
    ServerManagerError: (CONF_BASE, "api_error"),
}


class Finding(StrEnum):
    """What needs a person before the checks can go on; the values name flow steps."""

    ASLEEP = "asleep"
    STARTING = "starting"
    CERTIFICATE = "certificate"
    NODE = "node"
    RIGHTS = "rights"
    MAC = "mac"
    DONE = "done"


class WakeOutcome(StrEnum):
    """How far the attempt to wake the host came; the values name flow steps."""

    AWAKE = "awake"
    NOT_SENT = "wake_not_sent"
    SILENT = "wake_silent"
    NO_PORT = "wake_no_port"


class HostChecks:
    """Try out one host, step by step; what people confirmed is remembered between the steps."""

    presented: PresentedCertificate

    def __init__(
        self,
        hass: HomeAssistant,
        host: HostInput,
        *,
        trust: TlsTrust | None = None,
        options: Mapping[str, Any] | None = None,
        vmids: Collection[int] = (),
    ) -> None:
        """Start from what was typed and from what an existing entry already trusts."""
        self.host = host
        self.trust = trust
        self.nodes: tuple[str, ...] = ()
        self.missing: tuple[MissingRight, ...] = ()
        self.proposed_mac: str | None = None
        self.guests: tuple[Guest, ...] = ()
        self.own_guests: frozenset[int] = frozenset()
        self._hass = hass
        self._options = options or {}
        self._vmids = vmids
        self._rights_ignored = False

    @classmethod
    def of_entry(
        cls, hass: HomeAssistant, entry: ConfigEntry[Any], host: HostInput | None = None
    ) -> Self:
        """Start from an existing entry, changed to `host` where that is given."""
        games = entry.get_subentries_of_type(SUBENTRY_MINECRAFT_SERVER)
        return cls(
            hass,
            host or HostInput.from_data(entry.data),
            trust=TlsTrust.from_dict(entry.data[CONF_TRUST]),
            options=entry.options,
            vmids={game.data[CONF_VMID] for game in games if game.data.get(CONF_VMID)},
        )

    async def advance(self) -> Finding:
        """Check everything from the start and return the first thing that needs a person."""
        try:
            return await self._advance()
        except ServerManagerError as err:
            field, key = next(
                CHECK_ERRORS[kind] for kind in type(err).__mro__ if kind in CHECK_ERRORS
            )
            _LOGGER.debug("The check of %s ended with %s: %s", self.host.host, key, err)
            raise InputRefusedError({field: key}) from err

    def accept_certificate(self) -> None:
        """Trust the certificate that was shown."""
        self.trust = TlsTrust.pin_leaf(self.presented.fingerprint)

    def choose_node(self, node: str) -> None:
        """Take the node that a person picked."""
        self.host = replace(self.host, node=node)

    def take_mac(self, mac: str) -> None:
        """Take the MAC address that a person confirmed."""
        self.host = replace(self.host, mac=normalise_mac(mac))

    def ignore_rights(self) -> None:
        """Go on although rights are missing."""
        self._rights_ignored = True

    @property
    def pveum(self) -> str:
        """Return the commands that give the token what it lacks, one a line."""
        return "\n".join(pveum_lines(self.host.token_id or "", self.missing))

    def entry_data(self, *, unchecked: bool) -> dict[str, Any]:
        """Return what a config entry keeps of all this.

        Without a trust of its own the entry gets the system's, the strictest: the token goes
        to nobody whom the system does not know.
        """
        trust = self.trust or TlsTrust()
        return {
            **self.host.to_data(),
            CONF_TRUST: trust.to_dict(),
            CONF_UNCHECKED: unchecked and self.host.token_id is not None,
        }

    async def read_guests(self, own_macs: frozenset[str]) -> None:
        """Read the guests, none where that fails, and which of them have one of `own_macs`."""
        manager = await self._manager()
        if manager.proxmox is None:
            return
        try:
            self.guests = await manager.proxmox.guests(timeout=READ_TIMEOUT)
            running = frozenset(guest.vmid for guest in self.guests if guest.running)
            macs = await manager.guest_macs(running)
        except ServerManagerError as err:
            _LOGGER.debug("Not everything of the guests of %s is known: %s", self.host.host, err)
            return
        self.own_guests = frozenset(vmid for vmid, theirs in macs.items() if theirs & own_macs)

    async def wake_and_wait(self, report: Callable[[float], None]) -> WakeOutcome:
        """Send magic packets until the host answers; `report` gets the share of the time gone."""
        manager = await self._manager()
        try:
            await manager.wake()
        except ServerManagerError as err:
            _LOGGER.debug("The magic packet could not be sent: %s", err)
            return WakeOutcome.NOT_SENT
        return await self._wait(manager, report)

    async def _wait(self, manager: ServerManager, report: Callable[[float], None]) -> WakeOutcome:
        """Wait for the host to answer, and repeat the packet meanwhile."""
        clock = self._hass.loop.time
        started = clock()
        resend_at = RESEND_EAGERLY_EVERY
        pinged = False
        while (gone := clock() - started) < WAKE_PATIENCE:
            report(gone / WAKE_PATIENCE)
            reach = await self._look(manager)
            if reach is not None and self._up(reach):
                return WakeOutcome.AWAKE
            pinged = pinged or (reach is not None and reach.ping is True)
            if gone >= resend_at:
                eager = gone < RESEND_EAGERLY_FOR
                resend_at = gone + (RESEND_EAGERLY_EVERY if eager else RESEND_EVERY)
                with suppress(ServerManagerError):
                    await manager.wake()
            await asyncio.sleep(WAKE_PAUSE)
        return WakeOutcome.NO_PORT if pinged else WakeOutcome.SILENT

    async def _look(self, manager: ServerManager) -> Reachability | None:
        """Probe once; a name that only a running host has is no answer yet."""
        try:
            return await manager.probe(PROBE_TIMEOUT)
        except ServerManagerError:
            return None

    def _up(self, reach: Reachability) -> bool:
        """Tell whether the host answers as far as it can: with a token, Proxmox must."""
        return reach.port is True if self.host.token_id else reach.answers

    async def _advance(self) -> Finding:
        """Run the sequence."""
        reach = await (await self._manager()).probe(PROBE_TIMEOUT)
        if not reach.network:
            raise NetworkUnavailableError("Our own network is down")
        if not self._up(reach):
            asleep = Finding.STARTING if reach.ping else Finding.ASLEEP
            return await self._find_mac() or asleep
        if self.host.token_id:
            return await self._check_api() or await self._find_mac() or Finding.DONE
        return await self._find_mac() or Finding.DONE

    async def _check_api(self) -> Finding | None:
        """Check certificate, token, node and rights, in this order."""
        if self.trust is None and (finding := await self._look_at_certificate()):
            return finding
        try:
            self.nodes = tuple(node.name for node in await self._api().nodes(timeout=READ_TIMEOUT))
        except CertificateError:
            self.trust = None
            return await self._look_at_certificate()
        if finding := self._find_node():
            return finding
        # A pinned certificate would only last until its next renewal.
        self.trust = await self._api().lasting_trust(timeout=READ_TIMEOUT)
        self.missing = await self._api().missing_rights(self._vmids, timeout=READ_TIMEOUT)
        return Finding.RIGHTS if self.missing and not self._rights_ignored else None

    async def _look_at_certificate(self) -> Finding | None:
        """Fetch the certificate without sending anything; ask unless the system knows it."""
        self.presented = await fetch_certificate(self.host.host, self.host.port, READ_TIMEOUT)
        if not self.presented.trusted:
            return Finding.CERTIFICATE
        self.trust = TlsTrust()
        return None

    def _find_node(self) -> Finding | None:
        """Take the named node, or the only one; several are a question."""
        if self.host.node is not None:
            if self.host.node not in self.nodes:
                raise InputRefusedError({CONF_NODE: "node_not_found"})
            return None
        if len(self.nodes) != 1:
            return Finding.NODE
        self.choose_node(self.nodes[0])
        return None

    async def _find_mac(self) -> Finding | None:
        """Look for the MAC address where none was typed."""
        if self.host.mac is not None:
            return None
        self.proposed_mac = await self._mac_of_node() or await self._mac_of_neighbour()
        if self.proposed_mac is None:
            raise InputRefusedError({CONF_MAC: "mac_not_found"})
        return Finding.MAC

    async def _mac_of_node(self) -> str | None:
        """Return the MAC address that the node itself is configured to be woken by."""
        if not self.nodes:
            return None
        return await self._api().wakeonlan_mac(timeout=READ_TIMEOUT)

    async def _mac_of_neighbour(self) -> str | None:
        """Return the MAC address that this machine's neighbour table has for the host."""
        try:
            found = await self._hass.loop.getaddrinfo(self.host.host, None, family=socket.AF_INET)
        except OSError:
            return None
        return await self._hass.async_add_executor_job(_read_neighbour, str(found[0][4][0]))

    async def _manager(self) -> ServerManager:
        """Build the manager just as the entry would."""
        data = self.entry_data(unchecked=True)
        broadcasts = await async_broadcasts(self._hass, self.host.host)
        return ServerManager(
            manager_config(data | {CONF_MAC: self.host.mac}, self._options, broadcasts),
            _LOGGER,
            session=async_get_clientsession(self._hass),
        )

    def _api(self) -> ProxmoxAPI:
        """Build a client that trusts what is trusted by now."""
        return ProxmoxAPI(
            _LOGGER,
            session=async_get_clientsession(self._hass),
            host=self.host.host,
            port=self.host.port,
            token_id=self.host.token_id or "",
            token_secret=self.host.token_secret or "",
            trust=self.trust or TlsTrust(),
            node=self.host.node,
        )


def certificate_texts(host: str, shown: PresentedCertificate) -> dict[str, str]:
    """Return what a certificate says of itself, for a person to compare."""
    return {
        "host": host,
        "fingerprint": colon_hex(shown.fingerprint),
        "subject": shown.subject,
        "issuer": shown.issuer,
        "valid_until": shown.not_after.date().isoformat(),
    }


def colon_hex(fingerprint: str) -> str:
    """Write a fingerprint the way Proxmox shows it."""
    digits = fingerprint.replace(":", "").upper()
    return ":".join(digits[i : i + 2] for i in range(0, len(digits), 2))


def _read_neighbour(address: str) -> str | None:
    """Return the MAC address of an IPv4 neighbour; blocking.

    Only hosts on the same network segment are in the table.
    """
    try:
        lines = NEIGHBOUR_TABLE.read_text("ascii").splitlines()[1:]
    except OSError:
        return None
    found = {columns[0]: columns[3] for line in lines if len(columns := line.split()) > 3}
    mac = found.get(address, NO_MAC)
    return None if mac == NO_MAC else normalise_mac(mac)
