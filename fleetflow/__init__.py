"""fleetflow: one live picture of a vehicle fleet, from a job that can be changed while it runs."""

__version__ = "0.1.0"
