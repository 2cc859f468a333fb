"""What Home Assistant, HACS and GitHub read of this repository agrees with the code."""

import ast
from collections.abc import Iterator, Mapping
import json
from pathlib import Path
import re
import struct
from typing import Any

from awesomeversion import AwesomeVersion, AwesomeVersionStrategy
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
import pytest
import yaml

from custom_components.cubeguardian.guardian import RefusalReason
from custom_components.cubeguardian.server_manager import ServerManagerError

from .house import INTEGRATION, ROOT, all_files, calls, keyword, parse, root_files, texts

DOMAIN = "cubeguardian"
LANGUAGES = ("en", "fr")
MANIFEST_KEYS = {
    "after_dependencies", "bluetooth", "codeowners", "config_flow", "dependencies", "dhcp",
    "documentation", "domain", "homekit", "import_executor", "integration_type", "iot_class",
    "issue_tracker", "loggers", "mqtt", "name", "quality_scale", "requirements",
    "single_config_entry", "ssdp", "usb", "version", "zeroconf",
}  # fmt: skip
HACS_MANIFEST_KEYS = {
    "codeowners", "documentation", "domain", "issue_tracker", "name", "version",
}  # fmt: skip
TRANSLATION_KEYS = {
    "common", "config", "config_subentries", "device", "entity", "exceptions", "issues",
    "options", "selector", "services", "system_health", "title",
}  # fmt: skip
PLATFORMS = (
    "binary_sensor", "button", "event", "notify", "number", "select", "sensor", "switch",
)  # fmt: skip
PLACEHOLDER = re.compile(r"{([^{}]*)}")
BRAND = {
    "icon.png": (256, 256),
    "icon@2x.png": (512, 512),
    "logo.png": (None, 256),
    "logo@2x.png": (None, 512),
    "dark_logo.png": (None, 256),
    "dark_logo@2x.png": (None, 512),
}
RAISED_BY_HOME_ASSISTANT = {
    "already_configured", "already_in_progress", "reauth_successful", "reconfigure_successful",
    "unique_id_mismatch",
}  # fmt: skip
PINNED_ACTION = re.compile(r"^[\w./-]+@[0-9a-f]{40}$")


def load_json(path: Path) -> dict[str, Any]:
    """Return what a JSON file holds."""
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def manifest() -> dict[str, Any]:
    """Return the integration's manifest."""
    return load_json(INTEGRATION / "manifest.json")


def translations(language: str = "en") -> dict[str, Any]:
    """Return the texts of one language."""
    return load_json(INTEGRATION / "translations" / f"{language}.json")


def icons() -> dict[str, Any]:
    """Return the icons."""
    return load_json(INTEGRATION / "icons.json")


def service_fields() -> dict[str, dict[str, Any]]:
    """Return the fields of each action, those in sections included."""
    described = yaml.safe_load((INTEGRATION / "services.yaml").read_text(encoding="utf-8"))
    return {name: dict(_fields(action or {})) for name, action in described.items()}


