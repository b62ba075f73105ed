from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ort_core.convert import check_shape, to_python, to_runtime_value
from ort_core.devices import Device
from ort_core.errors import InvalidArgument
from ort_core.ir.types import (
    ElementType,
    MapType,
    OptionalType,
    SequenceType,
    SparseTensorType,
    TensorType,
)
from ort_core.memory.transfer import to_device, to_host
from ort_core.ort_device import OrtDevice
from ort_core.ort_value import OrtValue
from ort_core.sparse import SparseTensor
from ort_core.values import DeviceTensor, SparseValue

E = ElementType
HOST_DEVICE = OrtDevice.make("cpu", 0)


def tensor(element, shape=None):
    return TensorType(element, shape)


def test_a_fitting_array_is_taken_as_it_is():
    array = np.ones((2, 3), np.float32)
    assert to_runtime_value(array, tensor(E.FLOAT, ("N", 3)), "x") is array
    assert to_runtime_value(array, None, "x") is array
    bf16 = array.astype(ml_dtypes.bfloat16)
    assert to_runtime_value(bf16, tensor(E.BFLOAT16), "x") is bf16
    text = np.array(["a"], object)
    assert to_runtime_value(text, tensor(E.STRING), "x") is text


@pytest.mark.parametrize(
    "make", [np.asfortranarray, lambda a: a[::-1], lambda a: a.astype(">f4"), lambda a: a.T.copy().T]
)
def test_other_layouts_are_copied(make):
    array = make(np.arange(6, dtype=np.float32).reshape(2, 3))
    value = to_runtime_value(array, tensor(E.FLOAT, (2, 3)), "x")
    assert value.flags.c_contiguous
    assert value.dtype == np.float32
    assert np.array_equal(value, array)


def test_a_wrong_type_names_input_types_and_remedy():
    with pytest.raises(InvalidArgument) as info:
        to_runtime_value(np.ones((2, 3)), tensor(E.FLOAT, (2, 3)), "pixels")
    text = str(info.value)
    assert "Unexpected input data type. Actual: (tensor(double)) , expected: (tensor(float))" in text
    assert "'pixels'" in text
    assert "[2, 3]" in text
    assert ".astype(numpy.float32)" in text


@pytest.mark.parametrize(
    ("obj", "declared", "remedy"),
    [
        (np.ones(2, np.uint16), tensor(E.BFLOAT16), ".view(ml_dtypes.bfloat16)"),
        (np.ones(2, np.float32), tensor(E.BFLOAT16), ".astype(ml_dtypes.bfloat16)"),
        (np.ones(2, np.float32), tensor(E.STRING), ".astype(str)"),
        (np.array(["a"]), tensor(E.FLOAT), "Actual: (tensor(string))"),
        (np.array([1.0], object), tensor(E.FLOAT), "Actual: (tensor(string))"),
        (None, tensor(E.FLOAT), "Actual: (None)"),
        ({}, tensor(E.FLOAT), "a Python dict"),
        (object(), tensor(E.FLOAT), "a Python object"),
        (range(3), tensor(E.FLOAT), "a Python range"),
        (np.ones(2), SequenceType(tensor(E.FLOAT)), "Pass a list"),
        (np.ones(2), MapType(E.STRING, tensor(E.FLOAT)), "Pass a dict"),
        (OrtValue([np.ones(2)]), tensor(E.DOUBLE), "Actual: (seq(tensor(double)))"),
        (OrtValue(np.ones(2)), tensor(E.FLOAT), "Actual: (tensor(double))"),
        (SparseValue("coo", (2,), np.ones(1, np.float32), (np.zeros(1, int),)), tensor(E.FLOAT), "to_dense()"),
        (np.ones(2), SparseTensorType(E.DOUBLE), "expected: (sparse_tensor(double))"),
        (np.array(["2020"], "M8[Y]"), tensor(E.FLOAT), "no ONNX element type"),
        (np.ones(2, np.complex64), tensor(E.FLOAT), "Actual: (tensor(complex64))"),
    ],
)
def test_mismatches_say_what_to_do(obj, declared, remedy):
    with pytest.raises(InvalidArgument) as info:
        to_runtime_value(obj, declared, "x")
    assert remedy in str(info.value)
    assert "'x'" in str(info.value)


