"""Maintenance: notices for affected vehicles, and engine codes as events.

- `settings`: the table `[maintenance]`
- `rows`: reading CSV files of people, with every bad row named
- `notices`: what is announced, as a file
- `errors`: what can be wrong with a register
- `register`: which vehicles there are, in a database
- `database`: databases that need SQLAlchemy, and writing to any
- `matching`: which notice affects which vehicle
- `watch`: the matches as they are now, while files and database change
- `faults`: codes that appear on a vehicle, and that appear again
- `detector`: both as a live rule
- `commands`: `fleetflow maintenance`
- `plugin`: the hooks
"""
