"""Setting up how a game server is managed, and trying it out."""

from collections.abc import AsyncGenerator
from pathlib import Path
import ssl
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian import management_form, subentry_flow
from custom_components.cubeguardian.server_manager import TlsTrust, tls
from tests.flows import (
    GAME,
    add_game,
    all_texts,
    game_form,
    go_on_with_game,
    known_host,
    open_game_form,
    overlook_hang_ups,
    pretend_loaded,
    suggested,
)
from tests.lab.certificates import NodeCertificates
from tests.lab.minecraft import StatusServer
from tests.server_manager.management_server import SECRET, ManagementServer
from tests.server_manager.rcon_server import SECRET as PASSWORD, RconServer

pytest_plugins = ("tests.flow_peers",)
pytestmark = pytest.mark.usefixtures("quiet_loopback", "impatience")


@pytest.fixture
async def impatience(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for what is silent."""
    monkeypatch.setattr(subentry_flow, "STATUS_TIMEOUT", 0.5)
    monkeypatch.setattr(management_form, "MANAGEMENT_TIMEOUT", 2)
    overlook_hang_ups()


@pytest.fixture
async def minecraft() -> AsyncGenerator[StatusServer]:
    """Run a Minecraft server."""
    async with StatusServer() as server:
        yield server


@pytest.fixture
def certificates(tmp_path: Path) -> NodeCertificates:
    """Return a certificate that no system knows."""
    return NodeCertificates(tmp_path)


@pytest.fixture
async def protocol(certificates: NodeCertificates) -> AsyncGenerator[ManagementServer]:
    """Run a management port that encrypts."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificates.write())
    async with ManagementServer(context=context).running() as server:
        yield server


@pytest.fixture
async def plain_protocol() -> AsyncGenerator[ManagementServer]:
    """Run a management port that does not encrypt."""
    async with ManagementServer().running() as server:
        yield server


@pytest.fixture
async def rcon() -> AsyncGenerator[RconServer]:
    """Run a remote console."""
    async with RconServer().running() as server:
        yield server


@pytest.fixture
def entry(hass: HomeAssistant) -> MockConfigEntry:
    """Return a host that is not loaded and has no game server."""
    return known_host(hass)


async def test_a_certificate_that_nobody_knows_is_compared_before_the_secret_is_sent(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    minecraft: StatusServer,
    protocol: ManagementServer,
    certificates: NodeCertificates,
) -> None:
    typed = game_form(minecraft.address, management=_protocol(protocol.port))
    shown = await add_game(hass, entry, typed)

    assert (shown["type"], shown["step_id"]) == (FlowResultType.FORM, "certificate")
    assert shown["description_placeholders"]["host"] == f"127.0.0.1:{protocol.port}"
    assert shown["description_placeholders"]["fingerprint"] == certificates.leaf.fingerprint
    assert not protocol.headers, "nothing may be sent before the certificate is trusted"

    done = await go_on_with_game(hass, shown)
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert done["data"]["management"] == _stored(protocol, certificates)
    assert len(protocol.calls) == 1


async def test_a_certificate_that_the_system_knows_is_not_asked_about(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    minecraft: StatusServer,
    protocol: ManagementServer,
    certificates: NodeCertificates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = ssl.create_default_context(cadata=certificates.authority.pem)
    known.verify_flags &= ~ssl.VERIFY_X509_STRICT
    monkeypatch.setattr(tls, "_system_context", lambda: known)
    monkeypatch.setattr(tls.ssl, "create_default_context", lambda: known)
    tls._ssl_option.cache_clear()
    typed = game_form(minecraft.address, management=_protocol(protocol.port))
    done = await add_game(hass, entry, typed)
    tls._ssl_option.cache_clear()
    assert done["data"]["management"]["trust"] is None


async def test_rcon_and_the_protocol_without_encryption_need_no_certificate(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    minecraft: StatusServer,
    rcon: RconServer,
    plain_protocol: ManagementServer,
) -> None:
    by_rcon = {"kind": "rcon", "port": rcon.port, "secret": f" {PASSWORD} ", "tls": True}
    done = await add_game(hass, entry, game_form(minecraft.address, management=by_rcon))
    kept = {"kind": "rcon", "port": rcon.port, "secret": PASSWORD, "tls": False, "trust": None}
    assert done["data"]["management"] == kept
    assert rcon.connections == 1

    (game,) = entry.subentries.values()
    form = await entry.start_subentry_reconfigure_flow(hass, game.subentry_id)
    management = _protocol(plain_protocol.port, tls=False)
    await go_on_with_game(hass, form, game_form(minecraft.address, management=management))
    (game,) = entry.subentries.values()
    assert game.data["management"] == management | {"trust": None}
    assert len(plain_protocol.calls) == 1


@pytest.mark.parametrize("kind", ["protocol", "rcon"])
async def test_a_wrong_secret_is_told_and_not_offered_again(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    minecraft: StatusServer,
    rcon: RconServer,
    plain_protocol: ManagementServer,
    kind: str,
) -> None:
    port, right = {
        "protocol": (plain_protocol.port, SECRET),
        "rcon": (rcon.port, PASSWORD),
    }[kind]
    management = {"kind": kind, "port": port, "secret": "wrong", "tls": False}
    typed = game_form(minecraft.address, management=management)
    form = await add_game(hass, entry, typed)
    assert form["errors"] == {"management": "management_refused"}
    section = form["data_schema"].schema["management"]
    assert section.options["collapsed"] is False
    assert _suggested(form) == {"kind": kind, "port": port, "tls": False}

    typed = game_form(minecraft.address, management=management | {"secret": right})
    done = await go_on_with_game(hass, form, typed)
    assert done["type"] is FlowResultType.CREATE_ENTRY


async def test_a_wrong_secret_behind_a_certificate_leads_back_and_the_trust_is_not_asked_twice(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    minecraft: StatusServer,
    protocol: ManagementServer,
    certificates: NodeCertificates,
) -> None:
    wrong = _protocol(protocol.port, secret="wrong")
    shown = await add_game(hass, entry, game_form(minecraft.address, management=wrong))
    form = await go_on_with_game(hass, shown)
    assert (form["step_id"], form["errors"]) == ("user", {"management": "management_refused"})

    typed = game_form(minecraft.address, management=_protocol(protocol.port))
    done = await go_on_with_game(hass, form, typed)
    assert done["data"]["management"] == _stored(protocol, certificates)


async def test_a_port_that_is_silent_is_only_saved_when_one_insists(
    hass: HomeAssistant, entry: MockConfigEntry, minecraft: StatusServer, unused_tcp_port: int
) -> None:
    management = _protocol(unused_tcp_port)
    typed = game_form(minecraft.address, management=management)
    form = await add_game(hass, entry, typed)
    assert form["errors"] == {"management": "management_silent"}
    assert _suggested(form) == management, "whoever insists need not type the secret again"
    done = await go_on_with_game(hass, form, typed | {"save_anyway": True})
    assert done["data"]["management"] == management | {"trust": None}


async def test_what_does_not_speak_that_way_is_told(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    minecraft: StatusServer,
    plain_protocol: ManagementServer,
    rcon: RconServer,
) -> None:
    typed = game_form(minecraft.address, management=_protocol(rcon.port, tls=False))
    form = await add_game(hass, entry, typed)
    assert form["errors"] == {"management": "management_not_understood"}

    typed = game_form(minecraft.address, management=_protocol(plain_protocol.port))
    form = await go_on_with_game(hass, form, typed)
    assert form["errors"] == {"management": "management_no_certificate"}


async def test_while_host_and_game_server_sleep_the_management_is_accepted_untested(
    hass: HomeAssistant, entry: MockConfigEntry, unused_tcp_port: int
) -> None:
    pretend_loaded(hass, entry, answers=False)
    management = _protocol(unused_tcp_port)
    done = await add_game(hass, entry, game_form("127.0.0.1:1", management=management))
    assert done["data"]["management"] == management | {"trust": None}


async def test_while_the_host_is_up_the_management_is_tried_although_the_game_is_silent(
    hass: HomeAssistant, entry: MockConfigEntry, rcon: RconServer
) -> None:
    pretend_loaded(hass, entry, answers=True)
    management = {"kind": "rcon", "port": rcon.port, "secret": "wrong", "tls": False}
    form = await add_game(hass, entry, game_form("127.0.0.1:1", management=management))
    assert form["errors"] == {"management": "management_refused"}


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"port": None}, "management_port_missing"),
        ({"secret": None}, "management_secret_missing"),
        ({"secret": "   "}, "management_secret_missing"),
        ({"secret": "né"}, "management_secret_invalid"),
        ({"kind": "rcon", "secret": "x" * 257}, "management_secret_invalid"),
    ],
)
async def test_what_cannot_be_right_opens_its_section_and_is_never_tried(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    minecraft: StatusServer,
    plain_protocol: ManagementServer,
    wrong: dict[str, Any],
    error: str,
) -> None:
    typed = _protocol(plain_protocol.port, tls=False) | wrong
    management = {key: value for key, value in typed.items() if value is not None}
    form = await add_game(hass, entry, game_form(minecraft.address, management=management))
    assert form["errors"] == {"management": error}
    assert form["data_schema"].schema["management"].options["collapsed"] is False
    assert "save_anyway" not in form["data_schema"].schema
    assert not plain_protocol.headers


