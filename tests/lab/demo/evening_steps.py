"""The steps of the evening: nobody switches the host off, and it sleeps when nobody needs it."""

from collections.abc import Iterator

from .sight import GAME, HOME, HOST, WIRE, NotSeenError, Sight
from .witness import Steps, Witness

_LEAST_COUNTDOWN = 55
_LEAST_LEASE = 55
# What belongs to one moment is written by several entities, one after the other.
_AT_ONCE = 1.0


def _asleep(witness: Witness, _after: float) -> Iterator[Sight]:
    switched = witness.action("switch.turn_on", 0)["at"]
    if witness.machine_at(switched) != "asleep":
        raise NotSeenError("the host was not asleep at the beginning")
    yield Sight(at=witness.evidence["started_at"], where=HOST, what="asleep")
    for key, expected in (("host.state", "off"), ("host.mode", "automatic")):
        if (shown := witness.state_at(key, switched)) != expected:
            raise NotSeenError(f"Home Assistant showed {key} as {shown}")
    yield Sight(at=witness.evidence["started_at"], where=HOME, what="off, in automatic mode")


def _woken(witness: Witness, after: float) -> Iterator[Sight]:
    action = witness.action("switch.turn_on", after)
    yield Sight(at=action["at"], where=HOME, what="the switch is turned on")
    packet = witness.packet(action["at"])
    yield Sight(at=packet["at"], where=WIRE, what="magic packet")
    woken = witness.moment("woken", packet["at"], "magic_packet")
    yield Sight(at=woken["at"], where=HOST, what="woken by the packet")
    running = witness.state("host.state", woken["at"], ("running",))
    yield Sight(at=running["at"], where=HOME, what="running")
    online = witness.state("game.online", running["at"], ("on",))
    yield Sight(at=online["at"], where=HOME, what="Minecraft is online")


def _players_join(witness: Witness, after: float) -> Iterator[Sight]:
    players = witness.expected["players"]
    for player in players:
        joined = witness.game("joined", after, player)
        yield Sight(at=joined["at"], where=GAME, what=f"{player} joins")
    shown = witness.state("game.players_online", joined["at"], (str(len(players)),))
    yield Sight(at=shown["at"], where=HOME, what=f"players: {', '.join(players)}")


def _wanted_by_players(witness: Witness, after: float) -> Iterator[Sight]:
    shown = witness.demand(after, {"players"})
    yield Sight(at=shown["at"], where=HOME, what="wanted by the players alone")
    everybody = set(witness.expected["players"])
    if witness.playing_at(shown["at"]) != everybody:
        raise NotSeenError("not everybody was playing")
    _no_countdown(witness, witness.action("switch.turn_on", 0)["at"], shown["at"])


def _players_leave(witness: Witness, after: float) -> Iterator[Sight]:
    for player in witness.expected["players"]:
        left = witness.game("left", after, player)
        yield Sight(at=left["at"], where=GAME, what=f"{player} leaves")
    yield from _countdown(witness, left["at"])


def _one_comes_back(witness: Witness, after: float) -> Iterator[Sight]:
    begun = witness.state("host.state", after, ("countdown",), cause="idle")
    yield from _back(witness, begun["at"], witness.expected["players"][0])


def _leaves_again(witness: Witness, after: float) -> Iterator[Sight]:
    player = witness.expected["players"][0]
    left = witness.game("left", after, player)
    yield Sight(at=left["at"], where=GAME, what=f"{player} leaves again")
    yield from _countdown(witness, left["at"])


def _cancelled(witness: Witness, after: float) -> Iterator[Sight]:
    action = witness.action("button.press", after)
    if playing := witness.playing_at(action["at"]):
        raise NotSeenError(f"somebody was playing: {', '.join(sorted(playing))}")
    if (shown := witness.state_at("host.state", action["at"])) != "countdown":
        raise NotSeenError(f"Home Assistant showed no countdown but {shown}")
    yield Sight(at=action["at"], where=HOME, what="cancel is pressed, nobody is there")
    running = witness.state("host.state", action["at"], ("running",))
    yield Sight(at=running["at"], where=HOME, what="running")
    witness.event("countdown_cancelled", action["at"])
    lease = witness.demand(action["at"], {"cancelled"})
    yield Sight(at=lease["at"], where=HOME, what="wanted by whoever cancelled")


def _stays_up(witness: Witness, after: float) -> Iterator[Sight]:
    pressed = witness.action("button.press", after)["at"]
    ended = witness.demand(pressed, set(), after_having={"cancelled"})["at"]
    if ended - pressed < _LEAST_LEASE:
        raise NotSeenError(f"the wish to stay up ended after {ended - pressed:.0f} s")
    running = witness.state("host.state", pressed, ("running",))["at"]
    witness.steady("host.state", running, ended - _AT_ONCE)
    if witness.playing_at(ended):
        raise NotSeenError("somebody was playing")
    yield Sight(at=ended, where=HOME, what=f"up for {ended - pressed:.0f} s, then not wanted")


