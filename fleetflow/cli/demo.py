"""`fleetflow demo`: simulators, job and dashboard together."""

import click


@click.command("demo")
def demo_command() -> None:
    """Placeholder."""
