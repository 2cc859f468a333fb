"""What a set-up asks at its end: what the guests mean, and who lets the host sleep."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest

from custom_components.cubeguardian import flow_questions
from tests.flows import decide, go_on, host_form, start, suggested
from tests.lab.pve import LabPve
from tests.lab.pve_record import Fault

pytest_plugins = ("tests.flow_peers",)
pytestmark = pytest.mark.usefixtures("quiet_loopback", "entries_stay_still")

OUR_MAC = "02:00:00:00:07:01"
NOTHING_CHOSEN: dict[str, list[str]] = {"sleep_with_host": [], "keep_awake": [], "protected": []}


@pytest.fixture
def own_macs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give this machine one adapter."""
    monkeypatch.setattr(flow_questions, "own_macs", lambda: frozenset({OUR_MAC}))


async def test_automatic_is_proposed_and_kept_as_the_first_mode(
    hass: HomeAssistant, pve: LabPve
) -> None:
    asked = await _checked(hass, pve)
    (field,) = asked["data_schema"].schema
    assert field.default() == "automatic"
    done = await go_on(hass, asked)
    assert (done["type"], done["data"]["mode"]) == (FlowResultType.CREATE_ENTRY, "automatic")


@pytest.mark.parametrize("mode", ["automatic", "manual"])
async def test_the_mode_is_asked_of_a_host_without_a_token_too(
    hass: HomeAssistant, pve: LabPve, mode: str
) -> None:
    asked = await start(hass, host_form(pve.port, token_id=None, token_secret=None))
    done = await decide(hass, asked, mode)
    assert (done["data"]["mode"], done["options"]) == (mode, {})


async def test_the_guests_are_offered_by_number_and_name_and_what_was_chosen_is_kept(
    hass: HomeAssistant, pve: LabPve
) -> None:
    _add_guests(pve)
    asked = await _checked(hass, pve)

    assert (asked["type"], asked["step_id"]) == (FlowResultType.FORM, "guests")
    assert asked["description_placeholders"]["guests"] == "survival (101), nas (102), dns (1000)"
    assert set(asked["data_schema"].schema) == set(NOTHING_CHOSEN)
    for field in asked["data_schema"].schema.values():
        assert field.config["options"] == [
            {"value": "101", "label": "101 · survival"},
            {"value": "102", "label": "102 · nas"},
            {"value": "1000", "label": "1000 · dns"},
        ]
        assert not field.config["custom_value"]

    chosen = {"sleep_with_host": ["1000", "102"], "keep_awake": [], "protected": ["101"]}
    done = await decide(hass, await go_on(hass, asked, chosen), "automatic")
    assert done["options"] == {"guests": chosen | {"sleep_with_host": ["102", "1000"]}}
    assert done["data"]["mode"] == "automatic"


async def test_the_wake_on_lan_of_the_form_is_kept_beside_the_guests(
    hass: HomeAssistant, pve: LabPve
) -> None:
    _add_guests(pve)
    wake = {"broadcast": "127.0.0.1", "port": 40009}
    shown = await start(hass, host_form(pve.port, wake_on_lan=wake))
    done = await decide(hass, await go_on(hass, await go_on(hass, shown), NOTHING_CHOSEN))
    assert done["options"] == {"guests": NOTHING_CHOSEN, "wake_on_lan": wake}


async def test_a_guest_in_two_lists_is_refused_and_nothing_that_was_chosen_is_lost(
    hass: HomeAssistant, pve: LabPve
) -> None:
    _add_guests(pve)
    twice = {"sleep_with_host": ["102"], "keep_awake": ["101"], "protected": ["102"]}
    again = await go_on(hass, await _checked(hass, pve), twice)
    assert (again["step_id"], again["errors"]) == ("guests", {"base": "guest_in_two_lists"})
    assert suggested(again) == twice

    asked = await go_on(hass, again, twice | {"protected": []})
    assert asked["step_id"] == "mode"


@pytest.mark.usefixtures("own_macs")
async def test_home_assistants_own_guest_is_said_protected_and_nothing_automatic_proposed(
    hass: HomeAssistant, pve: LabPve
) -> None:
    _add_guests(pve)
    pve.find_guest(102).config["net0"] = f"virtio={OUR_MAC.upper()},bridge=vmbr0"
    asked = await _checked(hass, pve)
    assert asked["step_id"] == "own_guest"
    assert asked["description_placeholders"]["own"] == "nas (102)"
    assert suggested(asked) == {"protected": ["102"]}

    twice = {"sleep_with_host": ["102"], "keep_awake": [], "protected": ["102"]}
    again = await go_on(hass, asked, twice)
    assert (again["step_id"], again["errors"]) == ("own_guest", {"base": "guest_in_two_lists"})

    question = await go_on(hass, again, NOTHING_CHOSEN | {"protected": ["102"]})
    (field,) = question["data_schema"].schema
    assert field.default() == "manual"
    done = await decide(hass, question, "manual")
    assert done["options"]["guests"]["protected"] == ["102"]


@pytest.mark.usefixtures("own_macs")
async def test_other_peoples_adapters_are_not_ours(hass: HomeAssistant, pve: LabPve) -> None:
    _add_guests(pve)
    pve.find_guest(102).config["net0"] = "virtio=02:00:00:00:07:02,bridge=vmbr0"
    assert (await _checked(hass, pve))["step_id"] == "guests"


async def test_guests_that_cannot_be_read_are_not_asked_about(
    hass: HomeAssistant, pve: LabPve
) -> None:
    _add_guests(pve)
    pve.break_with(Fault.SERVER_ERROR, path="/lxc")
    assert (await _checked(hass, pve))["step_id"] == "mode"


async def test_templates_are_no_guests_to_be_asked_about(hass: HomeAssistant, pve: LabPve) -> None:
    pve.add_guest(900, "base", running=False).template = True
    assert (await _checked(hass, pve))["step_id"] == "mode"


def _add_guests(pve: LabPve) -> None:
    """Add two virtual machines and a container, one with a longer number."""
    pve.add_guest(1000, "dns", kind="lxc")
    pve.add_guest(102, "nas")
    pve.add_guest(101, "survival", running=False)


async def _checked(hass: HomeAssistant, pve: LabPve) -> Any:
    """Set the node up as far as its first question."""
    return await go_on(hass, await start(hass, host_form(pve.port)))
