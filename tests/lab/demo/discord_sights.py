"""What several steps of the voice evening look for on Discord and at the host."""

from collections.abc import Collection, Generator, Iterable

from .discord_witness import BOARD, GAZETTE, LOBBY, Shown
from .sight import GAME, HOME, HOST, NotSeenError, Sight
from .witness import Witness

HOST_NAME, GAME_NAME = "pve", "Survival"
START, CANCEL, AWAKE, REFRESH = "Start", "Cancel shutdown", "Keep awake", "Refresh"
# What is told of an event: by the bot in English, by the webhook in French.
_TITLES = {
    "wake_sent": ("Waking up", "Réveil lancé"),
    "woken": ("The host is up", "L’hôte est en marche"),
    "ready": ("Ready to play", "Prêt à jouer"),
    "joined": ("Joined", "Connexion"),
    "left": ("Left", "Déconnexion"),
    "countdown": ("Countdown to shutdown", "Compte à rebours avant l’arrêt"),
    "cancelled": ("Shutdown cancelled", "Arrêt annulé"),
    "stopping": ("Shutting down", "Arrêt en cours"),
    "asleep": ("Asleep", "En veille"),
}


def told(
    witness: Witness, after: float, event: str, about: str, by: str = "", *parts: str
) -> Generator[Sight, None, Shown]:
    """See an event told in both channels: by whom, or that nobody asked for it."""
    for channel, title in zip((GAZETTE, LOBBY), reversed(_TITLES[event]), strict=True):
        found = witness.discord.told(channel, after, about, title)
        asked_by = "Requested by" if channel == LOBBY else "Demandé par"
        right = f"{asked_by} `{by}`" in found.text if by else asked_by not in found.text
        if not right or not all(part in found.text for part in parts):
            raise NotSeenError(f"#{channel} was told of {title}, but not rightly")
    what = f"{about}: {title}" + (f", by {by}" if by else "")
    yield Sight(at=found.at, where=f"#{LOBBY}", what=what)
    return found


def told_of_all(
    witness: Witness, after: float, event: str, names: Iterable[str]
) -> Generator[Sight]:
    """See it told of each of some players, of all at once or of one after the other."""
    for channel, title in zip((GAZETTE, LOBBY), reversed(_TITLES[event]), strict=True):
        missing = set(names)
        while missing:
            found = witness.discord.told(channel, after, GAME_NAME, title)
            named = {name for name in missing if f"`{name}`" in found.text}
            if not named:
                raise NotSeenError(f"#{channel} was told of {title}, but not rightly")
            missing -= named
    yield Sight(at=found.at, where=f"#{LOBBY}", what=f"{GAME_NAME}: {title} {', '.join(names)}")


def panel(
    witness: Witness,
    after: float,
    title: str,
    *parts: str,
    can: Collection[str] = (),
    cannot: Collection[str] = (),
) -> Generator[Sight, None, Shown]:
    """See the panel show something, with buttons that can be pressed and some that cannot."""
    discord = witness.discord
    found = discord.shown(discord.panel, after, title, *parts, can=can, cannot=cannot)
    buttons = f", with {', '.join(can)}" if can else ""
    what = f"the panel: {', '.join((title, *parts))}{buttons}"
    yield Sight(at=found.at, where=f"#{BOARD}", what=what)
    return found


def present(witness: Witness, after: float, text: str) -> Generator[Sight]:
    """See the bot seen doing something."""
    seen = witness.discord.presence(text, after)
    yield Sight(at=seen["at"], where="Discord", what=f"the bot is seen as {text}")


def stopped_in_order(witness: Witness, after: float) -> Generator[Sight]:
    """See the guest shut down, and only then the node, once."""
    stopping = witness.state("host.state", after, ("stopping",))
    yield Sight(at=stopping["at"], where=HOME, what="stopping")
    guest = witness.guest_call("shutdown", after)
    yield Sight(at=guest["at"], where=HOST, what="the guest is told to shut down")
    down = witness.moment("game_down", guest["at"])
    yield Sight(at=down["at"], where=GAME, what="down")
    calls = witness.told_to_shut_down(after, witness.moment("asleep", after)["at"])
    if len(calls) != 1 or calls[0] < guest["at"] + witness.expected["guest_seconds"]:
        raise NotSeenError(f"the node was told {len(calls)} times, or before its guest was down")
    yield Sight(at=calls[0], where=HOST, what="the node is told to shut down, by our token")


def asleep(witness: Witness, fell_at: float, by: str = "") -> Generator[Sight]:
    """See the host asleep, everywhere."""
    yield Sight(at=fell_at, where=HOST, what="asleep")
    off = witness.state("host.state", fell_at, ("off",))
    yield Sight(at=off["at"], where=HOME, what="off")
    yield from told(witness, fell_at, "asleep", HOST_NAME, by)
    yield from panel(witness, fell_at, "💤 Asleep", can=(START,), cannot=(CANCEL,))
    status = witness.discord.shown(witness.discord.status, fell_at, "💤 En veille")
    yield Sight(at=status.at, where=f"#{GAZETTE}", what="the status: asleep")
    yield from present(witness, fell_at, f"💤 {HOST_NAME}")
