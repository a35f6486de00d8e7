"""Showing that nothing was missed: certificates of what was read, and their verification.

- `moment`: what the ledger says at one moment
- `positions`: how far the sources had come, as a recovery store has it
- `continuity`: stretches that were read, gaps between them, and whether they are explained
- `certificate`: the report of an upgrade, or of a job at any time; `text`: the same for people
- `bounded`: reading the raw inputs again, up to where a job has come
- `reread`: one partition again, exactly that far
- `derive`: counts, newest pings and rejects from the raw inputs alone
- `compare`: the map, the quarantine and the ledger against what was derived
- `verify`: all of this in the environment of a job
- `auditing`: an audit of a job at any time
- `apart`: running a flow with its outputs kept apart; `taps`: what its outputs go to instead
- `rehearsal`: another version on copies, compared with the one that runs
"""
