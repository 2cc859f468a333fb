"""What a loaded config entry holds."""

from collections.abc import Mapping
from dataclasses import dataclass

from homeassistant.config_entries import ConfigEntry

from .coordinator import GuardianCoordinator, HostCoordinator, MinecraftCoordinator
from .discord_link import DiscordLink
from .guardian import Guardian
from .savings import SavingsMeter
from .server_manager import GameManagement, ServerManager
from .store import GuardianStore


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeData:
    """The parts of one host, wired together.

    `games` is keyed by subentry id, and `managements` holds those that can be managed. `texts` are
    those that are said outside of Home Assistant, by language.
    """

    manager: ServerManager
    store: GuardianStore
    guardian: Guardian
    host: HostCoordinator
    games: dict[str, MinecraftCoordinator]
    managements: Mapping[str, GameManagement]
    texts: Mapping[str, Mapping[str, str]]
    decisions: GuardianCoordinator
    savings: SavingsMeter
    discord: DiscordLink


type CubeGuardianConfigEntry = ConfigEntry[RuntimeData]
