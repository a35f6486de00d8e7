"""Compiles the parts in C when there is a compiler; without one fleetflow works too, more slowly."""

from __future__ import annotations

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
FLAGS = ("-O3", "-flto", "-std=c11", "-fPIC", "-shared", "-Wall", "-Wextra")
TROUBLE = "what is read will be read in Python, more slowly"


class NativeHook(BuildHookInterface[Any]):
    """Puts `fleetflow/native/_native.so` beside its sources, and into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, unless this is a source distribution."""
        if self.target_name != "wheel" or os.name != "posix":
            return
        folder = Path(self.root) / FOLDER
        target = folder / "_native.so"
        if self._compile(folder, target):
            # loaded by its name, whatever Python it is: only the platform matters
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{_platform()}"
            build_data["artifacts"].append(f"/{FOLDER}/_native.so")
        else:
            # what was compiled earlier is from other sources
            target.unlink(missing_ok=True)

    def _compile(self, folder: Path, target: Path) -> bool:
        compiler = (
            shlex.split(os.environ.get("CC", ""))
            or [found for found in map(shutil.which, ("cc", "gcc", "clang")) if found][:1]
        )
        if not compiler:
            self.app.display_warning(f"there is no C compiler (cc): {TROUBLE}")
            return False
        sources = sorted(str(source) for source in (folder / "c").glob("*.c"))
        with tempfile.TemporaryDirectory(dir=folder) as work:
            made = Path(work) / target.name
            command = [*compiler, *FLAGS, "-o", str(made), *sources, "-lpthread"]
            try:
                subprocess.run(command, capture_output=True, text=True, check=True)
            except (OSError, subprocess.CalledProcessError) as error:
                told = getattr(error, "stderr", "")
                self.app.display_warning(f"{compiler[0]} failed, {TROUBLE}: {error}\n{told}")
                return False
            # another build at the same time has made the same
            made.replace(target)
        return True


def _platform() -> str:
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
