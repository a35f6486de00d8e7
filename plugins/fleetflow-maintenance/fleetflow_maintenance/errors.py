"""What can be wrong with a register."""

from fleetflow.errors import FleetflowError


class RegisterError(FleetflowError):
    """The register cannot be used."""
