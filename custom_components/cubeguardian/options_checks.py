"""What can be wrong in a section of the options: each check returns a key of the translations."""

from collections.abc import Mapping
import os
from pathlib import Path
from typing import Any

from homeassistant.const import CONF_HOST
from homeassistant.core import HomeAssistant

from .const import (
    CONF_BROADCAST,
    CONF_FORBIDDING,
    CONF_INTERFACE,
    CONF_NODE,
    CONF_PEER,
    CONF_SECURE_ON,
    CONF_SSH_KEY_PATH,
    CONF_SSH_USER,
    CONF_TOKEN_ID,
    CONF_WANTING,
    CONF_WATTS_ASLEEP,
    CONF_WATTS_ON,
)
from .flow_input import broadcast_list, read_host, valid_ip, valid_secure_on


def automatic_error(automatic: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the section about sleeping by itself."""
    both = set(automatic[CONF_WANTING]) & set(automatic[CONF_FORBIDDING])
    return "wants_and_forbids" if both else None


def wake_error(wake: dict[str, Any], mac: str) -> str | None:
    """Return what is wrong with the Wake-on-LAN section; the broadcasts are put in order."""
    try:
        if CONF_BROADCAST in wake:
            wake[CONF_BROADCAST] = broadcast_list(wake[CONF_BROADCAST])
    except ValueError:
        return "invalid_broadcast"
    if CONF_INTERFACE in wake and not valid_ip(wake[CONF_INTERFACE]):
        return "invalid_interface"
    if CONF_SECURE_ON in wake and not valid_secure_on(mac, wake[CONF_SECURE_ON]):
        return "invalid_secure_on"
    return None


def peer_error(wake: dict[str, Any], data: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the cluster peer; its address is brought into its normal form."""
    if CONF_PEER not in wake:
        return None
    peer = read_host(wake[CONF_PEER])
    if peer is None or peer == data[CONF_HOST]:
        return "invalid_peer"
    wake[CONF_PEER] = peer
    return None if data.get(CONF_TOKEN_ID) and data.get(CONF_NODE) else "peer_needs_token"


async def ssh_error(hass: HomeAssistant, ssh: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the SSH login."""
    user, key_path = ssh.get(CONF_SSH_USER), ssh.get(CONF_SSH_KEY_PATH)
    if user is None and key_path is None:
        return None
    if user is None:
        return "ssh_user_missing"
    if key_path is None:
        return "ssh_key_missing"
    return await hass.async_add_executor_job(_key_error, Path(key_path))


def energy_error(energy: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the energy section."""
    sleeps_for_less = energy[CONF_WATTS_ASLEEP] < energy[CONF_WATTS_ON]
    return None if sleeps_for_less else "nothing_saved"


def _key_error(path: Path) -> str | None:
    """Return what is wrong with the file of the private key; blocking."""
    if not path.is_file():
        return "key_not_found"
    return None if os.access(path, os.R_OK) else "key_not_readable"
