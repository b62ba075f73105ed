"""Is no plugin at all."""

plugin = object()
