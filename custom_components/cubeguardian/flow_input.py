"""What people type into the flows, brought into its normal form or refused field by field."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address
import re
from typing import Any, Final, Self

from homeassistant.const import CONF_HOST, CONF_PORT

from .const import CONF_MAC, CONF_NODE, CONF_TOKEN_ID, CONF_TOKEN_SECRET
from .server_manager import InvalidInputError, normalise_mac, parse_address
from .server_manager.wake_on_lan import magic_packet

TOKEN_ID: Final = re.compile(r"[^\s:/@!]+@[A-Za-z][\w.-]*![A-Za-z][\w.-]*")
TEXT_FIELDS: Final = (CONF_HOST, CONF_MAC, CONF_TOKEN_ID, CONF_TOKEN_SECRET, CONF_NODE)


class InputRefusedError(Exception):
    """Something is wrong; `errors` says at which field and why, as keys of the translations."""

    def __init__(self, errors: dict[str, str]) -> None:
        """Keep the errors of the form."""
        super().__init__(", ".join(errors.values()))
        self.errors = errors


@dataclass(frozen=True, slots=True, kw_only=True)
class HostInput:
    """What a person said about the host."""

    host: str
    port: int
    mac: str | None = None
    token_id: str | None = None
    token_secret: str | None = field(default=None, repr=False)
    node: str | None = None

    @classmethod
    def read(cls, typed: Mapping[str, Any]) -> Self:
        """Return the input in its normal form, or refuse all wrong fields at once."""
        text = {key: str(typed.get(key) or "").strip() for key in TEXT_FIELDS}
        errors: dict[str, str] = {}
        host = read_host(text[CONF_HOST])
        if host is None:
            errors[CONF_HOST] = "invalid_host"
        if text[CONF_MAC] and not valid_mac(text[CONF_MAC]):
            errors[CONF_MAC] = "invalid_mac"
        errors |= _token_errors(text[CONF_TOKEN_ID], text[CONF_TOKEN_SECRET])
        if errors or host is None:
            raise InputRefusedError(errors)
        return cls(
            host=host,
            port=int(typed[CONF_PORT]),
            mac=normalise_mac(text[CONF_MAC]) if text[CONF_MAC] else None,
            token_id=text[CONF_TOKEN_ID] or None,
            token_secret=text[CONF_TOKEN_SECRET] or None,
            node=text[CONF_NODE] or None,
        )

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Return what `to_data` gave."""
        return cls(
            host=data[CONF_HOST],
            port=data[CONF_PORT],
            mac=data[CONF_MAC],
            token_id=data.get(CONF_TOKEN_ID),
            token_secret=data.get(CONF_TOKEN_SECRET),
            node=data.get(CONF_NODE),
        )

    def to_data(self) -> dict[str, Any]:
        """Return what a config entry keeps of it."""
        return {
            CONF_HOST: self.host,
            CONF_PORT: self.port,
            CONF_MAC: self.mac,
            CONF_TOKEN_ID: self.token_id,
            CONF_TOKEN_SECRET: self.token_secret,
            CONF_NODE: self.node,
        }


def read_host(text: str) -> str | None:
    """Return the address or name of one machine as it is used, None where `text` is none."""
    bare = text.strip("[]")
    try:
        address = ip_address(bare)
    except ValueError:
        return _read_name(text)
    shared = address.is_unspecified or address.is_multicast or bare == "255.255.255.255"
    return None if shared else bare


def _read_name(text: str) -> str | None:
    """Return a host name in its ASCII form, None where `text` is none or names a port."""
    try:
        return None if ":" in text else parse_address(text).host
    except InvalidInputError:
        return None


def valid_mac(text: str) -> bool:
    """Tell whether `text` is a MAC address in one of the usual spellings."""
    try:
        normalise_mac(text)
    except InvalidInputError:
        return False
    return True


def valid_secure_on(mac: str, text: str) -> bool:
    """Tell whether `text` can be the SecureOn password of a magic packet."""
    try:
        magic_packet(mac, text)
    except InvalidInputError:
        return False
    return True


def valid_ip(text: str, *, version: int | None = None) -> bool:
    """Tell whether `text` is a literal IP address, of one version where that is given."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return version in (None, address.version)


def broadcast_list(text: str) -> str:
    """Return the IPv4 addresses in `text` as one line, comma separated.

    Raises ValueError for anything else, for IPv6 too: it knows no broadcast.
    """
    parts = text.replace(",", " ").replace(";", " ").split()
    return ", ".join(str(IPv4Address(part)) for part in parts)


def _token_errors(token_id: str, secret: str) -> dict[str, str]:
    """Say what is wrong with a token; none at all is fine."""
    if token_id and not TOKEN_ID.fullmatch(token_id):
        return {CONF_TOKEN_ID: "invalid_token_id"}
    if token_id and not secret:
        return {CONF_TOKEN_SECRET: "token_incomplete"}
    if secret and not token_id:
        return {CONF_TOKEN_ID: "token_incomplete"}
    return {}
