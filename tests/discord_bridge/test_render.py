"""What is shown on Discord."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
import random
import re

import pytest

from custom_components.cubeguardian.discord_bridge.access import Denial
from custom_components.cubeguardian.discord_bridge.message import Embed, Message
from custom_components.cubeguardian.discord_bridge.render import (
    denial_text,
    dropped_note,
    event_message,
    ready_message,
    report_message,
    status_message,
    thing_message,
)
from custom_components.cubeguardian.discord_bridge.view import (
    BoardView,
    EventView,
    Happening,
    HoldUpView,
    Mode,
    PersonView,
    ReportView,
    State,
    ThingView,
    WantedBy,
)
from custom_components.cubeguardian.discord_bridge.wording import COLOURS, bar, duration

from .conftest import ALL_TEXTS
from .hostile import SPECIAL, hostile_text
from .test_message import check

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOON = NOON + timedelta(minutes=3)
IN_THREE_MINUTES = f"<t:{int(SOON.timestamp())}:R>"
ATTIC = ThingView(name="Attic", state=State.RUNNING)
SURVIVAL = ThingView(name="Survival", state=State.RUNNING, is_game=True)

type Texts = Mapping[str, str]
type Write = Callable[[], str]


def only(message: Message) -> Embed:
    [embed] = message.embeds
    return embed


def shown(message: Message) -> str:
    """Return everything of a message, one part on each line."""
    return "\n".join([message.content, *(part for part, _ in parts(message))])


def parts(message: Message) -> Iterator[tuple[str, bool]]:
    """Yield each text of the embeds, and whether Discord reads markdown in it."""
    for embed in message.embeds:
        yield from ((embed.title, True), (embed.description, True))
        yield from ((embed.author, False), (embed.footer, False))
        for field in embed.fields:
            yield from ((field.name, True), (field.value, True))


@pytest.mark.parametrize("state", State)
def test_each_state_has_its_colour(state: State, texts: Texts) -> None:
    embed = only(status_message(BoardView(host=replace(ATTIC, state=state)), texts))
    assert embed.colour == COLOURS[state]
    assert embed.title.endswith(texts[f"discord_state_{state}"])
    assert embed.author == "Attic"


def test_a_waking_host_shows_how_far_it_is_and_when_it_is_ready(english: Texts) -> None:
    host = replace(ATTIC, state=State.WAKING, phase="ping", progress=42, ready_at=SOON, by="Robin")
    told = only(status_message(BoardView(host=host), english)).description
    assert told == (f"▰▰▰▰▱▱▱▱▱▱ 42%\nAnswers ping\nReady {IN_THREE_MINUTES}\nRequested by `Robin`")


def test_a_countdown_shows_its_end_and_what_holds_it(english: Texts) -> None:
    held = (
        HoldUpView(key="players", subject="Survival", details={"count": "2", "players": "A, B"}),
        HoldUpView(key="players", subject="Creative", details={"count": "1", "players": ""}),
        HoldUpView(key="task", details={"task": "vzdump", "target": "101"}),
        HoldUpView(key="task", details={"task": "vzdump", "target": ""}),
        HoldUpView(key="backup_due", details={"job": "nightly", "at": SOON.isoformat()}),
        HoldUpView(key="backup_due", details={"job": "nightly", "at": "soon"}),
        HoldUpView(key="guest", details={"vmid": "200", "name": "dns"}),
        HoldUpView(key="protected", details={"vmid": "201", "name": ""}),
        HoldUpView(key="cannot_see", details={"reason": "forbidden"}),
        HoldUpView(key="cannot_see", subject="Survival", details={"reason": "odd"}),
        HoldUpView(key="unheard-of"),
    )
    host = replace(ATTIC, state=State.COUNTDOWN, shutdown_at=SOON, held=held)
    told = only(status_message(BoardView(host=host), english)).description
    assert told.splitlines() == [
        f"Shutdown {IN_THREE_MINUTES}",
        "Held up by:",
        "• `2` playing on `Survival`: `A`, `B`",
        "• `1` playing on `Creative`",
        "• task `vzdump` on `101`",
        "• task `vzdump`",
        f"• backup `nightly` due at <t:{int(SOON.timestamp())}:t>",
        "• backup `nightly` due at `soon`",
        "• guest `dns` is running",
        "• guest `201` is protected",
        "• the host cannot be checked (the API token lacks rights)",
        "• `Survival` cannot be checked (`odd`)",
        "• `unheard-of`",
    ]


def test_each_game_server_has_a_field(english: Texts) -> None:
    game = replace(
        SURVIVAL,
        address="play.example.org",
        version="1.21.10",
        motd="Welcome\n@everyone",
        players_online=25,
        players_max=30,
        players=tuple(f"P{number}" for number in range(25)),
    )
    silent = replace(game, name="Creative", players_online=None, players=(), motd="", version="")
    unnamed = replace(silent, players_online=0, players_max=None)
    embed = only(status_message(BoardView(host=ATTIC, games=(game, silent, unnamed)), english))
    assert [field.name for field in embed.fields] == ["`Survival`", "`Creative`", "`Creative`"]
    lines = embed.fields[0].value.splitlines()
    assert lines[1].startswith("Players: 25 of 30 · `P0`, `P1`, ")
    assert lines[1].endswith("`P19` +5")
    assert lines[2:] == [
        "Address: `play.example.org`",
        "`Welcome ＠everyone`",
        "Version: `1.21.10`",
    ]
    assert embed.fields[1].value.splitlines()[1:] == ["Address: `play.example.org`"]
    assert "Players: 0 of ?" in embed.fields[2].value


def test_the_board_says_who_wants_the_host_and_what_forbids_to_wake_it(english: Texts) -> None:
    board = BoardView(
        host=replace(ATTIC, state=State.FAILED, retry_at=SOON),
        mode=Mode.MAINTENANCE,
        mode_reason="New disk",
        wanted_by=(
            WantedBy(source="discord", name="Robin", until=SOON),
            WantedBy(source="keep_awake"),
            WantedBy(source="players", name="Survival", doubtful=True),
            WantedBy(source="odd"),
        ),
        vetoes=("Quiet hours",),
    )
    assert only(status_message(board, english)).description.splitlines() == [
        f"Next try {IN_THREE_MINUTES}",
        "Wanted by:",
        f"• Discord command · `Robin` · until <t:{int(SOON.timestamp())}:t>",
        "• Keep awake",
        "• Players online · `Survival` · not confirmed",
        "• `odd`",
        "Maintenance",
        "`New disk`",
        "Waking is forbidden at the moment: `Quiet hours`",
    ]


def test_equal_facts_give_equal_messages(texts: Texts) -> None:
    board = BoardView(host=ATTIC, games=(SURVIVAL,))
    assert status_message(board, texts) == status_message(replace(board), texts)


def test_only_the_requester_is_mentioned_and_only_once(texts: Texts) -> None:
    message = ready_message(SURVIVAL, texts, requester=42)
    assert message.content.startswith("<@42> `Survival` · ")
    assert message.mentions == (42,)
    assert shown(message).count("<@") == 1
    unasked = ready_message(SURVIVAL, texts)
    assert (unasked.content, unasked.mentions) == ("", ())


def test_ready_means_more_for_a_game_server_than_for_its_host(english: Texts) -> None:
    assert only(ready_message(SURVIVAL, english)).title == "Ready to play"
    assert only(ready_message(ATTIC, english)).title == "The host is up"
    event = EventView(kind=Happening.WOKEN, name="Survival", is_game=True)
    assert only(event_message(event, english)).title == "Ready to play"


def test_a_thing_answers_a_command(english: Texts) -> None:
    embed = only(thing_message(replace(SURVIVAL, progress=100), english))
    assert (embed.author, embed.title) == ("Survival", "🟢 Running")
    assert embed.description == "▰▰▰▰▰▰▰▰▰▰ 100%"


@pytest.mark.parametrize("kind", Happening)
def test_everything_that_happens_can_be_told(kind: Happening, texts: Texts) -> None:
    embed = only(event_message(EventView(kind=kind, name="Attic", at=NOON), texts, advise=True))
    assert embed.title == texts[f"discord_event_{kind}"]
    assert (embed.author, embed.at) == ("Attic", NOON)
    assert embed.colour


def test_an_event_tells_all_that_is_known_of_it(english: Texts) -> None:
    event = EventView(
        kind=Happening.REFUSED,
        name="Attic",
        by="Robin",
        seconds=200,
        ready_at=SOON,
        retry_at=SOON,
        phase="ping",
        code="auth_error",
        command="stop",
        reason="held",
        told="Quiet hours",
        who="voice",
        guest="dns",
        mode=Mode.MANUAL,
        address="play.example.org",
        names=("Alex", "Sam"),
        hold_ups=(HoldUpView(key="guest", details={"vmid": "200", "name": "dns"}),),
    )
    assert only(event_message(event, english)).description.splitlines() == [
        "`Alex`, `Sam`",
        "Mode: manual, only commands count",
        "Requested by `Robin`",
        "Command: stop",
        "Something stands against it at the moment.",
        "`Quiet hours`",
        "Guest: `dns`",
        "Source: Voice channel",
        f"Ready {IN_THREE_MINUTES}",
        f"Next try {IN_THREE_MINUTES}",
        "It took 3 min 20 s.",
        "Got as far as: Answers ping",
        "Error: the credentials are refused",
        "Address: `play.example.org`",
        "Held up by:",
        "• guest `dns` is running",
    ]


def test_a_countdown_is_told_by_its_end_alone(english: Texts) -> None:
    event = EventView(kind=Happening.COUNTDOWN_STARTED, name="Attic", seconds=600, shutdown_at=SOON)
    assert only(event_message(event, english)).description.splitlines() == [
        "It can still be cancelled.",
        f"Shutdown {IN_THREE_MINUTES}",
    ]


@pytest.mark.parametrize(
    ("code", "phase", "advice"),
    [
        ("auth_error", "api", "help_auth_error"),
        ("timeout_error", "packet", "help_wake_failed_packet"),
        ("timeout_error", "odd", "help_wake_failed"),
        ("", "", "help_wake_failed"),
    ],
)
def test_an_alert_says_what_to_do(code: str, phase: str, advice: str, texts: Texts) -> None:
    failed = EventView(kind=Happening.WAKE_FAILED, name="Attic", code=code, phase=phase)
    [field] = only(event_message(failed, texts, advise=True)).fields
    assert field.name == texts["discord_what_to_do"]
    assert field.value == texts[f"discord_{advice}"]
    assert only(event_message(failed, texts)).fields == ()


def test_what_needs_no_help_gets_none(texts: Texts) -> None:
    joined = EventView(kind=Happening.JOINED, name="Survival", names=("Alex",))
    assert only(event_message(joined, texts, advise=True)).fields == ()


@pytest.mark.parametrize(("language", "energy"), [("en", "12.4 kWh"), ("fr", "12,4 kWh")])
def test_a_report_shows_what_is_known(language: str, energy: str) -> None:
    texts = ALL_TEXTS[language]
    report = ReportView(
        name="Attic",
        days=7,
        since=NOON,
        starts=3,
        stops=2,
        hours_up=7.5,
        hours_asleep=160,
        energy_saved=12.36,
        seconds_to_play=95,
        people=tuple(PersonView(name=f"P{number}", starts=1) for number in range(20)),
    )
    embed = only(report_message(report, texts))
    values = {field.name: field.value for field in embed.fields}
    assert values[texts["discord_report_starts"]] == "3"
    assert values[texts["discord_report_up"]] == "7 h 30 min"
    assert values[texts["discord_report_energy"]] == energy
    assert values[texts["discord_report_to_play"]] == "1 min 35 s"
    assert len(values[texts["discord_report_people"]].splitlines()) == 15
    unknown = replace(report, energy_saved=None, seconds_to_play=None, people=())
    assert len(only(report_message(unknown, texts)).fields) == len(embed.fields) - 3


@pytest.mark.parametrize("denial", Denial)
def test_each_denial_says_why(denial: Denial, texts: Texts) -> None:
    told = denial_text(denial, texts, until=SOON)
    assert "{" not in told
    assert (IN_THREE_MINUTES in told) == ("{at}" in texts[f"discord_denied_{denial}"])
    assert denial_text(Denial.NOT_ALLOWED, texts)


def test_what_was_lost_is_told_with_its_number(english: Texts) -> None:
    assert "A message" in dropped_note(1, english)
    assert "12 messages" in dropped_note(12, english)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(-5, "0 s"), (59.4, "59 s"), (60, "1 min"), (61, "1 min 1 s"), (3600, "1 h 00 min")],
)
def test_a_duration_is_told_in_two_units(seconds: float, told: str) -> None:
    assert duration(seconds) == told


@pytest.mark.parametrize(("percent", "full"), [(-1, 0), (9, 0), (10, 1), (99, 9), (250, 10)])
def test_a_bar_is_as_full_as_it_should_be(percent: int, full: int, english: Texts) -> None:
    assert bar(english, percent).count("▰") == full


def all_messages(write: Write, name: Write, texts: Texts) -> list[Message]:
    """Render everything, with texts that others chose; `name` is for lists joined by commas."""
    held = (
        HoldUpView(key="players", subject=f"x{write()}", details={"count": "1", "players": name()}),
        HoldUpView(key="task", details={"task": write(), "target": f"x{write()}"}),
        HoldUpView(key="backup_due", details={"job": write(), "at": f"x{write()}"}),
        HoldUpView(key="guest", details={"vmid": "1", "name": f"x{write()}"}),
        HoldUpView(key="cannot_see", subject=f"x{write()}", details={"reason": f"x{write()}"}),
        HoldUpView(key=f"x{write()}"),
    )
    thing = ThingView(
        name=write(),
        state=State.COUNTDOWN,
        phase=f"x{write()}",
        by=f"x{write()}",
        shutdown_at=SOON,
        held=held,
        address=f"x{write()}",
        version=f"x{write()}",
        motd=f"x{write()}",
        players_online=2,
        players=(write(), write()),
    )
    board = BoardView(
        host=thing,
        games=(replace(thing, held=()), replace(thing, held=())),
        mode=Mode.MAINTENANCE,
        mode_reason=f"x{write()}",
        wanted_by=(WantedBy(source=f"x{write()}", name=f"x{write()}", until=SOON),),
        vetoes=(write(),),
    )
    event = EventView(
        kind=Happening.REFUSED,
        name=write(),
        by=f"x{write()}",
        command=f"x{write()}",
        reason=f"x{write()}",
        told=f"x{write()}",
        who=f"x{write()}",
        guest=f"x{write()}",
        phase=f"x{write()}",
        code=f"x{write()}",
        address=f"x{write()}",
        names=(write(), write()),
        hold_ups=held,
    )
    report = ReportView(
        name=write(),
        days=7,
        since=NOON,
        people=(PersonView(name=write()), PersonView(name=write())),
    )
    return [
        status_message(board, texts),
        thing_message(thing, texts),
        ready_message(thing, texts, requester=42),
        event_message(event, texts, advise=True),
        report_message(report, texts),
    ]


def skeleton(message: Message) -> list[str]:
    """Return what is left of a message once inline code is taken out of it."""
    markdown = [message.content, *(part for part, is_markdown in parts(message) if is_markdown)]
    return [re.sub(r"`[^`]+`", "·", part) for part in markdown]


def test_nothing_that_others_write_becomes_a_mention_a_link_or_formatting(texts: Texts) -> None:
    dice = random.Random(20261122)
    harmless = all_messages(lambda: "x", lambda: "x", texts)
    for _ in range(400):
        rendered = all_messages(
            lambda: hostile_text(dice), lambda: f"x{hostile_text(dice, without=',')}", texts
        )
        for message, expected in zip(rendered, harmless, strict=True):
            check(message)
            assert message.mentions == expected.mentions
            assert skeleton(message) == skeleton(expected)
            for part, is_markdown in parts(message):
                quoted = re.findall(r"`([^`]+)`", part) if is_markdown else [part]
                assert not any(SPECIAL.search(one) for one in quoted)
