"""Leads the Python process that finds this on its path to the Discord stand-in.

To be put first on PYTHONPATH, with the stand-in's origin in CUBEGUARDIAN_LAB_DISCORD. Python runs
one sitecustomize only, so this one runs the next on the path as well.
"""

import importlib.machinery
import importlib.util
import os
from pathlib import Path
import sys

_HERE = Path(__file__).resolve().parent


def _run(spec: importlib.machinery.ModuleSpec) -> object:
    module = importlib.util.module_from_spec(spec)
    assert spec.loader is not None
    spec.loader.exec_module(module)
    return module


def _run_next() -> None:
    others = [place for place in sys.path if Path(place or ".").resolve() != _HERE]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None:
        _run(spec)


def _redirect() -> None:
    place = _HERE.parent / "redirect.py"
    spec = importlib.util.spec_from_file_location("lab_discord_redirect", place)
    assert spec is not None
    redirect = _run(spec)
    origin = os.environ.get(redirect.VARIABLE, "")  # type: ignore[attr-defined]
    redirect.install(origin)  # type: ignore[attr-defined]


_run_next()
_redirect()
