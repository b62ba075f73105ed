"""Decorated kernels: parameters, attributes, types, results of every kind, failures, and what their messages say."""

from __future__ import annotations

import re
import types

import ml_dtypes
import numpy as np
import pytest
from core_helpers import DEVICE, REFERENCE, f32, info, kernels, model, node, session
from onnx import TensorProto, helper

import ort_core as ort
from ort_core.errors import Fail, InvalidArgument, OrtError, RuntimeException
from ort_core.errors import NotImplemented as NoKernel
from ort_core.ir.types import ElementType
from ort_core.providers.kernel import FLOATS, INTEGERS, collect_kernels, kernel
from ort_core.testing import fake_device

X = f32(1, -2, 3)


def run(function, nodes=None, feeds=None, **parts):
    """The outputs of a model of one custom node `t::Op` on a provider of one kernel."""
    nodes = nodes or [node("Op", ["x"], ["y"], domain="t")]
    data = model(nodes, **parts)
    with kernels(function) as name, session(data, name) as opened:
        return opened.run(None, {"x": X} if feeds is None else feeds)


def op(function, **options):
    return kernel("Op", domain="t", **options)(function)


def returning(value):
    return op(lambda x: value)


# -- parameters


def test_function_kernel_gets_inputs_by_position_and_attributes_by_name():
    @op
    def f(a, b, *, alpha=1.0, names=(), mode="none"):
        assert names == ("p", "q")
        assert mode == "none"
        return a + alpha * b

    nodes = [node("Op", ["x", "x"], ["y"], domain="t", alpha=2.0, names=["p", "q"])]
    np.testing.assert_array_equal(run(f, nodes)[0], 3 * X)


def test_attributes_arrive_as_plain_python_values_and_arrays():
    seen = {}

    @op
    def f(x, **attributes):
        seen.update(attributes)
        return x

    tensor = helper.make_tensor("t", TensorProto.INT64, [2], [4, 5])
    nodes = [
        node(
            "Op", ["x"], ["y"], domain="t", i=3, f=0.5, s="text", ints=[1, 2], floats=[0.5], strings=["a"], t=tensor,
            ts=[tensor, tensor],
        )
    ]  # fmt: skip
    run(f, nodes)
    assert (seen["i"], seen["f"], seen["s"]) == (3, 0.5, "text")
    assert (seen["ints"], seen["floats"], seen["strings"]) == ((1, 2), (0.5,), ("a",))
    np.testing.assert_array_equal(seen["t"], [4, 5])
    assert isinstance(seen["ts"], tuple)
    for each in seen["ts"]:
        np.testing.assert_array_equal(each, [4, 5])


def test_class_kernel_is_prepared_once_and_keeps_its_state():
    log = []

    @op
    class Scale:
        def prepare(self, node, ctx, *, factor):
            log.append(node.op_type)
            self.factor = factor * float(ctx.constant(node.inputs[1])[0])

        def run(self, x, w):
            return x * np.float32(self.factor)

    nodes = [node("Op", ["x", "w"], ["y"], domain="t", factor=2.0)]
    data = model(nodes, constants={"w": f32(5)})
    with kernels(Scale) as name, session(data, name) as opened:
        for _ in range(3):
            np.testing.assert_array_equal(opened.run(None, {"x": X})[0], 10 * X)
    assert log == ["Op"]


@pytest.mark.parametrize("names", [["x", ""], ["x"], ["x", "", ""]])
def test_absent_optional_inputs_are_none_or_left_to_the_default(names):
    @op
    def f(x, low=None, high=None):
        assert low is None
        assert high is None
        return x.copy()

    assert len(run(f, [node("Op", names, ["y"], domain="t")])) == 1


def test_trailing_absent_inputs_do_not_count():
    @op
    def f(x):
        return x + 1

    np.testing.assert_array_equal(run(f, [node("Op", ["x", "", ""], ["y"], domain="t")])[0], X + 1)


