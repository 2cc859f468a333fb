"""The sections of the options, and the fields in each of them."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from homeassistant.components.sensor import DOMAIN as SENSOR, SensorDeviceClass
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import UnitOfPower
from homeassistant.core import HomeAssistant, callback
from homeassistant.data_entry_flow import section
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.selector import (
    BooleanSelector,
    EntitySelector,
    EntitySelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    TextSelector,
)
import voluptuous as vol

from .const import (
    CONF_ASKED_MINUTES,
    CONF_AUTOMATIC,
    CONF_BROADCAST,
    CONF_CANCELLED_MINUTES,
    CONF_ENERGY,
    CONF_FORBIDDING,
    CONF_FOUND_HOURS,
    CONF_GUESTS,
    CONF_INTERFACE,
    CONF_LEAST_UP_MINUTES,
    CONF_PEER,
    CONF_PING,
    CONF_POWER_SENSOR,
    CONF_PROBING,
    CONF_QUIET_MINUTES,
    CONF_SECURE_ON,
    CONF_SSH,
    CONF_SSH_KEY_PATH,
    CONF_SSH_PORT,
    CONF_SSH_USER,
    CONF_STOP_MINUTES,
    CONF_TIMEOUTS,
    CONF_UNREADABLE_IS_EMPTY,
    CONF_WAKE_MINUTES,
    CONF_WAKE_ON_LAN,
    CONF_WAKE_PORT,
    CONF_WANTING,
    CONF_WATTS_ASLEEP,
    CONF_WATTS_ON,
    DEFAULT_ASKED_MINUTES,
    DEFAULT_CANCELLED_MINUTES,
    DEFAULT_FOUND_HOURS,
    DEFAULT_LEAST_UP_MINUTES,
    DEFAULT_QUIET_MINUTES,
    DEFAULT_SSH_PORT,
    DEFAULT_STOP_MINUTES,
    DEFAULT_WAKE_MINUTES,
    DEFAULT_WATTS_ASLEEP,
    DEFAULT_WATTS_ON,
    HIGHEST_WATTS,
)
from .flow_fields import PASSWORD, PORT, whole_number
from .guest_form import guest_fields, guest_options, seen_guests

PATIENCE: Final = whole_number(1, 60, "min")
PAUSE: Final = whole_number(0, 60, "min")
LEASE: Final = whole_number(1, 720, "min")
WATTS: Final = NumberSelector(
    NumberSelectorConfig(
        min=0,
        max=HIGHEST_WATTS,
        step=0.1,
        mode=NumberSelectorMode.BOX,
        unit_of_measurement=UnitOfPower.WATT,
    )
)
POWER_SENSOR: Final = EntitySelector(
    EntitySelectorConfig(domain=SENSOR, device_class=SensorDeviceClass.POWER)
)

# What is on or off, at home or not, going on or not; a number says nothing of the kind.
SWITCHING_DOMAINS: Final = [
    "binary_sensor",
    "calendar",
    "climate",
    "cover",
    "device_tracker",
    "fan",
    "group",
    "input_boolean",
    "lawn_mower",
    "light",
    "lock",
    "media_player",
    "person",
    "plant",
    "remote",
    "schedule",
    "sun",
    "switch",
    "timer",
    "vacuum",
]

SECTIONS: Final[dict[str, dict[vol.Marker, Any]]] = {
    CONF_TIMEOUTS: {
        vol.Required(CONF_WAKE_MINUTES, default=DEFAULT_WAKE_MINUTES): PATIENCE,
        vol.Required(CONF_STOP_MINUTES, default=DEFAULT_STOP_MINUTES): PATIENCE,
    },
    CONF_WAKE_ON_LAN: {
        vol.Optional(CONF_BROADCAST): TextSelector(),
        vol.Optional(CONF_WAKE_PORT): PORT,
        vol.Optional(CONF_INTERFACE): TextSelector(),
        vol.Optional(CONF_SECURE_ON): PASSWORD,
        vol.Optional(CONF_PEER): TextSelector(),
    },
    CONF_SSH: {
        vol.Optional(CONF_SSH_USER): TextSelector(),
        vol.Optional(CONF_SSH_KEY_PATH): TextSelector(),
        vol.Required(CONF_SSH_PORT, default=DEFAULT_SSH_PORT): PORT,
    },
    CONF_PROBING: {vol.Required(CONF_PING, default=True): BooleanSelector()},
    CONF_ENERGY: {
        vol.Required(CONF_WATTS_ON, default=DEFAULT_WATTS_ON): WATTS,
        vol.Required(CONF_WATTS_ASLEEP, default=DEFAULT_WATTS_ASLEEP): WATTS,
        vol.Optional(CONF_POWER_SENSOR): POWER_SENSOR,
    },
}


def options_schema(
    hass: HomeAssistant, entry: ConfigEntry[Any], opened: Collection[str]
) -> vol.Schema:
    """Return the form; `opened` are the sections that are shown unfolded."""
    sections: Mapping[str, dict[vol.Marker, Any]] = {
        CONF_AUTOMATIC: _automatic_fields(_own_entities(hass, entry)),
        CONF_GUESTS: guest_fields(guest_options(seen_guests(entry)), any_number=True),
        **SECTIONS,
    }
    return vol.Schema(
        {
            vol.Required(name): section(vol.Schema(fields), {"collapsed": name not in opened})
            for name, fields in sections.items()
        }
    )


def _automatic_fields(own: list[str]) -> dict[vol.Marker, Any]:
    """Return what decides about going to sleep by itself.

    The host's own entities are left out: a host that wants itself would never rest.
    """
    entities = EntitySelector(
        EntitySelectorConfig(domain=SWITCHING_DOMAINS, exclude_entities=own, multiple=True)
    )
    return {
        vol.Optional(CONF_WANTING, default=list): entities,
        vol.Optional(CONF_FORBIDDING, default=list): entities,
        vol.Required(CONF_QUIET_MINUTES, default=DEFAULT_QUIET_MINUTES): PAUSE,
        vol.Required(CONF_LEAST_UP_MINUTES, default=DEFAULT_LEAST_UP_MINUTES): PAUSE,
        vol.Required(CONF_ASKED_MINUTES, default=DEFAULT_ASKED_MINUTES): LEASE,
        vol.Required(CONF_CANCELLED_MINUTES, default=DEFAULT_CANCELLED_MINUTES): LEASE,
        vol.Required(CONF_FOUND_HOURS, default=DEFAULT_FOUND_HOURS): whole_number(0, 48, "h"),
        vol.Required(CONF_UNREADABLE_IS_EMPTY, default=False): BooleanSelector(),
    }


@callback
def _own_entities(hass: HomeAssistant, entry: ConfigEntry[Any]) -> list[str]:
    """Return the ids of the host's own entities."""
    known = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    return [entity.entity_id for entity in known]
