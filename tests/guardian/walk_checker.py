"""What must never happen on a walk of the lifecycle: the invariants of docs/guardian.md.

The checker keeps a memory of its own of what was asked for, and believes no status about it.
"""

from datetime import datetime, timedelta

from custom_components.cubeguardian.guardian.observation import Presence
from custom_components.cubeguardian.guardian.safety import HoldUpKey
from custom_components.cubeguardian.guardian.status import (
    Cause,
    Command,
    CommandKind,
    Demand,
    Effect,
    EventKind,
    Observation,
    Origin,
    Phase,
    Settings,
    State,
    Status,
    Then,
    Transition,
)

TIMED = frozenset({State.WAKING, State.COUNTDOWN, State.STOPPING})
AT_REST = frozenset({State.OFF, State.RUNNING, State.FAILED})
LOWERING = frozenset({CommandKind.STOP, CommandKind.RESTART})
RAISING = frozenset({CommandKind.WAKE, CommandKind.RESTART, CommandKind.CANCEL})


class Checker:
    """Follow one walk step by step; raise AssertionError, with the rule, where one is broken."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.asked = self.forced = self.wake_wanted = False
        self.looked_for: datetime | None = None
        self.announced: datetime | None = None
        self.woken_at: datetime | None = None
        self.overdue = 0

    def check(
        self,
        before: Status,
        seen: Observation,
        demand: Demand,
        now: datetime,
        transition: Transition,
    ) -> None:
        after, effects = transition.status, transition.effects
        command = demand.command
        if command is not None and not any(event.reason for event in transition.events):
            self._remember(before, command)
        if demand.automatic and (demand.edge or (demand.live and before.state is State.FAILED)):
            self.wake_wanted = True
        if effects:
            self._check_effects(before, seen, demand, now, transition)
        if after.state is not before.state:
            self._check_entry(before, seen, demand, now, after)
        self._check_times(before, demand, now, after)
        if before.state is State.STOPPING and command is None:
            self._check_stopping(before, seen, demand, transition)
        if after.state is State.COUNTDOWN:
            self.announced = after.deadline or self.announced
        if after.state in AT_REST or (after.state is State.WAKING and after.then is not Then.STOP):
            self.asked = self.forced = False
        if after.state in AT_REST or after.cause is Cause.FOUND:
            self.wake_wanted = False

    def check_loaded(self, status: Status, now: datetime) -> None:
        """L1: whatever was stored keeps two minutes, and its look has to be asked for anew."""
        self.looked_for = None
        soonest = now + self.settings.stored_grace
        kept = status.deadline is None or status.deadline >= soonest
        assert kept, "what is loaded keeps two minutes"
        if status.state is State.COUNTDOWN:
            self.announced = status.deadline or self.announced
        if status.state is State.RUNNING:
            self.asked = self.forced = False

    def _remember(self, before: Status, command: Command) -> None:
        stopping = before.state is State.STOPPING
        if command.kind in LOWERING:
            self.asked = True
            self.forced = command.force or (stopping and self.forced)
        if command.kind in RAISING:
            self.wake_wanted = True
        elif command.kind is CommandKind.STOP and stopping and before.cause is not Cause.RESTART:
            self.wake_wanted = False

    def _check_effects(
        self,
        before: Status,
        seen: Observation,
        demand: Demand,
        now: datetime,
        transition: Transition,
    ) -> None:
        assert len(transition.effects) == 1, "one effect at a time"
        effect, after = transition.effects[0], transition.status
        entered = (after.state, after.since) != (before.state, before.since)
        command = demand.command
        if effect is Effect.LOOK:
            self.looked_for = now
            due = self.announced if before.state is State.COUNTDOWN else before.stop_at
            assert due is None or due <= now, "no look before the deadline"
        elif effect is Effect.WAKE:
            self._check_wake(before, demand, now, entered=entered)
        else:
            assert entered, "a shutdown arises on an edge only"
            assert effect is Effect.SHUT_DOWN or command, "a reboot only where one was asked for"
            self._check_hold_ups(seen, demand)
            due = command.at if command else self.looked_for
            fresh = due and seen.looked_at and seen.looked_at >= due
            assert fresh, "a shutdown counts only what was seen after its deadline"

    def _check_hold_ups(self, seen: Observation, demand: Demand) -> None:
        keys = {held.key for held in seen.hold_ups}
        assert HoldUpKey.PROTECTED not in keys, "a protected guest's host is never shut down"
        if self.forced:
            return
        assert not keys, "no shutdown under a standing hold-up unless forced"
        if not self.asked:
            assert not demand.live, "no shutdown under a live lease unless asked"
            assert demand.may_rest, "no shutdown that nobody asked for unless automatic"

    def _check_wake(self, before: Status, demand: Demand, now: datetime, *, entered: bool) -> None:
        assert self.wake_wanted, "never woken by an old lease, nor by any when not automatic"
        again = before.state is State.WAKING and before.cause is not Cause.FOUND
        if again:
            gap = now - self.woken_at if self.woken_at else timedelta.max
            early = gap < self.settings.resend_every and before.since <= (self.woken_at or now)
            assert not entered and not early, "no second wake without a resend due"
        elif before.state is State.OFF and not demand.command:
            assert demand.edge, "off is left by a new lease only"
        self.woken_at = now

    def _check_entry(
        self, before: Status, seen: Observation, demand: Demand, now: datetime, after: Status
    ) -> None:
        unasked = demand.command is None and not demand.edge
        if after.state in {State.WAKING, State.COUNTDOWN} and unasked:
            assert seen.presence is not Presence.UNKNOWN, "on unknown nothing automatic happens"
        if after.state is State.COUNTDOWN:
            self.announced = None
            if after.cause is Cause.IDLE and before.state in {State.RUNNING, State.FAILED}:
                self._check_idle(before, seen, demand, now)

    def _check_idle(self, before: Status, seen: Observation, demand: Demand, now: datetime) -> None:
        assert not demand.live and demand.may_rest, "idle is what nobody wants"
        assert seen.presence is Presence.UP, "only what is seen up is idle"
        if before.state is State.RUNNING:
            quiet = demand.idle_since and now - demand.idle_since >= self.settings.quiet_for
            settled = now - before.since >= self.settings.up_for
            assert quiet and settled, "idle for two minutes, up for five"

    def _check_stopping(
        self, before: Status, seen: Observation, demand: Demand, transition: Transition
    ) -> None:
        after = transition.status
        if after.state is State.STOPPING and after.phase is not Phase.POWER:
            assert self.asked or not demand.live, "no shutdown under a live lease unless asked"
            self._check_found(seen)
        if after.state is State.RUNNING and before.phase is Phase.POWER:
            failed = any(event.kind is EventKind.SHUTDOWN_FAILED for event in transition.events)
            assert failed, "what the node was asked cannot be turned back"

    def _check_found(self, seen: Observation) -> None:
        keys = {held.key for held in seen.hold_ups}
        counting = keys & {HoldUpKey.PROTECTED} if self.forced else keys
        assert not counting, "what is found in time turns it back"

    def _check_times(self, before: Status, demand: Demand, now: datetime, after: Status) -> None:
        if after.origin is not Origin.LIVE:
            return
        same = (after.state, after.since) == (before.state, before.since)
        assert self._has_an_end(after), f"{after.state} has an end"
        if same and before.state is State.STOPPING and before.deadline != after.deadline:
            later = after.phase is Phase.POWER is not before.phase
            assert later or before.origin is not Origin.LIVE, "a stop is not put off"
        due = before.state in TIMED and before.deadline is not None and before.deadline <= now
        unmoved = same and after.deadline == before.deadline
        if not (due and unmoved and before.origin is Origin.LIVE):
            self.overdue = 0
        elif demand.command is None and not demand.edge:
            self.overdue += 1
            assert self.overdue < 2, "a timed state is left by its deadline plus one step"

    def _has_an_end(self, status: Status) -> bool:
        match status.state:
            case State.STOPPING:
                return status.deadline is not None
            case State.COUNTDOWN:
                return bool(status.deadline or status.retry_at)
            case State.FAILED:
                return status.retry_at is not None
            case State.WAKING:
                waits_for_host = status.cause is Cause.WAKE
                return status.deadline is not None or waits_for_host
        return True
