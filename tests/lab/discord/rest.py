"""What is common to all REST routes: reading, faults, who asks, rate limits, the record."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
import json
import re
import time
from typing import Any

from aiohttp import web

from .faults import (
    ApiError,
    Bucket,
    Fault,
    Garbage,
    Latency,
    RateLimit,
    Refusal,
    ServerError,
    Silence,
    Torn,
    Troubles,
    limited,
)
from .record import Call, Record, answered_call
from .world import Json, World

_SECRET_PARTS = re.compile(r"/(webhooks|interactions)/(\d+)/[^/]+")
_VERSION = re.compile(r"^/api(?:/v\d+)?")
_MAJOR = re.compile(r"/(?:channels|guilds|webhooks)/(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as a route's function gets it: path parameters, query, body."""

    parts: Mapping[str, str]
    query: Mapping[str, str]
    body: Any

    def number(self, name: str) -> int:
        """Return a path parameter that is an id."""
        return int(self.parts[name])


type Answer = Json | list[Json] | None
type Handler = Callable[[Request], Awaitable[Answer] | Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route; those that are public carry their secret in the path instead of a header."""

    method: str
    path: str
    handler: Handler
    is_public: bool = False


class Rest:
    """Serves routes below /api and /api/vN."""

    def __init__(self, world: World, record: Record, troubles: Troubles) -> None:
        """Prepare to serve."""
        self._world = world
        self._record = record
        self._troubles = troubles

    def add_to(self, application: web.Application, routes: list[Route]) -> None:
        """Add routes, and an answer for all that is not there."""
        for route in routes:
            pattern = r"/api{version:(?:/v\d+)?}" + route.path
            application.router.add_route(route.method, pattern, self._serving(route))
        missing = Route(method="*", path="", handler=_not_there, is_public=True)
        application.router.add_route("*", r"/api{rest:.*}", self._serving(missing))

    def _serving(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            return await self._serve(route, request)

        return serve

    async def _serve(self, route: Route, request: web.Request) -> web.StreamResponse:
        body = await _read(request)
        call = _noted(request, body)
        place = len(self._record.events)
        self._record.add(call)
        await self._troubles.passage()
        if request.transport is None:
            return web.Response(status=499)
        response = await self._respond(route, request, body, call)
        code = _code(response)
        self._record.events[place] = answered_call(call, response.status, code)
        self._record.wake()
        return response

    async def _respond(
        self, route: Route, request: web.Request, body: Any, call: Call
    ) -> web.Response:
        fault = self._troubles.find(call.method, call.path)
        if isinstance(fault, Latency):
            await asyncio.sleep(fault.seconds)
        elif fault is not None and not (isinstance(fault, Torn) and fault.done):
            return await misbehave(fault, request, self._troubles)
        bucket = self._troubles.bucket(call.method, call.path)
        headers, passes = _count(bucket, call.path)
        if not passes:
            wait = float(headers["X-RateLimit-Reset-After"])
            return _json(429, limited(wait), {**headers, "Via": "1.1 lab"})
        response = await self._answer(route, request, body)
        response.headers.update(headers)
        if isinstance(fault, Torn):
            _tear(request)
        return response

    async def _answer(self, route: Route, request: web.Request, body: Any) -> web.Response:
        try:
            if not route.is_public:
                self._check_token(request.headers.get("Authorization", ""))
            asked = Request(parts=request.match_info, query=request.query, body=body)
            found = route.handler(asked)
            answer = await found if isinstance(found, Awaitable) else found
        except ApiError as error:
            return _json(error.status, {"message": error.message, "code": error.code})
        return web.Response(status=204) if answer is None else _json(200, answer)

    def _check_token(self, header: str) -> None:
        kind, _, token = header.partition(" ")
        if kind != "Bot" or not self._world.knows(token):
            raise ApiError(401, 0, "401: Unauthorized")


async def misbehave(fault: Fault, request: web.Request, troubles: Troubles) -> web.Response:
    """Answer as the fault says; one that answers nothing tears the connection in the end."""
    match fault:
        case RateLimit():
            return _too_many(fault)
        case ServerError(is_html=True):
            return _html(fault.status)
        case ServerError():
            return _json(fault.status, {"message": "Internal Server Error", "code": 0})
        case Refusal():
            return _json(fault.status, {"message": fault.message, "code": fault.code})
        case Garbage():
            return _html(200)
        case Silence():
            await troubles.mending()
    return _tear(request)


def _noted(request: web.Request, body: Any) -> Call:
    path = _VERSION.sub("", request.path, count=1)
    return Call(
        at=time.time(),
        method=request.method,
        path=_SECRET_PARTS.sub(r"/\1/\2/***", path),
        body=body,
        query=tuple(request.query.items()),
        agent=request.headers.get("User-Agent", ""),
    )


async def _read(request: web.Request) -> Any:
    if request.content_type != "multipart/form-data":
        text = await request.text()
        return json.loads(text) if text and request.content_type == "application/json" else None
    form = await request.post()
    body = json.loads(str(form.get("payload_json") or "{}"))
    files = [part.filename for part in form.values() if isinstance(part, web.FileField)]
    if files and "attachments" not in body:
        body["attachments"] = [{"filename": name} for name in files]
    return body


def _count(bucket: Bucket | None, path: str) -> tuple[dict[str, str], bool]:
    if bucket is None:
        return {}, True
    major = _MAJOR.match(path)
    passes, remaining, after = bucket.take(major[1] if major else "")
    headers = {
        "X-RateLimit-Bucket": bucket.name,
        "X-RateLimit-Limit": str(bucket.limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset-After": f"{after:.3f}",
        "X-RateLimit-Reset": f"{time.time() + after:.3f}",
    }
    return headers, passes


def _too_many(fault: RateLimit) -> web.Response:
    if not fault.is_discord:
        return _html(429)
    headers = {"Via": "1.1 lab", "Retry-After": str(int(fault.retry_after) + 1)}
    headers["X-RateLimit-Scope"] = "global" if fault.is_global else "user"
    if fault.is_global:
        headers["X-RateLimit-Global"] = "true"
    return _json(429, limited(fault.retry_after, is_global=fault.is_global), headers)


def _json(
    status: int, answer: Json | list[Json], headers: Mapping[str, str] | None = None
) -> web.Response:
    # discord.py takes nothing for JSON whose content type says more than just that.
    kind = {"Content-Type": "application/json", **(headers or {})}
    return web.Response(status=status, body=json.dumps(answer).encode(), headers=kind)


def _html(status: int) -> web.Response:
    page = f"<html><head><title>{status}</title></head><body>proxy</body></html>"
    return web.Response(status=status, text=page, content_type="text/html")


def _tear(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=499)


def _code(response: web.Response) -> int | None:
    if response.status < 400 or response.content_type != "application/json":
        return None
    assert isinstance(response.body, bytes)
    found: int | None = json.loads(response.body).get("code")
    return found


def _not_there(_: Request) -> Answer:
    raise ApiError(404, 0, "404: Not Found")
