"""Distance per vehicle and day, with daily limits.

- `settings`: the table `[mileage]`
- `days`: which local day a time belongs to
- `limits`: daily limits per group of vehicles
- `fleet`: what is remembered of each vehicle, in columns
- `detector`: pings to distances and events
- `table`: distances that other processes can read
- `commands`: `fleetflow mileage`
- `plugin`: the hooks
"""
