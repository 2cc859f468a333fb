"""What Discord is shown of what the guardian decides."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from custom_components.cubeguardian.discord_bridge.view import (
    GROUP_OF,
    Group,
    Happening,
    HoldUpView,
    Mode,
    State,
    WantedBy,
)
from custom_components.cubeguardian.discord_view import (
    SOURCES,
    Named,
    board_view,
    event_view,
    mode_view,
    notice,
    players_view,
    thing_view,
)
from custom_components.cubeguardian.guardian import (
    HOST,
    Cause,
    Event,
    EventKind,
    HoldUp,
    HoldUpKey,
    JournalEntry,
    Lease,
    Mode as Decided,
    Phase,
    Presence,
    RefusalReason,
    Severity,
    Snapshot,
    Source,
    State as Stage,
    ThingView,
    Watch,
)
from custom_components.cubeguardian.observed import GameData

from .machines import STATUS

NOW = datetime(2026, 11, 22, 18, tzinfo=UTC)
GAME = "01SURVIVAL"
NAMED = Named(names={HOST: "Attic", GAME: "Survival"}, addresses={GAME: "play.example.org"})


def thing(state: Stage = Stage.RUNNING, **changes: Any) -> ThingView:
    """Return what the guardian shows of a thing that is up."""
    known: dict[str, Any] = {"presence": Presence.UP, "since": NOW}
    return ThingView(state=state, **known | changes)


def snapshot(host: ThingView | None = None, **changes: Any) -> Snapshot:
    """Return what the guardian shows of a host with one game server."""
    known: dict[str, Any] = {
        "games": {GAME: thing()},
        "mode": Decided.AUTOMATIC,
        "mode_reason": "",
        "watch": Watch.STEADY,
        "journal": (),
    }
    return Snapshot(host=host or thing(), **known | changes)


def lease(source: Source, name: str = "", target: str = HOST, **changes: Any) -> Lease:
    return Lease(source=source, target=target, name=name, since=NOW, **changes)


def test_discord_has_a_word_for_everything_that_can_happen() -> None:
    told = {kind.value for kind in Happening}
    assert {kind.value for kind in EventKind} == told - {"mode_changed", "joined", "left"}
    assert set(GROUP_OF) == set(Happening)
    assert set(GROUP_OF.values()) == set(Group)
    assert {one.value for one in Decided} == {one.value for one in Mode}
    assert {one.value for one in Stage} | {"degraded"} == {one.value for one in State}


def test_a_game_server_is_shown_with_its_players_and_what_players_type() -> None:
    status = replace(STATUS, players=("Zoe", "Alex"), players_online=2)
    shown = thing_view(NAMED, GAME, thing(), GameData(status=status), NOW)
    assert (shown.name, shown.is_game, shown.state) == ("Survival", True, State.RUNNING)
    assert (shown.players_online, shown.players_max) == (2, 20)
    assert shown.players == ("Alex", "Zoe")
    assert (shown.address, shown.version, shown.motd) == ("play.example.org", "1.21.11", "")


def test_of_a_part_of_the_players_none_is_named() -> None:
    status = replace(STATUS, players=("Zoe",), players_online=14)
    shown = thing_view(NAMED, GAME, thing(), GameData(status=status), NOW)
    assert (shown.players_online, shown.players) == (14, ())


def test_a_silent_game_server_is_shown_as_such() -> None:
    shown = thing_view(NAMED, GAME, thing(degraded=True), GameData(), NOW)
    assert (shown.state, shown.players_online) == (State.DEGRADED, None)


def test_a_countdown_shows_its_end_or_what_holds_it() -> None:
    counting = thing(Stage.COUNTDOWN, cause=Cause.ASKED, by="Robin", deadline=NOW)
    shown = thing_view(NAMED, HOST, counting, None, NOW)
    assert (shown.shutdown_at, shown.cause, shown.by) == (NOW, "asked", "Robin")

    held = (
        HoldUp(key=HoldUpKey.PLAYERS, subject=GAME, placeholders={"count": "1"}),
        HoldUp(key=HoldUpKey.TASK, placeholders={"task": "vzdump"}),
    )
    shown = thing_view(NAMED, HOST, replace(counting, deadline=None, held=held), None, NOW)
    assert shown.shutdown_at is None
    assert shown.held == (
        HoldUpView(key="players", subject="Survival", details={"count": "1"}),
        HoldUpView(key="task", details={"task": "vzdump"}),
    )


def test_a_retry_is_only_shown_of_what_has_failed() -> None:
    for stage, shown in ((Stage.FAILED, NOW), (Stage.COUNTDOWN, None)):
        assert thing_view(NAMED, HOST, thing(stage, retry_at=NOW), None, NOW).retry_at == shown


class Creeping:
    """An estimate that moves with every look."""

    def ready_at(self, now: datetime) -> datetime:
        return NOW + timedelta(seconds=91) + (now - NOW) / 10

    def progress(self, now: datetime) -> float:
        return 41.0 + (now - NOW).total_seconds() / 10


def test_what_creeps_is_shown_in_steps() -> None:
    waking: Any = thing(Stage.WAKING, estimate=Creeping(), phase=Phase.PING)
    seen = [
        thing_view(NAMED, HOST, waking, None, NOW + timedelta(seconds=s)) for s in range(0, 31, 5)
    ]
    assert set(seen) == {seen[0]}
    assert (seen[0].progress, seen[0].phase) == (40, "ping")
    assert seen[0].ready_at == NOW + timedelta(seconds=90)


def test_the_board_names_people_and_game_servers_but_no_entity() -> None:
    until = NOW + timedelta(minutes=30)
    leases = (
        lease(Source.SWITCH, "Robin", until=until),
        lease(Source.ENTITY, "Grandma"),
        lease(Source.ENTITY, "Robin's phone"),
        lease(Source.PLAYERS, "Alex, Zoe", target=GAME),
        lease(Source.VOICE, "Alex"),
        lease(Source.KEEP_AWAKE, "Robin", declined=True),
    )
    board = board_view(NAMED, snapshot(leases=leases), {GAME: GameData()}, NOW)
    assert board.wanted_by == (
        WantedBy(source="switch", name="Robin", until=until),
        WantedBy(source="entity"),
        WantedBy(source="players", name="Survival"),
        WantedBy(source="voice"),
    )


def test_what_nobody_has_confirmed_is_shown_as_that() -> None:
    until = NOW + timedelta(minutes=30)
    leases = (lease(Source.PLAYERS, target=GAME, unknown=True, until=until),)
    board = board_view(NAMED, snapshot(leases=leases), {GAME: GameData()}, NOW)
    assert board.wanted_by == (
        WantedBy(source="players", name="Survival", until=until, doubtful=True),
    )


@pytest.mark.parametrize(
    ("host", "game", "shown"),
    [
        (Stage.STOPPING, thing(degraded=True, by="Kim"), (State.STOPPING, "Robin")),
        (Stage.STOPPING, thing(by="Kim"), (State.RUNNING, "Kim")),
        (Stage.RUNNING, thing(degraded=True, by="Kim"), (State.DEGRADED, "Kim")),
    ],
)
def test_a_game_server_that_falls_silent_as_its_host_goes_down_goes_down(
    host: Stage, game: ThingView, shown: tuple[State, str]
) -> None:
    now = snapshot(thing(host, by="Robin"), games={GAME: game})
    (seen,) = board_view(NAMED, now, {GAME: GameData()}, NOW).games
    assert (seen.state, seen.by) == shown


def test_the_board_shows_mode_and_what_forbids_waking() -> None:
    shown = snapshot(
        mode=Decided.MAINTENANCE, mode_reason="New disk", vetoes={"a": "Night", "b": "Night"}
    )
    board = board_view(NAMED, shown, {GAME: GameData()}, NOW)
    assert (board.mode, board.mode_reason) == (Mode.MAINTENANCE, "New disk")
    assert board.vetoes == ("Night",)
    assert [game.name for game in board.games] == ["Survival"]


def test_a_failed_wake_is_an_alert_with_what_it_came_to() -> None:
    retry_at = NOW + timedelta(minutes=2)
    event = Event(
        kind=EventKind.WAKE_FAILED,
        severity=Severity.ALERT,
        placeholders={"phase": "ping", "code": "timeout_error", "seconds": "600"},
        at=NOW,
    )
    view = event_view(NAMED, snapshot(thing(Stage.FAILED, retry_at=retry_at)), event, NOW)
    assert (view.kind, view.group, view.is_alert) == (Happening.WAKE_FAILED, Group.PROBLEMS, True)
    assert (view.name, view.is_game, view.at) == ("Attic", False, NOW)
    assert (view.phase, view.code, view.seconds) == ("ping", "timeout_error", 600)
    assert view.retry_at == retry_at


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (RefusalReason.MAINTENANCE, "New disk"),
        (RefusalReason.FORBIDDEN, "Exams, Night"),
        (RefusalReason.NOT_RUNNING, ""),
    ],
)
def test_a_refusal_says_what_was_given_as_its_reason(reason: RefusalReason, told: str) -> None:
    event = Event(
        kind=EventKind.REFUSED,
        placeholders={"command": "wake", "reason": reason.value},
        reason=reason,
        by="Alex",
        target=GAME,
    )
    shown = snapshot(mode_reason="New disk", vetoes={"a": "Night", "b": "Exams"})
    view = event_view(NAMED, shown, event, NOW)
    assert (view.reason, view.command, view.told) == (reason.value, "wake", told)
    assert (view.by, view.is_game, view.address) == ("Alex", True, "play.example.org")


@pytest.mark.parametrize("kind", [EventKind.COUNTDOWN_STARTED, EventKind.WOKEN])
def test_only_the_beginning_of_a_countdown_says_when_it_ends(kind: EventKind) -> None:
    counting = snapshot(thing(Stage.COUNTDOWN, deadline=NOW))
    view = event_view(NAMED, counting, Event(kind=kind, at=NOW), NOW)
    assert (view.shutdown_at is not None) == (kind is EventKind.COUNTDOWN_STARTED)


@pytest.mark.parametrize(("source", "who"), [("players", "players"), ("Grandma", "entity")])
def test_a_demand_that_is_lost_is_not_told_by_the_name_of_an_entity(source: str, who: str) -> None:
    event = Event(kind=EventKind.DEMAND_UNKNOWN, placeholders={"source": source}, at=NOW)
    assert event_view(NAMED, snapshot(), event, NOW).who == who
    assert who in SOURCES


def test_a_change_of_mode_says_by_whom_and_why() -> None:
    journal = tuple(
        JournalEntry(at=NOW, kind=kind, target=HOST, by=by)
        for kind, by in (("mode_changed", "Alex"), ("mode_changed", "Robin"), ("woken", "Zoe"))
    )
    shown = snapshot(mode=Decided.MANUAL, mode_reason="Guests", journal=journal)
    view = mode_view(NAMED, shown, NOW)
    assert (view.mode, view.by, view.told) == (Mode.MANUAL, "Robin", "Guests")
    assert mode_view(NAMED, snapshot(), NOW).by == ""


def test_players_are_told_in_the_order_of_their_names() -> None:
    view = players_view(NAMED, GAME, Happening.JOINED, {"Zoe", "Alex"}, NOW)
    assert (view.names, view.name, view.group) == (("Alex", "Zoe"), "Survival", Group.PLAYERS)


@pytest.mark.parametrize(
    ("message", "title", "content"),
    [
        ("Hello", None, "Hello"),
        ("Hello", "News", "**News**\nHello"),
        ("a\n\nb", " ", "a\n\nb"),
        ("# big\n> quote\n-# small", None, "\\# big\n\\> quote\n\\-\\# small"),
        ("`code` ||spoiler||", None, "ˋcodeˋ \\|\\|spoiler\\|\\|"),
        ("<t:1:R> <:smile:123>", None, "\\<t\\:1\\:R\\> \\<\\:smile\\:123\\>"),
        ("\\*not\\*", None, "\\\\\\*not\\\\\\*"),
        ("1 + 1 = 2 @here", None, "1 \\+ 1 \\= 2 ＠here"),
        ("\u202e \u200b", None, ""),
    ],
)
def test_a_notice_is_text_and_nothing_else(message: str, title: str | None, content: str) -> None:
    assert notice(message, title).content == content


def test_a_notice_fits_into_a_message() -> None:
    assert len(notice("*" * 5000).content) <= 2000
