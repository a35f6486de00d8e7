"""Reading the raw inputs again, up to where a job has come.

How far a job has come is derived from its positions alone: a source that is opened at a stored position
emits first what the job has not read yet. Nothing is read from the ledger, and nothing is written.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import msgspec

from fleetflow.contracts.payload import Notice, Payload
from fleetflow.contracts.source import Emission, Source
from fleetflow.errors import FleetflowError

BATCH_BYTES = 8 << 20
PATIENCE_S = 120.0
"""How long a source may bring nothing and not be caught up."""
GENERATION = re.compile(r"(.*)~([0-9]+)", re.DOTALL)
"""A resource that was replaced, or started again, goes on under a name that ends so (see the sources)."""


class _Sequenced(msgspec.Struct):
    sequence: int | None = None


_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_SEQUENCE = msgspec.json.Decoder(_Sequenced)


def drain(source: Source, partition: str, position: Any | None) -> Iterator[Sequence[Emission]]:
    """Yield what a partition emits from a position until it is caught up.

    Raises FleetflowError when it neither brings anything nor catches up.
    """
    opened = source.open(partition, position)
    try:
        moved_at = time.monotonic()
        while True:
            batch = opened.poll(BATCH_BYTES)
            if batch:
                moved_at = time.monotonic()
                yield batch
            elif opened.caught_up():
                return
            elif time.monotonic() - moved_at > PATIENCE_S:
                raise FleetflowError(
                    f"{partition} brought nothing for {PATIENCE_S:g} s and did not catch up",
                    "is its source there? try again later",
                )
            else:
                time.sleep(min(opened.next_poll_s(), 0.05))
    finally:
        opened.close()


def unread(source: Source, partition: str, position: Any) -> tuple[dict[str, int], int]:
    """Return where each resource goes on after a position, and how many payloads come after it."""
    found: dict[str, int] = {}
    payloads = 0
    for batch in drain(source, partition, position):
        for emission in batch:
            if isinstance(emission, Payload):
                payloads += 1
                found.setdefault(emission.resource, emission.start)
    return found, payloads


def generation(resource: str) -> tuple[str, int]:
    """Return the first generation's name of a resource, and its number."""
    match = GENERATION.fullmatch(resource)
    return (match[1], int(match[2])) if match else (resource, 1)


def known_as(resource: str, names: Iterable[str]) -> str:
    """Return the name under which a job knows a resource that was opened afresh: its last generation."""
    same = [name for name in names if generation(name)[0] == resource]
    return max(same, key=lambda name: generation(name)[1], default=resource)


def split(payload: Payload, cuts: Iterable[int]) -> list[Payload]:
    """Cut a payload at positions inside it, each piece a payload of its own.

    Where the payload has one byte per position it is cut by bytes; a JSON array by the sequences of its
    elements (one without goes with the element before it).
    """
    inside = sorted({cut for cut in cuts if payload.start < cut < payload.end})
    if not inside:
        return [payload]
    edges = [payload.start, *inside, payload.end]
    if len(payload.data) == payload.end - payload.start:
        return [
            replace(
                payload, start=low, end=high, data=payload.data[low - payload.start : high - payload.start]
            )
            for low, high in pairwise(edges)
        ]
    parts: list[list[bytes]] = [[] for _ in edges[1:]]
    at = 0
    try:
        elements = [bytes(element) for element in _ELEMENTS.decode(payload.data)]
    except (msgspec.DecodeError, UnicodeDecodeError):
        # it is one record as a whole, and stands where it begins
        return [payload]
    for element in elements:
        sequence = _sequence(element)
        if sequence is not None:
            at = next((number for number, high in enumerate(edges[1:]) if sequence < high), len(parts) - 1)
        parts[at].append(element)
    return [
        replace(payload, start=low, end=high, data=b"[" + b",".join(part) + b"]")
        for low, high, part in zip(edges, edges[1:], parts, strict=False)
    ]


def notices(batch: Sequence[Emission]) -> list[Notice]:
    """Return what a source noticed, its progress left out."""
    return [each for each in batch if isinstance(each, Notice) and each.kind != "progress"]


def _sequence(element: bytes) -> int | None:
    try:
        return _SEQUENCE.decode(element).sequence
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
