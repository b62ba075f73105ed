"""Memory: inputs are never written, results belong to the caller, bound buffers are used."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ort_core.ort_value import OrtValue
from ort_core.testing.conformance.contracts.cases import Arrays, Case
from ort_core.testing.conformance.contracts.catalogue import CASES, CONTROL_FLOW, each_case
from ort_core.testing.conformance.contracts.checks import Unchanged, check_results, unchanged_results
from ort_core.testing.conformance.contracts.claims import Claims, open_case
from ort_core.testing.conformance.contracts.relay import relayed_session
from ort_core.testing.conformance.target import Target

pytestmark = pytest.mark.ort_contract("aliasing")

SAME_INPUTS = [case for case in CASES if case.graph.startswith("(T[N, M] a, T[N, M] b) => (T[N, M] y)")]
RELAYED = {
    "chain": "a = {op} (x, x) b = relay.Relay (a) c = {op} (b, b) d = relay.Relay (c) y = {op} (d, d)",
    "read-later": "a = relay.Relay (x) b = {op} (a, a) c = relay.Relay (b) y = {op} (c, a)",
    "read-after": "a = relay.Relay (x) b = {op} (a, a) c = relay.Relay (a) y = {op} (b, c)",
}


@each_case()
def test_inputs_are_not_written(target: Target, case: Case) -> None:
    """A run leaves its inputs as they are."""
    feeds = case.feeds(1)
    before = Unchanged(feeds, "input")
    with open_case(target, case) as session:
        for _ in range(2):
            check_results(session.run(None, feeds), case.expected(feeds), exact=case.exact)
            before.check("the run")


@each_case()
def test_read_only_inputs_are_taken(target: Target, case: Case) -> None:
    """Inputs may be read-only arrays."""
    feeds = case.feeds(2)
    for array in feeds.values():
        array.flags.writeable = False
    with open_case(target, case) as session:
        check_results(session.run(None, feeds), case.expected(feeds), exact=case.exact)


@each_case(*SAME_INPUTS)
def test_one_array_may_be_fed_twice(target: Target, case: Case) -> None:
    """One array may be fed under two names."""
    array = case.feeds(3)["a"]
    feeds = {"a": array, "b": array}
    before = Unchanged(feeds, "input")
    with open_case(target, case) as session:
        check_results(session.run(None, feeds), case.expected(feeds), exact=case.exact)
    before.check("the run")


@each_case()
def test_results_share_no_memory(target: Target, case: Case) -> None:
    """A result shares no memory with inputs, other results, or constants."""
    feeds = case.feeds(4)
    with open_case(target, case) as session:
        results = session.run(None, feeds)
        for one, other in itertools.combinations([*feeds.values(), *results], 2):
            assert not np.shares_memory(one, other)
        for result in results:
            _scribble(result)
        check_results(session.run(None, feeds), case.expected(feeds), exact=case.exact)


@each_case()
def test_results_stay_as_they_are(target: Target, case: Case) -> None:
    """Later runs, and closing, change neither earlier results nor their inputs."""
    first, second = case.feeds(5), case.feeds(6)
    with open_case(target, case) as session:
        results = session.run(None, first)
        check_results(results, case.expected(first), exact=case.exact)
        kept, fed = unchanged_results(results), Unchanged(first, "input")
        for feeds in (second, case.feeds(7), second):
            again = session.run(None, feeds)
            kept.check("a later run")
            fed.check("a later run")
            for result in again:
                _scribble(result)
            kept.check("writing to a later result")
        del again
        check_results(session.run(None, second), case.expected(second), exact=case.exact)
    kept.check("closing the session")


@each_case()
def test_bound_buffers_are_written(target: Target, case: Case) -> None:
    """A bound output buffer is the result itself, and written completely."""
    with open_case(target, case) as session:
        binding = session.io_binding()
        buffers: Arrays = {}
        for seed in (8, 9):
            feeds = case.feeds(seed)
            expected = case.expected(feeds)
            for name, array in feeds.items():
                binding.bind_cpu_input(name, array)
            if not buffers:
                names = [output.name for output in session.get_outputs()]
                buffers = {name: array.copy() for name, array in zip(names, expected, strict=True)}
                for name, buffer in buffers.items():
                    binding.bind_ortvalue_output(name, OrtValue.ortvalue_from_numpy(buffer))
            for buffer in buffers.values():
                _scribble(buffer)
            session.run_with_iobinding(binding)
            check_results(list(buffers.values()), expected, exact=case.exact)
            for buffer, value in zip(buffers.values(), binding.get_outputs(), strict=True):
                assert np.shares_memory(buffer, value.numpy()), "the result is not the bound buffer"


@each_case(*SAME_INPUTS)
def test_output_may_be_bound_to_the_memory_of_an_input(target: Target, case: Case) -> None:
    """An output bound to the memory of an input is right, and the other input stays."""
    feeds = case.feeds(10)
    expected = case.expected(feeds)
    other = Unchanged({"b": feeds["b"]}, "input")
    with open_case(target, case) as session:
        binding = session.io_binding()
        for name, array in feeds.items():
            binding.bind_cpu_input(name, array)
        binding.bind_ortvalue_output("y", OrtValue.ortvalue_from_numpy(feeds["a"]))
        session.run_with_iobinding(binding)
    check_results([feeds["a"]], expected, exact=case.exact)
    other.check("the run")


@pytest.mark.usefixtures("relay")
@pytest.mark.parametrize("form", RELAYED)
def test_values_between_partitions(target: Target, claims: Claims, form: str) -> None:
    """Values that other providers read later, and donated ones, are right in every run."""
    binary = [case for case in claims.links if "(a, b)" in case.graph]
    if not binary:
        pytest.skip("the provider claims no node that could join two partitions")
    nodes = RELAYED[form]
    for case in binary:
        element = case.elements[0]
        types = ", ".join(f"{element}[N, M] {name}" for name in "abcd" if f" {name} = " in f" {nodes}")
        graph = f"({element}[N, M] x) => ({element}[N, M] y) <{types}> {{ {nodes.format(op=case.name)} }}"
        with relayed_session(target, graph) as session:
            kept = []
            for seed in range(3):
                feed = case.feeds(seed)["a"]
                (result,) = session.run(None, {"x": feed})
                check_results([result], [_relayed(form, case, feed)])
                kept.append(unchanged_results([result]))
            for memory in kept:
                memory.check("a later run")


@each_case(*CONTROL_FLOW)
def test_values_of_loops_and_branches(target: Target, case: Case) -> None:
    """What a body reads from outside and carries from iteration to iteration is not overwritten early."""
    with open_case(target, case) as session:
        for seed in range(4):
            feeds = case.feeds(seed)
            check_results(session.run(None, feeds), case.expected(feeds))


def _relayed(form: str, case: Case, x: np.ndarray) -> np.ndarray:
    """The result of one of the `RELAYED` models."""

    def op(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.asarray(case.compute(a, b)).astype(x.dtype)

    if form == "chain":
        return op(*[op(*[op(x, x)] * 2)] * 2)
    return op(op(x, x), x)


def _scribble(array: np.ndarray) -> None:
    """Overwrites an array with other contents."""
    if array.dtype.kind == "O":
        array[...] = "overwritten"
    else:
        array.reshape(-1).view(np.uint8)[...] ^= 0x5A
