"""Random walks over commands, observations and failures, with what must never happen."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

import pytest

from custom_components.cubeguardian.guardian.lifecycle import instants, loaded, step
from custom_components.cubeguardian.guardian.observation import Presence
from custom_components.cubeguardian.guardian.safety import HoldUp, HoldUpKey
from custom_components.cubeguardian.guardian.status import (
    Caller,
    Cause,
    Command,
    CommandKind,
    Demand,
    Effect,
    Failure,
    Observation,
    Origin,
    Phase,
    Role,
    Settings,
    State,
    Status,
    Transition,
)

from .world import START

STEPS = 6000
HELD = (HoldUp(key=HoldUpKey.PLAYERS, subject="survival"),)
PRESENCES = (Presence.UP, Presence.UP, Presence.DOWN, Presence.STARTING, Presence.UNKNOWN)
CODES = ("connection_error", "permission_error", "timeout_error")
TIMED = frozenset({State.WAKING, State.COUNTDOWN, State.STOPPING})


@dataclass(frozen=True, kw_only=True)
class Stride:
    """One step of a walk: what went in and what came out."""

    before: Status
    observation: Observation
    command: Command | None
    now: datetime
    after: Transition

    @property
    def effects(self) -> tuple[Effect, ...]:
        return self.after.effects


class Walker:
    """Walk a status through what a random world does to it."""

    def __init__(self, seed: int, settings: Settings) -> None:
        self.random = Random(seed)
        self.settings = settings
        self.now = START
        self.status = Status(state=State.OFF, since=START, origin=Origin.NEW)
        self.presence = Presence.UNKNOWN

    def strides(self) -> Iterator[Stride]:
        for _ in range(STEPS):
            self._let_time_pass()
            observation, command = self._observation(), self._command()
            after = step(self.status, observation, Demand(command=command), self.settings, self.now)
            yield Stride(
                before=self.status,
                observation=observation,
                command=command,
                now=self.now,
                after=after,
            )
            self.status = after.status
            if self.random.random() < 0.005:
                stored = Status.from_dict(self.status.to_dict())
                self.status = loaded(stored, self.settings, self.now)

    def _let_time_pass(self) -> None:
        due = [at for at in instants(self.status, self.settings) if at > self.now]
        if due and self.random.random() < 0.3:
            self.now = min(due)
        else:
            self.now += timedelta(seconds=self.random.choice((0, 1, 1, 5, 15, 60)))

    def _observation(self) -> Observation:
        if self.random.random() < 0.3:
            self.presence = self.random.choice(PRESENCES)
        looked = self.random.random() < 0.4
        age = timedelta(seconds=self.random.choice((0, 0, 2)))
        ready = self.settings.thing == "host" or self.random.random() < 0.7
        return Observation(
            presence=self.presence,
            phase=self.random.choice((None, Phase.PING, Phase.API)),
            ready=ready,
            send=self.settings.thing == "host" or self.random.random() < 0.5,
            looked_at=self.now - age if looked else None,
            hold_ups=HELD if looked and self.random.random() < 0.5 else (),
            failure=self._failure(),
        )

    def _failure(self) -> Failure | None:
        if self.random.random() > 0.05:
            return None
        effect = self.random.choice((Effect.WAKE, Effect.SHUT_DOWN, Effect.REBOOT))
        first = self.random.random() < 0.5
        return Failure(effect=effect, code=self.random.choice(CODES), first=first)

    def _command(self) -> Command | None:
        if self.random.random() > 0.15:
            return None
        return Command(
            kind=self.random.choice(tuple(CommandKind)),
            by=Caller(name="x", role=self.random.choice(tuple(Role))),
            at=self.now,
            delay=timedelta(seconds=self.random.choice((0, 0, 30))),
            force=self.random.random() < 0.2,
        )


WALKS = [(seed, settings) for seed in range(4) for settings in (Settings(), Settings().for_game())]
walk = pytest.mark.parametrize(
    ("seed", "settings"), WALKS, ids=[f"{settings.thing}-{seed}" for seed, settings in WALKS]
)


def goes_down(stride: Stride) -> bool:
    return bool({Effect.SHUT_DOWN, Effect.REBOOT} & set(stride.effects))


@walk
def test_the_walk_comes_through_everything(seed: int, settings: Settings) -> None:
    strides = list(Walker(seed, settings).strides())
    assert {stride.before.state for stride in strides} == set(State)
    assert {effect for stride in strides for effect in stride.effects} == set(Effect)


@walk
def test_no_shutdown_while_something_holds_it_up_unless_forced(
    seed: int, settings: Settings
) -> None:
    for stride in Walker(seed, settings).strides():
        if goes_down(stride) and stride.observation.hold_ups:
            forced = stride.command.force if stride.command else False
            assert forced or stride.before.cause is Cause.FORCED


@walk
def test_a_shutdown_counts_only_what_was_seen_since_it_was_due(
    seed: int, settings: Settings
) -> None:
    for stride in Walker(seed, settings).strides():
        if goes_down(stride):
            due = stride.command.at if stride.command else stride.before.look_asked_at
            assert due is not None
            assert stride.observation.looked_at is not None
            assert stride.observation.looked_at >= due


@walk
def test_no_second_wake_without_a_resend_due_or_a_command(seed: int, settings: Settings) -> None:
    for stride in Walker(seed, settings).strides():
        if Effect.WAKE in stride.effects and stride.before.state is State.WAKING:
            due = stride.before.resend_at is None or stride.before.resend_at <= stride.now
            found = stride.before.cause is Cause.FOUND and stride.command is not None
            assert due or found
            assert stride.after.status.resend_at is not None
            assert stride.after.status.resend_at > stride.now


@walk
def test_every_timed_state_is_left_by_its_deadline_plus_one_step(
    seed: int, settings: Settings
) -> None:
    for stride in Walker(seed, settings).strides():
        before, after = stride.before, stride.after.status
        deadline = before.deadline
        timed = before.state in TIMED and before.origin is Origin.LIVE and not stride.command
        if timed and deadline is not None and deadline <= stride.now:
            assert (after.state, after.deadline) != (before.state, deadline)


@walk
def test_equal_inputs_give_equal_outputs(seed: int, settings: Settings) -> None:
    for stride in Walker(seed, settings).strides():
        demand = Demand(command=stride.command)
        again = step(stride.before, stride.observation, demand, settings, stride.now)
        assert again == stride.after


@walk
def test_effects_arise_only_where_the_state_changes_or_a_resend_or_look_is_due(
    seed: int, settings: Settings
) -> None:
    for stride in Walker(seed, settings).strides():
        if stride.after.status.state is stride.before.state and stride.before.since == (
            stride.after.status.since
        ):
            assert set(stride.effects) <= {Effect.WAKE, Effect.LOOK}
        assert len(stride.effects) <= 1


@walk
def test_from_every_state_there_is_a_way_to_running_and_to_off(
    seed: int, settings: Settings
) -> None:
    for number, stride in enumerate(Walker(seed, settings).strides()):
        if number % 50 == 0:
            assert lead(stride.before, settings, stride.now, Presence.UP) is State.RUNNING
            assert lead(stride.before, settings, stride.now, Presence.DOWN) is State.OFF


def lead(status: Status, settings: Settings, now: datetime, presence: Presence) -> State:
    """Give the state in the end where a thing stays up and is wanted, or down and is not."""
    kind = CommandKind.WAKE if presence is Presence.UP else CommandKind.STOP
    caller = Caller(name="x")
    for _ in range(60):
        now += timedelta(minutes=1)
        observation = Observation(presence=presence, looked_at=now)
        command = Command(kind=kind, by=caller, at=now)
        wishes = status.state not in {State.RUNNING, State.OFF, State.WAKING, State.STOPPING}
        demand = Demand(command=command if wishes or presence is Presence.UP else None)
        status = step(status, observation, Demand(), settings, now).status
        status = step(status, observation, demand, settings, now).status
        if status.state is State.STOPPING and presence is Presence.UP:
            status = step(
                status, replace(observation, presence=Presence.DOWN), Demand(), settings, now
            ).status
    return status.state
