"""The latest record per vehicle in Flink SQL, as a stream.

    flink_latest.py DIRECTORY WORKERS

A top-1 query over the files, whose changes go to the sink `print`; the last change of each vehicle is the
answer. Mini-batches are on, and there are no checkpoints: both is in its favour.
"""

import sys

from pyflink.table import EnvironmentSettings, TableEnvironment

directory, workers = sys.argv[1:]
table = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
for key, value in {
    "parallelism.default": workers,
    "table.exec.mini-batch.enabled": "true",
    "table.exec.mini-batch.allow-latency": "1 s",
    "table.exec.mini-batch.size": "100000",
}.items():
    table.get_config().set(key, value)
columns = "vin STRING, latitude DOUBLE, longitude DOUBLE, `time` DOUBLE"
table.execute_sql(
    f"CREATE TABLE pings ({columns}) WITH "
    f"('connector' = 'filesystem', 'path' = 'file://{directory}', 'format' = 'csv')"
)
table.execute_sql(f"CREATE TABLE latest ({columns}) WITH ('connector' = 'print')")
table.execute_sql(
    "INSERT INTO latest SELECT vin, latitude, longitude, `time` FROM ("
    "SELECT *, ROW_NUMBER() OVER (PARTITION BY vin ORDER BY `time` DESC) AS place FROM pings) WHERE place = 1"
).wait()
