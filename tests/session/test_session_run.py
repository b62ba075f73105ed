from __future__ import annotations

import itertools

import numpy as np
import onnx
import pytest
from session_models import ADD, OVERRIDABLE, PASS_THROUGH, TWO_INPUTS, identity, model

import ort_core as ort
from ort_core.errors import InvalidArgument

SUM, DIFFERENCE = [[3, 5], [7, 9], [11, 13]], [[-1, -1], [-1, -1], [-1, -1]]


@pytest.fixture(scope="module")
def two():
    with ort.InferenceSession(TWO_INPUTS) as made:
        yield made


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (None, [SUM, DIFFERENCE]),
        ([], [SUM, DIFFERENCE]),
        ((), [SUM, DIFFERENCE]),
        (["d"], [DIFFERENCE]),
        (("d",), [DIFFERENCE]),
        (["d", "s"], [DIFFERENCE, SUM]),
        (["s", "d", "s"], [SUM, DIFFERENCE, SUM]),
        ({"d"}, [DIFFERENCE]),
        ({"d": 1}.keys(), [DIFFERENCE]),
        (iter(["d", "s"]), [DIFFERENCE, SUM]),
        (np.array(["d", "s"]), [DIFFERENCE, SUM]),
        ([b"d"], [DIFFERENCE]),
    ],
    ids=lambda item: type(item).__name__,
)
def test_outputs_come_as_and_in_the_order_that_they_were_asked_for(two, x, names, expected):
    results = two.run(names, {"a": x, "b": x + 1})
    assert [r.tolist() for r in results] == expected


@pytest.mark.parametrize("names", ["s", b"s", {"s": 1}, 5, [1], [None], [["s"]]], ids=repr)
def test_output_names_of_a_wrong_type_are_a_type_error(two, x, names):
    with pytest.raises(TypeError, match="name"):
        two.run(names, {"a": x, "b": x})


@pytest.mark.parametrize("names", [["z"], ["s", "z"], [""]])
def test_unknown_output_is_refused_with_the_outputs_that_exist(two, x, names):
    with pytest.raises(InvalidArgument, match=r"Invalid output name: z?\. The model's outputs are: s, d"):
        two.run(names, {"a": x, "b": x})


def test_keywords_and_run_options(two, x):
    results = two.run(output_names=["s"], input_feed={"a": x, "b": x}, run_options=ort.RunOptions())
    assert results[0].tolist() == (x + x).tolist()


@pytest.mark.parametrize("options", [1, "x", {}, ort.SessionOptions()], ids=lambda o: type(o).__name__)
def test_run_options_of_a_wrong_type_are_a_type_error(two, x, options):
    with pytest.raises(TypeError, match="RunOptions"):
        two.run(None, {"a": x, "b": x}, options)


def test_result_is_a_list_of_writable_arrays_that_own_their_memory(session, x):
    results = session.run(None, {"x": x})
    assert type(results) is list
    (y,) = results
    assert type(y) is np.ndarray
    assert y.dtype == np.float32
    assert y.shape == (3, 2)
    assert y.flags.writeable
    assert y.flags.c_contiguous
    y[:] = 0
    assert session.run(None, {"x": x})[0].tolist() == np.add(x, [1, 2]).tolist()


def test_outputs_alias_neither_feeds_nor_constants_nor_each_other():
    feed = np.arange(4, dtype=np.float32)
    with ort.InferenceSession(PASS_THROUGH) as session:
        for names in (None, ["x1", "x1", "x2", "c1", "c1", "c2"]):
            results = session.run(names, {"x": feed})
            for a, b in itertools.combinations([*results, feed], 2):
                assert not np.shares_memory(a, b)
            for result in results:
                result[...] = -1
        assert feed.tolist() == [0, 1, 2, 3]
        assert session.run(["c1"], {"x": feed})[0].tolist() == [1, 2]


