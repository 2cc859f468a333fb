"""The steps of the voice evening, up to where everybody goes home."""

from collections.abc import Generator, Iterator

from tests.lab.discord.words import InteractionKind

from . import discord_night_steps as night
from .club import ADMIN, FRENCH_PLAYER, PLAYER, STRANGER
from .discord_sights import (
    AWAKE,
    CANCEL,
    GAME_NAME,
    HOST_NAME,
    REFRESH,
    START,
    asleep,
    panel,
    present,
    stopped_in_order,
    told,
    told_of_all,
)
from .discord_witness import GAZETTE, LOBBY, Shown
from .sight import GAME, HOME, HOST, WIRE, Evidence, NotSeenError, Sight
from .witness import Steps, Witness

_FLOWS = ["form", "create_entry", "form", "form", "create_entry"]
_COMMANDS = {
    "status", "start", "stop", "restart", "players", "cancel", "keep-awake", "maintenance",
    "report", "help",
}  # fmt: skip
_LEAST_STATES = 2


def _asleep(witness: Witness, _after: float) -> Iterator[Sight]:
    begun = witness.evidence["started_at"]
    asked = witness.discord.asked(FRENCH_PLAYER, InteractionKind.COMMAND, "start", begun)
    for moment in (begun, asked["at"]):
        if witness.machine_at(moment) != "asleep":
            raise NotSeenError("the host was not asleep at the beginning")
    yield Sight(at=begun, where=HOST, what="asleep")
    for key, expected in (("host.state", "off"), ("host.mode", "automatic")):
        if (shown := witness.state_at(key, begun)) != expected:
            raise NotSeenError(f"Home Assistant showed {key} as {shown}")
    yield Sight(at=begun, where=HOME, what="off, in automatic mode")


def _let_in(witness: Witness, after: float) -> Iterator[Sight]:
    discord = witness.discord
    flow = [step for step in witness.evidence["set_up"] if step["at"] >= after]
    if [step["led_to"] for step in flow] != _FLOWS:
        raise NotSeenError("webhook and bot were not set up through their flows")
    yield Sight(at=flow[-1]["at"], where=HOME, what="a webhook and the bot are set up")
    identified = discord.of("Identified")
    if len(identified) != 1 or identified[0]["refused"] is not None:
        raise NotSeenError(f"the bot identified itself {len(identified)} times, or was refused")
    yield Sight(at=identified[0]["at"], where="Discord", what="the bot is connected")
    yield _registered(discord.of("CommandsSynced"))
    connected = witness.state("bot.connected", identified[0]["at"], ("on",))
    yield Sight(at=connected["at"], where=HOME, what="the bot is connected")
    yield from panel(witness, after, "💤 Asleep", can=(START, AWAKE, REFRESH), cannot=(CANCEL,))
    status = discord.shown(discord.status, after, "💤 En veille")
    yield Sight(at=status.at, where=f"#{GAZETTE}", what="the status: asleep, in French")
    yield from present(witness, after, f"💤 {HOST_NAME}")


def _registered(synced: list[Evidence]) -> Sight:
    """See the commands registered once, in both languages."""
    if len(synced) != 1 or {one["name"] for one in synced[0]["commands"]} != _COMMANDS:
        raise NotSeenError("not exactly the commands were registered, once")
    for command in synced[0]["commands"]:
        if not ("fr" in dict(command["names"]) and "fr" in dict(command["descriptions"])):
            raise NotSeenError(f"the command {command['name']} is not French")
    return Sight(at=synced[0]["at"], where="Discord", what="commands registered, in en and fr")


def _turned_away(witness: Witness, after: float) -> Iterator[Sight]:
    discord = witness.discord
    asked = discord.asked(STRANGER, InteractionKind.COMMAND, "start", after)
    yield Sight(at=asked["at"], where="Discord", what=f"{STRANGER} gives /start")
    refusal = discord.only_answer(asked, states=1)[-1]
    if "You may not do that here." not in refusal.text:
        raise NotSeenError("the stranger was not refused")
    if not (discord.answered(asked)["ephemeral"] and refusal.message["ephemeral"]):
        raise NotSeenError("the stranger was refused before everybody's eyes")
    yield Sight(at=refusal.at, where=f"#{LOBBY}", what=f"refused, for {STRANGER} alone to see")


