from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, TypeVar

import numpy as np
import pytest

from ort_core.custom_ops.spec import CustomOp
from ort_core.errors import InvalidArgument, RuntimeException
from ort_core.ir.types import ElementType, SequenceType
from ort_custom_ops import Float32, Int64, NodeInfo, Operator, String, Tensor, op
from ort_custom_ops.testing import check_op, run_op
from tests.custom_ops.operator_helpers import DOMAIN, FLOAT, INT64, bind, infer, node_of, reason, strings, tensor

T = TypeVar("T")
X = np.arange(6, dtype=np.float32).reshape(2, 3)


class Parts(NamedTuple):
    kept: Float32
    indices: Int64


@op(DOMAIN)
def Affine(x: Float32, scale: Float32, bias: Float32 | None = None, *, negate: bool = False) -> Float32:
    """x * scale + bias."""
    y = x * scale
    y = y if bias is None else y + bias
    return -y if negate else y


@op(DOMAIN)
class Counter:
    """Adds up what it is given, from a start."""

    made: ClassVar[list[Counter]] = []

    def __init__(self, *, start: int = 0, words: list[str] | None = None) -> None:
        self.start, self.words = start, words
        Counter.made.append(self)

    def __call__(self, x: Int64) -> Int64:
        return x + self.start


def test_function_stays_a_function():
    assert isinstance(Affine, Operator)
    assert isinstance(Affine, CustomOp)
    assert Affine(X, X).tolist() == (X * X).tolist()
    assert (Affine.__name__, Affine.__doc__, Affine.__module__) == ("Affine", "x * scale + bias.", __name__)
    assert (Affine.domain, Affine.name, Affine.since_version, Affine.device_type) == (DOMAIN, "Affine", 1, "cpu")
    assert repr(Affine).startswith(
        f"<operator {DOMAIN}::Affine(x: tensor(float), scale: tensor(float), bias: tensor(float)"
    )


def test_class_stays_a_class_with_one_instance_for_each_node():
    assert Counter(start=3)(np.array(4)) == 7
    before = len(Counter.made)
    fn = bind(Counter, tensor(INT64), start=5, words=["a", "b"])
    assert len(Counter.made) == before + 1
    assert Counter.made[-1].words == ["a", "b"]
    assert [fn(np.array(i)).item() for i in range(3)] == [5, 6, 7]
    assert len(Counter.made) == before + 1
    assert check_op(Counter, np.array([1]), start=2).tolist() == [3]

    class More(Counter):
        pass

    assert isinstance(More(start=1), Counter)


@op(DOMAIN)
@dataclass(kw_only=True)
class Clamp:
    low: float = 0.0
    high: float = 1.0
    names: list[str] = field(default_factory=list)

    def __call__(self, x: Float32) -> Float32:
        return x.clip(self.low, self.high)


def test_dataclass_is_an_operator_with_its_fields_as_attributes():
    assert list(Clamp.__ort_custom_op__.signature.attributes) == ["low", "high", "names"]
    assert check_op(Clamp, X, low=1.5, high=3.0).tolist() == X.clip(1.5, 3).tolist()
    assert infer(Clamp, tensor(FLOAT)) == tensor(FLOAT)


def test_optional_inputs_may_be_left_out_at_the_end_and_in_the_middle():
    @op(DOMAIN)
    def Pick(a: Float32 | None, b: Float32 | None = None, c: Float32 | None = None) -> Int64:
        return np.array([v is not None for v in (a, b, c)]).astype(np.int64)

    assert check_op(Pick, X, None, X).tolist() == [1, 0, 1]
    assert check_op(Pick, None, X).tolist() == [0, 1, 0]
    assert check_op(Affine, X, X).tolist() == (X * X).tolist()
    assert check_op(Affine, X, X, X, negate=True).tolist() == (-(X * X + X)).tolist()


def test_too_few_and_too_many_inputs_are_declined():
    assert reason(Affine, [tensor(FLOAT)]) == "it has 1 inputs, 2 to 3 are expected"
    assert reason(Affine, [tensor(FLOAT)] * 4) == "it has 4 inputs, 2 to 3 are expected"
    assert reason(Affine, [None, tensor(FLOAT)]) == "input 0 'x' is absent"
    assert reason(Affine, [tensor(FLOAT)] * 2, n_outputs=2) == "it has 2 outputs, the operator has 1"
    assert reason(Affine, [None, None]) == "it has 0 inputs, 2 to 3 are expected"


