"""`python -m fleetflow` and `fleetflow` are the command line."""

from __future__ import annotations

from fleetflow.memory import load_quickly


def main() -> None:
    """Run the command line; loaded here, because loading is most of a short command's time."""
    load_quickly()
    from fleetflow.cli.main import main as run  # noqa: PLC0415 - what it imports is loaded quickly

    run()


if __name__ == "__main__":
    main()
