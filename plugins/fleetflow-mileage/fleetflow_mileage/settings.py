"""The table [mileage]."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from fleetflow.config import Settings


class MileageSettings(Settings):
    """The table [mileage]."""

    time_zone: str = Field("UTC", description="whose midnight begins a day, such as America/Chicago")
    noise_m: float = Field(
        15.0, ge=0, le=10_000, description="metres a vehicle must be from its last counted fix to have moved"
    )
    max_kmh: float = Field(200.0, gt=0, description="a leg that needs a higher speed than this is a jump")
    limit_km: float = Field(0.0, ge=0, description="daily limit of vehicles without a group; 0: none")
    limits: str = Field("", description="CSV file group,limit_km with a daily limit per group of vehicles")
    groups: str = Field("", description="CSV file vin,group: make, depot, whatever limits go by")
    dir: Path = Field(Path("data/mileage"), description="folder of the table of distances")
    keep_days: int = Field(400, ge=1, description="days that the table keeps, counted from its newest one")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"there is no time zone {value}; write a name such as Europe/Berlin") from error
        return value
