"""What the webhooks of a host keep across restarts: the message with the status, what is owed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
import logging
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store

from .const import DOMAIN

_LOGGER = logging.getLogger(__name__)

STORAGE_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptWebhook:
    """What is kept of one webhook.

    `webhook` is its number, which is no secret: what another one has posted cannot be edited.
    `dropped`: how many messages were lost that nobody has been told of yet.
    """

    webhook: str
    status_id: str | None = None
    dropped: int = 0


class WebhookStore:
    """Hold what is kept of the webhooks of one config entry, by subentry."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Open the file; nothing is read yet."""
        self._store: Store[dict[str, Any]] = Store(
            hass, STORAGE_VERSION, f"{DOMAIN}.{entry_id}.webhooks", private=True
        )

    async def async_load(self) -> dict[str, KeptWebhook]:
        """Return what was stored; what cannot be used only costs a second status message."""
        try:
            stored = await self._store.async_load() or {}
            return {key: KeptWebhook(**one) for key, one in stored.items()}
        except (AttributeError, HomeAssistantError, TypeError, ValueError) as err:
            _LOGGER.debug("What webhooks had stored cannot be read: %s", type(err).__name__)
            return {}

    async def async_save(self, kept: Mapping[str, KeptWebhook]) -> None:
        """Write now."""
        await self._store.async_save({key: asdict(one) for key, one in kept.items()})

    async def async_remove(self) -> None:
        """Delete the file when the entry is removed."""
        await self._store.async_remove()
