"""The checker of the walk finds out where a rule is missing: one rule is taken away at a time."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from custom_components.cubeguardian.guardian import falling, lifecycle, rising, stopping
from custom_components.cubeguardian.guardian.moment import Moment
from custom_components.cubeguardian.guardian.safety import HoldUp
from custom_components.cubeguardian.guardian.status import (
    Effect,
    Settings,
    Status,
    Transition,
)

from .walk import walk_all

STEPS = 40_000
type TakeAway = Callable[[pytest.MonkeyPatch], None]


def no_lease_ends_an_idle_countdown(patch: pytest.MonkeyPatch) -> None:
    """C1."""
    patch.setattr(falling, "_kept_up", lambda moment: None)


def no_hold_up_counts(patch: pytest.MonkeyPatch) -> None:
    """C5, R2."""

    def standing(found: tuple[HoldUp, ...], *, forced: bool) -> tuple[HoldUp, ...]:
        return ()

    patch.setattr(falling, "standing", standing)


def force_passes_a_protected_guest(patch: pytest.MonkeyPatch) -> None:
    """C7, R2."""

    def standing(found: tuple[HoldUp, ...], *, forced: bool) -> tuple[HoldUp, ...]:
        return () if forced else found

    patch.setattr(falling, "standing", standing)


def a_look_may_be_old(patch: pytest.MonkeyPatch) -> None:
    """C4."""

    def has_looked(moment: Moment, asked_at: object) -> bool:
        return moment.observation.looked_at is not None

    patch.setattr(falling, "_has_looked", has_looked)


def leases_wake_in_every_mode(patch: pytest.MonkeyPatch) -> None:
    """O1, S2, F2."""
    patch.setattr(Moment, "wakes", property(lambda moment: moment.demand.edge))


def old_leases_wake(patch: pytest.MonkeyPatch) -> None:
    """O1."""
    patch.setattr(Moment, "wakes", property(lambda moment: moment.demand.live))


def what_goes_idle_is_not_turned_back(patch: pytest.MonkeyPatch) -> None:
    """S2."""
    patch.setattr(stopping, "_wanted_meanwhile", lambda moment: None)


def what_is_found_meanwhile_is_ignored(patch: pytest.MonkeyPatch) -> None:
    """S5."""
    patch.setattr(stopping, "_held_meanwhile", lambda moment: None)


def a_wake_is_sent_at_every_step(patch: pytest.MonkeyPatch) -> None:
    """W1."""

    def resend(moment: Moment) -> Transition:
        return moment.stay(effects=(Effect.WAKE,))

    patch.setattr(rising, "_resend", resend)


def a_stop_has_no_deadline(patch: pytest.MonkeyPatch) -> None:
    """S4."""

    def fail(moment: Moment, code: str) -> Transition:
        return moment.stay()

    patch.setattr(stopping, "_stop_failed", fail)


def what_nobody_sees_goes_idle(patch: pytest.MonkeyPatch) -> None:
    """R1."""

    def has_rested(moment: Moment) -> bool:
        return moment.demand.may_rest and not moment.demand.live

    patch.setattr(falling, "has_rested", has_rested)


def a_failed_wake_is_never_let_go(patch: pytest.MonkeyPatch) -> None:
    """F3."""
    patch.setattr(rising, "_retry", lambda moment: moment.stay())
    patch.setattr(rising, "_failure_told", lambda moment, command, silent_guest: moment.stay())


def what_was_stored_is_due_at_once(patch: pytest.MonkeyPatch) -> None:
    """L1."""

    def loaded(status: Status, settings: Settings, now: object) -> Status:
        return replace(status, look_asked_at=None)

    patch.setattr(lifecycle, "loaded", loaded)


@pytest.mark.parametrize(
    ("take_away", "rule"),
    [
        (no_lease_ends_an_idle_countdown, "no shutdown under a live lease"),
        (no_hold_up_counts, "standing hold-up|protected guest"),
        (force_passes_a_protected_guest, "protected guest"),
        (a_look_may_be_old, "seen after its deadline"),
        (leases_wake_in_every_mode, "never woken by an old lease, nor by any when not automatic"),
        (old_leases_wake, "off is left by a new lease only|never woken by an old lease"),
        (what_goes_idle_is_not_turned_back, "no shutdown under a live lease"),
        (what_is_found_meanwhile_is_ignored, "what is found in time turns it back"),
        (a_wake_is_sent_at_every_step, "no second wake"),
        (a_stop_has_no_deadline, "left by its deadline|a way from every state"),
        (what_nobody_sees_goes_idle, "unknown nothing automatic|only what is seen up|idle for two"),
        (a_failed_wake_is_never_let_go, "a way from every state"),
        (what_was_stored_is_due_at_once, "keeps two minutes"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_missing_rule_is_caught(
    take_away: TakeAway, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_away(monkeypatch)
    with pytest.raises(AssertionError, match=rule):
        walk_all(STEPS)
