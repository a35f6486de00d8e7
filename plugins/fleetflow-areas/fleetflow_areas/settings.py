"""The settings of the detector areas."""

from pydantic import Field

from fleetflow.config import Settings


class AreasSettings(Settings):
    """Table `[areas]`."""

    file: str = Field("", description="GeoJSON file with the areas; an empty string turns the detector off")
    check_s: float = Field(
        1.0, ge=0, le=3600, description="seconds between two looks at whether the file has changed"
    )
