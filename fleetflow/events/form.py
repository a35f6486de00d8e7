"""An event as JSON, and as a line of text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from fleetflow.contracts.detector import Event

_encoder = msgspec.json.Encoder(enc_hook=str)


def as_dict(event: Event) -> dict[str, Any]:
    """Return an event as a JSON object, in the order of its fields."""
    return {
        "id": event.id,
        "vin": event.vin,
        "time": event.time,
        "kind": event.kind,
        "severity": event.severity,
        "message": event.message,
        "data": dict(event.data),
        "ping": dict(event.ping),
        "update": dict(event.update),
        "only_if": {name: list(values) for name, values in event.only_if.items()},
    }


def to_json(value: Any) -> bytes:
    """Return `value` as compact UTF-8 JSON; what JSON cannot hold becomes null (nan) or its text."""
    return _encoder.encode(value)


def utc(seconds: float) -> str:
    """Return seconds since 1970 as ISO 8601 in UTC; as they are when no calendar holds them."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return str(seconds)


def printable(text: str) -> str:
    """Return `text` on one line, without control characters: VINs are whatever a vendor sends."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
