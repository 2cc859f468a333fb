"""The steps of the main story: woken, played on, refused to stop, shut down."""

from collections.abc import Iterator

from .sight import GAME, HOME, HOST, WIRE, NotSeenError, Sight
from .witness import POWER_CALL, Steps, Witness


def _asleep(witness: Witness, _after: float) -> Iterator[Sight]:
    switched = witness.action("switch.turn_on", 0)["at"]
    if witness.machine_at(switched) != "asleep":
        raise NotSeenError("the host was not asleep at the beginning")
    yield Sight(at=witness.evidence["started_at"], where=HOST, what="asleep")
    for key in ("host.power", "host.reachable", "game.online"):
        if (shown := witness.state_at(key, switched)) != "off":
            raise NotSeenError(f"Home Assistant showed {key} as {shown}")
    yield Sight(at=witness.evidence["started_at"], where=HOME, what="off, not reachable")


def _switched_on(witness: Witness, after: float) -> Iterator[Sight]:
    action = witness.action("switch.turn_on", after)
    yield Sight(at=action["at"], where=HOME, what="the switch is turned on")


def _packet_heard(witness: Witness, after: float) -> Iterator[Sight]:
    packet = witness.packet(after)
    where = f"{packet['destination']} port {packet['port']}"
    yield Sight(at=packet["at"], where=WIRE, what=f"magic packet, {where}")
    woken = witness.moment("woken", packet["at"], "magic_packet")
    yield Sight(at=woken["at"], where=HOST, what="woken by the packet")


def _booting(witness: Witness, after: float) -> Iterator[Sight]:
    booting = witness.moment("booting", after)
    yield Sight(at=booting["at"], where=HOST, what="booting")
    switched = witness.action("switch.turn_on", 0)["at"]
    shown = witness.state("host.state", switched, ("waking",))
    yield Sight(at=shown["at"], where=HOME, what="waking")


def _proxmox_up(witness: Witness, after: float) -> Iterator[Sight]:
    up = witness.moment("api_up", after)
    yield Sight(at=up["at"], where=HOST, what="Proxmox answers")
    running = witness.state("host.state", up["at"], ("running",))
    yield Sight(at=running["at"], where=HOME, what="running")
    switched = witness.state("host.power", witness.action("switch.turn_on", 0)["at"], ("on",))
    witness.steady("host.power", switched["at"], running["at"])
    api = witness.state("host.proxmox_api", up["at"], ("on",))
    yield Sight(at=api["at"], where=HOME, what="the token is accepted")
    reads = witness.requests("GET", "/nodes/pve/status", up["at"], api["at"])
    if not any(request["status"] == 200 for request in reads):
        raise NotSeenError("nobody read the state of the node")


def _minecraft_up(witness: Witness, after: float) -> Iterator[Sight]:
    up = witness.moment("game_up", after)
    yield Sight(at=up["at"], where=GAME, what="the server can be joined")
    online = witness.state("game.online", up["at"], ("on",))
    yield Sight(at=online["at"], where=HOME, what="online")
    left = witness.game("left", online["at"], witness.expected["players"][0])
    off = witness.action("switch.turn_off", left["at"])
    witness.steady("game.online", online["at"], off["at"])


def _player_joins(witness: Witness, after: float) -> Iterator[Sight]:
    player = witness.expected["players"][0]
    joined = witness.game("joined", after, player)
    yield Sight(at=joined["at"], where=GAME, what=f"{player} joins")
    shown = witness.state("game.players_online", joined["at"], ("1",), players=[player])
    yield Sight(at=shown["at"], where=HOME, what=f"one player: {player}")


def _refused(witness: Witness, after: float) -> Iterator[Sight]:
    player = witness.expected["players"][0]
    action = witness.action("switch.turn_off", after, accepted=False)
    if player not in action["error"]["message"]:
        raise NotSeenError(f"the refusal does not name {player}")
    yield Sight(at=action["answered_at"], where=HOME, what=action["error"]["message"])
    left = witness.game("left", action["answered_at"], player)
    if witness.requests(*POWER_CALL, action["at"], left["at"]):
        raise NotSeenError("the node was told to shut down although it was refused")
    if witness.machine_at(left["at"]) != "up":
        raise NotSeenError("the host did not stay up")
    yield Sight(at=action["answered_at"], where=HOST, what="stays up")


def _player_leaves(witness: Witness, after: float) -> Iterator[Sight]:
    player = witness.expected["players"][0]
    left = witness.game("left", after, player)
    yield Sight(at=left["at"], where=GAME, what=f"{player} leaves")
    shown = witness.state("game.players_online", left["at"], ("0",))
    yield Sight(at=shown["at"], where=HOME, what="no player")


def _switched_off(witness: Witness, after: float) -> Iterator[Sight]:
    action = witness.action("switch.turn_off", after)
    yield Sight(at=action["at"], where=HOME, what="the switch is turned off")
    calls = witness.requests(*POWER_CALL, action["at"], witness.evidence["finished_at"])
    told = [
        call
        for call in calls
        if call["status"] == 200 and call["parameters"].get("command") == "shutdown"
    ]
    if len(told) != 1:
        raise NotSeenError(f"the node was told to shut down {len(told)} times")
    yield Sight(at=told[0]["at"], where=HOST, what="told to shut down, by our token")
    stopping = witness.moment("stopping", told[0]["at"], "shutdown")
    yield Sight(at=stopping["at"], where=HOST, what="guests, then the node, go down")


def _asleep_again(witness: Witness, after: float) -> Iterator[Sight]:
    asleep = witness.moment("asleep", after)
    yield Sight(at=asleep["at"], where=HOST, what="asleep")
    shown: list[float] = []
    for key in ("host.state", "host.reachable", "game.online"):
        shown.append(witness.state(key, after, ("off",))["at"])
        if witness.state_at(key, witness.evidence["finished_at"]) != "off":
            raise NotSeenError(f"{key} did not stay off")
    yield Sight(at=max(shown), where=HOME, what="off, not reachable")
    if witness.machine_at(witness.evidence["finished_at"]) != "asleep":
        raise NotSeenError("the host did not stay asleep")


STEPS: Steps = (
    ("asleep", _asleep),
    ("switched on", _switched_on),
    ("packet heard", _packet_heard),
    ("booting", _booting),
    ("Proxmox up", _proxmox_up),
    ("Minecraft up", _minecraft_up),
    ("player joins", _player_joins),
    ("switch off refused", _refused),
    ("player leaves", _player_leaves),
    ("switched off", _switched_off),
    ("asleep again", _asleep_again),
)
