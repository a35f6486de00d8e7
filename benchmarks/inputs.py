"""What the contestants read: directories of CSV files, made from a seed and kept for the next run.

The generator is the benchmarks' own: it must not change with what it measures, and makes ten million
lines in seconds. Lines are `vin,latitude,longitude,time`, as docs/reference/formats.md describes alpha, with
engine codes as a fifth column if asked for. Vehicles drive (see `movement`). Within a vehicle times rise
strictly, so that every engine must find the same latest record.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.movement import Drivers

FORMAT = 4
"""Raised when the generator changes, so that what an older one made is not used."""

EPOCH = 1_750_000_000.0
STEP_S = 30.0
"""A vehicle's pings are about this far apart."""

BLOCK = 4_000_000
"""Rows that are made at once."""

BAD_LINES = (
    "not,a,ping,at all",
    "",
    "5FL00000000000001,91.5,10.0,1750000000.5",
    "5FL00000000000001,48.1,11.5",
    "5FL00000000000001,0,0,1750000000.5",
    ",48.1,11.5,1750000000.5",
    "5FL00000000000001,48.1,nan,1750000000.5",
    "5FL00000000000001,48.1,11.5,99999999999",
)
"""Lines of which none is a valid ping, each for another reason."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What to make.

    `order` is `vehicle` (each vehicle's lines are together, in one file; a file may hold several
    vehicles) or `time` (all vehicles report in turn, in an order that changes, and line i goes to file
    i modulo `files`: every vehicle is in every file, so that little can be conflated). `bad` is the
    share of lines that are added and are not valid. With `codes` each line has a fifth column: engine codes,
    empty in nearly all of them.
    """

    pings: int
    vehicles: int
    files: int
    order: str = "vehicle"
    bad: float = 0.0
    seed: int = 1
    codes: bool = False

    @property
    def name(self) -> str:
        """A name for a folder."""
        bad = f"-bad{self.bad:g}" if self.bad else ""
        codes = "-codes" if self.codes else ""
        return f"{self.order}-{self.pings}p-{self.vehicles}v-{self.files}f{bad}{codes}-{self.seed}"


@dataclass(frozen=True, slots=True)
class Input:
    """A directory of CSV files; `bad_lines` of its lines are no pings."""

    shape: Shape
    directory: Path
    bad_lines: int
    bytes: int

    @property
    def pings(self) -> int:
        """The valid pings in it."""
        return self.shape.pings

    @property
    def answer(self) -> Path:
        """Where the independent answer is kept (see `answers`)."""
        return self.directory.parent / "answer.parquet"

    @property
    def clean(self) -> Path:
        """The same pings in one file, without the bad lines; only there when there are bad lines."""
        return self.directory.parent / "clean.csv"


def vin(number: int) -> str:
    """Return the VIN of a vehicle: 17 characters."""
    return f"5FL{number:014d}"


def make(shape: Shape, work: Path) -> Input:
    """Return the input of `shape` under `work`, made now unless it is there."""
    folder = work / "inputs" / shape.name
    note = folder / "shape.json"
    wanted = {"format": FORMAT, **asdict(shape)}
    if note.is_file():
        found = json.loads(note.read_text("utf-8"))
        if found["shape"] == wanted:
            return Input(shape, folder / "alpha", found["bad_lines"], found["bytes"])
    shutil.rmtree(folder, ignore_errors=True)
    directory = folder / "alpha"
    directory.mkdir(parents=True)
    result = Input(shape, directory, 0, 0)
    bad_lines = 0
    if shape.pings:
        bad_lines = _by_vehicle(result) if shape.order == "vehicle" else _by_time(result)
    size = sum(file.stat().st_size for file in directory.iterdir())
    # written last: an input that was not finished is made again
    note.write_text(json.dumps({"shape": wanted, "bad_lines": bad_lines, "bytes": size}), "utf-8")
    return Input(shape, directory, bad_lines, size)


def header_copy(given: Input) -> Path:
    """Return a directory with the same files, each with a header, for engines that cannot do without."""
    target = given.directory.parent / "with-header"
    if not target.is_dir():
        making = given.directory.parent / "with-header.part"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir()
        for file in sorted(given.directory.iterdir()):
            (making / file.name).write_bytes(b"vin,latitude,longitude,time\n" + file.read_bytes())
        making.rename(target)
    return target


def warm(directory: Path) -> None:
    """Read all files once, so that every contestant finds them in the page cache."""
    for file in directory.iterdir():
        with file.open("rb") as stream:
            while stream.read(1 << 22):
                pass


