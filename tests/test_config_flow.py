"""Setting up a host that is awake."""

import asyncio
import socket
import ssl
from typing import Any
from unittest.mock import AsyncMock

from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest

from custom_components.cubeguardian import flow_checks
from custom_components.cubeguardian.const import DOMAIN
from custom_components.cubeguardian.server_manager import (
    connectivity_checker,
    tls,
)
from tests.flows import (
    MAC,
    OTHER_MAC,
    choose,
    decide,
    go_on,
    host_form,
    known_host,
    start,
    suggested,
)
from tests.lab.pve import TOKEN_ID, TOKEN_SECRET, LabPve
from tests.lab.pve_record import Fault

pytest_plugins = ("tests.flow_peers",)
pytestmark = pytest.mark.usefixtures("quiet_loopback", "entries_stay_still")


async def test_an_awake_host_is_set_up_after_its_certificate_was_compared(
    hass: HomeAssistant, pve: LabPve, entries_stay_still: AsyncMock
) -> None:
    shown = await start(hass, host_form(pve.port))

    assert (shown["type"], shown["step_id"]) == (FlowResultType.FORM, "certificate")
    assert shown["description_placeholders"]["fingerprint"] == pve.certificates.leaf.fingerprint
    assert "pve.lab" in shown["description_placeholders"]["subject"]
    assert not pve.calls, "nothing may be sent before the certificate is trusted"

    done = await decide(hass, await go_on(hass, shown))
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert (done["title"], done["result"].unique_id) == ("pve", MAC)
    assert done["options"] == {}
    trust = done["data"].pop("trust")
    assert (trust["kind"], trust["pem"]) == ("ca", pve.certificates.authority.pem)
    assert done["data"] == {
        "host": "127.0.0.1",
        "port": pve.port,
        "mac": MAC,
        "token_id": TOKEN_ID,
        "token_secret": TOKEN_SECRET,
        "node": "pve",
        "mode": "manual",
        "unchecked": False,
    }
    assert len(entries_stay_still.mock_calls) == 1


async def test_a_certificate_that_the_node_s_authority_did_not_sign_is_pinned_itself(
    hass: HomeAssistant, pve: LabPve
) -> None:
    pve.certificates.use_self_signed()
    pve.present()

    done = await decide(hass, await go_on(hass, await start(hass, host_form(pve.port))))

    fingerprint = pve.certificates.served.fingerprint.replace(":", "").lower()
    assert done["data"]["trust"] == {"kind": "leaf", "fingerprint": fingerprint}


async def test_a_certificate_that_the_system_knows_is_not_asked_about(
    hass: HomeAssistant, pve: LabPve, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = ssl.create_default_context(cadata=pve.certificates.authority.pem)
    known.verify_flags &= ~ssl.VERIFY_X509_STRICT
    monkeypatch.setattr(tls, "_system_context", lambda: known)
    tls._ssl_option.cache_clear()
    done = await decide(hass, await start(hass, host_form(pve.port)))
    tls._ssl_option.cache_clear()

    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert done["data"]["trust"] == {"kind": "system"}


async def test_a_certificate_that_changes_after_it_was_confirmed_is_asked_about_again(
    hass: HomeAssistant, pve: LabPve
) -> None:
    shown = await start(hass, host_form(pve.port))
    pve.replace_authority()

    shown = await go_on(hass, shown)

    assert shown["step_id"] == "certificate"
    assert shown["description_placeholders"]["fingerprint"] == pve.certificates.leaf.fingerprint
    assert not pve.calls
    assert (await go_on(hass, shown))["step_id"] == "mode"


async def test_a_host_without_a_token_can_be_woken_and_watched(
    hass: HomeAssistant, pve: LabPve
) -> None:
    asked = await start(hass, host_form(pve.port, token_id=None, token_secret=None))
    done = await decide(hass, asked)

    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert done["title"] == "127.0.0.1"
    assert (done["data"]["token_id"], done["data"]["unchecked"]) == (None, False)
    assert not pve.calls


@pytest.mark.parametrize(
    ("wrong", "errors"),
    [
        ({"host": "https://pve.lan"}, {"host": "invalid_host"}),
        ({"host": "pve.lan:8006"}, {"host": "invalid_host"}),
        ({"host": " "}, {"host": "invalid_host"}),
        ({"host": "300.1.1.1"}, {"host": "invalid_host"}),
        ({"host": "0.0.0.0"}, {"host": "invalid_host"}),
        ({"host": "224.0.0.1"}, {"host": "invalid_host"}),
        ({"mac": "02:00:00:00:00"}, {"mac": "invalid_mac"}),
        ({"token_id": "root@pam"}, {"token_id": "invalid_token_id"}),
        ({"token_secret": None}, {"token_secret": "token_incomplete"}),
        ({"token_id": None}, {"token_id": "token_incomplete"}),
        (
            {"host": "a b", "mac": "x", "token_id": "y"},
            {"host": "invalid_host", "mac": "invalid_mac", "token_id": "invalid_token_id"},
        ),
        ({"wake_on_lan": {"broadcast": "eth0"}}, {"wake_on_lan": "invalid_broadcast"}),
    ],
)
async def test_what_cannot_be_right_is_refused_at_its_field_and_can_be_mended(
    hass: HomeAssistant, pve: LabPve, wrong: dict[str, Any], errors: dict[str, str]
) -> None:
    form = await start(hass, host_form(pve.port, **wrong))
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "user")
    assert form["errors"] == errors

    shown = await go_on(hass, form, {**host_form(pve.port), "wake_on_lan": {}})
    assert shown["step_id"] == "certificate"