async def test_bedrock_cannot_be_managed(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    typed = game_form("127.0.0.1:1", edition="bedrock", management=_protocol(25585))
    form = await add_game(hass, entry, typed)
    assert form["errors"] == {"management": "management_needs_java"}


async def test_a_change_shows_no_secret_and_keeps_the_one_that_was_not_typed(
    hass: HomeAssistant,
    minecraft: StatusServer,
    protocol: ManagementServer,
    certificates: NodeCertificates,
) -> None:
    stored = _stored(protocol, certificates)
    entry = known_host(hass, games=[GAME | {"management": stored}])
    form = await _change(hass, entry)
    assert _suggested(form) == {"kind": "protocol", "port": protocol.port, "tls": True}
    assert SECRET not in str(form["data_schema"].schema)

    management = {"kind": "protocol", "port": protocol.port, "tls": True}
    done = await go_on_with_game(hass, form, game_form(minecraft.address, management=management))
    assert done["reason"] == "reconfigure_successful"
    (game,) = entry.subentries.values()
    assert game.data["management"] == stored


async def test_a_certificate_that_has_changed_is_compared_anew(
    hass: HomeAssistant,
    minecraft: StatusServer,
    protocol: ManagementServer,
    certificates: NodeCertificates,
) -> None:
    old = TlsTrust.pin_leaf("00" * 32).to_dict()
    stored = _stored(protocol, certificates) | {"trust": old}
    entry = known_host(hass, games=[GAME | {"management": stored}])
    typed = game_form(minecraft.address, management=_protocol(protocol.port))
    shown = await go_on_with_game(hass, await _change(hass, entry), typed)
    assert shown["step_id"] == "certificate"
    assert not protocol.headers

    await go_on_with_game(hass, shown)
    (game,) = entry.subentries.values()
    assert game.data["management"] == _stored(protocol, certificates)


async def test_the_secret_of_one_way_is_none_for_the_other(
    hass: HomeAssistant, rcon: RconServer, minecraft: StatusServer
) -> None:
    stored = _protocol(25585) | {"trust": None}
    entry = known_host(hass, games=[GAME | {"management": stored}])
    management = {"kind": "rcon", "port": rcon.port, "tls": False}
    typed = game_form(minecraft.address, management=management)
    form = await go_on_with_game(hass, await _change(hass, entry), typed)
    assert form["errors"] == {"management": "management_secret_missing"}


async def test_management_can_be_given_up(hass: HomeAssistant, minecraft: StatusServer) -> None:
    stored = _protocol(25585) | {"trust": None}
    entry = known_host(hass, games=[GAME | {"management": stored}])
    management = {"kind": "none", "port": 25585, "tls": True}
    typed = game_form(minecraft.address, management=management)
    await go_on_with_game(hass, await _change(hass, entry), typed)
    (game,) = entry.subentries.values()
    assert "management" not in game.data


async def test_the_section_is_folded_while_nothing_is_set_up(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    form = await open_game_form(hass, entry)
    assert form["data_schema"].schema["management"].options["collapsed"] is True


def test_every_way_has_its_name() -> None:
    for texts in all_texts("selector", "management_kind", "options"):
        assert set(texts) == set(management_form.KINDS.config["options"])


def _protocol(port: int, *, secret: str = SECRET, tls: bool = True) -> dict[str, Any]:
    """Return what a person types about the management protocol."""
    return {"kind": "protocol", "port": port, "secret": secret, "tls": tls}


def _stored(server: ManagementServer, certificates: NodeCertificates) -> dict[str, Any]:
    """Return what is kept of a server whose certificate was pinned."""
    pinned = TlsTrust.pin_leaf(certificates.leaf.fingerprint).to_dict()
    return _protocol(server.port) | {"trust": pinned}


def _suggested(form: Any) -> dict[str, Any]:
    """Return what the section is filled with."""
    return suggested({"data_schema": form["data_schema"].schema["management"].schema})


async def _change(hass: HomeAssistant, entry: MockConfigEntry) -> Any:
    """Open the form of the one game server."""
    (game,) = entry.subentries.values()
    return await entry.start_subentry_reconfigure_flow(hass, game.subentry_id)
