"""What entities look like, in plain types: snapshots must not change with Home Assistant's own."""

import json
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.json import json_dumps


def portraits(hass: HomeAssistant, entry_id: str) -> dict[str, dict[str, Any]]:
    """Return every entity of an entry with its state, by entity id."""
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry_id)
    pictures: dict[str, dict[str, Any]] = json.loads(
        json_dumps({entity.entity_id: _portrait(hass, entity) for entity in entities})
    )
    return dict(sorted(pictures.items()))


def _portrait(hass: HomeAssistant, entity: er.RegistryEntry) -> dict[str, Any]:
    device = dr.async_get(hass).async_get(entity.device_id or "")
    state = hass.states.get(entity.entity_id)
    return {
        "unique_id": entity.unique_id,
        "translation_key": entity.translation_key,
        "device": device and device.name,
        "subentry": entity.config_subentry_id,
        "category": entity.entity_category and entity.entity_category.value,
        "device_class": entity.original_device_class and str(entity.original_device_class),
        "state": state and state.state,
        "attributes": state
        and {
            key: value
            for key, value in sorted(state.attributes.items())
            if key not in {"device_class", "supported_features"}
        },
    }


def state_of(hass: HomeAssistant, entity_id: str) -> str:
    """Return the state of an entity that must exist."""
    state = hass.states.get(entity_id)
    assert state is not None, entity_id
    return state.state


def attribute_of(hass: HomeAssistant, entity_id: str, name: str) -> Any:
    """Return an attribute of an entity that must exist."""
    state = hass.states.get(entity_id)
    assert state is not None, entity_id
    return state.attributes[name]
