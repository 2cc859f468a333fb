"""The walls of the house: who may import whom, who may ask the clock, how long things get."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
import statistics
import subprocess
import sys

import pytest

from .house import INTEGRATION, ROOT, all_files, calls, folders, name_of, parse, root_files

PACKAGE = "custom_components.cubeguardian"
HOME_ASSISTANT = {"homeassistant", "voluptuous", "probatio", "custom_components"}
STANDARD_LIBRARY_ONLY = {"guardian", "gate"}
LATE = {
    "discord": {"discord_bridge/bot.py", "discord_bridge/commands.py", "discord_bridge/panel.py"},
    "asyncssh": {"server_manager/ssh_manager.py"},
}
CLIENTS = {
    "ConnectivityChecker",
    "MinecraftChecker",
    "ProxmoxAPI",
    "SSHManager",
    "ServerManager",
    "WakeOnLANManager",
}
PLATFORMS = {
    "binary_sensor.py", "button.py", "entity.py", "event.py", "notify.py", "number.py",
    "select.py", "sensor.py", "switch.py",
}  # fmt: skip
TAKEN_FOR_PLATFORMS = {"energy", "group", "intent", "logbook", "recorder", "trigger"}
CLOCKS = {"call_at", "call_later", "monotonic", "now", "perf_counter", "time", "today", "utcnow"}
WAITS = {"sleep", "timeout", "timeout_at", "wait_for"}
LONGEST_FILE, LONGEST_FUNCTION, MEDIAN_FUNCTION = 400, 60, 12

# Imports every module of the package in argv[2] below the folder in argv[1], with what argv[3:]
# names forbidden. The package of the folder itself is a stub, since the real one imports
# Home Assistant.
LONELY_IMPORT = """
import importlib, importlib.abc, pkgutil, sys, types

