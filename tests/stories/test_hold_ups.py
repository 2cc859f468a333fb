"""Every hold-up holds a real shutdown: the one that was asked for and the one that is due."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.lab.ha_client import CallError
from tests.lab.namespaces import TwoNamespaces
from tests.lab.plan import GuestPlan

from .cast import Actor, Part, company, play, refused, short_options
from .scene import power_commands

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_namespaces,
    pytest.mark.needs_demo,
    pytest.mark.timeout(400),
]

_NAS = GuestPlan(vmid=200, name="nas")
_DUE_WITHIN = 60 + 15
# A look every minute while it is held, then a last minute that is announced.
_ASLEEP_WITHIN = 60 + 60 + 30

type Order = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldUp:
    """One hold-up: how it comes about and ends, its name, and what a refusal names.

    `rests`: nobody wants the host, so that it counts down by itself; else it has to be asked to.
    """

    reason: str
    begins: Order
    ends: Order
    refused_with: str
    names: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=short_options)
    others: tuple[GuestPlan, ...] = ()
    rests: bool = True
    forcible: bool = True
    shown_as: str = ""

    @property
    def part(self) -> Part:
        """The host that it holds up."""
        return Part(
            name=self.reason.replace("_", ""), options=self.options, others=self.others, up=True
        )


HOLD_UPS = (
    HoldUp(
        reason="players",
        begins={"what": "players", "names": ["Alex"]},
        ends={"what": "players", "names": []},
        refused_with="held_player",
        names=("Alex", "World 1"),
        rests=False,
    ),
    HoldUp(
        reason="task",
        begins={"what": "task", "runs": True},
        ends={"what": "task", "runs": False},
        refused_with="held_task",
        names=("vzdump",),
    ),
    HoldUp(
        reason="backup_due",
        begins={"what": "backup_due", "seconds": 600},
        ends={"what": "backup_due", "seconds": None},
        refused_with="held_backup_due",
    ),
    HoldUp(
        reason="guest",
        begins={"what": "guest", "vmid": 200, "runs": True},
        ends={"what": "guest", "vmid": 200, "runs": False},
        refused_with="held_guest",
        names=("nas",),
        others=(_NAS,),
    ),
    HoldUp(
        reason="protected",
        begins={"what": "guest", "vmid": 200, "runs": True},
        ends={"what": "guest", "vmid": 200, "runs": False},
        refused_with="held_protected",
        names=("nas",),
        others=(_NAS,),
        options=short_options(protected=[200]),
        rests=False,
        forcible=False,
    ),
    HoldUp(
        reason="cannot_see",
        begins={"what": "token", "valid": False},
        ends={"what": "token", "valid": True},
        refused_with="held_unauthorised",
        shown_as="unauthorised",
    ),
)


async def test_every_hold_up_holds_what_was_asked_for_and_what_is_due(
    wire: TwoNamespaces, tmp_path: Path
) -> None:
    async with company(wire, tmp_path, *(one.part for one in HOLD_UPS)) as cast:
        await play(*(_holds(cast[one.part.name], one) for one in HOLD_UPS))


async def _holds(host: Actor, hold_up: HoldUp) -> None:
    await host.is_up()
    await host.do(**hold_up.begins)
    _names(await refused(host.switch("turn_off")), hold_up)
    if not hold_up.forcible:
        _names(await refused(host.act("shutdown_server", force=True)), hold_up)

    await _count_down(host, hold_up)
    shown = [hold_up.shown_as or hold_up.reason]
    await host.becomes(lambda: host.held_by() == shown, _DUE_WITHIN)
    assert host.state("state") == "countdown"
    assert host.state("shutdown_at") == "unknown"
    assert host.state("power") == "on"
    _names(await refused(host.switch("turn_off")), hold_up)
    assert power_commands(await host.evidence()) == []

    await host.do(**hold_up.ends)
    await host.becomes(lambda: host.state("shutdown_at") != "unknown", _DUE_WITHIN)
    assert host.held_by() == []
    await host.shows("state", "off", within=_ASLEEP_WITHIN)
    assert power_commands(await host.evidence()) == ["shutdown"]
    assert host.course("state") == ["running", "countdown", "stopping", "off"]
    expected = ["countdown_started", "shutdown_held", "countdown_started", "shutdown_sent"]
    told = [kind for kind in await host.journal() if kind not in ("refused", "mode_changed")]
    assert told == [*expected, "asleep"]


async def _count_down(host: Actor, hold_up: HoldUp) -> None:
    """Let a countdown begin, by itself where that can be."""
    await host.become_automatic()
    if hold_up.rests:
        await host.shows("state", "countdown", within=10)
    else:
        assert host.state("state") == "running"
        await host.act("shutdown_server", delay_minutes=1)
        await host.shows("state", "countdown")
    assert host.attribute("state", "cause") == ("idle" if hold_up.rests else "asked")
    assert host.state("shutdown_at") != "unknown"


def _names(error: CallError, hold_up: HoldUp) -> None:
    """See that a refusal says what stands in the way."""
    assert error.key == hold_up.refused_with, error
    for name in hold_up.names:
        assert name in str(error), error
