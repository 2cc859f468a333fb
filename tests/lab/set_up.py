"""Leads the integration's own flows to their end, as a person would."""

from collections.abc import Mapping
import time
from typing import Any

from .ha_client import HomeAssistantClient

DOMAIN = "cubeguardian"

type Step = dict[str, Any]
type Answers = Mapping[str, Any]


class SetUpError(RuntimeError):
    """A flow of the integration did not go the way that it should."""


class SetUp:
    """Sets the integration up in one Home Assistant; `record` is a line for each step."""

    def __init__(
        self, client: HomeAssistantClient, record: list[dict[str, Any]] | None = None
    ) -> None:
        """Speak to a Home Assistant that is running, and go on with a record if there is one."""
        self.record = [] if record is None else record
        self._client = client

    async def add_host(
        self, form: Answers, *, fingerprint: str, asleep: bool, mode: str = "manual"
    ) -> str:
        """Add a host whose certificate has this fingerprint; return the id of its entry."""
        step = await self._client.begin("config", DOMAIN)
        if asleep:
            step = await self._submit("config", step, form, "menu")
            step = await self._submit("config", step, {"next_step_id": "wake"}, "progress")
            step = await self._client.finish_progress("config", step)
        else:
            step = await self._submit("config", step, form, "form")
        _compare_certificate(step, fingerprint)
        step = await self._submit("config", step, {}, "form")
        step = await self._submit("config", step, {}, "form", shows="guests")
        step = await self._submit("config", step, {"mode": mode}, "create_entry", shows="mode")
        return str(step["result"]["entry_id"])

    async def add_game(self, entry_id: str, form: Answers) -> str:
        """Add a game server to a host; return the id of its subentry."""
        step = await self._client.begin("subentry", [entry_id, "minecraft_server"])
        await self._submit("subentry", step, form, "create_entry")
        return await self._newest_subentry(entry_id)

    async def add_bot(self, entry_id: str, token: str, guild: str, form: Answers) -> str:
        """Add the Discord bot, which is in this guild already; return the id of its subentry."""
        step = await self._client.begin("subentry", [entry_id, "discord_bot"])
        step = await self._submit("subentry", step, {"token": token}, "form", shows="user")
        step = await self._submit("subentry", step, {"guild": guild}, "form", shows="guild")
        await self._submit("subentry", step, form, "create_entry", shows="settings")
        return await self._newest_subentry(entry_id)

    async def add_webhook(self, entry_id: str, form: Answers) -> str:
        """Add a Discord webhook; return the id of its subentry."""
        step = await self._client.begin("subentry", [entry_id, "discord_webhook"])
        step = await self._submit("subentry", step, form, "form", shows="user")
        await self._submit("subentry", step, {}, "create_entry", shows="confirm")
        return await self._newest_subentry(entry_id)

    async def set_options(self, entry_id: str, **sections: Answers) -> None:
        """Change some sections of the options; in the others everything stays as it is shown."""
        step = await self._client.begin("options", entry_id)
        form: dict[str, Answers] = {field["name"]: {} for field in step["data_schema"]}
        form |= sections
        await self._submit("options", step, form, "create_entry")

    async def _newest_subentry(self, entry_id: str) -> str:
        added = await self._client.ask("config_entries/subentries/list", entry_id=entry_id)
        return str(added[-1]["subentry_id"])

    async def _submit(
        self, kind: str, step: Step, data: Answers, expected: str, shows: str | None = None
    ) -> Step:
        """Answer a step, which is to be the one that `shows` names, and return the next."""
        if shows is not None and step.get("step_id") != shows:
            raise SetUpError(f"the {kind} flow is at {step.get('step_id')} instead of {shows}")
        done = await self._client.proceed(kind, step["flow_id"], dict(data))
        self.record.append(
            {
                "at": time.time(),
                "flow": kind,
                "step": step.get("step_id"),
                "led_to": done["type"],
                "shows": done.get("step_id"),
            }
        )
        if done["type"] != expected:
            raise SetUpError(f"{kind} flow at {done.get('step_id')}: {done.get('errors')}")
        return dict(done)


def _compare_certificate(step: Step, fingerprint: str) -> None:
    shown = step.get("description_placeholders", {}).get("fingerprint")
    if step.get("step_id") != "certificate" or shown != fingerprint:
        raise SetUpError(f"no certificate to compare in {step.get('step_id')}: {shown}")
