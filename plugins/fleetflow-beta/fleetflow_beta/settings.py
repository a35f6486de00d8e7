"""The settings table `[beta]`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, Secret, SecretStr, field_validator, model_validator

from fleetflow.config import Settings
from fleetflow.errors import ConfigurationError
from fleetflow_beta import address


class ServiceUrl(Secret[str]):
    """A URL that is shown without the credentials it may hold."""

    def _display(self) -> str:
        return address.redact(self.get_secret_value())


def _split(value: object) -> object:
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _header(value: object) -> object:
    # checked here, because pydantic's own message would show what was given
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(text, str):
        raise ConfigurationError(
            "[beta] authorization must be a text", 'write authorization = "Bearer ..." with quotes'
        )
    if not (text.isascii() and text.isprintable()):
        raise ConfigurationError(
            "[beta] authorization holds characters that a header cannot carry",
            "give it as one line of printable ASCII characters",
        )
    return value


class BetaSettings(Settings):
    """Web services to read pings from."""

    url: Annotated[tuple[ServiceUrl, ...], BeforeValidator(_split)] = Field(
        (ServiceUrl("http://localhost:8000/pings"),),
        description="the services to read: a list, or one text separated by spaces or commas; empty: none",
    )
    shards: int = Field(
        4, ge=1, le=256, description="partitions of this source; a job that was started keeps its number"
    )
    limit: int = Field(1000, ge=1, le=1_000_000, description="pings to ask for in one page")
    poll_s: float = Field(2.0, gt=0, le=3600, description="seconds between two pages when caught up")
    timeout_s: float = Field(
        30.0, gt=0, le=3600, description="seconds without a byte after which a request has failed"
    )
    connect_timeout_s: float = Field(
        5.0, gt=0, le=600, description="seconds in which a connection must be there"
    )
    page_timeout_s: float = Field(
        120.0, gt=0, le=86_400, description="seconds in which a whole page must have arrived"
    )
    max_page_bytes: int = Field(
        64 * 1024 * 1024, ge=1024, description="bytes of a page, uncompressed, beyond which it is refused"
    )
    pages_ahead: int = Field(
        128, ge=1, le=1000, description="pages per service to fetch ahead of the dataflow, 16 MiB at most"
    )
    gather_s: float = Field(
        0.05,
        ge=0,
        le=10,
        description="seconds that pages are gathered for while a service has more of them, at first",
    )
    verify_polls: int = Field(
        5,
        ge=1,
        le=1000,
        description="pages after which to check that the service did not start again, at most once a second",
    )
    backoff_min_s: float = Field(0.5, gt=0, le=3600, description="seconds to wait after a first failure")
    backoff_max_s: float = Field(60.0, gt=0, le=86_400, description="the longest wait between two attempts")
    once_attempts: int = Field(
        5, ge=1, le=1000, description="failures in a row after which a run with --once goes on without"
    )
    authorization: Annotated[SecretStr, BeforeValidator(_header)] = Field(
        SecretStr(""),
        description="the Authorization header for services whose URL holds no credentials; empty: none",
    )
    ca_file: str = Field(
        "", description="certificates (PEM) to trust instead of the usual ones, for https; empty: the usual"
    )

    @field_validator("url")
    @classmethod
    def _usable(cls, urls: tuple[ServiceUrl, ...]) -> tuple[ServiceUrl, ...]:
        seen: set[str] = set()
        for url in urls:
            try:
                resource = address.parse(url.get_secret_value()).resource
            except ValueError as error:
                # raised here, because pydantic's own message would show the credentials
                raise ConfigurationError(
                    f"[beta] url = {url}: {error}", "write it as http://host:port/path"
                ) from None
            if resource in seen:
                raise ConfigurationError(
                    f"[beta] url lists {resource} twice",
                    "remove one of them; URLs that differ only in their credentials are one service",
                )
            seen.add(resource)
        return urls

    @model_validator(mode="after")
    def _ordered(self) -> BetaSettings:
        if self.backoff_min_s > self.backoff_max_s:
            raise ConfigurationError(
                f"[beta] backoff_min_s = {self.backoff_min_s} is above backoff_max_s = {self.backoff_max_s}",
                "raise backoff_max_s",
            )
        return self
