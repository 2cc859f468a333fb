"""What the bridge decides without Discord: whom a command is for, how far it is, what waits."""

import asyncio
from dataclasses import replace
from datetime import timedelta
import logging
import re

import pytest

from custom_components.cubeguardian.discord_bridge.access import Command
from custom_components.cubeguardian.discord_bridge.aiming import aim, by_key, choices
from custom_components.cubeguardian.discord_bridge.answering import (
    choice_buttons,
    panel_buttons,
    presence,
)
from custom_components.cubeguardian.discord_bridge.bridge_port import (
    Asked,
    Board,
    End,
    Problem,
    Trouble,
)
from custom_components.cubeguardian.discord_bridge.bridge_settings import BridgePace
from custom_components.cubeguardian.discord_bridge.buttons import BUTTON_ID, Act, Button
from custom_components.cubeguardian.discord_bridge.following import Changes, Course, Step
from custom_components.cubeguardian.discord_bridge.identifying import (
    IdentifyBudget,
    TooManyIdentifiesError,
)
from custom_components.cubeguardian.discord_bridge.message import Message, length
from custom_components.cubeguardian.discord_bridge.outbox import Delivery, Outbox, Parcel
from custom_components.cubeguardian.discord_bridge.permitting import (
    ChannelFacts,
    Facts,
    problems,
)
from custom_components.cubeguardian.discord_bridge.supervising import Supervisor, keep_shown
from custom_components.cubeguardian.discord_bridge.view import BoardView, State, ThingView

from .bridge_world import QUICK, until


def _board(name: str, *games: ThingView, state: State = State.OFF) -> Board:
    view = BoardView(host=ThingView(name=name, state=state), games=games)
    keys = tuple(f"{name}-{number}" for number, _ in enumerate(games))
    return Board(key=name, view=view, game_keys=keys)


def _game(name: str, state: State = State.OFF) -> ThingView:
    return ThingView(name=name, state=state, is_game=True)


ATTIC = _board("attic", _game("Survival"), _game("Creative", State.RUNNING))
BEES = "\U0001f41d" * 64
CELLAR = _board("cellar", state=State.COUNTDOWN)


@pytest.mark.parametrize(
    ("command", "typed", "expected"),
    [
        (Command.START, "", ["attic-0"]),
        (Command.STOP, "", ["attic", "cellar"]),
        (Command.RESTART, "", ["attic-0", "attic-1", "cellar"]),
        (Command.CANCEL, "", ["cellar"]),
        (Command.REPORT, "Creative", []),
        (Command.START, "CREATIVE", ["attic-1"]),
        (Command.START, "attic-1", ["attic-1"]),
        (Command.START, "survival · attic", ["attic-0"]),
        (Command.START, "nothing", []),
    ],
)
def test_what_a_command_is_meant_for(command: Command, typed: str, expected: list[str]) -> None:
    boards = (ATTIC, CELLAR) if command is not Command.START else (ATTIC,)
    assert [one.key for one in aim(boards, typed, command)] == expected


def test_a_host_without_game_servers_is_started_itself() -> None:
    assert [one.key for one in aim((_board("barn"),), "", Command.START)] == ["barn"]


def test_nothing_going_down_means_any_host_may_be_meant() -> None:
    assert [one.key for one in aim((ATTIC,), "", Command.CANCEL)] == ["attic"]


def test_an_unknown_key_finds_nothing() -> None:
    assert by_key((ATTIC,), "gone") is None


def test_choices_begin_with_what_begins_so_and_are_never_too_many() -> None:
    many = _board("zoo", *(_game(f"g{number} attic") for number in range(40)))
    offered = choices((many, ATTIC), "att", Command.START)
    assert offered[0] == ("attic", "attic")
    assert len(offered) == 25
    assert all(len(label) <= 100 for label, _ in offered)


def test_a_choice_shows_no_markdown_of_others() -> None:
    hostile = _board("@everyone `x` https://evil.example/")
    ((label, _),) = choices((hostile,), "", Command.STOP)
    assert "@" not in label
    assert "`" not in label
    assert "://" not in label


def test_buttons_ask_which_one_where_several_may_be_meant() -> None:
    found = aim((ATTIC, CELLAR), "", Command.STOP)
    asked = Asked(user_id=1, name="kim", command=Command.STOP)
    assert [one.custom_id for one in choice_buttons(asked, found)] == [
        "cubeguardian:stop:attic",
        "cubeguardian:stop:cellar",
    ]
    assert choice_buttons(replace(asked, command=Command.REPORT), found) == ()


