"""The actions and what they answer."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import ATTR_DEVICE_ID, CONF_HOST, Platform
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import (
    HomeAssistantError,
    ServiceValidationError,
)
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
import voluptuous as vol

from custom_components.cubeguardian.const import DOMAIN
from custom_components.cubeguardian.guardian import (
    Event,
    GuardianPortError,
    HoldUp,
    HoldUpKey,
    Mode,
    RefusalReason,
    Refused,
    Source,
    State,
)
from custom_components.cubeguardian.helpers import TELLING_ORDER, translate_errors
from custom_components.cubeguardian.server_manager import (
    ApiError,
    AuthenticationError,
    ConnectivityChecker,
    NetworkUnavailableError,
    Reachability,
)

from .conftest import Hang, Load, turn
from .machines import CREATIVE, SURVIVAL, FakeMachines

ACTING = (
    "wake_server",
    "shutdown_server",
    "cancel_shutdown",
    "keep_awake",
    "set_mode",
    "start_minecraft",
    "stop_minecraft",
    "restart_minecraft",
)
ANSWERING = ("check_proxmox_status", "check_minecraft_status", "get_journal", "report")
NEEDED: dict[str, dict[str, Any]] = {"set_mode": {"mode": "manual"}}

type Call = Callable[..., Awaitable[Any]]


@pytest.fixture
def call(hass: HomeAssistant) -> Call:
    """Return a function that calls an action and gives its answer."""

    async def act(action: str, *, context: Context | None = None, **data: Any) -> Any:
        answer = await hass.services.async_call(
            DOMAIN, action, data, blocking=True, return_response=True, context=context
        )
        await hass.async_block_till_done(wait_background_tasks=True)
        return answer

    return act


@pytest.fixture
def device(
    device_registry: dr.DeviceRegistry, config_entry: MockConfigEntry
) -> Callable[[str], str]:
    """Return a function that gives the device of the host or of a game server."""

    def find(owner: str) -> str:
        found = device_registry.async_get_device_by_identifier(
            (DOMAIN, owner), config_entry.entry_id
        )
        assert found is not None
        return found.id

    return find


@pytest.fixture
def reachable(machines: FakeMachines, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the seed's check, which probes by itself, see the pretended host."""

    async def probe(checker: ConnectivityChecker, host: str, *, timeout: float) -> Reachability:
        up = machines.awake
        return Reachability(ping=up, port=up, latency_ms=0.5 if up else None, network=True)

    monkeypatch.setattr(ConnectivityChecker, "probe", probe)


async def test_wake_server_answers_with_the_seeds_result(
    load: Load, machines: FakeMachines, call: Call
) -> None:
    await load()
    await machines.seen()
    answer = await call("wake_server")
    assert machines.calls == ["wake"]
    assert answer["success"] is True
    assert answer["message"] == "Wake-up of Attic is under way"
    assert datetime.strptime(answer["timestamp"], "%Y-%m-%d %H:%M:%S")
    assert answer["details"] == {
        "operation": "wake_on_lan",
        "mac_address": "02:00:5e:10:00:01",
        "target_host": "192.0.2.10",
        "state": "waking",
    }


async def test_wake_server_aimed_at_a_game_server_starts_that_one(
    load: Load, machines: FakeMachines, call: Call, device: Callable[[str], str]
) -> None:
    machines.host_up()
    machines.guests[101].running = False
    await load()
    await machines.seen()
    answer = await call("wake_server", device_id=device("01SURVIVAL"))
    assert answer["details"]["operation"] == "start"
    assert answer["details"]["target_host"] == SURVIVAL
    assert answer["details"]["state"] == "waking"
    assert machines.calls == ["start_guest 101"]


async def test_a_packet_that_cannot_be_sent_raises_with_its_code(
    load: Load, machines: FakeMachines, call: Call
) -> None:
    await load()
    await machines.seen()
    machines.fails("wake", NetworkUnavailableError("no route"))
    with pytest.raises(HomeAssistantError) as failed:
        await call("wake_server")
    assert failed.value.translation_domain == DOMAIN
    assert failed.value.translation_key == "connection_error"
    assert failed.value.translation_placeholders == {"message": "no route"}


async def test_shutdown_server_shuts_the_host_down_at_once(
    load: Load, machines: FakeMachines, call: Call
) -> None:
    machines.host_up()
    await load()
    await machines.seen()
    answer = await call("shutdown_server")
    assert machines.calls == ["stop_guest 101", "shut_down"]
    assert answer["details"] == {
        "operation": "shutdown",
        "target_host": "192.0.2.10",
        "delay_minutes": 0,
        "state": "stopping",
    }