def test_an_absent_input_in_the_middle_is_none():
    @op
    def f(x, low=None, high=None):
        assert low is None
        return np.minimum(x, high)

    np.testing.assert_array_equal(run(f, [node("Op", ["x", "", "x"], ["y"], domain="t")])[0], X)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_variadic_kernel_takes_any_number_of_inputs(count):
    @op
    def f(*xs):
        return sum(xs, np.zeros(3, np.float32))

    np.testing.assert_array_equal(run(f, [node("Op", ["x"] * count, ["y"], domain="t")])[0], count * X)


def test_one_function_may_be_the_kernel_of_two_operators():
    def f(x):
        return x + 1

    both = kernel("Other", domain="t")(op(f))
    nodes = [node("Op", ["x"], ["a"], domain="t"), node("Other", ["a"], ["y"], domain="t")]
    np.testing.assert_array_equal(run(both, nodes)[0], X + 2)


def test_the_onnx_domain_may_be_spelt_out():
    @kernel("Neg", domain="ai.onnx")
    def f(x):
        return x * 100

    np.testing.assert_array_equal(run(f, [node("Neg", ["x"], ["y"])])[0], 100 * X)


def test_context_tells_the_node_its_outputs_and_who_uses_them():
    seen = []

    @op
    def f(ctx, x):
        seen.append([ctx.node.op_type, *[ctx.wants(i) for i in range(5)]])
        ctx.check()
        y = ctx.output(0, ElementType.FLOAT, x.shape)
        np.add(x, 1, out=y)
        return y, x, x, x

    second = node("Op", ["x"], ["y", "", "used_inside", "unused"], domain="t")
    nodes = [second, node("Neg", ["used_inside"], ["z"])]
    y, z = run(f, nodes, outputs=["y", "z"])
    np.testing.assert_array_equal(y, X + 1)
    np.testing.assert_array_equal(z, -X)
    assert seen == [["Op", True, False, True, False, False]]


def test_outputs_that_a_fetch_leaves_out_are_not_wanted():
    seen = []

    @op
    def f(ctx, x):
        seen.append((ctx.wants(0), ctx.wants(1)))
        return x + 1, x + 2

    data = model([node("Op", ["x"], ["y", "z"], domain="t")], outputs=["y", "z"])
    with kernels(f) as name, session(data, name) as opened:
        opened.run(["z"], {"x": X})
        opened.run(["y"], {"x": X})
        opened.run(None, {"x": X})
    assert seen == [(False, True), (True, False), (True, True)]


def test_context_output_is_the_bound_buffer():
    addresses = []

    @op
    def f(ctx, x):
        y = ctx.output(0, ElementType.FLOAT, x.shape)
        addresses.append(y.ctypes.data)
        np.negative(x, out=y)
        return y

    data = model([node("Op", ["x"], ["y"], domain="t")])
    with kernels(f) as name, session(data, name) as opened:
        target = ort.OrtValue.ortvalue_from_numpy(np.zeros(3, np.float32))
        binding = opened.io_binding()
        binding.bind_cpu_input("x", X)
        binding.bind_ortvalue_output("y", target)
        opened.run_with_iobinding(binding)
        np.testing.assert_array_equal(target.numpy(), -X)
        assert addresses == [target.data_ptr()]


def test_a_context_output_of_another_shape_than_the_bound_buffer_is_refused():
    @op
    def f(ctx, x):
        return ctx.output(0, ElementType.FLOAT, (2, 2))

    data = model([node("Op", ["x"], ["y"], domain="t")], outputs=[info("y", None)])
    with kernels(f) as name, session(data, name) as opened:
        binding = opened.io_binding()
        binding.bind_cpu_input("x", X)
        binding.bind_ortvalue_output("y", ort.OrtValue.ortvalue_from_numpy(np.zeros(3, np.float32)))
        with pytest.raises(InvalidArgument, match=r"output 'y'.*\[3\].*\[2,\s?2\]"):
            opened.run_with_iobinding(binding)
        assert opened.run(None, {"x": X})[0].shape == (2, 2)


