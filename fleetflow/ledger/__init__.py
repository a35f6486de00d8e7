"""The ledger: what was read, from where, and what became of every record."""
