from __future__ import annotations

import pickle

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ort_core.devices import Device
from ort_core.errors import InvalidArgument
from ort_core.ort_device import OrtDevice
from ort_core.sparse import OrtSparseFormat, SparseTensor, from_dense, make_coo, to_dense
from ort_core.values import SparseValue

CPU = OrtDevice.make("cpu", 0)
SHAPE = [3, 4]
VALUES = np.array([1, 2, 3], np.float32)
COORDINATES = np.array([[0, 1], [1, 2], [2, 3]], np.int64)
DENSE = np.zeros((3, 4), np.float32)
DENSE[[0, 1, 2], [1, 2, 3]] = VALUES


def coo(shape=SHAPE, values=VALUES, indices=COORDINATES, device=CPU):
    return SparseTensor.sparse_coo_from_numpy(shape, values, indices, device)


def csr(shape=SHAPE, values=VALUES, inner=(1, 2, 3), outer=(0, 1, 2, 3), device=CPU):
    return SparseTensor.sparse_csr_from_numpy(shape, values, np.array(inner, int), np.array(outer, int), device)


def test_coo_tensors_share_their_arrays():
    tensor = coo(np.array(SHAPE))
    assert tensor.format() is OrtSparseFormat.ORT_SPARSE_COO
    assert tensor.dense_shape() == SHAPE
    assert tensor.data_type() == "sparse_tensor(float)"
    assert tensor.device_name() == "cpu"
    assert np.shares_memory(tensor.values(), VALUES)
    assert np.shares_memory(tensor.as_coo_view().indices(), COORDINATES)
    assert not tensor.values().flags.writeable
    assert not tensor.as_coo_view().indices().flags.writeable
    assert np.array_equal(tensor.to_dense(), DENSE)


@pytest.mark.parametrize(
    "indices",
    [[1, 6, 11], np.array([1, 6, 11], np.int32), COORDINATES.reshape(-1), COORDINATES.astype(np.uint8)],
    ids=["positions", "int32", "flat coordinates", "uint8"],
)
def test_every_form_of_coo_indices_means_the_same(indices):
    assert np.array_equal(coo(indices=indices).to_dense(), DENSE)


def test_unsorted_indices_are_sorted_with_their_values():
    tensor = coo(values=VALUES[::-1], indices=COORDINATES[::-1])
    assert np.array_equal(tensor.as_coo_view().indices(), COORDINATES)
    assert np.array_equal(tensor.values(), VALUES)


def test_tensors_of_any_rank():
    tensor = coo([2, 3, 4], VALUES, np.array([[0, 0, 1], [0, 2, 3], [1, 1, 1]]))
    assert tensor.to_dense()[1, 1, 1] == 3
    assert coo([5], VALUES, [0, 2, 4]).to_dense().tolist() == [1, 0, 2, 0, 3]


@pytest.mark.parametrize("indices", [np.zeros(0, int), np.zeros((0, 2), int), []])
def test_tensors_without_values(indices):
    assert coo(values=VALUES[:0], indices=indices).to_dense().sum() == 0
    assert csr(values=VALUES[:0], inner=[], outer=[]).as_csrc_view().outer().tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"indices": COORDINATES + 9}, r"coo_indices must be from 0 to below \[3, 4\], got \[9, 10\] to \[11, 12\]"),
        ({"indices": COORDINATES - 1}, "from 0 to below"),
        ({"indices": [1, 6, 12]}, "from 0 to below 12, got 1 to 12"),
        ({"indices": [1, 6, 6]}, "position 6 twice"),
        ({"indices": COORDINATES[:2]}, r"must have the shape \[3\] or \[3, 2\].*got \[2, 2\]"),
        ({"indices": COORDINATES * 1.0}, "must be integers, got float64"),
        ({"shape": [3, 4, 5]}, r"or \[3, 3\]"),
        ({"shape": [-3, 4]}, "must not be negative"),
        ({"shape": [1 << 40, 1 << 40]}, "overflow"),
        ({"values": VALUES[None]}, "1-D numpy array, got a rank of 2"),
        ({"values": [1, 2, 3]}, "1-D numpy array, got list"),
        ({"values": VALUES.astype("M8[D]")}, "no ONNX element type"),
        ({"device": OrtDevice(Device("cuda"))}, "live on the host, not on cuda:0"),
    ],
)
def test_bad_coo_tensors_are_refused(changes, text):
    with pytest.raises(InvalidArgument, match=text):
        coo(**changes)