# -- which nodes a kernel takes


def declined(function, nodes, *parts, **keywords):
    """Why a kernel declines the first node; nobody else has it."""
    with kernels(function) as name, pytest.raises(NoKernel) as caught:
        session(model(nodes, *parts, **keywords), name).close()
    text = str(caught.value)
    assert name in text
    return text


def test_too_few_and_too_many_inputs_are_declined_with_the_numbers():
    @op
    def f(a, b, c=None):
        raise AssertionError

    assert "takes 2 to 3 inputs, the node has 1" in declined(f, [node("Op", ["x"], ["y"], domain="t")])
    assert "takes 2 to 3 inputs, the node has 4" in declined(f, [node("Op", ["x"] * 4, ["y"], domain="t")])


def test_an_absent_input_that_the_kernel_needs_is_declined_by_name():
    @op
    def f(a, b, c):
        raise AssertionError

    assert "needs the optional input 'b'" in declined(f, [node("Op", ["x", "", "x"], ["y"], domain="t")])


def test_unknown_and_missing_attributes_are_declined_by_name():
    @op
    def f(x, *, size, mode="a"):
        raise AssertionError

    assert "'shape'" in declined(f, [node("Op", ["x"], ["y"], domain="t", shape=1, size=1)])
    assert "required attribute 'size' is missing" in declined(f, [node("Op", ["x"], ["y"], domain="t")])


def test_element_types_are_constrained_by_parameter_name():
    f = op(lambda x: x, types={"x": INTEGERS})
    text = declined(f, [node("Op", ["x"], ["y"], domain="t")])
    assert "got x=float" in text
    assert "int64" in text


def test_element_types_are_constrained_by_the_operators_own_letter():
    @kernel("Add", types={"T": {ElementType.INT32}})
    def add(a, b):
        raise AssertionError

    data = model([node("Add", ["x", "x"], ["y"])])
    with kernels(add) as name, session(data, name) as opened:
        placed = opened.explain().nodes[0]
        assert placed.provider == REFERENCE
        assert any("got T=float, have {int32}" in reason for _, reason in placed.declined.items())


def test_the_last_parameter_constrains_all_variadic_inputs():
    f = op(lambda *xs: xs[0], types={"xs": FLOATS})
    integers = info("n", [3], TensorProto.INT64)
    assert "got xs=int64" in declined(f, [node("Op", ["x", "x", "n"], ["y"], domain="t")], ["x", integers])


def test_a_type_constraint_that_the_operator_does_not_have_is_the_authors_mistake():
    @kernel("Add", types={"TT": FLOATS})
    def add(a, b):
        return a + b

    with kernels(add) as name, pytest.raises(OrtError, match=r"'TT'.*T"):
        session(model([node("Add", ["x", "x"], ["y"])]), name).close()


def test_a_kernel_written_for_an_older_definition_is_declined():
    @kernel("Add")
    def add(a, b):
        return a + b

    data = model([node("Add", ["x", "x"], ["y"])])
    with kernels(add, written_for={"": 13}) as name, session(data, name) as opened:
        placed = opened.explain().nodes[0]
        assert placed.provider == REFERENCE
        assert any("kernel follows opset 13" in reason and "14" in reason for _, reason in placed.declined.items())
    with kernels(add, written_for={"": 14}) as name, session(data, name) as opened:
        assert opened.explain().nodes[0].provider == name


def test_two_kernels_for_one_operator_are_refused_by_name():
    def first(x):
        return x

    def second(x):
        return x

    module = types.ModuleType("m")
    module.a, module.b = op(first), op(second)
    with pytest.raises(ValueError, match=r"two kernels for t::Op.*first.*second"):
        collect_kernels([module])