def test_buttons_for_things_of_the_same_name_say_whose_they_are() -> None:
    asked = Asked(user_id=1, name="kim", command=Command.RESTART)
    twins = (ATTIC, _board("barn", _game("Survival")))
    labels = [one.label for one in choice_buttons(asked, aim(twins, "", Command.RESTART))]
    assert labels == ["Survival · attic", "Creative · attic", "Survival · barn"]
    alone = [one.label for one in choice_buttons(asked, aim((ATTIC,), "", Command.RESTART))]
    assert alone == ["Survival", "Creative"]


def test_no_button_forgets_the_delay_that_was_asked_for() -> None:
    found = aim((ATTIC, CELLAR), "", Command.STOP)
    asked = Asked(user_id=1, name="kim", command=Command.STOP, delay=timedelta(minutes=5))
    assert choice_buttons(asked, found) == ()


@pytest.mark.parametrize("act", list(Act))
def test_what_a_button_sends_can_be_read_again(act: Act) -> None:
    button = Button(act=act, label="x", key="01JHOST")
    found = BUTTON_ID.fullmatch(button.custom_id)
    assert found is not None
    assert (found["act"], found["key"]) == (act, "01JHOST")


def test_no_button_of_somebody_else_is_taken_for_one_of_ours() -> None:
    assert BUTTON_ID.fullmatch("cubeguardian:explode") is None
    assert BUTTON_ID.fullmatch("other:start") is None


def test_what_makes_no_sense_now_cannot_be_pressed(english: dict[str, str]) -> None:
    start, cancel, awake, refresh = panel_buttons((), english)
    assert (start.disabled, cancel.disabled, awake.disabled) == (True, True, True)
    assert not refresh.disabled


def test_the_presence_is_never_too_long(english: dict[str, str]) -> None:
    playing = replace(_game("x", State.RUNNING), players_online=3)
    many = [_board(f"a host with a long name {number}", playing) for number in range(20)]
    shown = presence(many, english)
    assert len(shown) <= 128
    assert shown.endswith("60 playing")


def test_discord_counts_some_letters_twice(english: dict[str, str]) -> None:
    playing = replace(_game(BEES, State.RUNNING), players_online=3)
    hive = _board(BEES, playing, playing)
    asked = Asked(user_id=1, name="kim", command=Command.RESTART)
    found = aim((hive, ATTIC), "", Command.RESTART)
    for few in (found, found[:2]):
        assert all(0 < length(one.label) <= 80 for one in choice_buttons(asked, few))
    offered = choices((hive,), "", Command.START)
    assert len(offered) == 3
    assert all(0 < length(label) <= 100 for label, _ in offered)
    shown = presence([hive] * 4, english)
    assert length(shown) <= 128
    assert shown.endswith("24 playing")


@pytest.mark.parametrize(
    ("command", "states", "expected"),
    [
        (Command.START, [State.RUNNING], Step.READY),
        (Command.START, [State.OFF], Step.GOING),
        (Command.START, [State.WAKING, State.FAILED], Step.OVER),
        (Command.START, [State.WAKING, State.OFF], Step.OVER),
        (Command.STOP, [State.RUNNING], Step.GOING),
        (Command.STOP, [State.STOPPING, State.OFF], Step.OVER),
        (Command.STOP, [State.STOPPING, State.RUNNING], Step.OVER),
        (Command.STOP, [State.COUNTDOWN], Step.OVER),
        (Command.RESTART, [State.RUNNING], Step.GOING),
        (Command.RESTART, [State.STOPPING, State.OFF], Step.GOING),
        (Command.RESTART, [State.STOPPING, State.WAKING, State.RUNNING], Step.READY),
        (Command.RESTART, [State.STOPPING, State.FAILED], Step.OVER),
    ],
)
def test_how_far_a_command_is(command: Command, states: list[State], expected: Step) -> None:
    course = Course(command, settle=60)
    for state in states:
        step = course.step(state, 1.0)
    assert step is expected


def test_nothing_is_over_before_it_was_accepted() -> None:
    course = Course(Command.STOP, settle=60)
    course.step(State.STOPPING, None)
    assert course.step(State.OFF, None) is Step.GOING
    assert course.step(State.OFF, 0.0) is Step.OVER


def test_a_command_without_effect_is_not_waited_for_long() -> None:
    assert Course(Command.RESTART, settle=60).step(State.RUNNING, 60.0) is Step.OVER


def test_identifies_are_limited_in_a_burst_and_in_a_day() -> None:
    budget = IdentifyBudget(daily=3, burst=2, span=10)
    budget.take(0)
    budget.take(1)
    with pytest.raises(TooManyIdentifiesError) as many:
        budget.take(2)
    assert many.value.wait == 8
    budget.take(10)
    with pytest.raises(TooManyIdentifiesError) as many:
        budget.take(100)
    assert many.value.wait == 86_300
    budget.take(86_400)


