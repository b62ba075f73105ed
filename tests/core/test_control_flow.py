"""If, Loop and Scan at their edges: no iterations, axes and directions, captures from afar, malformed nodes."""

from __future__ import annotations

import numpy as np
import pytest
from core_helpers import DEVICE, REFERENCE, X, f32, info, model, node, session
from onnx import TensorProto, helper

from ort_core.errors import OrtError, RuntimeException
from ort_core.testing import fake_device

FEEDS = {"x": X, "b": np.array(True), "m": np.array(2)}


def flag(name):
    return info(name, (), TensorProto.BOOL)


def integer(name):
    return info(name, (), TensorProto.INT64)


def scalar(name):
    return info(name, ())


def graph(nodes, inputs, outputs, constants=()):
    return helper.make_graph(nodes, "body", inputs, outputs, list(constants))


def whole(nodes, outputs=("y",), **parts):
    return model(nodes, ["x", flag("b"), integer("m")], outputs, **parts)


def loop_body(nodes, state, outputs, constants=()):
    return graph(nodes, [integer("i"), flag("c"), *state], outputs, constants)


def neg(output, source="x"):
    return node("Neg", [source], [output])


def run(data, feeds=None, device=False, optimize=False):
    with fake_device(), session(data, *([DEVICE] if device else []), REFERENCE, optimize=optimize) as opened:
        return opened.run(None, feeds or FEEDS)


EVERYWHERE = pytest.mark.parametrize(
    ("device", "optimize"), [(False, False), (False, True), (True, False), (True, True)]
)


# -- no iterations


@EVERYWHERE
@pytest.mark.parametrize("stopped_by", ["count", "condition"])
def test_a_loop_without_iterations_returns_what_it_was_given(device, optimize, stopped_by):
    body = loop_body([neg("n", "s"), node("Add", ["x", "x"], ["e"])], [info("s")], [flag("c"), info("n"), info("e")])
    data = whole([node("Loop", ["m", "b", "x"], ["y", "scan"], body=body)], ["y", info("scan", ("k", 3))])
    feeds = FEEDS | ({"m": np.array(0)} if stopped_by == "count" else {"b": np.array(False)})
    y, scan = run(data, feeds, device, optimize)
    np.testing.assert_array_equal(y, X)
    assert scan.shape == (0, 3)
    assert scan.dtype == np.float32


@EVERYWHERE
def test_a_negative_trip_count_means_no_iterations(device, optimize):
    body = loop_body([neg("n", "s")], [info("s")], [flag("c"), info("n")])
    data = whole([node("Loop", ["m", "b", "x"], ["y"], body=body)])
    np.testing.assert_array_equal(run(data, FEEDS | {"m": np.array(-3)}, device, optimize)[0], X)


@EVERYWHERE
def test_a_scan_over_nothing_returns_its_state_and_empty_results(device, optimize):
    body = graph(
        [node("Add", ["s", "e"], ["t"]), neg("n", "e")], [info("s"), info("e")], [info("t"), info("n"), info("n")]
    )
    nodes = [node("Scan", ["x", "z"], ["y", "first", "last"], body=body, num_scan_inputs=1, scan_output_axes=[0, -1])]
    outputs = ["y", info("first", (None, 3)), info("last", (3, None))]
    data = model(nodes, ["x", info("z", ("k", 3))], outputs)
    y, first, last = run(data, {"x": X, "z": np.zeros((0, 3), np.float32)}, device, optimize)
    np.testing.assert_array_equal(y, X)
    assert first.shape == (0, 3)
    assert last.shape == (3, 0)


# -- iterations


@EVERYWHERE
@pytest.mark.parametrize(("count", "condition"), [("m", "b"), ("m", ""), ("", "b"), ("", "")])
def test_the_bodys_condition_ends_a_loop_also_where_the_node_gives_none(device, optimize, count, condition):
    """As onnxruntime does it."""
    nodes = [node("Less", ["i", "limit"], ["go"]), neg("n", "s"), node("Identity", ["i"], ["e"])]
    body = loop_body(nodes, [info("s")], [flag("go"), info("n"), integer("e")])
    loop = node("Loop", [count, condition, "x"], ["y", "scan"], body=body)
    data = whole([loop], ["y", info("scan", ("k",), TensorProto.INT64)], constants={"limit": np.array(2)})
    y, scan = run(data, FEEDS | {"m": np.array(9)}, device, optimize)
    np.testing.assert_array_equal(y, -X)
    np.testing.assert_array_equal(scan, [0, 1, 2])