def _started(witness: Witness, after: float) -> Iterator[Sight]:
    discord = witness.discord
    typed = discord.asked(FRENCH_PLAYER, InteractionKind.AUTOCOMPLETE, "start", after)
    offered = [one["name"] for one in discord.answered(typed)["suggestions"]]
    if offered != [f"{GAME_NAME} · {HOST_NAME}"]:
        raise NotSeenError(f"while somebody typed, {offered} was offered")
    yield Sight(at=typed["at"], where="Discord", what=f"{FRENCH_PLAYER} is offered {offered[0]}")
    asked = discord.asked(FRENCH_PLAYER, InteractionKind.COMMAND, "start", typed["at"])
    discord.answered(asked)
    yield Sight(at=asked["at"], where="Discord", what=f"{FRENCH_PLAYER} gives /start")
    yield from _woken(witness, asked["at"])
    yield from told(witness, asked["at"], "wake_sent", HOST_NAME, FRENCH_PLAYER)
    first = _followed(witness, asked)[0]
    if "Paquet magique envoyé" not in first.text:
        raise NotSeenError("the answer did not begin with the magic packet")
    yield Sight(at=first.at, where=f"#{LOBBY}", what="the answer, in French: waking up")
    yield from panel(witness, asked["at"], "🟡 Waking up", cannot=(START, CANCEL))


def _ready(witness: Witness, after: float) -> Iterator[Sight]:
    discord = witness.discord
    asked = discord.asked(FRENCH_PLAYER, InteractionKind.COMMAND, "start", after)
    up = witness.moment("api_up", after)
    yield Sight(at=up["at"], where=HOST, what="Proxmox answers")
    yield from told(witness, up["at"], "woken", HOST_NAME, FRENCH_PLAYER)
    game = witness.moment("game_up", up["at"])
    yield Sight(at=game["at"], where=GAME, what="the server can be joined")
    *waking, last = _followed(witness, asked)
    if len(waking) < _LEAST_STATES or "En marche" not in last.text or last.at < game["at"]:
        raise NotSeenError("the answer was not kept up to date until it was ready")
    yield Sight(at=last.at, where=f"#{LOBBY}", what=f"the answer, edited {len(waking)} times: up")
    yield from told(witness, game["at"], "ready", GAME_NAME, FRENCH_PLAYER)
    yield _mentioned_once(witness, asked, game["at"])
    yield from panel(witness, game["at"], "🟢 Running", "Players: 0 of 7", cannot=(START, CANCEL))


def _followed(witness: Witness, asked: Evidence) -> list[Shown]:
    """Return the states of the answer to a start; all but the last one are of the way there."""
    answers = witness.discord.answers(asked)
    states = answers[0] if answers else []
    if not states or not all("Réveil en cours" in one.text for one in states[:-1]):
        raise NotSeenError("the answer did not say that it is waking up")
    return states


def _mentioned_once(witness: Witness, asked: Evidence, after: float) -> Sight:
    """See whoever asked mentioned when it is ready, and nobody else, and never again."""
    discord = witness.discord
    answers = discord.answers(asked)
    rung = [one for one in discord.everything_shown() if any(one.message["pings"].values())]
    if len(answers) != 2 or rung != answers[1] or rung[0].at < after:
        raise NotSeenError(f"mentioned {len(rung)} times, or not when it was ready")
    (mention,) = rung
    users = {"users": [discord.members[FRENCH_PLAYER]], "roles": [], "everyone": False}
    if mention.message["pings"] != users or "Prêt à jouer" not in mention.text:
        raise NotSeenError("it was not the one who asked that was mentioned")
    what = f"{FRENCH_PLAYER} is mentioned, once in the evening"
    return Sight(at=mention.at, where=f"#{LOBBY}", what=what)