def test_variadic_inputs_of_one_type_and_of_any():
    @op(DOMAIN)
    def Sum(first: T, *rest: T) -> T:
        return sum(rest, first)

    @op(DOMAIN)
    def Sizes(*tensors: Tensor) -> Int64:
        return np.array([t.size for t in tensors], np.int64)

    assert check_op(Sum, X, X, X).tolist() == (3 * X).tolist()
    assert check_op(Sum, X).tolist() == X.tolist()
    assert reason(Sum, []) == "it has 0 inputs, at least 1 are expected"
    assert reason(Sum, [tensor(FLOAT), tensor(FLOAT), tensor(INT64)]).startswith("input 2 'rest' is tensor(int64)")
    assert check_op(Sizes, X, strings("a"), np.zeros((), bool)).tolist() == [6, 1, 1]
    assert reason(Sizes, []) is None
    assert bind(Sizes)().tolist() == []


def test_several_outputs_with_and_without_names():
    @op(DOMAIN)
    def TopTwo(x: Float32) -> Parts:
        order = np.argsort(-x)[:2]
        return Parts(x[order], order)

    @op(DOMAIN)
    def DivMod(a: T, b: T) -> tuple[T, T]:
        return a // b, a % b

    assert [s.name for s in TopTwo.signature.outputs] == ["kept", "indices"]
    kept, indices = check_op(TopTwo, np.array([1, 3, 2], np.float32))
    assert (kept.tolist(), indices.tolist()) == ([3, 2], [1, 2])
    assert run_op(DivMod, np.array([7]), np.array([4])) == (np.array([1]), np.array([3]))
    assert infer(DivMod, tensor(FLOAT), tensor(FLOAT), n_outputs=2) == [tensor(FLOAT)] * 2
    first_only = bind(DivMod, tensor(INT64), tensor(INT64), n_outputs=1)
    assert first_only(np.array([7]), np.array([4])).tolist() == [1]


def test_result_class_of_a_function():
    class Local(NamedTuple):
        total: Float32

    @op(DOMAIN)
    def Sum(x: Float32) -> Local:
        return Local(x.sum())

    (total,) = check_op(Sum, X)
    assert total == 15


class OnDevice:
    """What stands for an array of another library."""

    def __init__(self, values):
        self.values = values
        self.dtype, self.shape = values.dtype, values.shape

    def __mul__(self, other):
        return OnDevice(self.values * other)


def test_operator_of_a_device_gets_and_gives_that_devices_arrays():
    @op(DOMAIN, device="cuda", shapes="x")
    def Twice(x: Float32, *, wrong: bool = False) -> Float32:
        return OnDevice(x.values.astype(np.float64)) if wrong else x * 2

    assert Twice.device_type == "cuda"
    given = OnDevice(X)
    assert bind(Twice, tensor(FLOAT, 2, 3))(given).values.tolist() == (2 * X).tolist()
    with pytest.raises(RuntimeException, match=r"returned OnDevice of float64 \[2, 3\].*expected tensor\(float\)"):
        bind(Twice, tensor(FLOAT), wrong=True)(given)
    with pytest.raises(
        RuntimeException, match=r"returned OnDevice of float32 \[2, 3\].*expected tensor\(float\) \[3, 2\]"
    ):
        bind(Twice, tensor(FLOAT, 3, 2))(given)


def test_any_number_of_outputs():
    @op(DOMAIN)
    def Unstack(x: T, *, node: NodeInfo | None = None) -> tuple[T, ...]:
        assert len(x) == node.n_outputs
        return tuple(x)

    fn = bind(Unstack, tensor(FLOAT), n_outputs=2)
    assert [part.tolist() for part in fn(X)] == X.tolist()
    assert infer(Unstack, tensor(FLOAT, 2, 3), n_outputs=2) == [tensor(FLOAT)] * 2
    assert bind(Unstack, tensor(FLOAT), n_outputs=1)(X[:1]).tolist() == X[0].tolist()


def test_node_info_tells_name_types_and_constants():
    seen = []

    @op(DOMAIN)
    class Table:
        def __init__(self, *, node: NodeInfo) -> None:
            seen.append(node)

        def __call__(self, x: Int64, *tables: Float32) -> Float32:
            return tables[0][x]

    from ort_core.custom_ops.spec import KernelRequest

    node = node_of(Table, [tensor(INT64, 2), tensor(FLOAT, 3)])
    Table.__ort_custom_op__.bind(KernelRequest(node, {1: X}, {"k": "v"}))
    (info,) = seen
    assert (info.name, info.n_outputs, info.input_types[0]) == ("the_node", 1, tensor(INT64, 2))
    assert info.constants.keys() == {"tables_0"}
    assert info.config == {"k": "v"}


