"""What the checks of a diagnosis share: the host, what was found out so far, and the findings."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Interface
from typing import Any, Final

from homeassistant.components import network
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant

from .const import CONF_VMID
from .guardian import State
from .runtime import CubeGuardianConfigEntry, RuntimeData
from .server_manager import ProxmoxAPI, Reachability, ServerManager

# States in which nobody expects the host to answer.
QUIET: Final = frozenset({State.OFF, State.WAKING, State.STOPPING, State.FAILED})


class Result(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found: `text` is a key of the texts, `values` are its placeholders."""

    check: str
    result: Result
    text: str
    values: dict[str, str]


def ok(check: str, text: str, **values: str) -> Finding:
    """Say that all is well."""
    return Finding(check=check, result=Result.OK, text=text, values=values)


def warning(check: str, text: str, **values: str) -> Finding:
    """Say what is not as it should be, and may do no harm."""
    return Finding(check=check, result=Result.WARNING, text=text, values=values)


def failed(check: str, text: str, **values: str) -> Finding:
    """Say what does not work."""
    return Finding(check=check, result=Result.FAILED, text=text, values=values)


def skipped(check: str, text: str, **values: str) -> Finding:
    """Say why nothing was checked."""
    return Finding(check=check, result=Result.SKIPPED, text=text, values=values)


@dataclass(slots=True, kw_only=True)
class Case:
    """One host under examination, and what was found out about it.

    `silent` and `shut` say why the host, and its API, cannot be asked; both are keys of texts.
    """

    hass: HomeAssistant
    entry: CubeGuardianConfigEntry
    runtime: RuntimeData
    addresses: tuple[str, ...] = ()
    reach: Reachability | None = None
    silent: str | None = None
    shut: str | None = field(default=None)

    @property
    def manager(self) -> ServerManager:
        """Return what reaches the host."""
        return self.runtime.manager

    @property
    def host(self) -> str:
        """Return the host's address."""
        return str(self.entry.data[CONF_HOST])

    @property
    def port(self) -> int:
        """Return the port of its API."""
        return int(self.entry.data[CONF_PORT])

    @property
    def expected(self) -> bool:
        """Tell whether the host should answer, as far as the guardian knows."""
        return self.runtime.guardian.snapshot.host.state not in QUIET

    @property
    def closed(self) -> str | None:
        """Return why the API cannot be asked."""
        return self.silent or self.shut

    def games(self) -> Iterator[ConfigSubentry]:
        """Yield the settings of each game server that is loaded."""
        for key in self.runtime.games:
            yield self.entry.subentries[key]

    def vmids(self) -> set[int]:
        """Return the guests of the game servers."""
        return {game.data[CONF_VMID] for game in self.games() if game.data.get(CONF_VMID)}

    def api(self) -> ProxmoxAPI | None:
        """Return the API, None where it cannot be asked."""
        return None if self.closed else self.manager.proxmox

    def reason(self) -> str:
        """Return why there is no API to ask."""
        return self.closed or "no_token"

    def options(self, section: str) -> dict[str, Any]:
        """Return one section of the options."""
        return dict(self.entry.options.get(section, {}))

    async def own_networks(self) -> list[IPv4Interface]:
        """Return the addresses of Home Assistant with their networks."""
        return [
            IPv4Interface(f"{ipv4['address']}/{ipv4['network_prefix']}")
            for adapter in await network.async_get_adapters(self.hass)
            for ipv4 in adapter["ipv4"]
        ]