async def test_a_delay_announces_the_shutdown_and_anybody_may_cancel_it(
    load: Load, machines: FakeMachines, call: Call
) -> None:
    machines.host_up()
    await load()
    await machines.seen()
    answer = await call("shutdown_server", delay_minutes=15)
    assert answer["details"]["delay_minutes"] == 15
    assert answer["details"]["state"] == "countdown"
    answer = await call("cancel_shutdown")
    assert answer["details"]["operation"] == "cancel_shutdown"
    assert answer["details"]["state"] == "running"
    assert machines.calls == []


async def test_players_refuse_a_shutdown_unless_it_is_forced(
    load: Load, machines: FakeMachines, call: Call
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL, "Steve")
    await load()
    await machines.seen()
    with pytest.raises(ServiceValidationError) as refused:
        await call("shutdown_server")
    assert refused.value.translation_key == "held_player"
    assert machines.calls == []
    await call("shutdown_server", force=True)
    assert machines.calls == ["stop_guest 101", "shut_down"]


async def test_a_shutdown_that_the_host_refuses_raises_with_its_code(
    load: Load, machines: FakeMachines, call: Call
) -> None:
    machines.host_up()
    await load()
    await machines.seen()
    machines.fails("shut_down", AuthenticationError("token refused"))
    with pytest.raises(HomeAssistantError) as failed:
        await call("shutdown_server")
    assert failed.value.translation_key == "auth_error"


@pytest.mark.parametrize("minutes", [-1, 1441, "soon"])
async def test_a_delay_is_between_nothing_and_a_day(
    load: Load, call: Call, minutes: int | str
) -> None:
    await load()
    with pytest.raises(vol.Invalid):
        await call("shutdown_server", delay_minutes=minutes)


async def test_nothing_to_cancel_is_said(load: Load, machines: FakeMachines, call: Call) -> None:
    machines.host_up()
    await load()
    await machines.seen()
    with pytest.raises(ServiceValidationError) as refused:
        await call("cancel_shutdown")
    assert refused.value.translation_key == "nothing_to_cancel"


async def test_the_mode_is_set_with_its_reason(
    load: Load, call: Call, config_entry: MockConfigEntry, device: Callable[[str], str]
) -> None:
    await load()
    answer = await call(
        "set_mode", mode="maintenance", reason="new disks", device_id=device("01SURVIVAL")
    )
    assert answer["details"]["mode"] == "maintenance"
    snapshot = config_entry.runtime_data.guardian.snapshot
    assert snapshot.mode is Mode.MAINTENANCE
    assert snapshot.mode_reason == "new disks"


async def test_automatic_mode_is_set(load: Load, call: Call, config_entry: MockConfigEntry) -> None:
    await load()
    assert (await call("set_mode", mode="automatic"))["details"]["mode"] == "automatic"
    assert config_entry.runtime_data.guardian.snapshot.mode is Mode.AUTOMATIC


async def test_a_mode_that_nobody_knows_is_refused(load: Load, call: Call) -> None:
    await load()
    with pytest.raises(vol.Invalid):
        await call("set_mode", mode="holidays")


@pytest.mark.parametrize("game", [True, False], ids=["by its game server", "as the only one"])
async def test_the_host_is_kept_awake_for_some_minutes(
    load: Load,
    machines: FakeMachines,
    call: Call,
    config_entry: MockConfigEntry,
    device: Callable[[str], str],
    game: bool,
) -> None:
    machines.host_up()
    await load()
    await machines.seen()
    aimed = {"device_id": device("01SURVIVAL")} if game else {}
    answer = await call("keep_awake", minutes=90, **aimed)
    assert answer["message"] == "Attic is kept awake for 90 min"
    assert answer["details"] == {
        "operation": "keep_awake",
        "target_host": "192.0.2.10",
        "state": "running",
        "minutes": 90,
    }
    lease = config_entry.runtime_data.guardian.snapshot.keep_awake
    assert lease and lease.until == lease.since + timedelta(minutes=90)


async def test_keeping_awake_without_minutes_has_no_end(
    load: Load, machines: FakeMachines, call: Call, config_entry: MockConfigEntry
) -> None:
    await load()
    await machines.seen()
    answer = await call("keep_awake")
    assert answer["message"] == "Attic is kept awake until somebody ends it"
    lease = config_entry.runtime_data.guardian.snapshot.keep_awake
    assert lease and lease.until is None


