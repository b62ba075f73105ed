"""Does not define what its entry point names."""
