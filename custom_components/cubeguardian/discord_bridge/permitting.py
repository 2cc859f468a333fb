"""What the bot has to be allowed on Discord, and what of it is missing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from .bridge_port import Problem, Trouble

_BITS: Final[Mapping[str, int]] = {
    "view_channel": 1 << 10,
    "send_messages": 1 << 11,
    "embed_links": 1 << 14,
    "read_message_history": 1 << 16,
}
_FOR_TEXT: Final = tuple(_BITS)
_FOR_VOICE: Final = ("view_channel",)
PERMISSIONS: Final = sum(_BITS.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFacts:
    """A channel that is used; `granted` are the bot's permission bits, None: there is none such."""

    channel_id: int
    is_voice: bool = False
    name: str = ""
    granted: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """How the bot is set up on Discord; `channels` None: it is not in the guild."""

    is_public: bool
    has_endpoint: bool
    may_register: bool = True
    channels: tuple[ChannelFacts, ...] | None = ()


def problems(facts: Facts) -> tuple[Problem, ...]:
    """Return everything that somebody has to mend."""
    found = [
        Problem(trouble=trouble)
        for trouble, stands in (
            (Trouble.BOT_PUBLIC, facts.is_public),
            (Trouble.ENDPOINT_SET, facts.has_endpoint),
            (Trouble.GUILD_MISSING, facts.channels is None),
            (Trouble.COMMANDS_REFUSED, not facts.may_register and facts.channels is not None),
        )
        if stands
    ]
    return (*found, *_of_channels(facts.channels or ()))


def _of_channels(channels: Iterable[ChannelFacts]) -> Iterable[Problem]:
    for channel in channels:
        if channel.granted is None:
            yield Problem(trouble=Trouble.CHANNEL_MISSING, channel_id=channel.channel_id)
            continue
        needed = _FOR_VOICE if channel.is_voice else _FOR_TEXT
        if missing := tuple(name for name in needed if not channel.granted & _BITS[name]):
            yield Problem(
                trouble=Trouble.PERMISSION_MISSING,
                channel_id=channel.channel_id,
                channel=channel.name,
                missing=missing,
            )
