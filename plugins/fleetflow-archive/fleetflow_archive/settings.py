"""The settings of the archive."""

from pathlib import Path

from pydantic import Field

from fleetflow.config import Settings


class ArchiveSettings(Settings):
    """The table [archive]."""

    dir: Path = Field(Path("data/archive"), description="folder of the archive")
    roll_rows: int = Field(
        131_072, ge=1, le=16_777_216, description="pings of a full file; no more are held in memory per shard"
    )
    keep_days: int = Field(
        0,
        ge=0,
        description="days of history to keep, by the pings' time; older files are deleted; 0: for ever",
    )
    aside_days: int = Field(
        7, ge=0, description="days to keep what a start from an older position undid; 0: for ever"
    )
    lock_wait_s: float = Field(
        10.0, ge=0, le=600, description="how long to wait for another job to let go of the archive"
    )
