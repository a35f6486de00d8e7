"""fleetflow: one live picture of a vehicle fleet, from a job that can be changed while it runs.

`fleetflow:flow` is the dataflow of all installed plugins, made when it is asked for:
`python -m bytewax.run fleetflow:flow -w 2`.
"""

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name != "flow":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fleetflow import memory  # noqa: PLC0415 - importing fleetflow does no work

    memory.load_quickly()
    from fleetflow import application, errors  # noqa: PLC0415 - loaded quickly

    try:
        return application.bare_flow()
    except errors.FleetflowError as error:
        raise SystemExit(f"fleetflow: {error}") from error