@pytest.mark.parametrize("minutes", [-1, 1441, "long"])
async def test_keeping_awake_by_minutes_lasts_a_day_at_most(
    load: Load, call: Call, minutes: int | str
) -> None:
    await load()
    with pytest.raises(vol.Invalid):
        await call("keep_awake", minutes=minutes)


async def test_what_an_action_wakes_is_wanted_by_an_action(
    load: Load, machines: FakeMachines, call: Call, config_entry: MockConfigEntry
) -> None:
    await load()
    await machines.seen()
    await call("wake_server")
    assert {lease.source for lease in config_entry.runtime_data.guardian.snapshot.leases} == {
        Source.ACTION
    }


async def test_the_report_adds_up_what_was_done(
    load: Load, machines: FakeMachines, call: Call, hass_admin_user: MockUser
) -> None:
    await load()
    await machines.seen()
    await call("wake_server", context=Context(user_id=hass_admin_user.id))
    machines.host_up()
    await machines.seen()
    answer = await call("report", days=2)
    assert answer["success"] is True
    told = answer["details"]
    assert (told["operation"], told["days"], told["complete"]) == ("report", 2, False)
    assert told["starts"] == 1
    assert told["by"] == {hass_admin_user.name: {"starts": 1}}
    assert set(told["game_servers"]) == {"Creative", "Survival"}
    assert answer["message"].startswith("Attic in the last 2 days (known since ")


@pytest.mark.parametrize("days", [0, 91])
async def test_a_report_covers_a_day_to_three_months(load: Load, call: Call, days: int) -> None:
    await load()
    with pytest.raises(vol.Invalid):
        await call("report", days=days)


async def test_minecraft_is_started_stopped_and_restarted(
    load: Load,
    machines: FakeMachines,
    call: Call,
    device: Callable[[str], str],
    config_entry: MockConfigEntry,
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL)
    await load()
    await machines.seen()
    survival = device("01SURVIVAL")
    guardian = config_entry.runtime_data.guardian
    answer = await call("restart_minecraft", device_id=survival)
    assert answer["details"]["operation"] == "restart"
    machines.game_crashed(SURVIVAL)
    await machines.seen()
    machines.game_up(SURVIVAL)
    await machines.seen()
    assert guardian.snapshot.games["01SURVIVAL"].state is State.RUNNING
    answer = await call("stop_minecraft", device_id=survival)
    assert answer["details"]["operation"] == "shutdown"
    machines.game_crashed(SURVIVAL)
    await machines.seen()
    assert guardian.snapshot.games["01SURVIVAL"].state is State.OFF
    answer = await call("start_minecraft", device_id=survival)
    assert answer["details"]["operation"] == "start"
    assert machines.calls == ["reboot_guest 101", "shutdown_guest 101", "start_guest 101"]


async def test_players_refuse_a_stop_of_their_server_unless_it_is_forced(
    load: Load, machines: FakeMachines, call: Call, device: Callable[[str], str]
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL, "Steve")
    await load()
    await machines.seen()
    with pytest.raises(ServiceValidationError) as refused:
        await call("stop_minecraft", device_id=device("01SURVIVAL"))
    assert refused.value.translation_key == "held_player"
    await call("stop_minecraft", device_id=device("01SURVIVAL"), force=True)
    assert machines.calls == ["shutdown_guest 101"]


async def test_a_game_server_without_a_guest_says_that_it_has_none(
    load: Load, machines: FakeMachines, call: Call, device: Callable[[str], str]
) -> None:
    machines.host_up()
    machines.game_up(CREATIVE)
    await load()
    await machines.seen()
    with pytest.raises(ServiceValidationError) as refused:
        await call("stop_minecraft", device_id=device("01CREATIVE"))
    assert refused.value.translation_key == "no_guest"


@pytest.mark.usefixtures("reachable")
async def test_a_host_that_answers_tells_about_itself(
    load: Load, machines: FakeMachines, call: Call
) -> None:
    machines.host_up()
    await load()
    answer = await call("check_proxmox_status")
    assert answer["success"] is True
    assert answer["details"] == {
        "operation": "connectivity_check",
        "target_host": "192.0.2.10",
        "response_time": "OK",
        "latency_ms": 0.5,
        "ping": True,
        "port": True,
        "version": "9.0.3",
        "running_guests": 1,
    }