def test_shapes_are_checked_against_the_declared_ones():
    declared = tensor(E.FLOAT, ("N", 3, None))
    assert to_runtime_value(np.ones((7, 3, 2), np.float32), declared, "x").shape == (7, 3, 2)
    with pytest.raises(InvalidArgument, match=r"Invalid rank for input: x Got: 1 Expected: 3.*\[N, 3, \?\]"):
        to_runtime_value(np.ones(3, np.float32), declared, "x")
    with pytest.raises(InvalidArgument, match=r"Got invalid dimensions for input: x .* index: 1 Got: 4 Expected: 3"):
        to_runtime_value(np.ones((7, 4, 2), np.float32), declared, "x")
    with pytest.raises(InvalidArgument, match="for output: y"):
        check_shape((1,), (2,), "y", "output")


@pytest.mark.parametrize(
    ("values", "element", "want"),
    [
        ([[1, 2], [3, 4]], E.FLOAT, [[1, 2], [3, 4]]),
        (((1, 2, 3),), E.FLOAT, [[1, 2, 3]]),
        ([1.5, 2], E.FLOAT16, [1.5, 2]),
        ([1, 2], E.INT64, [1, 2]),
        ([1.0, 2.0], E.INT32, [1, 2]),
        ([True, False], E.INT8, [1, 0]),
        ([1, 0], E.BOOL, [True, False]),
        ([-8, 7], E.INT4, [-8, 7]),
        ([1.5, -2], E.BFLOAT16, [1.5, -2]),
        ([1 << 63], E.UINT64, [1 << 63]),
        ([np.int64(1), np.int64(2)], E.INT32, [1, 2]),
        ([1 + 2j], E.COMPLEX64, [1 + 2j]),
        (["a", 1, None, 2.5, b"b"], E.STRING, ["a", "1", "None", "2.5", "b"]),
        ([], E.FLOAT, []),
        ([[], []], E.INT64, [[], []]),
        (3.0, E.FLOAT, 3.0),
        (3, E.FLOAT, 3.0),
        (True, E.BOOL, True),
        ("text", E.STRING, "text"),
    ],
)
def test_python_values_take_the_declared_type(values, element, want):
    value = to_runtime_value(values, tensor(element), "x")
    assert value.dtype == element.dtype
    assert value.tolist() == want


@pytest.mark.parametrize(
    ("values", "element"),
    [
        ([1.5, 2], E.INT64),
        ([1 << 40], E.INT32),
        ([-1], E.UINT64),
        ([1 << 63], E.INT64),
        ([8], E.INT4),
        ([2], E.BOOL),
        ([float("nan")], E.INT64),
        ([1e300], E.FLOAT),
        ([1e6], E.FLOAT16),
        ([1j], E.FLOAT),
        (["1"], E.FLOAT),
    ],
)
def test_python_values_that_would_change_are_refused(values, element):
    with pytest.raises(InvalidArgument, match=r"for input 'x' do not fit tensor\("):
        to_runtime_value(values, tensor(element), "x")


@pytest.mark.parametrize("values", [[[1, 2], [1]], [1, {}], [1 << 100]])
def test_lists_that_are_no_tensor_are_refused(values):
    with pytest.raises(InvalidArgument, match="could not create a tensor from the values given for input 'x'"):
        to_runtime_value(values, tensor(E.FLOAT), "x")


