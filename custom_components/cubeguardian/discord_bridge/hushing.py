"""Keep out of the log what discord.py tells at debug level: names, and tokens of interactions.

Home Assistant offers to switch that level on, and people publish what they get by it.
"""

import logging
from typing import Final, override

# The one writes down each event as it came, the other where each answer goes.
_TALKATIVE: Final = ("discord.gateway", "discord.webhook.async_")


class _Hush(logging.Filter):
    """Let through what is more than a detail."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record may be written."""
        return record.levelno > logging.DEBUG


_HUSH: Final = _Hush()


def hush() -> None:
    """Silence them, once and for all."""
    for name in _TALKATIVE:
        logging.getLogger(name).addFilter(_HUSH)
