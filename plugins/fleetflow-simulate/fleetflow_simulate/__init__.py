"""Simulated trucks: where they drive, what they report, and how they misbehave."""
