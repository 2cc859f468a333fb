"""The action that checks everything: on real peers, awake, asleep, and with one thing broken."""

import ast
import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
import socket
import time
from typing import Any
from unittest.mock import AsyncMock, patch

import asyncssh
from homeassistant.components import network
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian import diagnose, diagnose_access, diagnose_reach
from custom_components.cubeguardian.const import DOMAIN
from custom_components.cubeguardian.server_manager import (
    ConnectivityChecker,
    HostTimeoutError,
    NameNotFoundError,
    ServerManager,
    ServerManagerError,
    TlsTrust,
    WakeOnLANManager,
)

from .flows import all_texts, known_host, placeholders
from .house import INTEGRATION, calls, parse
from .lab.minecraft import StatusFault, StatusServer
from .lab.pve import TOKEN_SECRET, LabPve
from .lab.pve_record import Fault
from .server_manager.ssh_host import SshHost

pytest_plugins = ("tests.flow_peers",)
pytestmark = pytest.mark.usefixtures("quiet_loopback")

type Checks = dict[str, dict[str, str]]
type Diagnose = Callable[..., Awaitable[Checks]]


@pytest.fixture
async def game() -> AsyncGenerator[StatusServer]:
    """Run a game server."""
    async with StatusServer() as server:
        yield server


@pytest.fixture
async def diagnosed(
    hass: HomeAssistant, pve: LabPve, game: StatusServer
) -> AsyncGenerator[Diagnose]:
    """Return a function that sets a host of the lab up, and gives what a diagnosis says of it."""
    pve.add_guest(101, "survival")
    pve.add_token(game_guests=(101,))
    loaded: list[MockConfigEntry] = []

    async def diagnose_host(**changes: Any) -> Checks:
        if not loaded:
            games = changes.pop("games", [_game(game.address, 101)])
            options = {"wake_on_lan": {"port": 40009}, **changes.pop("options", {})}
            trust = TlsTrust.pin_authority(pve.certificates.authority.pem).to_dict()
            data = {"trust": trust, **changes}
            port = data.pop("port", pve.port)
            entry = known_host(hass, port, games=games, options=options, **data)
            assert await hass.config_entries.async_setup(entry.entry_id)
            loaded.append(entry)
            await hass.async_block_till_done(wait_background_tasks=True)
        return _checks(await _ask(hass))

    yield diagnose_host
    for entry in loaded:
        assert await hass.config_entries.async_unload(entry.entry_id)


async def test_all_is_well(hass: HomeAssistant, pve: LabPve, diagnosed: Diagnose) -> None:
    pve.calls.clear()
    found = await diagnosed()
    assert {key: row["result"] for key, row in found.items()} == {
        "name": "ok",
        "network": "ok",
        "ping": "warning",
        "api_port": "ok",
        "certificate": "ok",
        "token": "ok",
        "right:/nodes/pve:Sys.Audit": "ok",
        "right:/nodes/pve:Sys.PowerMgmt": "ok",
        "right:/vms:VM.Audit": "ok",
        "right:/vms/101:VM.PowerMgmt": "ok",
        "guest:Survival": "ok",
        "clock": "ok",
        "magic_packet": "ok",
        "peer": "skipped",
        "segment": "ok",
        "game_server:Survival": "ok",
        "ssh_key": "skipped",
    }
    answer = await _ask(hass)
    assert (answer["success"], answer["details"]["operation"]) == (True, "diagnose")
    assert set(answer) == {"success", "message", "timestamp", "details"}
    assert answer["message"] == "0 checks failed, 1 with a warning, 14 fine, 2 skipped"
    assert TOKEN_SECRET not in str(answer)
    assert {call.method for call in pve.calls} == {"GET"}
    for row in found.values():
        assert row["finding"]
        assert bool(row["advice"]) == (row["result"] in {"warning", "failed"})


