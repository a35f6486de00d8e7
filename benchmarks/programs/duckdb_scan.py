"""The latest record per vehicle as one scan in DuckDB: `duckdb_scan.py DIRECTORY ANSWER THREADS`.

A limit, not a peer: it keeps nothing, and cannot go on where it stopped.
"""

import sys

import duckdb

directory, answer, threads = sys.argv[1:]
connection = duckdb.connect()
connection.execute(f"SET threads = {int(threads)}")
connection.execute(
    f"""
    COPY (
        SELECT vin, newest.latitude, newest.longitude, newest.time FROM (
            SELECT vin,
                arg_max({{'latitude': latitude, 'longitude': longitude, 'time': time}}, time) AS newest
            FROM read_csv('{directory}/*.csv', header = false, auto_detect = false, columns =
                {{'vin': 'VARCHAR', 'latitude': 'DOUBLE', 'longitude': 'DOUBLE', 'time': 'DOUBLE'}})
            GROUP BY vin)
    ) TO '{answer}' (HEADER false)
    """
)
