"""The actions, under the names of the seed and with its results."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from homeassistant.const import ATTR_DEVICE_ID, CONF_ADDRESS, CONF_HOST
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import VolDictType
import voluptuous as vol

from .callers import async_caller
from .const import CONF_EDITION, CONF_MAC, DOMAIN, MODES
from .diagnose import async_diagnose
from .guardian import HOST, Caller, Mode, Source
from .helpers import translate_errors
from .reports import DEFAULT_DAYS, report_of
from .server_manager import Edition, OperationResult, ServerManager, report, succeeded
from .targets import Target, async_game, async_host, async_host_or_game

ATTR_DAYS: Final = "days"
ATTR_DELAY_MINUTES: Final = "delay_minutes"
ATTR_FORCE: Final = "force"
ATTR_MINUTES: Final = "minutes"
ATTR_MODE: Final = "mode"
ATTR_REASON: Final = "reason"

CHECK_TIMEOUT: Final = 10.0
GAME_CHECK_TIMEOUT: Final = 5.0
LONGEST_DELAY: Final = 1440
MOST_DAYS: Final = 90

type Handler = Callable[[ServiceCall], Coroutine[Any, Any, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action: its name, what answers it, and the fields beside the device."""

    name: str
    handler: Handler
    fields: VolDictType
    response: SupportsResponse = SupportsResponse.OPTIONAL


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register every action."""
    for action in ACTIONS:
        hass.services.async_register(
            DOMAIN,
            action.name,
            _answering(action.handler),
            schema=vol.Schema({vol.Optional(ATTR_DEVICE_ID): cv.string, **action.fields}),
            supports_response=action.response,
        )


def _answering(
    handler: Handler,
) -> Callable[[ServiceCall], Coroutine[Any, Any, ServiceResponse]]:
    """Let Home Assistant have the handler's answer, and its errors translated."""

    @translate_errors
    async def answer(call: ServiceCall) -> ServiceResponse:
        return dict(await handler(call))

    return answer


async def _wake_server(call: ServiceCall) -> OperationResult:
    """Wake the host, or the game server together with its host."""
    target = async_host_or_game(call)
    if target.thing != HOST:
        return await _start(target, await _by(call))
    await target.guardian.wake(HOST, await _by(call), Source.ACTION)
    return succeeded(
        f"Wake-up of {target.name} is under way",
        operation="wake_on_lan",
        mac_address=target.entry.data[CONF_MAC],
        target_host=target.entry.data[CONF_HOST],
        state=target.view.state.value,
    )


async def _shutdown_server(call: ServiceCall) -> OperationResult:
    """Shut the host or the game server down, now or after an announced delay."""
    target = async_host_or_game(call)
    return await _shut_down(target, call, minutes=call.data[ATTR_DELAY_MINUTES])


async def _cancel_shutdown(call: ServiceCall) -> OperationResult:
    """Stop a countdown."""
    target = async_host_or_game(call)
    await target.guardian.cancel_shutdown(target.thing, await _by(call))
    return _done(target, "cancel_shutdown", f"The shutdown of {target.name} is cancelled")


async def _keep_awake(call: ServiceCall) -> OperationResult:
    """Keep a host up, for some minutes or until its switch is turned off."""
    target = async_host(call)
    minutes = call.data[ATTR_MINUTES]
    duration = timedelta(minutes=minutes) if minutes else None
    target.guardian.keep_awake(True, await _by(call), duration)
    how_long = f"for {minutes} min" if minutes else "until somebody ends it"
    return _done(target, "keep_awake", f"{target.name} is kept awake {how_long}", minutes=minutes)


async def _set_mode(call: ServiceCall) -> OperationResult:
    """Change the mode of a host."""
    target = async_host(call)
    mode = Mode(call.data[ATTR_MODE])
    target.guardian.set_mode(mode, call.data[ATTR_REASON], await _by(call))
    return _done(target, "set_mode", f"{target.name} is in {mode.value} mode", mode=mode.value)


async def _start_minecraft(call: ServiceCall) -> OperationResult:
    """Start a game server, waking its host first."""
    return await _start(async_game(call), await _by(call))


async def _stop_minecraft(call: ServiceCall) -> OperationResult:
    """Shut the guest of a game server down; its host stays up."""
    return await _shut_down(async_game(call), call)


async def _restart_minecraft(call: ServiceCall) -> OperationResult:
    """Restart the guest of a game server."""
    target = async_game(call)
    await target.guardian.restart(target.thing, await _by(call))
    return _done(target, "restart", f"{target.name} is restarting")


async def _check_proxmox_status(call: ServiceCall) -> OperationResult:
    """Say whether the host can be reached and its API lets us in."""
    target = async_host(call)
    manager = target.runtime.manager
    result = await manager.check_proxmox_status()
    if not result["success"] or manager.proxmox is None:
        return result
    details = dict(result["details"])
    return await report(details.pop("operation"), _read(manager), result["message"], **details)


async def _check_minecraft_status(call: ServiceCall) -> OperationResult:
    """Say whether a game server answers, and what it says."""
    target = async_game(call)
    return await report(
        "minecraft_check",
        _ask(target),
        "Minecraft server is reachable",
        target_host=target.game_data[CONF_ADDRESS],
    )


