"""The settings of the detector speed."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from fleetflow.config import Settings

MOST_SLIDES = 256


class SpeedSettings(Settings):
    """Table `[speed]`."""

    limit_kmh: float = Field(113.0, gt=0, description="a vehicle faster than this is speeding (70 miles/h)")
    hysteresis_kmh: float = Field(
        5.0, ge=0, description="how far below the limit a speeding vehicle must come to be normal again"
    )
    window_s: float = Field(
        240.0, ge=1, le=86_400, description="seconds of event time over which the speed is computed"
    )
    slide_s: float = Field(
        15.0, ge=1, le=86_400, description="seconds from one window to the next; window_s is a multiple of it"
    )
    lateness_s: float = Field(
        60.0,
        ge=0,
        le=86_400,
        description="how long a window waits for late pings, in event time of the vehicle",
    )
    min_span_s: float = Field(
        60.0, gt=0, description="seconds that the pings in a window must span for a speed to be told"
    )
    set_status: bool = Field(
        True,
        description="whether to set status SPEEDING and a note, besides the fields speeding and speed_kmh, "
        "while no other status is set",
    )

    reject_jumps: bool = Field(
        False, description="whether to quarantine pings that are too far from the vehicle's last good fix"
    )
    jump_kmh: float = Field(300.0, gt=0, description="faster than this from fix to fix is a jump")
    jump_confirm: int = Field(
        3, ge=2, le=1000, description="after so many jumps in a row to places that fit together it was true"
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        slides = self.window_s / self.slide_s
        if not slides.is_integer() or slides > MOST_SLIDES:
            raise ValueError(
                f"window_s {self.window_s:g} must be 1 to {MOST_SLIDES} times slide_s {self.slide_s:g}"
            )
        if self.min_span_s > self.window_s:
            raise ValueError(f"min_span_s {self.min_span_s:g} must fit into window_s {self.window_s:g}")
        if self.hysteresis_kmh >= self.limit_kmh:
            raise ValueError(f"hysteresis_kmh {self.hysteresis_kmh:g} must be less than limit_kmh")
        return self
