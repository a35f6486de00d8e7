"""The table [ledger], and where it puts the ledger's store."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from fleetflow.config import Configuration, Settings


class LedgerSettings(Settings):
    """The table [ledger]."""

    dir: Path = Field(Path("data/ledger"), description="folder of the ledger's store")


def folder_of(configuration: Configuration) -> Path:
    """Return the folder of the ledger's store."""
    return configuration.path(configuration.table("ledger", LedgerSettings).dir)
