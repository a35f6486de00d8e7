"""Savepoints: named, checked copies of a job's snapshot, from which a job can be started.

- `plain`: reading pickled state without running anybody's code
- `store`: what a recovery store holds: executions, steps, partitions
- `savepoint`: taking, verifying and using a savepoint
- `description`: what a job's code expects of a savepoint, asked of the code itself
- `check`: grading each difference between a savepoint and the code about to run
"""
