"""What the other guests of a host mean for its sleep, as a person has chosen."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry

from .const import (
    CONF_GUESTS,
    CONF_GUESTS_KEEP_AWAKE,
    CONF_GUESTS_PROTECTED,
    CONF_GUESTS_SLEEP,
    CONF_VMID,
)
from .guardian import GuestRole
from .server_manager import Guest

# The most careful role last: it wins where a guest is in two lists.
LISTS: Final[Mapping[str, GuestRole]] = {
    CONF_GUESTS_SLEEP: GuestRole.SLEEPS_WITH_HOST,
    CONF_GUESTS_KEEP_AWAKE: GuestRole.KEEPS_AWAKE,
    CONF_GUESTS_PROTECTED: GuestRole.PROTECTED,
}


def chosen_roles(options: Mapping[str, Any]) -> dict[int, GuestRole]:
    """Return the role of every guest that has one; what is no number was never a guest."""
    lists = options.get(CONF_GUESTS, {})
    return {
        int(vmid): role
        for key, role in LISTS.items()
        for vmid in lists.get(key, ())
        if str(vmid).isdecimal()
    }


def game_vmids(entry: ConfigEntry[Any]) -> frozenset[int]:
    """Return the guests that game servers of this host run in."""
    found = (subentry.data.get(CONF_VMID) for subentry in entry.subentries.values())
    return frozenset(vmid for vmid in found if vmid)


def keeping_awake(
    entry: ConfigEntry[Any], guests: Iterable[Guest], own: frozenset[int]
) -> tuple[Guest, ...]:
    """Return the running guests that keep the host awake, by role or for want of one."""
    chosen = chosen_roles(entry.options)
    quiet = {vmid for vmid, role in chosen.items() if role is not GuestRole.KEEPS_AWAKE}
    quiet |= own | (game_vmids(entry) - chosen.keys())
    return tuple(guest for guest in guests if guest.running and guest.vmid not in quiet)


def without_role(
    entry: ConfigEntry[Any], guests: Iterable[Guest], own: frozenset[int]
) -> tuple[Guest, ...]:
    """Return the running guests that nobody has given a role.

    One that is stopped holds nothing up; it is asked for when it runs.
    """
    chosen = chosen_roles(entry.options).keys()
    return tuple(guest for guest in keeping_awake(entry, guests, own) if guest.vmid not in chosen)


def in_two_lists(typed: Mapping[str, Any]) -> bool:
    """Tell whether a guest was given two roles."""
    vmids = [vmid for key in LISTS for vmid in typed.get(key, ())]
    return len(vmids) > len(set(vmids))


def named(guests: Iterable[Guest]) -> str:
    """Return guests as a person knows them, for a text."""
    return ", ".join(f"{guest.name} ({guest.vmid})" for guest in guests)
