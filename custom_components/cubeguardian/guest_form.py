"""The question what each guest means for the sleep of its host."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
import voluptuous as vol

from .guest_roles import LISTS, in_two_lists
from .server_manager import Guest

VMIDS: Final = range(100, 1_000_000_000)


def seen_guests(entry: ConfigEntry[Any]) -> tuple[Guest, ...]:
    """Return the guests that were last seen on the host; none while nothing was read."""
    if entry.state is not ConfigEntryState.LOADED:
        return ()
    reading = entry.runtime_data.host.data.reading
    return reading.guests if reading else ()


def guest_options(guests: Iterable[Guest]) -> list[SelectOptionDict]:
    """Offer guests by number and name; a template never runs."""
    return [
        SelectOptionDict(value=str(guest.vmid), label=f"{guest.vmid} · {guest.name}")
        for guest in sorted(guests, key=lambda guest: guest.vmid)
        if not guest.template
    ]


def guest_fields(
    options: list[SelectOptionDict], *, any_number: bool = False
) -> dict[vol.Marker, Any]:
    """Return one list for each role that can be given; `any_number` lets people type one, too."""
    several = SelectSelector(
        SelectSelectorConfig(
            options=options,
            multiple=True,
            custom_value=any_number,
            mode=SelectSelectorMode.DROPDOWN,
        )
    )
    return {vol.Optional(name, default=list): several for name in LISTS}


def tidy_guests(typed: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return each list without blanks and doubles, in the order of the numbers."""
    lists = {name: {vmid.strip() for vmid in typed.get(name, ())} - {""} for name in LISTS}
    return {
        name: sorted(vmids, key=lambda vmid: (len(vmid), vmid)) for name, vmids in lists.items()
    }


def guests_error(lists: Mapping[str, list[str]]) -> str | None:
    """Return what is wrong with the lists."""
    if not all(valid_vmid(vmid) for vmids in lists.values() for vmid in vmids):
        return "not_a_guest"
    return "guest_in_two_lists" if in_two_lists(lists) else None


def valid_vmid(text: str) -> bool:
    """Tell whether `text` is a number that a guest can have."""
    return text.isascii() and text.isdecimal() and int(text) in VMIDS
