"""An example execution provider for ort-core."""
