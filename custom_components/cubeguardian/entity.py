"""Base entities of the host and of its game servers."""

from typing import Any, override

from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.update_coordinator import CoordinatorEntity, DataUpdateCoordinator

from .callers import async_caller
from .const import CONF_TOKEN_ID, DOMAIN
from .guardian import HOST, Caller, Guardian, ThingView
from .runtime import CubeGuardianConfigEntry, RuntimeData


def reads_api(entry: CubeGuardianConfigEntry) -> bool:
    """Tell whether there is a token, without which the Proxmox API tells nothing."""
    return bool(entry.data.get(CONF_TOKEN_ID))


class CubeGuardianEntity[CoordinatorT: DataUpdateCoordinator[Any]](CoordinatorEntity[CoordinatorT]):
    """An entity of a host or of one of its game servers.

    It stays available while the machine sleeps: being off is an answer.
    """

    _attr_has_entity_name = True

    def __init__(
        self,
        coordinator: CoordinatorT,
        entry: CubeGuardianConfigEntry,
        description: EntityDescription,
        target: str = HOST,
    ) -> None:
        """Name the entity after its key, below the entry or the subentry that it belongs to."""
        super().__init__(coordinator)
        owner = entry.entry_id if target == HOST else target
        self.entity_description = description
        self.target = target
        self.runtime: RuntimeData = entry.runtime_data
        self._attr_unique_id = f"{owner}_{description.key}"
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, owner)})

    @override
    async def async_added_to_hass(self) -> None:
        """Follow what the guardian judges as well as what the own coordinator sees."""
        await super().async_added_to_hass()
        if self.coordinator is not self.runtime.decisions:
            self.async_on_remove(
                self.runtime.decisions.async_add_listener(self._handle_coordinator_update)
            )

    @property
    def view(self) -> ThingView:
        """Return what the guardian makes of the host or game server."""
        snapshot = self.runtime.decisions.data
        return snapshot.host if self.target == HOST else snapshot.games[self.target]

    @property
    def guardian(self) -> Guardian:
        """Return the guardian, which takes every command."""
        return self.runtime.guardian

    async def async_caller(self) -> Caller:
        """Return who is using this entity."""
        return await async_caller(self.hass, self._context)