def test_a_subclass_does_not_inherit_the_operators_of_its_base():
    @op
    class Base:
        def prepare(self, node, ctx):
            pass

        def run(self, x):
            return x + 1

    @kernel("Other", domain="t")
    class Derived(Base):
        def run(self, x):
            return x + 2

    module = types.ModuleType("m")
    module.d = Derived
    assert set(collect_kernels([module])) == {("t", "Other")}
    module.b = Base
    found = collect_kernels([module])
    assert found["t", "Op"].implementation is Base
    assert found["t", "Other"].implementation is Derived


def test_modules_may_hold_objects_that_answer_to_every_attribute():
    class Proxy:
        def __getattr__(self, name):
            return lambda *a: self

        def __call__(self):
            return self

    module = types.ModuleType("m")
    module.proxy, module.f = Proxy(), op(lambda x: x)
    assert set(collect_kernels([module])) == {("t", "Op")}


def test_a_class_without_run_is_refused_when_it_is_declared():
    with pytest.raises(TypeError, match=r"Broken.*prepare.*run"):

        @op
        class Broken:
            def prepare(self, node, ctx):
                pass


# -- results


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(2.5), 2.5),
        (2.5, 2.5),
        (2, 2.0),
        (True, 1.0),
        (np.array(2.5, np.float32), 2.5),
        (np.zeros((0, 3), np.float32), np.zeros((0, 3))),
    ],
)
def test_scalars_become_tensors_of_the_declared_type(value, expected):
    (y,) = run(returning(value), outputs=[info("y", None)])
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, expected)
    assert type(y) is np.ndarray


@pytest.mark.parametrize(
    ("kind", "value"),
    [(TensorProto.UINT8, 300), (TensorProto.INT64, 2.5), (TensorProto.INT32, float("nan")), (TensorProto.INT8, -129)],
)
def test_a_number_that_does_not_fit_the_declared_type_is_refused(kind, value):
    with pytest.raises(RuntimeException, match=r"Op_y.*'y'"):
        run(returning(value), outputs=[info("y", None, kind)])


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (np.zeros(3), r"tensor\(double\) \[3\]"),
        (np.zeros(3, np.int64), r"tensor\(int64\)"),
        (np.zeros(3, ">f4"), r"\[3\]"),
        (np.zeros(3, np.longdouble), "longdouble|float128"),
        (np.zeros(3, "datetime64[s]"), "datetime64"),
        ([1.0, 2.0], "list"),
        ("text", "str"),
        (None, "None"),
        (object(), "object"),
        (np.float64(1), r"double"),
        (np.ma.masked_array(X, [0, 1, 0]), "MaskedArray"),
        ({}, "dict"),
    ],
)
def test_a_wrong_result_names_node_operator_provider_and_both_types(value, got):
    with pytest.raises(RuntimeException) as caught:
        run(returning(value))
    text = str(caught.value)
    for part in ("TestExecutionProvider", "'Op_y'", "t::Op", "'y'", r"tensor(float)"):
        assert part in text
    assert re.search(got, text), text


def test_none_is_no_result_even_if_the_type_of_the_output_is_unknown():
    nodes = [node("Op", ["x"], ["t"], domain="t"), node("Op", ["t"], ["y"], domain="t")]
    with pytest.raises(RuntimeException, match=r"Op_t.*None"):
        run(returning(None), nodes)


def test_strings_of_numpy_and_python_become_object_arrays():
    texts = info("y", None, TensorProto.STRING)
    for value in (np.array(["a", "bc"]), np.array(["a", "bc"], object), np.str_("a"), "a"):
        (y,) = run(returning(value), outputs=[texts])
        assert y.dtype == object
        assert y.reshape(-1)[0] == "a"
        assert type(y.reshape(-1)[0]) is str


