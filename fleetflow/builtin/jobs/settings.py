"""The table [jobs]."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from fleetflow.config import Settings


class JobsSettings(Settings):
    """The table [jobs]."""

    dir: Path = Field(Path("jobs"), description="folder of the jobs")
    savepoints: Path = Field(Path("recovery/savepoints"), description="folder of the savepoints")
    attempts: int = Field(6, ge=1, description="failures in a row, without progress, until a job is given up")
    backoff_s: float = Field(0.5, gt=0, description="seconds before the first restart; doubled after each")
    backoff_most_s: float = Field(30.0, gt=0, description="longest pause before a restart, in seconds")
    stall_s: float = Field(
        60.0, ge=1, description="seconds without progress (at least 3 snapshots) until a job is restarted"
    )
