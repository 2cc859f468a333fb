"""How the bridge is set up, and how patient it is."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from .access import Limits, People
from .view import Group


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeSettings:
    """What was chosen in Home Assistant; everybody and everything by its id.

    `channel_id` is told what happens (`groups`), and read from where `relays`; that needs the
    privileged intent. `panel_channel_id` holds the status panel. Alerts go to `alert_ids` by
    direct message, or to the channel. `shows_names`: the names of those in voice may be shown.
    `language` is that of the channel; commands answer in that of whoever gives them.
    """

    token: str = field(repr=False)
    guild_id: int
    channel_id: int | None = None
    panel_channel_id: int | None = None
    voice_channel_ids: frozenset[int] = frozenset()
    people: People = field(default_factory=People)
    limits: Limits = field(default_factory=Limits)
    alert_ids: tuple[int, ...] = ()
    groups: frozenset[Group] = frozenset(Group)
    language: str = "en"
    relays: bool = False
    shows_names: bool = False

    @property
    def text_channel_ids(self) -> tuple[int, ...]:
        """Return the channels that are written in."""
        wanted = (self.channel_id, self.panel_channel_id)
        return tuple(dict.fromkeys(one for one in wanted if one is not None))


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgePace:
    """How fast things go, in seconds.

    `edit_every`: the least time between two changes of one message. `presence_every`: the same
    for what the bot is seen doing. `follow_for`: how long an answer is kept up to date.
    `settle`: how long a command may show no effect before nobody waits for it any more.
    `token_for`: how long an answer is edited as such; Discord allows 15 min. `guild_wait`: how
    long Discord may be silent before all guilds are believed to be known. `steady_for`: a
    connection that lasted so long makes the next pause short again. `away_after`: how long the
    connection may be lost before that means anything.
    """

    edit_every: float = 5.0
    presence_every: float = 15.0
    follow_for: float = 1800.0
    settle: float = 60.0
    token_for: float = 840.0
    keep_for: float = 900.0
    patience: float = 30.0
    login_patience: float = 60.0
    close_within: float = 3.5
    away_after: float = 5.0
    guild_wait: float = 2.0
    first_pause: float = 2.0
    longest_pause: float = 300.0
    steady_for: float = 120.0

    def pauses(self) -> Iterator[float]:
        """Yield how long to wait after each failure in a row, without end."""
        pause = self.first_pause
        while True:
            yield pause
            pause = min(self.longest_pause, pause * 2)
