"""What the guardian hears of a machine, and what of a command that failed."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.guardian import BackupDue, GuardianPortError
from custom_components.cubeguardian.ports import GameBinding, HostBinding, host_sighting
from custom_components.cubeguardian.server_manager import (
    ApiError,
    AuthenticationError,
    BackupJob,
    GuestIgnoresError,
    HostTimeoutError,
    NetworkUnavailableError,
    ServerManagerError,
)

from .conftest import Load
from .machines import BOOTED_AT, OTHER_VMID, SURVIVAL, SURVIVAL_VMID, FakeMachines


def host(entry: MockConfigEntry) -> HostBinding:
    """Return the host as the guardian holds it."""
    return HostBinding(entry.runtime_data.manager, entry.runtime_data.host)


def game(entry: MockConfigEntry, vmid: int | None) -> GameBinding:
    """Return a game server as the guardian holds it."""
    runtime = entry.runtime_data
    return GameBinding(runtime.manager, runtime.games["01SURVIVAL"], vmid)


@pytest.mark.parametrize(
    ("error", "code", "sent"),
    [
        (AuthenticationError("no such token"), "auth_error", False),
        (NetworkUnavailableError("no network"), "connection_error", False),
        (ApiError("not ready", status=500), "api_error", False),
        (ApiError("the connection ended", status=0), "api_error", False),
        (ApiError("the connection ended", status=0), "api_error", True),
        (HostTimeoutError("no answer"), "timeout_error", False),
        (HostTimeoutError("no answer"), "timeout_error", True),
    ],
)
async def test_a_command_whose_answer_is_missing_is_told_from_one_that_was_refused(
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    error: ServerManagerError,
    code: str,
    sent: bool,
) -> None:
    await load()
    error.sent = sent
    machines.fails("shut_down", error)
    with pytest.raises(GuardianPortError) as failed:
        await host(config_entry).shut_down()
    assert (failed.value.code, failed.value.sent, str(failed.value)) == (code, sent, str(error))


@pytest.mark.parametrize(
    ("command", "call"),
    [
        (GameBinding.start, "start_guest"),
        (GameBinding.shut_down, "shutdown_guest"),
        (GameBinding.reboot, "reboot_guest"),
    ],
)
async def test_a_game_servers_commands_go_to_its_guest_and_nowhere_without_one(
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    command: Callable[[GameBinding], Awaitable[None]],
    call: str,
) -> None:
    await load()
    await command(game(config_entry, SURVIVAL_VMID))
    assert machines.calls == [f"{call} {SURVIVAL_VMID}"]
    with pytest.raises(GuardianPortError) as failed:
        await command(game(config_entry, None))
    assert failed.value.code == "invalid_input"
    assert machines.calls == [f"{call} {SURVIVAL_VMID}"]


async def test_a_guest_is_stopped_and_started_and_one_that_ignores_it_is_told_of(
    load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    await load()
    binding = host(config_entry)
    await binding.stop_guest(OTHER_VMID, timedelta(seconds=180))
    await binding.start_guest(OTHER_VMID)
    assert machines.calls == [f"stop_guest {OTHER_VMID}", f"start_guest {OTHER_VMID}"]
    machines.fails("stop_guest", GuestIgnoresError("Guest 200 still runs"))
    with pytest.raises(GuardianPortError) as failed:
        await binding.stop_guest(OTHER_VMID, timedelta(seconds=180))
    assert failed.value.code == "guest_ignores"


class Saving:
    """A game server's management that counts how often it saved."""

    def __init__(self) -> None:
        """Start with nothing saved, and nothing that fails."""
        self.saved = 0
        self.error: ServerManagerError | None = None

    async def announce(self, text: str, *, timeout: float) -> None:
        """Say nothing."""

    async def save(self, *, timeout: float) -> None:
        """Save, or fail."""
        if self.error:
            raise self.error
        self.saved += 1

    async def players(self, *, timeout: float) -> tuple[str, ...]:
        """Name nobody."""
        return ()

    async def check(self, *, timeout: float) -> str:
        """Tell no version."""
        return ""


async def test_a_world_is_saved_where_somebody_can_be_told_to(
    load: Load, config_entry: MockConfigEntry
) -> None:
    await load()
    runtime, saving = config_entry.runtime_data, Saving()
    managed = GameBinding(runtime.manager, runtime.games["01SURVIVAL"], None, saving)
    await managed.save()
    assert saving.saved == 1
    saving.error = AuthenticationError("wrong secret")
    with pytest.raises(GuardianPortError) as failed:
        await managed.save()
    assert failed.value.code == "auth_error"
    await game(config_entry, None).save()


async def test_guests_and_planned_backups_are_told_of(
    load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    machines.host_up()
    machines.sees_all_guests = False
    nightly = BackupJob(
        id="nightly", enabled=True, next_run=BOOTED_AT, repeat_missed=False, node=""
    )
    machines.backups = (
        nightly,
        replace(nightly, id="off", enabled=False),
        replace(nightly, id="never", next_run=None),
    )
    await load()
    sighting = await host(config_entry).look()
    assert sighting.backups_due == (BackupDue(at=BOOTED_AT, job="nightly"),)
    assert [guest.name for guest in sighting.guests or ()] == ["survival", "nextcloud"]
    assert not sighting.sees_all_guests
    machines.backups = None
    assert (await host(config_entry).look()).backups_due is None


async def test_a_power_meter_is_a_witness(
    load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    await load()
    await machines.seen()
    data = config_entry.runtime_data.host.data
    assert host_sighting(data).draws_power is None
    assert not host_sighting(data).hung
    assert host_sighting(data, draws_power=True).hung
    runtime = config_entry.runtime_data
    binding = HostBinding(runtime.manager, runtime.host, draws_power=lambda: True)
    assert (await binding.look()).hung


async def test_only_tasks_that_we_did_not_start_are_told_of(
    load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    machines.host_up()
    machines.backup_runs()
    (backup,) = machines.tasks
    machines.tasks = (backup, replace(backup, kind="qmshutdown", target="101", ours=True))
    await load()
    sighting = await host(config_entry).look()
    assert [(task.kind, task.target) for task in sighting.tasks or ()] == [("vzdump", "200")]
    assert {guest.vmid: guest.running for guest in sighting.guests or ()} == {101: True, 200: False}
    assert sighting.answers


async def test_a_backup_that_was_started_with_our_token_is_not_ours(
    load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    machines.host_up()
    machines.backup_runs()
    (backup,) = machines.tasks
    machines.tasks = (replace(backup, ours=True),)
    await load()
    sighting = await host(config_entry).look()
    assert [task.kind for task in sighting.tasks or ()] == ["vzdump"]


async def test_a_lost_answer_names_no_players_although_the_last_ones_are_still_shown(
    load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    machines.host_up()
    machines.game_up(SURVIVAL, "Alex")
    await load()
    binding = game(config_entry, SURVIVAL_VMID)
    assert (await binding.look()).players == ("Alex",)
    machines.game_silent(SURVIVAL)
    sighting = await binding.look()
    assert (sighting.answers, sighting.players_online, sighting.players) == (False, None, ())
    shown = config_entry.runtime_data.games["01SURVIVAL"].data.status
    assert shown is not None
    assert shown.players == ("Alex",)
