from __future__ import annotations

import pickle
import sys
import threading
from typing import TypeVar

import numpy as np
import pytest

import ort_core as ort
from ort_core.errors import InvalidGraph
from ort_custom_ops import Float32, Int64, NodeInfo, String, Tensor, op
from tests.custom_ops import operator_helpers
from tests.custom_ops.operator_helpers import DOMAIN, session, strings, text_model

T = TypeVar("T")
X = np.arange(4, dtype=np.float32)


@op(DOMAIN)
def Scale(x: T, *, factor: float = 2.0) -> T:
    return (x * factor).astype(x.dtype)


@Scale.infer_types
def scale_shape(x):
    return x


@op(DOMAIN, shapes="x")
class Offset:
    def __init__(self, *, by: int = 1) -> None:
        self.by = by

    def __call__(self, x: T) -> T:
        return (x + self.by).astype(x.dtype)


def plain(x: Float32) -> Float32:
    return x - 1


Minus = op(DOMAIN, name="Minus", shapes="x")(plain)


def test_operators_run_between_others_and_are_placed():
    text = "g (float[N] x) => (float[N] y) { a = Neg(x) b = ops.Scale<factor = 3.0>(a) c = ops.Offset<by = 5>(b) y = Relu(c) }"
    with session(text, Scale, Offset) as made:
        assert made.run(None, {"x": X})[0].tolist() == np.maximum(-3 * X + 5, 0).tolist()
        assert made.get_outputs()[0].shape == ["N"]


def test_module_and_list_of_operators_register():
    text = "g (float[N] x) => (float[N] y) { b = ops.Scale(x) y = ops.Offset(b) }"
    with session(text, sys.modules[__name__]) as made:
        assert made.run(None, {"x": X})[0].tolist() == (2 * X + 1).tolist()
    with session(text, [Scale, [Offset]]) as made:
        assert made.run(None, {"x": X})[0].tolist() == (2 * X + 1).tolist()


def test_bodies_of_if_and_loop():
    text = """g (bool c, int64 n, float[N] x) => (float[N] y, float[N] z) {
        y = If(c) <then_branch = t () => (float[N] a) { a = ops.Scale(x) },
                   else_branch = e () => (float[N] b) { b = ops.Offset(x) }>
        on = Constant<value = bool {1}>()
        z = Loop(n, on, x) <body = body (int64 i, bool go, float[N] v) => (bool keep, float[N] w) {
            keep = Identity(go) w = ops.Scale(v) }>
    }"""
    with session(text, Scale, Offset) as made:
        feed = {"c": np.array(True), "n": np.array(3), "x": X}
        assert [r.tolist() for r in made.run(None, feed)] == [(2 * X).tolist(), (8 * X).tolist()]
        feed["c"] = np.array(False)
        assert made.run(["y"], feed)[0].tolist() == (X + 1).tolist()


def test_bodies_of_functions_get_the_calls_attributes():
    text = """g (float[N] x) => (float[N] y) { y = local.Twice<by = 3.0>(x) }
    <domain: "local", opset_import: ["": 21, "test.ops": 1]>
    Twice <by> (v) => (w) { t = test.ops.Scale<factor: float = @by>(v) w = test.ops.Scale(t) }"""
    import onnx.parser

    head = f'<ir_version: 10, opset_import: ["": 21, "{DOMAIN}": 1, "local": 1]>\n'
    options = ort.SessionOptions()
    options.register_custom_ops(Scale)
    model = onnx.parser.parse_model(head + text).SerializeToString()
    with ort.InferenceSession(model, options) as made:
        assert made.run(None, {"x": X})[0].tolist() == (6 * X).tolist()


def test_overloads_by_type_and_by_version():
    @op(DOMAIN, name="Which")
    def floats(x: Float32) -> String:
        return "floats"

    @op(DOMAIN, name="Which", end_version=1)
    def integers(x: Int64) -> String:
        return "old integers"

    @op(DOMAIN, name="Which", since_version=2)
    def new_integers(x: Int64) -> String:
        return "new integers"

    @op(DOMAIN, name="Which")
    def rest(x: Tensor) -> String:
        return "rest"

    def which(kind, dtype, version=1):
        text = f"g ({kind}[N] x) => (string y) {{ y = ops.Which(x) }}"
        with session(text, floats, integers, new_integers, rest, version=version) as made:
            return made.run(None, {"x": np.ones(2, dtype)})[0].item()

    assert which("float", np.float32) == "floats"
    assert which("int64", np.int64) == "old integers"
    assert which("int64", np.int64, version=2) == "new integers"
    assert which("double", np.float64) == "rest"