def test_numpy_scalars_keep_their_type():
    assert to_runtime_value(np.float32(2), tensor(E.FLOAT), "x").shape == ()
    with pytest.raises(InvalidArgument, match=r"tensor\(double\)"):
        to_runtime_value(np.float64(2), tensor(E.FLOAT), "x")


def test_strings_in_every_form():
    declared = tensor(E.STRING)
    for array in (np.array(["a", "é"]), np.array(["a", "é".encode()], object), np.array([b"a", "é".encode()])):
        value = to_runtime_value(array, declared, "x")
        assert value.tolist() == ["a", "é"]
        assert value.dtype == object
    with pytest.raises(InvalidArgument, match="'x' are not UTF-8"):
        to_runtime_value(np.array([b"\xff"]), declared, "x")


def test_values_of_ours_are_unwrapped():
    array = np.ones(2, np.float32)
    assert to_runtime_value(OrtValue(array), tensor(E.FLOAT), "x") is array
    sparse = SparseTensor.sparse_coo_from_numpy([3], array[:1], np.array([1]), HOST_DEVICE)
    for obj in (sparse, OrtValue.ort_value_from_sparse_tensor(sparse), sparse.value):
        assert to_runtime_value(obj, SparseTensorType(E.FLOAT, ("N",)), "x") is sparse.value
    with pytest.raises(InvalidArgument, match="index: 0 Got: 3 Expected: 4"):
        to_runtime_value(sparse, SparseTensorType(E.FLOAT, (4,)), "x")


