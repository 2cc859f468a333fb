"""The fields that several forms have in common."""

from typing import Any, Final

from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import voluptuous as vol


def whole_number(smallest: int, largest: int, unit: str | None = None) -> vol.All[Any]:
    """Return a validator for a whole number."""
    config = NumberSelectorConfig(min=smallest, max=largest, step=1, mode=NumberSelectorMode.BOX)
    if unit:
        config["unit_of_measurement"] = unit
    return vol.All(NumberSelector(config), vol.Coerce(int))


PORT: Final = whole_number(1, 65535)
PASSWORD: Final = TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD))
