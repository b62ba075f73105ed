from __future__ import annotations

import logging

import numpy as np
import pytest
from session_models import ADD
from session_plugins import TroublePlugin

import ort_core as ort
from ort_core.providers import registry


@pytest.fixture
def x():
    return np.array([[1, 2], [3, 4], [5, 6]], np.float32)


@pytest.fixture
def session():
    with ort.InferenceSession(ADD) as made:
        yield made


@pytest.fixture
def trouble():
    """A provider that adds tensors until it is told to fail; its instances are in `created`."""
    plugin = TroublePlugin()
    registry.register_plugin(plugin)
    yield plugin
    registry.unregister_plugin(plugin.name)


@pytest.fixture
def root_level():
    """Puts the level of the logger `ort_core` back."""
    logger = logging.getLogger("ort_core")
    level = logger.level
    yield logger
    logger.setLevel(level)
