"""Diagnostics that can be posted in public: no secrets, no addresses, no names."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from homeassistant.components.diagnostics import REDACTED, async_redact_data
from homeassistant.const import CONF_ADDRESS, CONF_HOST, CONF_LANGUAGE
from homeassistant.core import HomeAssistant

from .bot_diagnostics import async_describe_bot
from .const import (
    CONF_ALERTS,
    CONF_BROADCAST,
    CONF_FORBIDDING,
    CONF_GROUPS,
    CONF_INTERFACE,
    CONF_LIVE_STATUS,
    CONF_MAC,
    CONF_MANAGEMENT_SECRET,
    CONF_NODE,
    CONF_POWER_SENSOR,
    CONF_PUBLIC_ADDRESS,
    CONF_SECURE_ON,
    CONF_SSH_HOST_KEY,
    CONF_SSH_KEY_PATH,
    CONF_SSH_USER,
    CONF_TOKEN_ID,
    CONF_TOKEN_SECRET,
    CONF_WANTING,
)
from .discord_link import WebhookLink
from .guardian import HOST, HoldUp, JournalEntry, Lease, ThingView
from .observed import GameData, HostData
from .runtime import CubeGuardianConfigEntry
from .savings import SavingsMeter

TO_REDACT: Final = {
    CONF_ADDRESS,
    CONF_BROADCAST,
    CONF_FORBIDDING,
    CONF_HOST,
    CONF_INTERFACE,
    CONF_MAC,
    CONF_MANAGEMENT_SECRET,
    CONF_NODE,
    CONF_POWER_SENSOR,
    CONF_PUBLIC_ADDRESS,
    CONF_SECURE_ON,
    CONF_SSH_HOST_KEY,
    CONF_SSH_KEY_PATH,
    CONF_SSH_USER,
    CONF_TOKEN_ID,
    CONF_TOKEN_SECRET,
    CONF_WANTING,
    "fingerprint",
    "pem",
    "peer",
}
JOURNAL_ENTRIES: Final = 50
GONE: Final = "game server that is gone"
# What details may show; everything else could name somebody, or is somebody's own text.
TELLING: Final = frozenset(
    {
        "after",
        "before",
        "code",
        "command",
        "mode",
        "on",
        "phase",
        "seconds",
        "until",
        "vmid",
    }
)
TELLING_HOLD_UP: Final = frozenset({"at", "count", "reason", "task", "vmid"})


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: CubeGuardianConfigEntry
) -> dict[str, Any]:
    """Return what helps to understand a host, game servers numbered instead of named."""
    runtime = entry.runtime_data
    snapshot = runtime.guardian.snapshot
    numbers = {HOST: HOST} | {
        game_id: f"game server {number}" for number, game_id in enumerate(runtime.games, 1)
    }
    return {
        "entry": {
            "version": f"{entry.version}.{entry.minor_version}",
            "data": async_redact_data(dict(entry.data), TO_REDACT),
            "options": async_redact_data(dict(entry.options), TO_REDACT),
        },
        "guardian": {
            "mode": snapshot.mode.value,
            "watch": snapshot.watch.value,
            "next_wakeup": runtime.guardian.next_wakeup,
            "idle_minutes": snapshot.idle_minutes,
            "leases": [_lease(one, numbers) for one in snapshot.leases],
            "vetoes": len(snapshot.vetoes),
            "protected_guests": sorted(snapshot.protected),
        },
        "savings": _saved(runtime.savings),
        "host": {"decided": _decided(snapshot.host), "seen": _host_seen(runtime.host.data)},
        "game_servers": {
            numbers[game_id]: {
                "settings": async_redact_data(dict(entry.subentries[game_id].data), TO_REDACT),
                "decided": _decided(snapshot.games[game_id]),
                "seen": _game_seen(game.data),
            }
            for game_id, game in runtime.games.items()
        },
        "webhooks": [
            _webhook(entry.subentries[subentry_id].data, link)
            for subentry_id, link in runtime.discord.webhooks.items()
        ],
        "bot": async_describe_bot(hass, entry),
        "journal": [_journalled(one, numbers) for one in snapshot.journal[-JOURNAL_ENTRIES:]],
    }


def _saved(meter: SavingsMeter) -> dict[str, Any]:
    """Return what sleep was counted, and by which watts."""
    return {
        "hours_asleep": meter.kept.asleep / 3600,
        "kwh_saved": meter.kept.saved,
        "asleep": meter.asleep,
        "watts_running": meter.watts_running,
        "watts_saved": meter.watts_saved,
        "hours_measured": meter.kept.measured / 3600,
    }


def _lease(lease: Lease, numbers: Mapping[str, str]) -> dict[str, Any]:
    """Return who wants what, without who."""
    return {
        "source": lease.source.value,
        "target": numbers.get(lease.target, GONE),
        "since": lease.since,
        "until": lease.until,
        "awaits_ready": lease.awaits_ready,
        "declined": lease.declined,
        "unknown": lease.unknown,
    }


def _decided(view: ThingView) -> dict[str, Any]:
    """Return what the guardian makes of one thing."""
    return {
        "state": view.state.value,
        "presence": view.presence.value,
        "since": view.since,
        "cause": view.cause and view.cause.value,
        "phase": view.phase and view.phase.value,
        "then": view.then.value,
        "deadline": view.deadline,
        "retry_at": view.retry_at,
        "wanted": view.wanted,
        "degraded": view.degraded,
        "hung": view.hung,
        "by": view.by and REDACTED,
        "held": [_held(one) for one in view.held],
        "players_online": view.players_online,
    }


def _held(hold_up: HoldUp) -> dict[str, str]:
    """Return a hold-up without who it is about."""
    return {"key": hold_up.key.value, **_only(hold_up.placeholders, TELLING_HOLD_UP)}


def _host_seen(data: HostData) -> dict[str, Any]:
    """Return the last look at the host."""
    reach, reading = data.reachability, data.reading
    return {
        "seen_at": data.seen_at,
        "resolvable": data.resolvable,
        "ping": reach and reach.ping,
        "port": reach and reach.port,
        "network": reach and reach.network,
        "latency_ms": reach and reach.latency_ms,
        "api": data.api.value,
        "error": data.error and data.error.code,
        "read_at": data.read_at,
        "version": reading and reading.status.version,
        "guests": reading
        and [
            {"vmid": one.vmid, "kind": one.kind.value, "status": one.status, "lock": one.lock}
            for one in reading.guests
        ],
        "tasks": reading and [{"kind": one.kind, "ours": one.ours} for one in reading.tasks],
        "backups": reading
        and reading.backups
        and [
            {
                "enabled": one.enabled,
                "next_run": one.next_run,
                "repeat_missed": one.repeat_missed,
            }
            for one in reading.backups
        ],
    }


def _game_seen(data: GameData) -> dict[str, Any]:
    """Return the last look at a game server."""
    status = data.status
    return {
        "seen_at": data.seen_at,
        "answers": data.answers,
        "port_open": data.port_open,
        "error": data.error and data.error.code,
        "version": status and status.version,
        "protocol": status and status.protocol,
        "players_online": status and status.players_online,
        "players_max": status and status.players_max,
        "players_named": status and len(status.players),
        "latency_ms": status and status.latency_ms,
    }


def _webhook(data: Mapping[str, Any], link: WebhookLink) -> dict[str, Any]:
    """Return what a webhook is told of and how it does, without where it leads."""
    shown = (CONF_GROUPS, CONF_ALERTS, CONF_LIVE_STATUS, CONF_LANGUAGE)
    return {
        **{key: data[key] for key in shown},
        "condition": link.notifier.condition.value,
        "waiting": link.notifier.waiting,
        "dropped": link.notifier.dropped,
    }


def _journalled(entry: JournalEntry, numbers: Mapping[str, str]) -> dict[str, Any]:
    """Return what was done, without by whom."""
    return {
        "at": entry.at,
        "kind": entry.kind,
        "target": numbers.get(entry.target, GONE),
        "by": entry.by and REDACTED,
        "success": entry.success,
        "error": entry.error,
        "details": _only(entry.details, TELLING),
    }


def _only(details: Mapping[str, str], telling: Collection[str]) -> dict[str, str]:
    """Return the details that name nobody."""
    return {key: value for key, value in details.items() if key in telling}
