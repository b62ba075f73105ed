"""For the tests of operators' authors: runs an operator as a node of a model and compares with a direct call."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from ort_core.errors import InvalidArgument
from ort_core.ir.attributes import Attribute, AttributeKind
from ort_core.ir.graph import Graph, Model, Node, Value
from ort_core.ir.types import ElementType, OptionalType, TensorType, ValueType
from ort_core.values import type_of
from ort_custom_ops.node_info import NodeInfo
from ort_custom_ops.operator import Operator
from ort_custom_ops.patterns import Bindings, OptionalPattern
from ort_custom_ops.results import Expected, Site, checked, describe_value

_OPSET = 21


def make_model(operator: Any, /, *inputs: Any, **attributes: Any) -> bytes:
    """An ONNX model of one node that calls `operator`; its inputs are x0, x1, ... and its outputs y0, y1, ....

    Args:
        inputs: values of the types that the model's inputs get; None for an absent one.
        attributes: of the node.
    """
    return _model(_operator(operator), inputs, attributes)


def run_op(operator: Any, /, *inputs: Any, **attributes: Any) -> Any:
    """What `operator` computes as the only node of a model in a session: one value, or a tuple of them.

    Args:
        inputs: arrays, lists for sequences, None for an absent one.
        attributes: of the node.
    """
    found = _operator(operator)
    return _result(found, _run(found, _model(found, inputs, attributes), inputs))


def check_op(operator: Any, /, *inputs: Any, **attributes: Any) -> Any:
    """Checks that `operator` computes the same, bit for bit, when it is called directly, in a model of known shapes, in one of
    unknown shapes, and in the body of an If (where ONNX allows its types); returns what it computes.

    Raises:
        AssertionError: results differ, or the operator changed its inputs.
    """
    found = _operator(operator)
    before = [_copied(value) for value in inputs]
    expected = _direct(found, [*map(_copied, inputs)] if found.writable_inputs else inputs, attributes)
    _compare(before, inputs, f"{found.label} changed its inputs: before and after")
    ways = {"in a model of known shapes": {}, "in a model of unknown shapes": {"is_static": False}}
    if _may_be_in_if(found, inputs):
        ways["in the body of an If"] = {"is_nested": True}
    for way, options in ways.items():
        results = _run(found, _model(found, inputs, attributes, **options), inputs, times=2)
        _compare(expected, results[: len(expected)], f"{found.label} called directly and {way}")
        _compare(expected, results[len(expected) :], f"{found.label} called directly and for the second time {way}")
    return _result(found, expected)


def _operator(item: Any) -> Operator[..., Any]:
    found = getattr(item, "__ort_custom_op__", item)
    if not isinstance(found, Operator):
        raise InvalidArgument(f"{item!r} is no operator. Decorate it with ort_custom_ops.op.")
    return cast("Operator[..., Any]", found)


def _result(operator: Operator[..., Any], results: Sequence[Any]) -> Any:
    return results[0] if operator.signature.is_single else tuple(results)


def _run(operator: Operator[..., Any], model: bytes, inputs: Sequence[Any], times: int = 1) -> list[Any]:
    import ort_core as ort

    options = ort.SessionOptions()
    options.register_custom_ops(operator)
    feed = {f"x{i}": value for i, value in enumerate(inputs) if _is_fed(operator, i, value)}
    with ort.InferenceSession(model, options) as session:
        return [value for _ in range(times) for value in session.run(None, feed)]


def _is_fed(operator: Operator[..., Any], index: int, value: Any) -> bool:
    spec = operator.signature.input_at(index)
    return value is not None or (spec is not None and isinstance(spec.pattern, OptionalPattern))


def _attributes(operator: Operator[..., Any], attributes: Mapping[str, Any]) -> dict[str, Attribute]:
    known = operator.signature.attributes
    if strange := sorted(attributes.keys() - known.keys()):
        raise InvalidArgument(
            f"{operator.label} has no attribute '{strange[0]}'; its attributes are: {', '.join(known) or 'none'}"
        )
    return {name: known[name].encode(value) for name, value in attributes.items() if value is not None}


def _model(
    operator: Operator[..., Any],
    inputs: Sequence[Any],
    attributes: Mapping[str, Any],
    *,
    is_static: bool = True,
    is_nested: bool = False,
) -> bytes:
    from ort_core.ir.proto import to_proto

    graph = Graph("test")
    values: list[Value | None] = []
    for index, value in enumerate(inputs):
        fed = _is_fed(operator, index, value)
        values.append(graph.add_input(Value(f"x{index}", _type(operator, index, value, is_static))) if fed else None)
    many = operator.signature.has_variadic_outputs
    count = len(_call(operator, inputs, attributes)) if many else len(operator.signature.outputs)
    node = _node(operator, values, attributes, count)
    if is_nested:
        _nest(graph, node)
    else:
        graph.add(node)
        for output in node.outputs:
            graph.add_output(cast("Value", output))
    imports = {"": _OPSET, operator.domain: operator.since_version} if operator.domain else {"": _OPSET}
    model = Model(graph, imports)
    data: bytes = to_proto(model).SerializeToString()
    return data


def _node(
    operator: Operator[..., Any], inputs: Sequence[Value | None], attributes: Mapping[str, Any], count: int
) -> Node:
    names = [f"y{i}" for i in range(count)]
    node = Node(
        operator.name,
        inputs,
        [Value(name) for name in names],
        _attributes(operator, attributes),
        domain=operator.domain,
        name=operator.name,
    )
    types = [None if value is None else value.type for value in inputs]
    for output, type_ in zip(node.outputs, operator.infer(node, types), strict=True):
        cast("Value", output).type = type_
    return node


def _nest(graph: Graph, node: Node) -> None:
    """Makes the node the body of both branches of an If whose condition is a constant that no optimiser sees through."""
    from ort_core.ir.tensors import ArrayWeight

    branches = {}
    for branch in ("then_branch", "else_branch"):
        body = Graph(branch)
        outputs = [Value(f"{branch}_{o.name}", o.type) for o in node.outputs if o is not None]
        body.add(
            Node(node.op_type, node.inputs, outputs, node.attributes, domain=node.domain, name=f"{node.name}_{branch}")
        )
        for output in outputs:
            body.add_output(output)
        branches[branch] = Attribute(AttributeKind.GRAPH, body)
    condition = Value("condition", type_of(np.array(True)))
    condition.const = ArrayWeight(np.array(True))
    graph.add_input(condition)
    graph.add_initializer(condition)
    outputs = [Value(o.name, o.type) for o in node.outputs if o is not None]
    graph.add(Node("If", [condition], outputs, branches, name="choice"))
    for output in outputs:
        graph.add_output(output)
    node.set_inputs(())


def _may_be_in_if(operator: Operator[..., Any], inputs: Sequence[Any]) -> bool:
    """Whether ONNX's If may return values of the operator's output types."""
    from onnx.defs import get_schema

    allowed = {text for c in get_schema("If", _OPSET).type_constraints for text in c.allowed_type_strs}
    bound = _bound(operator, inputs)
    return all(str(spec.pattern.fill(bound)) in allowed for spec in operator.signature.outputs)


def _bound(operator: Operator[..., Any], inputs: Sequence[Any]) -> Bindings:
    """What the operator's type variables stand for."""
    bound: dict[str, ElementType] = {}
    for index, value in enumerate(inputs):
        spec, type_ = operator.signature.input_at(index), type_of(value)
        if spec is not None and type_ is not None:
            spec.pattern.match(type_, bound)
    return bound


