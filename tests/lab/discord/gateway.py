"""The gateway: sessions that outlive their connections, and what is sent over them."""

import asyncio
import contextlib
from dataclasses import dataclass, field
import json
import secrets
import time
from typing import Any

from aiohttp import WSMsgType, web

from .faults import Latency, Troubles
from .record import Disconnected, Identified, PresenceSet, Record, Resumed
from .rest import misbehave
from .shapes import guild_create_shape, member_shape, user_shape
from .words import EVERY_INTENT, FATAL, PRIVILEGED, CloseCode, Intent, Opcode
from .world import Guild, Json, World

# What a fault's path has to match to hit the handshake of the websocket.
GATEWAY = "/gateway"
_EVENTS_PER_MINUTE = 120


@dataclass(slots=True, kw_only=True, eq=False)
class Session:
    """What the gateway remembers of a bot that identified itself."""

    intents: Intent
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    sequence: int = 0
    sent: list[Json] = field(default_factory=list)
    connection: Connection | None = None

    def dispatch(self, event: str, data: Json) -> None:
        """Send an event, or keep it for the bot's return."""
        self.sequence += 1
        frame = {"op": int(Opcode.DISPATCH), "t": event, "s": self.sequence, "d": data}
        self.sent.append(frame)
        if self.connection is not None:
            self.connection.send(frame)