@pytest.mark.usefixtures("reachable")
async def test_a_sleeping_host_is_an_answer_not_an_error(load: Load, call: Call) -> None:
    await load()
    answer = await call("check_proxmox_status")
    assert answer["success"] is False
    assert answer["error"] == "timeout_error"
    assert answer["details"]["operation"] == "connectivity_check"


@pytest.mark.usefixtures("reachable")
@pytest.mark.parametrize(
    ("error", "code"),
    [(AuthenticationError("401"), "auth_error"), (ApiError("HTML", status=200), "api_error")],
    ids=["wrong token", "nonsense"],
)
async def test_an_api_that_does_not_work_is_the_checks_answer(
    load: Load, machines: FakeMachines, call: Call, error: ApiError, code: str
) -> None:
    machines.host_up()
    machines.fails("read_node", error)
    await load()
    answer = await call("check_proxmox_status")
    assert answer["success"] is False
    assert answer["error"] == code
    assert answer["details"]["response_time"] == "OK"


async def test_a_game_server_that_answers_tells_about_itself(
    load: Load, machines: FakeMachines, call: Call, device: Callable[[str], str]
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL, "Steve")
    await load()
    answer = await call("check_minecraft_status", device_id=device("01SURVIVAL"))
    assert answer["success"] is True
    assert answer["details"] == {
        "operation": "minecraft_check",
        "target_host": SURVIVAL,
        "players_online": 1,
        "players_max": 20,
        "players": ["Steve"],
        "version": "1.21.11",
        "motd": "A cosy place",
        "latency_ms": 7.5,
    }


async def test_a_game_server_that_is_off_is_an_answer_not_an_error(
    load: Load, call: Call, device: Callable[[str], str]
) -> None:
    await load()
    answer = await call("check_minecraft_status", device_id=device("01CREATIVE"))
    assert answer["success"] is False
    assert answer["error"] == "connection_error"
    assert answer["details"] == {"operation": "minecraft_check", "target_host": CREATIVE}


async def test_the_journal_tells_what_was_done_by_whom(
    load: Load,
    machines: FakeMachines,
    call: Call,
    hass_admin_user: MockUser,
) -> None:
    await load()
    await machines.seen()
    await call("wake_server", context=Context(user_id=hass_admin_user.id))
    [entry] = [e for e in (await call("get_journal"))["entries"] if e["kind"] == "wake_sent"]
    assert entry["by"] == hass_admin_user.name
    assert entry["target"] == "host"
    assert entry["success"] is True


async def test_the_journal_of_a_game_server_holds_nothing_else(
    load: Load, machines: FakeMachines, call: Call, device: Callable[[str], str]
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL)
    await load()
    await machines.seen()
    await call("stop_minecraft", device_id=device("01SURVIVAL"))
    await call("set_mode", mode="maintenance")
    everything = (await call("get_journal", device_id=device("01HOST")))["entries"]
    own = (await call("get_journal", device_id=device("01SURVIVAL")))["entries"]
    assert {entry["target"] for entry in own} == {"01SURVIVAL"}
    assert len(own) < len(everything)


@pytest.mark.parametrize("action", sorted(set(ACTING) - {"cancel_shutdown"}))
async def test_acting_needs_no_answer(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    device: Callable[[str], str],
    action: str,
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL)
    await load()
    await machines.seen()
    before = config_entry.runtime_data.guardian.snapshot
    data = {ATTR_DEVICE_ID: device("01SURVIVAL"), "mode": "maintenance"}
    if action != "set_mode":
        del data["mode"]
    await hass.services.async_call(DOMAIN, action, data, blocking=True)
    assert config_entry.runtime_data.guardian.snapshot != before


@pytest.mark.parametrize("action", ANSWERING)
async def test_asking_is_only_for_the_answer(hass: HomeAssistant, load: Load, action: str) -> None:
    await load()
    with pytest.raises(ServiceValidationError):
        await hass.services.async_call(DOMAIN, action, {}, blocking=True)


@pytest.mark.parametrize("action", (*ACTING, *ANSWERING))
async def test_without_a_host_there_is_nothing_to_do(
    hass: HomeAssistant, call: Call, action: str
) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    with pytest.raises(ServiceValidationError) as refused:
        await call(action, **NEEDED.get(action, {}))
    assert refused.value.translation_key == "no_host"