def test_subclasses_of_arrays_become_plain_arrays():
    """As with matrices of numpy, whose `a * b` is another product."""

    class Odd(np.ndarray):
        def __mul__(self, other):
            return np.matmul(self, other)

    f = op(lambda x: np.array([[1, 2], [3, 4]], np.float32).view(Odd))
    nodes = [node("Op", ["x"], ["a"], domain="t"), node("Mul", ["a", "a"], ["y"])]

    @kernel("Mul")
    def mul(a, b):
        return a * b

    data = model(nodes, outputs=[info("y", None)])
    with kernels(f, mul) as name, session(data, name) as opened:
        (y,) = opened.run(None, {"x": X})
    assert type(y) is np.ndarray
    np.testing.assert_array_equal(y, [[1, 4], [9, 16]])


def test_too_few_results_are_refused_and_too_many_are_dropped():
    nodes = [node("Op", ["x"], ["y", "z"], domain="t")]
    for value in (X, (X,), [X, X], ()):
        with pytest.raises(RuntimeException, match=r"Op_y.*returned [01] values, the node has 2"):
            run(returning(value), nodes, outputs=["y", "z"])
    assert len(run(returning((X, X, X)), nodes, outputs=["y", "z"])) == 2
    assert len(run(returning((X, X)), outputs=["y"])) == 1


def test_absent_outputs_may_be_anything():
    nodes = [node("Op", ["x"], ["", "y", ""], domain="t")]
    np.testing.assert_array_equal(run(returning((None, X, object())), nodes)[0], X)


@pytest.mark.parametrize("optimize", [False, True])
def test_results_that_are_inputs_views_or_constants_are_the_callers_own(optimize):
    """Writing to a result changes neither feeds, other results, nor what the next run returns."""

    @op
    def f(x, w):
        return x, x[::-1], w, w[1:], x

    outputs = [info(n, None) for n in "abcde"]
    data = model([node("Op", ["x", "w"], list("abcde"), domain="t")], outputs=outputs, constants={"w": f32(5, 6, 7)})
    x = X.copy()
    expected = [X, X[::-1], f32(5, 6, 7), f32(6, 7), X]
    with kernels(f) as name, session(data, name, optimize=optimize) as opened:
        for _ in range(3):
            results = opened.run(None, {"x": x})
            for got, want in zip(results, expected, strict=True):
                np.testing.assert_array_equal(got, want)
                assert got.flags.c_contiguous
                assert got.flags.writeable
                got[...] = 99
            np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize(
    "view", [lambda x: x.T, lambda x: x[:, ::2], lambda x: np.broadcast_to(x[0], (2, 4)), lambda x: x[::-1]]
)
def test_kernels_get_contiguous_inputs_whatever_earlier_kernels_return(view):
    seen = []

    @op
    def f(x):
        return view(x)

    @kernel("After", domain="t")
    def after(x):
        seen.append(x.flags.c_contiguous)
        return x + 0

    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    nodes = [node("Op", ["x"], ["a"], domain="t"), node("After", ["a"], ["y"], domain="t")]
    data = model(nodes, inputs=[info("x", (2, 4))], outputs=[info("y", None)])
    with kernels(f, after) as name, session(data, name) as opened:
        np.testing.assert_array_equal(opened.run(None, {"x": x})[0], view(x))
    assert seen == [True]


def test_a_view_goes_to_a_device_in_row_major_order():
    @op
    def f(x):
        return x.T

    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    nodes = [node("Op", ["x"], ["a"], domain="t"), node("Add", ["a", "a"], ["y"])]
    data = model(nodes, inputs=[info("x", (2, 3))], outputs=[info("y", None)])
    with fake_device(), kernels(f) as name, session(data, name, DEVICE) as opened:
        np.testing.assert_array_equal(opened.run(None, {"x": x})[0], 2 * x.T)


def test_read_only_results_can_be_written_by_the_caller():
    fixed = f32(7, 8, 9)
    fixed.flags.writeable = False
    (y,) = run(returning(fixed))
    y[0] = 0
    assert fixed[0] == 7