async def test_it_speaks_home_assistants_language(hass: HomeAssistant, diagnosed: Diagnose) -> None:
    hass.config.language = "fr"
    assert (await diagnosed())["network"]["finding"].startswith("Home Assistant a un réseau")
    hass.config.language = "tlh"
    assert (await diagnosed())["network"]["finding"].startswith("Home Assistant has a network")


async def test_a_sleeping_host_fails_nothing_and_is_not_woken(
    hass: HomeAssistant, pve: LabPve, diagnosed: Diagnose, tmp_path: Path
) -> None:
    await pve.stop()
    ssh = {"user": "root", "key_path": str(tmp_path / "none"), "port": 22, "host_key": "ssh-rsa A"}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nic:
        nic.bind(("127.0.0.1", 0))
        nic.settimeout(0.2)
        found = await diagnosed(options={"wake_on_lan": {"port": nic.getsockname()[1]}, "ssh": ssh})
        with pytest.raises(TimeoutError):
            nic.recv(200)
    asleep = {key for key, row in found.items() if row["finding"].endswith("the host is asleep")}
    assert asleep == {
        "ping", "api_port", "certificate", "token", "right", "guest:Survival", "clock",
        "game_server:Survival", "ssh_host_key",
    }  # fmt: skip
    assert all(found[key]["result"] == "skipped" for key in asleep)
    failed = {key for key, row in found.items() if row["result"] == "failed"}
    assert failed == {"ssh_key"}
    assert {found[key]["result"] for key in ("name", "network", "magic_packet")} == {"ok"}


async def test_a_host_that_should_be_up_and_is_silent_has_failed(
    pve: LabPve, diagnosed: Diagnose
) -> None:
    await diagnosed()
    await pve.stop()
    found = await diagnosed()
    assert (found["api_port"]["result"], found["token"]["result"]) == ("failed", "skipped")
    assert "refuses port" in found["api_port"]["finding"]
    assert found["certificate"]["finding"] == "Skipped: the Proxmox port does not answer"


async def test_a_missing_right_comes_with_its_commands(pve: LabPve, diagnosed: Diagnose) -> None:
    pve.revoke("VM.PowerMgmt")
    found = await diagnosed()
    assert found["right:/nodes/pve:Sys.Audit"]["result"] == "ok"
    missing = found["right:/vms/101:VM.PowerMgmt"]
    assert missing["result"] == "failed"
    grant = "pveum acl modify /vms/101 -user cubeguardian@pve -role CubeGuardian"
    assert missing["advice"].splitlines()[-1] == grant


async def test_a_refused_token_skips_what_needs_it(diagnosed: Diagnose) -> None:
    found = await diagnosed(token_secret="wrong")
    assert found["token"]["result"] == "failed"
    assert "cubeguardian@pve!ha" in found["token"]["finding"]
    for key in ("right", "guest:Survival", "clock"):
        assert found[key]["finding"] == "Skipped: the token does not work"
    assert found["game_server:Survival"]["result"] == "ok"


async def test_an_untrusted_certificate_keeps_the_token_back(
    pve: LabPve, diagnosed: Diagnose
) -> None:
    pve.replace_authority()
    pve.calls.clear()
    found = await diagnosed(trust={"kind": "leaf", "fingerprint": "0a" * 32})
    assert found["certificate"]["result"] == "failed"
    assert found["token"]["finding"] == "Skipped: the certificate is not trusted"
    assert not pve.calls


async def test_without_a_token_there_is_less_to_check(diagnosed: Diagnose) -> None:
    found = await diagnosed(token_id=None, token_secret=None)
    skipped = {
        key for key, row in found.items() if row["finding"] == "Skipped: no API token is set"
    }
    assert skipped == {"certificate", "token", "right", "guest:Survival", "clock"}
    assert found["api_port"]["result"] == "ok"


