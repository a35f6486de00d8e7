"""`python -m fleetflow` is the command line."""

from fleetflow.cli.main import main

main()
