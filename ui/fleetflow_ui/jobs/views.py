"""What is known of one job, read from its own files and stores."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fleetflow.contracts.sink import Counts
from fleetflow.errors import FleetflowError
from fleetflow.jobs.model import ALIVE, Job
from fleetflow.ledger.reader import Ledger
from fleetflow.quarantine.store import QuarantineReader
from fleetflow.savepoints import store

PLAIN = "fleetflow run"
"""What stands for the job of `fleetflow run`, which has no name and no folder."""
RESTART = re.compile(r"^(\S+)\s+INFO\s+fleetflow\.jobs: (.*); failures in a row: (\d+)$")
LOG_BYTES, LOG_LINES = 200_000, 60
MOST = 100
"""Positions and notices that are shown at most; the command line has all."""


@dataclass(frozen=True, slots=True)
class SourceView:
    """One source's account. Rates are per second, None until two looks were made."""

    counts: Counts
    behind: int
    unit: str
    lag_s: float | None
    rate: float | None = None
    settled: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobView:
    """One job as a line of the table shows it. Times are seconds since 1970."""

    name: str
    state: str
    since: float | None = None
    reading_since: float | None = None
    healthy: bool = False
    reason: str = ""
    restarts: int = 0
    workers: int = 0
    processes: int = 1
    pids: tuple[int, ...] = ()
    release: int = 0
    started_from: str = ""
    description: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, SourceView] = field(default_factory=dict)
    snapshot_at: float | None = None
    snapshot_bytes: int = 0
    snapshot_s: int = 0
    epoch: int = 0
    ledger: Path | None = None
    quarantine: Path | None = None
    folder: Path | None = None
    problem: str = ""
    hint: str = ""

    @property
    def alive(self) -> bool:
        """Whether its processes run."""
        return self.state in ALIVE

    @property
    def rate(self) -> float | None:
        """Pings per second of all sources."""
        rates = [source.rate for source in self.sources.values() if source.rate is not None]
        return sum(rates) if rates else None

    @property
    def lag_s(self) -> float | None:
        """How old the newest ping is."""
        lags = [source.lag_s for source in self.sources.values() if source.lag_s is not None]
        return min(lags) if lags else None

    @property
    def rejects(self) -> int:
        """Records in quarantine."""
        return sum(source.counts.quarantined for source in self.sources.values())


@dataclass(frozen=True, slots=True)
class Certificate:
    """What an audit or upgrade certified, in words."""

    name: str
    kind: str
    time: float
    verdict: str
    text: str


@dataclass(frozen=True, slots=True)
class JobDetail:
    """What is read of the selected job only."""

    restarts: Sequence[tuple[str, str]] = ()
    log: Sequence[str] = ()
    rejects: Mapping[str, int] = field(default_factory=dict)
    positions: Sequence[tuple[str, str, str, int, int, int]] = ()
    resources: int = 0
    notices: Sequence[tuple[float, str, str, str]] = ()
    certificates: Sequence[Certificate] = ()
    problem: str = ""


def view(job: Job) -> JobView:
    """Return what is known of a job; what cannot be read is said in `problem`."""
    try:
        spec = job.read()
        truth = job.truth()
    except FleetflowError as error:
        return JobView(job.name, "unreadable", problem=error.message, hint=error.hint, folder=job.folder)
    settings = spec.description.get("configuration", {})
    at, size = snapshot_of(job.store)
    reached = store.progress_of(job.store)
    alive = truth["state"] in ALIVE
    return with_account(
        JobView(
            name=job.name,
            state=truth["state"],
            since=truth.get("since"),
            reading_since=truth.get("reading_since") if alive else None,
            healthy=bool(truth.get("healthy")),
            reason=str(truth.get("reason") or ""),
            restarts=int(truth.get("restarts") or 0),
            workers=spec.workers,
            processes=spec.processes,
            pids=tuple(int(each["pid"]) for each in truth.get("processes", ())) if alive else (),
            release=spec.release,
            started_from=str(getattr(spec, "started_from", "")),
            description=spec.description,
            snapshot_at=at,
            snapshot_bytes=size,
            snapshot_s=spec.snapshot_s,
            epoch=reached.epoch if reached else 0,
            ledger=folder_in(spec.home, settings, "ledger"),
            quarantine=folder_in(spec.home, settings, "quarantine"),
            folder=job.folder,
        )
    )


