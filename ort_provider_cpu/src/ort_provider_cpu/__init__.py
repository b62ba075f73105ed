"""CPU execution provider for ort-core: graphs become programs of a native engine with kernels of its own."""