def _stopped(witness: Witness, after: float) -> Iterator[Sight]:
    discord = witness.discord
    asked = discord.asked(ADMIN, InteractionKind.COMMAND, "stop", after)
    yield Sight(at=asked["at"], where="Discord", what=f"{ADMIN} gives /stop")
    question, confirmed = discord.only_answer(asked, states=2)[:2]
    hidden = discord.answered(asked)["ephemeral"] and question.message["ephemeral"]
    if not hidden or question.buttons != {"Yes", "No"} or ":R>" not in question.text:
        raise NotSeenError("it was not asked back")
    yield Sight(at=question.at, where=f"#{LOBBY}", what="asked back, with Yes and No")
    yes = discord.asked(ADMIN, InteractionKind.COMPONENT, "Yes", question.at)
    discord.answered(yes)
    if confirmed.buttons or confirmed.at < yes["at"]:
        raise NotSeenError("the question was not closed")
    yield Sight(at=yes["at"], where="Discord", what=f"{ADMIN} presses Yes")
    yield from told(witness, yes["at"], "stopping", HOST_NAME, ADMIN)
    yield from stopped_in_order(witness, yes["at"])
    yield from panel(witness, yes["at"], "🟠 Shutting down", f"`{ADMIN}`", can=(CANCEL,))


def _asleep_again(witness: Witness, after: float) -> Iterator[Sight]:
    discord = witness.discord
    fell = witness.moment("asleep", after)
    yes = discord.asked(ADMIN, InteractionKind.COMPONENT, "Yes", 0)
    *going, last = discord.only_answer(yes, states=2)
    if "Shutting down" not in going[0].text or "Asleep" not in last.text:
        raise NotSeenError("the answer was not kept up to date until the host was asleep")
    yield Sight(at=last.at, where=f"#{LOBBY}", what="the answer, edited: asleep")
    yield from asleep(witness, fell["at"], ADMIN)


def _voice_entered(witness: Witness, after: float) -> Iterator[Sight]:
    moved = witness.discord.moved(PLAYER, "the cube", after)
    yield Sight(at=moved["at"], where="Discord", what=f"{PLAYER} enters the voice channel")
    yield from _woken(witness, moved["at"])
    wanted = witness.demand(moved["at"], {"voice"})
    witness.state("bot.voice_members", moved["at"], ("1",))
    yield Sight(at=wanted["at"], where=HOME, what="wanted by the voice channel alone, 1 is there")
    yield from told(witness, moved["at"], "wake_sent", HOST_NAME)
    yield from panel(witness, moved["at"], "🟡 Waking up", "Voice channel", cannot=(CANCEL,))


def _up_for_voice(witness: Witness, after: float) -> Iterator[Sight]:
    up = witness.moment("api_up", after)
    yield Sight(at=up["at"], where=HOST, what="Proxmox answers")
    yield from told(witness, up["at"], "woken", HOST_NAME)
    yield from panel(witness, up["at"], "🟢 Running", "Voice channel", cannot=(CANCEL,))
    game = witness.moment("game_up", up["at"])
    yield Sight(at=game["at"], where=GAME, what="the server can be joined")
    yield from told(witness, game["at"], "ready", GAME_NAME)


def _counted(witness: Witness, after: float) -> Iterator[Sight]:
    players = witness.expected["players"]
    for player in players:
        joined = witness.game("joined", after, player)
        yield Sight(at=joined["at"], where=GAME, what=f"{player} joins")
    yield from told_of_all(witness, after, "joined", players)
    count = f"Players: {len(players)} of 7"
    named = [f"`{one}`" for one in players]
    shown = yield from panel(witness, joined["at"], "🟢 Running", count, *named)
    yield from present(witness, shown.at, f"🟢 {HOST_NAME} · {len(players)} playing")


def _woken(witness: Witness, after: float) -> Generator[Sight]:
    packet = witness.packet(after)
    yield Sight(at=packet["at"], where=WIRE, what="magic packet")
    woken = witness.moment("woken", packet["at"], "magic_packet")
    yield Sight(at=woken["at"], where=HOST, what="woken by the packet")


STEPS: Steps = (
    ("asleep", _asleep),
    ("Discord let in", _let_in),
    ("stranger turned away", _turned_away),
    ("started by a command", _started),
    ("ready", _ready),
    ("stopped by a command", _stopped),
    ("asleep again", _asleep_again),
    ("voice entered", _voice_entered),
    ("up for those in voice", _up_for_voice),
    ("players counted", _counted),
    ("players leave", night.players_leave),
    ("voice left", night.voice_left),
    ("cancelled by another", night.cancelled),
    ("counting down again", night.counting_again),
    ("shuts itself down", night.shuts_itself_down),
    ("asleep at last", night.asleep_at_last),
    ("nothing else", night.nothing_else),
)
