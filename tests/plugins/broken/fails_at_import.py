"""Raises while it is imported."""

raise OSError("libbroken.so.1: cannot open shared object file")