@pytest.mark.parametrize("action", (*ACTING, *ANSWERING))
async def test_a_device_of_something_else_is_unknown(load: Load, call: Call, action: str) -> None:
    await load()
    with pytest.raises(ServiceValidationError) as refused:
        await call(action, device_id="no such device", **NEEDED.get(action, {}))
    assert refused.value.translation_key == "unknown_device"


@pytest.mark.parametrize("by_device", [True, False], ids=["by its device", "as the only one"])
async def test_a_host_that_is_not_loaded_is_named(
    hass: HomeAssistant,
    load: Load,
    call: Call,
    config_entry: MockConfigEntry,
    device: Callable[[str], str],
    by_device: bool,
) -> None:
    await load()
    assert await hass.config_entries.async_unload(config_entry.entry_id)
    with pytest.raises(ServiceValidationError) as refused:
        await call("wake_server", **({"device_id": device("01HOST")} if by_device else {}))
    assert refused.value.translation_key == "not_loaded"
    assert refused.value.translation_placeholders == {"host": "Attic"}


async def test_with_several_hosts_one_has_to_be_chosen(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    call: Call,
    config_entry: MockConfigEntry,
    device: Callable[[str], str],
) -> None:
    await load()
    other = MockConfigEntry(
        domain=DOMAIN,
        title="Cellar",
        unique_id="02:00:5e:10:00:02",
        data={**config_entry.data, CONF_HOST: "192.0.2.11", "mac": "02:00:5e:10:00:02"},
    )
    other.add_to_hass(hass)
    assert await hass.config_entries.async_setup(other.entry_id)
    with pytest.raises(ServiceValidationError) as refused:
        await call("wake_server")
    assert refused.value.translation_key == "several_hosts"
    await machines.seen()
    await call("wake_server", device_id=device("01HOST"))
    assert config_entry.runtime_data.guardian.snapshot.host.state is State.WAKING
    assert other.runtime_data.guardian.snapshot.host.state is State.OFF
    assert await hass.config_entries.async_unload(other.entry_id)


async def test_with_several_game_servers_one_has_to_be_chosen(
    load: Load, call: Call, device: Callable[[str], str]
) -> None:
    await load()
    for data in ({}, {"device_id": device("01HOST")}):
        with pytest.raises(ServiceValidationError) as refused:
            await call("start_minecraft", **data)
        assert refused.value.translation_key == "several_game_servers"


async def test_the_only_game_server_needs_no_choosing(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    call: Call,
    config_entry: MockConfigEntry,
    device: Callable[[str], str],
) -> None:
    machines.host_up()
    machines.guests[101].running = False
    await load()
    hass.config_entries.async_remove_subentry(config_entry, "01CREATIVE")
    await hass.async_block_till_done(wait_background_tasks=True)
    await machines.seen()
    for data in ({}, {"device_id": device("01HOST")}):
        answer = await call("check_minecraft_status", **data)
        assert answer["details"]["target_host"] == SURVIVAL


async def test_a_host_without_game_servers_has_none_to_start(
    hass: HomeAssistant, load: Load, call: Call, config_entry: MockConfigEntry
) -> None:
    await load()
    for game_id in ("01CREATIVE", "01SURVIVAL"):
        hass.config_entries.async_remove_subentry(config_entry, game_id)
        await hass.async_block_till_done(wait_background_tasks=True)
    with pytest.raises(ServiceValidationError) as refused:
        await call("start_minecraft")
    assert refused.value.translation_key == "not_a_game_server"


async def test_a_device_of_another_kind_is_not_a_game_server(
    hass: HomeAssistant,
    load: Load,
    call: Call,
    config_entry: MockConfigEntry,
    device_registry: dr.DeviceRegistry,
) -> None:
    await load()
    other = ConfigSubentry(
        data=MappingProxyType({}), subentry_type="something", title="Other", unique_id=None
    )
    hass.config_entries.async_add_subentry(config_entry, other)
    await hass.async_block_till_done(wait_background_tasks=True)
    found = device_registry.async_get_or_create(
        config_entry_id=config_entry.entry_id,
        config_subentry_id=other.subentry_id,
        identifiers={(DOMAIN, other.subentry_id)},
    )
    with pytest.raises(ServiceValidationError) as refused:
        await call("start_minecraft", device_id=found.id)
    assert refused.value.translation_key == "not_a_game_server"