def test_csr_tensors():
    tensor = csr()
    assert tensor.format() is OrtSparseFormat.ORT_SPARSE_CSRC
    assert tensor.as_csrc_view().inner().tolist() == [1, 2, 3]
    assert tensor.as_csrc_view().outer().tolist() == [0, 1, 2, 3]
    assert np.array_equal(tensor.to_dense(), DENSE)
    assert csr(inner=(3, 0, 2), outer=(0, 2, 2, 3)).to_dense()[0].tolist() == [2, 0, 0, 1]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"outer": (0, 1, 2)}, r"outer_indices \[4\] \(rows \+ 1\), got \[3\] and \[3\]"),
        ({"inner": (1, 2)}, r"inner_indices must have the shape \[3\]"),
        ({"inner": (1, 2, 4)}, "inner_indices must be from 0 to below 4, got 1 to 4"),
        ({"outer": (0, 2, 1, 3)}, "must rise from 0 to the number of values"),
        ({"outer": (0, 1, 2, 2)}, "must rise"),
        ({"outer": (1, 1, 2, 3)}, "must rise"),
        ({"inner": (1, 1, 3), "outer": (0, 2, 2, 3)}, "a column twice"),
        ({"shape": [3, 4, 5]}, "two dimensions"),
        ({"device": OrtDevice(Device("cuda"))}, "live on the host"),
    ],
)
def test_bad_csr_tensors_are_refused(changes, text):
    with pytest.raises(InvalidArgument, match=text):
        csr(**changes)


def test_views_of_another_format_are_refused():
    for tensor, method in [(coo(), "as_csrc_view"), (csr(), "as_coo_view"), (coo(), "as_blocksparse_view")]:
        with pytest.raises(InvalidArgument, match="does not contain ORT_SPARSE"):
            getattr(tensor, method)()


def test_block_sparse_values():
    blocks = np.arange(8, dtype=np.int32).reshape(2, 2, 2)
    tensor = SparseTensor(SparseValue("block", (4, 6), blocks, (np.array([[0, 0], [1, 2]], np.int32),)))
    assert tensor.format() is OrtSparseFormat.ORT_SPARSE_BLOCK_SPARSE
    assert tensor.as_blocksparse_view().indices().tolist() == [[0, 0], [1, 2]]
    dense = tensor.to_dense()
    assert dense[:2, :2].tolist() == [[0, 1], [2, 3]]
    assert dense[2:, 4:].tolist() == [[4, 5], [6, 7]]


def test_strings_and_ml_dtypes():
    tensor = coo(values=np.array(["a", "b", "c"]))
    assert tensor.data_type() == "sparse_tensor(string)"
    assert tensor.to_dense()[0].tolist() == ["", "a", "", ""]
    tensor.values()[0] = "z"
    assert tensor.values().tolist() == ["a", "b", "c"]
    half = coo(values=VALUES.astype(ml_dtypes.bfloat16))
    assert half.data_type() == "sparse_tensor(bfloat16)"
    assert float(half.to_dense()[2, 3]) == 3
    assert coo(values=VALUES.astype(">f4")).values().dtype.isnative


def test_there_is_no_copy_to_a_device():
    with pytest.raises(InvalidArgument, match=r"cannot be copied to cuda:0.*to_dense"):
        coo().to_cuda(OrtDevice(Device("cuda")))


def test_wrapping_pickling_and_repr():
    assert SparseTensor(coo()).dense_shape() == SHAPE
    assert np.array_equal(pickle.loads(pickle.dumps(csr())).to_dense(), DENSE)
    assert repr(coo()) == "SparseTensor(sparse_tensor(float) [3, 4], coo, 3 values)"
    with pytest.raises(InvalidArgument, match="wraps a SparseValue, got ndarray"):
        SparseTensor(VALUES)


def test_format_numbers():
    assert [int(f) for f in OrtSparseFormat] == [0, 1, 2, 4]
    assert str(OrtSparseFormat.ORT_SPARSE_CSRC) == "OrtSparseFormat.ORT_SPARSE_CSRC"


@given(hnp.arrays(np.int8, hnp.array_shapes(max_dims=4, min_side=0, max_side=5), elements=st.integers(0, 1)))
def test_dense_to_coo_and_back(array):
    assert np.array_equal(to_dense(from_dense(array)), array)


@given(
    hnp.arrays(np.int8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=6), elements=st.integers(0, 1))
)
def test_dense_to_csr_and_back(array):
    value = from_dense(array, "csr")
    assert value.format == "csr"
    assert np.array_equal(to_dense(value), array)


def test_other_formats_of_dense_are_refused():
    with pytest.raises(InvalidArgument, match="'csr' of a tensor of rank 3"):
        from_dense(np.zeros((1, 1, 1)), "csr")
    assert to_dense(from_dense(np.array(["", "a"], object))).tolist() == ["", "a"]


@given(st.data())
def test_random_indices_never_do_anything_but_fit_or_raise(data):
    shape = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=3))
    count = data.draw(st.integers(0, 5))
    indices = data.draw(
        hnp.arrays(np.int64, st.sampled_from([(count,), (count, len(shape))]), elements=st.integers(-1, 5))
    )
    try:
        value = make_coo(shape, np.ones(count, np.int32), indices)
    except InvalidArgument:
        return
    assert to_dense(value).sum() == count
