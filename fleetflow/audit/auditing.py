"""An audit at any time: the ledger of a job, or of `fleetflow run`, as a certificate."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fleetflow.audit import certificate, moment
from fleetflow.audit.certificate import Change
from fleetflow.audit.positions import described
from fleetflow.errors import FleetflowError, StoreError
from fleetflow.jobs.surroundings import killed_with_parent
from fleetflow.ledger.reader import Ledger
from fleetflow.recovery import holder_of


def audit(
    name: str,
    description: Mapping[str, Any],
    ledger: Path | None,
    recovery: Path,
    started_from: str = "",
) -> dict[str, Any]:
    """Return the certificate of now. `name` is the job's, empty for `fleetflow run`.

    Raises StoreError when the job keeps no ledger.
    """
    if ledger is None:
        raise StoreError("this job keeps no ledger", "turn the plugin on: [plugins] disabled")
    reader = Ledger(ledger)
    try:
        now = moment.take(reader)
    finally:
        reader.close()
    change = Change("audit", name, description, description, "", described(recovery), started_from)
    return certificate.compose(change, [now])


def verified(
    environment: Mapping[str, str], home: Path, recovery: Path, running: bool, changed: bool
) -> dict[str, Any]:
    """Return what `fleetflow.audit.verify` finds in a job's own environment, with the job's own plugins."""
    command = [sys.executable, "-P", "-m", "fleetflow.audit.verify", str(recovery)]
    command += [str(int(running)), str(int(changed))]
    done = subprocess.run(
        command,
        env=dict(environment),
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        preexec_fn=killed_with_parent(),
    )
    lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
    try:
        found: dict[str, Any] = json.loads(lines[-1])
    except (IndexError, ValueError) as error:
        tail = " ".join(done.stderr.decode("utf-8", "replace").strip().splitlines()[-3:])
        raise FleetflowError(f"the inputs could not be read again: {tail}", "see --debug") from error
    if "error" in found:
        raise FleetflowError(found["error"], found["hint"])
    return found


def in_use(recovery: Path) -> bool:
    """Whether a job runs on a recovery store now."""
    return holder_of(recovery) is not None
