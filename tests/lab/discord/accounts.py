"""Routes about the bot, its application, its commands, and the guilds that it is in."""

from dataclasses import dataclass
import time

from .faults import ApiError, check_available
from .gateway import Gateway
from .reading import check_command, invalid, read_command
from .record import CommandsSynced, Record
from .rest import Answer, Request, Route
from .shapes import (
    application_shape,
    channel_shape,
    guild_shape,
    guild_summary,
    member_shape,
    role_shape,
    user_shape,
)
from .words import Intent, Permission
from .world import Guild, Json, World, snowflake

_NOT_IN_GUILD = ApiError(403, 50001, "Missing Access")


@dataclass(slots=True, kw_only=True)
class Accounts:
    """Answers what a bot asks about itself and where it is."""

    world: World
    record: Record
    gateway: Gateway

    def routes(self) -> list[Route]:
        """Return the routes."""
        of_app = "/applications/{app}"
        table = [
            ("GET", "/users/@me", self._me),
            ("GET", "/users/@me/guilds", self._own_guilds),
            ("GET", "/users/{user}", self._user),
            ("GET", "/oauth2/applications/@me", self._application),
            ("GET", "/applications/@me", self._application),
            ("PATCH", "/applications/@me", self._change_application),
            ("GET", "/gateway/bot", self._gateway),
            ("GET", "/guilds/{guild}", lambda asked: guild_shape(self._guild(asked))),
            ("GET", "/guilds/{guild}/channels", self._channels),
            ("GET", "/guilds/{guild}/roles", self._roles),
            ("GET", "/guilds/{guild}/members", self._members),
            ("GET", "/guilds/{guild}/members/{user}", self._member),
            ("GET", of_app + "/commands", self._commands),
            ("PUT", of_app + "/commands", self._overwrite),
            ("GET", of_app + "/guilds/{guild}/commands", self._commands),
            ("PUT", of_app + "/guilds/{guild}/commands", self._overwrite),
        ]
        return [Route(method=one, path=path, handler=handler) for one, path, handler in table]

    def _me(self, _: Request) -> Answer:
        return user_shape(self.world.bot)

    def _user(self, asked: Request) -> Answer:
        user = self.world.find_user(asked.number("user"))
        if user is None:
            raise ApiError(404, 10013, "Unknown User")
        return user_shape(user)

    def _own_guilds(self, _: Request) -> Answer:
        bot = self.world.bot.id
        return [
            guild_summary(one, one.permissions_of(one.members[bot]), is_owner=one.owner_id == bot)
            for one in self.world.guilds.values()
        ]

    def _application(self, _: Request) -> Answer:
        return application_shape(self.world.application, self.world.bot)

    def _change_application(self, asked: Request) -> Answer:
        application, body = self.world.application, asked.body
        if "interactions_endpoint_url" in body:
            application.interactions_endpoint_url = body["interactions_endpoint_url"] or None
        if body.get("install_params"):
            parameters = body["install_params"]
            application.install_scopes = tuple(parameters["scopes"])
            application.install_permissions = Permission(int(parameters["permissions"]))
        application.description = body.get("description", application.description)
        return self._application(asked)

    def _gateway(self, _: Request) -> Answer:
        budget = self.gateway.identify_budget
        limit = {"total": 1000, "remaining": budget, "reset_after": 86400000, "max_concurrency": 1}
        return {"url": self.gateway.url, "shards": 1, "session_start_limit": limit}

    def _guild(self, asked: Request) -> Guild:
        guild = self.world.guilds.get(asked.number("guild"))
        if guild is None:
            raise ApiError(404, 10004, "Unknown Guild")
        check_available(guild)
        return guild

    def _channels(self, asked: Request) -> Answer:
        channels = self._guild(asked).channels.values()
        return [channel_shape(one) for one in channels if one.kind < 10]

    def _roles(self, asked: Request) -> Answer:
        return [role_shape(one) for one in self._guild(asked).roles.values()]

    def _members(self, asked: Request) -> Answer:
        if Intent.GUILD_MEMBERS not in self.world.application.privileged:
            raise _NOT_IN_GUILD
        after, limit = int(asked.query.get("after", 0)), int(asked.query.get("limit", 1))
        members = sorted(self._guild(asked).members.values(), key=lambda one: one.id)
        return [member_shape(one) for one in members if one.id > after][:limit]

    def _member(self, asked: Request) -> Answer:
        member = self._guild(asked).members.get(asked.number("user"))
        if member is None:
            raise ApiError(404, 10007, "Unknown Member")
        return member_shape(member)

    def _registry(self, asked: Request) -> tuple[int | None, dict[int, Json]]:
        if asked.number("app") != self.world.application.id:
            raise ApiError(403, 20012, "You are not authorized to perform this action")
        guild_id = asked.number("guild") if "guild" in asked.parts else None
        if guild_id is not None and guild_id not in self.world.guilds:
            raise _NOT_IN_GUILD
        return guild_id, self.world.commands.setdefault(guild_id, {})

    def _commands(self, asked: Request) -> Answer:
        return list(self._registry(asked)[1].values())

    def _overwrite(self, asked: Request) -> Answer:
        guild_id, known = self._registry(asked)
        if len(asked.body) > 100:
            raise ApiError(400, 30032, "Maximum number of application commands reached (100)")
        names = [shape["name"] for shape in asked.body]
        if len(names) != len(set(names)):
            raise invalid("a name occurs twice")
        for shape in asked.body:
            check_command(shape)
        ids = {shape["name"]: command_id for command_id, shape in known.items()}
        known.clear()
        shapes = [self._registered(guild_id, ids.get(one["name"]), one) for one in asked.body]
        known.update((int(shape["id"]), shape) for shape in shapes)
        self._note(guild_id, created=len(set(names) - set(ids)))
        return shapes

    def _registered(self, guild_id: int | None, command_id: int | None, body: Json) -> Json:
        shape: Json = {"type": 1, "default_member_permissions": None, "nsfw": False, **body}
        shape |= {
            "id": str(command_id or snowflake()),
            "application_id": str(self.world.application.id),
            "version": str(snowflake()),
        }
        return shape if guild_id is None else {**shape, "guild_id": str(guild_id)}

    def _note(self, guild_id: int | None, *, created: int) -> None:
        commands = tuple(read_command(one) for one in self.world.commands[guild_id].values())
        self.record.add(
            CommandsSynced(at=time.time(), guild_id=guild_id, commands=commands, created=created)
        )
