"""The table [maintenance]."""

from __future__ import annotations

import warnings
from pathlib import Path

from pydantic import Field, Secret

from fleetflow.config import Configuration, Settings

TABLE = "maintenance"


class DatabaseUrl(Secret[str]):
    """A database URL, shown without its password."""

    def _display(self) -> str:
        from sqlalchemy import make_url  # noqa: PLC0415 - slow to import, and most commands do not need it
        from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

        try:
            return make_url(self.get_secret_value()).render_as_string(hide_password=True)
        except ArgumentError:
            return "**********"


with warnings.catch_warnings():
    # pydantic warns because classes have a method `register`, which nobody calls on settings
    warnings.filterwarnings("ignore", 'Field name "register"', UserWarning)

    class MaintenanceSettings(Settings):
        """The table [maintenance]."""

        notices: Path = Field(
            Path("data/notices.csv"), description="CSV file number,year,make,model,note of notices"
        )
        register: DatabaseUrl = Field(
            DatabaseUrl("sqlite:///data/register.sqlite"),
            description="the register of vehicles, as an SQLAlchemy URL",
        )
        check_s: float = Field(
            2.0, ge=0.05, description="seconds between looks at the notices and a SQLite register"
        )
        poll_s: float = Field(30.0, ge=1, description="seconds between readings of any other register")
        repeat_count: int = Field(
            3, ge=1, description="how often a code must appear on a vehicle to call for maintenance"
        )
        repeat_s: float = Field(
            86_400.0, gt=0, description="within how many seconds of the pings' time it must do so"
        )


def settings_of(configuration: Configuration) -> MaintenanceSettings:
    """Return the table [maintenance]."""
    return configuration.table(TABLE, MaintenanceSettings)
