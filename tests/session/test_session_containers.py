from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from session_models import graph_model, graph_proto, info, tensor

import ort_core as ort
from ort_core.errors import InvalidArgument, InvalidGraph

FLOATS = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
VECTOR = helper.make_tensor_type_proto(TensorProto.FLOAT, ["n"])
SEQUENCE = helper.make_sequence_type_proto(FLOATS)
OPTIONAL = helper.make_optional_type_proto(VECTOR)
X = np.array([[1, 2], [3, 4], [5, 6]], np.float32)


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs, outputs, **attributes)


def results(source, feed, names=None):
    with ort.InferenceSession(source) as session:
        return session.run(names, feed)


def sequences(element=FLOATS):
    kind = helper.make_sequence_type_proto(element)
    return graph_model([node("Identity", ["x"], ["y"])], [info("x", kind)], [info("y", kind)])


@pytest.mark.parametrize("feed", [[X, X[0]], (X,), [], [X[:0], np.float32(3)], [[1.0, 2.0]]], ids=lambda f: str(len(f)))
def test_sequence_goes_in_and_comes_out_as_a_list(feed):
    (y,) = results(sequences(), {"x": feed})
    assert type(y) is list
    assert [a.tolist() for a in y] == [np.asarray(a, np.float32).tolist() for a in feed]
    for given, got in zip(feed, y, strict=True):
        assert got.dtype == np.float32
        assert not np.shares_memory(np.asarray(given), got)
        got[...] = 0


@pytest.mark.parametrize(
    ("feed", "message"),
    [
        (X, r"expected: \(seq\(tensor\(float\)\)\) for input 'x'"),
        (None, r"Actual: \(None\)"),
        ([X.astype(np.float64)], r"Actual: \(tensor\(double\)\).*'x\[0\]'"),
        ([X, None], r"Actual: \(None\).*'x\[1\]'"),
        ({"a": X}, "Pass a list"),
    ],
)
def test_wrong_sequence_is_refused(feed, message):
    with pytest.raises(InvalidArgument, match=message):
        results(sequences(), {"x": feed})


def test_sequence_of_strings():
    element = helper.make_tensor_type_proto(TensorProto.STRING, None)
    (y,) = results(sequences(element), {"x": [np.array(["a", "b"]), np.array([["c"]], object)]})
    assert [a.tolist() for a in y] == [["a", "b"], [["c"]]]
    assert all(a.dtype == object for a in y)


def test_sequence_made_inside():
    source = graph_model(
        [node("SequenceConstruct", ["a", "b"], ["s"]), node("SequenceAt", ["s", "i"], ["y"])],
        [tensor("a", None), tensor("b", None), tensor("i", [], TensorProto.INT64)],
        [info("s", SEQUENCE), tensor("y", None)],
    )
    s, y = results(source, {"a": X, "b": X[0], "i": np.array(-1)})
    assert [a.tolist() for a in s] == [X.tolist(), X[0].tolist()]
    assert y.tolist() == X[0].tolist()
    assert not np.shares_memory(s[1], y)


def test_empty_sequence_made_inside_and_through_ort_values():
    source = graph_model([node("SequenceEmpty", [], ["s"], dtype=TensorProto.FLOAT)], [], [info("s", SEQUENCE)])
    assert results(source, {}) == [[]]
    with ort.InferenceSession(source) as session:
        (value,) = session.run_with_ort_values(None, {})
        assert value.is_tensor_sequence()
        assert value.data_type() == "seq(tensor(float))"


def optionals(kind=OPTIONAL):
    return graph_model(
        [node("OptionalHasElement", ["x"], ["has"]), node("Identity", ["x"], ["y"])],
        [info("x", kind)],
        [tensor("has", [], TensorProto.BOOL), info("y", kind)],
        opset=18,
    )


@pytest.mark.parametrize(
    ("feed", "has", "y"), [({"x": X[0]}, True, [1, 2]), ({"x": None}, False, None), ({}, False, None)], ids=str
)
def test_optional_is_a_value_none_or_missing(feed, has, y):
    found = results(optionals(), feed)
    assert found[0].item() is has
    assert (None if found[1] is None else found[1].tolist()) == y


def test_optional_sequence():
    kind = helper.make_optional_type_proto(SEQUENCE)
    has, y = results(optionals(kind), {"x": [X, X]})
    assert has.item() is True
    assert [a.tolist() for a in y] == [X.tolist()] * 2
    assert results(optionals(kind), {"x": []})[1] == []
    assert results(optionals(kind), {"x": None})[1] is None