@pytest.mark.parametrize(
    ("vmid", "result", "said"),
    [(None, "skipped", "no guest is set"), (102, "failed", "shows no guest 102")],
)
async def test_a_guest_that_is_not_there_is_told(
    game: StatusServer, diagnosed: Diagnose, vmid: int | None, result: str, said: str
) -> None:
    found = (await diagnosed(games=[_game(game.address, vmid)]))["guest:Survival"]
    assert found["result"] == result
    assert said in found["finding"]


async def test_a_host_without_a_game_server_can_be_diagnosed(diagnosed: Diagnose) -> None:
    found = await diagnosed(games=[])
    assert found["guest"]["finding"] == "Skipped: there is no game server"


async def test_clocks_that_differ_are_told(pve: LabPve, diagnosed: Diagnose) -> None:
    pve.clock_error = 3600
    found = await diagnosed()
    assert found["clock"]["result"] == "warning"
    assert 3590 < int(found["clock"]["finding"].split()[-3]) < 3610
    pve.break_with(Fault.FORBIDDEN, path="/time")
    assert (await diagnosed())["clock"]["result"] == "skipped"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (StatusFault.SILENT, "does not say how it is"),
        (StatusFault.GARBAGE, "Something else than Minecraft"),
        (None, "nothing listens there"),
    ],
)
async def test_a_game_server_says_how_it_fails(
    game: StatusServer,
    diagnosed: Diagnose,
    monkeypatch: pytest.MonkeyPatch,
    fault: StatusFault | None,
    said: str,
) -> None:
    monkeypatch.setattr(diagnose_reach, "GAME_TIMEOUT", 0.5)
    await diagnosed()
    game.fault = fault
    if fault is None:
        await game.stop()
    found = (await diagnosed())["game_server:Survival"]
    assert found["result"] == "failed"
    assert said in found["finding"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NameNotFoundError("gone"), "does not resolve"),
        (HostTimeoutError("filtered"), "does not answer"),
    ],
)
async def test_a_game_server_that_cannot_be_found_is_told(
    diagnosed: Diagnose, monkeypatch: pytest.MonkeyPatch, error: ServerManagerError, said: str
) -> None:
    await diagnosed()
    monkeypatch.setattr(ServerManager, "minecraft_status", AsyncMock(side_effect=error))
    found = (await diagnosed())["game_server:Survival"]
    assert (found["result"], said in found["finding"]) == ("failed", True)


async def test_a_game_server_that_is_off_is_not_asked(
    hass: HomeAssistant, pve: LabPve, game: StatusServer, diagnosed: Diagnose
) -> None:
    pve.find_guest(101).status = "stopped"
    await game.stop()
    await diagnosed()
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    runtime = entry.runtime_data
    for _ in range(2):
        await runtime.host.async_look()
        await next(iter(runtime.games.values())).async_look()
    found = await diagnosed()
    assert found["game_server:Survival"]["finding"] == "Skipped: the game server is off"
    assert found["guest:Survival"]["result"] == "ok"


async def test_a_name_that_nobody_knows_is_the_first_thing_told(
    diagnosed: Diagnose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WakeOnLANManager, "has_way", lambda *_: True)
    with patch("asyncio.base_events.BaseEventLoop.getaddrinfo", side_effect=socket.gaierror):
        found = await diagnosed(host="attic.invalid")
    assert found["name"]["result"] == "failed"
    for key in ("network", "api_port", "segment", "game_server:Survival"):
        assert found[key]["finding"] == "Skipped: the address of the host is not known"


async def test_without_our_own_network_nothing_is_said_of_the_host(
    diagnosed: Diagnose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "custom_components.cubeguardian.server_manager.connectivity_checker.has_route",
        lambda _: False,
    )
    await diagnosed()
    monkeypatch.setattr(ConnectivityChecker, "_knock", _never_open)
    found = await diagnosed()
    assert found["network"]["result"] == "failed"
    assert found["api_port"]["finding"] == "Skipped: Home Assistant has no network"


