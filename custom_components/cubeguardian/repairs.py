"""Raise what a person has to mend, and lead through the mending."""

from collections.abc import Iterable, Sequence
import json
import shlex
from typing import Any, Final, override

from homeassistant.components.repairs import (
    ConfirmRepairFlow,
    RepairsFlow,
    RepairsFlowContext,
    RepairsFlowResult,
)
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_HOST
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.selector import SelectOptionDict
import voluptuous as vol

from .bot_link import async_get_bot
from .bot_repair import BOT_KINDS, BotRepairFlow
from .const import CONF_GUESTS, CONF_GUESTS_KEEP_AWAKE, CONF_MAC, CONF_TOKEN_SECRET, DOMAIN
from .flow_checks import HostChecks, colon_hex
from .flow_steps import HostSteps
from .guest_form import guest_fields, guests_error, tidy_guests
from .guest_roles import LISTS, named
from .server_manager import BackupJob, Guest, MissingRight
from .webhook_repair import WEBHOOK_GONE, WebhookRepairFlow, async_clear_removed

CERTIFICATE_CHANGED: Final = "certificate_changed"
MISSING_RIGHTS: Final = "missing_rights"
UNCHECKED_HOST: Final = "unchecked_host"
ADDRESS_CONFLICT: Final = "address_conflict"
STORAGE_DAMAGED: Final = "storage_damaged"
WAKE_FAILED: Final = "wake_failed"
WAKE_FAILED_PING: Final = "wake_failed_ping"
WAKE_FAILED_UNSENT: Final = "wake_failed_unsent"
GUESTS_WITHOUT_ROLE: Final = "guests_without_role"
KEPT_AWAKE: Final = "kept_awake"
BACKUP_MISSED: Final = "backup_missed"
HOST_HUNG: Final = "host_hung"
OWN_GUEST: Final = "own_guest"
ABOUT_ROLES: Final = (GUESTS_WITHOUT_ROLE, KEPT_AWAKE)
KINDS: Final = (
    CERTIFICATE_CHANGED,
    MISSING_RIGHTS,
    UNCHECKED_HOST,
    ADDRESS_CONFLICT,
    STORAGE_DAMAGED,
    WAKE_FAILED,
    GUESTS_WITHOUT_ROLE,
    KEPT_AWAKE,
    BACKUP_MISSED,
    HOST_HUNG,
    OWN_GUEST,
)


@callback
def async_raise_certificate_changed(
    hass: HomeAssistant, entry: ConfigEntry[Any], old: str, new: str
) -> None:
    """Ask a person to compare the certificate that the host presents now."""
    _raise(hass, entry, CERTIFICATE_CHANGED, old=colon_hex(old), new=colon_hex(new))


@callback
def async_raise_missing_rights(
    hass: HomeAssistant, entry: ConfigEntry[Any], missing: Sequence[MissingRight]
) -> None:
    """Say which rights the token lacks."""
    lacking = ", ".join(f"{right.privilege} ({right.path})" for right in missing)
    _raise(hass, entry, MISSING_RIGHTS, missing=lacking)


