"""Tries to end the process while it is imported."""

raise SystemExit(3)
