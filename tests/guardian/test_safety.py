"""What speaks against a shutdown."""

from dataclasses import replace

import pytest

from custom_components.cubeguardian.guardian.observation import (
    ApiState,
    GameSighting,
    GuestSighting,
    HostSighting,
    RunningTask,
)
from custom_components.cubeguardian.guardian.safety import HoldUp, HoldUpKey, LookedGame, hold_ups

from .world import START

CLEAR = HostSighting(
    seen_at=START,
    port=True,
    api=ApiState.OK,
    tasks=(),
    guests=(GuestSighting(vmid=101, running=True),),
)
STOPPED = replace(CLEAR, guests=(GuestSighting(vmid=101, running=False),))
VZDUMP = RunningTask(kind="vzdump", target="101")


def told(host: HostSighting, *, can_see: bool = True, vmid: int | None = None) -> list[HoldUp]:
    return list(hold_ups(host, {}, can_see=can_see, vmid=vmid))


def of_game(
    host: HostSighting, *, answered: bool = False, vmid: int | None = 101, **seen: object
) -> list[HoldUp]:
    sighting = GameSighting(seen_at=START, **seen)  # type: ignore[arg-type]
    games = {"survival": LookedGame(sighting=sighting, vmid=vmid, answered=answered)}
    return list(hold_ups(host, games, can_see=True))


def test_nothing_speaks_against_a_quiet_host() -> None:
    assert told(CLEAR) == []


def test_a_task_that_is_not_ours_is_named() -> None:
    (held,) = told(replace(CLEAR, tasks=(VZDUMP,)))
    assert (held.key, held.subject) == (HoldUpKey.TASK, "host")
    assert held.placeholders == {"task": "vzdump", "target": "101"}


def test_for_one_guest_only_its_own_tasks_count() -> None:
    busy = replace(CLEAR, tasks=(VZDUMP,))
    assert told(busy, vmid=102) == []
    assert len(told(busy, vmid=101)) == 1


def test_a_backup_of_several_guests_may_be_one_of_any_guest() -> None:
    backup = replace(CLEAR, tasks=(RunningTask(kind="vzdump"),))
    assert [held.key for held in told(backup, vmid=101)] == [HoldUpKey.TASK]
    assert told(replace(CLEAR, tasks=(RunningTask(kind="aptupdate"),)), vmid=101) == []


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        (HostSighting(seen_at=START), "silent"),
        (replace(CLEAR, tasks=None), "incomplete"),
        (replace(CLEAR, guests=None), "incomplete"),
        (replace(CLEAR, tasks=None, api=ApiState.FORBIDDEN), "forbidden"),
    ],
)
def test_what_cannot_be_read_holds_up(host: HostSighting, reason: str) -> None:
    (held,) = told(host)
    assert (held.key, held.placeholders) == (HoldUpKey.CANNOT_SEE, {"reason": reason})


def test_without_a_token_nobody_expects_to_read_tasks() -> None:
    assert told(replace(CLEAR, tasks=None, guests=None), can_see=False) == []


def test_players_are_named() -> None:
    (held,) = of_game(CLEAR, answers=True, players_online=2, players=("Alex", "Steve"))
    assert (held.key, held.subject) == (HoldUpKey.PLAYERS, "survival")
    assert held.placeholders == {"count": "2", "players": "Alex, Steve"}


def test_an_empty_server_holds_nothing_up() -> None:
    assert of_game(CLEAR, answers=True, players_online=0) == []


def test_an_unknown_number_of_players_is_not_none() -> None:
    (held,) = of_game(CLEAR, answers=True)
    assert held.key is HoldUpKey.CANNOT_SEE


@pytest.mark.parametrize("answers", [False, None])
@pytest.mark.parametrize(
    ("host", "vmid", "port_open", "answered", "held_up"),
    [
        (CLEAR, 101, False, True, False),
        (CLEAR, 101, True, False, True),
        (CLEAR, 101, None, False, True),
        (STOPPED, 101, None, True, False),
        (STOPPED, 101, True, True, False),
        (CLEAR, 102, True, False, True),
        (CLEAR, 102, None, False, False),
        (CLEAR, 102, None, True, True),
        (CLEAR, None, None, False, False),
        (CLEAR, None, None, True, True),
        (CLEAR, None, True, False, True),
    ],
)
def test_a_silent_server_may_be_full_unless_something_explains_it(
    host: HostSighting,
    vmid: int | None,
    port_open: bool | None,
    answered: bool,
    held_up: bool,
    answers: bool | None,
) -> None:
    held = of_game(host, vmid=vmid, answered=answered, answers=answers, port_open=port_open)
    assert bool(held) is held_up


def test_a_hold_up_survives_json() -> None:
    (held,) = told(replace(CLEAR, tasks=(VZDUMP,)))
    assert HoldUp.from_dict(held.to_dict()) == held
