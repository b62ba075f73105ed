"""Assigning nodes to providers and cutting the graph into convex partitions."""
