"""The dashboard's settings."""

from typing import Literal

from pydantic import Field

from fleetflow.config import Settings


class UiSettings(Settings):
    """The table [ui]."""

    host: Literal["127.0.0.1", "localhost", "::1"] = Field(
        "127.0.0.1", description="loopback address to listen on"
    )
    port: int = Field(5006, ge=0, le=65535, description="port to listen on, 0 for any")
    theme: Literal["auto", "light", "dark"] = Field(
        "auto", description="colours until a reader chooses others; auto: those of the reader's system"
    )
    refresh_s: float = Field(1.0, gt=0, le=60, description="seconds between two looks at the vehicles map")
    stale_s: float = Field(
        300.0, gt=0, description="seconds without a ping after which a vehicle is drawn faded"
    )
    tiles_url: str = Field("", description="online map tiles above the built-in map: .../{Z}/{X}/{Y}.png")
