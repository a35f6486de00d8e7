"""The ping schema, version 1."""
