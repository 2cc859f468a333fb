"""Leads whatever this process sends to Discord to the stand-in, at the HTTP clients themselves.

The code under test keeps the real addresses (https://discord.com, wss://gateway.discord.gg): its
checks of URLs run for real, and neither it nor discord.py has to be told of the lab. Only the
standard library is imported, for the interpreter of another process loads this file by its path;
the HTTP clients are changed when they are first imported, never sooner.
"""

from collections.abc import Callable, Iterator
import contextlib
import functools
import importlib.abc
import importlib.machinery
import sys
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

VARIABLE = "CUBEGUARDIAN_LAB_DISCORD"

_HOSTS = ("discord.com", "discordapp.com", "discord.gg")
_SCHEMES = {"https": "http", "wss": "ws"}
_target = [""]


def is_discord(host: str | None) -> bool:
    """Tell whether a host belongs to Discord."""
    return host is not None and any(host == one or host.endswith(f".{one}") for one in _HOSTS)


def redirect(url: str) -> str:
    """Return the URL on the stand-in for one of Discord's; others, and all without one, stay."""
    parts = urlsplit(url)
    if not _target[0] or parts.scheme not in _SCHEMES or not is_discord(parts.hostname):
        return url
    where = urlsplit(_target[0]).netloc
    return urlunsplit(parts._replace(scheme=_SCHEMES[parts.scheme], netloc=where))


def install(origin: str) -> None:
    """Redirect from now on to the stand-in with this origin; an empty one ends it."""
    _target[0] = origin
    for name, change in _CHANGES.items():
        if name in sys.modules:
            change(sys.modules[name])
    if not any(isinstance(finder, _Watch) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Watch())


@contextlib.contextmanager
def redirected(origin: str) -> Iterator[None]:
    """Redirect while the context lasts."""
    before = _target[0]
    install(origin)
    try:
        yield
    finally:
        _target[0] = before


def _change_aiohttp(module: ModuleType) -> None:
    """Redirect ClientSession, through which discord.py's websocket goes as well."""
    session: Any = module.ClientSession
    original = session._request
    if hasattr(original, "leads_to_the_lab"):
        return

    @functools.wraps(original)
    async def request(own: Any, method: str, url: Any, **options: Any) -> Any:
        led = redirect(str(url))
        # Only a URL of Discord's may be written anew: quoting would not survive elsewhere.
        return await original(own, method, url if led == str(url) else led, **options)

    request.leads_to_the_lab = True  # type: ignore[attr-defined]
    session._request = request


def _change_requests(module: ModuleType) -> None:
    adapter: Any = module.HTTPAdapter
    original = adapter.send
    if hasattr(original, "leads_to_the_lab"):
        return

    @functools.wraps(original)
    def send(own: Any, request: Any, *rest: Any, **options: Any) -> Any:
        request.url = redirect(request.url)
        return original(own, request, *rest, **options)

    send.leads_to_the_lab = True  # type: ignore[attr-defined]
    adapter.send = send


_CHANGES: dict[str, Callable[[ModuleType], None]] = {
    "aiohttp.client": _change_aiohttp,
    "requests.adapters": _change_requests,
}


class _Watch(importlib.abc.MetaPathFinder):
    """Waits for the HTTP clients to be imported."""

    def find_spec(
        self, name: str, path: Any, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a client as always, and change it once it is there."""
        change = _CHANGES.get(name)
        spec = importlib.machinery.PathFinder.find_spec(name, path, target) if change else None
        if change is None or spec is None or spec.loader is None:
            return None
        spec.loader = _ChangingLoader(spec.loader, change)
        return spec


class _ChangingLoader(importlib.abc.Loader):
    """Loads a module as its own loader does, then changes it."""

    def __init__(self, loader: Any, change: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._change = change

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """Leave the module to its own loader."""
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, then change it."""
        self._loader.exec_module(module)
        self._change(module)
