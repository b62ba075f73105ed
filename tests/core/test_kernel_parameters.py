"""Decorated kernels: parameters, attributes, contexts, and which nodes they take."""

from __future__ import annotations

import types

import numpy as np
import pytest
from core_helpers import REFERENCE, X, f32, info, kernels, model, node, op, run_op, session
from onnx import TensorProto, helper

import ort_core as ort
from ort_core.errors import InvalidArgument, OrtError
from ort_core.errors import NotImplemented as NoKernel
from ort_core.ir.types import ElementType
from ort_core.providers.kernel import FLOATS, INTEGERS, collect_kernels, kernel

# -- parameters


def test_function_kernel_gets_inputs_by_position_and_attributes_by_name():
    @op
    def f(a, b, *, alpha=1.0, names=(), mode="none"):
        assert names == ("p", "q")
        assert mode == "none"
        return a + alpha * b

    nodes = [node("Op", ["x", "x"], ["y"], domain="t", alpha=2.0, names=["p", "q"])]
    np.testing.assert_array_equal(run_op(f, nodes)[0], 3 * X)


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
    run_op(f, nodes)
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

    assert len(run_op(f, [node("Op", names, ["y"], domain="t")])) == 1


def test_trailing_absent_inputs_do_not_count():
    @op
    def f(x):
        return x + 1

    np.testing.assert_array_equal(run_op(f, [node("Op", ["x", "", ""], ["y"], domain="t")])[0], X + 1)


def test_an_absent_input_in_the_middle_is_none():
    @op
    def f(x, low=None, high=None):
        assert low is None
        return np.minimum(x, high)

    np.testing.assert_array_equal(run_op(f, [node("Op", ["x", "", "x"], ["y"], domain="t")])[0], X)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_variadic_kernel_takes_any_number_of_inputs(count):
    @op
    def f(*xs):
        return sum(xs, np.zeros(3, np.float32))

    np.testing.assert_array_equal(run_op(f, [node("Op", ["x"] * count, ["y"], domain="t")])[0], count * X)


def test_one_function_may_be_the_kernel_of_two_operators():
    def f(x):
        return x + 1

    both = kernel("Other", domain="t")(op(f))
    nodes = [node("Op", ["x"], ["a"], domain="t"), node("Other", ["a"], ["y"], domain="t")]
    np.testing.assert_array_equal(run_op(both, nodes)[0], X + 2)


def test_the_onnx_domain_may_be_spelt_out():
    @kernel("Neg", domain="ai.onnx")
    def f(x):
        return x * 100

    np.testing.assert_array_equal(run_op(f, [node("Neg", ["x"], ["y"])])[0], 100 * X)


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
    y, z = run_op(f, nodes, outputs=["y", "z"])
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