def test_what_is_missing_is_told_by_discords_names() -> None:
    facts = Facts(
        is_public=False,
        has_endpoint=False,
        may_register=False,
        channels=(
            ChannelFacts(channel_id=1, name="lobby", granted=1 << 10),
            ChannelFacts(channel_id=2, is_voice=True, name="cube", granted=1 << 10),
            ChannelFacts(channel_id=3),
        ),
    )
    assert problems(facts) == (
        Problem(trouble=Trouble.COMMANDS_REFUSED),
        Problem(
            trouble=Trouble.PERMISSION_MISSING,
            channel_id=1,
            channel="lobby",
            missing=("send_messages", "embed_links", "read_message_history"),
        ),
        Problem(trouble=Trouble.CHANNEL_MISSING, channel_id=3),
    )


# The outbox


class _Courier:
    """Delivers as it is told to, and keeps what it delivered."""

    def __init__(self, *answers: Delivery) -> None:
        self.answers = list(answers)
        self.sent: list[Parcel] = []

    async def __call__(self, parcel: Parcel) -> Delivery:
        answer = self.answers.pop(0) if self.answers else Delivery.SENT
        if answer is Delivery.SENT:
            self.sent.append(parcel)
        return answer

    @property
    def contents(self) -> list[str]:
        return [one.message.content for one in self.sent]


class _Slow(_Courier):
    """Keeps the first one on its way until it may go."""

    def __init__(self, *answers: Delivery) -> None:
        super().__init__(*answers)
        self.waits = False
        self.may_go = asyncio.Event()

    async def __call__(self, parcel: Parcel) -> Delivery:
        self.waits = True
        await self.may_go.wait()
        return await super().__call__(parcel)


def _outbox(keep_for: float = 60.0) -> Outbox:
    return Outbox(keep_for=keep_for, tell_dropped=lambda count: f"{count} lost")


async def _run(outbox: Outbox, courier: _Courier, count: int) -> None:
    task = asyncio.create_task(outbox.run(courier))
    await until(lambda: len(courier.sent) >= count)
    task.cancel()
    await asyncio.wait({task})


async def test_what_was_lost_is_told_with_the_next_message() -> None:
    outbox, courier = _outbox(), _Courier(Delivery.NEVER)
    for text in ("one", "two", "three"):
        outbox.to_channel(1, Message(content=text))
    await _run(outbox, courier, 2)
    assert courier.contents == ["1 lost\ntwo", "three"]


async def test_too_much_that_waits_drops_the_oldest() -> None:
    outbox, courier = _outbox(), _Courier()
    for number in range(60):
        outbox.to_channel(1, Message(content=str(number)))
    await _run(outbox, courier, 50)
    assert courier.contents[0] == "10 lost\n10"


async def test_what_waits_too_long_is_dropped() -> None:
    outbox, courier = _outbox(keep_for=-1), _Courier()
    outbox.to_channel(1, Message(content="old"))
    task = asyncio.create_task(outbox.run(courier))
    await until(lambda: outbox.dropped == 1)
    task.cancel()
    await asyncio.wait({task})
    assert not courier.sent


async def test_what_cannot_be_sent_yet_is_tried_again_when_stirred() -> None:
    outbox, courier = _outbox(), _Courier(Delivery.LATER)
    outbox.to_channel(1, Message(content="one"))
    task = asyncio.create_task(outbox.run(courier))
    await until(lambda: not courier.answers)
    outbox.stir()
    await until(lambda: courier.contents == ["one"], within=0.9)
    task.cancel()
    await asyncio.wait({task})


async def test_people_who_take_nothing_leave_it_to_the_channel_once() -> None:
    outbox, courier = _outbox(), _Courier(Delivery.NEVER, Delivery.SENT, Delivery.NEVER)
    outbox.to_people((7, 8), Message(content="help"), 1)
    await _run(outbox, courier, 1)
    assert [(one.channel_id, one.user_id) for one in courier.sent] == [(1, None)]


async def test_a_courier_that_breaks_loses_one_message() -> None:
    class Broken(_Courier):
        async def __call__(self, parcel: Parcel) -> Delivery:
            if parcel.message.content == "bad":
                raise RuntimeError
            return await super().__call__(parcel)

    outbox, courier = _outbox(), Broken()
    outbox.to_channel(1, Message(content="bad"))
    outbox.to_channel(1, Message(content="good"))
    await _run(outbox, courier, 1)
    assert courier.contents == ["1 lost\ngood"]


