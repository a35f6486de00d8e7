"""The command line `fleetflow`: the core's commands here, everybody else's through a hook."""
