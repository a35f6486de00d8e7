"""Writes a fleet's pings as the files that source alpha reads."""

from __future__ import annotations

import itertools
import logging
import os
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from fleetflow_simulate.fleet import Fleet, Ping, Track
from fleetflow_simulate.misbehave import Misbehaviour

log = logging.getLogger(__name__)


def encode(ping: Ping, codes: bool = True) -> bytes:
    """Return a ping as a CSV line."""
    line = f"{ping.vin},{ping.latitude:.7f},{ping.longitude:.7f},{ping.time:.3f}"
    if codes and ping.obd_codes:
        line += "," + " ".join(ping.obd_codes)
    return line.encode() + b"\n"


def garble(line: bytes) -> bytes:
    """Return a line with a word where a number should be."""
    return line.replace(b",", b",not-a-number,", 1)


class AlphaWriter:
    """Appends to one file per vehicle, or to `files` files in order of time.

    A file gets whole lines in one write each; with `partial` a share of the writes stops in the middle of
    a line, which the next write goes on with. A half line that a killed run left behind is ended first.
    `stopped` is asked between vehicles, so that a long stretch can be left at once.
    """

    def __init__(
        self,
        folder: Path,
        fleet: Fleet,
        seed: int,
        misbehaviour: Misbehaviour,
        codes: bool = True,
        files: int = 0,
        partial: float = 0.0,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._fleet = fleet
        self._seed = seed
        self._misbehaviour = misbehaviour
        self._codes = codes
        self._files = files
        self._partial = partial
        self._stopped = stopped
        self._rest: defaultdict[str, bytes] = defaultdict(bytes)
        self._touched: set[str] = set()
        self._numbers = {truck.vin: number for number, truck in enumerate(fleet.trucks)}
        self.written = 0

    def write(self, since: float, until: float) -> None:
        """Append the pings of a stretch (seconds after the fleet's start)."""
        if not self._misbehaviour.any:
            if self._files:
                self._write_in_order(since, until)
            else:
                self._write_by_vehicle(since, until)
            return
        parts: defaultdict[str, list[bytes]] = defaultdict(list)
        pings = self._fleet.pings(since, until) if self._files else self._by_vehicle(since, until)
        for ping, line in self._misbehaviour.spoil(pings, self._seed, self._encode, garble):
            if self._stopped():
                return
            parts[self._name(ping.vin)].append(line)
        for name, encoded in parts.items():
            self._append(name, b"".join(encoded))
            self.written += len(encoded)

    def finish(self) -> None:
        """Write what was held back of half-written lines."""
        for name in list(self._rest):
            self._write(name, self._rest.pop(name))

    def _write_by_vehicle(self, since: float, until: float) -> None:
        for track in self._fleet.tracks(since, until):
            if self._stopped():
                return
            self._append(f"{track.vin}.csv", "".join(self._lines(track)).encode())
            self.written += len(track.time)

    def _write_in_order(self, since: float, until: float) -> None:
        lines: defaultdict[str, list[str]] = defaultdict(list)
        times: defaultdict[str, list[float]] = defaultdict(list)
        for track in self._fleet.tracks(since, until):
            if self._stopped():
                return
            name = self._name(track.vin)
            lines[name] += self._lines(track)
            times[name] += track.time.tolist()
        for name, unordered in lines.items():
            order = np.argsort(np.array(times[name]), kind="stable").tolist()
            self._append(name, "".join([unordered[number] for number in order]).encode())
            self.written += len(order)

    def _by_vehicle(self, since: float, until: float) -> Iterable[Ping]:
        return itertools.chain.from_iterable(track.pings() for track in self._fleet.tracks(since, until))

    def _name(self, vin: str) -> str:
        return f"shard-{self._numbers[vin] % self._files:02d}.csv" if self._files else f"{vin}.csv"

    def _encode(self, ping: Ping) -> bytes:
        return encode(ping, self._codes)

    def _lines(self, track: Track) -> list[str]:
        rows = zip(track.latitude.tolist(), track.longitude.tolist(), track.time.tolist(), strict=True)
        vin = track.vin
        if not self._codes or not any(track.obd_codes):
            return [f"{vin},{a:.7f},{b:.7f},{t:.3f}\n" for a, b, t in rows]
        return [encode(ping, self._codes).decode() for ping in track.pings()]

    def _append(self, name: str, data: bytes) -> None:
        data = self._rest.pop(name, b"") + data
        # by chance a write stops in the middle of its last line
        if self._partial and (hash_of(name, self.written, self._seed) % 1000) < self._partial * 1000:
            cut = data.rfind(b"\n", 0, len(data) - 1) + 1 + 7
            if cut < len(data):
                data, self._rest[name] = data[:cut], data[cut:]
        self._write(name, data)

    def _write(self, name: str, data: bytes) -> None:
        path = self._folder / name
        if name not in self._touched:
            self._touched.add(name)
            if _ends_in_half_a_line(path):
                data = b"\n" + data
        # unbuffered and in one piece: a reader sees all of it or nothing
        with path.open("ab", buffering=0) as file:
            file.write(data)


def _ends_in_half_a_line(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            if not file.seek(0, os.SEEK_END):
                return False
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except FileNotFoundError:
        return False


def hash_of(*parts: object) -> int:
    """Return a number that is the same in every process."""
    return zlib.crc32(repr(parts).encode())
