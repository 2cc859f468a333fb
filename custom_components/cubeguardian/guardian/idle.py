"""Wanted by nobody: when that leads down."""

from datetime import datetime

from .moment import Moment
from .observation import Presence
from .status import Demand, Settings, State, Status


def may_go_down(moment: Moment) -> bool:
    """R1, F4: seen up, wanted by nobody, and allowed to go down for that."""
    demand = moment.demand
    return moment.presence is Presence.UP and demand.may_rest and not demand.live


def has_rested(moment: Moment) -> bool:
    """R1: wanted by nobody for long enough, and up for long enough."""
    due = rest_due(moment.status, moment.settings, moment.demand)
    return may_go_down(moment) and moment.passed(due)


def rest_due(status: Status, settings: Settings, demand: Demand) -> datetime | None:
    """R1: give the instant at which an idle countdown begins, if nothing changes until then."""
    if status.state is not State.RUNNING or demand.live or not demand.may_rest:
        return None
    if demand.idle_since is None:
        return None
    return max(demand.idle_since + settings.quiet_for, status.since + settings.up_for)