class Gateway:
    """The websocket side of the stand-in."""

    def __init__(
        self, world: World, record: Record, troubles: Troubles, *, heartbeat_interval: float
    ) -> None:
        """Prepare a gateway; the interval of the heartbeats is in seconds."""
        self.world = world
        self.record = record
        self.troubles = troubles
        self.heartbeat_interval = heartbeat_interval
        self.url = ""
        self.identify_budget = 1000
        self.sessions: dict[str, Session] = {}
        self.connections: set[Connection] = set()

    @property
    def is_connected(self) -> bool:
        """Whether a bot has a session over a living connection."""
        return any(session.connection for session in self.sessions.values())

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Hold one connection."""
        await self.troubles.passage()
        fault = self.troubles.find("GET", GATEWAY)
        if isinstance(fault, Latency):
            await asyncio.sleep(fault.seconds)
        elif fault is not None:
            return await misbehave(fault, request, self.troubles)
        socket = web.WebSocketResponse(max_msg_size=64 * 1024, autoping=True)
        await socket.prepare(request)
        connection = Connection(self, request, socket)
        self.connections.add(connection)
        try:
            await connection.run()
        finally:
            self.connections.discard(connection)
            connection.leave()
            code = connection.hung_up_with or socket.close_code
            self.record.add(Disconnected(at=time.time(), code=code and int(code)))
        return socket

    def dispatch(self, event: str, data: Json, *, needs: Intent = Intent.NONE) -> None:
        """Send an event to every session that has one of the intents."""
        for session in self.sessions.values():
            if not needs or needs & session.intents:
                session.dispatch(event, data)

    def tear(self) -> None:
        """Tear every connection without a word."""
        for connection in list(self.connections):
            connection.tear()

    def close(self, code: CloseCode) -> None:
        """Close every connection with a code."""
        for connection in list(self.connections):
            connection.hang_up(code)

    def ask_to_reconnect(self) -> None:
        """Send opcode 7."""
        self._tell({"op": int(Opcode.RECONNECT), "d": None})

    def invalidate(self, *, resumable: bool) -> None:
        """Send opcode 9; a session that is not resumable is forgotten."""
        self._tell({"op": int(Opcode.INVALID_SESSION), "d": resumable})
        if not resumable:
            self.forget_sessions()

    def forget_sessions(self) -> None:
        """Lose every session, as after a long absence: the next RESUME is refused."""
        for session in self.sessions.values():
            if session.connection is not None:
                session.connection.session = None
        self.sessions.clear()

    def request_heartbeat(self) -> None:
        """Ask for a heartbeat out of turn."""
        self._tell({"op": int(Opcode.HEARTBEAT), "d": None})

    def _tell(self, frame: Json) -> None:
        for connection in self.connections:
            connection.send(frame)


class Connection:
    """One websocket, with or without a session."""

    def __init__(
        self, gateway: Gateway, request: web.Request, socket: web.WebSocketResponse
    ) -> None:
        """Wrap a websocket that was accepted."""
        self.session: Session | None = None
        self.heartbeats = 0
        self.hung_up_with: CloseCode | None = None
        self._gateway = gateway
        self._transport = request.transport
        self._socket = socket
        self._outgoing: asyncio.Queue[Json | CloseCode] = asyncio.Queue()
        self._heard: list[float] = []

    async def run(self) -> None:
        """Greet, then answer until the connection ends."""
        interval = int(self._gateway.heartbeat_interval * 1000)
        self.send({"op": int(Opcode.HELLO), "d": {"heartbeat_interval": interval}})
        writer = asyncio.create_task(self._write())
        try:
            async for message in self._socket:
                await self._gateway.troubles.passage()
                if message.type is not WSMsgType.TEXT:
                    self.hang_up(CloseCode.DECODE_ERROR)
                else:
                    self._hear(message.data)
        finally:
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer

    def send(self, frame: Json) -> None:
        """Send a frame after those that were given before."""
        self._outgoing.put_nowait(frame)

    def hang_up(self, code: CloseCode) -> None:
        """Close after what was given before; some codes end the session as well."""
        if self.session is not None and code in FATAL:
            self._gateway.sessions.pop(self.session.id, None)
        self.leave()
        self.hung_up_with = code
        self._outgoing.put_nowait(code)

    def tear(self) -> None:
        """End the connection without a word."""
        self.leave()
        if self._transport is not None:
            self._transport.abort()

    def leave(self) -> None:
        """Let the session wait for another connection."""
        if self.session is not None and self.session.connection is self:
            self.session.connection = None
        self.session = None

    async def _write(self) -> None:
        troubles = self._gateway.troubles
        while True:
            item = await self._outgoing.get()
            if troubles.gateway_latency:
                await asyncio.sleep(troubles.gateway_latency)
            await troubles.passage()
            with contextlib.suppress(OSError):
                if isinstance(item, CloseCode):
                    await self._socket.close(code=item)
                    return
                await self._socket.send_str(json.dumps(item))

    def _hear(self, text: str) -> None:
        now = time.monotonic()
        self._heard = [moment for moment in self._heard if moment > now - 60] + [now]
        if len(self._heard) > _EVENTS_PER_MINUTE:
            self.hang_up(CloseCode.RATE_LIMITED)
            return
        try:
            frame = json.loads(text)
            code = self._obey(frame["op"], frame.get("d"))
        except ValueError, KeyError, TypeError:
            code = CloseCode.DECODE_ERROR
        if code is not None:
            self.hang_up(code)

    def _obey(self, opcode: int, data: Any) -> CloseCode | None:
        match opcode:
            case Opcode.HEARTBEAT:
                self._beat()
            case Opcode.IDENTIFY:
                return self._identify(data)
            case Opcode.RESUME:
                return self._resume(data)
            case Opcode.PRESENCE | Opcode.VOICE_STATE | Opcode.REQUEST_MEMBERS if (
                self.session is None
            ):
                return CloseCode.NOT_AUTHENTICATED
            case Opcode.PRESENCE:
                self._note_presence(data)
            case Opcode.REQUEST_MEMBERS:
                self._send_members(data)
            case Opcode.VOICE_STATE:
                pass
            case _:
                return CloseCode.UNKNOWN_OPCODE
        return None

    def _beat(self) -> None:
        self.heartbeats += 1
        if self._gateway.troubles.answers_heartbeats:
            self.send({"op": int(Opcode.ACK)})

    def _identify(self, data: Json) -> CloseCode | None:
        intents = int(data["intents"])
        code = self._refusal(str(data["token"]), intents)
        record = self._gateway.record
        record.add(Identified(at=time.time(), intents=intents, refused=code))
        if code is None:
            self._open_session(Intent(intents))
            if data.get("presence"):
                self._note_presence(data["presence"])
        return code

    def _refusal(self, token: str, intents: int) -> CloseCode | None:
        if self.session is not None:
            return CloseCode.ALREADY_AUTHENTICATED
        if not self._gateway.world.knows(token) or self._gateway.identify_budget <= 0:
            return CloseCode.AUTHENTICATION_FAILED
        if intents & ~EVERY_INTENT:
            return CloseCode.INVALID_INTENTS
        if intents & PRIVILEGED & ~self._gateway.world.application.privileged:
            return CloseCode.DISALLOWED_INTENTS
        return None

    def _open_session(self, intents: Intent) -> None:
        gateway, world = self._gateway, self._gateway.world
        gateway.identify_budget -= 1
        self.session = session = Session(intents=intents, connection=self)
        gateway.sessions[session.id] = session
        guilds = list(world.guilds.values())
        ready = {
            "v": 10,
            "user": user_shape(world.bot),
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "resume_gateway_url": gateway.url,
            "application": {"id": str(world.application.id), "flags": world.application.flags},
            "shard": [0, 1],
        }
        session.dispatch("READY", ready)
        for guild in guilds:
            if guild.available and Intent.GUILDS in intents:
                shape = guild_create_shape(guild, world.bot.id, intents)
                session.dispatch("GUILD_CREATE", shape)

    def _resume(self, data: Json) -> CloseCode | None:
        gateway = self._gateway
        if not gateway.world.knows(str(data["token"])):
            return CloseCode.AUTHENTICATION_FAILED
        session = gateway.sessions.get(str(data["session_id"]))
        sequence = data["seq"]
        if session is not None and sequence is not None and sequence > session.sequence:
            return CloseCode.INVALID_SEQUENCE
        missed = (
            [frame for frame in session.sent if frame["s"] > (sequence or 0)] if session else []
        )
        gateway.record.add(
            Resumed(
                at=time.time(),
                sequence=sequence,
                replayed=len(missed),
                accepted=session is not None,
            )
        )
        if session is None:
            self.send({"op": int(Opcode.INVALID_SESSION), "d": False})
            return None
        self._take_over(session, missed)
        return None

    def _take_over(self, session: Session, missed: list[Json]) -> None:
        if session.connection is not None:
            session.connection.tear()
        for frame in missed:
            self.send(frame)
        self.session, session.connection = session, self
        session.dispatch("RESUMED", {})

    def _note_presence(self, data: Json) -> None:
        # discord.py identifies with the older word for it, which Discord understands as well.
        shown = data.get("activities") or [one for one in (data.get("game"),) if one]
        texts = tuple(one.get("state") or one["name"] for one in shown)
        self._gateway.record.add(PresenceSet(at=time.time(), status=data["status"], texts=texts))

    def _send_members(self, data: Json) -> None:
        assert self.session is not None
        guild = self._gateway.world.guilds[int(data["guild_id"])]
        members = _asked_members(guild, data)
        shapes = [member_shape(one) for one in members]
        chunk = {
            "guild_id": str(guild.id),
            "members": shapes,
            "chunk_index": 0,
            "chunk_count": 1,
            "nonce": data.get("nonce"),
        }
        self.session.dispatch("GUILD_MEMBERS_CHUNK", chunk)


def _asked_members(guild: Guild, data: Json) -> list[Any]:
    wanted = data.get("user_ids")
    if wanted is not None:
        ids = {int(one) for one in (wanted if isinstance(wanted, list) else [wanted])}
        return [one for one in guild.members.values() if one.id in ids]
    query = data.get("query") or ""
    return [one for one in guild.members.values() if one.user.name.startswith(query)]
