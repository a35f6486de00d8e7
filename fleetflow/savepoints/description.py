"""What a job's code expects of a savepoint, asked of the code itself.

`python -m fleetflow.savepoints.description` builds the flow in the environment it is started in, prints
one JSON object and runs nothing: so another version of the plugins can be asked beside a running job.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fleetflow import __version__, application
from fleetflow.config import Configuration
from fleetflow.errors import FleetflowError, PluginError
from fleetflow.plugins import Plugins


def describe(plugins: Plugins, configuration: Configuration) -> dict[str, Any]:
    """Return flow id, steps, partitions, shards, schema, versions and configuration (secrets masked)."""
    from fleetflow.builtin.core import FlowSettings  # noqa: PLC0415 - Polars and Bytewax are slow to import
    from fleetflow.dataflow.routing import KEYS  # noqa: PLC0415
    from fleetflow.dataflow.stop import StopFlag  # noqa: PLC0415
    from fleetflow.dataflow.wiring import build  # noqa: PLC0415

    flow = build(plugins, configuration, StopFlag())
    schema = plugins.only("fleetflow_schema", "the ping schema", "", configuration)
    sources: list[Any] = plugins.gather(
        "fleetflow_sources", "source", lambda source: source.name, configuration
    )
    judges: list[Any] = plugins.gather("fleetflow_judges", "judge", lambda judge: judge.name, configuration)
    detectors: list[Any] = plugins.gather(
        "fleetflow_detectors", "detector", lambda item: item.name, configuration
    )
    sinks: list[Any] = plugins.gather("fleetflow_sinks", "sink", lambda sink: sink.name, configuration)
    return {
        "flow": flow.flow_id,
        "steps": [step.step_id for step in flow.substeps],
        "sources": {source.name: sorted(source.partitions()) for source in sources},
        "judges": sorted(judge.name for judge in judges),
        "detectors": sorted(detector.name for detector in detectors),
        "sinks": sorted(sink.name for sink in sinks),
        "shards": configuration.table("flow", FlowSettings).shards,
        "keys": KEYS,
        "schema": {
            "name": schema.name,
            "version": schema.version,
            "columns": {name: str(dtype) for name, dtype in schema.columns.items()},
        },
        "distributions": {
            info.distribution: info.version for info in plugins.infos if info.state == "active"
        },
        "configuration": configuration.as_dict(),
        "versions": {
            "fleetflow": __version__,
            "bytewax": importlib.metadata.version("bytewax"),
            "python": platform.python_version(),
        },
    }


def ask(environment: Mapping[str, str], cwd: Path, timeout_s: float = 60.0) -> dict[str, Any]:
    """Return the description of the code that `environment` runs; raises PluginError when it cannot load.

    Code that does not answer within `timeout_s` seconds is ended and refused.
    """
    command = [sys.executable, "-P", "-m", "fleetflow.savepoints.description"]
    try:
        done = subprocess.run(
            command,
            env=dict(environment),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PluginError(
            f"the plugins did not load within {timeout_s:g} s", "one of them hangs on import"
        ) from error
    lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
    try:
        answer = json.loads(lines[-1])
    except (IndexError, ValueError) as error:
        tail = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise PluginError(
            f"the plugins cannot be loaded: {' '.join(tail) or f'exit code {done.returncode}'}",
            "correct or reinstall them",
        ) from error
    if "error" in answer:
        raise PluginError(answer["error"], answer["hint"])
    found: dict[str, Any] = answer
    return found


def main() -> None:
    """Print the description, or the error, as one JSON object on the last line."""
    answer: dict[str, Any]
    try:
        answer = describe(*application.load())
    except FleetflowError as error:
        answer = {"error": error.message, "hint": error.hint}
    except Exception as error:
        # a plugin's fault is reported under its name, never as a traceback
        answer = {"error": f"the flow cannot be built: {type(error).__name__}: {error}", "hint": ""}
    sys.stdout.write(json.dumps(answer, default=str) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