def test_skipped_outputs():
    @op(DOMAIN)
    def Three(x: Float32) -> tuple[Float32, Int64, Float32]:
        return x, np.zeros(1, np.int64), -x

    for outputs, wanted in (("a, , c", "a, c"), ("a", "a"), (" , , c", "c")):
        declared = ", ".join(f"float[N] {name}" for name in wanted.split(", "))
        with session(f"g (float[N] x) => ({declared}) {{ {outputs} = ops.Three(x) }}", Three) as made:
            results = made.run(None, {"x": X})
            assert [r.tolist() for r in results] == [(X if n == "a" else -X).tolist() for n in wanted.split(", ")]


def test_strings_flow_through():
    @op(DOMAIN, shapes="text")
    def Reverse(text: String) -> String:
        return np.array([t[::-1] for t in text], object)

    model = "g (string[N] x) => (string[M] y) { a = ops.Reverse(x) b = StringConcat(a, x) y = ops.Reverse(b) }"
    with session(model, Reverse) as made:
        result = made.run(None, {"x": strings("äb", "")})[0]
        assert result.tolist() == ["bääb", ""]


def test_constants_reach_the_constructor_once():
    calls = []

    @op(DOMAIN)
    class Lookup:
        def __init__(self, *, node: NodeInfo) -> None:
            calls.append(node)
            self.table = node.constants["table"] * 10

        def __call__(self, keys: Int64, table: Float32) -> Float32:
            return self.table[keys]

    text = "g (int64[N] x) => (float[N] y) { t = Constant<value = float[3] {1, 2, 3}>() y = ops.Lookup(x, t) }"
    with session(text, Lookup) as made:
        for _ in range(3):
            assert made.run(None, {"x": np.array([2, 0])})[0].tolist() == [30, 10]
    assert len(calls) == 1


def test_result_that_is_an_input_is_not_the_callers_array():
    @op(DOMAIN, shapes="x")
    def Same(x: T) -> T:
        return x

    with session("g (float[N] x) => (float[N] y) { y = ops.Same(x) }", Same) as made:
        x = X.copy()
        result = made.run(None, {"x": x})[0]
        result += 1
        assert x.tolist() == X.tolist()


def test_threads_share_a_session():
    text = "g (float[N] x) => (float[N] y) { b = ops.Scale(x) c = ops.Offset(b) y = ops.Scale<factor = 0.5>(c) }"
    failures = []
    with session(text, Scale, Offset) as made:

        def work(number):
            x = np.full(50, number, np.float32)
            results = [made.run(None, {"x": x})[0].tolist() for _ in range(100)]
            failures.extend(number for r in results if r != ((2 * x + 1) / 2).tolist())

        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures


def test_operators_pickle_by_name():
    assert pickle.loads(pickle.dumps(Scale)) is Scale
    assert pickle.loads(pickle.dumps(Offset)) is Offset
    assert pickle.loads(pickle.dumps(Offset.__ort_custom_op__)) is Offset.__ort_custom_op__
    again = pickle.loads(pickle.dumps(Minus))
    assert (again.name, again(X).tolist()) == ("Minus", (X - 1).tolist())
    assert operator_helpers.infer(again, operator_helpers.tensor(operator_helpers.FLOAT, "N")).shape == ("N",)

    @op(DOMAIN)
    def Local(x: T) -> T:
        return x

    with pytest.raises((AttributeError, pickle.PicklingError), match="local"):
        pickle.dumps(Local)


def test_sessions_and_options_with_operators_pickle():
    options = ort.SessionOptions()
    for operator in (Scale, Offset, Minus):
        options.register_custom_ops(operator)
    text = "g (float[N] x) => (float[N] y) { a = ops.Scale(x) b = ops.Offset(a) y = ops.Minus(b) }"
    model = text_model(text)
    with ort.InferenceSession(model, pickle.loads(pickle.dumps(options))) as made:
        with pickle.loads(pickle.dumps(made)) as again:
            assert again.run(None, {"x": X})[0].tolist() == (2 * X).tolist()
        assert made.run(None, {"x": X})[0].tolist() == (2 * X).tolist()


def test_unregistered_operator_is_named():
    with pytest.raises(Exception, match=r"test.ops::Scale"):
        session("g (float[N] x) => (float[N] y) { y = ops.Scale(x) }")


def test_two_domains_do_not_mix():
    @op("other.domain", name="Scale")
    def other(x: Float32) -> Float32:
        raise AssertionError

    with session("g (float[N] x) => (float[N] y) { y = ops.Scale(x) }", other, Scale) as made:
        assert made.run(None, {"x": X})[0].tolist() == (2 * X).tolist()


def test_object_without_operators_is_refused():
    with pytest.raises((TypeError, InvalidGraph), match="no custom operators"):
        ort.SessionOptions().register_custom_ops(plain)
