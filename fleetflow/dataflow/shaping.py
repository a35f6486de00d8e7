"""Payloads to pings and rejects: decoded, judged by the rules, split by shard. Knows no Bytewax."""

from __future__ import annotations

import functools
import operator
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import polars as pl

from fleetflow.contracts.payload import Notice, Payload, Reject, Span
from fleetflow.contracts.rule import Rule
from fleetflow.contracts.schema import Decoded, PingSchema
from fleetflow.contracts.sink import Counts, ShardBatch
from fleetflow.contracts.source import Emission
from fleetflow.dataflow.conflation import newest, unfollowed
from fleetflow.dataflow.places import Lookup
from fleetflow.dataflow.routing import shard_key
from fleetflow.dataflow.sharding import shard_of, shards_of
from fleetflow.frames import kept, taken
from fleetflow.native.vehicles import runs, sort_out

EXTRA_COLUMNS = {"source": pl.String(), "received_at": pl.Float64()}
"""What the core adds to the columns of the schema."""

ROW = "_row"

HANDFUL = 64
"""Up to so many pings are judged one by one."""

FEW = 512
"""Up to so many pings are sorted by shard in Python: with columns it takes longer to begin than to do."""

FEW_RUNS = 64
"""Pings of one vehicle that stand together on average, from which on cutting is cheaper than sorting out."""

DECODE_BYTES = 32 << 20
"""Payload bytes that are decoded as one table. Smaller ones would be conflated less before they travel,
and what a batch costs each detector would be shared by fewer pings; larger ones take more memory."""

BACKLOG_BYTES = 8 << 20
"""A source that hands out so much at once has more."""


@dataclass(frozen=True, slots=True)
class Shaped:
    """Some payloads of one source on their way to the shards; does not leave the worker that made it."""

    source: str
    decoded: Decoded
    spans: tuple[Span, ...]
    notices: tuple[Notice, ...]
    received_at: float
    backlog: bool = False


class _Home(NamedTuple):
    """What the shard of a partition is told beside pings."""

    rejects: list[Reject]
    spans: list[Span]
    notices: list[Notice]


def decode(schema: PingSchema, emissions: Sequence[Emission]) -> Iterable[Shaped]:
    """Decode what one source emitted at once, in parts of about `DECODE_BYTES`."""
    payloads = [emission for emission in emissions if isinstance(emission, Payload)]
    notices = tuple(emission for emission in emissions if isinstance(emission, Notice))
    if notices and not payloads:
        nothing = Decoded(pl.DataFrame(schema=dict(schema.columns)), (), (), lambda rows: ())
        yield Shaped(notices[0].source, nothing, (), notices, notices[0].time)
    for part in _parts_of(payloads):
        decoded = schema.decode(part)
        spans = tuple(
            Span(p.source, p.partition, p.resource, p.start, p.end, records, p.digest)
            for p, records in zip(part, decoded.records, strict=True)
        )
        backlog = sum(len(p.data) for p in part) > BACKLOG_BYTES
        yield Shaped(part[0].source, decoded, spans, notices, min(p.received_at for p in part), backlog)
        notices = ()


def _parts_of(payloads: Sequence[Payload]) -> Iterable[Sequence[Payload]]:
    first, size = 0, 0
    for index, payload in enumerate(payloads):
        if size and size + len(payload.data) > DECODE_BYTES:
            yield payloads[first:index]
            first, size = index, 0
        size += len(payload.data)
    if first < len(payloads):
        yield payloads[first:]


class Validator:
    """Judges pings by all rules at once; a ping is rejected by the first rule that it breaks."""

    def __init__(self, rules: Sequence[Rule], clock: Callable[[], float] = time.time) -> None:
        self._rules = list(rules)
        self._clock = clock
        self._holds = [rule.holds for rule in self._rules if rule.holds]

    def __call__(self, shaped: Shaped) -> Shaped:
        """Return `shaped` with the pings that break a rule moved to its rejects."""
        pings = shaped.decoded.pings
        if not self._rules or not pings.height:
            return shaped
        now = self._clock()
        if self._all_hold(pings, now):
            return shaped
        doubted = [rule for rule in self._rules if not (rule.all_hold and rule.all_hold(pings, now))]
        if not doubted:
            return shaped
        # an expression may be the same for all pings, and is a column all the same
        verdicts = pings.with_columns(
            rule.expression(now).fill_null(False).alias(rule.name) for rule in doubted
        ).select(rule.name for rule in doubted)
        good = functools.reduce(operator.and_, verdicts.get_columns())
        if good.all():
            return shaped
        rows = good.not_().arg_true()
        # a ping is rejected by the first rule that it breaks
        broken = zip(*(verdict[rows].to_list() for verdict in verdicts.get_columns()), strict=True)
        rejects = [
            Reject(place, rule.name, rule.reason, shaped.received_at)
            for place, rule in zip(
                shaped.decoded.locate(rows.to_list()),
                (doubted[held.index(False)] for held in broken),
                strict=True,
            )
        ]
        decoded = Decoded(
            kept(pings, good),
            [*shaped.decoded.rejects, *rejects],
            shaped.decoded.records,
            lambda rows: shaped.decoded.locate(good.arg_true().gather(list(rows)).to_list()),
        )
        return replace(shaped, decoded=decoded)

    def _all_hold(self, pings: pl.DataFrame, now: float) -> bool:
        """Whether a handful of pings break no rule; of what is not known to be so the columns decide."""
        if pings.height > HANDFUL or len(self._holds) < len(self._rules):
            return False
        return all(holds(ping, now) for ping in pings.iter_rows(named=True) for holds in self._holds)


