"""The core's graph passes, one a file."""
