"""Reads what a bot sends into the dataclasses of the record, and refuses what Discord refuses."""

from collections.abc import Iterator
import re
from typing import Any

from .faults import ApiError
from .record import Button, Command, Embed, EmbedField, Form, Menu, Pings, Suggestion
from .words import ComponentKind, MessageFlag
from .world import Json

_COMMAND_NAME = re.compile(r"[-_'\w]{1,32}")
_EMBED_LIMITS = {"title": 256, "description": 4096}
_ALL_MENTIONS = ("everyone", "roles", "users")


def invalid(message: str) -> ApiError:
    """Return the answer to a form that Discord does not take."""
    return ApiError(400, 50035, f"Invalid Form Body: {message}")


def read_embeds(body: Json) -> tuple[Embed, ...]:
    """Return the embeds of a message; ApiError when they are too many or too long."""
    shapes = body.get("embeds") or []
    if len(shapes) > 10:
        raise invalid("embeds: more than 10")
    embeds = tuple(_embed(shape) for shape in shapes)
    if sum(len(embed.text.replace("\n", "")) for embed in embeds) > 6000:
        raise invalid("embeds: more than 6000 characters in all")
    return embeds


def _embed(shape: Json) -> Embed:
    for key, most in _EMBED_LIMITS.items():
        _limit(f"embed {key}", shape.get(key) or "", most)
    fields = shape.get("fields") or []
    if len(fields) > 25:
        raise invalid("embed: more than 25 fields")
    return Embed(
        title=shape.get("title") or "",
        description=shape.get("description") or "",
        url=shape.get("url") or "",
        colour=shape.get("color"),
        fields=tuple(_embed_field(field) for field in fields),
        footer=_limit("embed footer", (shape.get("footer") or {}).get("text") or "", 2048),
        author=_limit("embed author", (shape.get("author") or {}).get("name") or "", 256),
        timestamp=shape.get("timestamp") or "",
    )


def _embed_field(shape: Json) -> EmbedField:
    name, value = shape.get("name") or "", shape.get("value") or ""
    if not name or not value:
        raise invalid("embed field: a name and a value are required")
    return EmbedField(
        name=_limit("embed field name", name, 256),
        value=_limit("embed field value", value, 1024),
        inline=bool(shape.get("inline")),
    )


def _limit(what: str, text: str, most: int) -> str:
    if len(text) > most:
        raise invalid(f"{what}: more than {most} characters")
    return text


def read_content(body: Json, flags: MessageFlag) -> str:
    """Return the text of a message; ApiError when it is too long or where none may be."""
    content = body.get("content") or ""
    if content and MessageFlag.COMPONENTS_V2 in flags:
        raise invalid("content: not beside components of version 2")
    return _limit("content", content, 2000)


def all_components(shapes: list[Json]) -> Iterator[Json]:
    """Yield components, those inside others too."""
    for shape in shapes:
        yield shape
        inner = [*(shape.get("components") or [])]
        inner += [shape[key] for key in ("accessory", "component") if shape.get(key)]
        yield from all_components(inner)


def check_components(shapes: list[Json], flags: MessageFlag) -> None:
    """Refuse rows that are too many or too full, and custom ids that are not unique."""
    if MessageFlag.COMPONENTS_V2 not in flags and len(shapes) > 5:
        raise invalid("components: more than 5 rows")
    for shape in shapes:
        if shape["type"] == ComponentKind.ROW and not 1 <= len(shape["components"]) <= 5:
            raise invalid("components: a row has 1 to 5")
    ids = [one["custom_id"] for one in all_components(shapes) if one.get("custom_id")]
    if len(ids) != len(set(ids)):
        raise invalid("components: a custom id occurs twice")
    for custom_id in ids:
        _limit("custom_id", custom_id, 100)


def read_buttons(shapes: list[Json], message_id: int) -> tuple[Button, ...]:
    """Return the buttons among components."""
    return tuple(
        Button(
            message_id=message_id,
            label=_limit("button label", one.get("label") or "", 80),
            custom_id=one.get("custom_id") or "",
            style=one["style"],
            emoji=(one.get("emoji") or {}).get("name") or "",
            url=one.get("url") or "",
            disabled=bool(one.get("disabled")),
        )
        for one in all_components(shapes)
        if one["type"] == ComponentKind.BUTTON
    )


