"""What speaks against a shutdown."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from custom_components.cubeguardian.guardian.observation import (
    ApiState,
    BackupDue,
    GameSighting,
    GuestSighting,
    HostSighting,
    RunningTask,
)
from custom_components.cubeguardian.guardian.policy import GuestRole
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
GAME = {101: GuestRole.GAME}
MINUTE = timedelta(minutes=1)


def told(
    host: HostSighting,
    *,
    can_see: bool = True,
    vmid: int | None = None,
    roles: Mapping[int, GuestRole] = GAME,
) -> list[HoldUp]:
    return list(hold_ups(host, {}, can_see=can_see, vmid=vmid, roles=roles))


def with_guest(*, running: bool, vmid: int = 200) -> HostSighting:
    """Return a quiet host with one more guest."""
    other = GuestSighting(vmid=vmid, running=running, name="nextcloud")
    return replace(CLEAR, guests=(*(CLEAR.guests or ()), other))


def of_game(
    host: HostSighting, *, answered: bool = False, vmid: int | None = 101, **seen: object
) -> list[HoldUp]:
    sighting = GameSighting(seen_at=START, **seen)  # type: ignore[arg-type]
    games = {"survival": LookedGame(sighting=sighting, vmid=vmid, answered=answered)}
    return list(hold_ups(host, games, can_see=True, roles=GAME))


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


@pytest.mark.parametrize(
    ("due_in", "held_up"),
    [
        (-3 * MINUTE, False),
        (-1 * MINUTE, True),
        (0 * MINUTE, True),
        (30 * MINUTE, True),
        (31 * MINUTE, False),
    ],
)
def test_a_backup_that_is_due_soon_is_waited_for(due_in: timedelta, held_up: bool) -> None:
    due = BackupDue(at=START + due_in, job="backup-nightly")
    held = told(replace(CLEAR, backups_due=(due,)))
    assert [one.key for one in held] == [HoldUpKey.BACKUP_DUE] * held_up
    for one in held:
        assert one.placeholders == {"at": due.at.isoformat(), "job": "backup-nightly"}


def test_backup_jobs_that_cannot_be_read_hold_nothing_up() -> None:
    assert told(replace(CLEAR, backups_due=None)) == []


@pytest.mark.parametrize(
    ("role", "held_up"),
    [
        (None, True),
        (GuestRole.KEEPS_AWAKE, True),
        (GuestRole.SLEEPS_WITH_HOST, False),
        (GuestRole.GAME, False),
    ],
)
def test_a_running_guest_keeps_its_host_awake_unless_its_role_says_otherwise(
    role: GuestRole | None, held_up: bool
) -> None:
    roles = GAME | ({200: role} if role else {})
    held = told(with_guest(running=True), roles=roles)
    assert [one.key for one in held] == [HoldUpKey.GUEST] * held_up
    for one in held:
        assert (one.subject, one.placeholders) == ("host", {"vmid": "200", "name": "nextcloud"})
    assert told(with_guest(running=False), roles=roles) == []


PROTECTS = GAME | {200: GuestRole.PROTECTED}


def test_a_protected_guest_is_named_while_it_runs() -> None:
    (held,) = told(with_guest(running=True), roles=PROTECTS)
    assert (held.key, held.subject) == (HoldUpKey.PROTECTED, "host")
    assert held.placeholders == {"vmid": "200", "name": "nextcloud"}
    assert told(with_guest(running=False), roles=PROTECTS) == []


@pytest.mark.parametrize(
    ("host", "can_see"),
    [
        (CLEAR, True),
        (replace(CLEAR, guests=None), True),
        (replace(CLEAR, tasks=None, guests=None), False),
        (replace(with_guest(running=False), port=False), True),
        (HostSighting(seen_at=START), True),
    ],
)
def test_a_protected_guest_that_nobody_sees_may_be_running(
    host: HostSighting, can_see: bool
) -> None:
    held = told(host, can_see=can_see, roles=PROTECTS)
    assert HoldUpKey.PROTECTED in {one.key for one in held}
    assert HoldUpKey.PROTECTED not in {one.key for one in told(host, can_see=can_see)}


def test_where_one_guest_is_to_stop_only_its_own_protection_counts() -> None:
    busy = replace(
        with_guest(running=True),
        backups_due=(BackupDue(at=START, job="nightly"),),
        sees_all_guests=False,
    )
    assert told(busy, vmid=101, roles=PROTECTS) == []
    assert told(busy, vmid=101) == []
    assert [one.key for one in told(busy, vmid=200, roles=PROTECTS)] == [HoldUpKey.PROTECTED]


def test_guests_that_the_token_must_not_see_may_keep_the_host_awake() -> None:
    (held,) = told(replace(CLEAR, sees_all_guests=False))
    assert (held.key, held.placeholders) == (HoldUpKey.CANNOT_SEE, {"reason": "forbidden"})


def test_every_reason_is_told_in_a_fixed_order() -> None:
    host = replace(
        with_guest(running=True),
        tasks=(VZDUMP,),
        backups_due=(BackupDue(at=START, job="nightly"),),
        guests=tuple(
            GuestSighting(vmid=vmid, running=True, name=str(vmid)) for vmid in (300, 101, 200)
        ),
        sees_all_guests=False,
    )
    assert [one.key for one in told(host, roles=PROTECTS)] == [
        HoldUpKey.PROTECTED,
        HoldUpKey.TASK,
        HoldUpKey.BACKUP_DUE,
        HoldUpKey.GUEST,
        HoldUpKey.CANNOT_SEE,
    ]


def test_a_hold_up_survives_json() -> None:
    (held,) = told(replace(CLEAR, tasks=(VZDUMP,)))
    assert HoldUp.from_dict(held.to_dict()) == held