async def test_what_is_lost_while_a_message_is_on_its_way_is_told_with_the_next() -> None:
    outbox, courier = _outbox(), _Slow()
    outbox.to_channel(1, Message(content="first"))
    task = asyncio.create_task(outbox.run(courier))
    await until(lambda: courier.waits)
    for number in range(52):
        outbox.to_channel(1, Message(content=str(number)))
    assert outbox.dropped == 3
    courier.may_go.set()
    await until(lambda: len(courier.sent) == 51)
    task.cancel()
    await asyncio.wait({task})
    # The first made room as well, but it was delivered after all.
    assert courier.contents[:2] == ["first", "2 lost\n2"]
    assert outbox.dropped == 0


async def test_what_made_room_and_was_never_delivered_is_lost_once() -> None:
    outbox, courier = _outbox(), _Slow(Delivery.NEVER)
    outbox.to_channel(1, Message(content="first"))
    task = asyncio.create_task(outbox.run(courier))
    await until(lambda: courier.waits)
    for number in range(50):
        outbox.to_channel(1, Message(content=str(number)))
    assert outbox.dropped == 1
    courier.may_go.set()
    await until(lambda: len(courier.sent) == 50)
    task.cancel()
    await asyncio.wait({task})
    assert courier.contents[0] == "1 lost\n0"


async def test_no_two_messages_are_taken_for_the_same() -> None:
    """Discord sends a message with the number of one before a second time to nobody."""
    outbox, courier = _outbox(), _Courier(Delivery.SENT, Delivery.NEVER)
    outbox.to_people((7, 8, 9), Message(content="help"), 1)
    outbox.to_channel(1, Message(content="next"))
    await _run(outbox, courier, 4)
    assert [(one.channel_id, one.user_id) for one in courier.sent] == [
        (None, 7),
        (1, None),
        (None, 9),
        (1, None),
    ]
    assert len({one.nonce for one in courier.sent}) == 4
    assert all(len(one.nonce) <= 25 for one in courier.sent)


# Keeping it up


async def test_attempts_follow_each_other_until_there_is_no_point() -> None:
    tried = 0

    async def attempt() -> End | None:
        nonlocal tried
        tried += 1
        if tried == 1:
            raise AttributeError
        if tried == 2:
            raise TooManyIdentifiesError(0.01)
        return End.BAD_TOKEN if tried == 4 else None

    supervisor = Supervisor(attempt, QUICK)
    assert await supervisor.run() is End.BAD_TOKEN
    assert tried == 4


def test_pauses_grow_up_to_a_limit() -> None:
    pauses = BridgePace(first_pause=2, longest_pause=10).pauses()
    assert [next(pauses) for _ in range(5)] == [2, 4, 8, 10, 10]


async def test_no_two_bots_come_back_at_the_same_instant(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)

    async def attempt() -> End | None:
        return None

    for _ in range(20):
        supervisor = Supervisor(attempt, replace(QUICK, first_pause=1000, longest_pause=1000))
        running = asyncio.create_task(supervisor.run())
        told = len(caplog.records)
        await until(lambda: len(caplog.records) > told)  # noqa: B023
        await supervisor.close(1.0)
        assert await running is End.CLOSED
    pauses = [float(one) for one in re.findall(r"is in (\d+) s", caplog.text)]
    assert len(pauses) == 20
    assert all(500 <= one <= 1000 for one in pauses)
    assert len(set(pauses)) > 10


async def test_closing_ends_what_runs_beside_and_takes_no_more() -> None:
    started = asyncio.Event()

    async def for_ever() -> None:
        started.set()
        await asyncio.Event().wait()

    async def attempt() -> End | None:
        await asyncio.Event().wait()
        return None

    supervisor = Supervisor(attempt, QUICK)
    supervisor.spawn(for_ever())
    run = asyncio.create_task(supervisor.run())
    await started.wait()
    await supervisor.close(1)
    assert await run is End.CLOSED
    supervisor.spawn(for_ever())


async def test_what_breaks_beside_breaks_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise ValueError

    async def attempt() -> End | None:
        await until(lambda: "beside the bot" in caplog.text)
        return End.BAD_TOKEN

    supervisor = Supervisor(attempt, QUICK)
    supervisor.spawn(broken())
    assert await supervisor.run() is End.BAD_TOKEN


async def test_what_could_not_be_shown_is_shown_later() -> None:
    changes, shown = Changes(), 0

    async def show() -> None:
        nonlocal shown
        shown += 1
        if shown < 3:
            raise OSError

    task = asyncio.create_task(keep_shown(lambda: shown < 3, show, changes, every=0.01, pace=QUICK))
    await until(lambda: shown == 3)
    task.cancel()
    await asyncio.wait({task})
