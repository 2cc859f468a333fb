"""The devices of a host, of its game servers and of what tells Discord of it."""

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from yarl import URL

from .const import CONF_APPLICATION, CONF_EDITION, CONF_MAC, DOMAIN, SUBENTRY_DISCORD_BOT
from .runtime import CubeGuardianConfigEntry


@callback
def async_register_devices(hass: HomeAssistant, entry: CubeGuardianConfigEntry) -> None:
    """Register the host before what points at it."""
    host = _async_register_host(hass, entry)
    for subentry_id in entry.runtime_data.games:
        _async_register_game(hass, entry, entry.subentries[subentry_id], host.id)
    for subentry_id in entry.runtime_data.discord.webhooks:
        _async_register_webhook(hass, entry, entry.subentries[subentry_id], host.id)
    for bot in entry.get_subentries_of_type(SUBENTRY_DISCORD_BOT):
        _async_register_bot(hass, entry, bot)


@callback
def async_update_version(hass: HomeAssistant, entry: CubeGuardianConfigEntry) -> None:
    """Show the Proxmox version once the host has told it."""
    reading = entry.runtime_data.host.data.reading
    devices = dr.async_get(hass)
    device = devices.async_get_device_by_identifier((DOMAIN, entry.entry_id), entry.entry_id)
    if reading and device and device.sw_version != reading.status.version:
        devices.async_update_device(device.id, sw_version=reading.status.version)


def _async_register_host(hass: HomeAssistant, entry: CubeGuardianConfigEntry) -> dr.DeviceEntry:
    """Register the physical machine, known by its network card."""
    return dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={(DOMAIN, entry.entry_id)},
        connections={(dr.CONNECTION_NETWORK_MAC, entry.data[CONF_MAC])},
        name=entry.title,
        manufacturer="Proxmox",
        model="Proxmox VE",
        configuration_url=str(
            URL.build(scheme="https", host=entry.data[CONF_HOST], port=entry.data[CONF_PORT])
        ),
    )


def _async_register_game(
    hass: HomeAssistant, entry: CubeGuardianConfigEntry, subentry: ConfigSubentry, host_id: str
) -> None:
    """Register one game server below its host."""
    dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        config_subentry_id=subentry.subentry_id,
        identifiers={(DOMAIN, subentry.subentry_id)},
        name=subentry.title,
        manufacturer="Mojang",
        model=f"Minecraft {subentry.data[CONF_EDITION].capitalize()} Edition",
        via_device_id=host_id,
    )


def _async_register_webhook(
    hass: HomeAssistant, entry: CubeGuardianConfigEntry, subentry: ConfigSubentry, host_id: str
) -> None:
    """Register one webhook below the host that it tells of."""
    dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        config_subentry_id=subentry.subentry_id,
        identifiers={(DOMAIN, subentry.subentry_id)},
        entry_type=dr.DeviceEntryType.SERVICE,
        name=subentry.title,
        manufacturer="Discord",
        model="Webhook",
        via_device_id=host_id,
    )


def _async_register_bot(
    hass: HomeAssistant, entry: CubeGuardianConfigEntry, subentry: ConfigSubentry
) -> None:
    """Register the bot, which is below no host: it serves all of them."""
    application = subentry.data.get(CONF_APPLICATION, "")
    dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        config_subentry_id=subentry.subentry_id,
        identifiers={(DOMAIN, subentry.subentry_id)},
        entry_type=dr.DeviceEntryType.SERVICE,
        name=subentry.title,
        manufacturer="Discord",
        model="Bot",
        configuration_url=f"https://discord.com/developers/applications/{application}",
    )