async def test_the_section_of_the_form_is_open_once_something_was_typed_in_it(
    hass: HomeAssistant, pve: LabPve
) -> None:
    empty = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    refused = await start(hass, host_form(pve.port, wake_on_lan={"broadcast": "eth0"}))
    shown = [form["data_schema"].schema["wake_on_lan"].options for form in (empty, refused)]
    assert [options["collapsed"] for options in shown] == [True, False]


async def test_a_name_that_does_not_resolve_is_an_error_of_the_host(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    form = await start(hass, host_form(8006, host="no-such-host.lan"))
    assert form["errors"] == {"host": "cannot_resolve"}


async def test_without_a_network_of_our_own_nothing_is_said_about_the_host(
    hass: HomeAssistant, sleeping_pve: LabPve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connectivity_checker, "has_route", lambda _: False)
    form = await start(hass, host_form(sleeping_pve.port))
    assert form["errors"] == {"base": "no_network"}


async def test_a_wrong_token_empties_the_secret_and_keeps_the_rest(
    hass: HomeAssistant, pve: LabPve
) -> None:
    shown = await start(hass, host_form(pve.port, token_secret="wrong"))
    form = await go_on(hass, shown)

    assert (form["step_id"], form["errors"]) == ("user", {"token_secret": "invalid_auth"})
    kept = host_form(pve.port, token_secret=None)
    assert suggested(form) == kept

    typed = {**kept, "token_secret": TOKEN_SECRET, "wake_on_lan": {}}
    done = await decide(hass, await go_on(hass, await go_on(hass, form, typed)))
    assert done["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.HTML, "api_error"),
        (Fault.SERVER_ERROR, "api_error"),
        (Fault.PROXY_ERROR, "api_error"),
        (Fault.FORBIDDEN, "permission_denied"),
        (Fault.HANG, "timeout"),
    ],
)
async def test_a_node_that_misbehaves_is_an_error_of_its_own_and_can_be_tried_again(
    hass: HomeAssistant,
    pve: LabPve,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    error: str,
) -> None:
    monkeypatch.setattr(flow_checks, "READ_TIMEOUT", 0.5)
    pve.break_with(fault)
    form = await go_on(hass, await start(hass, host_form(pve.port)))
    assert (form["step_id"], form["errors"]) == ("user", {"base": error})

    pve.mend()
    shown = await go_on(hass, form, {**host_form(pve.port), "wake_on_lan": {}})
    assert (await go_on(hass, shown))["step_id"] == "mode"


async def test_a_port_that_speaks_no_tls_is_an_error_of_its_own(hass: HomeAssistant) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.lan ESMTP\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        form = await start(hass, host_form(port))
    assert form["errors"] == {"base": "no_certificate"}


async def test_a_port_that_hangs_up_is_an_error_of_its_own(hass: HomeAssistant) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        form = await start(hass, host_form(server.sockets[0].getsockname()[1]))
    assert form["errors"] == {"base": "cannot_connect"}


async def test_the_node_of_a_cluster_is_asked_for(hass: HomeAssistant, pve: LabPve) -> None:
    pve.add_node("attic")
    menu = await go_on(hass, await start(hass, host_form(pve.port)))
    assert (menu["type"], menu["step_id"]) == (FlowResultType.FORM, "node")

    done = await decide(hass, await go_on(hass, menu, {"node": "pve"}))
    assert (done["title"], done["data"]["node"]) == ("pve", "pve")