def test_view_of_a_feed_as_output_is_a_copy():
    views = model(
        "g (float[4] x) => (float[2,2] r, float[1,4] u, float[2] s, float[2,2] t)"
        "<int64[2] shape={2,2}, int64[1] zero={0}, int64[1] two={2}> {"
        " r = Reshape (x, shape) u = Unsqueeze (x, zero) s = Slice (x, zero, two) t = Transpose <perm=[1,0]> (r) }"
    )
    feed = np.arange(4, dtype=np.float32)
    with ort.InferenceSession(views) as session:
        results = session.run(None, {"x": feed})
        for a, b in itertools.combinations([*results, feed], 2):
            assert not np.shares_memory(a, b)
        assert all(r.flags.c_contiguous and r.flags.writeable for r in results)
        assert results[3].tolist() == [[0, 2], [1, 3]]


@pytest.mark.parametrize("level", list(ort.GraphOptimizationLevel))
def test_feeds_are_never_modified(level):
    chain = model(
        "g (float[N] x) => (float[N] y) {"
        " a = Identity (x) b = Relu (a) c = Add (b, a) d = Neg (c) y = Sqrt (b) z = Mul (d, d) }"
    )
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    feed = np.array([4, 9], np.float32)
    with ort.InferenceSession(chain, options) as session:
        for _ in range(3):
            assert session.run(None, {"x": feed})[0].tolist() == [2, 3]
        assert feed.tolist() == [4, 9]


def test_overridable_initializer_takes_its_default_or_the_feed(x):
    with ort.InferenceSession(OVERRIDABLE) as session:
        assert [i.name for i in session.get_inputs()] == ["x"]
        (w,) = session.get_overridable_initializers()
        assert (w.name, w.type, w.shape) == ("w", "tensor(float)", [2])
        assert session.run(None, {"x": x})[0].tolist() == np.add(x, [1, 2]).tolist()
        assert session.run(None, {"x": x, "w": x[0]})[0].tolist() == (x + x[0]).tolist()
        assert session.run(None, {"x": x, "w": None})[0].tolist() == np.add(x, [1, 2]).tolist()
        with pytest.raises(InvalidArgument, match=r"tensor\(double\).*'w'"):
            session.run(None, {"x": x, "w": np.zeros(2)})
        with pytest.raises(InvalidArgument, match="Invalid rank for input: w"):
            session.run(None, {"x": x, "w": x})


def test_overridable_default_that_is_an_output_is_not_aliased():
    proto = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[2] w) => (float[2] y) <float[2] w={1,2}> { y = Identity (w) }'
    )
    with ort.InferenceSession(proto) as session:
        session.run(None, {})[0][:] = 9
        assert session.run(None, {})[0].tolist() == [1, 2]


def test_initializer_that_is_no_input_cannot_be_fed(x):
    with (
        ort.InferenceSession(ADD) as session,
        pytest.raises(InvalidArgument, match=r"Invalid input name: w\..*x: tensor\(float\) \[N, 2\]"),
    ):
        session.run(None, {"x": x, "w": x[0]})


def test_model_without_inputs_and_with_constant_outputs_runs():
    with ort.InferenceSession(model("g () => (float[2] y) <float[2] w={1,2}> { y = Identity (w) }")) as session:
        assert session.get_inputs() == []
        for _ in range(2):
            (y,) = session.run(None, {})
            assert y.tolist() == [1, 2]
            y[:] = 0


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0, 3), (3, 0)])
def test_zero_size_arrays_keep_their_shape(shape):
    dims = ",".join("ABCD"[: len(shape)])
    with ort.InferenceSession(identity(f"int64[{dims}]")) as session:
        (y,) = session.run(None, {"x": np.empty(shape, np.int64)})
        assert (y.dtype, y.shape) == (np.int64, shape)


def test_zero_dimensional_tensors_stay_arrays():
    with ort.InferenceSession(model("g (float x) => (float y) { y = Add (x, x) }")) as session:
        (y,) = session.run(None, {"x": np.array(2, np.float32)})
        assert type(y) is np.ndarray
        assert (y.shape, y.dtype, y.item()) == ((), np.float32, 4)


def test_same_array_for_two_inputs(two, x):
    assert [r.tolist() for r in two.run(None, {"a": x, "b": x})] == [(x + x).tolist(), (x - x).tolist()]


def test_thousand_runs_give_the_same_bits(session, x):
    first = session.run(None, {"x": x})[0].tobytes()
    assert all(session.run(None, {"x": x})[0].tobytes() == first for _ in range(1000))
