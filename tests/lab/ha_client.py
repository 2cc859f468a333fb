"""A small client of Home Assistant's own interfaces: REST, websocket, flows."""

import asyncio
from collections.abc import Callable
import contextlib
from dataclasses import dataclass
import time
from typing import Any

import aiohttp

_CONFIG_ENTRIES = "/api/config/config_entries"
FLOWS = {
    "config": f"{_CONFIG_ENTRIES}/flow",
    "options": f"{_CONFIG_ENTRIES}/options/flow",
    "subentry": f"{_CONFIG_ENTRIES}/subentries/flow",
    "repair": "/api/repairs/issues/fix",
}
_LARGEST_MESSAGE = 2**24

type Json = Any


class CallError(RuntimeError):
    """Home Assistant refused a call; everything in it is its own.

    `key` and `placeholders` are those of the translated error, where there is one.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        key: str | None = None,
        placeholders: dict[str, str] | None = None,
    ) -> None:
        """Keep what Home Assistant answered."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.key = key
        self.placeholders = placeholders or {}

    def to_dict(self) -> dict[str, Any]:
        """Return it in a form that JSON can hold."""
        return {
            "code": self.code,
            "message": self.message,
            "key": self.key,
            "placeholders": self.placeholders,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """One state as it was written, and when we were told."""

    at: float
    entity_id: str
    state: str | None
    attributes: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return it in a form that JSON can hold."""
        return {
            "at": self.at,
            "entity_id": self.entity_id,
            "state": self.state,
            "attributes": self.attributes,
        }


class HomeAssistantClient:
    """Speaks to one Home Assistant as its owner; keeps a history of every state it hears of."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        """Use a session whose base URL is the Home Assistant's."""
        self.history: list[StateChange] = []
        self.now: dict[str, StateChange] = {}
        self._session = session
        self._headers: dict[str, str] = {}
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._answers: dict[int, asyncio.Future[Json]] = {}
        self._number = 0

    # Logging in

    async def onboard(self, user: str, password: str) -> None:
        """Create the owner and log in as him; the other steps are taken as done."""
        form = {
            "client_id": self._client_id,
            "name": "Lab",
            "username": user,
            "password": password,
            "language": "en",
        }
        await self._take_token((await self.post("/api/onboarding/users", form))["auth_code"])

    async def log_in(self, user: str, password: str) -> None:
        """Log in with user name and password."""
        flow = await self.post(
            "/auth/login_flow",
            {
                "client_id": self._client_id,
                "handler": ["homeassistant", None],
                "redirect_uri": self._client_id,
            },
        )
        form = {"client_id": self._client_id, "username": user, "password": password}
        done = await self.post(f"/auth/login_flow/{flow['flow_id']}", form)
        await self._take_token(done["result"])

    async def close(self) -> None:
        """Close the connection."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        if self._socket is not None:
            await self._socket.close()
        await self._session.close()

    # REST

    async def get(self, path: str) -> Json:
        """GET a path; CallError unless it is answered well."""
        return await self._request("GET", path)

    async def post(self, path: str, data: Json = None) -> Json:
        """POST JSON to a path; CallError unless it is answered well."""
        return await self._request("POST", path, data)

    async def status_of(self, path: str) -> int:
        """Return the status that a GET of this path has."""
        async with self._session.get(path) as response:
            return response.status

    # Flows

    async def begin(self, kind: str, handler: Json, **more: Json) -> Json:
        """Begin a flow ("config", "options", "subentry", "repair"); return its first step."""
        return await self.post(FLOWS[kind], {"handler": handler, **more})

    async def proceed(self, kind: str, flow_id: str, data: Json) -> Json:
        """Submit a step of a flow; return the next one."""
        return await self.post(f"{FLOWS[kind]}/{flow_id}", data)

    async def finish_progress(self, kind: str, step: Json, timeout: float = 60) -> Json:
        """Wait until a flow shows something else than progress."""
        async with asyncio.timeout(timeout):
            while step["type"] == "progress":
                await asyncio.sleep(0.2)
                step = await self.get(f"{FLOWS[kind]}/{step['flow_id']}")
        return step

    # Websocket

    async def listen(self) -> None:
        """Connect the websocket and follow every state from now on."""
        self._socket = await self._session.ws_connect(
            "/api/websocket", max_msg_size=_LARGEST_MESSAGE
        )
        await self._socket.receive_json()
        token = self._headers["Authorization"].removeprefix("Bearer ")
        await self._socket.send_json({"type": "auth", "access_token": token})
        await self._socket.receive_json()
        self._reader = asyncio.create_task(self._read())
        await self.ask("subscribe_events", event_type="state_changed")
        for state in await self.ask("get_states"):
            self._note(state["entity_id"], state)

    async def ask(self, kind: str, **arguments: Json) -> Json:
        """Send a websocket command and return its result."""
        future = asyncio.get_running_loop().create_future()
        self._answers[self._number + 1] = future
        await self._send(kind, arguments)
        async with asyncio.timeout(30):
            return await future

    async def order(self, domain: str, service: str, data: dict[str, Any]) -> None:
        """Call an action without waiting for what comes of it."""
        await self._send(
            "call_service", {"domain": domain, "service": service, "service_data": data}
        )

    async def call(
        self, domain: str, service: str, data: dict[str, Any], *, answers: bool = False
    ) -> Json:
        """Call an action; with `answers` return what it answers. CallError if it is refused."""
        arguments: dict[str, Any] = {"domain": domain, "service": service, "service_data": data}
        if answers:
            arguments["return_response"] = True
        return (await self.ask("call_service", **arguments)).get("response")

    def state(self, entity_id: str) -> str | None:
        """Return the last state of an entity; None if there is none."""
        known = self.now.get(entity_id)
        return known.state if known else None

    async def until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until something holds of what was heard; tell whether it came true in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
        return condition()

    # Inside

    @property
    def _client_id(self) -> str:
        return f"{self._session._base_url}"

    async def _take_token(self, code: str) -> None:
        form = {"grant_type": "authorization_code", "code": code, "client_id": self._client_id}
        async with self._session.post("/auth/token", data=form) as response:
            token = (await _answer(response))["access_token"]
        self._headers = {"Authorization": f"Bearer {token}"}

    async def _request(self, method: str, path: str, data: Json = None) -> Json:
        async with self._session.request(
            method, path, json=data, headers=self._headers
        ) as response:
            return await _answer(response)

    async def _send(self, kind: str, arguments: dict[str, Any]) -> None:
        assert self._socket is not None
        self._number += 1
        await self._socket.send_json({"id": self._number, "type": kind, **arguments})

    async def _read(self) -> None:
        assert self._socket is not None
        async for message in self._socket:
            self._hear(message.json())

    def _hear(self, message: Json) -> None:
        if message["type"] == "event":
            data = message["event"]["data"]
            self._note(data["entity_id"], data["new_state"])
        elif (future := self._answers.pop(message["id"], None)) and not future.done():
            if message.get("success", True):
                future.set_result(message.get("result"))
            else:
                future.set_exception(_refusal(message["error"]))

    def _note(self, entity_id: str, state: Json) -> None:
        change = StateChange(
            at=time.time(),
            entity_id=entity_id,
            state=state["state"] if state else None,
            attributes=state["attributes"] if state else {},
        )
        self.history.append(change)
        self.now[entity_id] = change
        self._news.set()


def _refusal(error: Json) -> CallError:
    return CallError(
        error["code"],
        error["message"],
        key=error.get("translation_key"),
        placeholders=error.get("translation_placeholders"),
    )


async def _answer(response: aiohttp.ClientResponse) -> Json:
    if not response.ok:
        raise CallError(str(response.status), await response.text())
    return await response.json(content_type=None)
