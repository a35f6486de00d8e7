"""Crashes: one event per crash, with the city that help comes from.

- `plugin`: the hooks
- `settings`: the table [crash]
- `episode`: when a crash begins and ends, for one vehicle (pure)
- `detector`: the same for all vehicles of a shard, in columns
- `cities`: the nearest city
- `commands`: `fleetflow crash …`
"""
