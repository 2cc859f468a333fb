"""Diagnostics can be posted in public."""

from datetime import UTC, datetime, timedelta
import json

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.json import json_dumps
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from syrupy.assertion import SnapshotAssertion

from custom_components.cubeguardian.diagnostics import async_get_config_entry_diagnostics
from custom_components.cubeguardian.guardian import HOST, Caller, Mode, Refused, Source
from custom_components.cubeguardian.server_manager import BackupJob

from .conftest import Load
from .machines import CREATIVE, SURVIVAL, FakeMachines

SOMEBODY = Caller(name="Robin")
PRIVATE = (
    "cubeguardian@pve!wake",
    "5f8a1c1e-0000-4000-8000-9c2b7d3e4f50",
    "192.0.2.",
    "02:00:5e",
    "pve-attic",
    "Attic",
    "Survival",
    "Creative",
    "01SURVIVAL",
    "01HOST",
    "Steve",
    "Robin",
    "nextcloud",
    "play.example.org",
    "shutter",
    "/config/keys",
    "AAAAC3Nza",
    "aa:bb:cc",
    "BEGIN CERTIFICATE",
    "fea5fea5",
    "grandma",
    "root@pam",
    "robins_plug",
    "games_night",
    "Games night",
    "quiet_hours",
    "Quiet hours",
    "whispered",
)


async def tell_everything(
    hass: HomeAssistant, load: Load, machines: FakeMachines, entry: MockConfigEntry
) -> None:
    """Bring every kind of secret, address and name into play."""
    entry.add_to_hass(hass)
    pinned = {"kind": "leaf", "pem": "-----BEGIN CERTIFICATE-----", "fingerprint": "fea5" * 16}
    hass.config_entries.async_update_entry(
        entry,
        data={**entry.data, "trust": pinned},
        options={
            "wake_on_lan": {
                "broadcast": "192.0.2.255",
                "interface": "192.0.2.3",
                "secure_on": "aa:bb:cc:dd:ee:ff",
                "peer": "192.0.2.12",
                "port": 9,
            },
            "ssh": {
                "user": "shutter",
                "key_path": "/config/keys/attic",
                "port": 22,
                "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5",
            },
            "timeouts": {"wake_minutes": 12, "stop_minutes": 8},
            "automatic": {
                "wanting": ["calendar.games_night"],
                "forbidding": ["input_boolean.quiet_hours"],
                "quiet_minutes": 2,
            },
            "guests": {"sleep_with_host": [], "keep_awake": ["200"], "protected": []},
            "energy": {"watts_on": 55.0, "watts_asleep": 3.0, "power_sensor": "sensor.robins_plug"},
        },
    )
    survival = entry.subentries["01SURVIVAL"]
    hass.config_entries.async_update_subentry(
        entry,
        survival,
        data={
            **survival.data,
            "public_address": "play.example.org",
            "management": {"kind": "none", "port": 25575, "secret": "whispered", "tls": False},
        },
    )
    machines.host_up()
    machines.backup_runs()
    machines.backups = (
        BackupJob(
            id="backup-for-grandma",
            enabled=True,
            next_run=datetime(2026, 11, 23, 1, tzinfo=UTC),
            repeat_missed=False,
            node="",
        ),
    )
    machines.game_up(SURVIVAL, "Steve")
    machines.game_silent(CREATIVE)
    await load()
    await machines.seen()
    guardian = entry.runtime_data.guardian
    guardian.report(Source.ENTITY, HOST, {"calendar.games_night": "Games night"})
    guardian.keep_awake(True, SOMEBODY, timedelta(hours=2))
    guardian.set_vetoes({"input_boolean.quiet_hours": "Quiet hours"})
    guardian.set_mode(Mode.MAINTENANCE, "grandma sleeps", SOMEBODY)
    with pytest.raises(Refused):
        await guardian.shut_down(HOST, SOMEBODY)
    await guardian.shut_down(HOST, SOMEBODY, timedelta(minutes=1))
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_diagnostics_tell_what_is_seen_and_what_was_decided(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
    snapshot: SnapshotAssertion,
) -> None:
    freezer.move_to("2026-11-22 14:30:00+00:00")
    await tell_everything(hass, load, machines, config_entry)
    told = json.loads(json_dumps(await async_get_config_entry_diagnostics(hass, config_entry)))
    assert told == snapshot


async def test_diagnostics_hold_no_secret_no_address_and_no_name(
    hass: HomeAssistant,
    load: Load,
    machines: FakeMachines,
    config_entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    await tell_everything(hass, load, machines, config_entry)
    guardian = config_entry.runtime_data.guardian
    freezer.tick(timedelta(seconds=61))
    await machines.glance()
    guardian.tick()
    await hass.async_block_till_done(wait_background_tasks=True)
    assert guardian.snapshot.host.held
    told = json_dumps(await async_get_config_entry_diagnostics(hass, config_entry))
    assert "vzdump" in told
    for private in PRIVATE:
        assert private not in told, private


async def test_diagnostics_of_a_sleeping_host_are_complete(
    hass: HomeAssistant, load: Load, machines: FakeMachines, config_entry: MockConfigEntry
) -> None:
    await load()
    await machines.seen()
    told = await async_get_config_entry_diagnostics(hass, config_entry)
    assert told["host"]["decided"]["state"] == "off"
    assert told["host"]["seen"]["port"] is False
    assert told["host"]["seen"]["guests"] is None
    assert set(told["game_servers"]) == {"game server 1", "game server 2"}
