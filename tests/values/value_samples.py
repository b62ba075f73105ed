"""Arrays of every element type."""

import numpy as np

from ort_core.ir.types import ElementType


def sample(element, shape=(2, 3)):
    count = int(np.prod(shape))
    if element is ElementType.STRING:
        return np.array([f"text {i}" for i in range(count)], object).reshape(shape)
    numbers = np.arange(count) % 2 + (element is not ElementType.BOOL)
    return numbers.astype(np.float32).astype(element.dtype).reshape(shape)
