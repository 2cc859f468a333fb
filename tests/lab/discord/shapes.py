"""The JSON in which Discord shows what exists."""

from datetime import UTC, datetime

from .words import ChannelKind, Intent, Permission
from .world import Application, Channel, Guild, Json, Member, Role, User, VoiceState, Webhook

LONG_AGO = "2024-01-01T00:00:00+00:00"


def stamp(moment: float | None) -> str | None:
    """Return an instant as Discord writes it."""
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat()


def user_shape(user: User) -> Json:
    """Return a user."""
    return {
        "id": str(user.id),
        "username": user.name,
        "global_name": user.display_name,
        "discriminator": "0",
        "avatar": None,
        "bot": user.is_bot,
        "public_flags": 0,
        "flags": 0,
    }


def member_shape(member: Member) -> Json:
    """Return a member with the user in it."""
    return {
        "user": user_shape(member.user),
        "nick": member.nick,
        "avatar": None,
        "roles": [str(role.id) for role in member.roles],
        "joined_at": LONG_AGO,
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "pending": False,
        "flags": 0,
        "communication_disabled_until": None,
    }


def role_shape(role: Role) -> Json:
    """Return a role."""
    return {
        "id": str(role.id),
        "name": role.name,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "icon": None,
        "unicode_emoji": None,
        "position": role.position,
        "permissions": str(int(role.permissions)),
        "managed": False,
        "mentionable": False,
        "flags": 0,
    }


def channel_shape(channel: Channel) -> Json:
    """Return a channel of a guild, a thread, or a conversation."""
    shape: Json = {"id": str(channel.id), "type": int(channel.kind), "last_message_id": None}
    if channel.recipient is not None:
        return {**shape, "recipients": [user_shape(channel.recipient)]}
    shape |= {
        "guild_id": str(channel.guild_id),
        "name": channel.name,
        "position": 0,
        "nsfw": False,
        "flags": 0,
        "parent_id": str(channel.parent_id) if channel.parent_id else None,
        "permission_overwrites": [
            {
                "id": str(one.target_id),
                "type": 0 if one.is_role else 1,
                "allow": str(int(one.allow)),
                "deny": str(int(one.deny)),
            }
            for one in channel.overwrites.values()
        ],
        "rate_limit_per_user": 0,
    }
    if channel.kind is ChannelKind.VOICE:
        shape |= {"bitrate": 64000, "user_limit": 0, "rtc_region": None, "status": channel.status}
    if channel.kind is ChannelKind.THREAD:
        shape |= _thread_parts(channel)
    return shape


def _thread_parts(channel: Channel) -> Json:
    assert channel.guild is not None
    return {
        "owner_id": str(channel.guild.owner_id),
        "message_count": 0,
        "member_count": 1,
        "thread_metadata": {
            "archived": False,
            "auto_archive_duration": 1440,
            "archive_timestamp": LONG_AGO,
            "locked": False,
        },
    }


def voice_shape(member: Member, state: VoiceState | None) -> Json:
    """Return a voice state; without one it says that the member left."""
    return {
        "guild_id": str(member.guild.id),
        "channel_id": str(state.channel.id) if state else None,
        "user_id": str(member.id),
        "member": member_shape(member),
        "session_id": state.session_id if state else "",
        "deaf": False,
        "mute": False,
        "self_deaf": state.self_deaf if state else False,
        "self_mute": state.self_mute if state else False,
        "self_video": False,
        "suppress": False,
        "request_to_speak_timestamp": None,
    }


def presence_shape(member: Member) -> Json:
    """Return what a member shows of himself."""
    return {
        "guild_id": str(member.guild.id),
        "user": {"id": str(member.id)},
        "status": member.status,
        "activities": [],
        "client_status": {},
    }


def guild_shape(guild: Guild) -> Json:
    """Return a guild as REST shows it, without its members and channels."""
    return {
        "id": str(guild.id),
        "name": guild.name,
        "icon": None,
        "splash": None,
        "banner": None,
        "description": None,
        "owner_id": str(guild.owner_id),
        "afk_channel_id": str(guild.afk_channel.id) if guild.afk_channel else None,
        "afk_timeout": 300,
        "roles": [role_shape(role) for role in guild.roles.values()],
        "emojis": [],
        "stickers": [],
        "features": [],
        "verification_level": 0,
        "default_message_notifications": 0,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "nsfw_level": 0,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "premium_progress_bar_enabled": False,
        "preferred_locale": guild.locale,
        "system_channel_id": None,
        "system_channel_flags": 0,
        "rules_channel_id": None,
        "public_updates_channel_id": None,
        "vanity_url_code": None,
        "max_members": 500000,
    }


def guild_create_shape(guild: Guild, bot_id: int, intents: Intent) -> Json:
    """Return a guild as the gateway shows it to a bot with these intents."""
    members = [one for one in guild.members.values() if one.id == bot_id or one.voice]
    if Intent.GUILD_PRESENCES in intents:
        members = list(guild.members.values())
    visible = guild.channels.values()
    talking = [one for one in guild.members.values() if Intent.GUILD_VOICE_STATES in intents]
    return guild_shape(guild) | {
        "joined_at": LONG_AGO,
        "large": False,
        "unavailable": False,
        "member_count": len(guild.members),
        "channels": [channel_shape(one) for one in visible if one.kind is not ChannelKind.THREAD],
        "threads": [channel_shape(one) for one in visible if one.kind is ChannelKind.THREAD],
        "members": [member_shape(one) for one in members],
        "voice_states": [voice_shape(one, one.voice) for one in talking if one.voice],
        "presences": [presence_shape(one) for one in members if one.status != "offline"],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def guild_summary(guild: Guild, permissions: Permission, *, is_owner: bool) -> Json:
    """Return a guild as the list of one's own guilds shows it."""
    return {
        "id": str(guild.id),
        "name": guild.name,
        "icon": None,
        "banner": None,
        "owner": is_owner,
        "permissions": str(int(permissions)),
        "features": [],
    }


def application_shape(application: Application, bot: User) -> Json:
    """Return the application as its page in the developer portal is set up."""
    shape: Json = {
        "id": str(application.id),
        "name": application.name,
        "icon": None,
        "description": application.description,
        "bot": user_shape(bot),
        "bot_public": application.bot_public,
        "bot_require_code_grant": application.requires_code_grant,
        "verify_key": "0" * 64,
        "flags": application.flags,
        "owner": user_shape(application.owner),
        "team": _team_shape(application),
        "interactions_endpoint_url": application.interactions_endpoint_url,
        "integration_types_config": {"0": {}},
    }
    if application.install_scopes is not None:
        shape["install_params"] = {
            "scopes": list(application.install_scopes),
            "permissions": str(int(application.install_permissions)),
        }
    return shape


def _team_shape(application: Application) -> Json | None:
    if application.team_owner is None:
        return None
    return {
        "id": str(application.owner.id),
        "name": "team",
        "icon": None,
        "owner_user_id": str(application.team_owner.id),
        "members": [],
    }


def webhook_shape(webhook: Webhook) -> Json:
    """Return a webhook as whoever knows its token sees it."""
    return {
        "id": str(webhook.id),
        "type": 1,
        "name": webhook.name,
        "avatar": None,
        "channel_id": str(webhook.channel.id),
        "guild_id": str(webhook.channel.guild_id),
        "application_id": None,
        "token": webhook.token,
        "url": webhook.url,
    }