@callback
def async_raise_unchecked(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Ask for the checks of a host that was added while it slept."""
    _raise(hass, entry, UNCHECKED_HOST)


@callback
def async_raise_address_conflict(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Say that something answers ping at the host's address that never becomes the host."""
    _raise(hass, entry, ADDRESS_CONFLICT, fixable=False)


@callback
def async_raise_storage_damaged(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Say that what was stored could not be read, and where it is now."""
    file = f".storage/{DOMAIN}.{entry.entry_id}.damaged"
    _raise(hass, entry, STORAGE_DAMAGED, persistent=True, file=file)


@callback
def async_raise_wake_failed(
    hass: HomeAssistant, entry: ConfigEntry[Any], *, sent: bool, pinged: bool
) -> None:
    """Say how far waking comes, time after time, and what to look at."""
    told = WAKE_FAILED_PING if pinged else WAKE_FAILED
    _raise(
        hass,
        entry,
        WAKE_FAILED,
        told=told if sent else WAKE_FAILED_UNSENT,
        fixable=False,
        persistent=True,
        mac=entry.data[CONF_MAC],
    )


@callback
def async_raise_guests_without_role(
    hass: HomeAssistant, entry: ConfigEntry[Any], guests: Sequence[Guest]
) -> None:
    """Ask what some running guests mean for the sleep of their host."""
    _raise_about_roles(hass, entry, GUESTS_WITHOUT_ROLE, guests)


@callback
def async_raise_kept_awake(
    hass: HomeAssistant, entry: ConfigEntry[Any], guests: Sequence[Guest]
) -> None:
    """Say which guests have kept the host awake for a day."""
    _raise_about_roles(hass, entry, KEPT_AWAKE, guests)


@callback
def async_raise_backup_missed(
    hass: HomeAssistant, entry: ConfigEntry[Any], jobs: Iterable[BackupJob]
) -> None:
    """Say which backup jobs are lost whenever the host sleeps at their time, and the remedy."""
    commands = "\n".join(
        f"pvesh set /cluster/backup/{shlex.quote(job.id)} --repeat-missed 1" for job in jobs
    )
    _raise(hass, entry, BACKUP_MISSED, fixable=False, commands=commands)


@callback
def async_raise_host_hung(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Say that the host draws power and answers nothing."""
    _raise(hass, entry, HOST_HUNG, fixable=False)


@callback
def async_raise_own_guest(
    hass: HomeAssistant, entry: ConfigEntry[Any], guests: Sequence[Guest]
) -> None:
    """Say that Home Assistant would switch itself off together with the host."""
    _raise(hass, entry, OWN_GUEST, fixable=False, guests=named(guests))


@callback
def async_clear(hass: HomeAssistant, entry: ConfigEntry[Any], kind: str) -> None:
    """Take a repair back that is no longer needed."""
    ir.async_delete_issue(hass, DOMAIN, _issue_id(entry, kind))


@callback
def async_clear_all(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Take all repairs of a host back, as when it is removed."""
    for kind in KINDS:
        async_clear(hass, entry, kind)
    async_clear_removed(hass, entry, all_of_them=True)


def _issue_id(entry: ConfigEntry[Any], kind: str) -> str:
    """Return the id of one kind of repair of one host."""
    return f"{kind}_{entry.entry_id}"


def _raise_about_roles(
    hass: HomeAssistant, entry: ConfigEntry[Any], kind: str, guests: Sequence[Guest]
) -> None:
    """Create or renew a repair that roles mend; their names are kept for when the host sleeps."""
    known = json.dumps({str(guest.vmid): guest.name for guest in guests})
    _raise(hass, entry, kind, guests=named(guests), known=known)


def _raise(
    hass: HomeAssistant,
    entry: ConfigEntry[Any],
    kind: str,
    *,
    told: str | None = None,
    fixable: bool = True,
    persistent: bool = False,
    **placeholders: str,
) -> None:
    """Create or renew a repair; `placeholders` go into its texts, those of `told`."""
    shown = {"name": entry.title, "host": entry.data[CONF_HOST], **placeholders}
    ir.async_create_issue(
        hass,
        DOMAIN,
        _issue_id(entry, kind),
        data={"entry_id": entry.entry_id, "kind": kind, **shown},
        is_fixable=fixable,
        is_persistent=persistent,
        severity=ir.IssueSeverity.WARNING,
        translation_key=told or kind,
        translation_placeholders=shown,
    )


class HostRepairFlow(HostSteps[RepairsFlowContext, RepairsFlowResult], RepairsFlow):
    """Run the checks of set-up again, show what needs a person, and keep the outcome."""

    def __init__(self, entry: ConfigEntry[Any] | None, kind: str, shown: dict[str, str]) -> None:
        """Mend the host of `entry`; `shown` are the placeholders of the repair."""
        self._entry = entry
        self._shown = shown
        if kind == MISSING_RIGHTS:
            self.rights_menu = ("check_rights",)

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Start the checks from what the entry knows."""
        if self._entry is None:
            return self.async_abort(reason="entry_gone")
        self.checks = HostChecks.of_entry(self.hass, self._entry)
        return await self.async_advance()

    async def async_step_asleep(self) -> RepairsFlowResult:
        """Wait for another time: nothing can be checked on a host that sleeps."""
        return self.async_abort(reason="host_asleep")

    async def async_step_starting(self) -> RepairsFlowResult:
        """Wait for another time: the host is not up yet."""
        return self.async_abort(reason="host_asleep")

    async def async_step_done(self) -> RepairsFlowResult:
        """Keep what was found; the update listener reloads the entry where that is news."""
        if self._entry is not None:
            data = {**self._entry.data, **self.checks.entry_data(unchecked=False)}
            self.hass.config_entries.async_update_entry(self._entry, data=data)
        return self.async_create_entry(data={})

    @override
    def certificate_placeholders(self) -> dict[str, str]:
        """Show the certificate trusted so far beside the new one."""
        return {**self._shown, **super().certificate_placeholders()}

    @override
    async def async_refused(self, errors: dict[str, str]) -> RepairsFlowResult:
        """Send a refused token to reauthentication, anything else to another try."""
        if self._entry is not None and CONF_TOKEN_SECRET in errors:
            self._entry.async_start_reauth(self.hass)
            return self.async_abort(reason="invalid_auth")
        return self.async_abort(reason="check_failed")


class GuestRolesFlow(RepairsFlow):
    """Let a person give the guests their roles."""

    def __init__(self, entry: ConfigEntry[Any] | None, shown: dict[str, str]) -> None:
        """Ask about the guests of `entry`; `shown` are the placeholders of the repair."""
        self._entry = entry
        self._shown = shown

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Ask, unless the host has gone."""
        return await self.async_step_roles()

    async def async_step_roles(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Keep the lists among the options; the update listener reloads the entry with them."""
        if self._entry is None:
            return self.async_abort(reason="entry_gone")
        known = json.loads(self._shown["known"])
        typed = tidy_guests(user_input or _with_proposal(self._entry, known))
        error = guests_error(typed) if user_input is not None else None
        if user_input is not None and error is None:
            options = {**self._entry.options, CONF_GUESTS: typed}
            self.hass.config_entries.async_update_entry(self._entry, options=options)
            return self.async_create_entry(data={})
        schema = vol.Schema(guest_fields(_offered(known, typed)))
        return self.async_show_form(
            step_id="roles",
            data_schema=self.add_suggested_values_to_schema(schema, typed),
            errors={"base": error} if error else {},
            description_placeholders=self._shown,
        )


def _with_proposal(entry: ConfigEntry[Any], known: dict[str, str]) -> dict[str, list[str]]:
    """Return the lists so far; who is in none is proposed as what it counts for until then."""
    chosen = entry.options.get(CONF_GUESTS, {})
    lists = {key: list(chosen.get(key, ())) for key in LISTS}
    listed = {vmid for vmids in lists.values() for vmid in vmids}
    lists[CONF_GUESTS_KEEP_AWAKE] += known.keys() - listed
    return lists


def _offered(known: dict[str, str], lists: dict[str, list[str]]) -> list[SelectOptionDict]:
    """Return every guest that can be put in a list."""
    listed = {vmid: vmid for vmids in lists.values() for vmid in vmids}
    labels = listed | {vmid: f"{vmid} · {name}" for vmid, name in known.items()}
    return [SelectOptionDict(value=vmid, label=labels[vmid]) for vmid in sorted(labels, key=int)]


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """Return the flow that mends a repair."""
    shown = {key: str(value) for key, value in (data or {}).items()}
    entry = hass.config_entries.async_get_entry(shown.pop("entry_id", ""))
    kind = shown.pop("kind", "")
    if kind == STORAGE_DAMAGED:
        return ConfirmRepairFlow()
    if kind in ABOUT_ROLES:
        return GuestRolesFlow(entry, shown)
    if kind in BOT_KINDS:
        return BotRepairFlow(async_get_bot(hass).async_restart, kind)
    if kind == WEBHOOK_GONE:
        return WebhookRepairFlow(entry, shown)
    return HostRepairFlow(entry, kind, shown)
