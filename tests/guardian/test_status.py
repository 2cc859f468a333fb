"""What is stored, and what a switch shows."""

from dataclasses import replace
import json

import pytest

from custom_components.cubeguardian.guardian.journal import JournalEntry
from custom_components.cubeguardian.guardian.observation import Presence
from custom_components.cubeguardian.guardian.pace import Learned, Leg
from custom_components.cubeguardian.guardian.safety import HoldUp, HoldUpKey
from custom_components.cubeguardian.guardian.snapshot import (
    Mode,
    StoredGuardian,
    ThingView,
    is_wanted,
)
from custom_components.cubeguardian.guardian.status import (
    Alert,
    Cause,
    Origin,
    Phase,
    State,
    Status,
    Then,
)

from .world import SECOND, START

FULL = Status(
    state=State.COUNTDOWN,
    since=START,
    origin=Origin.STORED,
    cause=Cause.FORCED,
    phase=Phase.API,
    deadline=START + SECOND,
    retry_at=START + 2 * SECOND,
    resend_at=START + 3 * SECOND,
    attempts=4,
    then=Then.STOP,
    stop_at=START + 5 * SECOND,
    forced=True,
    by="Ada",
    held=(HoldUp(key=HoldUpKey.PLAYERS, subject="survival", placeholders={"count": "1"}),),
    went_down_at=START + 6 * SECOND,
    sign_distrusted=True,
    alerts=(Alert(code="auth_error", at=START),),
)


def test_everything_stored_survives_json() -> None:
    stored = StoredGuardian(
        host=FULL,
        games={"survival": Status(state=State.OFF, since=START, origin=Origin.NEW)},
        mode=Mode.MAINTENANCE,
        mode_reason="new disks",
        journal=(JournalEntry(at=START, kind="woken", target="host"),),
        learned={"host": Learned({Leg.PACKET_TO_API: (61.0, 58.5)}), "survival": Learned()},
    )
    assert StoredGuardian.from_dict(json.loads(json.dumps(stored.to_dict()))) == stored


@pytest.mark.parametrize(
    ("version", "unknown_then"),
    [
        (1, {"learned", "leases", "idle_minutes", "protected", "missed"}),
        (2, {"leases", "idle_minutes", "protected", "missed"}),
    ],
)
def test_what_older_versions_stored_is_read(version: int, unknown_then: set[str]) -> None:
    stored = StoredGuardian(host=FULL, mode=Mode.MAINTENANCE, mode_reason="new disks")
    old = {key: value for key, value in stored.to_dict().items() if key not in unknown_then}
    assert StoredGuardian.from_dict({**old, "version": version}) == stored


def test_a_look_under_way_is_not_stored() -> None:
    looking = replace(FULL, look_asked_at=START)
    assert Status.from_dict(looking.to_dict()) == FULL


def test_a_short_record_is_enough() -> None:
    stored = Status.from_dict({"state": "off", "since": START.isoformat()})
    assert stored == Status(state=State.OFF, since=START, origin=Origin.STORED)


def test_what_another_version_stored_is_not_read() -> None:
    with pytest.raises(ValueError, match="another version: 4"):
        StoredGuardian.from_dict({"version": 4})


@pytest.mark.parametrize(
    ("state", "cause", "then", "wanted"),
    [
        (State.OFF, None, Then.NOTHING, False),
        (State.WAKING, Cause.WAKE, Then.NOTHING, True),
        (State.WAKING, Cause.WAKE, Then.STOP, False),
        (State.RUNNING, None, Then.NOTHING, True),
        (State.COUNTDOWN, Cause.ASKED, Then.NOTHING, True),
        (State.STOPPING, Cause.STOP, Then.NOTHING, False),
        (State.STOPPING, Cause.STOP, Then.WAKE, True),
        (State.STOPPING, Cause.RESTART, Then.UP, True),
        (State.STOPPING, Cause.RESTART, Then.STOP, False),
        (State.FAILED, Cause.WAKE, Then.NOTHING, False),
        (State.FAILED, Cause.STOP, Then.NOTHING, True),
    ],
)
def test_a_switch_shows_what_is_wanted(
    state: State, cause: Cause | None, then: Then, wanted: bool
) -> None:
    assert is_wanted(Status(state=state, since=START, cause=cause, then=then)) is wanted


def test_only_a_countdown_announces_a_shutdown() -> None:
    def view(state: State) -> ThingView:
        return ThingView(state=state, presence=Presence.UP, since=START, deadline=START)

    assert view(State.COUNTDOWN).shutdown_at == START
    assert view(State.STOPPING).shutdown_at is None
