"""Operators as a package publishes them."""

from tests.custom_ops.core_operators import Scale


class PublishedScale(Scale):
    def __reduce__(self):
        return _scale, ()


def _scale():
    return scale


scale = PublishedScale()
