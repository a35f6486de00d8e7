"""What a run of the benchmarks found: tables of numbers, and aims that were met or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.trials import Trial


@dataclass(frozen=True, slots=True)
class Aim:
    """What was aimed at, and what came of it; `met` None means that it could not be judged."""

    text: str
    found: str
    met: bool | None


@dataclass(slots=True)
class Outcome:
    """One work's outcome: trials of contestants, or rows of a table of its own."""

    key: str
    title: str
    description: str
    trials: Sequence[Trial] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    aims: Sequence[Aim] = ()
    points: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """Series to plot, if not the trials."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "key": self.key,
            "title": self.title,
            "description": self.description,
            "trials": [trial.as_dict() for trial in self.trials],
            "columns": list(self.columns),
            "rows": [list(row) for row in self.rows],
            "aims": [asdict(aim) for aim in self.aims],
            "points": self.points,
        }
