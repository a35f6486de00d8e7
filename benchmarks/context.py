"""What a work is given, and what a work is."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.results import Outcome
from benchmarks.trials import Effort, Say


@dataclass(frozen=True, slots=True)
class Context:
    """Where to work, how hard to try, and whom to tell how far it is; `long` is the long form."""

    work: Path
    long: bool
    effort: Effort
    say: Say
    cores: int = 2
    peers: bool = True

    @property
    def python(self) -> str:
        """The interpreter that has fleetflow."""
        return sys.executable

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Give an empty folder for one run, and remove it."""
        folder = self.work / "run"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


Work = Callable[[Context], Outcome]
