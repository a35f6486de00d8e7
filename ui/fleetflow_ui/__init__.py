"""The dashboard of fleetflow."""
