"""Execution providers: the protocol, discovery, the registry, the kernel base class and the reference provider."""
