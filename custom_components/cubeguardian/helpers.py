"""Translate what the guardian refuses, and what a machine failed to do, for whoever asked."""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import datetime
import functools
from typing import Any, Final

from homeassistant.core import async_get_hass
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .guardian import ApiState, GuardianPortError, HoldUp, HoldUpKey, RefusalReason, Refused

ERROR_CODES: Final = frozenset(
    {
        "api_error",
        "auth_error",
        "connection_error",
        "file_not_found",
        "guest_ignores",
        "invalid_input",
        "permission_error",
        "ssh_error",
        "timeout_error",
        "tls_error",
    }
)
BLIND: Final = {
    "silent": "held_silent",
    "unreadable": "held_unreadable",
    ApiState.UNAUTHORISED.value: "held_unauthorised",
    ApiState.FORBIDDEN.value: "held_forbidden",
    ApiState.UNTRUSTED.value: "held_untrusted",
}


def translate_errors[**P, ResultT](
    action: Callable[P, Coroutine[Any, Any, ResultT]],
) -> Callable[P, Coroutine[Any, Any, ResultT]]:
    """Turn a refusal into ServiceValidationError and a failed command into HomeAssistantError."""

    @functools.wraps(action)
    async def translated(*args: P.args, **kwargs: P.kwargs) -> ResultT:
        try:
            return await action(*args, **kwargs)
        except Refused as refused:
            raise _refusal(refused) from refused
        except GuardianPortError as err:
            raise _failure(err) from err

    return translated


def invalid(key: str, **placeholders: str) -> ServiceValidationError:
    """Return the translated error for something that the person who asked can put right."""
    return ServiceValidationError(
        translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders
    )


def _failure(err: GuardianPortError) -> HomeAssistantError:
    """Name a failed command by its code; an unknown one is an error of the API."""
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=err.code if err.code in ERROR_CODES else "api_error",
        translation_placeholders={"message": str(err)},
    )


def _refusal(refused: Refused) -> ServiceValidationError:
    """Name a refusal by its reason, or by what holds the shutdown up."""
    if refused.reason is RefusalReason.HELD and refused.hold_ups:
        return _held(refused.hold_ups)
    if refused.reason is RefusalReason.MAINTENANCE and not refused.placeholders.get("reason"):
        return invalid("maintenance_without_reason")
    return invalid(refused.reason.value, **refused.placeholders)


def _held(hold_ups: Iterable[HoldUp]) -> ServiceValidationError:
    """Name every hold-up of the most telling kind, first the one that nothing passes."""
    held: dict[HoldUpKey, list[HoldUp]] = {}
    for one in hold_ups:
        held.setdefault(one.key, []).append(one)
    key = min(held, key=tuple(TELLING_ORDER).index)
    return TELLING_ORDER[key](held[key])


def _protected(held: list[HoldUp]) -> ServiceValidationError:
    """Name the guests that must not be stopped."""
    return invalid("held_protected", guests=_guests(held))


def _worked_on(held: list[HoldUp]) -> ServiceValidationError:
    """Name the tasks on the host."""
    return invalid("held_task", tasks=", ".join(one.placeholders["task"] for one in held))


def _needed(held: list[HoldUp]) -> ServiceValidationError:
    """Name the guests that are no game servers and keep their host awake."""
    return invalid("held_guest", guests=_guests(held))


def _backup_due(held: list[HoldUp]) -> ServiceValidationError:
    """Say when the next backup begins."""
    due = min(datetime.fromisoformat(one.placeholders["at"]) for one in held)
    return invalid("held_backup_due", time=f"{dt_util.as_local(due):%H:%M}")


def _blind(held: list[HoldUp]) -> ServiceValidationError:
    """Say what cannot be seen."""
    key = BLIND.get(held[0].placeholders.get("reason", ""), "held_blind")
    return invalid(key, server=title_of(held[0].subject))


def _guests(held: list[HoldUp]) -> str:
    """Return guests as Proxmox shows them: number and name."""
    return ", ".join(
        f"{one.placeholders['vmid']} {one.placeholders.get('name', '')}".strip() for one in held
    )


def _played(players: list[HoldUp]) -> ServiceValidationError:
    """Name who plays where; a server may hide the names."""
    servers = ", ".join(title_of(one.subject) for one in players)
    names = [one.placeholders["players"] for one in players if one.placeholders["players"]]
    if not names:
        count = sum(int(one.placeholders["count"]) for one in players)
        return invalid("held_players_unnamed", count=str(count), server=servers)
    key = "held_players" if len(names) > 1 or "," in names[0] else "held_player"
    return invalid(key, players=", ".join(names), server=servers)


def title_of(subject: str) -> str:
    """Return what a game server is called, nothing for what is none."""
    for entry in async_get_hass().config_entries.async_entries(DOMAIN):
        if (subentry := entry.subentries.get(subject)) is not None:
            return subentry.title
    return ""


TELLING_ORDER: Final[Mapping[HoldUpKey, Callable[[list[HoldUp]], ServiceValidationError]]] = {
    HoldUpKey.PROTECTED: _protected,
    HoldUpKey.PLAYERS: _played,
    HoldUpKey.TASK: _worked_on,
    HoldUpKey.GUEST: _needed,
    HoldUpKey.BACKUP_DUE: _backup_due,
    HoldUpKey.CANNOT_SEE: _blind,
}
