"""Codes that appear on a vehicle, and codes that appear again and again: the rule itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

VERSION = 1
Moment = tuple[float, int]
"""Time and sequence of a ping: what makes one later than another."""
Memory = tuple[float, int, tuple[str, ...], Mapping[str, tuple[float, ...]]]
"""Of one vehicle: time and sequence of its latest ping, its codes, and per code when it appeared."""


@dataclass(frozen=True, slots=True)
class Appeared:
    """A code that a vehicle's ping before did not have; `row` is the ping's row in the batch.

    `repeated` holds the times of the appearances when this one makes them too many, and is empty otherwise.
    """

    vin: str
    code: str
    time: float
    row: int
    repeated: tuple[float, ...] = ()


class Faults:
    """What is remembered of the vehicles of one shard that ever had a code.

    Of each vehicle, pings are looked at in order of arrival; one that is not later, by (time, sequence), than
    all before it is passed over. The first ping with a code begins a vehicle's memory. A code appears when
    the ping before, of those not passed over, does not have it. When a code appears for the `count`-th time
    within `window_s`, it is repeated, and counting begins anew.
    """

    def __init__(self, count: int, window_s: float, state: Mapping[str, Any] | None = None) -> None:
        self._count = count
        self._window_s = window_s
        self._vehicles: dict[str, Memory] = dict((state or {}).get("vehicles", {}))

    def snapshot(self) -> dict[str, Any]:
        """Return the state as plain data."""
        return {"v": VERSION, "vehicles": dict(self._vehicles)}

    def take(self, pings: pl.DataFrame, vins: Sequence[str]) -> Iterator[Appeared]:
        """Look at a batch; `vins` are its vehicles, each once. Yields what appeared, vehicle by vehicle."""
        with_codes = pings["obd_codes"].list.len().fill_null(0) > 0
        concerned = set(pings["vin"].filter(with_codes).unique().to_list()) if with_codes.any() else set()
        if self._vehicles:
            concerned.update(vin for vin in vins if vin in self._vehicles)
        if not concerned:
            return
        rows = pings.select(
            "vin", "time", "sequence", "obd_codes", row=pl.int_range(pl.len(), dtype=pl.Int64)
        )
        if len(concerned) < len(vins):
            rows = rows.filter(pl.col("vin").is_in(list(concerned)))
        rows = (
            rows.with_columns(text=pl.col("obd_codes").list.join(" ", ignore_nulls=True).fill_null(""))
            .drop("obd_codes")
            .group_by("vin", maintain_order=True)
            .agg(pl.all())
            .explode("time", "sequence", "row", "text")
        )
        # a run: pings of one vehicle, each later than the one before, with the same codes
        time, sequence = pl.col("time"), pl.col("sequence")
        begins = rows.select(
            (pl.col("vin") != pl.col("vin").shift())
            | (pl.col("text") != pl.col("text").shift())
            | (time < time.shift())
            | ((time == time.shift()) & (sequence <= sequence.shift()))
        ).to_series()
        starts = begins.fill_null(True).arg_true()
        ends = [*(starts - 1).to_list()[1:], rows.height - 1]
        last = rows[ends].select("time", "sequence").rows()
        firsts = rows[starts.to_list()].select("vin", "text", "time", "sequence", "row").rows()
        for index, (vin, text, at, number, row) in enumerate(firsts):
            memory = self._vehicles.get(vin)
            begin: tuple[float, int, int] = (at, number, row)
            if memory is None:
                if not text:
                    continue
            elif last[index] <= memory[:2]:
                continue
            elif (at, number) <= memory[:2]:
                begin = _first_after(rows, starts[index], ends[index], memory[:2])
            yield from self._ping(vin, tuple(text.split()), begin, last[index], memory)

    def _ping(
        self,
        vin: str,
        codes: tuple[str, ...],
        begin: tuple[float, int, int],
        latest: Moment,
        memory: Memory | None,
    ) -> Iterator[Appeared]:
        before, times = (memory[2], dict(memory[3])) if memory else ((), {})
        time, _, row = begin
        for code in dict.fromkeys(codes):
            if code in before:
                continue
            seen = tuple(at for at in times.get(code, ()) if at > time - self._window_s)
            times[code] = (*seen, time)
            repeated: tuple[float, ...] = ()
            if len(times[code]) >= self._count:
                repeated = times.pop(code)
            yield Appeared(vin, code, time, row, repeated)
        recent = {code: at for code, at in times.items() if at[-1] > time - self._window_s}
        self._vehicles[vin] = (*latest, codes, recent)


def _first_after(rows: pl.DataFrame, start: int, end: int, moment: Moment) -> tuple[float, int, int]:
    """Return time, sequence and row of the first ping of a run that is later than `moment`."""
    run = rows[start : end + 1].select("time", "sequence", "row").rows()
    return next((time, sequence, row) for time, sequence, row in run if (time, sequence) > moment)
