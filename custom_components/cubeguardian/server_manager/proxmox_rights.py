"""Know which rights the token needs, and the commands that grant them (design section 4)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
import shlex

from .errors import InvalidInputError

ROLE = "CubeGuardian"
_ROLE_PRIVILEGES = ("Sys.Audit", "Sys.PowerMgmt", "VM.PowerMgmt")
_GUESTS = "/vms"


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingRight:
    """Hold a privilege that the token lacks on a path."""

    path: str
    privilege: str


ALL_GUESTS = MissingRight(path=_GUESTS, privilege="VM.Audit")


def needed_rights(node: str, vmids: Collection[int]) -> tuple[MissingRight, ...]:
    """Return every right that is needed: on the node, on all guests, on each game's guest."""
    return (
        MissingRight(path=f"/nodes/{node}", privilege="Sys.Audit"),
        MissingRight(path=f"/nodes/{node}", privilege="Sys.PowerMgmt"),
        ALL_GUESTS,
        *(
            MissingRight(path=f"{_GUESTS}/{vmid}", privilege="VM.PowerMgmt")
            for vmid in sorted(set(vmids))
        ),
    )


def must_propagate(right: MissingRight) -> bool:
    """Tell whether a right only helps if it also holds below its path."""
    return right.path == _GUESTS


def pveum_lines(user_token: str, missing: Sequence[MissingRight]) -> tuple[str, ...]:
    """Return the commands for a root shell on the node that grant what is missing.

    `user_token` is "user@realm!name". Without privilege separation the token has what its user
    has, so that one grant for each path is enough.
    """
    if not missing:
        return ()
    user, separator, name = user_token.partition("!")
    if not separator:
        raise InvalidInputError("A token is written user@realm!name", field="token_id")
    lines = [f"pveum user token modify {shlex.quote(user)} {shlex.quote(name)} -privsep 0"]
    if any(_role(right) == ROLE for right in missing):
        role = f'{ROLE} -privs "{" ".join(_ROLE_PRIVILEGES)}"'
        lines.append(f"pveum role add {role} || pveum role modify {role}")
    grants = dict.fromkeys((right.path, _role(right)) for right in missing)
    lines += [
        f"pveum acl modify {shlex.quote(path)} -user {shlex.quote(user)} -role {role}"
        for path, role in grants
    ]
    return tuple(lines)


def _role(right: MissingRight) -> str:
    """Return the role that holds a privilege; seeing all guests needs no power over them."""
    return "PVEAuditor" if right.path == _GUESTS else ROLE