async def test_a_node_that_does_not_exist_is_refused_at_its_field(
    hass: HomeAssistant, pve: LabPve
) -> None:
    form = await go_on(hass, await start(hass, host_form(pve.port, node="cellar")))
    assert (form["step_id"], form["errors"]) == ("user", {"node": "node_not_found"})

    shown = await go_on(hass, form, {**host_form(pve.port, node="pve"), "wake_on_lan": {}})
    assert (await go_on(hass, shown))["step_id"] == "mode"


async def test_missing_rights_are_shown_as_commands_and_checked_again(
    hass: HomeAssistant, pve: LabPve
) -> None:
    pve.revoke("Sys.PowerMgmt")
    menu = await go_on(hass, await start(hass, host_form(pve.port)))

    assert (menu["type"], menu["step_id"]) == (FlowResultType.MENU, "rights")
    assert menu["menu_options"] == ["check_rights", "ignore_rights"]
    assert menu["description_placeholders"]["token_id"] == TOKEN_ID
    commands = menu["description_placeholders"]["commands"]
    assert "pveum acl modify /nodes/pve -user cubeguardian@pve -role CubeGuardian" in commands

    assert (await choose(hass, menu, "check_rights"))["step_id"] == "rights"
    pve.grant("cubeguardian@pve", "/nodes/pve", "Sys.PowerMgmt")
    done = await decide(hass, await choose(hass, menu, "check_rights"))
    assert done["type"] is FlowResultType.CREATE_ENTRY


async def test_missing_rights_can_be_left_for_later(hass: HomeAssistant, pve: LabPve) -> None:
    pve.revoke("VM.Audit")
    menu = await go_on(hass, await start(hass, host_form(pve.port)))
    done = await decide(hass, await choose(hass, menu, "ignore_rights"))
    assert done["type"] is FlowResultType.CREATE_ENTRY


async def test_the_mac_address_of_the_node_s_own_configuration_is_proposed(
    hass: HomeAssistant, pve: LabPve
) -> None:
    pve.wakeonlan = MAC.upper()
    pve.grant("cubeguardian@pve", "/", "Sys.Audit")
    form = await go_on(hass, await start(hass, host_form(pve.port, mac=None)))
    assert (form["step_id"], suggested(form)) == ("mac", {"mac": MAC})

    form = await go_on(hass, form, {"mac": "none"})
    assert (form["step_id"], form["errors"]) == ("mac", {"mac": "invalid_mac"})

    done = await decide(hass, await go_on(hass, form, {"mac": OTHER_MAC}))
    assert (done["data"]["mac"], done["result"].unique_id) == (OTHER_MAC, OTHER_MAC)


@pytest.mark.parametrize(
    "table", [None, "IP address\n127.0.0.1 0x1 0x0 00:00:00:00:00:00 * eth0\n"]
)
async def test_a_mac_address_that_cannot_be_found_must_be_typed(
    hass: HomeAssistant, pve: LabPve, table: str | None
) -> None:
    if table:
        flow_checks.NEIGHBOUR_TABLE.write_text(table)
    form = await go_on(hass, await start(hass, host_form(pve.port, mac=None)))
    assert (form["step_id"], form["errors"]) == ("user", {"mac": "mac_not_found"})


async def test_ipv6_neighbours_are_not_looked_for(
    hass: HomeAssistant, sleeping_pve: LabPve
) -> None:
    form = await start(hass, host_form(sleeping_pve.port, host="[::1]", mac=None))
    assert form["errors"] == {"mac": "mac_not_found"}


async def test_a_host_is_set_up_only_once(hass: HomeAssistant, pve: LabPve) -> None:
    known_host(hass, port=1)
    by_mac = await start(hass, host_form(pve.port))
    assert (by_mac["type"], by_mac["reason"]) == (FlowResultType.ABORT, "already_configured")
    by_address = await start(hass, host_form(1, mac=OTHER_MAC))
    assert by_address["reason"] == "already_configured"

    pve.wakeonlan = MAC
    pve.grant("cubeguardian@pve", "/", "Sys.Audit")
    form = await go_on(hass, await start(hass, host_form(pve.port, mac=None)))
    found = await go_on(hass, form, {"mac": MAC})
    assert found["reason"] == "already_configured"


async def test_a_flow_that_was_left_open_in_a_closed_window_does_not_stop_a_new_one(
    hass: HomeAssistant, pve: LabPve
) -> None:
    left_open = await start(hass, host_form(pve.port))
    assert left_open["step_id"] == "certificate"

    again = await start(hass, host_form(pve.port))
    done = await decide(hass, await go_on(hass, again))
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert hass.config_entries.flow.async_progress() == []
