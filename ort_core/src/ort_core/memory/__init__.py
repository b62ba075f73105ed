"""Memory: what a device runtime offers, arenas over it, and the host's own."""