def _fields(action: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, field in action.get("fields", {}).items():
        if "fields" in field:
            yield from field["fields"].items()
        else:
            yield name, field


def leaves(tree: str | Mapping[str, Any], path: str = "") -> dict[str, str]:
    """Return every text of a translation by its path."""
    if isinstance(tree, str):
        return {path: tree}
    found: dict[str, str] = {}
    for key, below in tree.items():
        found |= leaves(below, f"{path}/{key}")
    return found


def requirements(path: str) -> dict[str, Requirement]:
    """Return what a requirements file pins, by canonical name."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def all_texts() -> set[str]:
    """Return every literal text of the code."""
    return set().union(*(texts(parse(path)) for path in all_files()))


def test_the_manifest_is_sorted_as_home_assistant_wants_it() -> None:
    keys = list(manifest())
    assert keys[:2] == ["domain", "name"]
    assert keys[2:] == sorted(keys[2:])


def test_the_manifest_has_every_needed_key_and_no_unknown_one() -> None:
    keys = set(manifest())
    assert keys <= MANIFEST_KEYS
    assert HACS_MANIFEST_KEYS | {"config_flow", "integration_type", "iot_class"} <= keys


def test_the_manifest_names_its_folder_and_where_to_ask() -> None:
    found = manifest()
    assert found["domain"] == INTEGRATION.name == DOMAIN
    assert all(owner.startswith("@") for owner in found["codeowners"])
    for key in ("documentation", "issue_tracker"):
        assert found[key].startswith("https://github.com/")


def test_the_version_is_a_semantic_one() -> None:
    version = AwesomeVersion(manifest()["version"])
    assert version.strategy is AwesomeVersionStrategy.SEMVER


def test_every_requirement_is_a_range_whose_newest_version_is_tested() -> None:
    tested, shown = requirements("requirements_test.txt"), requirements("requirements_demo.txt")
    for line in manifest()["requirements"]:
        requirement = Requirement(line)
        assert {one.operator for one in requirement.specifier} == {">=", "<"}, line
        for pinned in (tested, shown):
            version = str(pinned[canonicalize_name(requirement.name)].specifier)
            assert requirement.specifier.contains(version.removeprefix("==")), line


def test_hacs_knows_the_name_and_the_oldest_home_assistant() -> None:
    found = load_json(ROOT / "hacs.json")
    assert found == {
        "name": manifest()["name"],
        "homeassistant": "2026.10.0",
        "hide_default_branch": True,
    }
    workflow = (ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8")
    assert f"homeassistant: {found['homeassistant']}" in workflow


def test_there_is_one_integration_and_a_licence() -> None:
    components = ROOT / "custom_components"
    assert [path.name for path in components.iterdir() if path.is_dir()] == [DOMAIN]
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")


def test_texts_are_only_in_translations() -> None:
    assert not (INTEGRATION / "strings.json").exists()
    files = {path.name for path in (INTEGRATION / "translations").iterdir()}
    assert files == {f"{language}.json" for language in LANGUAGES}


def test_both_languages_have_the_same_texts() -> None:
    english, french = (leaves(translations(language)) for language in LANGUAGES)
    assert sorted(english) == sorted(french)


def test_both_languages_fill_in_the_same_things() -> None:
    english, french = (leaves(translations(language)) for language in LANGUAGES)
    for path, text in english.items():
        assert set(PLACEHOLDER.findall(text)) == set(PLACEHOLDER.findall(french[path])), path


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_are_plain(language: str) -> None:
    found = translations(language)
    assert set(found) <= TRANSLATION_KEYS
    for path, text in leaves(found).items():
        assert text, path
        assert text == text.strip(), path
        assert not re.search(r"<[a-zA-Z/!]", text), f"HTML in {path}"
        assert not re.search(r"'{[^{}]*}'", text), f"quoted placeholder in {path}"
        assert "[%key:" not in text, path
        assert all(re.fullmatch(r"[a-z0-9_-]+", part) for part in path.split("/")[1:]), path


def test_french_is_french() -> None:
    english, french = (leaves(translations(language)) for language in LANGUAGES)
    sentences = [path for path, text in english.items() if text.count(" ") >= 3]
    same = [path for path in sentences if english[path] == french[path]]
    assert sentences
    assert not same


def flows() -> list[dict[str, Any]]:
    """Return the texts of every flow, those of repairs included."""
    found = translations()
    repairs = [issue["fix_flow"] for issue in found["issues"].values() if "fix_flow" in issue]
    return [found["config"], found["options"], *found["config_subentries"].values(), *repairs]


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each step of each flow with its path."""
    found = translations()
    named = {"config": found["config"], "options": found["options"]}
    named |= {f"subentry {name}": flow for name, flow in found["config_subentries"].items()}
    for name, flow in named.items():
        for step, described in flow.get("step", {}).items():
            yield f"{name}/{step}", described


def test_every_field_of_every_flow_is_described() -> None:
    for path, step in steps():
        for form in (step, *step.get("sections", {}).values()):
            assert set(form.get("data", {})) == set(form.get("data_description", {})), path


def test_no_step_is_titled_like_the_integration() -> None:
    for path, step in steps():
        assert step.get("title") != manifest()["name"], path


def test_every_text_of_a_flow_is_used() -> None:
    used = all_texts() | {code for code, _ in error_codes()} | RAISED_BY_HOME_ASSISTANT
    for flow in flows():
        for kind in ("error", "abort", "progress"):
            assert set(flow.get(kind, {})) <= used


def test_every_reason_to_abort_has_a_text() -> None:
    known = set().union(*(flow.get("abort", {}) for flow in flows()))
    reasons = {
        reason
        for path in root_files()
        for name, call in calls(parse(path))
        if name == "async_abort" and (reason := keyword(call, "reason"))
    }
    assert reasons <= known


def test_every_flow_that_changes_something_says_so_in_our_own_words() -> None:
    named = [
        keyword(call, "reason")
        for path in root_files()
        for name, call in calls(parse(path))
        if name in {"async_update_and_abort", "async_update_reload_and_abort"}
    ]
    assert named
    assert all(named)


def entities() -> Iterator[tuple[str, str, bool]]:
    """Yield platform, translation key and whether it has a name, of every description."""
    for path in root_files():
        platform = next((name for name in PLATFORMS if path.stem.startswith(name)), None)
        for _, call in calls(parse(path)):
            if platform and keyword(call, "key") and (key := keyword(call, "translation_key")):
                own_name = any(given.arg == "name" for given in call.keywords)
                yield platform, key, not own_name


def test_every_entity_has_a_name_in_the_translations() -> None:
    named = translations()["entity"]
    found = list(entities())
    assert found
    for platform, key, has_name in found:
        assert not has_name or named[platform][key]["name"], f"{platform}.{key}"


def test_no_entity_is_translated_or_drawn_that_does_not_exist() -> None:
    used = {(platform, key) for platform, key, _ in entities()}
    for source in (translations()["entity"], icons()["entity"]):
        assert {(platform, key) for platform, keys in source.items() for key in keys} <= used


def test_every_icon_is_a_material_design_icon() -> None:
    for path, icon in leaves(icons()).items():
        assert re.fullmatch(r"mdi:[a-z0-9-]+", icon), path


def test_no_state_has_the_icon_that_it_would_have_anyway() -> None:
    for platform, drawn in icons()["entity"].items():
        for key, icon in drawn.items():
            assert icon["default"] not in icon.get("state", {}).values(), f"{platform}.{key}"


def test_every_drawn_state_is_a_translated_one() -> None:
    named = translations()["entity"]
    for platform, drawn in icons()["entity"].items():
        for key, icon in drawn.items():
            texts_of_key = named.get(platform, {}).get(key, {})
            if "state" in texts_of_key:
                assert set(icon.get("state", {})) <= set(texts_of_key["state"]), key


def test_every_action_is_described_drawn_and_translated() -> None:
    described = service_fields()
    assert set(described) == set(translations()["services"]) == set(icons()["services"])
    for name, fields in described.items():
        action = translations()["services"][name]
        assert action["name"], name
        assert action["description"], name
        assert set(fields) == set(action.get("fields", {})), name
        assert all({"name", "description"} <= set(f) for f in action.get("fields", {}).values())


def test_every_choice_of_an_action_is_translated() -> None:
    known = translations().get("selector", {})
    for fields in service_fields().values():
        for name, field in fields.items():
            select = (field.get("selector") or {}).get("select") or {}
            if (key := select.get("translation_key")) is None:
                assert "options" not in select, f"{name} has options without texts"
                continue
            assert set(select["options"]) == set(known[key]["options"])


def test_every_choice_in_a_form_is_translated() -> None:
    known = translations().get("selector", {})
    keys = {
        key
        for path in root_files()
        for name, call in calls(parse(path))
        if name.endswith("SelectorConfig") and (key := keyword(call, "translation_key"))
    }
    assert keys <= set(known)
    assert set(known) <= all_texts() | {
        field["selector"]["select"]["translation_key"]
        for fields in service_fields().values()
        for field in fields.values()
        if "translation_key" in ((field.get("selector") or {}).get("select") or {})
    }


@pytest.mark.usefixtures("enable_custom_integrations")
async def test_the_described_actions_are_the_registered_ones(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    await hass.async_block_till_done()
    registered = hass.services.async_services_for_domain(DOMAIN)
    assert set(registered) == set(service_fields())
    for name, fields in service_fields().items():
        schema = registered[name].schema
        accepted = getattr(schema, "schema", None)
        if isinstance(accepted, dict):
            assert {str(key) for key in accepted} == set(fields), name


def error_codes() -> Iterator[tuple[str, str]]:
    """Yield the code of every typed error with the name of its class."""
    waiting = [ServerManagerError]
    while waiting:
        error = waiting.pop()
        waiting += error.__subclasses__()
        yield error.code, error.__name__


def raised_keys() -> set[str]:
    """Return the translation keys that the code raises, as far as they are literal."""
    found = set()
    for path in root_files():
        for name, call in calls(parse(path)):
            if re.search(r"(Error|Failed|NotReady)$", name):
                found.add(keyword(call, "translation_key"))
            elif name == "invalid" and call.args and isinstance(call.args[0], ast.Constant):
                found.add(call.args[0].value)
    return {key for key in found if key}


def test_everything_that_is_raised_has_a_sentence() -> None:
    known = set(translations()["exceptions"])
    reasons = {reason.value for reason in RefusalReason} - {RefusalReason.HELD.value}
    assert raised_keys() <= known
    assert {code for code, _ in error_codes()} <= known
    assert reasons <= known


def test_no_sentence_is_for_an_error_that_nothing_raises() -> None:
    codes = {code for code, _ in error_codes()} | {reason.value for reason in RefusalReason}
    assert set(translations()["exceptions"]) <= all_texts() | codes


def test_every_repair_has_a_title_and_either_a_description_or_a_fix() -> None:
    for key, issue in translations()["issues"].items():
        assert issue["title"], key
        assert ("description" in issue) != ("fix_flow" in issue), key
        assert key in all_texts(), key


def test_every_repair_that_is_raised_has_a_text() -> None:
    raised = {
        key
        for path in root_files()
        for name, call in calls(parse(path))
        if name == "async_create_issue" and (key := keyword(call, "translation_key"))
    }
    assert raised <= set(translations()["issues"])


def png_header(path: Path) -> tuple[int, int, int]:
    """Return width, height and colour type of a PNG."""
    head = path.read_bytes()[:26]
    assert head.startswith(b"\x89PNG\r\n\x1a\n"), path.name
    width, height, _, colour = struct.unpack(">IIBB", head[16:26])
    return width, height, colour


@pytest.mark.parametrize("name", BRAND)
def test_brand_images_have_the_sizes_that_home_assistant_asks_for(name: str) -> None:
    width, height, colour = png_header(INTEGRATION / "brand" / name)
    wanted_width, wanted_height = BRAND[name]
    assert height == wanted_height
    assert width == wanted_width if wanted_width else width > height
    assert colour == 6, "no transparency"


def workflows() -> Iterator[tuple[str, dict[Any, Any]]]:
    """Yield each workflow with its name."""
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml")):
        yield path.name, yaml.safe_load(path.read_text(encoding="utf-8"))


def test_workflows_may_only_read_and_use_pinned_actions() -> None:
    found = list(workflows())
    assert {name for name, _ in found} == {"tests.yml", "validate.yml"}
    for name, workflow in found:
        assert workflow["permissions"] == {}, name
        for job in workflow["jobs"].values():
            assert job["permissions"] in ({}, {"contents": "read"}), name
            assert all(PINNED_ACTION.match(s["uses"]) for s in job["steps"] if "uses" in s), name


@pytest.mark.parametrize("script", ["setup", "test", "lint", "demo"])
def test_scripts_can_be_run_and_explain_themselves(script: str) -> None:
    path = ROOT / "scripts" / script
    assert path.stat().st_mode & 0o111
    assert "--help" in path.read_text(encoding="utf-8")
