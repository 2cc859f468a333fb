"""What people do on the stand-in: talk, write, use commands, press buttons."""

from collections.abc import Mapping
from dataclasses import dataclass
import time
from typing import Any

from .answers import Answers
from .gateway import Gateway
from .interactions import Interaction, interaction_shape
from .mailbox import Mailbox, Sender
from .record import Asked, Button, Menu, Message, Record
from .shapes import channel_shape, member_shape, role_shape, user_shape
from .words import ComponentKind, InteractionKind, OptionKind, Permission, Source
from .world import Channel, Json, Member, Role, User, World

type Value = str | int | float | bool | Member | Role | Channel

_NESTED = (OptionKind.SUBCOMMAND, OptionKind.GROUP)


@dataclass(slots=True, kw_only=True)
class People:
    """Lets members act; nothing is possible that Discord's own client would not offer."""

    world: World
    record: Record
    gateway: Gateway
    mailbox: Mailbox
    answers: Answers

    def invoke(
        self, name: str, options: Mapping[str, Value], by: Member, channel: Channel
    ) -> Interaction:
        """Use a command, "group subcommand" for a nested one.

        LookupError if it, or one of the options, is not registered; PermissionError if the member
        would not be shown it; ValueError if a required option is missing.
        """
        words = name.split()
        shape = self._command(words[0], by)
        data = _filled(shape, words[1:], options) | _named(shape)
        if resolved := _resolved(options):
            data["resolved"] = resolved
        return self._act(InteractionKind.COMMAND, name, by, channel, data)

    def suggest(
        self, name: str, option: str, typed: str, by: Member, channel: Channel
    ) -> Interaction:
        """Type into an option of a command that completes; the lines come as its answer."""
        words = name.split()
        shape = self._command(words[0], by)
        leaf, wrap = _leaf(shape, words[1:])
        wanted = _options(leaf)[option]
        if not wanted.get("autocomplete"):
            raise LookupError(f"{option!r} does not complete")
        typing = {"name": option, "type": wanted["type"], "value": typed, "focused": True}
        data = wrap([typing]) | _named(shape)
        return self._act(InteractionKind.AUTOCOMPLETE, name, by, channel, data)

    def press(self, button: Button, by: Member) -> Interaction:
        """Press a button; LookupError if the message no longer has it, ValueError if it is grey."""
        message = self._visible(button.message_id, by)
        current = next((one for one in message.buttons if one.custom_id == button.custom_id), None)
        if current is None:
            raise LookupError(f"the message has no button {button.label!r} any more")
        if current.disabled or not current.custom_id:
            raise ValueError(f"the button {button.label!r} cannot be pressed")
        data = {"custom_id": current.custom_id, "component_type": int(ComponentKind.BUTTON)}
        return self._use(message, current.label or current.custom_id, by, data)

    def choose(self, menu: Menu, values: tuple[str, ...], by: Member) -> Interaction:
        """Choose from a menu."""
        message = self._visible(menu.message_id, by)
        current = next((one for one in message.menus if one.custom_id == menu.custom_id), None)
        if current is None or current.disabled or not set(values) <= set(current.options):
            raise LookupError(f"the message has no such menu, or not all of {values}")
        data = {
            "custom_id": current.custom_id,
            "component_type": int(ComponentKind.TEXT_MENU),
            "values": list(values),
        }
        return self._use(message, current.custom_id, by, data)

    def submit(self, opened: Interaction, values: Mapping[str, str]) -> Interaction:
        """Fill in and send the form that the bot opened in answer to an interaction."""
        form = opened.answer.form if opened.answer else None
        if form is None or not set(values) <= set(form.inputs):
            raise LookupError("the bot opened no such form")
        rows = [_typed_row(name, values.get(name, "")) for name in form.inputs]
        data = {"custom_id": form.custom_id, "components": rows}
        kind = InteractionKind.MODAL
        return self._act(kind, form.title, opened.member, opened.channel, data, opened.source)

    def say(self, author: User, channel: Channel, text: str) -> Message:
        """Write a message, in a channel of a guild or to the bot alone."""
        if channel.guild is not None:
            granted = channel.guild.permissions_of(channel.guild.members[author.id], channel)
            if Permission.SEND_MESSAGES not in granted:
                raise PermissionError(f"{author.name} may not write there")
        sender = Sender(user=author, source=Source.MEMBER)
        return self.mailbox.post(channel, sender, {"content": text}).message

    def _command(self, name: str, by: Member) -> Json:
        registered = [
            shape
            for scope in (by.guild.id, None)
            for shape in self.world.commands.get(scope, {}).values()
        ]
        shape = next((one for one in registered if one["name"] == name), None)
        if shape is None:
            raise LookupError(f"no command {name!r} among {[one['name'] for one in registered]}")
        needed = shape.get("default_member_permissions")
        granted = by.guild.permissions_of(by)
        if needed is not None and (
            Permission(int(needed)) & ~granted
            or (needed == "0" and Permission.ADMINISTRATOR not in granted)
        ):
            raise PermissionError(f"{by.user.name} is not shown {name!r}")
        return shape

    def _visible(self, message_id: int, by: Member) -> Message:
        message = self.mailbox.find(message_id).message
        asker = self.answers.asked.get(message.interaction_id or 0)
        if message.ephemeral and asker is not None and asker.member is not by:
            raise LookupError(f"{by.user.name} does not see this message")
        return message

    def _use(self, message: Message, name: str, by: Member, data: Json) -> Interaction:
        stored = self.mailbox.find(message.id)
        return self._act(InteractionKind.COMPONENT, name, by, stored.channel, data, stored)

    def _act(
        self,
        kind: InteractionKind,
        name: str,
        by: Member,
        channel: Channel,
        data: Json,
        source: Any = None,
    ) -> Interaction:
        interaction = Interaction(
            kind=kind, name=name, member=by, channel=channel, record=self.record, source=source
        )
        self.answers.asked[interaction.id] = interaction
        self.record.add(
            Asked(
                at=time.time(), interaction_id=interaction.id, kind=kind, name=name, member_id=by.id
            )
        )
        shape = interaction_shape(self.world, interaction, data)
        if source is not None:
            shape["message"] = self.mailbox.shape(source)
        # With an endpoint set, Discord calls that one and the gateway hears nothing.
        if self.world.application.interactions_endpoint_url is None:
            self.gateway.dispatch("INTERACTION_CREATE", shape)
        return interaction


