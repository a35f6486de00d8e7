"""The ping schema, version 2."""
