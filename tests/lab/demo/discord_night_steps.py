"""The steps of the voice evening from where everybody goes home; in the end nothing is left out."""

from collections.abc import Iterator
from itertools import pairwise

from tests.lab.discord.words import InteractionKind

from .club import OTHER_PLAYER, PLAYER
from .discord_sights import (
    CANCEL,
    HOST_NAME,
    START,
    asleep,
    panel,
    stopped_in_order,
    told,
    told_of_all,
)
from .discord_witness import DiscordWitness, Shown
from .sight import GAME, HOME, NotSeenError, Sight
from .witness import Witness

_LEAST_COUNTDOWN = 55
_LEAST_LEASE = 55
_ANSWER_WITHIN = 3.0
# The panel changes every 5 s at most; what is measured is when that reached Discord.
_LEAST_PAUSE = 4.5
# What belongs to one moment is heard of at several places, one after the other.
_AT_ONCE = 1.0


def players_leave(witness: Witness, after: float) -> Iterator[Sight]:
    """See everybody leave the game, and the host stay up for whoever is in voice."""
    for player in witness.expected["players"]:
        left = witness.game("left", after, player)
        yield Sight(at=left["at"], where=GAME, what=f"{player} leaves")
    yield from told_of_all(witness, after, "left", witness.expected["players"])
    yield from panel(witness, left["at"], "🟢 Running", "Players: 0 of 7", "Voice channel")
    gone = witness.discord.moved(PLAYER, None, left["at"])
    if witness.state_at("host.state", gone["at"]) != "running":
        raise NotSeenError("the host did not wait for whoever was in voice")
    witness.steady("host.state", after, gone["at"])


def voice_left(witness: Witness, after: float) -> Iterator[Sight]:
    """See the last one leave voice, and a countdown begin."""
    gone = witness.discord.moved(PLAYER, None, after)
    yield Sight(at=gone["at"], where="Discord", what=f"{PLAYER}, the last one, leaves voice")
    yield from _countdown(witness, gone["at"])


def cancelled(witness: Witness, after: float) -> Iterator[Sight]:
    """See somebody else press the button of the panel, and everybody be told who."""
    discord = witness.discord
    pressed = discord.asked(OTHER_PLAYER, InteractionKind.COMPONENT, CANCEL, after)
    if (shown := witness.state_at("host.state", pressed["at"])) != "countdown":
        raise NotSeenError(f"Home Assistant showed no countdown but {shown}")
    yield Sight(at=pressed["at"], where="Discord", what=f"{OTHER_PLAYER} presses {CANCEL}")
    running = witness.state("host.state", pressed["at"], ("running",))
    yield Sight(at=running["at"], where=HOME, what="running")
    answer = discord.only_answer(pressed, states=1)[-1]
    is_right = f"The shutdown of `{HOST_NAME}` is cancelled." in answer.text
    if not is_right or not answer.message["ephemeral"]:
        raise NotSeenError("whoever pressed was not answered")
    yield from told(witness, pressed["at"], "cancelled", HOST_NAME, OTHER_PLAYER)
    lease = witness.demand(pressed["at"], {"cancelled"})
    yield Sight(at=lease["at"], where=HOME, what="wanted by whoever cancelled")
    yield from panel(
        witness, pressed["at"], "🟢 Running", f"`{OTHER_PLAYER}`", cannot=(START, CANCEL)
    )


def counting_again(witness: Witness, after: float) -> Iterator[Sight]:
    """See the wish of whoever cancelled end, and another countdown begin."""
    ended = witness.demand(after, set(), after_having={"cancelled"})
    if ended["at"] - after < _LEAST_LEASE:
        raise NotSeenError(f"the wish to stay up ended after {ended['at'] - after:.0f} s")
    witness.steady("host.state", after + _AT_ONCE, ended["at"] - _AT_ONCE)
    yield Sight(at=ended["at"], where=HOME, what="not wanted any more")
    yield from _countdown(witness, ended["at"] - _AT_ONCE)


