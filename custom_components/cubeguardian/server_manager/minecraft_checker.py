"""Ask a Minecraft server for its status (seed: module 4)."""

import asyncio
from collections.abc import Mapping
import errno
from logging import Logger
from typing import Any

from mcstatus import BedrockServer, JavaServer

from .errors import (
    HostConnectionError,
    HostTimeoutError,
    MinecraftProtocolError,
    PortClosedError,
    ServerManagerError,
)
from .minecraft_address import Address, Edition, Endpoint, look_up, parse_address
from .minecraft_status import MinecraftStatus, read_bedrock, read_java
from .network import from_os_error, reach_port, resolve
from .result import OperationResult, report

# A silent port costs this part of the time; the rest is for finding out whether it is open.
_STATUS_SHARE = 0.8
_LOOK_UP_SHARE = 0.4
_LOOK_UP_KEPT = 300.0
# Errors of a port that answers with nonsense or hangs up; also of several addresses (no number).
_UNCLEAR = {None, errno.ECONNRESET, errno.EPIPE}


class MinecraftChecker:
    """Check whether a Minecraft server answers, and what it says."""

    def __init__(self, logger: Logger) -> None:
        """Log to `logger`."""
        self.logger = logger
        self._look_ups: dict[Address, tuple[float, Endpoint]] = {}

    async def check_minecraft_connectivity(
        self, target_host: str, port: int = 25565, timeout_seconds: int = 5
    ) -> OperationResult:
        """Answer in the seed's JSON whether a Java server answers within `timeout_seconds`."""
        return await report(
            "minecraft_check",
            self._check(target_host, port, timeout_seconds),
            "Minecraft server is reachable",
            target_host=target_host,
            port=port,
        )

    async def status(
        self, address: str, *, edition: Edition = Edition.JAVA, timeout: float = 5.0
    ) -> MinecraftStatus:
        """Return what the server at `address` says, in at most `timeout` seconds.

        Raises InvalidInputError for an address that is none, PortClosedError (refused),
        HostConnectionError, HostTimeoutError (its `port_open` tells an open port from one that is
        silent itself, None for Bedrock), NetworkUnavailableError, NameNotFoundError, and
        MinecraftProtocolError where something else answers.
        """
        parsed = parse_address(address, edition)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        endpoint = await self._endpoint(parsed, timeout * _LOOK_UP_SHARE)
        remaining = max(deadline - loop.time(), 0.01)
        try:
            if edition is Edition.JAVA:
                return await _ask_java(endpoint, remaining)
            return await _ask_bedrock(endpoint, remaining)
        except ServerManagerError as error:
            # The record may have moved since it was kept.
            self._look_ups.pop(parsed, None)
            self.logger.debug("No status from %s: %s", address, error)
            if endpoint.guessed and isinstance(error, PortClosedError):
                # That port is closed; the server may well be open on another one.
                raise HostConnectionError(str(error)) from error
            raise

    async def _check(self, target_host: str, port: int, timeout: float) -> Mapping[str, Any]:
        """Return the details of a successful check."""
        bracketed = f"[{target_host}]" if ":" in target_host else target_host
        status = await self.status(f"{bracketed}:{port}", timeout=timeout)
        return {
            "players_online": status.players_online,
            "players_max": status.players_max,
            "version": status.version,
            "motd": status.motd,
            "latency_ms": status.latency_ms,
        }

    async def _endpoint(self, address: Address, timeout: float) -> Endpoint:
        """Return where the address leads; records are looked up every five minutes."""
        now = asyncio.get_running_loop().time()
        kept = self._look_ups.get(address)
        if kept is not None and kept[0] > now:
            return kept[1]
        endpoint = await look_up(address, timeout)
        if address.port is None:
            self._look_ups[address] = (now + _LOOK_UP_KEPT, endpoint)
        return endpoint


async def _ask_java(endpoint: Endpoint, timeout: float) -> MinecraftStatus:
    """Ask a Java server; where that fails without a clear reason, look at its port alone."""
    server = JavaServer(endpoint.host, endpoint.port, timeout=timeout)
    last_part = timeout * (1 - _STATUS_SHARE)
    try:
        async with asyncio.timeout(timeout * _STATUS_SHARE):
            return read_java(await server.async_status(tries=1))
    except TimeoutError:
        raise HostTimeoutError(
            f"{endpoint} does not answer", port_open=await _accepts(endpoint, last_part)
        ) from None
    except OSError as error:
        if error.errno not in _UNCLEAR:
            raise from_os_error(error, str(endpoint)) from error
        await _reach(endpoint, last_part)
        raise _not_minecraft(endpoint) from error
    except Exception as error:
        raise _not_minecraft(endpoint) from error


async def _ask_bedrock(endpoint: Endpoint, timeout: float) -> MinecraftStatus:
    """Ask a Bedrock server; over UDP a closed port looks like a lost packet."""
    server = BedrockServer(endpoint.host, endpoint.port, timeout=timeout)
    try:
        async with asyncio.timeout(timeout):
            return read_bedrock(await server.async_status(tries=1))
    except TimeoutError:
        raise HostTimeoutError(f"{endpoint} does not answer") from None
    except OSError as error:
        raise from_os_error(error, str(endpoint)) from error
    except Exception as error:
        raise _not_minecraft(endpoint) from error


def _not_minecraft(endpoint: Endpoint) -> MinecraftProtocolError:
    """Return the error for an answer that cannot be read; mcstatus raises anything on those."""
    return MinecraftProtocolError(f"{endpoint} does not speak Minecraft", port=endpoint.port)


async def _accepts(endpoint: Endpoint, timeout: float) -> bool | None:
    """Tell whether the port of a silent server takes connections; lost packets tell nothing."""
    try:
        await _reach(endpoint, timeout)
    except PortClosedError:
        return False
    except ServerManagerError:
        return None
    return True


async def _reach(endpoint: Endpoint, timeout: float) -> None:
    """Open a connection to the endpoint, or raise why that fails."""
    addresses = await resolve(endpoint.host, timeout)
    await reach_port(addresses, endpoint.port, timeout=timeout)
