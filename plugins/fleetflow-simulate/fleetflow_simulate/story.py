"""What a simulator remembers from one run to the next, so that its trucks go on from where they were."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Story:
    """At the time stamp `start` the trucks of `seed` had been driving for `moment` seconds.

    Since then they drive `acceleration` seconds per second of the stamps. No ping so far has a stamp of
    `reached` or later, misbehaviour apart. Stamps are seconds since 1970.
    """

    seed: int
    start: float
    moment: float = 0.0
    acceleration: float = 1.0
    reached: float = 0.0

    def continued(self, start: float, acceleration: float) -> Story:
        """Return how it goes on from `start`, or from `reached` when that is later: stamps only rise."""
        start = max(start, self.reached)
        moment = self.moment + (start - self.start) * self.acceleration
        return replace(self, start=start, moment=moment, acceleration=acceleration)


def load(path: Path) -> Story | None:
    """Return what was saved; None when there is nothing, or nothing usable, which is logged."""
    try:
        content = json.loads(path.read_text("utf-8"))
        story = Story(
            int(content["seed"]),
            *(float(content[name]) for name in ("start", "moment", "acceleration", "reached")),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, OverflowError) as error:
        log.warning("%s cannot be used, the trucks start anew: %s", path, error)
        return None
    return story


def save(path: Path, story: Story) -> None:
    """Replace what was saved; a reader sees the old or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(asdict(story)) + "\n", "utf-8")
    part.replace(path)
