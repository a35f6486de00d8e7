"""The table [quarantine], and where it puts the quarantine's store."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from fleetflow.config import Configuration, Settings


class QuarantineSettings(Settings):
    """The table [quarantine]."""

    dir: Path = Field(Path("data/quarantine"), description="folder of the quarantine's store")


def folder_of(configuration: Configuration) -> Path:
    """Return the folder of the quarantine's store."""
    return configuration.path(configuration.table("quarantine", QuarantineSettings).dir)
