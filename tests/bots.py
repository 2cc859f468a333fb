"""What the tests about the bot set up, and how they read what it said."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from homeassistant.config_entries import ConfigEntryDisabler, ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian import bot_link
from custom_components.cubeguardian.bot_link import BotLink, async_get_bot
from custom_components.cubeguardian.const import DOMAIN, SUBENTRY_DISCORD_BOT
from custom_components.cubeguardian.discord_bridge.bot import Bridge
from custom_components.cubeguardian.discord_bridge.bridge_port import End
from custom_components.cubeguardian.guardian import Guardian, JournalEntry, Lease, Source, State

from .conftest import Load
from .discord_bridge.bridge_world import BridgeWorld
from .lab.discord import DiscordStandIn, Interaction, Member, Message, ServerError
from .machines import FakeMachines
from .webhooks import EVERYTHING, guardian, until

BOT: Final = "01BOT"


def bot_data(town: BridgeWorld, **changes: Any) -> dict[str, Any]:
    """Return what the subentry of the bot holds."""
    return {
        "token": town.discord.token,
        "application": str(town.discord.application.id),
        "guild": str(town.guild.id),
        "channel": str(town.lobby.id),
        "panel_channel": str(town.lobby.id),
        "voice_channels": [str(town.voice.id)],
        "voice_targets": ["01HOST"],
        "player_roles": [str(town.players.id)],
        "admin_roles": [str(town.admins.id)],
        "admins": [str(town.ada.id)],
        "groups": EVERYTHING,
        "language": "en",
        "show_names": False,
        "relay": False,
        "relay_in_game": False,
    } | changes


def add_bot(
    hass: HomeAssistant, entry: MockConfigEntry, town: BridgeWorld, key: str = BOT, **changes: Any
) -> ConfigSubentry:
    """Give a host the bot."""
    subentry = ConfigSubentry(
        subentry_id=key,
        subentry_type=SUBENTRY_DISCORD_BOT,
        title="cube",
        unique_id=None,
        data=MappingProxyType(bot_data(town, **changes)),
    )
    if hass.config_entries.async_get_entry(entry.entry_id) is None:
        entry.add_to_hass(hass)
    hass.config_entries.async_add_subentry(entry, subentry)
    return subentry


def fail_once(monkeypatch: pytest.MonkeyPatch, error: Exception, pause: float) -> None:
    """Let the bot fail when it is first run, and begin anew so many seconds later."""
    run, failures = Bridge.run, [error]

    async def failing(own: Bridge) -> End:
        if failures:
            raise failures.pop()
        return await run(own)

    monkeypatch.setattr(Bridge, "run", failing)
    monkeypatch.setattr(bot_link, "RESTART_SECONDS", pause)


@dataclass(frozen=True, slots=True, kw_only=True)
class BotHouse:
    """A host of Home Assistant, and the guild on Discord that its bot serves."""

    hass: HomeAssistant
    entry: MockConfigEntry
    machines: FakeMachines
    town: BridgeWorld
    load: Load

    def add(self, to: MockConfigEntry | None = None, key: str = BOT, **changes: Any) -> None:
        """Give the host, or another one, the bot."""
        add_bot(self.hass, to or self.entry, self.town, key, **changes)

    def change(self, **changes: Any) -> None:
        """Give the bot other settings: the usual ones, but for these."""
        data = bot_data(self.town, **changes)
        subentry = self.entry.subentries[BOT]
        self.hass.config_entries.async_update_subentry(self.entry, subentry, data=data)

    def remove_bot(self) -> None:
        """Take the bot away from the host."""
        self.hass.config_entries.async_remove_subentry(self.entry, BOT)

    async def serve(self, **changes: Any) -> BotLink:
        """Give the host the bot, and wait until everything is known and the bot is there."""
        self.add(**changes)
        await self.load()
        await self.machines.seen()
        return await self.connected()

    async def connected(self) -> BotLink:
        """Wait until the bot is there."""
        bot = self.bot
        await until(lambda: bot.connected)
        return bot

    @property
    def bot(self) -> BotLink:
        """Return the bot of the house."""
        return async_get_bot(self.hass)

    def add_cellar(self) -> MockConfigEntry:
        """Add another host."""
        cellar = MockConfigEntry(
            domain=DOMAIN,
            title="Cellar",
            entry_id="01CELLAR",
            unique_id="02:00:5e:10:00:02",
            data={**self.entry.data, "mac": "02:00:5e:10:00:02"},
        )
        cellar.add_to_hass(self.hass)
        return cellar

    def start_in(self, mode: str) -> None:
        """Let the host be in this mode once it is loaded."""
        self.entry.add_to_hass(self.hass)
        data = {**self.entry.data, "mode": mode}
        self.hass.config_entries.async_update_entry(self.entry, data=data)

    async def set_up(self) -> None:
        """Load the host without waiting for what runs in the background."""
        assert await self.hass.config_entries.async_setup(self.entry.entry_id)

    async def reload(self) -> None:
        """Load the host anew."""
        assert await self.hass.config_entries.async_reload(self.entry.entry_id)

    async def unload(self) -> None:
        """Let go of the host."""
        assert await self.hass.config_entries.async_unload(self.entry.entry_id)

    async def disable(self) -> None:
        """Disable the host as a person does."""
        by = ConfigEntryDisabler.USER
        await self.hass.config_entries.async_set_disabled_by(self.entry.entry_id, by)

    @property
    def guardian(self) -> Guardian:
        """Return the guardian of the host."""
        return guardian(self.entry)

    @property
    def host_state(self) -> State:
        """Return what the guardian takes the host to be in."""
        return self.guardian.snapshot.host.state

    def issue(self, kind: str) -> ir.IssueEntry | None:
        """Return what a person has to mend."""
        return ir.async_get(self.hass).async_get_issue(DOMAIN, kind)

    def noted(self, at: MockConfigEntry | None = None) -> list[JournalEntry]:
        """Return what the journal of a host says of commands on Discord."""
        journal = guardian(at or self.entry).snapshot.journal
        return [one for one in journal if one.kind == "discord_command"]

    def in_voice(self, at: MockConfigEntry | None = None) -> list[Lease]:
        """Return what those in voice want of a host."""
        leases = guardian(at or self.entry).snapshot.leases
        return [one for one in leases if one.source is Source.VOICE]

    def voices(self, at: MockConfigEntry | None = None) -> list[tuple[str, str, bool]]:
        """Return who in voice wants what."""
        return [(one.target, one.who, one.unknown) for one in self.in_voice(at)]

    @property
    def discord(self) -> DiscordStandIn:
        """Return what stands in for Discord."""
        return self.town.discord

    @property
    def kim_id(self) -> str:
        """Return the number by which Discord knows a player, who comes into voice."""
        return str(self.town.kim.user.id)

    def kim_enters(self) -> None:
        """Let a player come into voice."""
        self.discord.join_voice(self.town.kim, self.town.voice)

    def kim_leaves(self) -> None:
        """Let the player leave again."""
        self.discord.leave_voice(self.town.kim)

    def lose_gateway(self) -> None:
        """Let the gateway be away until that is mended."""
        self.discord.break_with(ServerError(), path="/gateway")
        self.discord.close_gateway()

    def write(self, by: Member, text: str) -> None:
        """Let somebody write in the lobby."""
        self.discord.say(by, text, self.town.lobby)

    async def give(self, command: str, by: Member, **options: Any) -> Interaction:
        """Give a command and wait for its answer."""
        given = self.discord.invoke(command, options, by=by, channel=self.town.lobby)
        await given.replied()
        return given

    def messages(self) -> tuple[Message, ...]:
        """Return what stands in the lobby."""
        return self.discord.messages(self.town.lobby)

    def embeds(self) -> list[str]:
        """Return the titles of what was said in the lobby beside the panel."""
        return [
            f"{embed.author}: {embed.title}"
            for message in self.messages()
            if not message.buttons
            for embed in message.embeds
        ]
