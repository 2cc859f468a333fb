"""What changes about a host that is set up: its address, its token, the way to it."""

from homeassistant.config_entries import SOURCE_DHCP
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.service_info.dhcp import DhcpServiceInfo
import pytest

from custom_components.cubeguardian.const import DOMAIN
from custom_components.cubeguardian.server_manager import (
    tls,
)
from tests.flows import (
    GAME,
    MAC,
    OTHER_MAC,
    choose,
    go_on,
    host_form,
    known_host,
    suggested,
)
from tests.lab.pve import TOKEN_ID, TOKEN_SECRET, LabPve

pytest_plugins = ("tests.flow_peers",)
pytestmark = pytest.mark.usefixtures("quiet_loopback", "entries_stay_still")


@pytest.mark.parametrize(
    ("host", "expected"),
    [("192.0.2.1", "192.0.2.7"), ("pve.lan", "pve.lan"), ("2001:db8::1", "2001:db8::1")],
)
async def test_dhcp_follows_a_literal_address_and_leaves_names_alone(
    hass: HomeAssistant, host: str, expected: str
) -> None:
    entry = known_host(hass, host=host)
    assert await _discover(hass, MAC) == "already_configured"
    assert entry.data["host"] == expected


async def test_dhcp_never_offers_a_host_that_nobody_added(hass: HomeAssistant) -> None:
    entry = known_host(hass, host="192.0.2.1")
    assert await _discover(hass, OTHER_MAC) == "not_known"
    assert entry.data["host"] == "192.0.2.1"


async def test_a_refused_token_is_replaced(hass: HomeAssistant, pve: LabPve) -> None:
    entry = known_host(hass, pve.port, token_secret="old", trust=_authority(pve))
    form = await entry.start_reauth_flow(hass)
    assert form["step_id"] == "reauth_confirm"
    assert form["description_placeholders"] == {"token_id": TOKEN_ID, "name": "pve"}
    assert suggested(form) == {"token_id": TOKEN_ID}

    form = await go_on(hass, form, {"token_id": TOKEN_ID, "token_secret": "wrong"})
    assert form["errors"] == {"token_secret": "invalid_auth"}
    form = await go_on(hass, form, {"token_id": "root", "token_secret": TOKEN_SECRET})
    assert form["errors"] == {"token_id": "invalid_token_id"}

    done = await go_on(hass, form, {"token_id": TOKEN_ID, "token_secret": TOKEN_SECRET})
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "reauth_successful")
    assert entry.data["token_secret"] == TOKEN_SECRET
    assert entry.data["mode"] == "manual"


async def test_a_new_token_is_accepted_while_the_host_sleeps(
    hass: HomeAssistant, sleeping_pve: LabPve
) -> None:
    entry = known_host(hass, sleeping_pve.port, token_secret="old", trust=_authority(sleeping_pve))
    form = await entry.start_reauth_flow(hass)
    menu = await go_on(hass, form, {"token_id": TOKEN_ID, "token_secret": TOKEN_SECRET})
    assert menu["step_id"] == "asleep"
    done = await choose(hass, menu, "save_asleep")
    assert done["reason"] == "reauth_successful"
    assert (entry.data["token_secret"], entry.data["unchecked"]) == (TOKEN_SECRET, True)


async def test_reconfiguring_checks_anew_and_keeps_a_secret_that_was_not_typed(
    hass: HomeAssistant, pve: LabPve
) -> None:
    entry = known_host(hass, 1, trust=_authority(pve), games=[GAME])
    pve.grant("cubeguardian@pve", "/vms/101", "VM.PowerMgmt")
    form = await entry.start_reconfigure_flow(hass)
    assert form["step_id"] == "reconfigure"
    assert suggested(form) == host_form(1, token_secret=None, node="pve")

    typed = host_form(pve.port, mac=OTHER_MAC, token_secret=None, node="pve")
    done = await go_on(hass, form, typed)
    assert done["reason"] == "reconfigure_successful"
    assert entry.unique_id == OTHER_MAC
    assert entry.data["port"] == pve.port
    assert entry.data["token_secret"] == TOKEN_SECRET
    assert entry.data["trust"] == _authority(pve)


async def test_reconfiguring_asks_for_rights_on_the_guests_of_the_game_servers(
    hass: HomeAssistant, pve: LabPve
) -> None:
    entry = known_host(hass, pve.port, trust=_authority(pve), games=[GAME])
    form = await entry.start_reconfigure_flow(hass)
    menu = await go_on(hass, form, host_form(pve.port))
    assert menu["step_id"] == "rights"
    assert "/vms/101" in menu["description_placeholders"]["commands"]


async def test_reconfiguring_accepts_a_host_that_sleeps(
    hass: HomeAssistant, sleeping_pve: LabPve
) -> None:
    entry = known_host(hass, 1, trust=_authority(sleeping_pve))
    form = await entry.start_reconfigure_flow(hass)
    menu = await go_on(hass, form, host_form(sleeping_pve.port, token_secret=None))
    done = await choose(hass, menu, "save_asleep")
    assert done["reason"] == "reconfigure_successful"
    assert (entry.data["port"], entry.data["unchecked"]) == (sleeping_pve.port, True)


async def test_reconfiguring_can_give_the_token_up(hass: HomeAssistant, pve: LabPve) -> None:
    entry = known_host(hass, pve.port)
    form = await entry.start_reconfigure_flow(hass)
    done = await go_on(hass, form, host_form(pve.port, token_id=None, token_secret=None))
    assert done["reason"] == "reconfigure_successful"
    assert (entry.data["token_id"], entry.data["token_secret"]) == (None, None)


async def test_reconfiguring_refuses_what_cannot_be_right(hass: HomeAssistant, pve: LabPve) -> None:
    known_host(hass, 1, mac=OTHER_MAC)
    entry = known_host(hass, pve.port, trust=_authority(pve))
    form = await entry.start_reconfigure_flow(hass)
    form = await go_on(hass, form, host_form(pve.port, mac="no"))
    assert (form["step_id"], form["errors"]) == ("reconfigure", {"mac": "invalid_mac"})
    taken = await go_on(hass, form, host_form(pve.port, mac=OTHER_MAC))
    assert taken["reason"] == "already_configured"
    assert entry.data["mac"] == MAC


def _authority(pve: LabPve) -> dict[str, str]:
    """Return the trust in a node's authority as an entry holds it."""
    return tls.TlsTrust.pin_authority(pve.certificates.authority.pem).to_dict()


async def _discover(hass: HomeAssistant, mac: str) -> str:
    """Let DHCP see a machine at a new address; return how the flow ended."""
    seen = DhcpServiceInfo(ip="192.0.2.7", hostname="pve", macaddress=mac.replace(":", ""))
    found = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_DHCP}, data=seen
    )
    reason: str = found["reason"]
    return reason