def test_wrong_optional_is_refused():
    with pytest.raises(InvalidArgument, match=r"tensor\(double\)"):
        results(optionals(), {"x": X[0].astype(np.float64)})


def test_optional_made_inside():
    source = graph_model(
        [node("Optional", ["x"], ["full"]), node("Optional", [], ["empty"], type=VECTOR)],
        [tensor("x", ["n"])],
        [info("full", OPTIONAL), info("empty", OPTIONAL)],
    )
    full, empty = results(source, {"x": X[0]})
    assert full.tolist() == [1, 2]
    assert empty is None


def zipmap(**labels):
    key = TensorProto.STRING if "classlabels_strings" in labels else TensorProto.INT64
    kind = helper.make_sequence_type_proto(helper.make_map_type_proto(key, FLOATS))
    return graph_model(
        [node("ZipMap", ["x"], ["z"], domain="ai.onnx.ml", **labels)],
        [tensor("x", ["n", 2])],
        [info("z", kind)],
        domains=[("ai.onnx.ml", 1)],
    )


@pytest.mark.parametrize(
    ("labels", "expected"),
    [({"classlabels_strings": ["p", "q"]}, {"p": 1.0, "q": 2.0}), ({"classlabels_int64s": [7, 9]}, {7: 1.0, 9: 2.0})],
)
def test_maps_come_out_as_dictionaries_of_python_numbers(labels, expected):
    (z,) = results(zipmap(**labels), {"x": X})
    assert len(z) == 3
    assert z[0] == expected
    assert all(type(k) in (str, int) and type(v) is float for item in z for k, v in item.items())


def cast_map():
    kind = helper.make_map_type_proto(TensorProto.INT64, FLOATS)
    return graph_model(
        [node("CastMap", ["x"], ["y"], domain="ai.onnx.ml", cast_to="TO_FLOAT", map_form="DENSE")],
        [info("x", kind)],
        [tensor("y", None)],
        domains=[("ai.onnx.ml", 1)],
    )


def test_maps_go_in_as_dictionaries():
    feed = {0: 1.5, np.int64(2): np.float32(3)}
    (y,) = results(cast_map(), {"x": feed})
    assert sorted(y.reshape(-1).tolist()) == [1.5, 3.0]
    assert len(feed) == 2


@pytest.mark.parametrize(
    ("feed", "message"),
    [({"a": 1.0}, "the key 'a' is str"), ([1.0], "Pass a dict"), (None, r"Actual: \(None\)"), ({1: "a"}, "do not fit")],
    ids=str,
)
def test_wrong_map_is_refused(feed, message):
    with pytest.raises(InvalidArgument, match=message):
        results(cast_map(), {"x": feed})


def sparse_tensor(indices, dims=(2, 2), name="w"):
    values = helper.make_tensor(name, TensorProto.FLOAT, [2], [3, 4])
    index = helper.make_tensor(f"{name}_idx", TensorProto.INT64, np.shape(indices), np.ravel(indices).tolist())
    return helper.make_sparse_tensor(values, index, list(dims))


def with_sparse_initializer(sparse, nodes, outputs):
    proto = graph_proto(nodes, [tensor("x", [3, 2])], outputs)
    proto.graph.sparse_initializer.append(sparse)
    return proto.SerializeToString()


@pytest.mark.parametrize("indices", [[0, 3], [[0, 0], [1, 1]]])
def test_sparse_initializer_is_dense_for_operators(indices):
    source = with_sparse_initializer(sparse_tensor(indices), [node("MatMul", ["x", "w"], ["y"])], [tensor("y", [3, 2])])
    assert results(source, {"x": X})[0].tolist() == (X * [3, 4]).tolist()


def test_sparse_initializer_used_in_a_body():
    then = helper.make_graph([node("MatMul", ["x", "w"], ["t"])], "then", [], [tensor("t", [3, 2])])
    other = helper.make_graph([node("Neg", ["x"], ["e"])], "else", [], [tensor("e", [3, 2])])
    proto = graph_proto(
        [node("If", ["c"], ["y"], then_branch=then, else_branch=other)],
        [tensor("x", [3, 2]), tensor("c", [], TensorProto.BOOL)],
        [tensor("y", [3, 2])],
    )
    proto.graph.sparse_initializer.append(sparse_tensor([0, 3]))
    assert results(proto.SerializeToString(), {"x": X, "c": np.array(True)})[0].tolist() == (X * [3, 4]).tolist()