class Wall(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[3:]:
            raise ImportError(f"{name} is forbidden here")

sys.meta_path.insert(0, Wall())
parent = sys.argv[2].rpartition(".")[0]
for name in (parent.partition(".")[0], parent):
    sys.modules[name] = stub = types.ModuleType(name)
    stub.__path__ = [sys.argv[1]]
package = importlib.import_module(sys.argv[2])
for module in pkgutil.walk_packages(package.__path__, sys.argv[2] + "."):
    importlib.import_module(module.name)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One imported name: where it comes from, and whether that happens as the file loads."""

    line: int
    level: int
    module: str
    name: str
    at_load: bool

    @property
    def root(self) -> str:
        """Return the first part of the module."""
        return self.module.partition(".")[0]


def imports(tree: ast.Module) -> Iterator[Import]:
    """Yield what a file imports, leaving out what only type checkers read."""
    for node, at_load in _statements(tree, at_load=True):
        match node:
            case ast.Import(names=names):
                for name in names:
                    yield Import(
                        line=node.lineno, level=0, module=name.name, name="", at_load=at_load
                    )
            case ast.ImportFrom(names=names, module=module, level=level):
                for name in names:
                    yield Import(
                        line=node.lineno,
                        level=level,
                        module=module or "",
                        name=name.name,
                        at_load=at_load,
                    )


def _statements(node: ast.AST, *, at_load: bool) -> Iterator[tuple[ast.AST, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        in_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield child, at_load
        yield from _statements(child, at_load=at_load and not in_function)


def lonely_import(folder: Path, package: str, *forbidden: str) -> subprocess.CompletedProcess[str]:
    """Import a package in a fresh interpreter that refuses the forbidden roots."""
    return subprocess.run(
        [sys.executable, "-c", LONELY_IMPORT, str(folder), package, *forbidden],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def folder_files() -> list[Path]:
    """Return every Python file in a subfolder."""
    return [path for folder in folders() for path in sorted(folder.rglob("*.py"))]


def test_the_house_has_its_rooms() -> None:
    assert {"guardian", "server_manager"} <= {folder.name for folder in folders()}
    assert {"__init__.py", "config_flow.py", "coordinator.py", "entity.py"} <= {
        path.name for path in root_files()
    }


@pytest.mark.parametrize("path", folder_files(), ids=name_of)
def test_a_folder_knows_neither_home_assistant_nor_its_parent_nor_a_sibling(path: Path) -> None:
    depth = len(path.relative_to(INTEGRATION).parts) - 1
    for found in imports(parse(path)):
        assert found.level <= depth, f"line {found.line} climbs out of its folder"
        if found.level == 0:
            assert found.root not in HOME_ASSISTANT, f"line {found.line} imports {found.module}"


@pytest.mark.parametrize(
    "path", [p for p in folder_files() if p.parent.name in STANDARD_LIBRARY_ONLY], ids=name_of
)
def test_guardian_and_gate_need_only_the_standard_library(path: Path) -> None:
    for found in imports(parse(path)):
        if found.level == 0:
            assert found.root in sys.stdlib_module_names, f"line {found.line}: {found.module}"


@pytest.mark.parametrize(
    "path", [p for p in folder_files() if p.parent.name == "guardian"], ids=name_of
)
def test_the_guardian_never_asks_the_clock_and_never_waits(path: Path) -> None:
    tree = parse(path)
    for found in imports(tree):
        assert found.level or found.root not in {"time", "socket"}, f"line {found.line}"
        assert found.module != "asyncio" or found.name not in WAITS, f"line {found.line}"
    for name, call in calls(tree):
        owned = isinstance(call.func, ast.Attribute)
        assert not (owned and name in CLOCKS), f"line {call.lineno} asks the clock"
        assert name not in WAITS, f"line {call.lineno} waits"


@pytest.mark.parametrize("path", all_files(), ids=name_of)
def test_heavy_libraries_are_imported_late_and_in_one_place(path: Path) -> None:
    for found in imports(parse(path)):
        allowed = LATE.get(found.root if found.level == 0 else "")
        if allowed is None:
            continue
        assert name_of(path) in allowed, f"line {found.line} imports {found.root}"
        assert found.root == "discord" or not found.at_load, f"line {found.line} is too early"


def test_home_assistant_loads_the_integration_without_the_heavy_libraries() -> None:
    names = [f"{PACKAGE}.{path.stem}" for path in root_files() if path.stem != "__init__"]
    code = f"""
import importlib, sys
for name in {[PACKAGE, *names]!r}:
    importlib.import_module(name)
print(sorted({{"asyncssh", "discord"}} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("folder", folders(), ids=name_of)
def test_a_folder_can_be_imported_without_home_assistant(folder: Path) -> None:
    forbidden = {"homeassistant", "voluptuous", "probatio", "asyncssh", "discord"}
    if folder.name == "discord_bridge":
        forbidden.remove("discord")
    done = lonely_import(INTEGRATION, f"{PACKAGE}.{folder.name}", *sorted(forbidden))
    assert done.returncode == 0, done.stderr


def test_the_lonely_import_notices_home_assistant(tmp_path: Path) -> None:
    (tmp_path / "dirty").mkdir()
    (tmp_path / "dirty" / "__init__.py").touch()
    (tmp_path / "dirty" / "late.py").write_text("from homeassistant.core import HomeAssistant\n")
    done = lonely_import(tmp_path, f"{PACKAGE}.dirty", "homeassistant")
    assert "homeassistant is forbidden here" in done.stderr


@pytest.mark.parametrize(
    "path", [path for path in root_files() if path.name in PLATFORMS], ids=name_of
)
def test_entities_touch_coordinators_and_never_clients(path: Path) -> None:
    tree = parse(path)
    for found in imports(tree):
        assert found.name not in CLIENTS, f"line {found.line} imports {found.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            assert node.attr != "manager", f"line {node.lineno} reaches for a client"


def test_nothing_is_named_like_one_of_home_assistants_platforms() -> None:
    assert not TAKEN_FOR_PLATFORMS & {path.stem for path in INTEGRATION.iterdir()}


@pytest.mark.parametrize("path", all_files(), ids=name_of)
def test_files_and_functions_stay_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
    for name, length in function_lengths(path):
        assert length <= LONGEST_FUNCTION, f"{name} has {length} lines"


def test_most_functions_are_very_short() -> None:
    lengths = [length for path in all_files() for _, length in function_lengths(path)]
    assert statistics.median(lengths) <= MEDIAN_FUNCTION


def function_lengths(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each function of a file with its length in lines."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1