def test_an_output_type_is_constrained_by_the_operators_letter():
    @kernel("Cast", types={"T2": {ElementType.INT32}})
    def cast(x, *, to, saturate=1, round_mode="up"):
        return x.astype(ElementType(to).dtype)

    for kind, taken in ((TensorProto.INT32, True), (TensorProto.INT64, False)):
        data = model([node("Cast", ["x"], ["y"], to=kind)], outputs=[info("y", (3,), kind)])
        with kernels(cast) as name, session(data, name) as opened:
            assert (opened.explain().nodes[0].provider == name) is taken
            np.testing.assert_array_equal(opened.run(None, {"x": X})[0], [1, -2, 3])


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, np.float16, np.bool_, np.complex64])
def test_results_of_any_element_type(dtype):
    value = np.ones((2, 2), dtype)
    kind = int(ElementType.from_dtype(dtype))
    (y,) = run(returning(value), outputs=[info("y", None, kind)])
    assert y.dtype == dtype
    np.testing.assert_array_equal(y.astype(np.complex64), np.ones((2, 2)))


# -- failures


def test_an_exception_names_node_operator_provider_and_inputs_and_is_chained():
    @op
    def f(x, y=None):
        raise ZeroDivisionError("too thin")

    with pytest.raises(RuntimeException) as caught:
        run(f, [node("Op", ["x", ""], ["y"], domain="t")])
    text = str(caught.value)
    for part in ("TestExecutionProvider", "'Op_y'", "t::Op", "tensor(float) [3]", "ZeroDivisionError", "too thin"):
        assert part in text
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_failure_on_inputs_of_a_strange_type_still_names_the_node():
    @op
    def f(x):
        raise ValueError("boom")

    first = kernel("First", domain="t")(lambda x: object())
    nodes = [node("First", ["x"], ["a"], domain="t"), node("Op", ["a"], ["y"], domain="t")]
    text = r"'Op_y'.*object.*boom"
    with kernels(f, first) as name, session(model(nodes), name) as opened, pytest.raises(RuntimeException, match=text):
        opened.run(None, {"x": X})


def test_a_kernel_that_changes_a_constant_is_told():
    @op
    def f(x, w):
        w += 1
        return w

    data = model([node("Op", ["x", "w"], ["y"], domain="t")], constants={"w": f32(1, 1, 1)})
    with kernels(f) as name, session(data, name) as opened:
        for _ in range(2):
            with pytest.raises(RuntimeException, match=r"Op_y.*read-only"):
                opened.run(None, {"x": X})


def test_the_session_goes_on_after_a_failed_run():
    fail = [True, False, True, False]

    @op
    def f(x):
        if fail.pop(0):
            raise ValueError("now and then")
        return x + 1

    with kernels(f) as name, session(model([node("Op", ["x"], ["y"], domain="t")]), name) as opened:
        for _ in range(2):
            with pytest.raises(RuntimeException, match="now and then"):
                opened.run(None, {"x": X})
            np.testing.assert_array_equal(opened.run(None, {"x": X})[0], X + 1)


def test_a_failure_of_prepare_names_provider_and_node():
    @op
    class Broken:
        def prepare(self, node, ctx):
            raise KeyError("weights")

        def run(self, x):
            return x

    with kernels(Broken) as name, pytest.raises(OrtError) as caught:
        session(model([node("Op", ["x"], ["y"], domain="t")]), name).close()
    for part in ("TestExecutionProvider", "Op_y", "KeyError", "weights"):
        assert part in str(caught.value)


def test_termination_is_seen_between_kernels_and_by_the_context():
    options = ort.RunOptions()
    ran = []

    @op
    def f(ctx, x):
        ran.append(1)
        if len(ran) == 2:
            options.terminate = True
            ctx.check()
        return x

    nodes = [node("Op", [a], [b], domain="t") for a, b in ["xa", "ab", "by"]]
    with kernels(f) as name, session(model(nodes), name) as opened:
        with pytest.raises(Fail, match="terminate"):
            opened.run(None, {"x": X}, options)
        assert len(ran) == 2
        options.terminate = False
        ran[:] = [0, 0]
        opened.run(None, {"x": X}, options)
        assert len(ran) == 5
