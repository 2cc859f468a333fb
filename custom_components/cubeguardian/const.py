"""Constants of the CubeGuardian integration."""

from datetime import timedelta
from typing import Final

DOMAIN: Final = "cubeguardian"

DEFAULT_PORT: Final = 8006
DEFAULT_SSH_PORT: Final = 22
DEFAULT_WAKE_PORTS: Final = (9, 7)

CONF_MAC: Final = "mac"
CONF_TOKEN_ID: Final = "token_id"
CONF_TOKEN_SECRET: Final = "token_secret"
CONF_NODE: Final = "node"
CONF_TRUST: Final = "trust"
CONF_MODE: Final = "mode"
CONF_UNCHECKED: Final = "unchecked"

CONF_TIMEOUTS: Final = "timeouts"
CONF_WAKE_MINUTES: Final = "wake_minutes"
CONF_STOP_MINUTES: Final = "stop_minutes"
DEFAULT_WAKE_MINUTES: Final = 10
DEFAULT_STOP_MINUTES: Final = 8

CONF_AUTOMATIC: Final = "automatic"
CONF_WANTING: Final = "wanting"
CONF_FORBIDDING: Final = "forbidding"
CONF_QUIET_MINUTES: Final = "quiet_minutes"
CONF_LEAST_UP_MINUTES: Final = "least_up_minutes"
CONF_ASKED_MINUTES: Final = "asked_minutes"
CONF_CANCELLED_MINUTES: Final = "cancelled_minutes"
CONF_FOUND_HOURS: Final = "found_hours"
CONF_UNREADABLE_IS_EMPTY: Final = "unreadable_is_empty"
DEFAULT_QUIET_MINUTES: Final = 2
DEFAULT_LEAST_UP_MINUTES: Final = 5
DEFAULT_ASKED_MINUTES: Final = 30
DEFAULT_CANCELLED_MINUTES: Final = 60
DEFAULT_FOUND_HOURS: Final = 4

CONF_GUESTS: Final = "guests"
CONF_GUESTS_SLEEP: Final = "sleep_with_host"
CONF_GUESTS_KEEP_AWAKE: Final = "keep_awake"
CONF_GUESTS_PROTECTED: Final = "protected"

CONF_WAKE_ON_LAN: Final = "wake_on_lan"
CONF_BROADCAST: Final = "broadcast"
CONF_WAKE_PORT: Final = "port"
CONF_INTERFACE: Final = "interface"
CONF_SECURE_ON: Final = "secure_on"
CONF_PEER: Final = "peer"

CONF_SSH: Final = "ssh"
CONF_SSH_USER: Final = "user"
CONF_SSH_KEY_PATH: Final = "key_path"
CONF_SSH_PORT: Final = "port"
CONF_SSH_HOST_KEY: Final = "host_key"

CONF_PROBING: Final = "probing"
CONF_PING: Final = "ping"

CONF_ENERGY: Final = "energy"
CONF_WATTS_ON: Final = "watts_on"
CONF_WATTS_ASLEEP: Final = "watts_asleep"
CONF_POWER_SENSOR: Final = "power_sensor"
DEFAULT_WATTS_ON: Final = 40.0
DEFAULT_WATTS_ASLEEP: Final = 2.0
HIGHEST_WATTS: Final = 10_000

SUBENTRY_MINECRAFT_SERVER: Final = "minecraft_server"
CONF_PUBLIC_ADDRESS: Final = "public_address"
CONF_EDITION: Final = "edition"
CONF_VMID: Final = "vmid"
CONF_STOP_WHEN_IDLE: Final = "stop_when_idle"
CONF_MANAGEMENT: Final = "management"
CONF_MANAGEMENT_KIND: Final = "kind"
CONF_MANAGEMENT_PORT: Final = "port"
CONF_MANAGEMENT_SECRET: Final = "secret"
CONF_MANAGEMENT_TLS: Final = "tls"
CONF_MANAGEMENT_TRUST: Final = "trust"

SUBENTRY_DISCORD_WEBHOOK: Final = "discord_webhook"
CONF_GROUPS: Final = "groups"
CONF_ALERTS: Final = "alerts"
CONF_LIVE_STATUS: Final = "live_status"

SUBENTRY_DISCORD_BOT: Final = "discord_bot"
CONF_APPLICATION: Final = "application"
CONF_GUILD: Final = "guild"
CONF_CHANNEL: Final = "channel"
CONF_PANEL_CHANNEL: Final = "panel_channel"
CONF_VOICE_CHANNELS: Final = "voice_channels"
CONF_VOICE_TARGETS: Final = "voice_targets"
CONF_PLAYER_ROLES: Final = "player_roles"
CONF_ADMIN_ROLES: Final = "admin_roles"
CONF_ADMINS: Final = "admins"
CONF_SHOW_NAMES: Final = "show_names"
CONF_RELAY: Final = "relay"
CONF_RELAY_IN_GAME: Final = "relay_in_game"

# A node that has just booted answers 401 until its cluster file system is mounted.
BOOT_WINDOW: Final = timedelta(minutes=3)

MODES: Final = ("automatic", "manual", "maintenance")
