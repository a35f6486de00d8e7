"""Plugins, lock and configuration in one file, installed beside the host's fleetflow.

A package is a zip file: `lock.json`, the wheels that it names with their SHA-256, and `fleetflow.toml` when
it brings a configuration. What the host provides (fleetflow, Bytewax, Polars) is not packed.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fleetflow.jobs.model import JobError, RefusedError

LOCK, CONFIG = "lock.json", "fleetflow.toml"
VERSION = 1


def build(target: Path, parts: Sequence[Path], config: Path | None) -> dict[str, Any]:
    """Write a package of wheels and plugin folders (built by pip, without dependencies); returns the lock."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for part in parts:
            if part.suffix == ".whl" and part.is_file():
                shutil.copy(part, folder)
            elif (part / "pyproject.toml").is_file():
                # what is needed to build is there: nothing has to be fetched for an environment of its own
                here = ["--no-build-isolation"] if _can_build(part / "pyproject.toml") else []
                _pip("wheel", "--no-deps", *here, "--wheel-dir", str(folder), str(part.absolute()))
            else:
                raise JobError(f"{part} is neither a wheel nor a plugin's folder", "name either")
        wheels = [_entry(path) for path in sorted(folder.glob("*.whl"))]
        names = [wheel["name"] for wheel in wheels]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise JobError(f"two versions of {', '.join(twice)} were given", "name one of them")
        lock = {"version": VERSION, "wheels": wheels, "configuration": config is not None}
        building = target.with_name(f".{target.name}.new")
        try:
            with zipfile.ZipFile(building, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(LOCK, json.dumps(lock, indent=1))
                for wheel in wheels:
                    archive.write(folder / wheel["file"], wheel["file"])
                if config is not None:
                    archive.write(config, CONFIG)
            building.replace(target)
        except OSError as error:
            building.unlink(missing_ok=True)
            raise JobError(
                f"{target} cannot be written: {error}", "correct the path or its permissions, or make room"
            ) from error
    return lock


def install(package: Path, site: Path) -> dict[str, Any]:
    """Install a package's wheels into the new folder `site`, its configuration beside; returns the lock.

    Needs no network. Raises RefusedError when a wheel is not what the lock says, or cannot be installed.
    """
    try:
        with tempfile.TemporaryDirectory() as temporary, zipfile.ZipFile(package) as archive:
            lock: dict[str, Any] = json.loads(archive.read(LOCK))
            if lock.get("version") != VERSION:
                raise RefusedError(
                    f"{package} has format {lock.get('version')}, this fleetflow reads {VERSION}",
                    "package it again",
                )
            wheels = []
            for entry in lock["wheels"]:
                data = archive.read(entry["file"])
                if hashlib.sha256(data).hexdigest() != entry["sha256"]:
                    raise RefusedError(
                        f"{package}: {entry['file']} is not what its lock says", "package it again"
                    )
                wheel = Path(temporary) / Path(entry["file"]).name
                wheel.write_bytes(data)
                wheels.append(str(wheel))
            shutil.rmtree(site, ignore_errors=True)
            site.mkdir(parents=True, mode=0o700)
            if wheels:
                _pip("install", "--no-deps", "--no-index", "--no-compile", "--target", str(site), *wheels)
            if lock["configuration"]:
                (site / CONFIG).write_bytes(archive.read(CONFIG))
    except OSError as error:
        raise RefusedError(
            f"{package} cannot be installed: {error}", "correct the permissions, or make room"
        ) from error
    # RuntimeError: it is encrypted
    except (
        zipfile.BadZipFile,
        zlib.error,
        AttributeError,
        KeyError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise RefusedError(
            f"{package} is not a package of a job: {error}", "make one: `fleetflow package -o JOB.zip ...`"
        ) from error
    return lock


def _can_build(project: Path) -> bool:
    """Whether everything that a plugin's folder says is needed to build it is installed, in that version."""
    try:
        # not among fleetflow's own requirements: build backends bring it
        from packaging.requirements import Requirement  # noqa: PLC0415

        system = tomllib.loads(project.read_text("utf-8"))["build-system"]
        wanted = [Requirement(text) for text in system["requires"]]
        return all(
            each.marker is not None or importlib.metadata.version(each.name) in each.specifier
            for each in wanted
        )
    except (ImportError, OSError, ValueError, KeyError):
        return False


def _entry(wheel: Path) -> dict[str, str]:
    name, version = wheel.name.split("-")[:2]
    return {
        "name": name.replace("_", "-"),
        "version": version,
        "file": wheel.name,
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
    }


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = " ".join(done.stderr.strip().splitlines()[-3:])
        raise RefusedError(
            f"pip {arguments[0]} failed: {tail}", "correct the plugin, or build its wheel yourself"
        )
