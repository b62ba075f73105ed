"""Copies between host and device: every element type, size and offset, and the values that sessions hand over."""

from __future__ import annotations

import numpy as np
import pytest

from ort_core.errors import InvalidArgument
from ort_core.ir.types import ElementType
from ort_core.memory.allocator import DeviceRuntime
from ort_core.ort_value import OrtValue
from ort_core.testing.conformance.contracts.cases import Case, random_array
from ort_core.testing.conformance.contracts.catalogue import each_case
from ort_core.testing.conformance.contracts.checks import bits, check_results, unchanged_results
from ort_core.testing.conformance.contracts.claims import Claims, open_case
from ort_core.testing.conformance.contracts.device_tensors import ELEMENTS, get, new_tensor, part, put
from ort_core.testing.conformance.contracts.odd_arrays import FORMS
from ort_core.testing.conformance.target import Target

pytestmark = pytest.mark.ort_contract("copies")

SHAPES = ((), (0,), (1,), (3,), (17,), (2, 0, 3), (5, 7), (3, 1, 257))
BOTH_WAYS = [False, True]


def _check_bits(got: np.ndarray, want: np.ndarray) -> None:
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    assert bits(got) == bits(want), "the contents differ"


@pytest.mark.parametrize("element", ELEMENTS, ids=lambda e: e.onnx_name)
def test_round_trip(runtime: DeviceRuntime, element: ElementType) -> None:
    """Tensors of every size come back from the device as they went."""
    rng = np.random.default_rng(element)
    for shape in SHAPES:
        array = random_array(rng, element, shape)
        value = OrtValue.ortvalue_from_numpy(array, runtime.device.type, runtime.device.id)
        assert value.device == runtime.device
        _check_bits(value.numpy(), array)


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_arrays(runtime: DeviceRuntime, form: str) -> None:
    """Strided, reversed, column-major, unaligned and byte-swapped arrays arrive with their numbers."""
    array = np.arange(35, dtype=np.float32).reshape(5, 7)
    value = OrtValue.ortvalue_from_numpy(FORMS[form](array), runtime.device.type, runtime.device.id)
    _check_bits(value.numpy(), array)


@pytest.mark.parametrize("streamed", BOTH_WAYS)
@pytest.mark.parametrize("element", [ElementType.UINT8, ElementType.FLOAT16, ElementType.FLOAT, ElementType.DOUBLE])
def test_parts_of_buffers(runtime: DeviceRuntime, element: ElementType, streamed: bool) -> None:
    """Copies to, from and between parts of buffers write what they should and nothing else."""
    stream = runtime.new_stream() if streamed else None
    rng = np.random.default_rng(1)
    background = random_array(rng, element, (64,))
    patch = random_array(rng, element, (3, 5))
    tensor = put(runtime, background, stream)
    runtime.copy(patch, part(tensor, 7, (3, 5)), stream)
    expected = background.copy()
    expected[7:22] = patch.reshape(-1)
    _check_bits(get(runtime, tensor, stream), expected)
    _check_bits(get(runtime, part(tensor, 9, (11,)), stream), expected[9:20])
    other = put(runtime, background, stream)
    runtime.copy(part(tensor, 8, (13,)), part(other, 40, (13,)), stream)
    expected[:] = background
    expected[40:53] = get(runtime, part(tensor, 8, (13,)), stream)
    _check_bits(get(runtime, other, stream), expected)


@pytest.mark.parametrize("streamed", BOTH_WAYS)
def test_copies_are_copies(runtime: DeviceRuntime, streamed: bool) -> None:
    """What was copied shares no memory with where it came from."""
    stream = runtime.new_stream() if streamed else None
    array = np.arange(100, dtype=np.float32)
    tensor = put(runtime, array, stream)
    copy = new_tensor(runtime, ElementType.FLOAT, (100,), stream)
    runtime.copy(tensor, copy, stream)
    first = get(runtime, tensor, stream)
    array += 1
    runtime.copy(array, tensor, stream)
    _check_bits(get(runtime, tensor, stream), array)
    _check_bits(get(runtime, copy, stream), array - 1)
    _check_bits(first, array - 1)


def test_values_are_updated_in_place(runtime: DeviceRuntime) -> None:
    """A device value can be refilled, and keeps its address."""
    first, second = np.arange(6, dtype=np.float32), np.arange(6, 12, dtype=np.float32)
    value = OrtValue.ortvalue_from_numpy(first, runtime.device.type, runtime.device.id)
    address = value.data_ptr()
    value.update_inplace(second)
    assert value.data_ptr() == address
    _check_bits(value.numpy(), second)
    _check_bits(first, np.arange(6, dtype=np.float32))
    with pytest.raises(InvalidArgument):
        value.update_inplace(second[:5])


@each_case()
def test_device_inputs_and_outputs(target: Target, runtime: DeviceRuntime, case: Case) -> None:
    """Inputs and outputs bound on the device give what host arrays give; inputs stay, buffers keep their address."""
    kind, index = runtime.device.type, runtime.device.id
    with open_case(target, case) as session:
        binding = session.io_binding()
        names = [output.name for output in session.get_outputs()]
        buffers: dict[str, OrtValue] = {}
        for seed in range(3):
            feeds = case.feeds(seed)
            expected = case.expected(feeds)
            fed = {name: OrtValue.ortvalue_from_numpy(array, kind, index) for name, array in feeds.items()}
            for name, value in fed.items():
                binding.bind_ortvalue_input(name, value)
            for name, array in zip(names, expected, strict=True):
                if seed == 0:
                    binding.bind_output(name, kind, index)
                elif seed == 1:
                    element = ElementType.from_dtype(array.dtype)
                    buffers[name] = OrtValue.ortvalue_from_shape_and_type(array.shape, element.value, kind, index)
                    binding.bind_ortvalue_output(name, buffers[name])
            session.run_with_iobinding(binding)
            check_results(binding.copy_outputs_to_cpu(), expected, exact=case.exact)
            for name, value in zip(names, binding.get_outputs(), strict=True):
                assert value.device == runtime.device
                assert name not in buffers or value.data_ptr() == buffers[name].data_ptr()
            for name, value in fed.items():
                _check_bits(value.numpy(), feeds[name])
            check_results([buffers[name].numpy() for name in buffers], expected[: len(buffers)], exact=case.exact)


@each_case()
def test_values_stay_on_the_device(target: Target, claims: Claims, case: Case) -> None:
    """Values that a session returns are not changed by later runs, and survive the session."""
    feeds = case.feeds(1)
    with open_case(target, case) as session:
        values = session.run_with_ort_values(None, {k: OrtValue.ortvalue_from_numpy(v) for k, v in feeds.items()})
        for seed in (2, 3):
            others = {k: OrtValue.ortvalue_from_numpy(v) for k, v in case.feeds(seed).items()}
            session.run_with_ort_values(None, others)
        results = [value.numpy() for value in values]
        check_results(results, case.expected(feeds), exact=case.exact)
        kept = unchanged_results(results)
    check_results([value.numpy() for value in values], case.expected(feeds), exact=case.exact)
    kept.check("closing the session")
