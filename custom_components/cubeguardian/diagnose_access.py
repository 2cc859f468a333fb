"""The checks of what the host lets us do: certificate, token, rights, guests, clock, SSH."""

from homeassistant.util import dt as dt_util

from .const import (
    CONF_NODE,
    CONF_PEER,
    CONF_SSH,
    CONF_SSH_HOST_KEY,
    CONF_SSH_KEY_PATH,
    CONF_SSH_PORT,
    CONF_TOKEN_ID,
    CONF_VMID,
    CONF_WAKE_ON_LAN,
    DEFAULT_SSH_PORT,
)
from .diagnose_case import Case, Finding, failed, ok, skipped, warning
from .flow_checks import colon_hex
from .server_manager import (
    AuthenticationError,
    CertificateError,
    KeyFileError,
    PermissionDeniedError,
    ServerManagerError,
    accepts,
    fetch_certificate,
    needed_rights,
    pveum_lines,
)

# Each check as a whole has its own, longer limit.
TIMEOUT = 5.0
# Proxmox answers a refused token three seconds late.
TOKEN_TIMEOUT = 7.0
CLOCK_TOLERANCE = 60


async def check_certificate(case: Case) -> list[Finding]:
    """Shake hands and look whether the certificate is the trusted one; nothing is sent."""
    if (proxmox := case.api()) is None:
        return [skipped("certificate", case.reason())]
    try:
        trusted = await accepts(case.host, case.port, proxmox.trust, TIMEOUT / 2)
        presented = await fetch_certificate(case.host, case.port, TIMEOUT / 2)
    except ServerManagerError as err:
        case.shut = "skipped_certificate"
        text = "no_tls" if isinstance(err, CertificateError) else "error"
        return [failed("certificate", text, message=str(err), port=str(case.port))]
    fingerprint = colon_hex(presented.fingerprint)
    if not trusted:
        case.shut = "skipped_certificate"
        return [failed("certificate", "certificate_untrusted", fingerprint=fingerprint)]
    return [ok("certificate", "certificate_trusted", fingerprint=fingerprint)]


async def check_token(case: Case) -> list[Finding]:
    """Use the token for the cheapest question there is."""
    if (proxmox := case.api()) is None:
        return [skipped("token", case.reason())]
    token = str(case.entry.data[CONF_TOKEN_ID])
    try:
        version = await proxmox.version(timeout=TOKEN_TIMEOUT)
    except ServerManagerError as err:
        case.shut = "skipped_token"
        if isinstance(err, AuthenticationError):
            return [failed("token", "token_refused", token=token)]
        return [failed("token", "error", message=str(err))]
    return [ok("token", "token_accepted", token=token, version=version)]


async def check_rights(case: Case) -> list[Finding]:
    """Compare the token's rights with those that are needed, one finding each."""
    if (proxmox := case.api()) is None:
        return [skipped("right", case.reason())]
    token = str(case.entry.data[CONF_TOKEN_ID])
    missing = await proxmox.missing_rights(case.vmids(), timeout=TIMEOUT)
    findings = []
    for right in needed_rights(await proxmox.find_node(timeout=TIMEOUT), case.vmids()):
        check = f"right:{right.path}:{right.privilege}"
        values = {"privilege": right.privilege, "path": right.path}
        if right in missing:
            lines = "\n".join(pveum_lines(token, (right,)))
            findings.append(failed(check, "right_missing", commands=lines, **values))
        else:
            findings.append(ok(check, "right_held", **values))
    return findings


async def check_guests(case: Case) -> list[Finding]:
    """Look whether the guests of the game servers are there."""
    games = list(case.games())
    if not games:
        return [skipped("guest", "no_games")]
    if (proxmox := case.api()) is None:
        return [skipped(f"guest:{game.title}", case.reason()) for game in games]
    guests = {guest.vmid: guest for guest in await proxmox.guests(timeout=TIMEOUT)}
    findings = []
    for game in games:
        check, vmid = f"guest:{game.title}", game.data.get(CONF_VMID)
        if vmid is None:
            findings.append(skipped(check, "guest_unset"))
        elif (guest := guests.get(vmid)) is None:
            findings.append(failed(check, "guest_missing", vmid=str(vmid)))
        else:
            findings.append(ok(check, "guest_found", vmid=str(vmid), name=guest.name))
    return findings


async def check_clock(case: Case) -> list[Finding]:
    """Compare the clocks: certificates, backups and countdowns go by them."""
    if (proxmox := case.api()) is None:
        return [skipped("clock", case.reason())]
    try:
        theirs = await proxmox.clock(timeout=TIMEOUT)
    except PermissionDeniedError:
        return [skipped("clock", "clock_hidden")]
    apart = round(abs((theirs - dt_util.utcnow()).total_seconds()))
    if apart > CLOCK_TOLERANCE:
        return [warning("clock", "clock_apart", seconds=str(apart))]
    return [ok("clock", "clock_right")]


async def check_peer(case: Case) -> list[Finding]:
    """Ask the other node of the cluster; it is there even if the host is asleep."""
    peer = case.options(CONF_WAKE_ON_LAN).get(CONF_PEER)
    if not peer:
        return [skipped("peer", "peer_unset")]
    values = {"peer": str(peer), "node": str(case.entry.data.get(CONF_NODE))}
    try:
        nodes = await case.manager.peer_nodes(TIMEOUT)
    except ServerManagerError as err:
        return [failed("peer", "peer_fails", message=str(err), **values)]
    if values["node"] not in nodes:
        return [failed("peer", "peer_stranger", **values)]
    return [ok("peer", "peer_ready", **values)]


async def check_ssh(case: Case) -> list[Finding]:
    """Look whether the SSH login could work; nobody logs in."""
    ssh, manager = case.options(CONF_SSH), case.manager.ssh_manager
    if not ssh.get(CONF_SSH_KEY_PATH):
        return [skipped("ssh_key", "ssh_unset")]
    try:
        await manager.check_key(ssh[CONF_SSH_KEY_PATH])
        key = ok("ssh_key", "ssh_key_usable")
    except KeyFileError as err:
        key = failed("ssh_key", "ssh_key_unusable", message=str(err))
    return [key, await _check_host_key(case)]


async def _check_host_key(case: Case) -> Finding:
    """Look whether the host presents the pinned key."""
    ssh = case.options(CONF_SSH)
    port = ssh.get(CONF_SSH_PORT, DEFAULT_SSH_PORT)
    if not ssh.get(CONF_SSH_HOST_KEY):
        return failed("ssh_host_key", "ssh_host_key_unset")
    if case.silent:
        return skipped("ssh_host_key", case.silent)
    try:
        presented = await case.manager.ssh_manager.fetch_host_key(case.host, port, TIMEOUT)
    except ServerManagerError as err:
        return failed("ssh_host_key", "ssh_silent", port=str(port), message=str(err))
    if presented.key != ssh[CONF_SSH_HOST_KEY]:
        return failed("ssh_host_key", "ssh_host_key_changed", fingerprint=presented.fingerprint)
    return ok("ssh_host_key", "ssh_host_key_pinned", fingerprint=presented.fingerprint)