@pytest.mark.parametrize(
    ("placeholders", "key"),
    [({"reason": "new disks"}, "maintenance"), ({"reason": ""}, "maintenance_without_reason")],
)
async def test_maintenance_is_said_with_its_reason_if_it_has_one(
    hass: HomeAssistant, placeholders: dict[str, str], key: str
) -> None:
    @translate_errors
    async def act() -> None:
        raise Refused(RefusalReason.MAINTENANCE, placeholders=placeholders)

    with pytest.raises(ServiceValidationError) as refused:
        await act()
    assert refused.value.translation_key == key


async def test_a_veto_is_said_with_its_text(hass: HomeAssistant) -> None:
    @translate_errors
    async def act() -> None:
        raise Refused(RefusalReason.FORBIDDEN, placeholders={"reason": "Quiet hours"})

    with pytest.raises(ServiceValidationError) as refused:
        await act()
    assert refused.value.translation_key == "forbidden"
    assert refused.value.translation_placeholders == {"reason": "Quiet hours"}


BACKUP = HoldUp(
    key=HoldUpKey.BACKUP_DUE, placeholders={"at": "2026-11-22T22:30:00+00:00", "job": "backup-1"}
)
GUEST = HoldUp(key=HoldUpKey.GUEST, placeholders={"vmid": "200", "name": "nextcloud"})
PROTECTED = HoldUp(key=HoldUpKey.PROTECTED, placeholders={"vmid": "100", "name": ""})
TASK = HoldUp(key=HoldUpKey.TASK, placeholders={"task": "vzdump", "target": "200"})
BLIND = HoldUp(key=HoldUpKey.CANNOT_SEE, placeholders={"reason": "incomplete"})


@pytest.mark.parametrize(
    ("held", "key", "placeholders"),
    [
        ([BACKUP], "held_backup_due", {"time": "14:30"}),
        ([GUEST, BACKUP], "held_guest", {"guests": "200 nextcloud"}),
        ([TASK, GUEST], "held_task", {"tasks": "vzdump"}),
        ([TASK, GUEST, PROTECTED], "held_protected", {"guests": "100"}),
        ([BLIND, GUEST], "held_guest", {"guests": "200 nextcloud"}),
        ([BLIND], "held_blind", {"server": ""}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_held_shutdown_says_what_is_most_telling(
    hass: HomeAssistant, held: list[HoldUp], key: str, placeholders: dict[str, str]
) -> None:
    @translate_errors
    async def act() -> None:
        raise Refused(RefusalReason.HELD, tuple(held))

    with pytest.raises(ServiceValidationError) as refused:
        await act()
    assert refused.value.translation_key == key
    assert refused.value.translation_placeholders == placeholders


def test_every_kind_of_hold_up_can_be_told() -> None:
    assert set(TELLING_ORDER) == set(HoldUpKey)


async def test_a_guest_that_does_not_shut_down_is_an_error_of_its_own(hass: HomeAssistant) -> None:
    @translate_errors
    async def act() -> None:
        raise GuardianPortError("guest_ignores", "guest 200 is still running")

    with pytest.raises(HomeAssistantError) as failed:
        await act()
    assert failed.value.translation_key == "guest_ignores"


async def test_an_error_code_nobody_knows_is_an_error_of_the_api(hass: HomeAssistant) -> None:
    @translate_errors
    async def act() -> None:
        raise GuardianPortError("brand_new", "something odd")

    with pytest.raises(HomeAssistantError) as failed:
        await act()
    assert failed.value.translation_key == "api_error"


async def test_a_command_whose_entry_is_unloaded_meanwhile_is_called_off_and_says_so(
    hass: HomeAssistant,
    load: Load,
    call: Call,
    machines: FakeMachines,
    hang: Hang,
    config_entry: MockConfigEntry,
) -> None:
    machines.host_up()
    await load(Platform.SWITCH)
    await machines.seen()
    sent = hang("shut_down")
    command = asyncio.ensure_future(call("shutdown_server"))
    await turn()
    assert await hass.config_entries.async_unload(config_entry.entry_id)
    sent.set()
    with pytest.raises(ServiceValidationError) as refused:
        await command
    assert refused.value.translation_key == "superseded"


async def test_a_listener_that_fails_stops_no_command(
    load: Load,
    call: Call,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(event: Event) -> None:
        raise RuntimeError("made up")

    machines.host_up()
    await load(Platform.SWITCH)
    await machines.seen()
    config_entry.runtime_data.decisions.async_listen_events(fail)
    await call("shutdown_server")
    assert machines.calls == ["stop_guest 101", "shut_down"]
    assert "A listener failed at the event shutdown_sent" in caplog.text
