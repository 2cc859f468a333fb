"""What the README promises is what the integration has."""

from collections.abc import Iterator
import re
from typing import Any

from homeassistant.components.automation.config import async_validate_config_item
from homeassistant.components.script.config import async_validate_config_item as validate_script
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import yaml

from custom_components.cubeguardian.const import DOMAIN, MODES
from custom_components.cubeguardian.services import ACTIONS

from .bots import BOT, add_bot
from .conftest import Load
from .discord_bridge.bridge_world import BridgeWorld
from .house import INTEGRATION, ROOT
from .webhooks import WEBHOOK, add_webhook

CATEGORIES = {
    "": None,
    "configuration": EntityCategory.CONFIG,
    "diagnostic": EntityCategory.DIAGNOSTIC,
}
OWNERS = {"01HOST": "host", "01SURVIVAL": "game server", WEBHOOK: "webhook", BOT: "bot"}

pytest_plugins = ("tests.webhook_peer", "tests.bot_peer")


def readme() -> str:
    """Return the README."""
    return (ROOT / "README.md").read_text(encoding="utf-8")


def rows(heading: str) -> Iterator[list[str]]:
    """Yield the cells of the table below a heading, without its own first lines."""
    below = readme().split(f"### {heading}\n", 1)[1].split("\n#", 1)[0]
    lines = [line for line in below.splitlines() if line.startswith("|")]
    for line in lines[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def code(text: str) -> list[str]:
    """Return what stands in backticks."""
    return re.findall(r"`([^`]+)`", text)


def examples(kind: str) -> list[Any]:
    """Return the automations or the scripts of the README."""
    blocks = re.findall(r"```yaml\n(.*?)```", readme(), re.DOTALL)
    found = [block[kind] for block in map(yaml.safe_load, blocks) if kind in block]
    assert found
    return found


async def test_every_entity_is_listed_with_its_category_and_whether_it_is_disabled(
    hass: HomeAssistant, load: Load, config_entry: MockConfigEntry, town: BridgeWorld
) -> None:
    add_webhook(hass, config_entry)
    add_bot(hass, config_entry, town, relay=True)
    await load()
    listed = {
        (owner, text.split(" ")[0].rstrip(","), code(key)[0]): category
        for owner, text, key, category in rows("Entities")
    }
    registered = er.async_entries_for_config_entry(er.async_get(hass), config_entry.entry_id)
    found = {}
    for entity in registered:
        owner, _, key = entity.unique_id.partition("_")
        if owner in OWNERS:
            found[(OWNERS[owner], entity.domain, key)] = entity
    assert {(owner, domain, key) for owner, domain, key in listed} == set(found)
    for name, entity in found.items():
        category, _, disabled = listed[name].partition(", ")
        assert CATEGORIES[category] == entity.entity_category, name
        assert bool(disabled) == entity.disabled, name


def test_every_action_is_listed_with_its_fields() -> None:
    listed = {
        code(action)[0]: {name for name in code(fields) if name not in MODES}
        for action, fields, _ in rows("Actions")
    }
    described = yaml.safe_load((INTEGRATION / "services.yaml").read_text(encoding="utf-8"))
    assert listed == {name: set(action["fields"]) for name, action in described.items()}


def test_every_image_is_there_and_small() -> None:
    paths = re.findall(r'<img src="([^"]+)"', readme())
    assert len(paths) >= 3
    assert all((ROOT / path).stat().st_size < 150_000 for path in paths)


async def test_the_examples_are_valid(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    for automation in examples("automation")[0]:
        checked = await async_validate_config_item(hass, "readme", automation)
        assert checked is not None
        assert checked.validation_status == "ok", checked.validation_error
    for name, script in examples("script")[0].items():
        accepted = await validate_script(hass, name, script)
        assert accepted is not None
        assert accepted.validation_status == "ok", accepted.validation_error


@pytest.mark.parametrize("kind", ["automation", "script"])
def test_the_examples_use_actions_and_fields_that_exist(kind: str) -> None:
    fields = {f"{DOMAIN}.{action.name}": {str(key) for key in action.fields} for action in ACTIONS}
    used = [step for step in _steps(examples(kind)) if str(step["action"]).startswith(DOMAIN)]
    assert used
    for step in used:
        assert set(step.get("data", {})) <= fields[step["action"]] | {"device_id"}


def _steps(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every step that performs an action, however deep."""
    if isinstance(tree, dict):
        if "action" in tree:
            yield tree
        for below in tree.values():
            yield from _steps(below)
    elif isinstance(tree, list):
        for below in tree:
            yield from _steps(below)
