"""The history of a fleet: every valid ping, exactly once, as Parquet files by shard and UTC day.

- `plugin`: the hooks
- `settings`: the table [archive]
- `manifest`: what a shard holds, as one file that is replaced at once
- `resuming`: from a saved state to the log that it belongs to
- `files`: the Parquet files
- `folder`: the folder of one shard: its lock, its manifest, what is put aside
- `upkeep`: merging small files, and deleting old ones
- `sink`: the job's way in
- `archive`: reading
- `times`: times as people write them
- `commands`: `fleetflow trail`, `fleetflow replay`, `fleetflow archive …`
"""
