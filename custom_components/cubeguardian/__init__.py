"""CubeGuardian: let a Proxmox host with Minecraft servers sleep, and wake it for its players."""

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import ConfigType

from .bot_link import async_get_bot
from .const import DOMAIN
from .devices import async_register_devices
from .following import async_follow
from .repairs import async_clear_all, async_raise_storage_damaged
from .runtime import CubeGuardianConfigEntry
from .services import async_setup_services
from .store import GuardianStore
from .webhook_store import WebhookStore
from .wiring import async_wire

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)
PLATFORMS = [
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.EVENT,
    Platform.NOTIFY,
    Platform.NUMBER,
    Platform.SELECT,
    Platform.SENSOR,
    Platform.SWITCH,
]


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions."""
    async_setup_services(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: CubeGuardianConfigEntry) -> bool:
    """Set up one host; it may well be asleep, so nothing here waits for the network."""
    # Before anything is read: what is changed meanwhile would be lost until the next reload.
    entry.async_on_unload(entry.add_update_listener(_async_reload))
    entry.runtime_data = await async_wire(hass, entry)
    if entry.runtime_data.store.damaged:
        async_raise_storage_damaged(hass, entry)
    async_register_devices(hass, entry)
    # The guardian judges every look before the entities show it.
    async_follow(hass, entry)
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: CubeGuardianConfigEntry) -> bool:
    """Unload one host; what its guardian was doing goes on after the next load.

    It is closed first: what it sees while things are taken apart must not move it any more.
    """
    entry.runtime_data.guardian.close()
    async_get_bot(hass).async_detach(entry)
    if unloaded := await hass.config_entries.async_unload_platforms(entry, PLATFORMS):
        await entry.runtime_data.discord.async_close()
        await entry.runtime_data.decisions.async_save()
    return unloaded


async def async_remove_entry(hass: HomeAssistant, entry: CubeGuardianConfigEntry) -> None:
    """Forget what was stored for a removed host, and what there was to mend."""
    async_clear_all(hass, entry)
    async_get_bot(hass).async_forget(entry.entry_id)
    await GuardianStore(hass, entry.entry_id).async_remove()
    await WebhookStore(hass, entry.entry_id).async_remove()


async def _async_reload(hass: HomeAssistant, entry: CubeGuardianConfigEntry) -> None:
    """Apply changed data, options or game servers."""
    await hass.config_entries.async_reload(entry.entry_id)
