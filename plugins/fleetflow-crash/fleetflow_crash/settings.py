"""The settings table [crash]."""

from __future__ import annotations

from pydantic import Field

from fleetflow.config import Settings, Words


class CrashSettings(Settings):
    """The table [crash]."""

    codes: Words = Field(("B0001",), description="the engine codes that mean a crash; none: no detector")
    clear_after_s: float = Field(
        600.0,
        ge=0,
        allow_inf_nan=False,
        description="seconds of event time over which pings without such a code end a crash; 0: never",
    )