@EVERYWHERE
def test_carried_values_change_places(device, optimize):
    """One is computed where the provider is, the other only handed on."""
    body = loop_body(
        [node("Add", ["p", "q"], ["r"])],
        [info("p"), info("q")],
        [flag("c"), info("q"), info("r"), info("p"), info("r")],
    )
    nodes = [node("Loop", ["m", "b", "x", "w"], ["p1", "q1", "ps", "rs"], body=body)]
    outputs = ["p1", "q1", info("ps", ("k", 3)), info("rs", ("k", 3))]
    data = whole(nodes, outputs, constants={"w": f32(1, 1, 1)})
    for m in range(5):
        p, q, ps, rs = X, np.ones(3, np.float32), [], []
        for _ in range(m):
            r = p + q
            ps.append(p)
            rs.append(r)
            p, q = q, r
        got = run(data, FEEDS | {"m": np.array(m)}, device, optimize)
        np.testing.assert_array_equal(got[0], p)
        np.testing.assert_array_equal(got[1], q)
        np.testing.assert_array_equal(got[2], np.reshape(ps, (m, 3)))
        np.testing.assert_array_equal(got[3], np.reshape(rs, (m, 3)))


@EVERYWHERE
@pytest.mark.parametrize("axis", [0, 1, -1, -2])
@pytest.mark.parametrize("backwards", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_scan_axes_and_directions(device, optimize, axis, backwards):
    """Running sums along an axis, written along another one, from either end."""
    a = np.arange(12, dtype=np.float32).reshape(3, 4)
    length, width = (3, 4) if axis in (0, -2) else (4, 3)
    body = graph(
        [node("Add", ["s", "e"], ["t"]), neg("n", "t")],
        [info("s", (width,)), info("e", (width,))],
        [info("t", (width,)), info("n", (width,))],
    )
    scan = node(
        "Scan", ["s0", "a"], ["y", "r"], body=body, num_scan_inputs=1, scan_input_axes=[axis], scan_output_axes=[axis],
        scan_input_directions=[backwards[0]], scan_output_directions=[backwards[1]],
    )  # fmt: skip
    data = model(
        [scan], [info("a", (3, 4))], [info("y", (width,)), info("r", (3, 4))], {"s0": np.zeros(width, np.float32)}
    )
    y, r = run(data, {"a": a}, device, optimize)
    rows = np.moveaxis(a, axis, 0)
    sums = np.cumsum(rows[::-1] if backwards[0] else rows, axis=0)
    np.testing.assert_array_equal(y, sums[-1])
    want = -np.moveaxis(sums[::-1] if backwards[1] else sums, 0, axis)
    np.testing.assert_array_equal(r, want)
    assert r.flags.c_contiguous
    assert length == len(sums)


@EVERYWHERE
def test_captures_from_three_scopes_one_of_which_a_feed_overrides(device, optimize):
    inner = graph([node("Add", ["s", "default"], ["i0"]), node("Mul", ["i0", "w"], ["i1"])], [], [info("i1")])
    other = graph([node("Sub", ["s", "x"], ["o"])], [], [info("o")])
    body = loop_body(
        [node("Add", ["x", "s"], ["w"]), node("If", ["b"], ["chosen"], then_branch=inner, else_branch=other)],
        [info("s")],
        [flag("c"), info("chosen")],
    )
    nodes = [node("Loop", ["m", "b2", "x"], ["y"], body=body)]
    constants = {"default": f32(10, 20, 30), "b2": np.array(True)}
    data = model(nodes, ["x", flag("b"), integer("m"), "default"], ["y"], constants)
    for b in (True, False):
        for default in (None, f32(1, 2, 3)):
            s, d = X, constants["default"] if default is None else default
            for _ in range(2):
                s = (s + d) * (X + s) if b else s - X
            feeds = FEEDS | {"b": np.array(b)} | ({} if default is None else {"default": default})
            np.testing.assert_array_equal(run(data, feeds, device, optimize)[0], s)


@pytest.mark.parametrize("optimize", [False, True])
def test_sequences_and_strings_are_carried(optimize):
    sequence, grown = (helper.make_tensor_sequence_value_info(n, TensorProto.FLOAT, (3,)) for n in ("q", "q2"))
    body = loop_body(
        [node("SequenceInsert", ["q", "x"], ["q2"]), node("Identity", ["t"], ["t2"])],
        [sequence, info("t", (1,), TensorProto.STRING)],
        [flag("c"), grown, info("t2", (1,), TensorProto.STRING)],
    )
    nodes = [
        node("SequenceConstruct", ["x"], ["q0"]),
        node("Loop", ["m", "b", "q0", "text"], ["q1", "t1"], body=body),
        node("ConcatFromSequence", ["q1"], ["y"], axis=0, new_axis=1),
    ]
    inputs = ["x", flag("b"), integer("m"), info("text", (1,), TensorProto.STRING)]
    data = model(nodes, inputs, [info("y", ("k", 3)), info("t1", (1,), TensorProto.STRING)])
    text = np.array(["hello"], object)
    for m in (0, 1, 3):
        y, t = run(data, FEEDS | {"m": np.array(m), "text": text}, optimize=optimize)
        np.testing.assert_array_equal(y, np.tile(X, (m + 1, 1)))
        assert t.tolist() == ["hello"]


def test_results_of_branches_that_compute_nothing_are_the_callers_own():
    branches = {
        "then_branch": graph([], [], [info("x"), info("x")]),
        "else_branch": graph(
            [], [], [info("w"), info("v")], [helper.make_tensor("v", TensorProto.FLOAT, [3], [7, 8, 9])]
        ),
    }
    data = whole([node("If", ["b"], ["y", "z"], **branches)], ["y", "z"], constants={"w": f32(4, 5, 6)})
    x = X.copy()
    with session(data, REFERENCE) as opened:
        for b, want in ((True, (X, X)), (False, (f32(4, 5, 6), f32(7, 8, 9)))):
            for _ in range(2):
                results = opened.run(None, FEEDS | {"x": x, "b": np.array(b)})
                for got, each in zip(results, want, strict=True):
                    np.testing.assert_array_equal(got, each)
                    got[...] = 0
                np.testing.assert_array_equal(x, X)


# -- what does not fit


def if_node(then_branch, else_branch, inputs=("b",), outputs=("y",)):
    return node("If", list(inputs), list(outputs), then_branch=then_branch, else_branch=else_branch)


def loop_node(body, inputs, outputs=("y",)):
    return node("Loop", list(inputs), list(outputs), body=body)


def scan_node(body, inputs, outputs=("q", "y"), **attributes):
    return node("Scan", list(inputs), list(outputs), body=body, **attributes)


def one(name):
    return graph([neg(name)], [], [info(name)])


STEP = loop_body([neg("n", "s")], [info("s")], [flag("c"), info("n")])
ROW = graph([neg("n", "e"), node("Identity", ["s"], ["s2"])], [scalar("s"), scalar("e")], [scalar("s2"), scalar("n")])
MALFORMED = {
    "branches of different lengths": [if_node(one("t"), graph([neg("e"), neg("f")], [], [info("e"), info("f")]))],
    "branch with an input": [if_node(graph([neg("t", "q")], [info("q")], [info("t")]), one("e"))],
    "more results than branches have": [if_node(one("t"), one("e"), outputs=("y", "z"))],
    "If without a condition": [if_node(one("t"), one("e"), inputs=("",))],
    "If without an else": [node("If", ["b"], ["y"], then_branch=one("t"))],
    "If on three conditions": [node("Greater", ["x", "x"], ["g"]), if_node(one("t"), one("e"), inputs=("g",))],
    "Loop with a value too many": [loop_node(STEP, ["m", "b", "x", "x"])],
    "Loop with a value too few": [loop_node(STEP, ["m", "b"])],
    "Loop with a result too many": [loop_node(STEP, ["m", "b", "x"], ["y", "z"])],
    "Loop whose body returns nothing": [loop_node(loop_body([neg("n", "s")], [info("s")], []), ["m", "b", "x"])],
    "Loop whose body returns no state": [loop_node(loop_body([], [info("s")], [flag("c")]), ["m", "b", "x"])],
    "Loop whose body takes one value": [loop_node(graph([neg("n", "s")], [info("s")], [info("n")]), ["m", "b", "x"])],
    "Loop without a body": [node("Loop", ["m", "b", "x"], ["y"])],
    "Loop whose trip count has three elements": [
        node("Cast", ["x"], ["m3"], to=TensorProto.INT64),
        loop_node(STEP, ["m3", "b", "x"]),
    ],
    "Loop whose condition has three elements": [
        loop_node(
            loop_body(
                [neg("n", "s"), node("Greater", ["s", "s"], ["g"])],
                [info("s")],
                [info("g", (3,), TensorProto.BOOL), info("n")],
            ),
            ["m", "b", "x"],
        )
    ],
    "Scan without its number of scanned inputs": [scan_node(ROW, ["c0", "x"])],
    "Scan over no input": [scan_node(ROW, ["c0", "x"], num_scan_inputs=0)],
    "Scan over more inputs than there are": [scan_node(ROW, ["c0", "x"], num_scan_inputs=3)],
    "Scan over minus one input": [scan_node(ROW, ["c0", "x"], num_scan_inputs=-1)],
    "Scan along an axis that is not there": [scan_node(ROW, ["c0", "x"], num_scan_inputs=1, scan_input_axes=[1])],
    "Scan with an axis too many": [scan_node(ROW, ["c0", "x"], num_scan_inputs=1, scan_input_axes=[0, 0])],
    "Scan to an axis that is not there": [scan_node(ROW, ["c0", "x"], num_scan_inputs=1, scan_output_axes=[1])],
    "Scan with an output axis too many": [scan_node(ROW, ["c0", "x"], num_scan_inputs=1, scan_output_axes=[0, 0])],
    "Scan with a direction too many": [scan_node(ROW, ["c0", "x"], num_scan_inputs=1, scan_input_directions=[0, 0])],
    "Scan with an output direction too many": [
        scan_node(ROW, ["c0", "x"], num_scan_inputs=1, scan_output_directions=[0, 0])
    ],
    "Scan over an absent input": [scan_node(ROW, ["c0", ""], num_scan_inputs=1)],
    "Scan over a scalar": [scan_node(ROW, ["c0", "c0"], num_scan_inputs=1)],
    "Scan with a result too many": [scan_node(ROW, ["c0", "x"], ["q", "y", "z"], num_scan_inputs=1)],
    "Scan without its state": [scan_node(ROW, ["x"], num_scan_inputs=1)],
}


@pytest.mark.parametrize("what", MALFORMED)
@pytest.mark.parametrize("optimize", [False, True])
def test_what_does_not_fit_is_refused_by_name(what, optimize):
    data = whole(MALFORMED[what], constants={"c0": np.float32(1)})
    with pytest.raises(OrtError, match=r"If|Loop|Scan"):
        run(data, optimize=optimize)


def hidden(source, target):
    """A value whose rank inference cannot know."""
    return node("Reshape", [source, "shape"], [target])


@pytest.mark.parametrize(
    ("attributes", "feed", "text"),
    [
        ({"scan_input_axes": [2, 0]}, (2, 3), r"scan axis 2 is out of range.*\[2, 3\]"),
        ({"scan_input_axes": [-3, 0]}, (2, 3), "scan axis -3"),
        ({"scan_output_axes": [3]}, (2, 3), "scan axis 3 is out of range.*rank 1"),
        ({}, (3, 2), r"different lengths \[2, 3\]"),
        ({}, (), "scan axis 0"),
    ],
)
def test_axes_and_lengths_that_turn_out_wrong_when_running(attributes, feed, text):
    body = graph([neg("n", "e"), neg("u", "f")], [info("e", None), info("f", None)], [info("n", None)])
    scan = node("Scan", ["h", "g"], ["y"], body=body, num_scan_inputs=2, **attributes)
    shapes = [info(n, ("k",), TensorProto.INT64) for n in ("shape", "shape2")]
    nodes = [hidden("a", "h"), node("Reshape", ["z", "shape2"], ["g"]), scan]
    inputs = [info("a", ("n",)), info("z", ("n2",)), *shapes]
    data = model(nodes, inputs, [info("y", None)])
    feeds = {
        "a": np.zeros(int(np.prod(feed)), np.float32),
        "z": np.zeros(6, np.float32),
        "shape": np.array(feed, np.int64),
        "shape2": np.array([2, 3]),
    }
    with pytest.raises(RuntimeException, match=f"'Scan_y'.*{text}"):
        run(data, feeds)


def test_scan_outputs_that_change_their_shape_are_refused():
    nodes = [node("Range", ["zero", "i", "one"], ["r"]), neg("n", "s")]
    body = loop_body(nodes, [info("s")], [flag("c"), info("n"), info("r", None, TensorProto.INT64)])
    loop = node("Loop", ["m", "b", "x"], ["y", "scan"], body=body)
    data = whole(
        [loop], ["y", info("scan", None, TensorProto.INT64)], constants={"zero": np.array(0), "one": np.array(1)}
    )
    with pytest.raises(RuntimeException, match=r"Loop_y.*changed its shape.*\[0\], \[1\]"):
        run(data)
