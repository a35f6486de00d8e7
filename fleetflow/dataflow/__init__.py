"""The dataflow: how batches travel from the sources to the sinks.

- `wiring`: the whole flow on one screen
- `reading`: a fleetflow source as a Bytewax source
- `shaping`: payloads to pings and rejects, judged and split by shard (`sharding`, `routing`, `places`)
- `steps`: detectors and conflation, with state per shard (`plain` as it is stored)
- `conflation`: of many pings of one vehicle the newest
- `writing`: the sinks as one Bytewax sink, with the account of every record
- `epochs`, `stop`: when all sources end a snapshot interval, and the job
"""
