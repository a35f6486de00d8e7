"""Where jobs and savepoints are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fleetflow.jobs.model import Job, NoSuchJobError, job_of, jobs_in


@dataclass(frozen=True, slots=True)
class Places:
    """Where jobs and savepoints are, and how long a command waits for the state it asked for."""

    jobs: Path
    savepoints: Path
    timeout_s: float

    def job(self, name: str) -> Job:
        """Return an existing job; raises NoSuchJobError."""
        job = job_of(self.jobs, name)
        if not job.exists():
            known = ", ".join(each.name for each in jobs_in(self.jobs)) or "none"
            raise NoSuchJobError(f'there is no job "{name}"', f"known: {known}")
        return job

    def savepoint(self, name: str) -> Path:
        """Return the folder of a savepoint, by name or by path."""
        return Path(name).absolute() if "/" in name else self.savepoints / name
