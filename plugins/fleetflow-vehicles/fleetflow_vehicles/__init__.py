"""The vehicles map of fleetflow: the latest record of every vehicle, durable, on diskcache.

- `plugin`: the hooks
- `settings`: the table [vehicles]
- `records`: what a record is, which of two pings is newer, what may be set on a vehicle
- `updates`: what events set on it
- `disk`: a diskcache `Disk` that refuses pickles
- `layout`: the tables, and how a store is made and checked
- `store`: writing
- `vehicles`: reading, and the change feed
- `sink`: the job's way in
- `commands`: `fleetflow vehicles …`
"""
