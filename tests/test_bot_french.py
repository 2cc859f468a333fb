"""The bot in French, from the form in which that is chosen to the repair that is raised."""

import re
from typing import Any, Final

from homeassistant.config_entries import SOURCE_USER
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.translation import async_get_translations
import pytest

from custom_components.cubeguardian.announcing import async_load_texts
from custom_components.cubeguardian.const import DOMAIN, SUBENTRY_DISCORD_BOT
from custom_components.cubeguardian.guardian import State

from .bots import BotHouse, bot_data
from .lab.discord.record import CommandsSynced
from .webhooks import until

pytest_plugins = ("tests.webhook_peer", "tests.bot_peer")

NOT_TYPED: Final = ("token", "application", "guild")


async def french(house: BotHouse) -> dict[str, str]:
    """Return what the bot says in French, without the beginning of the keys."""
    texts = (await async_load_texts(house.hass))["fr"]
    return {key.removeprefix("discord_"): text for key, text in texts.items()}


async def choose_french(house: BotHouse) -> None:
    """Add the bot as a person does, who chooses French."""
    data = bot_data(house.town, language="fr")
    step: Any = await house.hass.config_entries.subentries.async_init(
        (house.entry.entry_id, SUBENTRY_DISCORD_BOT), context={"source": SOURCE_USER}
    )
    chosen = {key: value for key, value in data.items() if key not in NOT_TYPED}
    for typed in ({"token": data["token"]}, {"guild": data["guild"]}, chosen):
        step = await house.hass.config_entries.subentries.async_configure(step["flow_id"], typed)
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


async def test_panel_events_and_answers_are_french_once_that_was_chosen(house: BotHouse) -> None:
    said = await french(house)
    await house.load()
    await choose_french(house)
    await house.connected()
    await house.machines.seen()
    await until(lambda: house.town.panels and said["state_off"] in house.town.panels[0].text)
    labels = {button.label.partition(" ·")[0] for button in house.town.panels[0].buttons}
    assert {said["button_refresh"]} <= labels
    assert not labels & {"Refresh", "Start"}

    asked = await house.give("start", house.town.kim, server="01HOST")
    await until(lambda: house.host_state is State.WAKING)
    await until(lambda: f"Attic: {said['event_wake_sent']}" in house.embeds())
    await asked.replied(said["state_waking"])
    house.machines.everything_up()
    await house.machines.seen()
    await until(lambda: f"Attic: {said['event_woken']}" in house.embeds())
    (ready,) = await asked.followed_up()
    assert said["event_woken"] in ready.text
    await until(lambda: said["state_running"] in house.town.panels[0].text)


async def test_whoever_asks_is_answered_in_the_own_language(house: BotHouse) -> None:
    said = await french(house)
    house.machines.everything_up()
    await house.serve(language="fr")
    refused = await house.give("cancel", house.town.kim, server="01HOST")
    await refused.replied(said["refused_nothing_to_cancel"])
    refused = await house.give("cancel", house.town.alex, server="01HOST")
    await refused.replied("nothing to cancel")
    house.town.stranger.user.locale = "fr"
    denied = await house.give("start", house.town.stranger, server="01HOST")
    await denied.replied(said["denied_not_allowed"])
    house.town.ada.user.locale = "fr"
    asked = await house.give("stop", house.town.ada, server="01HOST")
    question = await asked.replied()
    assert spoken(said["confirm_stop"]).search(question.text)
    pressed = house.discord.press(question.button(said["button_no"]), by=house.town.ada)
    await pressed.replied(said["withdrawn"])
    report = await house.give("report", house.town.kim, host="01HOST")
    await report.replied(said["report_starts"])
    assert spoken(said["report_title"], days="7").search(report.message.text)


async def test_every_command_and_option_has_its_french_words_on_discord(house: BotHouse) -> None:
    said = await french(house)
    await house.serve(language="fr")
    (synced,) = house.discord.record.of(CommandsSynced)
    for command in synced.commands:
        key = f"cmd_{command.name.replace('-', '_')}"
        assert dict(command.names) == {"fr": said[f"{key}_name"]}
        assert dict(command.descriptions) == {"fr": said[key]}
    registered = house.discord.world.commands[house.town.guild.id].values()
    options = [option for shape in registered for option in shape.get("options", ())]
    assert {option["name"] for option in options} >= {"server", "host", "delay", "minutes"}
    for option in options:
        assert option["name_localizations"] == {"fr": said[f"opt_{option['name']}_name"]}
        assert option["description_localizations"] == {"fr": said[f"opt_{option['name']}"]}


async def test_what_is_to_be_mended_is_told_in_french(house: BotHouse) -> None:
    house.discord.application.bot_public = True
    await house.load()
    await choose_french(house)
    await house.connected()
    await until(lambda: house.issue("bot_public"))
    issue = house.issue("bot_public")
    assert issue is not None
    told = {
        language: await async_get_translations(house.hass, language, "issues", {DOMAIN})
        for language in ("en", "fr")
    }
    key = f"component.{DOMAIN}.issues.{issue.translation_key}"
    for part in ("title", "fix_flow.step.look.description"):
        texts = {language: texts[f"{key}.{part}"] for language, texts in told.items()}
        assert texts["fr"] != texts["en"]
        assert texts["fr"].format(**(issue.translation_placeholders or {}))


@pytest.mark.parametrize(
    ("language", "chosen", "state"),
    [
        ("de", "home_assistant", "Asleep"),
        ("fr-CA", "home_assistant", "En veille"),
        ("fr", "en", "Asleep"),
        ("de", "fr", "En veille"),
    ],
)
async def test_without_a_choice_it_speaks_as_the_house_else_english(
    house: BotHouse, language: str, chosen: str, state: str
) -> None:
    house.hass.config.language = language
    await house.serve(language=chosen)
    await until(lambda: house.town.panels and state in house.town.panels[0].text)
