"""Latency of a model on one or several engines, each in a process of its own."""
