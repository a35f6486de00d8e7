"""Questions to a fleet in SQL: vehicles, events and rejects.

- `plugin`: the hooks
- `settings`: the table [query]
- `asking`: the way in: a process per question
- `child`: that process
- `messages`: what the two say to each other
- `errors`: what is wrong with a question
- `guard`: what a question may be
- `tables`: records as columns
- `stores`: where the tables come from
- `engine`: DuckDB, closed to everything but the tables
- `answers`: answers as table, CSV and JSON
- `selection`: the status SELECTED
- `opening`: from the configuration to what answers
- `commands`: `fleetflow query`, `fleetflow select`, `fleetflow deselect`
"""