@pytest.mark.parametrize(
    ("options", "result", "said"),
    [
        ({"broadcast": "255.255.255.255, 192.0.2.255"}, "ok", "255.255.255.255, 192.0.2.255"),
        ({"broadcast": "203.0.113.255"}, "warning", "203.0.113.255 is not the broadcast address"),
        ({"interface": "203.0.113.9"}, "failed", "no way to"),
    ],
)
async def test_the_way_of_the_packet_is_checked(
    diagnosed: Diagnose, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], result: str,
    said: str,
) -> None:  # fmt: skip
    ours = [{"ipv4": [{"address": "192.0.2.2", "network_prefix": 24}]}]
    monkeypatch.setattr(network, "async_get_adapters", lambda _: _soon(ours))
    if "broadcast" in options:
        monkeypatch.setattr(WakeOnLANManager, "has_way", lambda *_: True)
    found = (await diagnosed(options={"wake_on_lan": options}))["magic_packet"]
    assert found["result"] == result
    assert said in found["finding"]


@pytest.mark.parametrize(
    ("node", "peer", "result", "said"),
    [
        ("pve", "127.0.0.1", "ok", "can send the packet for pve"),
        ("other", "127.0.0.1", "failed", "knows no node other"),
        ("pve", "127.0.0.250", "failed", "cannot be asked"),
    ],
)
async def test_another_node_is_asked_although_the_host_sleeps(
    diagnosed: Diagnose, node: str, peer: str, result: str, said: str
) -> None:
    options = {"wake_on_lan": {"peer": peer, "port": 40009}}
    found = await diagnosed(host="127.0.0.9", node=node, options=options)
    assert found["token"]["finding"] == "Skipped: the host is asleep"
    assert found["peer"]["result"] == result
    assert said in found["peer"]["finding"]


@pytest.mark.parametrize(
    ("address", "result"),
    [("192.0.2.10", "ok"), ("198.51.100.10", "warning"), ("2001:db8::10", "skipped")],
)
async def test_home_assistant_should_be_in_the_hosts_network(
    diagnosed: Diagnose, monkeypatch: pytest.MonkeyPatch, address: str, result: str
) -> None:
    ours = [{"ipv4": [{"address": "192.0.2.2", "network_prefix": 24}]}]
    monkeypatch.setattr(network, "async_get_adapters", lambda _: _soon(ours))
    monkeypatch.setattr(diagnose_reach, "resolve", lambda *_: _soon((address,)))
    assert (await diagnosed())["segment"]["result"] == result


@pytest.mark.parametrize(("ping", "result"), [(True, "ok"), (False, "warning"), (None, "warning")])
async def test_pinging_is_judged_by_itself(
    diagnosed: Diagnose, monkeypatch: pytest.MonkeyPatch, ping: bool | None, result: str
) -> None:
    async def answer(checker: ConnectivityChecker, *_: Any) -> Any:
        return type("Echo", (), {"alive": ping, "latency_ms": 0.4 if ping else None})()

    monkeypatch.setattr(ConnectivityChecker, "_ping", answer)
    found = await diagnosed()
    assert (found["ping"]["result"], found["api_port"]["result"]) == (result, "ok")


async def test_ping_that_is_switched_off_is_not_tried(diagnosed: Diagnose) -> None:
    found = await diagnosed(options={"probing": {"ping": False}})
    assert found["ping"]["finding"] == "Skipped: pinging is switched off in the options"


@pytest.mark.parametrize(
    ("pin", "result"), [("own", "ok"), ("another", "failed"), (None, "failed")]
)
async def test_the_ssh_login_is_checked_without_logging_in(
    diagnosed: Diagnose, tmp_path: Path, pin: str | None, result: str
) -> None:
    async with SshHost(directory=tmp_path).running() as host:
        another = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
        keys = {"own": host.host_key, "another": " ".join(another.split()[:2])}
        ssh = {"user": "root", "key_path": host.key_path, "port": host.port}
        found = await diagnosed(options={"ssh": ssh | ({"host_key": keys[pin]} if pin else {})})
        assert (host.logins, host.commands) == ([], [])
    assert found["ssh_key"]["result"] == "ok"
    assert found["ssh_host_key"]["result"] == result