def _type(operator: Operator[..., Any], index: int, value: Any, is_static: bool) -> ValueType:
    found = type_of(value)
    spec = operator.signature.input_at(index)
    if found is None and spec is not None:
        found = spec.pattern.fill({})
    if found is None:
        raise InvalidArgument(
            f"{operator.label}: the type of input {index}, {describe_value(value)}, is not known. Give an array, or a list "
            "with at least one array."
        )
    if spec is not None and isinstance(spec.pattern, OptionalPattern) and not isinstance(found, OptionalType):
        found = OptionalType(found)
    return found if is_static else _without_sizes(found, index)


def _without_sizes(type_: ValueType, index: int) -> ValueType:
    if isinstance(type_, TensorType) and type_.shape is not None:
        return TensorType(type_.element, tuple(f"x{index}_{i}" for i in range(len(type_.shape))))
    return type_


def _direct(operator: Operator[..., Any], inputs: Sequence[Any], attributes: Mapping[str, Any]) -> list[Any]:
    """What the function returns, as run-time values."""
    results = _call(operator, inputs, attributes)
    bound = _bound(operator, inputs)
    site = Site(f"a direct call of {operator.label}", f"{operator.function.__qualname__}()")
    found = []
    for index, value in enumerate(results):
        output = operator.signature.output_at(index)
        expected = Expected(f"y{index}", None if output is None else output.pattern.fill(bound), is_used=True)
        found.append(checked(value, expected, index, site))
    return found


def _call(operator: Operator[..., Any], inputs: Sequence[Any], attributes: Mapping[str, Any]) -> list[Any]:
    """What the function returns for the attributes as a node holds them (floats in single precision)."""
    signature = operator.signature
    node = Node(operator.name, (), (), _attributes(operator, attributes))
    settings: dict[str, Any] = {name: signature.attributes[name].read(node) for name in node.attributes}
    if signature.node_parameter is not None:
        types = tuple(map(type_of, inputs))
        settings[signature.node_parameter] = NodeInfo(operator.name, len(signature.outputs), types)
    if inspect.isclass(operator.function):
        instance: Any = operator.function(**settings)
        result = instance(*inputs)
    else:
        result = operator.function(*inputs, **settings)
    return [result] if signature.is_single else list(result)


def _copied(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.copy()
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _compare(expected: Any, actual: Any, what: str) -> None:
    if isinstance(expected, list | tuple):
        if not isinstance(actual, list | tuple) or len(actual) != len(expected):
            raise AssertionError(f"{what}: {describe_value(expected)} and {describe_value(actual)}")
        for index, (left, right) in enumerate(zip(expected, actual, strict=True)):
            _compare(left, right, f"{what}, value {index}")
    elif isinstance(expected, dict):
        _compare(list(expected), list(actual), f"{what}, keys")
        _compare(list(expected.values()), list(actual.values()), f"{what}, values of the map")
    elif isinstance(expected, np.ndarray):
        same = isinstance(actual, np.ndarray) and actual.dtype == expected.dtype and actual.shape == expected.shape
        if not same:
            raise AssertionError(f"{what}: {describe_value(expected)} and {describe_value(actual)}")
        left, right = (np.ascontiguousarray(a) for a in (expected, actual))
        if left.dtype == object:
            different = np.flatnonzero(left != right)
        else:
            size = left.dtype.itemsize
            pairs = left.reshape(-1).view(np.uint8).reshape(-1, size) != right.reshape(-1).view(np.uint8).reshape(
                -1, size
            )
            different = np.flatnonzero(pairs.any(axis=1))
        if different.size:
            first = int(different[0])
            raise AssertionError(
                f"{what}: {different.size} of {left.size} elements differ, the first at {np.unravel_index(first, left.shape)}: "
                f"{left.reshape(-1)[first]!r} and {right.reshape(-1)[first]!r}"
            )
    elif expected is not actual and expected != actual:
        raise AssertionError(f"{what}: {expected!r} and {actual!r}")