def _by_vehicle(given: Input) -> int:
    shape = given.shape
    rng = np.random.default_rng(shape.seed)
    drivers = Drivers.of(shape.vehicles, shape.seed)
    share = np.full(shape.vehicles, shape.pings // shape.vehicles)
    share[: shape.pings % shape.vehicles] += 1
    per_file = -(-shape.vehicles // shape.files)
    bad_lines = 0
    files_at_once = max(1, BLOCK * shape.vehicles // shape.pings // per_file)
    for first in range(0, shape.vehicles, per_file * files_at_once):
        numbers = np.arange(first, min(first + per_file * files_at_once, shape.vehicles))
        counts = share[numbers]
        starts = np.repeat(np.cumsum(counts) - counts, counts)
        ticks = np.arange(counts.sum()) - starts
        block = _block(rng, drivers, np.repeat(numbers, counts), ticks, shape.codes)
        lengths = [int(counts[k : k + per_file].sum()) for k in range(0, len(numbers), per_file)]
        row = 0
        for index, length in enumerate(lengths):
            file = given.directory / f"{vin(first + index * per_file)}.csv"
            bad_lines += _write(given, file, block[row : row + length], rng)
            row += length
    return bad_lines


def _by_time(given: Input) -> int:
    shape = given.shape
    rng = np.random.default_rng(shape.seed)
    drivers = Drivers.of(shape.vehicles, shape.seed)
    bad_lines = 0
    files = [given.directory / f"feed-{number}.csv" for number in range(shape.files)]
    ticks = -(-shape.pings // shape.vehicles)
    at_once = max(1, BLOCK // shape.vehicles)
    done = 0
    for first in range(0, ticks, at_once):
        orders = [rng.permutation(shape.vehicles) for _ in range(first, min(first + at_once, ticks))]
        numbers = np.concatenate(orders)[: shape.pings - done]
        tick = np.repeat(np.arange(first, first + len(orders)), shape.vehicles)[: len(numbers)]
        block = _block(rng, drivers, numbers, tick, shape.codes)
        line = done + np.arange(len(numbers))
        for index, file in enumerate(files):
            bad_lines += _write(given, file, block.filter(pl.Series(line % shape.files == index)), rng)
        done += len(numbers)
    return bad_lines


def _block(
    rng: np.random.Generator, drivers: Drivers, numbers: np.ndarray, ticks: np.ndarray, codes: bool
) -> pl.DataFrame:
    # less than a step of noise: times of one vehicle rise strictly
    elapsed_s = np.round(ticks * STEP_S + rng.random(len(numbers)) * (STEP_S - 1), 3)
    latitude, longitude = drivers.at(numbers, elapsed_s)
    block = pl.DataFrame(
        {
            "vin": pl.Series(numbers).cast(pl.String).str.zfill(14),
            "latitude": np.round(latitude, 7),
            "longitude": np.round(longitude, 7),
            "time": np.round(EPOCH + elapsed_s, 3),
        }
    ).with_columns(vin="5FL" + pl.col("vin"))
    return block.with_columns(obd_codes=_codes(numbers, ticks)) if codes else block


def _codes(numbers: np.ndarray, ticks: np.ndarray) -> pl.Series:
    """Return engine codes: a twentieth of the vehicles has faults that come and go, some crash, once."""
    fault = (numbers % 20 == 3) & (ticks // 100 % 5 == 2)
    worse = fault & (numbers % 40 == 3)
    crash = (numbers % 200 == 11) & (ticks >= 600) & (ticks < 610)
    kind = fault * 1 + worse * 1 + crash * 3
    return pl.Series(kind).replace_strict(
        [0, 1, 2, 3], [None, "P0171", "P0171 P0300", "B0001"], return_dtype=pl.String
    )


def _write(given: Input, file: Path, rows: pl.DataFrame, rng: np.random.Generator) -> int:
    text = rows.write_csv(include_header=False).encode()
    bad = 0
    if given.shape.bad:
        with given.clean.open("ab") as clean:
            clean.write(text)
        lines = text.splitlines(keepends=True)
        bad = max(1, round(len(lines) * given.shape.bad))
        kinds = rng.integers(len(BAD_LINES), size=bad)
        # from the end, so that the places that follow stay right
        for place, kind in zip(sorted(rng.integers(len(lines), size=bad))[::-1], kinds, strict=True):
            lines.insert(int(place), BAD_LINES[kind].encode() + b"\n")
        text = b"".join(lines)
    with file.open("ab") as stream:
        stream.write(text)
    return bad


def lines_of(directory: Path) -> Iterator[str]:
    """Yield all lines of a small input, for tests."""
    for file in sorted(directory.iterdir()):
        yield from file.read_text("utf-8").splitlines()
