"""The devices of a host and of its game servers."""

from homeassistant.const import CONF_HOST
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.const import DOMAIN

from .conftest import Load


@pytest.mark.parametrize(
    ("host", "page"),
    [
        ("192.0.2.10", "https://192.0.2.10:8006"),
        ("pve.lan", "https://pve.lan:8006"),
        ("2001:db8::10", "https://[2001:db8::10]:8006"),
        ("fe80::10%eth0", "https://[fe80::10%eth0]:8006"),
    ],
)
async def test_the_host_leads_to_its_own_page_however_it_is_addressed(
    hass: HomeAssistant,
    load: Load,
    config_entry: MockConfigEntry,
    device_registry: dr.DeviceRegistry,
    host: str,
    page: str,
) -> None:
    config_entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(
        config_entry, data={**config_entry.data, CONF_HOST: host}
    )
    await load()
    device = device_registry.async_get_device_by_identifier(
        (DOMAIN, config_entry.entry_id), config_entry.entry_id
    )
    assert device is not None
    assert device.configuration_url == page
