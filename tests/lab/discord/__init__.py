"""A local Discord for the real discord.py, over real sockets.

    async with DiscordStandIn() as discord, ...:
        guild = discord.add_guild("home")
        lobby = discord.add_text_channel(guild, "lobby")
        kim = discord.add_member(guild, "kim")
        with redirected(discord.origin):
            ...  # start the bot with discord.token
            start = discord.invoke("start", {"host": "attic"}, by=kim, channel=lobby)
            assert "waking" in (await start.replied()).text
            discord.press(discord.messages(lobby)[0].button("Cancel"), by=kim)

There is one way to reach it: the addresses stay Discord's own, and `redirected` leads aiohttp (REST
and gateway of discord.py) and requests (discord-webhook) of this process to the stand-in. Another
process gets the folder `REDIRECTING` first on its PYTHONPATH and the stand-in's origin in the
environment variable `VARIABLE`. Nothing in the code under test knows of it.

Not simulated: TLS, compression of the gateway, shards, name resolution, real rate limits (none
unless `limit` makes one), reactions, attachments' contents, voice connections.
"""

from pathlib import Path

from .faults import Garbage, Latency, RateLimit, Refusal, ServerError, Silence, Torn
from .interactions import Interaction
from .record import Message
from .redirect import VARIABLE, redirected
from .stand_in import DiscordStandIn
from .words import AnswerKind, CloseCode, Intent, Permission, Source
from .world import Channel, Guild, Member, Role, User, Webhook

REDIRECTING = Path(__file__).parent / "redirecting"

__all__ = [
    "REDIRECTING",
    "VARIABLE",
    "AnswerKind",
    "Channel",
    "CloseCode",
    "DiscordStandIn",
    "Garbage",
    "Guild",
    "Intent",
    "Interaction",
    "Latency",
    "Member",
    "Message",
    "Permission",
    "RateLimit",
    "Refusal",
    "Role",
    "ServerError",
    "Silence",
    "Source",
    "Torn",
    "User",
    "Webhook",
    "redirected",
]
