"""A job's folder and files, and what is true of the job now.

`job.json` is what is wanted, written by the commands; `status.json` is what is, written by the supervisor.
Both are replaced atomically. Whether a supervisor lives is told by the lock that it holds, never by a file.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from fleetflow.errors import FleetflowError

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
ALIVE = frozenset({"starting", "running", "backing-off", "stopping"})
"""States that only a living supervisor can keep true."""


VALUES: Mapping[str, tuple[type, ...]] = {"environment": (str,), "policy": (int, float)}
"""Of which types the values of these fields of a job's file are."""


class JobError(FleetflowError):
    """A job cannot be what was asked of it."""


class NoSuchJobError(JobError):
    """There is no job of this name."""

    exit_code = 3


class DeadlineError(JobError):
    """The state that was asked for was not reached in time."""

    exit_code = 4


class RefusedError(JobError):
    """A package, savepoint or upgrade was refused before anything was touched."""

    exit_code = 5


class FailedError(JobError):
    """The job failed instead of reaching the state that was asked for."""

    exit_code = 6


@dataclass
class Spec:
    """What is wanted of a job.

    `run` counts the starts of a supervisor; `release` numbers the installed package (0: what the host has
    installed); `history` holds the releases before it, newest last; `started_from` names the savepoint that
    it was submitted with. `environment` are the variables of
    fleetflow that were set when the job was submitted.
    """

    name: str
    home: str
    created_at: float = 0.0
    wanted: str = "running"
    run: int = 0
    workers: int = 2
    processes: int = 1
    snapshot_s: int = 10
    once: bool = False
    release: int = 0
    package: str = ""
    started_from: str = ""
    config: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    policy: dict[str, float] = field(default_factory=dict)
    description: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)


def spec_of(content: object) -> Spec:
    """Return what a job's file says; raises ValueError for what cannot be that. Unknown keys are passed over.

    By hand: the supervisor reads it while nobody reads the feeds, and a library would take longer to load.
    """
    if not isinstance(content, dict) or not {"name", "home"} <= set(content):
        raise ValueError("it is not a job")
    empty = Spec("", "")
    known = {each.name: content[each.name] for each in fields(Spec) if each.name in content}
    for name, value in known.items():
        like = getattr(empty, name)
        inside = value.values() if isinstance(value, dict) and name in VALUES else ()
        if not (
            isinstance(value, type(like)) or (isinstance(like, float) and isinstance(value, int))
        ) or not all(isinstance(each, VALUES[name]) for each in inside):
            raise ValueError(f"{name} is {value!r}")
    return Spec(**known)


@dataclass(frozen=True, slots=True)
class Job:
    """The folder of one job."""

    folder: Path

    @property
    def name(self) -> str:
        """The job's name."""
        return self.folder.name

    @property
    def store(self) -> Path:
        """Its recovery store."""
        return self.folder / "store"

    @property
    def log(self) -> Path:
        """Its newest log file."""
        return self.folder / "logs" / "job.log"

    def site(self, release: int) -> Path:
        """Where the plugins of a release are installed."""
        return self.folder / "env" / f"release-{release}"

    def exists(self) -> bool:
        """Whether there is such a job."""
        return (self.folder / "job.json").is_file()

    def read(self) -> Spec:
        """Return what is wanted; raises JobError when the file is damaged."""
        try:
            return spec_of(json.loads((self.folder / "job.json").read_bytes()))
        except FileNotFoundError as error:
            raise NoSuchJobError(f'there is no job "{self.name}"', "`fleetflow list-jobs -a`") from error
        except (OSError, ValueError) as error:
            raise JobError(
                f"{self.folder / 'job.json'} cannot be read: {error}",
                f"correct the file; or move {self.folder} away, then submit the job again from a savepoint",
            ) from error

    def write(self, spec: Spec) -> None:
        """Replace what is wanted, durably."""
        write_json(self.folder / "job.json", asdict(spec))

    def status(self) -> dict[str, Any]:
        """Return what the supervisor last wrote, as it is; see `truth`."""
        try:
            content = json.loads((self.folder / "status.json").read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def supervisor(self) -> int | None:
        """Return the process id of the living supervisor, None when there is none."""
        try:
            file = (self.folder / "supervisor.lock").open("r", encoding="utf-8")
        except FileNotFoundError:
            return None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                text = file.read().strip()
                return int(text) if text.isdigit() else 0
        return None

    def truth(self) -> dict[str, Any]:
        """Return the status with a state that is true now.

        `interrupted` means that nobody supervises a job that should run: after a reboot or a kill.
        """
        spec, status = self.read(), self.status()
        supervisor = self.supervisor()
        state = status.get("state", "interrupted")
        if supervisor is None and (state in ALIVE or status.get("run") != spec.run):
            # the status is read again: the supervisor may have ended properly between the two looks
            status = self.status()
            state = status.get("state", "interrupted")
            if state in ALIVE or status.get("run") != spec.run:
                state = "interrupted"
        elif supervisor is not None and status.get("run") != spec.run:
            state = "starting"
        return {**status, "name": spec.name, "state": state, "supervisor": supervisor}

    @contextmanager
    def commanded(self) -> Iterator[None]:
        """Hold the job for one command; raises JobError when another command is at work on it."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / "command.lock").open("a", encoding="utf-8") as file:
            deadline = time.monotonic() + 5
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError as error:
                    if time.monotonic() > deadline:
                        raise JobError(
                            f'another command is at work on the job "{self.name}"', "wait for its end"
                        ) from error
                    time.sleep(0.05)
            yield


def job_of(root: Path, name: str) -> Job:
    """Return the job `name` under `root`; raises JobError for a name that cannot be one."""
    if not NAME.fullmatch(name):
        raise JobError(
            f'"{name}" cannot name a job', "use small letters, digits, dashes and underscores, 63 at most"
        )
    return Job(root / name)


def jobs_in(root: Path) -> list[Job]:
    """Return all jobs, by name."""
    if not root.is_dir():
        return []
    return [Job(path) for path in sorted(root.iterdir()) if (path / "job.json").is_file()]


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a file by `content`: a crash leaves the old or the new one; only its user can read it."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1, default=str)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def start_time(pid: int) -> str:
    """Return when a process started, in the kernel's ticks (proc(5), stat field 22); empty when it is gone.

    A process id alone may have been given to another process since.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return ""
    rest = text.rpartition(")")[2].split()
    return "" if rest[0] == "Z" else rest[19]
