"""What a loaded config entry holds."""

from dataclasses import dataclass

from homeassistant.config_entries import ConfigEntry

from .coordinator import GuardianCoordinator, HostCoordinator, MinecraftCoordinator
from .guardian import Guardian
from .savings import SavingsMeter
from .server_manager import ServerManager
from .store import GuardianStore


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeData:
    """The parts of one host, wired together; `games` is keyed by subentry id."""

    manager: ServerManager
    store: GuardianStore
    guardian: Guardian
    host: HostCoordinator
    games: dict[str, MinecraftCoordinator]
    decisions: GuardianCoordinator
    savings: SavingsMeter


type CubeGuardianConfigEntry = ConfigEntry[RuntimeData]
