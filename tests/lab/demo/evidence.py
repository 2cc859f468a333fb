"""What the demo leaves behind: raw, without secrets, enough to judge it again."""

from importlib.metadata import version
import json
from pathlib import Path
from typing import Any

from tests.lab.pve import TOKEN_ID
from tests.lab.sleeping_host import MAC

from .story import Story
from .world import ADDRESS, PLAYERS

FORMAT = 3


class SecretFoundError(RuntimeError):
    """Something that nobody may know is in the evidence, so that it was not written."""


def collect(story: Story, started_at: float, finished_at: float) -> dict[str, Any]:
    """Return the evidence of one run; every time is in seconds since 1970.

    SecretFoundError if it holds a token, a password or the address of a webhook.
    """
    text = json.dumps(_collected(story, started_at, finished_at))
    if any(secret in text for secret in story.world.secrets):
        raise SecretFoundError
    # What is judged at once is what is read from the file later.
    return dict(json.loads(text))


def _collected(story: Story, started_at: float, finished_at: float) -> dict[str, Any]:
    world = story.world
    names = {entity_id: key for key, entity_id in world.entities.items()}
    return {
        "format": FORMAT,
        "story": story.name,
        "started_at": started_at,
        "finished_at": finished_at,
        "home_assistant": version("homeassistant"),
        "expected": {
            "address": ADDRESS,
            "guest_seconds": story.household.guest_seconds,
            "mac": MAC,
            "players": list(PLAYERS),
            "token_id": TOKEN_ID,
        },
        "set_up": world.set_up,
        "actions": world.actions,
        "states": [
            {**change.to_dict(), "key": names[change.entity_id]}
            for change in world.client.history
            if change.entity_id in names
        ],
        "machine": world.machine.evidence(),
        "players": [player.evidence() for player in world.players.values()],
        "discord": world.meeting_place.evidence() if world.meeting_place else None,
        "log": [line for line in world.home.log() if _is_ours(line)],
    }


def save(evidence: dict[str, Any], path: Path) -> None:
    """Write the evidence as JSON."""
    path.write_text(json.dumps(evidence, indent=1) + "\n", encoding="utf-8")


def _is_ours(line: str) -> bool:
    loud = " WARNING " in line or " ERROR " in line
    return loud and "cubeguardian" in line and "has not been tested by Home Assistant" not in line
