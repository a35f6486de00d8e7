"""Each peer in a virtual environment of its own, so that none of them decides what fleetflow runs with."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from packaging.requirements import Requirement

INSTALL_TIMEOUT_S = 900
AT_ONCE = 2
"""So many are installed at once: half of it is waiting for the network."""


class Missing(Exception):
    """A peer cannot be run here; the message says why."""


def pythons_for(
    wanted: Iterable[Sequence[str]], work: Path, install: bool
) -> dict[tuple[str, ...], str | Missing]:
    """Return for each list of requirements what `python_for` returns or raises; all are made together."""
    each = list(dict.fromkeys(map(tuple, wanted)))

    def found(requirements: tuple[str, ...]) -> str | Missing:
        try:
            return python_for(requirements, work, install)
        except Missing as missing:
            return missing

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(each, pool.map(found, each), strict=True))


def python_for(requirements: Sequence[str], work: Path, install: bool) -> str:
    """Return an interpreter that has `requirements`: this one, one made before, or one made now.

    Raises Missing when they are not there and cannot (or may not) be installed.
    """
    if all(_satisfied(requirement) for requirement in requirements):
        return sys.executable
    text = "\n".join([sys.version, *requirements])
    name = Requirement(requirements[0]).name
    folder = work / "environments" / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    python = str(folder / "bin" / "python")
    if (folder / "complete").is_file():
        return python
    if not install:
        raise Missing(f"{', '.join(requirements)} not installed, and --no-install was given")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        for command in (
            [sys.executable, "-m", "venv", str(folder)],
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements],
        ):
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S
            )
            if done.returncode:
                lines = [line for line in done.stderr.splitlines() if line.strip()]
                raise Missing(f"cannot be installed: {lines[-1] if lines else done.returncode}")
    except subprocess.TimeoutExpired as error:
        raise Missing(f"cannot be installed: not done after {INSTALL_TIMEOUT_S} s") from error
    (folder / "complete").touch()
    return python


def versions(python: str, packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of `packages` in the environment of `python`."""
    code = (
        "import importlib.metadata as m, json, sys; print(json.dumps([m.version(p) for p in sys.argv[1:]]))"
    )
    done = subprocess.run([python, "-c", code, *packages], capture_output=True, text=True, check=True)
    return dict(zip(packages, json.loads(done.stdout), strict=True))


def _satisfied(requirement: str) -> bool:
    wanted = Requirement(requirement)
    try:
        return wanted.specifier.contains(importlib.metadata.version(wanted.name), prereleases=True)
    except importlib.metadata.PackageNotFoundError:
        return False
