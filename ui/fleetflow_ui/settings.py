"""The dashboard's settings."""

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, field_validator

from fleetflow.config import Settings, Words

ORIGIN = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?")
Secret = Annotated[
    # a password of digits in a TOML file is a number; an error about it would print it
    SecretStr, BeforeValidator(lambda value: value if isinstance(value, SecretStr) else str(value))
]


class UiSettings(Settings):
    """The table [ui]."""

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="address to listen on; beyond loopback only with a password or token",
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
    password: Secret = Field(SecretStr(""), description="what people sign in with; empty: nobody has to")
    token: Secret = Field(
        SecretStr(""), description="what programs send: `Authorization: Bearer TOKEN`; empty: none"
    )
    origins: Words = Field(
        (),
        description="further names (name:port) under which browsers reach the dashboard, as behind a proxy",
    )
    behind_proxy: bool = Field(
        False, description="believe X-Forwarded-For and -Proto, which only a proxy in front may set"
    )
    read_only: bool = Field(
        False, description="refuse everything that would change a job, savepoint or store"
    )

    @field_validator("origins")
    @classmethod
    def _exact(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not ORIGIN.fullmatch(origin.lower()):
                raise ValueError(f'"{origin}" is not name or name:port, without scheme, path or wildcard')
        return tuple(origin.lower() for origin in value)

    tiles_attribution: str = Field(
        "© OpenStreetMap contributors", description="what the makers of the online map tiles ask to be shown"
    )