def test_sparse_initializer_as_output_stays_sparse():
    kind = helper.make_sparse_tensor_type_proto(TensorProto.FLOAT, [2, 2])
    source = with_sparse_initializer(
        sparse_tensor([0, 3]), [node("Identity", ["x"], ["y"])], [tensor("y", [3, 2]), info("w", kind)]
    )
    w = results(source, {"x": X})[1]
    assert isinstance(w, ort.SparseTensor)
    assert list(w.dense_shape()) == [2, 2]
    assert w.values().tolist() == [3, 4]


@pytest.mark.parametrize("indices", [[0, 4], [-1, 0], [[0, 0], [2, 0]], [[0, -1], [1, 1]]])
def test_sparse_initializer_with_an_index_outside_is_refused(indices):
    source = with_sparse_initializer(sparse_tensor(indices), [node("MatMul", ["x", "w"], ["y"])], [tensor("y", [3, 2])])
    with pytest.raises(InvalidGraph, match=r"sparse constant 'w'.*outside"):
        ort.InferenceSession(source)


def test_sparse_tensor_goes_in_and_out():
    kind = helper.make_sparse_tensor_type_proto(TensorProto.FLOAT, [2, 2])
    source = graph_model(
        [node("Identity", ["x"], ["y"])], [info("s", kind), tensor("x", [1])], [tensor("y", [1]), info("s", kind)]
    )
    given = ort.SparseTensor.sparse_coo_from_numpy(
        np.array([2, 2]), np.float32([3, 4]), np.array([0, 3]), ort.OrtDevice.make("cpu", 0)
    )
    with ort.InferenceSession(source) as session:
        assert session.get_inputs()[0].type == "sparse_tensor(float)"
        for feed in (given, ort.OrtValue.ort_value_from_sparse_tensor(given)):
            s = session.run(["s"], {"s": feed, "x": X[0, :1]})[0]
            assert s.values().tolist() == [3, 4]
            assert not np.shares_memory(s.values(), given.values())
        with pytest.raises(InvalidArgument, match="sparse_tensor"):
            session.run(None, {"s": np.zeros((2, 2), np.float32), "x": X[0, :1]})


def test_constant_node_with_sparse_value_is_dense():
    source = graph_model(
        [node("Constant", [], ["w"], sparse_value=sparse_tensor([0, 3])), node("MatMul", ["x", "w"], ["y"])],
        [tensor("x", [3, 2])],
        [tensor("y", [3, 2])],
    )
    for level in ort.GraphOptimizationLevel:
        options = ort.SessionOptions()
        options.graph_optimization_level = level
        with ort.InferenceSession(source, options) as session:
            assert session.run(None, {"x": X})[0].tolist() == (X * [3, 4]).tolist()


def test_loop_carries_and_scans_through_a_whole_model():
    body = helper.make_graph(
        [
            node("Identity", ["keep"], ["keep_out"]),
            node("SequenceInsert", ["s", "x"], ["s_out"]),
            node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        ],
        "body",
        [tensor("i", [], TensorProto.INT64), tensor("keep", [], TensorProto.BOOL), info("s", SEQUENCE)],
        [tensor("keep_out", [], TensorProto.BOOL), info("s_out", SEQUENCE), tensor("f", [])],
    )
    source = graph_model(
        [
            node("SequenceEmpty", [], ["s0"], dtype=TensorProto.FLOAT),
            node("Loop", ["n", "", "s0"], ["s", "scan"], body=body),
        ],
        [tensor("n", [], TensorProto.INT64), tensor("x", ["k"])],
        [info("s", SEQUENCE), tensor("scan", ["n"])],
    )
    s, scan = results(source, {"n": np.array(3), "x": X[0]})
    assert [a.tolist() for a in s] == [[1, 2]] * 3
    assert scan.tolist() == [0, 1, 2]
    s[0][:] = 0
    assert s[1].tolist() == [1, 2]
    s, scan = results(source, {"n": np.array(0), "x": X[0]})
    assert s == []
    assert scan.shape == (0,)


def test_types_of_containers_are_told_as_onnxruntime_spells_them():
    with ort.InferenceSession(zipmap(classlabels_strings=["p", "q"])) as session:
        assert session.get_outputs()[0].type == "seq(map(string,tensor(float)))"
        assert session.get_outputs()[0].shape == []
    with ort.InferenceSession(optionals()) as session:
        assert (session.get_inputs()[0].type, session.get_inputs()[0].shape) == ("optional(tensor(float))", ["n"])
    with ort.InferenceSession(cast_map()) as session:
        assert session.get_inputs()[0].type == "map(int64,tensor(float))"


def test_models_are_not_changed_by_sessions():
    proto = onnx.load_from_string(zipmap(classlabels_int64s=[1, 2]))
    before = proto.SerializeToString()
    ort.InferenceSession(proto).close()
    assert proto.SerializeToString() == before