def test_operator_of_onnx_domain_and_other_names():
    @op("ai.onnx", name="Shout", since_version=3, end_version=5)
    def shout(x: String) -> String:
        return x

    assert (shout.domain, shout.name, shout.since_version, shout.end_version) == ("", "Shout", 3, 5)
    assert shout.label == "ai.onnx::Shout"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the type statement is of Python 3.12")
def test_new_generic_syntax():
    scope: dict[str, object] = {"op": op, "Float32": Float32, "Int64": Int64, "DOMAIN": DOMAIN}
    exec(
        "type Num = Float32 | Int64\ntype Many[E] = list[E]\n"
        "@op(DOMAIN)\ndef Same[T: (Float32, Int64)](x: T, y: Num, z: Many[T]) -> T:\n    return x\n",
        scope,
    )
    same = scope["Same"]
    assert infer(same, tensor(INT64), tensor(FLOAT), SequenceType(tensor(INT64))) == tensor(INT64)
    assert "seq(tensor(T" in reason(same, [tensor(INT64), tensor(FLOAT), SequenceType(tensor(FLOAT))])


def _no_annotation(x) -> Float32: ...
def _no_result(x: Float32): ...
def _returns_none(x: Float32) -> None: ...
def _unknown_type(x: complex) -> Float32: ...
def _default(x: Float32, k: Int64 = 3) -> Float32: ...
def _kwargs(x: Float32, **more: int) -> Float32: ...
def _mixed_union(x: Float32 | list[Float32]) -> Float32: ...
def _attribute(x: Float32, *, a: object = None) -> Float32: ...
def _wrong_default(x: Float32, *, a: int = "no") -> Float32: ...
def _missing_name(x: NotImported) -> Float32: ...  # noqa: F821
def _untyped_list(x: list) -> Float32: ...


class _NoCall:
    pass


class _PositionalSetting:
    def __init__(self, factor: float) -> None: ...
    def __call__(self, x: Float32) -> Float32: ...


class _LateSetting:
    def __call__(self, x: Float32, *, factor: float = 1.0) -> Float32: ...


class _MethodInference:
    def __call__(self, x: Float32) -> Float32: ...
    def infer_types(self, x): ...


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (_no_annotation, "input 'x' has no annotation. Use Tensor"),
        (_no_result, "does not say what it returns"),
        (_returns_none, "does not say what it returns"),
        (_unknown_type, "input 'x' is annotated 'complex', which is no ONNX type"),
        (_default, "input 'k' has the default 3. .*put it after a '\\*'"),
        (_kwargs, "attributes are declared one by one, \\*\\*more cannot be one"),
        (_mixed_union, "union of more than tensor types"),
        (_attribute, "attribute 'a' is annotated 'object'"),
        (_wrong_default, "the default of attribute 'a': got 'no', expected int"),
        (_missing_name, "'NotImported' is not defined in its annotations"),
        (_untyped_list, "annotated 'list', which is no ONNX type"),
        (_NoCall, "the class has no __call__"),
        (_PositionalSetting, "'factor' of the constructor is not keyword-only"),
        (_LateSetting, "move 'factor' to the constructor"),
        (_MethodInference, "Make it a @staticmethod"),
    ],
    ids=lambda v: getattr(v, "__name__", ""),
)
def test_mistakes_in_a_signature_are_explained(target, message):
    with pytest.raises(InvalidArgument, match=message) as error:
        op(DOMAIN)(target)
    assert target.__name__ in str(error.value)


def test_decorator_without_a_domain_and_with_a_wrong_range():
    with pytest.raises(InvalidArgument, match=r"Write @op\('my.domain'\)"):
        op(_no_result)
    with pytest.raises(InvalidArgument, match="versions 3 to 2 are no range"):
        op(DOMAIN, since_version=3, end_version=2)


def test_unknown_types_are_not_held_against_a_node():
    assert reason(Affine, [None, None, None]) is not None
    node = node_of(Affine, [tensor(FLOAT), tensor(FLOAT)])
    assert Affine.decline_reason(node, [None, None]) is None
    assert Affine.infer(node, [None, None]) == [tensor(ElementType.FLOAT)]
