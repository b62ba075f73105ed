"""Whether two prepared models are the same in everything that later stages could ask."""

from __future__ import annotations

from typing import Any

import numpy as np

from ort_core.ir.attributes import Attribute, SparseWeight
from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.rewrite import check_invariants
from ort_core.ir.tensors import ArrayWeight, WeightRef
from ort_core.load.weights import StoredWeight, VarintWeight
from ort_core.prepare import PreparedModel


def assert_same(a: PreparedModel, b: PreparedModel) -> None:
    check_invariants(b.model)
    assert a.interface == b.interface
    assert (a.passes.max_fold_bytes, a.passes.opsets) == (b.passes.max_fold_bytes, b.passes.opsets)
    assert (a.model.opset_imports, a.model.original_opsets) == (b.model.opset_imports, b.model.original_opsets)
    assert a.model.header == b.model.header
    assert {k: (s.name, s.size) for k, s in a.model.sources.items()} == {
        k: (s.name, s.size) for k, s in b.model.sources.items()
    }
    pairs = _Pairs()
    pairs.graph(a.model.graph, b.model.graph)
    assert list(a.model.functions) == list(b.model.functions)
    for key, function in a.model.functions.items():
        other = b.model.functions[key]
        assert (function.key, function.doc, function.opset_imports) == (other.key, other.doc, other.opset_imports)
        pairs.graph(function.graph, other.graph)
        pairs.attributes(function.attributes, other.attributes)
    pairs.uses()


class _Pairs:
    def __init__(self) -> None:
        self.values: dict[Value, Value] = {}
        self.users: dict[Any, Any] = {}
        self.weights: dict[int, tuple[WeightRef, WeightRef]] = {}

    def graph(self, a: Graph, b: Graph) -> None:
        self.users[a] = b
        assert (a.name, a.doc, a.metadata, a.annotations) == (b.name, b.doc, b.metadata, b.annotations)
        assert (a.output_names, a.declared_outputs) == (b.output_names, b.declared_outputs)
        assert list(a.initializers) == list(b.initializers)
        self.all(a.inputs, b.inputs, self.value)
        self.all(a.initializers.values(), b.initializers.values(), self.value)
        self.all(a.nodes, b.nodes, self.node)
        self.all(a.outputs, b.outputs, self.refers)
        if a.parent is None:
            present = {v.name for v in self.values.values() if v.graph in set(b.graphs())} | {*a.output_names}
            assert b.used_names() == a.used_names() | present

    def node(self, a: Node, b: Node) -> None:
        for name in ("op_type", "domain", "overload", "name", "doc", "metadata", "origin"):
            assert getattr(a, name) == getattr(b, name), name
        assert type(a.origin) is type(b.origin)
        self.users[a] = b
        self.all(a.inputs, b.inputs, self.refers)
        self.attributes(a.attributes, b.attributes)
        self.all(a.outputs, b.outputs, self.value)
        assert all(graph.parent is b for graph in b.subgraphs)

    def attributes(self, a: dict[str, Attribute | None], b: dict[str, Attribute | None]) -> None:
        assert list(a) == list(b)
        for key, x in a.items():
            y = b[key]
            assert (x is None) == (y is None)
            if x is not None and y is not None:
                assert (x.kind, x.ref, type(x.value)) == (y.kind, y.ref, type(y.value))
                self.all([x.value], [y.value], self.item)

    def item(self, a: Any, b: Any) -> None:
        if isinstance(a, Graph):
            self.graph(a, b)
        elif isinstance(a, tuple) and not isinstance(a, SparseWeight):
            self.all(a, b, self.item)
        elif isinstance(a, WeightRef | SparseWeight):
            self.const(a, b)
        else:
            assert type(a) is type(b)
            assert a == b or (a != a and b != b)

    def value(self, a: Value | None, b: Value | None) -> None:
        assert (a is None) == (b is None)
        if a is None or b is None:
            return
        assert self.values.setdefault(a, b) is b
        for name in ("name", "type", "doc", "metadata"):
            assert getattr(a, name) == getattr(b, name), name
        assert self.users.get(a.graph) is b.graph
        assert (a.const is None) == (b.const is None)
        if a.const is not None:
            self.const(a.const, b.const)

    def refers(self, a: Value | None, b: Value | None) -> None:
        assert (None if a is None else self.values[a]) is b

    def const(self, a: Any, b: Any) -> None:
        if isinstance(a, SparseWeight):
            assert isinstance(b, SparseWeight)
            assert a.shape == b.shape
            self.const(a.values, b.values)
            self.const(a.indices, b.indices)
            return
        known = self.weights.setdefault(id(a), (a, b))
        assert known[1] is b
        assert type(a) is type(b)
        assert (a.element, a.shape, a.nbytes) == (b.element, b.shape, b.nbytes)
        if isinstance(a, StoredWeight):
            assert (a.source.name, a.offset) == (b.source.name, b.offset)
            return
        if isinstance(a, VarintWeight):
            assert (a.source.name, a.offset, a.length, a.signed) == (b.source.name, b.offset, b.length, b.signed)
            assert a.where == b.where
        x, y = a.array(), b.array()
        assert (x.dtype, x.shape) == (y.dtype, y.shape)
        assert not y.flags.writeable
        assert y.flags.c_contiguous
        assert x.tolist() == y.tolist() if x.dtype == object else bytes(a.view()) == bytes(b.view())
        if isinstance(b, ArrayWeight) and y.dtype != object and y.size:
            assert y.__array_interface__["data"][0] % y.dtype.alignment == 0

    def uses(self) -> None:
        for a, b in self.values.items():
            expected = {(self.users[use.user], use.slot) for use in a.uses}
            assert {(use.user, use.slot) for use in b.uses} == expected, a

    def all(self, a: Any, b: Any, compare: Any) -> None:
        for x, y in zip(a, b, strict=True):
            compare(x, y)


def same_results(a: list[Any], b: list[Any]) -> bool:
    return all(np.array_equal(x, y, equal_nan=x.dtype.kind in "fc") for x, y in zip(a, b, strict=True))
