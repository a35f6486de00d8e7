"""A rehearsal: another version runs on a copy of a job's state and its live inputs, its outputs kept apart.

Both versions read the same stretch, from the job's last snapshot to what is there now, the old one first:
whatever it made of the input, the new one must make of it too. When nothing comes to be read, both read the
history instead, from its beginning and on empty stores. `python -m fleetflow.audit.rehearsal` is one
of the two runs, in the environment of its version.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from fleetflow import application
from fleetflow.audit import apart
from fleetflow.audit.taps import Record
from fleetflow.errors import FleetflowError
from fleetflow.jobs.model import Job, Spec, write_json
from fleetflow.jobs.surroundings import killed_with_parent, whole_environment_of
from fleetflow.savepoints import savepoint

EXAMPLES = 3
KEY = ("source", "vin", "time", "sequence")
EXTRA = ("source", "received_at", "schema_version")
FOLDER = "rehearsals"
LOOK_S = 0.2
SECONDS = "seconds"
"""The file of a run that says how long it read."""
HISTORY_S = 10.0
"""How long the old version reads of the history."""


def rehearse(job: Job, old: Spec, new: Spec, wait_s: float, longest_s: float) -> dict[str, Any]:
    """Run both versions on copies and return the report; `lost` says in words what would be lost.

    Waits up to `wait_s` seconds for something to read; each version reads for `longest_s` seconds at most.
    The job and its outputs are not touched.
    """
    for left in job.folder.glob(".rehearsal-*"):
        # of a command that was killed
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=".rehearsal-", dir=job.folder))
    stretch = "since the last snapshot"
    try:
        taken: savepoint.Savepoint | None = savepoint.take(
            job.store, folder / "savepoint", job.name, old.description
        )
        deadline = time.monotonic() + wait_s
        while True:
            before = _run(job, old, taken, folder / "old", longest_s)
            if before["records"] or "failed" in before:
                break
            shutil.rmtree(folder / "old", ignore_errors=True)
            if time.monotonic() > deadline:
                taken, stretch = None, "from the beginning of the history"
                before = _run(job, old, taken, folder / "old", min(longest_s, HISTORY_S))
                break
            time.sleep(LOOK_S)
        after = _run(job, new, taken, folder / "new", longest_s, folder / "old")
        report = {"stretch": stretch, **compare(folder / "old", folder / "new", before, after)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report["time"] = time.time()
    reports = job.folder / FOLDER
    reports.mkdir(mode=0o700, exist_ok=True)
    file = reports / f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{new.release}.json"
    report["file"] = str(file)
    write_json(file, report)
    report["text"] = render(report)
    return report


def _run(
    job: Job,
    spec: Spec,
    taken: savepoint.Savepoint | None,
    folder: Path,
    longest_s: float,
    goal: Path | None = None,
) -> dict[str, Any]:
    """Run a version on a copy of a savepoint (None: from the beginning), as far as the run in `goal` came."""
    folder.mkdir(exist_ok=True)
    if taken is not None:
        savepoint.restore(taken, folder / "store")
    command = [sys.executable, "-P", "-m", "fleetflow.audit.rehearsal", str(folder), str(longest_s)]
    command += [str(goal)] if goal is not None else []
    began = time.monotonic()
    try:
        done = subprocess.run(
            command,
            env=whole_environment_of(job, spec),
            cwd=spec.home,
            stdin=subprocess.DEVNULL,
            preexec_fn=killed_with_parent(),
            capture_output=True,
            timeout=longest_s + 60,
            check=False,
        )
        problem = "" if done.returncode == 0 else done.stderr.decode("utf-8", "replace").strip()
        code = done.returncode
    except subprocess.TimeoutExpired:
        problem, code = f"it did not end within {longest_s + 60:g} s", -1
    outcome: dict[str, Any] = {"seconds": round(time.monotonic() - began, 3)}
    if code:
        lines = problem.splitlines()
        outcome["failed"] = next((line for line in reversed(lines) if line.strip()), f"exit code {code}")
    elif (folder / SECONDS).is_file():
        # without the time it took to load the plugins
        outcome["seconds"] = round(float((folder / SECONDS).read_text("utf-8")), 3)
    outcome["records"] = sum(line["records"] for line in _rest(folder) if line["kind"] == "span")
    return outcome


def compare(old: Path, new: Path, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Compare what two versions made of one stretch; the new one may have read further."""
    lost: list[str] = []
    if "failed" in before:
        lost.append(f"the version that runs could not be rehearsed: {before['failed']}")
    if "failed" in after:
        lost.append(f"the new version failed: {after['failed']}")
    was, now = _pings(old), _pings(new)
    fields: dict[str, dict[str, Any]] = {}
    missing_pings = missing_vehicles = 0
    if was is not None:
        found = was.select(KEY).unique() if now is None else now.select(KEY).unique()
        gone = was if now is None else was.join(found, on=list(KEY), how="anti")
        missing_pings = gone.height
        have = set() if now is None else set(now["vin"].to_list())
        missing_vehicles = len(set(was["vin"].to_list()) - have)
        if now is not None:
            fields = _fields(was, now)
    for name, each in fields.items():
        if each["disappears"]:
            lost.append(f"the field {name} disappears from {each['disappears']} records")
    if missing_vehicles:
        lost.append(f"{missing_vehicles} vehicles would be missing from the map")
    if missing_pings:
        lost.append(f"{missing_pings} pings are not pings any more")
    rejects = _rejects(old, new)
    more = {rule: pair for rule, pair in rejects.items() if pair["after"] > pair["before"]}
    if sum(pair["after"] for pair in rejects.values()) > sum(pair["before"] for pair in rejects.values()):
        lost.append(
            "more rejects: " + ", ".join(f"{k} {v['before']} -> {v['after']}" for k, v in more.items())
        )
    partitions = _behind(old, new)
    if partitions and "failed" not in after:
        lost.append(f"{len(partitions)} resources were not read as far: {', '.join(partitions[:EXAMPLES])}")
    return {
        "records": {"before": before["records"], "after": after["records"]},
        "seconds": {"before": before["seconds"], "after": after["seconds"]},
        "vehicles": 0 if was is None else was["vin"].n_unique(),
        "fields": fields,
        "rejects": rejects,
        "missing_pings": missing_pings,
        "missing_vehicles": missing_vehicles,
        "lost": lost,
    }


