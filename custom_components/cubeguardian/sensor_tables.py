"""What each sensor shows."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import PERCENTAGE, EntityCategory, UnitOfTime
from homeassistant.helpers.typing import StateType

from .guardian import HoldUp, State, ThingView
from .helpers import title_of
from .observed import GameData, HostData
from .server_manager import Guest, MinecraftStatus, NodeStatus

DEGRADED: Final = "degraded"
READY_AT_STEP: Final = timedelta(seconds=10)
PROGRESS_PAUSE: Final = timedelta(seconds=5)


@dataclass(frozen=True, kw_only=True)
class ViewDescription(SensorEntityDescription):
    """Describe a sensor that shows what the guardian decided."""

    value_fn: Callable[[ThingView], StateType | datetime]
    attributes_fn: Callable[[ThingView], dict[str, Any] | None] = lambda view: None


@dataclass(frozen=True, kw_only=True)
class PaceDescription[ValueT: (int, datetime)](SensorEntityDescription):
    """Describe a sensor that moves with the clock.

    `is_news_fn` says whether a value is worth writing, given the one that is shown and for how
    long it has been; appearing and disappearing always are.
    """

    value_fn: Callable[[ThingView, datetime], ValueT | None]
    is_news_fn: Callable[[ValueT, ValueT, timedelta], bool]


@dataclass(frozen=True, kw_only=True)
class ReadingDescription[DataT](SensorEntityDescription):
    """Describe a sensor that shows what a coordinator read; None means that nobody knows."""

    value_fn: Callable[[DataT], StateType | datetime]
    attributes_fn: Callable[[DataT], dict[str, Any]] = lambda data: {}


def told(hold_ups: tuple[HoldUp, ...]) -> list[dict[str, str]]:
    """List hold-ups as attributes can hold them."""
    return [
        {
            "reason": one.key.value,
            "subject": title_of(one.subject) or one.subject,
            **one.placeholders,
        }
        for one in hold_ups
    ]


def _explanation(view: ThingView) -> dict[str, Any]:
    """Say why the state is what it is."""
    return {
        "cause": view.cause.value if view.cause else None,
        "phase": view.phase.value if view.phase else None,
        "by": view.by,
        "held": told(view.held),
    }


def _game_state(view: ThingView) -> str:
    """Tell a game server that has fallen silent from one that runs."""
    return DEGRADED if view.degraded and view.state is State.RUNNING else view.state.value


def _has_moved(shown: datetime, ready_at: datetime, age: timedelta) -> bool:
    return abs(ready_at - shown) >= READY_AT_STEP


def _has_grown(shown: int, progress: int, age: timedelta) -> bool:
    """Hold growth back for a while; less than before is the start of something else.

    A negative age means that the clock was set back.
    """
    due = not timedelta(0) <= age < PROGRESS_PAUSE
    return progress < shown or (progress > shown and due)


def _node(value: Callable[[NodeStatus], StateType | datetime]) -> _Reader[HostData]:
    """Read a value of the node's status, where one was read."""
    return lambda data: value(data.reading.status) if data.reading else None


def _status(value: Callable[[MinecraftStatus], StateType]) -> _Reader[GameData]:
    """Read a value of the game server's status, where it answered."""
    return lambda data: value(data.status) if data.status else None


def _memory(node: NodeStatus) -> float | None:
    """Return how much of the memory is in use, in percent."""
    return 100 * node.memory_used / node.memory_total if node.memory_total else None


def _running(data: HostData) -> list[Guest] | None:
    """Return the guests that run, where they were read."""
    if data.reading is None:
        return None
    return [guest for guest in data.reading.guests if guest.running and not guest.template]


def _running_count(data: HostData) -> int | None:
    running = _running(data)
    return None if running is None else len(running)


def _running_names(data: HostData) -> dict[str, Any]:
    return {"guests": [guest.name for guest in _running(data) or ()]}


def _players(data: GameData) -> dict[str, Any]:
    return {"players": list(data.status.players) if data.status else []}


type _Reader[DataT] = Callable[[DataT], StateType | datetime]

HOST_VIEW_SENSORS: Final = (
    ViewDescription(
        key="state",
        translation_key="state",
        device_class=SensorDeviceClass.ENUM,
        options=[state.value for state in State],
        value_fn=lambda view: view.state.value,
        attributes_fn=_explanation,
    ),
    ViewDescription(
        key="shutdown_at",
        translation_key="shutdown_at",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda view: view.shutdown_at,
    ),
)
GAME_VIEW_SENSORS: Final = (
    ViewDescription(
        key="state",
        translation_key="server_state",
        device_class=SensorDeviceClass.ENUM,
        options=[*(state.value for state in State), DEGRADED],
        value_fn=_game_state,
        attributes_fn=_explanation,
    ),
)
PACE_SENSORS: Final = (
    PaceDescription[datetime](
        key="ready_at",
        translation_key="ready_at",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda view, now: view.ready_at(now),
        is_news_fn=_has_moved,
    ),
    PaceDescription[int](
        key="progress",
        translation_key="progress",
        native_unit_of_measurement=PERCENTAGE,
        value_fn=lambda view, now: view.progress(now),
        is_news_fn=_has_grown,
    ),
)
HOST_SENSORS: Final = (
    ReadingDescription[HostData](
        key="latency",
        translation_key="latency",
        device_class=SensorDeviceClass.DURATION,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfTime.MILLISECONDS,
        suggested_display_precision=1,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda data: data.latency_ms,
    ),
)
API_SENSORS: Final = (
    ReadingDescription[HostData](
        key="cpu",
        translation_key="cpu",
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=PERCENTAGE,
        suggested_display_precision=0,
        value_fn=_node(lambda node: round(node.cpu_percent, 1)),
    ),
    ReadingDescription[HostData](
        key="memory",
        translation_key="memory",
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=PERCENTAGE,
        suggested_display_precision=0,
        value_fn=_node(_memory),
    ),
    ReadingDescription[HostData](
        key="booted_at",
        translation_key="booted_at",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=_node(lambda node: node.booted_at),
    ),
    ReadingDescription[HostData](
        key="running_guests",
        translation_key="running_guests",
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=_running_count,
        attributes_fn=_running_names,
    ),
)
GAME_SENSORS: Final = (
    ReadingDescription[GameData](
        key="players_online",
        translation_key="players_online",
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=_status(lambda status: status.players_online),
        attributes_fn=_players,
    ),
    ReadingDescription[GameData](
        key="players_max",
        translation_key="players_max",
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=_status(lambda status: status.players_max),
    ),
    ReadingDescription[GameData](
        key="latency",
        translation_key="latency",
        device_class=SensorDeviceClass.DURATION,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfTime.MILLISECONDS,
        suggested_display_precision=0,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=_status(lambda status: status.latency_ms),
    ),
    ReadingDescription[GameData](
        key="version",
        translation_key="version",
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=_status(lambda status: status.version),
    ),
    ReadingDescription[GameData](
        key="motd",
        translation_key="motd",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=_status(lambda status: status.motd),
    ),
)
