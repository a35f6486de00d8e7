"""Questions to a fleet in SQL: vehicles, events and rejects.

- `plugin`: the hooks
- `settings`: the table [query]
- `guard`: what a question may be
- `tables`: records as columns
- `stores`: where the tables come from
- `engine`: DuckDB, closed to everything but the tables
- `answers`: answers as table, CSV and JSON
- `selection`: the status SELECTED
- `commands`: `fleetflow query`, `fleetflow select`, `fleetflow deselect`
"""