def folder_in(home: str, settings: Mapping[str, Any], table: str) -> Path | None:
    """Return the folder of a store by the settings of the job itself, None when it has no such store."""
    name = settings.get(table, {}).get("dir")
    return Path(home) / Path(str(name)).expanduser() if name else None


def snapshot_of(folder: Path) -> tuple[float | None, int]:
    """Return when a recovery store was last written and its size in bytes."""
    try:
        found = [path.stat() for path in folder.glob(f"{store.FILE}*") if not path.name.endswith("-shm")]
    except OSError:
        return None, 0
    return (max(stat.st_mtime for stat in found), sum(stat.st_size for stat in found)) if found else (None, 0)


def with_account(shown: JobView) -> JobView:
    """Add the account of each source."""
    if shown.ledger is None:
        return shown
    ledger = Ledger(shown.ledger)
    now = time.time()
    try:
        counts, newest, progress = ledger.counts(), ledger.newest(), ledger.progress()
    except FleetflowError as error:
        return replace(shown, problem=error.message, hint=error.hint)
    finally:
        ledger.close()
    sources = {}
    for name in sorted({*counts, *progress}):
        parts = [part for part in progress.get(name, {}).values() if "behind" in part]
        heard, _ = newest.get(name, (None, 0.0))
        sources[name] = SourceView(
            counts.get(name, Counts()),
            sum(int(part["behind"] or 0) for part in parts),
            str(parts[0].get("unit", "")) if parts else "",
            None if heard is None else now - heard,
        )
    return replace(shown, sources=sources)


def detail(shown: JobView) -> JobDetail:
    """Return what only the selected job's panel shows."""
    folder = shown.folder
    lines = tail(folder / "logs" / "job.log") if folder is not None else []
    restarts = [(m[1], m[2]) for m in (RESTART.match(line) for line in lines) if m]
    rejects: dict[str, int] = {}
    positions: list[tuple[str, str, str, int, int, int]] = []
    resources = 0
    notices: list[tuple[float, str, str, str]] = []
    problem = ""
    try:
        if shown.quarantine is not None:
            reader = QuarantineReader(shown.quarantine)
            rejects = reader.counts("rule")
            reader.close()
        if shown.ledger is not None:
            ledger = Ledger(shown.ledger)
            ranges = ledger.ranges()
            resources = len({(each.source, each.partition, each.resource) for each in ranges})
            positions = [
                (r.source, r.partition, r.resource, r.start, r.end, r.records) for r in ranges[:MOST]
            ]
            notices = [(n.time, n.source, n.kind, n.message) for n in ledger.notices(20)]
            ledger.close()
    except FleetflowError as error:
        problem = f"{error.message} ({error.hint})"
    return JobDetail(
        restarts[::-1][:20], lines[-LOG_LINES:], rejects, positions, resources, notices,
        certificates(folder / "certificates") if folder is not None else (), problem,
    )  # fmt: skip


def tail(path: Path) -> list[str]:
    """Return the last lines of a file, without the first when it is cut."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - LOG_BYTES))
            data = file.read()
    except OSError:
        return []
    lines = data.decode("utf-8", "replace").splitlines()
    return lines[1:] if size > LOG_BYTES else lines


def certificates(folder: Path) -> list[Certificate]:
    """Return the newest certificates; one that is damaged is said to be so."""
    found = []
    for path in newest(folder.glob("*.json") if folder.is_dir() else ()):
        try:
            content = json.loads(path.read_text("utf-8"))
            readable = path.with_suffix(".txt")
            text = readable.read_text("utf-8") if readable.is_file() else json.dumps(content, indent=1)
            found.append(
                Certificate(
                    path.stem,
                    str(content["kind"]),
                    float(content["time"]),
                    str(content["verdict"]),
                    text[:20_000],
                )
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            found.append(Certificate(path.stem, "", 0.0, "damaged", f"it cannot be read: {error}"))
    return found


def newest(paths: Iterable[Path]) -> list[Path]:
    """Return the last 20 by name, the newest first: names begin with the time."""
    return sorted(paths, reverse=True)[:20]
