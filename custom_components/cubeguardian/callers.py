"""Who asks the guardian for something."""

from typing import Final

from homeassistant.core import Context, HomeAssistant

from .guardian import Caller, Role

HOME_ASSISTANT: Final = "Home Assistant"


async def async_caller(hass: HomeAssistant, context: Context | None) -> Caller:
    """Return the person behind `context`, or Home Assistant itself (an automation, a script)."""
    name = HOME_ASSISTANT
    if context is not None and context.user_id is not None:
        user = await hass.auth.async_get_user(context.user_id)
        name = (user.name if user else None) or name
    return Caller(name=name, role=Role.HOME_ASSISTANT)