def _named(shape: Json) -> Json:
    return {"type": 1} | {key: shape[key] for key in ("id", "name", "guild_id") if key in shape}


def _options(shape: Json) -> dict[str, Json]:
    return {option["name"]: option for option in shape.get("options") or ()}


def _leaf(shape: Json, path: list[str]) -> tuple[Json, Any]:
    """Return the command at the end of a path, and what wraps its options in the names above."""
    leaf, names = shape, []
    for word in path:
        leaf = _options(leaf)[word]
        names.append((leaf["name"], leaf["type"]))
    if any(one["type"] in _NESTED for one in _options(leaf).values()):
        raise LookupError(f"{shape['name']!r} needs one of {list(_options(leaf))}")

    def wrap(options: list[Json]) -> Json:
        wrapped: Json = {"options": options}
        for name, kind in reversed(names):
            wrapped = {"options": [{"name": name, "type": kind, **wrapped}]}
        return wrapped

    return leaf, wrap


def _filled(shape: Json, path: list[str], values: Mapping[str, Value]) -> Json:
    leaf, wrap = _leaf(shape, path)
    known = _options(leaf)
    if unknown := set(values) - set(known):
        raise LookupError(f"{shape['name']!r} has no options {unknown}")
    if missing := {name for name, one in known.items() if one.get("required")} - set(values):
        raise ValueError(f"{shape['name']!r} requires {missing}")
    filled: Json = wrap([_option(known[name], value) for name, value in values.items()])
    return filled


def _option(option: Json, value: Value) -> Json:
    plain = str(value.id) if isinstance(value, Member | Role | Channel) else value
    choices = [choice["value"] for choice in option.get("choices") or ()]
    if choices and plain not in choices:
        raise ValueError(f"{plain!r} is none of {choices}")
    return {"name": option["name"], "type": option["type"], "value": plain}


def _resolved(values: Mapping[str, Value]) -> Json:
    resolved: Json = {}
    for value in values.values():
        if isinstance(value, Member):
            shape = member_shape(value) | {"permissions": "0"}
            del shape["user"]
            resolved.setdefault("users", {})[str(value.id)] = user_shape(value.user)
            resolved.setdefault("members", {})[str(value.id)] = shape
        elif isinstance(value, Role):
            resolved.setdefault("roles", {})[str(value.id)] = role_shape(value)
        elif isinstance(value, Channel):
            shape = channel_shape(value) | {"permissions": "0"}
            resolved.setdefault("channels", {})[str(value.id)] = shape
    return resolved


def _typed_row(name: str, value: str) -> Json:
    typed = {"type": int(ComponentKind.INPUT), "custom_id": name, "value": value}
    return {"type": int(ComponentKind.ROW), "components": [typed]}
