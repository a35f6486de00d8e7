"""The settings of the vehicles map."""

from pathlib import Path

from pydantic import Field

from fleetflow.config import Settings


class VehiclesSettings(Settings):
    """The table [vehicles]."""

    dir: Path = Field(Path("data/vehicles"), description="folder of the vehicles map, a diskcache directory")
    busy_timeout_s: float = Field(
        60.0, gt=0, le=3600, description="how long a writer waits for other writers before it gives up"
    )
    cache_mb: int = Field(64, ge=1, le=4096, description="memory for database pages, per writing process")
    fields_bytes: int = Field(
        65_536, ge=1024, description="JSON bytes that other writers' fields of one vehicle may take together"
    )
