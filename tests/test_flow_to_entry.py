"""What the flows make, loaded for real against a node of the lab."""

from typing import Any

from homeassistant.config_entries import SOURCE_RECONFIGURE, SOURCE_USER, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.const import DOMAIN
from custom_components.cubeguardian.repairs import async_raise_address_conflict
from tests.flows import choose, decide, go_on, host_form, start
from tests.lab.pve import LabPve

pytest_plugins = ("tests.flow_peers",)
pytestmark = pytest.mark.usefixtures("quiet_loopback")


async def _settle(hass: HomeAssistant) -> None:
    """Wait for everything that the integration does in the background."""
    await hass.async_block_till_done(wait_background_tasks=True)


def _complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what Home Assistant or the integration warned about.

    That a custom integration is untested is said of all of them.
    """
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelname in ("WARNING", "ERROR", "CRITICAL")
        and record.name.startswith(("homeassistant", "custom_components"))
        and "has not been tested by Home Assistant" not in record.getMessage()
    ]


async def test_a_host_and_its_game_server_are_set_up_changed_and_removed_without_complaint(
    hass: HomeAssistant, pve: LabPve, caplog: pytest.LogCaptureFixture, unused_tcp_port: int
) -> None:
    pve.add_guest(101, "survival")
    asked = await go_on(hass, await start(hass, host_form(pve.port)))
    roles = {"sleep_with_host": [], "keep_awake": [], "protected": []}
    entry = (await decide(hass, await go_on(hass, asked, roles)))["result"]
    await _settle(hass)
    assert entry.state is ConfigEntryState.LOADED
    assert hass.states.get("switch.pve").state == "on"

    form = await hass.config_entries.subentries.async_init(
        (entry.entry_id, "minecraft_server"), context={"source": SOURCE_USER}
    )
    offered = form["data_schema"].schema["vmid"].config["options"]
    assert offered == [{"value": "101", "label": "101 · survival"}]
    typed = {"name": "Survival", "address": f"127.0.0.1:{unused_tcp_port}", "edition": "java"}
    await hass.config_entries.subentries.async_configure(form["flow_id"], typed | {"vmid": "101"})
    await _settle(hass)
    assert entry.state is ConfigEntryState.LOADED
    assert hass.states.get("switch.survival") is not None, "the listener has reloaded the entry"

    menu = await _reconfigure(hass, entry, host_form(pve.port, token_secret=None))
    assert "/vms/101" in menu["description_placeholders"]["commands"]
    pve.grant("cubeguardian@pve", "/vms/101", "VM.PowerMgmt")
    done = await choose(hass, menu, "check_rights")
    assert done["reason"] == "reconfigure_successful"
    await _settle(hass)
    assert entry.state is ConfigEntryState.LOADED

    assert await hass.config_entries.async_remove(entry.entry_id)
    assert not _complaints(caplog)


async def test_a_host_that_was_added_asleep_asks_for_its_checks_when_it_is_awake(
    hass: HomeAssistant, sleeping_pve: LabPve, issue_registry: ir.IssueRegistry
) -> None:
    menu = await start(hass, host_form(sleeping_pve.port))
    entry = (await decide(hass, await choose(hass, menu, "save_asleep")))["result"]
    await _settle(hass)
    assert entry.state is ConfigEntryState.LOADED
    assert not issue_registry.issues

    await sleeping_pve.start()
    await entry.runtime_data.host.async_look()
    await _settle(hass)
    assert [key for _, key in issue_registry.issues] == [f"unchecked_host_{entry.entry_id}"]
    assert not sleeping_pve.calls, "the token waits until the certificate is trusted"
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_removed_host_leaves_no_repair_behind(
    hass: HomeAssistant, pve: LabPve, issue_registry: ir.IssueRegistry
) -> None:
    asked = await go_on(hass, await start(hass, host_form(pve.port)))
    entry = (await decide(hass, asked))["result"]
    async_raise_address_conflict(hass, entry)
    await hass.config_entries.async_remove(entry.entry_id)
    assert not issue_registry.issues


async def _reconfigure(hass: HomeAssistant, entry: MockConfigEntry, typed: dict[str, Any]) -> Any:
    """Submit the form of a change."""
    context = {"source": SOURCE_RECONFIGURE, "entry_id": entry.entry_id}
    form = await hass.config_entries.flow.async_init(DOMAIN, context=context)
    return await go_on(hass, form, typed)
