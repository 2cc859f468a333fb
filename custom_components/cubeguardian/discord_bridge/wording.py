"""The small parts that texts for Discord are made of."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from .quoting import code, codes
from .view import HoldUpView, State, ThingView, WantedBy

type Texts = Mapping[str, str]

REASON_LIMIT: Final = 200
ADDRESS_LIMIT: Final = 255

COLOURS: Final[Mapping[State, int]] = {
    State.OFF: 0x747F8D,
    State.WAKING: 0xF0B232,
    State.RUNNING: 0x23A55A,
    State.DEGRADED: 0xF0B232,
    State.COUNTDOWN: 0xE67E22,
    State.STOPPING: 0xE67E22,
    State.FAILED: 0xDA373C,
}
_SIGNS: Final[Mapping[State, str]] = {
    State.OFF: "💤",
    State.WAKING: "🟡",
    State.RUNNING: "🟢",
    State.DEGRADED: "🟡",
    State.COUNTDOWN: "🟠",
    State.STOPPING: "🟠",
    State.FAILED: "🔴",
}
_BAR_PARTS: Final = 10
_NAMES_SHOWN: Final = 20


def text(texts: Texts, key: str, **values: str) -> str:
    """Return a text with its names filled in, in one pass."""
    return texts[f"discord_{key}"].format_map(values)


def text_or(texts: Texts, key: str, otherwise: str) -> str:
    """Return a text without names, or what stands in where there is none."""
    return texts.get(f"discord_{key}", otherwise)


def word(texts: Texts, kind: str, value: str) -> str:
    """Return the word for a value; one that has none is shown as it is."""
    return text_or(texts, f"{kind}_{value}", code(value))


def moment(at: datetime) -> str:
    """Return an instant as everybody's own Discord tells it: "in 3 minutes"."""
    return f"<t:{int(at.timestamp())}:R>"


def clock(at: datetime) -> str:
    """Return an instant as the time of day where the reader is."""
    return f"<t:{int(at.timestamp())}:t>"


def date(at: datetime) -> str:
    """Return the day of an instant as the reader writes it."""
    return f"<t:{int(at.timestamp())}:d>"


def number(texts: Texts, value: float) -> str:
    """Return a number with one decimal."""
    return f"{value:.1f}".replace(".", text(texts, "decimal"))


def duration(seconds: float) -> str:
    """Return a duration in its two largest units, which read the same in every language."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min"


def bar(texts: Texts, percent: int) -> str:
    """Return a progress bar with its number."""
    kept = min(100, max(0, percent))
    full = kept * _BAR_PARTS // 100
    return f"{'▰' * full}{'▱' * (_BAR_PARTS - full)} {text(texts, 'percent', percent=str(kept))}"


def sign(value: State) -> str:
    """Return the sign of a state."""
    return _SIGNS[value]


def state(texts: Texts, value: State) -> str:
    """Return a state with its sign."""
    return f"{_SIGNS[value]} {text(texts, f'state_{value.value}')}"


def hold_up(texts: Texts, held: HoldUpView) -> str:
    """Return what a hold-up is, by name."""
    subject = code(held.subject) if held.subject else text(texts, "the_host")
    quoted = {name: code(value) for name, value in held.details.items()}
    details = {**quoted, "subject": subject}
    match held.key:
        case "players" if names := held.details.get("players"):
            listed = tuple(name.strip() for name in names.split(","))
            return text(texts, "held_players_named", **details | {"players": name_list(listed)})
        case "task" if not held.details.get("target"):
            return text(texts, "held_task_alone", **details)
        case "backup_due":
            return text(texts, "held_backup_due", **details | {"at": _clock_of(held)})
        case "guest" | "protected" if not held.details.get("name"):
            return text(texts, f"held_{held.key}", **details | {"name": details["vmid"]})
        case "cannot_see":
            reason = word(texts, "unseen", held.details.get("reason", ""))
            return text(texts, "held_cannot_see", **details | {"reason": reason})
        case "players" | "task" | "guest" | "protected":
            return text(texts, f"held_{held.key}", **details)
    return code(held.key)


def _clock_of(held: HoldUpView) -> str:
    """Return when a backup is due; what is no instant is shown as it is."""
    given = held.details.get("at", "")
    try:
        return clock(datetime.fromisoformat(given))
    except ValueError, OverflowError:
        return code(given)


def name_list(names: tuple[str, ...]) -> str:
    """Return names; of many, how many more there are."""
    shown = codes(names[:_NAMES_SHOWN], 32)
    more = len(names) - _NAMES_SHOWN
    return f"{shown} +{more}" if more > 0 else shown


def hold_ups(texts: Texts, held: tuple[HoldUpView, ...]) -> list[str]:
    """Return one line for each hold-up."""
    return [f"• {hold_up(texts, one)}" for one in held]


def wanted(texts: Texts, by: WantedBy) -> str:
    """Return why something is up, and until when."""
    named = f" · {code(by.name)}" if by.name else ""
    until = f" · {text(texts, 'until', at=clock(by.until))}" if by.until else ""
    doubt = f" · {text(texts, 'doubtful')}" if by.doubtful else ""
    return f"• {word(texts, 'source', by.source)}{named}{until}{doubt}"


def players(texts: Texts, thing: ThingView) -> list[str]:
    """Return who plays, where that is known."""
    if thing.players_online is None:
        return []
    most = "?" if thing.players_max is None else str(thing.players_max)
    said = text(texts, "players_online", count=str(thing.players_online), most=most)
    return [f"{said} · {name_list(thing.players)}" if thing.players else said]