async def test_ssh_that_does_not_answer_is_told(
    diagnosed: Diagnose, tmp_path: Path, unused_tcp_port: int
) -> None:
    host = SshHost(directory=tmp_path)
    ssh = {"key_path": host.key_path, "port": unused_tcp_port, "host_key": host.host_key}
    found = await diagnosed(options={"ssh": {"user": "root", **ssh}})
    assert found["ssh_host_key"]["result"] == "failed"


async def test_a_port_without_tls_is_told(diagnosed: Diagnose, pve: LabPve) -> None:
    async with StatusServer() as other:
        found = await diagnosed(port=other.port)
    assert found["certificate"]["result"] == "failed"
    assert found["token"]["finding"] == "Skipped: the certificate is not trusted"


async def test_an_api_that_hangs_or_fails_takes_its_time_and_no_more(
    diagnosed: Diagnose, pve: LabPve, monkeypatch: pytest.MonkeyPatch
) -> None:
    await diagnosed()
    monkeypatch.setattr(diagnose_access, "TOKEN_TIMEOUT", 0.3)
    pve.break_with(Fault.HANG, path="/version")
    began = time.monotonic()
    found = await diagnosed()
    assert time.monotonic() - began < 5
    assert found["token"]["result"] == "failed"
    pve.mend()
    pve.break_with(Fault.SERVER_ERROR, path="/access/permissions")
    found = await diagnosed()
    assert found["right"]["result"] == "failed"
    assert found["guest:Survival"]["result"] == "ok"


async def test_a_check_that_hangs_is_given_up(
    diagnosed: Diagnose, monkeypatch: pytest.MonkeyPatch
) -> None:
    await diagnosed()

    async def hang(_: Any) -> Any:
        await asyncio.Event().wait()

    check = diagnose.Check(key="name", run=hang, limit=0.1)
    monkeypatch.setattr(diagnose, "CHECKS", (check,))
    found = await diagnosed()
    assert found == {"name": found["name"]}
    assert found["name"]["result"] == "failed"


def test_all_checks_together_take_less_than_a_minute_and_a_half() -> None:
    assert sum(check.limit for check in diagnose.CHECKS) <= 90


def test_every_finding_has_a_text_and_every_text_a_finding() -> None:
    used = {"all_well", "problems"}
    advised = set()
    for path in sorted(INTEGRATION.glob("diagnose*.py")):
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                used.add(node.value)
        for name, call in calls(parse(path)):
            if name in {"warning", "failed"} and isinstance(call.args[1], ast.Constant):
                advised.add(call.args[1].value)
    for texts in all_texts("common"):
        keys = {key.removeprefix("diagnose_") for key in texts if key.startswith("diagnose_")}
        assert {key.removesuffix("_advice") for key in keys} <= used
        assert {f"{key}_advice" for key in advised} <= keys
    english, french = all_texts("common")
    assert {key: placeholders(text) for key, text in english.items()} == {
        key: placeholders(text) for key, text in french.items()
    }


def _game(address: str, vmid: int | None) -> dict[str, Any]:
    return {"address": address, "public_address": "", "edition": "java", "vmid": vmid}


async def _ask(hass: HomeAssistant) -> Any:
    return await hass.services.async_call(
        DOMAIN, "diagnose", {}, blocking=True, return_response=True
    )


def _checks(answer: Any) -> Checks:
    """Return the checks by their keys, each of which is there once."""
    rows = answer["details"]["checks"]
    found = {row["check"]: row for row in rows}
    assert len(found) == len(rows)
    assert all(set(row) == {"check", "result", "finding", "advice"} for row in rows)
    return found


async def _soon(value: Any) -> Any:
    return value


async def _never_open(*_: Any) -> Any:
    return type("Knock", (), {"opened": False, "latency_ms": None, "error": None})()
