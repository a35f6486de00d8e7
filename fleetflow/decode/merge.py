"""Decoding payloads of several media types, and of unknown ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import polars as pl

from fleetflow.contracts.payload import Payload, Place, Reject
from fleetflow.contracts.schema import Decoded

MALFORMED = "malformed"
"""The rule that a record broke of which no ping could be made."""


class Decoder(Protocol):
    """Decodes payloads of one media type."""

    def decode(self, payloads: Sequence[Payload]) -> Decoded:
        """Turn payloads into pings and rejects."""
        ...


def whole(payload: Payload) -> Place:
    """Return the place of a whole payload."""
    return Place(
        payload.source,
        payload.partition,
        payload.resource,
        payload.start,
        payload.end,
        payload.data,
        payload.media_type,
    )


def in_payload_order(
    payloads: Sequence[Payload], decoders: Mapping[str, Decoder], columns: Mapping[str, pl.DataType]
) -> Decoded:
    """Decode each payload by its media type; one of an unknown type is rejected as a whole."""
    parts: list[Decoded] = []
    for payload in payloads:
        decoder = decoders.get(payload.media_type)
        if decoder is None:
            reason = f"media type {payload.media_type} is not one of {', '.join(sorted(decoders))}"
            reject = Reject(whole(payload), MALFORMED, reason, payload.received_at)
            parts.append(Decoded(pl.DataFrame(schema=dict(columns)), [reject], [1], _nowhere))
        else:
            parts.append(decoder.decode([payload]))
    return Decoded(
        pl.concat([part.pings for part in parts]) if parts else pl.DataFrame(schema=dict(columns)),
        [reject for part in parts for reject in part.rejects],
        [count for part in parts for count in part.records],
        _locate_in([(part.pings.height, part.locate) for part in parts]),
    )


def _locate_in(
    parts: Sequence[tuple[int, Callable[[Sequence[int]], Sequence[Place]]]],
) -> Callable[[Sequence[int]], Sequence[Place]]:
    def locate(rows: Sequence[int]) -> Sequence[Place]:
        places: list[Place] = []
        for row in rows:
            rest = row
            for height, inner in parts:
                if rest < height:
                    places.extend(inner([rest]))
                    break
                rest -= height
        return places

    return locate


def _nowhere(rows: Sequence[int]) -> Sequence[Place]:
    if rows:
        raise IndexError(f"there are no pings, row {rows[0]} was asked for")
    return ()
