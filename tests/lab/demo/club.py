"""The Discord of the demo: a guild with its channels, a webhook, and the people on it."""

from typing import Any

from tests.lab.discord import DiscordStandIn, Member, Permission
from tests.lab.discord.record import PresenceSet

# Those who may play, whoever looks after the house, and somebody who may nothing.
PLAYER, OTHER_PLAYER, FRENCH_PLAYER = "kim", "robin", "lou"
ADMIN, STRANGER = "ada", "mallory"
GROUPS = ["start", "ready", "countdown", "shutdown", "players", "problems"]


class Club:
    """Where the players meet; the bot is in the guild from the beginning."""

    def __init__(self, discord: DiscordStandIn) -> None:
        """Furnish a Discord."""
        self.discord = discord
        self.guild = discord.add_guild("The club")
        self.lobby = discord.add_text_channel(self.guild, "lobby")
        self.board = discord.add_text_channel(self.guild, "servers")
        self.gazette = discord.add_text_channel(self.guild, "gazette")
        self.voice = discord.add_voice_channel(self.guild, "the cube")
        self.webhook = discord.add_webhook(self.gazette, "gazette")
        self.players = discord.add_role(self.guild, "players")
        self.admins = discord.add_role(self.guild, "admins", Permission.MANAGE_GUILD)
        self.members = self._let_in()

    def _let_in(self) -> dict[str, Member]:
        roles = {
            PLAYER: (self.players,),
            OTHER_PLAYER: (self.players,),
            FRENCH_PLAYER: (self.players,),
            ADMIN: (self.admins,),
            STRANGER: (),
        }
        return {
            name: self.discord.add_member(
                self.guild, name, roles=own, locale="fr" if name == FRENCH_PLAYER else "en-US"
            )
            for name, own in roles.items()
        }

    @property
    def secrets(self) -> tuple[str, ...]:
        """What nobody but Home Assistant may know: the bot's token, the webhook's, its URL."""
        return (self.discord.token, self.webhook.token, self.webhook.url)

    def bot_form(self) -> dict[str, Any]:
        """Return what is chosen for the bot; what is left out stays as it is proposed."""
        return {
            "channel": str(self.lobby.id),
            "panel_channel": str(self.board.id),
            "groups": GROUPS,
            "voice_channels": [str(self.voice.id)],
            "player_roles": [str(self.players.id)],
            "admin_roles": [str(self.admins.id)],
            "language": "en",
        }

    def webhook_form(self) -> dict[str, Any]:
        """Return what is typed and chosen for the webhook."""
        return {
            "name": "Gazette",
            "url": self.webhook.url,
            "groups": GROUPS,
            "alerts": True,
            "live_status": True,
            "language": "fr",
        }

    def presence(self) -> str:
        """Return what the bot is seen doing."""
        shown = self.discord.record.of(PresenceSet)
        return " ".join(shown[-1].texts) if shown else ""

    def evidence(self) -> dict[str, Any]:
        """Return who and what is where, and everything that was heard."""
        channels = (self.lobby, self.board, self.gazette, self.voice)
        return {
            "guild": self.guild.id,
            "bot": self.discord.world.bot.id,
            "channels": {channel.name: channel.id for channel in channels},
            "members": {name: member.id for name, member in self.members.items()},
            "events": self.discord.evidence(),
        }
