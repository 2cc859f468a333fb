"""A progress bar in plain text: one line that is written over, or one line per step."""

import sys
import time
from typing import TextIO

_WIDTH = 22


class Progress:
    """Shows how far a run has come; needs no terminal."""

    def __init__(self, total: int, stream: TextIO = sys.stderr) -> None:
        """Begin with nothing done of `total` steps."""
        self._total = total
        self._stream = stream
        self._live = stream.isatty()
        self._done = 0
        self._name = ""
        self._begun = time.monotonic()

    def begin(self, name: str) -> None:
        """Say what is being done now."""
        self._name = name
        if self._live:
            self._write(f"{name} ...", end="")

    def done(self) -> None:
        """Say that it happened."""
        self._done += 1
        self._write(self._name)

    def fail(self) -> None:
        """Say that it did not happen."""
        self._write(f"{self._name}: did not happen")

    def _write(self, text: str, end: str = "\n") -> None:
        filled = _WIDTH * self._done // self._total
        bar = "#" * filled + "." * (_WIDTH - filled)
        took = time.monotonic() - self._begun
        start = "\r\x1b[K" if self._live else ""
        self._stream.write(
            f"{start}[{bar}] {self._done:2}/{self._total} {took:6.1f} s  {text}{end}"
        )
        self._stream.flush()
