"""Counts, newest pings and rejects, derived from the raw inputs alone.

Columnar like the flow itself: payloads are decoded together by the job's own schema, judged by its rules
at once, and reduced to the newest ping per vehicle.
"""

from __future__ import annotations

import hashlib
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from fleetflow.audit import bounded
from fleetflow.audit.continuity import SCATTERED
from fleetflow.contracts.payload import Payload, Reject
from fleetflow.contracts.payload import Place as RecordPlace
from fleetflow.contracts.rule import Rule
from fleetflow.contracts.schema import PingSchema
from fleetflow.contracts.source import Source
from fleetflow.dataflow.conflation import newest
from fleetflow.dataflow.shaping import Shaped, Validator, decode
from fleetflow.quarantine.store import Quarantined

Place = tuple[str, str, str, int, int]
"""Source, partition, resource, start and end."""
COMPACT_ROWS = 200_000


def key_of(place: RecordPlace | Quarantined) -> Place:
    """Return what tells a place from all others."""
    return place.source, place.partition, place.resource, place.start, place.end


def digest_of(place: RecordPlace | Quarantined) -> bytes:
    """Return a digest of the raw bytes of a place."""
    return hashlib.blake2b(place.raw, digest_size=8).digest()


@dataclass
class Bound:
    """How far a resource counts: `must` by the job's position (None: all of it), `counted` by its ledger."""

    must: int | None = None
    counted: int | None = None


@dataclass
class Read:
    """What was read again of one resource; `digest` is that at the ledger's end, None when unknown."""

    start: int
    end: int
    records: int = 0
    digest: int | None = None
    crc: int = 0
    is_crc: bool = True


@dataclass
class Derived:
    """Everything that was derived of one partition, or of all when added up."""

    reads: dict[tuple[str, str, str], Read] = field(default_factory=dict)
    rejects: dict[Place, bytes] = field(default_factory=dict)
    frames: list[pl.DataFrame] = field(default_factory=list)
    pings: dict[str, int] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def newest(self) -> pl.DataFrame | None:
        """Return the newest ping per vehicle, None when there is none."""
        return newest(pl.concat(self.frames)) if self.frames else None

    def add(self, other: Derived) -> None:
        """Take what was derived of another partition."""
        self.reads |= other.reads
        self.rejects |= other.rejects
        self.frames += other.frames
        self.notices += other.notices
        for source, count in other.pings.items():
            self.pings[source] = self.pings.get(source, 0) + count
        self.compact()

    def compact(self) -> None:
        """Forget what is superseded, once there is much of it."""
        if sum(frame.height for frame in self.frames) > COMPACT_ROWS and len(self.frames) > 1:
            self.frames = [newest(pl.concat(self.frames))]