class Splitter:
    """Splits rows by shard.

    With `conflate` only the newest ping per vehicle is handed on, which is right when nobody downstream
    wants the others (conflation is associative); the rest is already counted as superseded here. What
    belongs to no vehicle (rejects, spans, notices) goes to the shard of its partition. With `places` the
    place of each ping travels with it.
    """

    def __init__(self, shards: int, conflate: bool, places: bool = False) -> None:
        self._shards = shards
        self._conflate = conflate
        self._places = places

    def __call__(self, shaped: Shaped) -> Iterable[tuple[str, ShardBatch]]:
        """Yield one item per shard that gets something."""
        decoded = shaped.decoded
        pings = decoded.pings.with_row_index(ROW) if self._places else decoded.pings
        parts = self._parts(pings)
        superseded = pings.height - sum(part.height for part in parts.values())
        homes = self._homes(shaped)
        if superseded and not homes:
            homes[shard_of(shaped.source, self._shards)] = _Home([], [], [])
        # counted wherever: they belong to a source
        counted = min(homes, default=-1)
        for shard in homes:
            parts.setdefault(shard, pings.clear())
        nobody = _Home([], [], [])
        for shard, rows in parts.items():
            part = _extended(rows.drop(ROW) if self._places else rows, shaped)
            rejects, spans, notices = homes.get(shard, nobody)
            lost = superseded if shard == counted else 0
            yield (
                shard_key(shard),
                ShardBatch(
                    pings=part,
                    rejects=tuple(rejects),
                    spans=tuple(spans),
                    notices=tuple(notices),
                    counts={shaped.source: Counts(read=part.height + len(rejects) + lost, superseded=lost)},
                    locate=Lookup(decoded.locate, rows[ROW]) if self._places else None,
                    backlog=shaped.backlog,
                ),
            )

    def _homes(self, shaped: Shaped) -> dict[int, _Home]:
        """Return what belongs to no vehicle, by the shard of its partition.

        Always the same one, whatever else is in the batch: shards are written at their own pace, and the
        ledger is to be told in order what was read of a file.
        """
        homes: dict[int, _Home] = {}
        shards: dict[str, int] = {}

        def home(partition: str) -> _Home:
            if partition not in shards:
                shards[partition] = shard_of(partition, self._shards)
            return homes.setdefault(shards[partition], _Home([], [], []))

        for reject in shaped.decoded.rejects:
            home(reject.place.partition).rejects.append(reject)
        for span in shaped.spans:
            home(span.partition).spans.append(span)
        for notice in shaped.notices:
            home(notice.partition).notices.append(notice)
        return homes

    def _parts(self, pings: pl.DataFrame) -> dict[int, pl.DataFrame]:
        if self._conflate and pings.height > FEW:
            found = sort_out(pings, self._shards, newest=True)
            if found is not None:
                return _sliced(taken(pings, found[0]), enumerate(found[1]))
            pings = unfollowed(pings)
        if pings.height <= FEW:
            few = newest(pings) if self._conflate else pings
            return self._sorted(few, [shard_of(vin, self._shards) for vin in few["vin"].to_list()])
        if not self._conflate:
            starts = runs(pings["vin"])
            if starts is None:
                starts = pings["vin"].ne_missing(pings["vin"].shift(1)).arg_true().to_numpy()
            if len(starts) * FEW_RUNS <= pings.height:
                return self._cut(pings, starts.tolist())
            found = sort_out(pings, self._shards, newest=False)
            if found is not None:
                return _sliced(taken(pings, found[0]), enumerate(found[1]))
        pings = newest(pings) if self._conflate else pings
        shards = shards_of(pings["vin"], self._shards).alias("_shard")
        if shards.n_unique() == 1:
            return {int(shards[0]): pings}
        keyed = pings.hstack([shards])
        parts = keyed.partition_by("_shard", include_key=False, as_dict=True, maintain_order=True)
        return {int(key[0]): part for key, part in parts.items()}

    def _sorted(self, pings: pl.DataFrame, shards: list[int]) -> dict[int, pl.DataFrame]:
        """Split a few pings: sorted by shard, each shard's are a slice."""
        counts = Counter(shards)
        if len(counts) > 1:
            # a sort that is stable: the pings of a shard stay in their order
            pings = pings[sorted(range(len(shards)), key=shards.__getitem__)]
        return _sliced(pings, sorted(counts.items()))

    def _cut(self, pings: pl.DataFrame, starts: list[int]) -> dict[int, pl.DataFrame]:
        """Split pings that stand together per vehicle, from each of `starts`: nothing is copied."""
        borders = sorted({0, *starts, pings.height})
        shards = shards_of(pings["vin"].gather(borders[:-1]), self._shards).to_list()
        cuts: dict[int, list[pl.DataFrame]] = {}
        for shard, start, end in zip(shards, borders[:-1], borders[1:], strict=True):
            cuts.setdefault(shard, []).append(pings.slice(start, end - start))
        return {
            shard: parts[0] if len(parts) == 1 else pl.concat(parts, rechunk=False)
            for shard, parts in cuts.items()
        }


def _extended(pings: pl.DataFrame, shaped: Shaped) -> pl.DataFrame:
    """Return pings with `EXTRA_COLUMNS`, which are the same for all of them."""
    return pings.hstack(
        [
            pl.Series(name, [value], EXTRA_COLUMNS[name]).new_from_index(0, pings.height)
            for name, value in (("source", shaped.source), ("received_at", shaped.received_at))
        ]
    )


def _sliced(pings: pl.DataFrame, counts: Iterable[tuple[int, int]]) -> dict[int, pl.DataFrame]:
    """Return slices of pings that are sorted by shard, by the number of pings of each; none is empty."""
    parts, start = {}, 0
    for shard, count in counts:
        if count:
            parts[shard] = pings.slice(start, count)
            start += count
    return parts