def render(report: Mapping[str, Any]) -> str:
    """Return the report for people."""
    records, seconds = report["records"], report["seconds"]
    lines = [
        f"rehearsal {report['stretch']}: {records['before']:,} records of {report['vehicles']:,} vehicles"
    ]
    if not records["before"]:
        lines.append("  there is nothing to be read: nothing could be compared")
    speeds = [
        f"{records[name] / max(seconds[name], 0.001):,.0f} records/s {name}" for name in ("before", "after")
    ]
    lines.append(f"  speed: {', '.join(speeds)}")
    for name, each in report["fields"].items():
        words = [f"{kind} in {each[kind]:,}" for kind in ("appears", "disappears", "differs") if each[kind]]
        if words:
            lines.append(f"  field {name}: {', '.join(words)}, e.g. {json.dumps(each['examples'][0])}")
    for rule, pair in report["rejects"].items():
        lines.append(f"  rejects by rule {rule}: {pair['before']:,} before, {pair['after']:,} after")
    lines += [f"  LOST: {each}" for each in report["lost"]] or ["  nothing would be lost"]
    return "\n".join(lines)


def _pings(folder: Path) -> pl.DataFrame | None:
    files = sorted(folder.glob("pings-*.parquet"))
    return pl.concat([pl.read_parquet(file) for file in files]).unique() if files else None


def _rest(folder: Path) -> list[dict[str, Any]]:
    file = folder / "rest.jsonl"
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.is_file() else []


def _fields(was: pl.DataFrame, now: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Count per field in how many of the same pings it appears, disappears or differs."""
    names = [name for name in dict.fromkeys([*was.columns, *now.columns]) if name not in {*KEY, *EXTRA}]
    both = was.unique(list(KEY)).join(now.unique(list(KEY)), on=list(KEY), how="inner", suffix="_new")
    found = {}
    for name in names:
        old = _text("old", both, name if name in was.columns else None)
        renamed = f"{name}_new" if name in was.columns else name
        new = _text("new", both, renamed if name in now.columns else None)
        grade = pl.DataFrame([both["vin"], old, new])
        appears = grade.filter(pl.col("old").is_null() & pl.col("new").is_not_null())
        gone = grade.filter(pl.col("old").is_not_null() & pl.col("new").is_null())
        differs = grade.filter(pl.col("old") != pl.col("new"))
        examples = pl.concat([gone, differs, appears]).head(EXAMPLES).rows()
        found[name] = {
            "appears": appears.height,
            "disappears": gone.height,
            "differs": differs.height,
            "examples": [{"vin": vin, "before": a, "after": b} for vin, a, b in examples],
        }
    return found


def _text(alias: str, both: pl.DataFrame, column: str | None) -> pl.Series:
    """Return a field as text; null where it is null, an empty list, or not there at all."""
    if column is None:
        return pl.Series(alias, [None] * both.height, pl.String)
    values = both[column]
    if not isinstance(values.dtype, pl.List):
        return values.cast(pl.String).alias(alias)
    joined = values.cast(pl.List(pl.String)).list.join(" ").alias(alias)
    return joined.set(joined == "", None)


def _ends(folder: Path) -> dict[tuple[str, str], int]:
    ends: dict[tuple[str, str], int] = {}
    for line in _rest(folder):
        if line["kind"] == "span":
            key = (line["source"], line["resource"])
            ends[key] = max(ends.get(key, 0), line["end"])
    return ends


def _behind(old: Path, new: Path) -> list[str]:
    after = _ends(new)
    return [f"{key[0]} {key[1]}" for key, end in _ends(old).items() if after.get(key, -1) < end]


def _rejects(old: Path, new: Path) -> dict[str, dict[str, int]]:
    """Count rejects by rule, the new version's only as far as the old one had read."""
    ends = _ends(old)
    before = Counter(line["rule"] for line in _rest(old) if line["kind"] == "reject")
    after = Counter(
        line["rule"]
        for line in _rest(new)
        if line["kind"] == "reject" and line["start"] < ends.get((line["source"], line["resource"]), 0)
    )
    return {rule: {"before": before[rule], "after": after[rule]} for rule in sorted({*before, *after})}


def main() -> None:
    """Run the flow of this environment once, everything it makes kept in the folder that is given."""
    folder, longest_s = Path(sys.argv[1]), float(sys.argv[2])
    try:
        plugins, configuration = application.load()
        record = Record(folder)
        apart.run(apart.Apart(plugins, record.sinks()), configuration, folder / "store", longest_s=longest_s)
    except FleetflowError as error:
        sys.stderr.write(f"{error.message}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
