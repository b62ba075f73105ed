"""BlockedDepthToSpace against transpositions in numpy."""

import numpy as np
import pytest
from movement_session import REJECTIONS
from parity_session import run_native

from ort_core import errors


def depth_to_space(x, blocks, begins, ends):
    rank = len(blocks)
    n, channels, *spatial, lanes = x.shape
    split = x.reshape(n, *blocks, channels // int(np.prod(blocks)), *spatial, lanes)
    pairs = [axis for d in range(rank) for axis in (rank + 2 + d, 1 + d)]
    full = split.transpose(0, rank + 1, *pairs, 2 * rank + 2)
    full = full.reshape(n, -1, *(s * b for s, b in zip(spatial, blocks, strict=True)), lanes)
    cut = (slice(begin, size - end) for begin, end, size in zip(begins, ends, full.shape[2:-1], strict=True))
    return full[(slice(None), slice(None), *cut)]


@pytest.mark.parametrize(
    ("spatial", "blocks", "begins", "ends"),
    [
        ((7,), [3], [0], [0]),
        ((7,), [8], [5], [4]),
        ((4, 5), [2, 2], [1, 1], [1, 1]),
        ((4, 5), [3, 1], [4, 2], [0, 3]),
        ((2, 3, 4), [2, 1, 2], [0, 1, 3], [3, 0, 0]),
    ],
)
@pytest.mark.parametrize("threads", [1, 3])
def test_channels_become_pixels(spatial, blocks, begins, ends, threads):
    x = np.random.default_rng(0).standard_normal((2, 2 * int(np.prod(blocks)), *spatial, 16)).astype(np.float32)
    attributes = {"blocks": blocks, "begins": begins, "ends": ends}
    (actual,) = run_native("BlockedDepthToSpace", [x], domain="ort.cpu", threads=threads, **attributes)
    np.testing.assert_array_equal(actual, depth_to_space(x, blocks, begins, ends))


def test_everything_may_be_cut_off():
    x = np.zeros((1, 4, 3, 3, 16), np.float32)
    attributes = {"blocks": [2, 2], "begins": [6, 0], "ends": [0, 6]}
    (actual,) = run_native("BlockedDepthToSpace", [x], domain="ort.cpu", **attributes)
    assert actual.shape == (1, 1, 0, 0, 16)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"blocks": [2]},
        {"blocks": [0, 2]},
        {"blocks": [3, 1]},
        {"blocks": [2, 2], "begins": [1]},
        {"blocks": [2, 2], "begins": [0, -1]},
        {"blocks": [2, 2], "begins": [4, 0], "ends": [3, 0]},
        {"blocks": [2, 2], "ends": [0, 2**62]},
        {"blocks": [1 << 40, 1 << 40]},
    ],
    ids=str,
)
def test_wrong_attributes_are_rejected(attributes):
    with pytest.raises((*REJECTIONS, errors.NotImplemented)):
        run_native("BlockedDepthToSpace", [np.zeros((1, 4, 3, 3, 16), np.float32)], domain="ort.cpu", **attributes)
