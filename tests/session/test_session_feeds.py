from __future__ import annotations

import collections
import logging
import types

import ml_dtypes
import numpy as np
import pytest
from session_models import ADD, TWO_INPUTS, identity, model

import ort_core as ort
from ort_core.errors import InvalidArgument

ALIGNED = np.arange(1, 7, dtype=np.float32).reshape(3, 2)


def unaligned():
    raw = np.zeros(ALIGNED.nbytes + 1, np.uint8)
    raw[1:] = np.frombuffer(ALIGNED.tobytes(), np.uint8)
    return raw[1:].view(np.float32).reshape(3, 2)


class WithArray:
    def __array__(self, dtype=None, copy=None):
        return ALIGNED


class WithDLPack:
    def __dlpack__(self, **keywords):
        return ALIGNED.__dlpack__(**keywords)

    def __dlpack_device__(self):
        return ALIGNED.__dlpack_device__()


LAYOUTS = {
    "dense": ALIGNED,
    "strided": np.repeat(ALIGNED, 2, 0)[::2],
    "Fortran order": np.asfortranarray(ALIGNED),
    "transposed": np.ascontiguousarray(ALIGNED.T).T,
    "reversed twice": ALIGNED[::-1][::-1],
    "big-endian": ALIGNED.astype(">f4"),
    "read-only": np.frombuffer(ALIGNED.tobytes(), np.float32).reshape(3, 2),
    "unaligned": unaligned(),
    "matrix": ALIGNED.view(np.matrix),
    "masked without mask": np.ma.masked_array(ALIGNED),
    "memmap": ALIGNED.view(np.memmap) if hasattr(np.memmap, "__array_finalize__") else ALIGNED,
    "list": ALIGNED.tolist(),
    "tuple of tuples": tuple(map(tuple, ALIGNED.tolist())),
    "list of ints": ALIGNED.astype(int).tolist(),
    "list of arrays": list(ALIGNED),
    "OrtValue": ort.OrtValue.ortvalue_from_numpy(ALIGNED),
    "__array__": WithArray(),
    "__dlpack__": WithDLPack(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_form_of_the_same_numbers_gives_the_same_results(session, layout):
    feed = LAYOUTS[layout]
    (y,) = session.run(None, {"x": feed})
    assert y.tolist() == np.add(ALIGNED, [1, 2]).tolist()
    assert y.dtype == np.float32


def test_broadcast_view_is_taken(session):
    feed = np.broadcast_to(np.float32([1, 2]), (4, 2))
    assert session.run(None, {"x": feed})[0].tolist() == [[2, 4]] * 4


@pytest.mark.parametrize("feed", [types.MappingProxyType({"x": ALIGNED}), collections.OrderedDict(x=ALIGNED)])
def test_any_mapping_is_a_feed(session, feed):
    assert session.run(None, feed)[0].shape == (3, 2)


@pytest.mark.parametrize(
    "feed", [None, [], [ALIGNED], ALIGNED, "x", [("x", ALIGNED)], {"x"}, dict], ids=lambda f: type(f).__name__
)
def test_feed_that_is_no_mapping_is_a_type_error(session, feed):
    with pytest.raises(TypeError, match="input_feed takes a dict"):
        session.run(None, feed)


@pytest.mark.parametrize(
    ("feed", "message"),
    [
        ({}, r"Required inputs \(\['x'\]\) are missing from input feed \(\[\]\)"),
        ({"z": ALIGNED}, r"Required inputs \(\['x'\]\) are missing"),
        ({1: ALIGNED}, r"Required inputs \(\['x'\]\) are missing"),
        ({"x": ALIGNED, "z": ALIGNED}, "Invalid input name: z"),
        ({"x": None}, r"Actual: \(None\) , expected: \(tensor\(float\)\) for input 'x'"),
        ({"x": ALIGNED.astype(np.float64)}, r"Actual: \(tensor\(double\)\) , expected: \(tensor\(float\)\)"),
        ({"x": ALIGNED.astype(np.float16)}, r"Actual: \(tensor\(float16\)\)"),
        ({"x": ALIGNED.astype(np.int32)}, r"Actual: \(tensor\(int32\)\).*astype\(numpy.float32\)"),
        ({"x": ALIGNED.astype(ml_dtypes.bfloat16)}, r"Actual: \(tensor\(bfloat16\)\)"),
        ({"x": ALIGNED.astype(np.complex64)}, r"Actual: \(tensor\(complex64\)\)"),
        ({"x": ALIGNED.astype(object)}, r"Actual: \(tensor\(string\)\)"),
        ({"x": ALIGNED.astype("U")}, r"Actual: \(tensor\(string\)\)"),
        ({"x": ALIGNED.astype("M8[s]")}, "datetime64"),
        ({"x": np.zeros(3, [("a", "f4"), ("b", "f4")])}, "no ONNX element type"),
        ({"x": np.ma.masked_less(ALIGNED, 3)}, "mask"),
        ({"x": ALIGNED[0]}, "Invalid rank for input: x Got: 1 Expected: 2"),
        ({"x": ALIGNED[None]}, "Invalid rank for input: x Got: 3 Expected: 2"),
        ({"x": np.float32(1)}, "Invalid rank for input: x Got: 0 Expected: 2"),
        ({"x": 1.0}, "Invalid rank for input: x Got: 0 Expected: 2"),
        ({"x": ALIGNED.T}, "Got invalid dimensions for input: x .* index: 1 Got: 3 Expected: 2"),
        ({"x": [[1, 2], [3]]}, "could not create a tensor"),
        ({"x": [["a", "b"]]}, "do not fit"),
        ({"x": [[1, "b"]]}, "do not fit"),
        ({"x": [[None, 1]]}, "could not create a tensor"),
        ({"x": "text"}, "do not fit"),
        ({"x": {}}, "a Python dict"),
        ({"x": object()}, "a Python object"),
        ({"x": [[1e39, 0]]}, "do not fit"),
        ({"x": [[1j, 0]]}, "do not fit"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_wrong_feed_is_refused_with_what_was_expected(session, feed, message):
    with pytest.raises(InvalidArgument, match=message) as info:
        session.run(None, feed)
    assert isinstance(info.value, ValueError)
    assert "x" in str(info.value)


@pytest.mark.parametrize(
    "name", ["float", "double", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"]
)
def test_each_plain_type_passes_exactly(name):
    dtype = np.dtype({"float": "float32", "double": "float64"}.get(name, name))
    array = (
        np.array([np.iinfo(dtype).min, 0, np.iinfo(dtype).max], dtype)
        if dtype.kind in "iu"
        else np.array([0, 1, 1], dtype)
    )
    with ort.InferenceSession(identity(f"{name}[N]")) as session:
        (y,) = session.run(None, {"x": array})
        assert y.dtype == dtype
        assert y.tobytes() == array.tobytes()


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("float16", np.float16),
        ("bfloat16", ml_dtypes.bfloat16),
        ("float8e4m3fn", ml_dtypes.float8_e4m3fn),
        ("float8e5m2", ml_dtypes.float8_e5m2),
        ("int4", ml_dtypes.int4),
        ("uint4", ml_dtypes.uint4),
        ("complex64", np.complex64),
        ("complex128", np.complex128),
    ],
)
def test_each_special_type_passes_exactly(name, dtype):
    array = np.array([0, 1, 2, 3]).astype(dtype)
    with ort.InferenceSession(identity(f"{name}[N]", opset=21, ir_version=10)) as session:
        assert session.get_inputs()[0].type == f"tensor({name})"
        (y,) = session.run(None, {"x": array})
        assert y.dtype == np.dtype(dtype)
        assert y.tobytes() == array.tobytes()


def test_nan_and_signed_zero_keep_their_bits():
    array = np.array([0x7FC00001, 0xFFC12345, 0x80000000, 0x7F800000], np.uint32).view(np.float32)
    with ort.InferenceSession(identity("float[N]")) as session:
        assert session.run(None, {"x": array})[0].tobytes() == array.tobytes()


@pytest.mark.parametrize(
    "texts",
    [
        np.array(["a", "", "höß", "\0x"], object),
        np.array(["a", "", "höß", "b\0x"]),
        np.array([b"a", b"xyz"]),
        np.array([b"a", "mixed", 3], object),
        ["a", "b"],
        np.array([], object),
        np.array(["a", "b", "c", "d"], object)[::2],
        np.array(["\U0001d518", "\U0010ffff"], object),
    ],
    ids=lambda t: str(getattr(t, "dtype", "list")),
)
def test_strings_of_any_numpy_kind_come_back_as_str_objects(texts):
    with ort.InferenceSession(identity("string[N]")) as session:
        (y,) = session.run(None, {"x": texts})
        assert y.dtype == object
        expected = [t.decode() if isinstance(t, bytes) else str(t) for t in texts]
        assert y.tolist() == expected
        assert all(type(t) is str for t in y)


def test_bytes_that_are_not_utf8_are_refused():
    with (
        ort.InferenceSession(identity("string[N]")) as session,
        pytest.raises(InvalidArgument, match="'x' are not UTF-8"),
    ):
        session.run(None, {"x": np.array([b"\xff"])})


def test_scalar_inputs_take_python_numbers():
    with ort.InferenceSession(model("g (int64 x) => (int64 y) { y = Add (x, x) }")) as session:
        for feed in (2, np.int64(2), np.array(2), True):
            assert session.run(None, {"x": feed})[0].item() == 2 * int(feed)
        for feed in (2.5, "2", 2**63, np.int32(2), np.array([2])):
            with pytest.raises(InvalidArgument):
                session.run(None, {"x": feed})


def test_empty_lists_take_the_declared_type():
    with ort.InferenceSession(identity("int64[N]")) as session:
        (y,) = session.run(None, {"x": []})
        assert (y.dtype, y.shape) == (np.int64, (0,))


def test_dimensions_that_disagree_warn_once_for_each_name(caplog):
    a, b = np.ones((3, 2), np.float32), np.ones((1, 2), np.float32)
    with ort.InferenceSession(TWO_INPUTS) as session:
        caplog.clear()
        for _ in range(3):
            assert session.run(["s"], {"a": a, "b": b})[0].shape == (3, 2)
        warnings = [r for r in caplog.records if r.levelno == logging.WARNING]
        assert len(warnings) == 1
        assert "dimension 'N' is 3 in input 'a' and 1 in input 'b'" in caplog.text


def test_dimensions_that_disagree_raise_with_strict_shapes():
    options = ort.SessionOptions()
    options.add_session_config_entry("session.strict_shapes", "1")
    a, b = np.ones((3, 2), np.float32), np.ones((1, 2), np.float32)
    with ort.InferenceSession(TWO_INPUTS, options) as session:
        assert session.run(["s"], {"a": a, "b": a})[0].shape == (3, 2)
        with pytest.raises(InvalidArgument, match="dimension 'N' is 3 in input 'a' and 1 in input 'b'"):
            session.run(["s"], {"a": a, "b": b})


def test_symbolic_dimension_used_twice_in_one_input(caplog):
    with ort.InferenceSession(model("g (float[N,N] x) => (float[N,N] y) { y = Neg (x) }")) as session:
        caplog.clear()
        session.run(None, {"x": np.ones((2, 2), np.float32)})
        assert caplog.text == ""
        session.run(None, {"x": np.ones((2, 3), np.float32)})
        assert "'N' is 2 in input 'x' and 3 in input 'x'" in caplog.text


def test_input_of_unknown_rank_takes_any():
    with ort.InferenceSession(identity("float[]")) as session:
        for shape in ((), (3,), (1, 2, 3)):
            assert session.run(None, {"x": np.ones(shape, np.float32)})[0].shape == shape


def test_feed_survives_a_failed_run_unchanged(session):
    feed = {"x": ALIGNED, "z": 1}
    with pytest.raises(InvalidArgument):
        session.run(None, feed)
    assert list(feed) == ["x", "z"]
    assert session.run(None, {"x": ALIGNED})[0].shape == (3, 2)


def test_input_with_an_odd_name_can_be_fed():
    proto = onnx_with_input("a b/c:0 é")
    with ort.InferenceSession(proto) as session:
        assert session.run(None, {"a b/c:0 é": ALIGNED})[0].shape == (3, 2)


def onnx_with_input(name):
    import onnx

    proto = onnx.load_from_string(ADD)
    proto.graph.input[0].name = name
    proto.graph.node[0].input[0] = name
    return proto


class Raises:
    def __array__(self, dtype=None, copy=None):
        raise KeyError("no array today")


def odd_objects():
    recursive = []
    recursive.append(recursive)
    return [
        Raises(), [Raises()], recursive, object(), print, int, ..., {1, 2}, range(2), (i for i in range(2)), 1j, 10**400,
        np.zeros(2, "V2"), np.zeros(2, np.clongdouble), np.datetime64("2020-01-01"), np.array([[1], [1, 2]], object),
        [[2**64]], [[None]], "text", b"bytes", np.zeros((1,) * 40, np.float32), NotImplemented,
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["float[N,2]", "int64[N,2]", "complex64[N,2]", "string[N,2]", "bool[N,2]"])
def test_odd_objects_are_refused_without_other_exceptions(kind):
    with ort.InferenceSession(identity(kind)) as session:
        for item in odd_objects():
            with pytest.raises(InvalidArgument):
                session.run(None, {"x": item})


def test_numbers_that_overflow_the_declared_type_are_refused():
    for kind, number in (("float", 1e300), ("complex64", 1e300), ("uint8", 256), ("int8", -129), ("float16", 1e6)):
        with (
            ort.InferenceSession(identity(f"{kind}[N]")) as session,
            pytest.raises(InvalidArgument, match="do not fit"),
        ):
            session.run(None, {"x": [number]})