class DLTensor:
    """A tensor of another library."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **kwargs):
        return self.array.__dlpack__(**kwargs)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class ArrayLike:
    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


def test_tensors_of_other_libraries_share_their_memory():
    array = np.arange(4, dtype=np.float32)
    assert np.shares_memory(to_runtime_value(DLTensor(array), tensor(E.FLOAT), "x"), array)
    assert np.shares_memory(to_runtime_value(ArrayLike(array), tensor(E.FLOAT), "x"), array)
    assert to_runtime_value(DLTensor(array[::-1]), tensor(E.FLOAT), "x").tolist() == [3, 2, 1, 0]
    with pytest.raises(InvalidArgument, match=r"Actual: \(tensor\(float\)\)"):
        to_runtime_value(DLTensor(array), tensor(E.DOUBLE), "x")


def test_the_array_form_is_the_second_choice():
    class Both(ArrayLike):
        def __dlpack__(self, **kwargs):
            raise BufferError("not now")

    assert to_runtime_value(Both(np.ones(2, np.float32)), tensor(E.FLOAT), "x").tolist() == [1, 1]


def test_a_library_that_refuses_is_quoted():
    class Refuses:
        def __dlpack__(self, **kwargs):
            raise RuntimeError("requires grad")

        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("call detach() first")

    with pytest.raises(InvalidArgument, match=r"cannot take the Refuses for input 'x': call detach\(\) first"):
        to_runtime_value(Refuses(), tensor(E.FLOAT), "x")


def test_device_tensors_stay_where_they_are(fake):
    held = to_device(np.arange(3, dtype=np.float32), Device("fake"))
    assert to_runtime_value(held, tensor(E.FLOAT, (3,)), "x") is held
    shared = to_runtime_value(OrtValue(held), tensor(E.FLOAT), "x")
    assert shared is held
    imported = to_runtime_value(DeviceTensorOfOthers(held), tensor(E.FLOAT), "x")
    assert isinstance(imported, DeviceTensor)
    assert to_host(imported).tolist() == [0, 1, 2]
    with pytest.raises(InvalidArgument, match=r"Actual: \(tensor\(float\)\)"):
        to_runtime_value(held, tensor(E.DOUBLE), "x")


class DeviceTensorOfOthers(DLTensor):
    device = Device("fake")


def test_sequences():
    declared = SequenceType(tensor(E.FLOAT, ("N",)))
    a = np.ones(2, np.float32)
    value = to_runtime_value([a, [1.0, 2.0, 3.0], OrtValue(a)], declared, "s")
    assert value[0] is a
    assert value[1].dtype == np.float32
    assert value[2] is a
    assert to_runtime_value((a,), declared, "s")[0] is a
    assert to_runtime_value(OrtValue([a]), declared, "s")[0] is a
    assert to_runtime_value([], declared, "s") == []
    with pytest.raises(InvalidArgument, match=r"'s\[1\]'"):
        to_runtime_value([a, a.astype(np.float64)], declared, "s")


def test_maps():
    declared = MapType(E.STRING, tensor(E.FLOAT, ()))
    value = to_runtime_value({"a": 1, "b": np.float32(2.5)}, declared, "m")
    assert value == {"a": 1.0, "b": 2.5}
    assert all(type(v) is float for v in value.values())
    assert to_runtime_value({}, declared, "m") == {}
    ints = MapType(E.INT64, tensor(E.STRING))
    assert to_runtime_value({1: "x", np.int64(2): "y"}, ints, "m") == {1: "x", 2: "y"}
    with pytest.raises(InvalidArgument, match=r"'m': the key 1 is int, expected: \(map\(string,tensor\(float\)\)\)"):
        to_runtime_value({1: 1.0}, declared, "m")
    with pytest.raises(InvalidArgument, match=r"m\['a'\]"):
        to_runtime_value({"a": "z"}, declared, "m")
    many = to_runtime_value([{"a": 1}], SequenceType(declared), "m")
    assert many == [{"a": 1.0}]
    arrays = MapType(E.STRING, tensor(E.INT64))
    assert to_runtime_value({"a": np.arange(3)}, arrays, "m")["a"].tolist() == [0, 1, 2]


def test_optionals():
    declared = OptionalType(tensor(E.FLOAT))
    assert to_runtime_value(None, declared, "o") is None
    assert to_runtime_value(OrtValue(None), declared, "o") is None
    a = np.ones(2, np.float32)
    assert to_runtime_value(a, declared, "o") is a
    assert to_runtime_value([1.0], declared, "o").dtype == np.float32
    with pytest.raises(InvalidArgument, match=r"tensor\(double\)"):
        to_runtime_value(np.ones(2), declared, "o")


def test_undeclared_types_come_from_the_value():
    assert to_runtime_value([1, 2], None, "x").dtype == np.int64
    assert [v.shape for v in to_runtime_value([np.ones(2), np.ones(3)], None, "x")] == [(2,), (3,)]
    assert to_runtime_value(None, None, "x") is None
    assert to_runtime_value({"a": 1.0}, None, "x") == {"a": 1.0}


def test_results_for_the_user(fake):
    a = np.ones(2)
    assert to_python(a) is a
    assert to_python(to_device(a, Device("fake"))).tolist() == [1, 1]
    assert isinstance(to_python(SparseValue("coo", (2,), a, (np.arange(2),))), SparseTensor)
    assert to_python([to_device(a, Device("fake")), None])[0].tolist() == [1, 1]
    assert to_python({"a": 1.0}) == {"a": 1.0}
    assert to_python(None) is None


@given(
    hnp.arrays(
        st.sampled_from([np.float32, ">f4", np.int16, ">i8", np.uint8, np.complex64]),
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
        elements=st.integers(0, 100),
    ),
    st.data(),
)
def test_any_view_of_any_array_keeps_its_elements(array, data):
    view = array
    if array.ndim:
        view = array[tuple(slice(None, None, data.draw(st.sampled_from([1, -1, 2]))) for _ in array.shape)]
        view = view.transpose(data.draw(st.permutations(range(array.ndim))))
    declared = tensor(ElementType.from_dtype(array.dtype.newbyteorder("=")), view.shape)
    value = to_runtime_value(view, declared, "x")
    assert value.flags.c_contiguous
    assert value.dtype.isnative
    assert value.shape == view.shape
    assert np.array_equal(value, view)
