"""Reports on where nodes run and why."""