def read_menus(shapes: list[Json], message_id: int) -> tuple[Menu, ...]:
    """Return the menus of texts among components."""
    return tuple(
        Menu(
            message_id=message_id,
            custom_id=one["custom_id"],
            placeholder=one.get("placeholder") or "",
            options=tuple(option["value"] for option in one["options"]),
            disabled=bool(one.get("disabled")),
        )
        for one in all_components(shapes)
        if one["type"] == ComponentKind.TEXT_MENU
    )


def read_texts(shapes: list[Json]) -> tuple[str, ...]:
    """Return the texts that stand among components."""
    return tuple(
        one["content"] for one in all_components(shapes) if one["type"] == ComponentKind.TEXT
    )


def read_pings(text: str, body: Json, default: tuple[str, ...]) -> Pings:
    """Return whom a text rings; `default` says which kinds do when nothing was allowed."""
    allowed = body.get("allowed_mentions")
    if allowed is None:
        allowed = {"parse": list(default)}
    users = _mentioned(r"<@!?(\d+)>", text, allowed, "users")
    roles = _mentioned(r"<@&(\d+)>", text, allowed, "roles")
    everyone = "everyone" in allowed.get("parse", ()) and bool(re.search("@everyone|@here", text))
    return Pings(users=users, roles=roles, everyone=everyone)


def _mentioned(pattern: str, text: str, allowed: Json, kind: str) -> tuple[int, ...]:
    found = dict.fromkeys(int(number) for number in re.findall(pattern, text))
    if kind in allowed.get("parse", ()):
        return tuple(found)
    named = {int(number) for number in allowed.get(kind) or ()}
    return tuple(one for one in found if one in named)


def check_allowed_mentions(body: Json) -> None:
    """Refuse kinds that do not exist and ids beside their own kind."""
    allowed = body.get("allowed_mentions") or {}
    parse = allowed.get("parse", ())
    if not set(parse) <= set(_ALL_MENTIONS):
        raise invalid("allowed_mentions: unknown kind")
    for kind in ("roles", "users"):
        if kind in parse and allowed.get(kind):
            raise invalid(f"allowed_mentions: {kind} named and allowed altogether")


def read_suggestions(data: Json) -> tuple[Suggestion, ...]:
    """Return the lines of an autocompletion; ApiError for more than 25."""
    choices = data.get("choices") or []
    if len(choices) > 25:
        raise invalid("choices: more than 25")
    return tuple(
        Suggestion(name=_limit("choice", one["name"], 100), value=one["value"]) for one in choices
    )


def read_form(data: Json) -> Form:
    """Return a modal."""
    inputs = [
        one["custom_id"]
        for one in all_components(data["components"])
        if one.get("custom_id") and one["type"] != ComponentKind.ROW
    ]
    title = _limit("modal title", data["title"], 45)
    return Form(custom_id=data["custom_id"], title=title, inputs=tuple(inputs))


def read_command(shape: Json) -> Command:
    """Return a command that was registered."""
    permissions = shape.get("default_member_permissions")
    return Command(
        id=int(shape["id"]),
        name=shape["name"],
        names=tuple(sorted((shape.get("name_localizations") or {}).items())),
        description=shape.get("description") or "",
        descriptions=tuple(sorted((shape.get("description_localizations") or {}).items())),
        options=tuple(option["name"] for option in shape.get("options") or ()),
        permissions=None if permissions is None else int(permissions),
    )


def check_command(shape: Json) -> None:
    """Refuse a command that Discord would not register."""
    _check_name(shape)
    if shape.get("type", 1) == 1 and not shape.get("description"):
        raise invalid(f"{shape['name']}: a description is required")
    _limit("description", shape.get("description") or "", 100)
    for text in (shape.get("description_localizations") or {}).values():
        _limit("description", text, 100)
    options = shape.get("options") or []
    if len(options) > 25:
        raise invalid("options: more than 25")
    required = [bool(option.get("required")) for option in options]
    if required != sorted(required, reverse=True):
        raise invalid("options: required ones come first")
    for option in options:
        check_command({**option, "type": 1})
        if len(option.get("choices") or ()) > 25:
            raise invalid("choices: more than 25")


def _check_name(shape: Any) -> None:
    for name in (shape["name"], *(shape.get("name_localizations") or {}).values()):
        if not _COMMAND_NAME.fullmatch(name) or name != name.lower():
            raise invalid(f"name: {name!r}")
