"""Random models with nested control flow and functions."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper
from proto_interpreter import interpret

FLOAT, INT, BOOL = "f", "i", "b"
KINDS = {FLOAT: TensorProto.FLOAT, INT: TensorProto.INT64, BOOL: TensorProto.BOOL}
DTYPES = {FLOAT: np.float32, INT: np.int64, BOOL: np.bool_}
SHAPES = [(), (3,), (2, 3), (2, 3), (3, 2)]
MAX_DEPTH = 3
DOMAIN = "test.functions"
OPSETS = [helper.make_opsetid("", 21), helper.make_opsetid(DOMAIN, 1)]


class Val(NamedTuple):
    """A value with its type; None in a shape is a size that is known at run time only."""

    name: str
    kind: str
    shape: tuple[int | None, ...]

    @property
    def static(self) -> bool:
        return None not in self.shape

    def info(self, name: str | None = None) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name or self.name, KINDS[self.kind], self.shape)


@dataclass
class Case:
    """A model with the shapes and kinds of its inputs."""

    seed: int
    proto: onnx.ModelProto
    inputs: list[Val]
    outputs: list[str]

    @property
    def model(self) -> bytes:
        return self.proto.SerializeToString()

    def feeds(self, seed: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        return {v.name: _random_array(rng, v) for v in self.inputs}

    def expected(self, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        return interpret(self.proto, feeds)


@dataclass
class Scope:
    """A graph or function body under construction."""

    parent: Scope | None = None
    depth: int = 0
    in_function: bool = False
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    values: list[Val] = field(default_factory=list)
    inputs: list[Val] = field(default_factory=list)
    constants: list[tuple[Val, onnx.TensorProto]] = field(default_factory=list)

    def visible(self) -> list[Val]:
        outer = self.parent.visible() if self.parent is not None else []
        own = [*self.inputs, *[v for v, _ in self.constants], *self.values]
        return [*outer, *own]

    def outer_constants(self) -> list[Val]:
        if self.parent is None:
            return []
        return [*self.parent.outer_constants(), *[v for v, _ in self.parent.constants]]

    def add_input(self, value: Val) -> Val:
        self.inputs.append(value)
        return value


class Generator:
    """Makes one model from a seed."""

    def __init__(self, seed: int, nodes: int | None = None) -> None:
        self.rng = random.Random(seed)
        self.seed = seed
        self.budget = nodes if nodes is not None else self.rng.randint(10, 60)
        self.count = 0
        self.functions: list[tuple[onnx.FunctionProto, list[Val], list[Val], bool]] = []

    def name(self, base: str = "v") -> str:
        self.count += 1
        return f"{base}{self.count}"

    def case(self) -> Case:
        rng = self.rng
        for _ in range(rng.choice([0, 0, 1, 2])):
            self.add_function()
        main = Scope()
        for index in range(rng.randint(1, 4)):
            main.add_input(Val(f"x{index}", rng.choice([FLOAT, FLOAT, INT, BOOL]), rng.choice(SHAPES)))
        main.add_input(Val("trips", INT, ()))
        main.add_input(Val("flag", BOOL, ()))
        if rng.random() < 0.3:
            main.add_input(Val("empty", FLOAT, (0, 3)))
        for _ in range(rng.randint(0, 3)):
            self.constant(main, rng.choice([FLOAT, INT, BOOL]), rng.choice(SHAPES), initializer=True)
        while self.budget > 0:
            self.add_node(main)
        outputs = self.graph_outputs(main)
        graph = helper.make_graph(
            main.nodes,
            f"random_{self.seed}",
            [v.info() for v in main.inputs],
            [v.info() for v in outputs],
            [t for _, t in main.constants],
        )
        functions = [f for f, *_ in self.functions]
        proto = helper.make_model(graph, opset_imports=OPSETS, ir_version=10, functions=functions)
        return Case(self.seed, proto, main.inputs, [v.name for v in outputs])

    def graph_outputs(self, main: Scope) -> list[Val]:
        """Late and early values, values of which two outputs are copies, inputs and constants."""
        rng = self.rng
        chosen = dict.fromkeys(main.values[-3:])
        chosen |= dict.fromkeys(rng.sample(main.values, min(3, len(main.values))))
        for values in (main.inputs, [v for v, _ in main.constants]):
            if values and rng.random() < 0.3:
                chosen |= dict.fromkeys([rng.choice(values)])
        if rng.random() < 0.4:
            source = rng.choice([*main.values, *main.inputs])
            for _ in range(2):
                chosen |= dict.fromkeys([self.emit(main, "Identity", [source], source.kind, source.shape)])
        result = list(chosen)
        rng.shuffle(result)
        return result

    # -- values

    def constant(self, scope: Scope, kind: str, shape: tuple[int, ...], *, initializer: bool | None = None) -> Val:
        seed = self.rng.randrange(1 << 30)
        value = Val(self.name("c"), kind, shape)
        array = _random_array(np.random.default_rng(seed), value)
        tensor = numpy_helper.from_array(array, value.name)
        if initializer is None:
            initializer = self.rng.random() < 0.6
        if initializer and not scope.in_function:
            scope.constants.append((value, tensor))
        else:
            scope.nodes.append(helper.make_node("Constant", [], [value.name], value=tensor))
            scope.values.append(value)
        return value

    def pick(self, scope: Scope, kind: str | None = None, shape: tuple[Any, ...] | None = None) -> Val:
        """A visible value of a static shape; a new constant if there is none of that type."""
        fitting = [
            v
            for v in scope.visible()
            if (kind is None or v.kind == kind) and (v.shape == shape if shape is not None else v.static)
        ]
        if fitting and self.rng.random() < 0.93:
            # Later values more often than earlier ones.
            index = max(self.rng.randrange(len(fitting)), self.rng.randrange(len(fitting)))
            return fitting[index]
        return self.constant(scope, kind or FLOAT, shape if shape is not None else self.rng.choice(SHAPES))

    def emit(
        self, scope: Scope, op: str, inputs: list[Val | None], kind: str, shape: tuple[Any, ...], **attributes: Any
    ) -> Val:
        result = Val(self.name(), kind, shape)
        self.budget -= 1
        names = [v.name if v is not None else "" for v in inputs]
        scope.nodes.append(helper.make_node(op, names, [result.name], name=f"{op}_{result.name}", **attributes))
        scope.values.append(result)
        return result

    # -- nodes

    def add_node(self, scope: Scope) -> None:
        rng = self.rng
        kinds = (
            ["binary"] * 5 + ["unary"] * 3 + ["compare", "logic", "where", "cast", "reduce", "clip", "dropout", "split"]
        )
        kinds += ["transpose", "reshape", "concat", "constant", "reduce_dynamic"]
        if self.functions:
            kinds += ["call"] * 2
        if scope.depth < MAX_DEPTH:
            kinds += ["if", "if", "loop", "loop", "scan"]
        getattr(self, f"add_{rng.choice(kinds)}")(scope)

    def add_constant(self, scope: Scope) -> None:
        self.budget -= 1
        self.constant(scope, self.rng.choice([FLOAT, INT, BOOL]), self.rng.choice(SHAPES))

    def add_binary(self, scope: Scope) -> None:
        a = self.pick(scope, self.rng.choice([FLOAT, FLOAT, FLOAT, INT]))
        b = self.pick(scope, a.kind, self.rng.choice([a.shape, a.shape, (), a.shape[1:]]))
        if self.rng.random() < 0.5:
            a, b = b, a
        self.emit(
            scope, self.rng.choice(["Add", "Sub", "Mul", "Add"]), [a, b], a.kind, np.broadcast_shapes(a.shape, b.shape)
        )

    def add_unary(self, scope: Scope) -> None:
        dynamic = [v for v in scope.visible() if not v.static and v.kind != BOOL]
        a = self.rng.choice(dynamic) if dynamic and self.rng.random() < 0.2 else self.pick(scope)
        ops = {FLOAT: ["Neg", "Abs", "Relu", "Identity"], INT: ["Neg", "Abs", "Identity"], BOOL: ["Not", "Identity"]}[
            a.kind
        ]
        self.emit(scope, self.rng.choice(ops), [a], a.kind, a.shape)

    def add_compare(self, scope: Scope) -> None:
        a = self.pick(scope, self.rng.choice([FLOAT, INT]))
        b = self.pick(scope, a.kind, self.rng.choice([a.shape, ()]))
        self.emit(scope, self.rng.choice(["Less", "Greater"]), [a, b], BOOL, a.shape)

    def add_logic(self, scope: Scope) -> None:
        a = self.pick(scope, BOOL)
        self.emit(scope, self.rng.choice(["And", "Or"]), [a, self.pick(scope, BOOL, a.shape)], BOOL, a.shape)

    def add_where(self, scope: Scope) -> None:
        a = self.pick(scope)
        condition = self.pick(scope, BOOL, self.rng.choice([(), a.shape]))
        self.emit(scope, "Where", [condition, a, self.pick(scope, a.kind, a.shape)], a.kind, a.shape)

    def add_cast(self, scope: Scope) -> None:
        a = self.pick(scope, self.rng.choice([INT, BOOL]))
        kind = FLOAT if a.kind == INT else self.rng.choice([FLOAT, INT])
        self.emit(scope, "Cast", [a], kind, a.shape, to=KINDS[kind])

    def add_reduce(self, scope: Scope) -> None:
        a = self.pick(scope, self.rng.choice([FLOAT, INT]))
        if a.shape and self.rng.random() < 0.4:
            axes = self.constant_of(scope, np.array([0]))
            self.emit(scope, "ReduceSum", [a, axes], a.kind, a.shape[1:], keepdims=0)
        else:
            self.emit(scope, "ReduceSum", [a], a.kind, (), keepdims=0)

    def add_reduce_dynamic(self, scope: Scope) -> None:
        found = [v for v in scope.visible() if not v.static and v.kind != BOOL]
        if found:
            a = self.rng.choice(found)
            self.emit(scope, "ReduceSum", [a, self.constant_of(scope, np.array([0]))], a.kind, a.shape[1:], keepdims=0)

    def constant_of(self, scope: Scope, array: np.ndarray) -> Val:
        kind = next(k for k, d in DTYPES.items() if d == array.dtype)
        value = Val(self.name("c"), kind, array.shape)
        tensor = numpy_helper.from_array(array, value.name)
        if scope.in_function:
            scope.nodes.append(helper.make_node("Constant", [], [value.name], value=tensor))
        else:
            scope.constants.append((value, tensor))
        return value

    def add_clip(self, scope: Scope) -> None:
        a = self.pick(scope, FLOAT)
        low, high = (self.constant_of(scope, np.full((), bound, np.float32)) for bound in (-1.5, 2))
        bounds = self.rng.choice([[None, high], [low], [low, None], [low, high], []])
        self.emit(scope, "Clip", [a, *bounds], FLOAT, a.shape)

    def add_dropout(self, scope: Scope) -> None:
        """In inference mode the first output is the input itself, the second all true."""
        a = self.pick(scope, FLOAT)
        y = self.emit(scope, "Dropout", [a], FLOAT, a.shape)
        if self.rng.random() < 0.6:
            mask = y._replace(name=self.name(), kind=BOOL)
            scope.nodes[-1].output.append(mask.name)
            scope.values.append(mask)
        if self.rng.random() < 0.3:
            scope.values.remove(y)

    def add_split(self, scope: Scope) -> None:
        a = self.pick(scope, self.rng.choice([FLOAT, INT]), self.rng.choice([(2, 3), (3, 2)]))
        axis = a.shape.index(2)
        shape = tuple(1 if i == axis else d for i, d in enumerate(a.shape))
        first = self.emit(scope, "Split", [a], a.kind, shape, axis=axis, num_outputs=2)
        second = first._replace(name=self.name())
        scope.nodes[-1].output.append(second.name)
        if self.rng.random() < 0.7:
            scope.values.append(second)

    def add_transpose(self, scope: Scope) -> None:
        a = self.pick(scope)
        self.emit(scope, "Transpose", [a], a.kind, a.shape[::-1])

    def add_reshape(self, scope: Scope) -> None:
        a = self.pick(scope, None, self.rng.choice([(2, 3), (3, 2)]))
        shape = self.rng.choice([(3, 2), (2, 3)])
        self.emit(scope, "Reshape", [a, self.constant_of(scope, np.array(shape))], a.kind, shape)

    def add_concat(self, scope: Scope) -> None:
        a = self.pick(scope, None, self.rng.choice([(1, 3), (3, 1), (3,)]))
        axis = a.shape.index(1) if 1 in a.shape else 0
        b = self.pick(scope, a.kind, a.shape)
        shape = tuple(2 * d if i == axis else d for i, d in enumerate(a.shape))
        self.emit(scope, "Concat", [a, b], a.kind, shape, axis=axis)

    # -- control flow

    def inner(self, scope: Scope) -> Scope:
        return Scope(scope, scope.depth + 1, scope.in_function)

    def fill(self, scope: Scope) -> None:
        for _ in range(self.rng.randint(0, max(1, 5 - scope.depth))):
            self.add_node(scope)

    def body_output(self, scope: Scope, kind: str, shape: tuple[Any, ...]) -> Val:
        """A value of a type, computed in the body or not."""
        rng = self.rng
        fits = lambda vs: [v for v in vs if v.kind == kind and v.shape == shape]  # noqa: E731
        captured = fits(scope.parent.visible()) if scope.parent is not None else []
        sources = [captured, fits(scope.outer_constants()), fits(scope.inputs), fits(v for v, _ in scope.constants)]
        for source in rng.sample(sources, len(sources)):
            if source and rng.random() < 0.15:
                return rng.choice(source)
        computed = fits(scope.values)
        if computed and rng.random() < 0.5:
            return rng.choice(computed)
        a = self.pick(scope, kind, shape)
        if kind == BOOL:
            return self.emit(scope, rng.choice(["Not", "Identity"]), [a], kind, shape)
        if rng.random() < 0.3:
            return self.emit(scope, rng.choice(["Neg", "Identity"]), [a], kind, shape)
        return self.emit(scope, rng.choice(["Add", "Sub"]), [a, self.pick(scope, kind, ())], kind, shape)

    def graph(self, scope: Scope, outputs: list[Val]) -> onnx.GraphProto:
        return helper.make_graph(
            scope.nodes,
            self.name("body"),
            [v.info() for v in scope.inputs],
            [v.info() for v in outputs],
            [t for _, t in scope.constants],
        )

    def finish(self, scope: Scope, op: str, inputs: list[Val | None], types: list[Val], **attributes: Any) -> None:
        """The node of a control-flow operator; some of its outputs are not used."""
        rng = self.rng
        self.budget -= 1
        results = [t._replace(name=self.name()) for t in types]
        names = [v.name if v is not None else "" for v in inputs]
        node_name = f"{op}_{results[0].name}"
        scope.nodes.append(helper.make_node(op, names, [v.name for v in results], name=node_name, **attributes))
        scope.values += [v for v in results if rng.random() < 0.9]

    def add_if(self, scope: Scope) -> None:
        types = [self.pick(scope) for _ in range(self.rng.randint(1, 3))]
        condition = self.pick(scope, BOOL, ())
        branches = {}
        for name in ("then_branch", "else_branch"):
            body = self.inner(scope)
            self.fill(body)
            branches[name] = self.graph(body, [self.body_output(body, t.kind, t.shape) for t in types])
        self.finish(scope, "If", [condition], types, **branches)

    def add_loop(self, scope: Scope) -> None:
        rng = self.rng
        state = [self.pick(scope) for _ in range(rng.randint(0, 3))]
        scans = [self.pick(scope) for _ in range(rng.randint(0 if state else 1, 2))]
        body = self.inner(scope)
        iteration = body.add_input(Val(self.name("i"), INT, ()))
        going = body.add_input(Val(self.name("go"), BOOL, ()))
        for v in state:
            body.add_input(Val(self.name("s"), v.kind, v.shape))
        trips: Val | None = rng.choice([self.constant_of(scope, np.array(rng.randint(0, 3))), self.trip_count(scope)])
        condition: Val | None = rng.choice([None, None, self.pick(scope, BOOL, ())])
        self.fill(body)
        computed = self.body_output(body, BOOL, ())
        proceed = rng.choice([going, going, computed])
        if rng.random() < 0.3:
            limit = self.constant_of(body, np.array(rng.randint(0, 2)))
            proceed = self.emit(body, "Less", [iteration, limit], BOOL, ())
            trips = rng.choice([None, trips])
        outputs = [proceed, *[self.body_output(body, v.kind, v.shape) for v in state]]
        items = [self.body_output(body, v.kind, v.shape) for v in scans]
        outputs += items
        types = [*state, *[v._replace(shape=(None, *v.shape)) for v in items]]
        self.finish(scope, "Loop", [trips, condition, *state], types, body=self.graph(body, outputs))

    def trip_count(self, scope: Scope) -> Val:
        known = [v for v in scope.visible() if v.name == "trips"]
        return known[0] if known else self.constant_of(scope, np.array(2))

    def add_scan(self, scope: Scope) -> None:
        rng = self.rng
        scannable = [v for v in scope.visible() if v.shape]
        if not scannable:
            return
        first = rng.choice(scannable)
        alike = [v for v in scannable if v.shape == first.shape and first.static] or [first]
        scanned = [first, *rng.choices(alike, k=rng.choice([0, 0, 1]))]
        axis = rng.randrange(len(first.shape)) if first.static else 0
        state = [self.pick(scope) for _ in range(rng.randint(0, 2))]
        scans = [self.pick(scope) for _ in range(rng.randint(0 if state else 1, 2))]
        body = self.inner(scope)
        for v in state:
            body.add_input(Val(self.name("s"), v.kind, v.shape))
        for v in scanned:
            body.add_input(v._replace(name=self.name("e"), shape=tuple(d for i, d in enumerate(v.shape) if i != axis)))
        self.fill(body)
        outputs = [self.body_output(body, v.kind, v.shape) for v in (*state, *scans)]
        length = first.shape[axis]
        # What has a size that is not known has it in front.
        out_axes = [0 if length is None else rng.randrange(len(v.shape) + 1) for v in scans]
        types = list(state)
        for v, a in zip(outputs[len(state) :], out_axes, strict=True):
            types.append(v._replace(shape=(*v.shape[:a], length, *v.shape[a:])))
        attributes: dict[str, Any] = {}
        if axis or rng.random() < 0.3:
            sign = -len(first.shape) if rng.random() < 0.3 else 0
            attributes["scan_input_axes"] = [axis + sign] * len(scanned)
        if scans and (any(out_axes) or rng.random() < 0.3):
            attributes["scan_output_axes"] = [
                a - (len(v.shape) + 1) if rng.random() < 0.3 else a for a, v in zip(out_axes, scans, strict=True)
            ]
        if rng.random() < 0.5:
            attributes["scan_input_directions"] = [rng.randint(0, 1) for _ in scanned]
        if scans and rng.random() < 0.5:
            attributes["scan_output_directions"] = [rng.randint(0, 1) for _ in scans]
        inputs: list[Val | None] = [*state, *scanned]
        self.finish(
            scope, "Scan", inputs, types, body=self.graph(body, outputs), num_scan_inputs=len(scanned), **attributes
        )

    # -- functions

    def add_function(self) -> None:
        """A function of one or two inputs, the second optional, with an attribute that has a default or is required."""
        rng = self.rng
        budget, self.budget = self.budget, rng.randint(2, 10)
        scope = Scope(None, 1, in_function=True)
        shape = rng.choice(SHAPES)
        formals = [scope.add_input(Val(self.name("a"), FLOAT, shape))]
        has_default = rng.random() < 0.5
        factor = Val(self.name(), FLOAT, ())
        scope.nodes.append(helper.make_node("Constant", [], [factor.name]))
        scope.nodes[-1].attribute.add(name="value_float", type=AttributeProto.FLOAT, ref_attr_name="factor")
        scope.values.append(factor)
        self.emit(scope, "Mul", [formals[0], factor], FLOAT, shape)
        if rng.random() < 0.5:
            optional = Val(self.name("a"), FLOAT, ())
            self.emit(scope, "Clip", [formals[0], optional], FLOAT, shape)
            formals.append(optional)
        while self.budget > 0:
            self.add_node(scope)
        outputs = list(dict.fromkeys(rng.choices([v for v in scope.values if v.static], k=rng.randint(1, 2))))
        defaults = [helper.make_attribute("factor", 0.5)] if has_default else []
        required = [] if has_default else ["factor"]
        proto = helper.make_function(
            DOMAIN,
            f"F{len(self.functions)}",
            [v.name for v in formals],
            [v.name for v in outputs],
            scope.nodes,
            OPSETS,
            required,
            defaults,
        )
        self.functions.append((proto, formals, outputs, has_default))
        self.budget = budget

    def add_call(self, scope: Scope) -> None:
        rng = self.rng
        proto, formals, outputs, has_default = rng.choice(self.functions)
        names = [self.pick(scope, FLOAT, formals[0].shape).name]
        if len(formals) > 1:
            names += rng.choice([[], [""], [self.pick(scope, FLOAT, ()).name]])
        attributes = {} if has_default and rng.random() < 0.5 else {"factor": rng.choice([0.25, -2.0])}
        results = [Val(self.name(), v.kind, v.shape) for v in outputs]
        self.budget -= 1
        node_name = f"{proto.name}_{results[0].name}"
        scope.nodes.append(
            helper.make_node(proto.name, names, [v.name for v in results], name=node_name, domain=DOMAIN, **attributes)
        )
        scope.values += results


def random_case(seed: int, nodes: int | None = None) -> Case:
    """A model of about 10 to 60 nodes, always the same for a seed."""
    return Generator(seed, nodes).case()


def _random_array(rng: np.random.Generator, value: Val) -> np.ndarray:
    if value.name == "trips":
        return np.array(rng.integers(0, 4))
    if value.kind == BOOL:
        return np.array(rng.integers(0, 2, value.shape), np.bool_)
    if value.kind == INT:
        return np.array(rng.integers(-4, 6, value.shape), np.int64)
    return np.array(rng.integers(-6, 7, value.shape) / 2, np.float32)
