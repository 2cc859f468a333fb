"""Where the integration's files are, and how the tests about them read Python."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
INTEGRATION = ROOT / "custom_components" / "cubeguardian"


def folders() -> list[Path]:
    """Return the subfolders that hold Python; none of them may know Home Assistant."""
    return sorted({path.parent for path in INTEGRATION.glob("*/*.py")})


def root_files() -> list[Path]:
    """Return the files that may know Home Assistant."""
    return sorted(INTEGRATION.glob("*.py"))


def all_files() -> list[Path]:
    """Return every Python file of the integration."""
    return sorted(INTEGRATION.rglob("*.py"))


def parse(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def name_of(path: Path) -> str:
    """Return a path as the tests' ids and messages show it."""
    return path.relative_to(INTEGRATION).as_posix()


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Yield every call below a node with the last part of what it calls."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        match node.func:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                yield name, node
            case ast.Subscript(value=ast.Name(id=name)):
                yield name, node


def keyword(call: ast.Call, name: str) -> str | None:
    """Return a keyword argument of a call where it is a literal text."""
    for given in call.keywords:
        if given.arg == name and isinstance(given.value, ast.Constant):
            return given.value.value if isinstance(given.value.value, str) else None
    return None


def texts(tree: ast.AST) -> set[str]:
    """Return every literal text below a node."""
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