async def _get_journal(call: ServiceCall) -> Mapping[str, Any]:
    """Return what was done on a host, or on one of its game servers, oldest first."""
    target = async_host_or_game(call)
    journal = target.guardian.snapshot.journal
    return {
        "entries": [entry.to_dict() for entry in journal if target.thing in (HOST, entry.target)]
    }


async def _report(call: ServiceCall) -> OperationResult:
    """Add up the last days of a host."""
    target = async_host(call)
    made = report_of(target.entry, call.data[ATTR_DAYS])
    return succeeded(
        made.summary(target.name),
        operation="report",
        target_host=target.entry.data[CONF_HOST],
        **made.to_dict(),
    )


async def _diagnose(call: ServiceCall) -> OperationResult:
    """Run every check on a host and its game servers."""
    return await async_diagnose(call.hass, async_host(call))


async def _by(call: ServiceCall) -> Caller:
    """Return who called."""
    return await async_caller(call.hass, call.context)


async def _start(target: Target, caller: Caller) -> OperationResult:
    """Start one game server."""
    await target.guardian.wake(target.thing, caller, Source.ACTION)
    return _done(target, "start", f"The start of {target.name} is under way")


async def _shut_down(target: Target, call: ServiceCall, *, minutes: int = 0) -> OperationResult:
    """Shut one host or game server down."""
    await target.guardian.shut_down(
        target.thing, await _by(call), timedelta(minutes=minutes), force=call.data[ATTR_FORCE]
    )
    message = (
        f"{target.name} will shut down in {minutes} min"
        if minutes
        else f"The shutdown of {target.name} is under way"
    )
    return _done(target, "shutdown", message, delay_minutes=minutes)


def _done(target: Target, operation: str, message: str, **details: Any) -> OperationResult:
    """Return the result of a command that was given."""
    aimed_at = (
        target.entry.data[CONF_HOST] if target.thing == HOST else target.game_data[CONF_ADDRESS]
    )
    return succeeded(
        message,
        operation=operation,
        target_host=aimed_at,
        state=target.view.state.value,
        **details,
    )


async def _read(manager: ServerManager) -> Mapping[str, Any]:
    """Read the API once, so that a refused token shows in the answer."""
    reading = await manager.read_node(CHECK_TIMEOUT)
    return {
        "version": reading.status.version,
        "running_guests": sum(guest.running for guest in reading.guests),
    }


async def _ask(target: Target) -> Mapping[str, Any]:
    """Ask a game server for its status."""
    data = target.game_data
    status = await target.runtime.manager.minecraft_status(
        data[CONF_ADDRESS], Edition(data[CONF_EDITION]), GAME_CHECK_TIMEOUT
    )
    return {
        "players_online": status.players_online,
        "players_max": status.players_max,
        "players": list(status.players),
        "version": status.version,
        "motd": status.motd,
        "latency_ms": status.latency_ms,
    }


_FORCE: Final[VolDictType] = {vol.Optional(ATTR_FORCE, default=False): cv.boolean}

ACTIONS: Final = (
    Action(name="wake_server", handler=_wake_server, fields={}),
    Action(
        name="shutdown_server",
        handler=_shutdown_server,
        fields={
            vol.Optional(ATTR_DELAY_MINUTES, default=0): vol.All(
                vol.Coerce(int), vol.Range(min=0, max=LONGEST_DELAY)
            ),
            **_FORCE,
        },
    ),
    Action(name="cancel_shutdown", handler=_cancel_shutdown, fields={}),
    Action(
        name="keep_awake",
        handler=_keep_awake,
        fields={
            vol.Optional(ATTR_MINUTES, default=0): vol.All(
                vol.Coerce(int), vol.Range(min=0, max=LONGEST_DELAY)
            )
        },
    ),
    Action(
        name="set_mode",
        handler=_set_mode,
        fields={
            vol.Required(ATTR_MODE): vol.In(MODES),
            vol.Optional(ATTR_REASON, default=""): cv.string,
        },
    ),
    Action(name="start_minecraft", handler=_start_minecraft, fields={}),
    Action(name="stop_minecraft", handler=_stop_minecraft, fields=_FORCE),
    Action(name="restart_minecraft", handler=_restart_minecraft, fields={}),
    Action(
        name="check_proxmox_status",
        handler=_check_proxmox_status,
        fields={},
        response=SupportsResponse.ONLY,
    ),
    Action(
        name="check_minecraft_status",
        handler=_check_minecraft_status,
        fields={},
        response=SupportsResponse.ONLY,
    ),
    Action(name="diagnose", handler=_diagnose, fields={}, response=SupportsResponse.ONLY),
    Action(name="get_journal", handler=_get_journal, fields={}, response=SupportsResponse.ONLY),
    Action(
        name="report",
        handler=_report,
        fields={
            vol.Optional(ATTR_DAYS, default=DEFAULT_DAYS): vol.All(
                vol.Coerce(int), vol.Range(min=1, max=MOST_DAYS)
            )
        },
        response=SupportsResponse.ONLY,
    ),
)