class Deriver:
    """Decodes and judges payloads as the flow would.

    `quarantined` has, per place, when it was quarantined: a rule may depend on the time (a ping from the
    future), and is then asked again with the time of then. `judged` are places that a judge has turned down,
    with a digest of their raw bytes: what a vehicle had done before cannot be asked again, so these are
    rejects if the bytes are still there.
    """

    def __init__(
        self,
        schema: PingSchema,
        rules: Sequence[Rule],
        quarantined: Mapping[Place, float],
        judged: Mapping[Place, bytes] | None = None,
    ) -> None:
        self._schema, self._rules = schema, list(rules)
        self._validate = Validator(rules)
        self._then: dict[tuple[str, str], dict[int, float]] = {}
        for (source, _, resource, start, _), at in quarantined.items():
            self._then.setdefault((source, resource), {})[start] = at
        self._judged = dict(judged or {})

    def partition(
        self, source: Source, name: str, bounds: Mapping[str, Bound], skip_last: int = 0
    ) -> Derived:
        """Read a partition from its beginning; `skip_last` payloads at its end were not read by the job."""
        derived = Derived()
        names = list(bounds)
        held: list[Payload] = []
        for batch in bounded.drain(source, name, None):
            derived.notices += [f"{name}: {notice.message}" for notice in bounded.notices(batch)]
            held += [each for each in batch if isinstance(each, Payload)]
            many = max(0, len(held) - skip_last)
            ready, held = held[:many], held[many:]
            together: list[Payload] = []
            for payload in ready:
                known = bounded.known_as(payload.resource, names) if source.name not in SCATTERED else ""
                one = replace(payload, resource=known or payload.resource)
                if self._take(derived, one, bounds.get(one.resource, Bound(0, 0) if known else Bound())):
                    if (one.source, one.resource) in self._then:
                        self._decode(derived, [one])
                    else:
                        together.append(one)
            self._decode(derived, together)
            derived.compact()
        return derived

    def _take(self, derived: Derived, payload: Payload, bound: Bound) -> bool:
        """Note a payload; returns whether it is wholly below its bounds, and can be decoded with others."""
        key = (payload.source, payload.partition, payload.resource)
        read = derived.reads.setdefault(key, Read(payload.start, payload.start))
        read.end = max(read.end, payload.end)
        must = payload.end if bound.must is None else bound.must
        counted = payload.end if bound.counted is None else bound.counted
        pieces = bounded.split(payload, (must, counted))
        for piece in pieces:
            if len(piece.data) == piece.end - piece.start:
                read.crc = zlib.crc32(piece.data, read.crc)
                if piece.end == counted:
                    read.digest = read.crc
            else:
                read.is_crc = False
                if piece.end == counted == payload.end and len(pieces) == 1:
                    read.digest = payload.digest
        if read.is_crc and read.crc != payload.digest:
            # this source's digests are something else, or it was not read from its beginning
            read.is_crc, read.digest = False, payload.digest if payload.end == counted else None
        if payload.end <= min(must, counted):
            return True
        for piece in pieces:
            if piece.start < max(must, counted):
                self._decode(derived, [piece], piece.start < must, piece.start < counted)
        return False

    def _decode(
        self, derived: Derived, payloads: Sequence[Payload], must: bool = True, counted: bool = True
    ) -> None:
        if not payloads:
            return
        for shaped in decode(self._schema, payloads):
            judged = self._validate(shaped)
            if counted:
                for span in shaped.spans:
                    derived.reads[(span.source, span.partition, span.resource)].records += span.records
            if must:
                self._settle(derived, judged, payloads)

    def _settle(self, derived: Derived, shaped: Shaped, payloads: Sequence[Payload]) -> None:
        pings = shaped.decoded.pings
        rejects = list(shaped.decoded.rejects)
        then = self._then.get((shaped.source, payloads[0].resource)) if len(payloads) == 1 else None
        if then:
            pings, more = self._judge_again(pings, payloads[0], then)
            rejects += more
        for reject in rejects:
            derived.rejects[key_of(reject.place)] = digest_of(reject.place)
        derived.pings[shaped.source] = derived.pings.get(shaped.source, 0) + pings.height
        if pings.height:
            derived.frames.append(newest(pings.with_columns(pl.lit(shaped.source).alias("source"))))

    def _judge_again(
        self, pings: pl.DataFrame, payload: Payload, then: Mapping[int, float]
    ) -> tuple[pl.DataFrame, list[Reject]]:
        """Reject the pings that were rejected at the time, and still would be at that time, or by a judge."""
        moments = {start: at for start, at in then.items() if payload.start <= start < payload.end}
        rows = pings["sequence"].is_in(list(moments)).arg_true().to_list()
        if not rows:
            return pings, []
        whole = self._schema.decode([payload])
        sequences = pings["sequence"]
        broken: list[int] = []
        rejects = []
        for row in rows:
            one = pings[row : row + 1]
            now = moments[int(sequences[row])]
            places = whole.locate((whole.pings["sequence"] == sequences[row]).arg_true().to_list())
            broken_rules = (
                rule for rule in self._rules if not one.select(rule.expression(now).fill_null(False)).item()
            )
            rule = next(broken_rules, None)
            if rule is not None:
                name, reason = rule.name, rule.reason
            elif places and all(self._judged.get(key_of(place)) == digest_of(place) for place in places):
                name, reason = "judged", "turned down by what the vehicle had done before"
            else:
                continue
            broken.append(row)
            rejects += [Reject(place, name, reason, time.time()) for place in places]
        return pings.filter(~pl.Series(range(pings.height)).is_in(broken)), rejects
