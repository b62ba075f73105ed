"""Random models on the fake device and the host against an interpreter of ONNX protos."""

from __future__ import annotations

import random

import numpy as np
import pytest
from core_helpers import DEVICE, session
from random_models import random_case

from ort_core.testing import fake_device

OPS = [
    "Abs", "Add", "And", "Cast", "Concat", "Greater", "Identity", "Less", "Mul", "Neg", "Not", "ReduceSum", "Relu", "Reshape",
    "Sub", "Transpose",
]  # fmt: skip
PER_TEST = 20


def check(names, results, expected):
    for name, got, want in zip(names, results, expected, strict=True):
        assert got.dtype == want.dtype, name
        np.testing.assert_array_equal(got, want, err_msg=name, strict=True)


@pytest.mark.parametrize("first", range(0, 300, PER_TEST))
def test_random_models_split_over_device_and_host(first):
    """Any part of the operators on the device, optimised or not, under random delays; nothing leaks."""
    for seed in range(first, first + PER_TEST):
        rng = random.Random(seed)
        case = random_case(seed)
        device = (DEVICE, {"ops": ",".join(rng.sample(OPS, rng.randint(1, len(OPS))))})
        with fake_device(seed=seed, delay=(0.0, 30e-6)) as control:
            with session(case.model, device, optimize=rng.random() < 0.5) as opened:
                for k in range(2):
                    feeds = case.feeds(seed + k)
                    results = opened.run(None, feeds)
                    check(case.outputs, results, case.expected(feeds))
            del opened, results
            control.check()
            control.check_no_leaks()


def test_the_models_have_all_that_they_are_meant_to_have():
    """Nesting three deep, functions with control flow, no iterations, absent inputs, results that nothing computes."""
    seen = set()

    def visit(graph, outer, depth):
        own = {t.name for t in graph.initializer}
        inputs = {v.name for v in graph.input}
        produced = {o for n in graph.node for o in n.output}
        if depth:
            for v in graph.output:
                kinds = {"input": inputs, "constant": own, "captured": outer}
                seen.update(f"body output is {kind}" for kind, names in kinds.items() if v.name in names)
            if len({v.name for v in graph.output}) < len(graph.output):
                seen.add("body output twice")
        for n in graph.node:
            seen.add(n.op_type)
            if "" in n.input:
                seen.add("absent input")
            for a in n.attribute:
                if a.HasField("g"):
                    seen.add(f"depth {depth + 1}")
                    visit(a.g, outer | own | inputs | produced, depth + 1)

    for seed in range(100):
        proto = random_case(seed).proto
        visit(proto.graph, set(), 0)
        names = {t.name for t in proto.graph.initializer}
        seen.update("output is constant" for v in proto.graph.output if v.name in names)
        seen.update("output is input" for v in proto.graph.output if v.name in {i.name for i in proto.graph.input})
        for function in proto.functions:
            seen.add("default" if function.attribute_proto else "required attribute")
            seen.update("control flow in a function" for n in function.node if n.op_type in ("If", "Loop", "Scan"))
            seen.update("function in a function" for n in function.node if n.domain)
    assert seen >= {
        "If", "Loop", "Scan", "depth 1", "depth 2", "depth 3", "absent input", "body output is input",
        "body output is constant", "body output is captured", "body output twice", "output is constant", "output is input",
        "default", "required attribute", "control flow in a function", "function in a function",
    }  # fmt: skip
