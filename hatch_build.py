"""Compiles the parts in C when there is a compiler; without one fleetflow works too, more slowly."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("fleetflow") / "native"
FLAGS = ("-O3", "-flto", "-ffp-contract=off", "-std=c11", "-fPIC", "-shared", "-Wall", "-Wextra")
"""Contracted, a product and a sum would have another last bit than in Python."""
PATIENCE_S = 300.0
TROUBLE = "what is read will be read in Python, more slowly"


class NativeHook(BuildHookInterface[Any]):
    """Puts `fleetflow/native/_native.so` beside its sources, and into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, unless this is a source distribution."""
        if self.target_name != "wheel" or os.name != "posix":
            return
        folder = Path(self.root) / FOLDER
        target = folder / "_native.so"
        try:
            self._compile(folder, target)
        # whatever it is, fleetflow works without
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            told = getattr(error, "stderr", None) or ""
            self.app.display_warning(f"{error}: {TROUBLE}\n{told}")
        # perhaps another Python's installation has compiled it
        if target.is_file() and digest(folder / "c").encode() in target.read_bytes():
            # loaded by its name, whatever Python it is: only the platform matters
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{_platform()}"
            build_data["artifacts"].append(f"/{FOLDER}/_native.so")

    def _compile(self, folder: Path, target: Path) -> None:
        compiler = (
            shlex.split(os.environ.get("CC", ""))
            or [found for found in map(shutil.which, ("cc", "gcc", "clang")) if found][:1]
        )
        if not compiler:
            raise FileNotFoundError("there is no C compiler (cc)")
        sources = sorted(str(source) for source in (folder / "c").glob("*.c"))
        defined = f'-DFLEETFLOW_SOURCES="{digest(folder / "c")}"'
        with tempfile.TemporaryDirectory(dir=folder) as work:
            made = Path(work) / target.name
            command = [*compiler, *FLAGS, defined, "-o", str(made), *sources, "-lpthread", "-lm"]
            subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_S)
            # another build at the same time has made the same
            made.replace(target)


def digest(folder: Path) -> str:
    """Return what tells these sources from others."""
    found = hashlib.sha256()
    for source in sorted(folder.iterdir()):
        found.update(source.name.encode() + b"\0" + source.read_bytes())
    return found.hexdigest()


def _platform() -> str:
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
