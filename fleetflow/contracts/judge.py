"""Judging pings by what their vehicle did before."""

from typing import Any, Protocol

import polars as pl


class JudgeShard(Protocol):
    """What one judge remembers of the vehicles of one shard. Used by one thread."""

    def on_pings(self, pings: pl.DataFrame) -> pl.Series | None:
        """Return for each ping whether it is good (Boolean, null counts as not good), or None if all are.

        Takes the pings of the shard that no rule and no judge before turned down, in order of arrival (late
        and repeated ones too). Columns: those of the schema, `source` and `received_at`. Must be vectorised.
        """
        ...

    def snapshot(self) -> Any:
        """Return the state as plain data with a version; it is pickled into the recovery store."""
        ...


class Judge(Protocol):
    """A validation rule with state per vehicle, which a `Rule` cannot have: rules judge before keying.

    A ping that is not good is quarantined under `name`, with `reason` (what was expected, in words), where it
    stood and its raw bytes. Detectors, recorders and the vehicles map do not see it. Added later to a job it
    starts from its defined empty state.
    """

    name: str
    """Names its state in the recovery store and its rejects: never changes."""
    reason: str

    def open(self, state: Any | None) -> JudgeShard:
        """Open one shard with the state that `snapshot` returned, or with None from the empty state."""
        ...