def _countdown_once_more(witness: Witness, after: float) -> Iterator[Sight]:
    yield from _countdown(witness, after - _AT_ONCE)


def _looks_in(witness: Witness, after: float) -> Iterator[Sight]:
    player = witness.expected["players"][1]
    yield from _back(witness, after, player)
    left = witness.game("left", after, player)
    yield Sight(at=left["at"], where=GAME, what=f"{player} leaves")
    yield from _countdown(witness, left["at"])


def _shuts_itself_down(witness: Witness, after: float) -> Iterator[Sight]:
    begun = witness.state("host.state", after, ("countdown",), cause="idle")
    announced = witness.announced(begun["at"])
    stopping = witness.state("host.state", announced, ("stopping",), cause="idle")
    yield Sight(at=stopping["at"], where=HOME, what="stopping, nobody asked for it")
    told = _told_once(witness, announced)
    pressed = witness.action("button.press", 0)["at"]
    if any(action["at"] > pressed for action in witness.evidence["actions"]):
        raise NotSeenError("somebody did something after the cancel")
    guest = witness.guest_call("shutdown", announced)
    yield Sight(at=guest["at"], where=HOST, what="the guest is told to shut down")
    down = witness.moment("game_down", guest["at"])
    yield Sight(at=down["at"], where=GAME, what="down")
    if told < guest["at"] + witness.expected["guest_seconds"]:
        raise NotSeenError("the node was told before its guest was down")
    yield Sight(at=told, where=HOST, what="the node is told to shut down, by our token")


def _asleep_again(witness: Witness, after: float) -> Iterator[Sight]:
    asleep = witness.moment("asleep", after)
    yield Sight(at=asleep["at"], where=HOST, what="asleep")
    end = witness.evidence["finished_at"]
    shown: list[float] = []
    for key in ("host.state", "host.power", "host.reachable", "game.online"):
        shown.append(witness.state(key, after, ("off",))["at"])
        if witness.state_at(key, end) != "off":
            raise NotSeenError(f"{key} did not stay off")
    yield Sight(at=max(shown), where=HOME, what="off, not reachable")
    witness.event("asleep", asleep["at"])
    if witness.machine_at(end) != "asleep":
        raise NotSeenError("the host did not stay asleep")


def _told_once(witness: Witness, after: float) -> float:
    """Return when the node was told to shut down: once in the whole evening, not before that."""
    begun, ended = witness.evidence["started_at"], witness.evidence["finished_at"]
    told = witness.told_to_shut_down(begun, ended)
    if len(told) != 1 or told[0] < after:
        raise NotSeenError(f"the node was told to shut down {len(told)} times, or too early")
    return told[0]


def _countdown(witness: Witness, after: float) -> Iterator[Sight]:
    """See an idle countdown begin, and be told, while nobody plays."""
    begun = witness.state("host.state", after, ("countdown",), cause="idle")
    if playing := witness.playing_at(begun["at"]):
        raise NotSeenError(f"somebody was playing: {', '.join(sorted(playing))}")
    announced = witness.announced(begun["at"] - _AT_ONCE)
    if announced - begun["at"] < _LEAST_COUNTDOWN:
        raise NotSeenError(f"it was announced {announced - begun['at']:.0f} s before")
    witness.event("countdown_started", begun["at"] - _AT_ONCE)
    what = f"counting down, announced {announced - begun['at']:.0f} s before"
    yield Sight(at=begun["at"], where=HOME, what=what)


def _back(witness: Witness, after: float, player: str) -> Iterator[Sight]:
    """See a player end a countdown by joining."""
    joined = witness.game("joined", after, player)
    yield Sight(at=joined["at"], where=GAME, what=f"{player} comes back")
    running = witness.state("host.state", joined["at"], ("running",))
    yield Sight(at=running["at"], where=HOME, what="running, the countdown is over")
    told = witness.event("countdown_cancelled", joined["at"])
    if player not in str(told["attributes"].get("by")):
        raise NotSeenError(f"it was not said that {player} cancelled the countdown")
    if witness.state_at("host.shutdown_at", running["at"] + _AT_ONCE) != "unknown":
        raise NotSeenError("an end was still shown")


def _no_countdown(witness: Witness, after: float, before: float) -> None:
    for change in witness.evidence["states"]:
        counting = (change["key"], change["state"]) == ("host.state", "countdown")
        if counting and after <= change["at"] <= before:
            raise NotSeenError("a countdown began while somebody wanted the host")


STEPS: Steps = (
    ("asleep", _asleep),
    ("woken", _woken),
    ("players join", _players_join),
    ("wanted by players alone", _wanted_by_players),
    ("players leave", _players_leave),
    ("one comes back", _one_comes_back),
    ("leaves again", _leaves_again),
    ("cancelled", _cancelled),
    ("stays up", _stays_up),
    ("countdown once more", _countdown_once_more),
    ("another looks in", _looks_in),
    ("shuts itself down", _shuts_itself_down),
    ("asleep again", _asleep_again),
)
