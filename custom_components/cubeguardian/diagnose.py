"""Check now, one after another, all that waking, watching and shutting down needs."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations

from .const import DOMAIN
from .diagnose_access import (
    check_certificate,
    check_clock,
    check_guests,
    check_peer,
    check_rights,
    check_ssh,
    check_token,
)
from .diagnose_case import Case, Finding, Result, failed
from .diagnose_reach import (
    check_api_port,
    check_games,
    check_magic_packet,
    check_name,
    check_network,
    check_ping,
    check_segment,
)
from .server_manager import OperationResult, ServerManagerError, succeeded
from .targets import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check, and the seconds that it gets."""

    key: str
    run: Callable[[Case], Awaitable[list[Finding]]]
    limit: float


# In this order: each may rely on what those before it have found out.
CHECKS: Final = (
    Check(key="name", run=check_name, limit=4),
    Check(key="network", run=check_network, limit=5),
    Check(key="ping", run=check_ping, limit=4),
    Check(key="api_port", run=check_api_port, limit=1),
    Check(key="certificate", run=check_certificate, limit=6),
    Check(key="token", run=check_token, limit=8),
    Check(key="right", run=check_rights, limit=8),
    Check(key="guest", run=check_guests, limit=6),
    Check(key="clock", run=check_clock, limit=4),
    Check(key="magic_packet", run=check_magic_packet, limit=6),
    Check(key="peer", run=check_peer, limit=6),
    Check(key="segment", run=check_segment, limit=2),
    Check(key="game_server", run=check_games, limit=8),
    Check(key="ssh", run=check_ssh, limit=8),
)


async def async_diagnose(hass: HomeAssistant, target: Target) -> OperationResult:
    """Run every check on the host of `target`; nothing is sent that changes anything."""
    case = Case(hass=hass, entry=target.entry, runtime=target.runtime)
    findings = [finding for check in CHECKS for finding in await _run(check, case)]
    texts = await async_get_translations(hass, hass.config.language, "common", {DOMAIN})
    results = [finding.result for finding in findings]
    counts = {result.value: str(results.count(result)) for result in Result}
    faultless = Result.FAILED not in results and Result.WARNING not in results
    told = succeeded(
        _text(texts, "all_well" if faultless else "problems", counts),
        operation="diagnose",
        checks=[_row(texts, finding) for finding in findings],
    )
    return {**told, "success": Result.FAILED not in results}


async def _run(check: Check, case: Case) -> list[Finding]:
    """Run one check within its time."""
    try:
        async with asyncio.timeout(check.limit):
            return await check.run(case)
    except TimeoutError:
        return [failed(check.key, "no_answer", seconds=f"{check.limit:.0f}")]
    except ServerManagerError as err:
        return [failed(check.key, "error", message=str(err))]


def _row(texts: dict[str, str], finding: Finding) -> dict[str, Any]:
    """Put a finding into words; not every one has an advice."""
    return {
        "check": finding.check,
        "result": finding.result.value,
        "finding": _text(texts, finding.text, finding.values),
        "advice": _text(texts, f"{finding.text}_advice", finding.values),
    }


def _text(texts: dict[str, str], key: str, values: dict[str, str]) -> str:
    """Return a text in Home Assistant's language, which falls back to English by itself."""
    return texts.get(f"component.{DOMAIN}.common.diagnose_{key}", "").format(**values)