def shuts_itself_down(witness: Witness, after: float) -> Iterator[Sight]:
    """See the countdown run out, nobody come, and the host go down in order."""
    announced = witness.announced(after)
    discord = witness.discord
    if any(event["at"] > after for what in ("Asked", "Moved") for event in discord.of(what)):
        raise NotSeenError("somebody did something after the last countdown began")
    if playing := witness.playing_at(announced):
        raise NotSeenError(f"somebody was playing: {', '.join(sorted(playing))}")
    yield from stopped_in_order(witness, announced - _AT_ONCE)
    yield from told(witness, announced - _AT_ONCE, "stopping", HOST_NAME)
    yield from panel(witness, announced - _AT_ONCE, "🟠 Shutting down", can=(CANCEL,))


def asleep_at_last(witness: Witness, after: float) -> Iterator[Sight]:
    """See the host asleep, and stay so."""
    fell = witness.moment("asleep", after)
    yield from asleep(witness, fell["at"])
    if witness.machine_at(witness.evidence["finished_at"]) != "asleep":
        raise NotSeenError("the host did not stay asleep")


def nothing_else(witness: Witness, _after: float) -> Iterator[Sight]:
    """See that all of Discord's evidence is there, and nothing in it was left out above."""
    discord = witness.discord
    if unseen := discord.unseen():
        raise NotSeenError(f"this was said as well: {unseen[0]}")
    if discord.of("Deleted") or len({one.message["id"] for one in discord.panel}) != 1:
        raise NotSeenError("the panel is not one message, or something was deleted")
    _complete(discord)
    _rightly_paced(discord.panel)
    for asked in discord.of("Asked"):
        if discord.answered(asked)["after"] > _ANSWER_WITHIN:
            raise NotSeenError(f"{asked['name']} was answered too late")
    for call in discord.of("Call"):
        if call["status"] not in (200, 204):
            raise NotSeenError(f"{call['method']} {call['path']} had the answer {call['status']}")
    if any(PLAYER in one.text for one in discord.everything_shown()):
        raise NotSeenError(f"it was told that {PLAYER} was in voice")
    end = witness.evidence["finished_at"]
    yield Sight(at=end, where="Discord", what="nothing else was said, nothing was refused")


def _countdown(witness: Witness, after: float) -> Iterator[Sight]:
    """See an idle countdown begin and its end shown, in everybody's own time."""
    begun = witness.state("host.state", after, ("countdown",), cause="idle")
    if playing := witness.playing_at(begun["at"]):
        raise NotSeenError(f"somebody was playing: {', '.join(sorted(playing))}")
    announced = witness.announced(begun["at"] - _AT_ONCE)
    if announced - begun["at"] < _LEAST_COUNTDOWN:
        raise NotSeenError(f"it was announced {announced - begun['at']:.0f} s before")
    what = f"counting down, announced {announced - begun['at']:.0f} s before"
    yield Sight(at=begun["at"], where=HOME, what=what)
    end = f"<t:{int(announced)}:R>"
    yield from told(witness, after, "countdown", HOST_NAME, "", end)
    yield from panel(
        witness, after, "🟠 Countdown to shutdown", end, can=(CANCEL,), cannot=(START,),
    )  # fmt: skip


def _complete(discord: DiscordWitness) -> None:
    """See each edit begin with what the one before it led to."""
    known: dict[int, Shown] = {}
    for event in discord.events:
        if event["what"] not in ("Posted", "Edited"):
            continue
        message = event["message" if event["what"] == "Posted" else "after"]
        if event["what"] == "Edited":
            before = known.get(message["id"])
            if before is None or before.message != event["before"]:
                raise NotSeenError(f"an edit is missing before that of {event['at']}")
        known[message["id"]] = Shown(at=event["at"], message=message)


def _rightly_paced(states: list[Shown]) -> None:
    """See the panel edited only on a change, and not more often than allowed."""
    for before, after in pairwise(states):
        if before.content == after.content:
            raise NotSeenError("the panel was edited without a change")
        if after.at - before.at < _LEAST_PAUSE:
            raise NotSeenError(f"the panel was edited twice within {after.at - before.at:.1f} s")
