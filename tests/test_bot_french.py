"""The bot in French, from the form in which that is chosen to the repair that is raised."""

import re
from typing import Any, Final

from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.translation import async_get_translations
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.cubeguardian.announcing import async_load_texts
from custom_components.cubeguardian.const import DOMAIN, SUBENTRY_DISCORD_BOT
from custom_components.cubeguardian.guardian import State

from .bots import add_bot, bot_data, connected, embeds, give
from .conftest import Load
from .discord_bridge.bridge_world import BridgeWorld
from .lab.discord.record import CommandsSynced
from .machines import FakeMachines
from .webhooks import guardian, until

pytest_plugins = ("tests.webhook_peer", "tests.bot_peer")

NOT_TYPED: Final = ("token", "application", "guild")


async def french(hass: HomeAssistant) -> dict[str, str]:
    """Return what the bot says in French, without the beginning of the keys."""
    texts = (await async_load_texts(hass))["fr"]
    return {key.removeprefix("discord_"): text for key, text in texts.items()}


async def choose_french(
    hass: HomeAssistant, entry: MockConfigEntry, town: BridgeWorld, **changes: Any
) -> None:
    """Add the bot as a person does, who chooses French."""
    data = bot_data(town, language="fr", **changes)
    step: Any = await hass.config_entries.subentries.async_init(
        (entry.entry_id, SUBENTRY_DISCORD_BOT), context={"source": SOURCE_USER}
    )
    chosen = {key: value for key, value in data.items() if key not in NOT_TYPED}
    for typed in ({"token": data["token"]}, {"guild": data["guild"]}, chosen):
        step = await hass.config_entries.subentries.async_configure(step["flow_id"], typed)
    assert step["type"] is FlowResultType.CREATE_ENTRY


def spoken(text: str, **filled: str) -> re.Pattern[str]:
    """Return what a text looks like once it was filled in, whatever is not given here."""
    parts = re.split(r"\{(\w+)\}", text)
    return re.compile(
        "".join(
            re.escape(part) if at % 2 == 0 else re.escape(filled[part]) if part in filled else ".+"
            for at, part in enumerate(parts)
        )
    )


async def test_panel_events_and_answers_are_french_once_that_was_chosen(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    said = await french(hass)
    await load()
    await choose_french(hass, config_entry, town)
    await connected(hass)
    await machines.seen()
    await until(lambda: town.panels and said["state_off"] in town.panels[0].text)
    labels = {button.label.partition(" ·")[0] for button in town.panels[0].buttons}
    assert {said["button_refresh"]} <= labels
    assert not labels & {"Refresh", "Start"}

    asked = await give(town, "start", town.kim, {"server": "01HOST"})
    await until(lambda: guardian(config_entry).snapshot.host.state is State.WAKING)
    await until(lambda: f"Attic: {said['event_wake_sent']}" in embeds(town))
    await asked.replied(said["state_waking"])
    machines.everything_up()
    await machines.seen()
    await until(lambda: f"Attic: {said['event_woken']}" in embeds(town))
    (ready,) = await asked.followed_up()
    assert said["event_woken"] in ready.text
    await until(lambda: said["state_running"] in town.panels[0].text)


async def test_whoever_asks_is_answered_in_the_own_language(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
) -> None:
    said = await french(hass)
    machines.everything_up()
    add_bot(hass, config_entry, town, language="fr")
    await load()
    await machines.seen()
    await connected(hass)
    refused = await give(town, "cancel", town.kim, {"server": "01HOST"})
    await refused.replied(said["refused_nothing_to_cancel"])
    refused = await give(town, "cancel", town.alex, {"server": "01HOST"})
    await refused.replied("nothing to cancel")
    town.stranger.user.locale = "fr"
    denied = await give(town, "start", town.stranger, {"server": "01HOST"})
    await denied.replied(said["denied_not_allowed"])
    town.ada.user.locale = "fr"
    asked = await give(town, "stop", town.ada, {"server": "01HOST"})
    question = await asked.replied()
    assert spoken(said["confirm_stop"]).search(question.text)
    pressed = town.discord.press(question.button(said["button_no"]), by=town.ada)
    await pressed.replied(said["withdrawn"])
    report = await give(town, "report", town.kim, {"host": "01HOST"})
    await report.replied(said["report_starts"])
    assert spoken(said["report_title"], days="7").search(report.message.text)


async def test_every_command_and_option_has_its_french_words_on_discord(
    load: Load, hass: HomeAssistant, town: BridgeWorld, config_entry: MockConfigEntry
) -> None:
    said = await french(hass)
    add_bot(hass, config_entry, town, language="fr")
    await load()
    await connected(hass)
    (synced,) = town.discord.record.of(CommandsSynced)
    for command in synced.commands:
        key = f"cmd_{command.name.replace('-', '_')}"
        assert dict(command.names) == {"fr": said[f"{key}_name"]}
        assert dict(command.descriptions) == {"fr": said[key]}
    registered = town.discord.world.commands[town.guild.id].values()
    options = [option for shape in registered for option in shape.get("options", ())]
    assert {option["name"] for option in options} >= {"server", "host", "delay", "minutes"}
    for option in options:
        assert option["name_localizations"] == {"fr": said[f"opt_{option['name']}_name"]}
        assert option["description_localizations"] == {"fr": said[f"opt_{option['name']}"]}


async def test_what_is_to_be_mended_is_told_in_french(
    load: Load, hass: HomeAssistant, town: BridgeWorld, config_entry: MockConfigEntry
) -> None:
    town.discord.application.bot_public = True
    await load()
    await choose_french(hass, config_entry, town)
    await connected(hass)
    await until(lambda: ir.async_get(hass).async_get_issue(DOMAIN, "bot_public"))
    issue = ir.async_get(hass).async_get_issue(DOMAIN, "bot_public")
    assert issue is not None
    told = {
        language: await async_get_translations(hass, language, "issues", {DOMAIN})
        for language in ("en", "fr")
    }
    key = f"component.{DOMAIN}.issues.{issue.translation_key}"
    for part in ("title", "fix_flow.step.look.description"):
        texts = {language: texts[f"{key}.{part}"] for language, texts in told.items()}
        assert texts["fr"] != texts["en"]
        assert texts["fr"].format(**(issue.translation_placeholders or {}))


@pytest.mark.parametrize(
    ("house", "chosen", "state"),
    [
        ("de", "home_assistant", "Asleep"),
        ("fr-CA", "home_assistant", "En veille"),
        ("fr", "en", "Asleep"),
        ("de", "fr", "En veille"),
    ],
)
async def test_without_a_choice_it_speaks_as_the_house_else_english(
    load: Load,
    hass: HomeAssistant,
    machines: FakeMachines,
    town: BridgeWorld,
    config_entry: MockConfigEntry,
    house: str,
    chosen: str,
    state: str,
) -> None:
    hass.config.language = house
    add_bot(hass, config_entry, town, language=chosen)
    await load()
    await machines.seen()
    await connected(hass)
    await until(lambda: town.panels and state in town.panels[0].text)
