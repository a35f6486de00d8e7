"""What is wrong with a question."""

from fleetflow.errors import FleetflowError


class QueryError(FleetflowError):
    """A question that cannot be answered, or must not be."""
