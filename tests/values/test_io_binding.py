from __future__ import annotations

import gc

import ml_dtypes
import numpy as np
import pytest

from ort_core.devices import HOST, Device
from ort_core.errors import InvalidArgument
from ort_core.io_binding import IOBinding, OrtValueVector, OutputRequest, SessionIOBinding
from ort_core.ir.types import ElementType, OptionalType, SequenceType, TensorType
from ort_core.memory.transfer import copy_tensor, to_device, to_host
from ort_core.ort_device import OrtDevice
from ort_core.ort_value import OrtValue
from ort_core.values import DeviceTensor

F32 = TensorType(ElementType.FLOAT, ("N", 3))
FAKE = Device("fake")
X = np.arange(6, dtype=np.float32).reshape(2, 3)


class StubSession:
    """`y = x + w`, `z = -y` on the host; also `s`, a sequence of both inputs, and `t`, the text of `u`."""

    def __init__(self):
        self._input_types = {
            "x": F32,
            "w": F32,
            "u": TensorType(ElementType.STRING),
            "h": TensorType(ElementType.BFLOAT16),
        }
        self._output_types = {
            "y": F32,
            "z": F32,
            "s": SequenceType(F32),
            "t": TensorType(ElementType.STRING),
            "o": OptionalType(F32),
            "half": TensorType(ElementType.BFLOAT16),
        }
        self.seen = []

    def _execute(self, feeds, outputs, run_options=None, binding_id=None):
        self.seen.append((dict(feeds), list(outputs), run_options, binding_id))
        results = []
        for request in outputs:
            value = self._compute(request.name, {k: to_host(v) for k, v in feeds.items()})
            if request.buffer is not None:
                copy_tensor(value, request.buffer)
                value = request.buffer
            elif not request.device.is_host:
                value = to_device(value, request.device)
            results.append(value)
        return results

    def _compute(self, name, feeds):
        if name == "t":
            return feeds["u"]
        if name == "half":
            return feeds["h"]
        if name == "o":
            return None
        x, w = feeds["x"], feeds["w"]
        return {"y": lambda: x + w, "z": lambda: -(x + w), "s": lambda: [x, w]}[name]()


@pytest.fixture
def session():
    return StubSession()


@pytest.fixture
def binding(session):
    binding = IOBinding(session)
    binding.bind_cpu_input("x", X)
    binding.bind_cpu_input("w", np.ones((2, 3), np.float32))
    return binding


def test_a_bound_array_is_read_at_each_run(session):
    x = X.copy()
    binding = IOBinding(session)
    binding.bind_cpu_input("x", x)
    binding.bind_cpu_input("w", np.zeros((2, 3), np.float32))
    binding.bind_output("y")
    binding._run()
    first = binding.copy_outputs_to_cpu()[0]
    x += 10
    binding._run("options")
    assert binding.copy_outputs_to_cpu()[0][0, 0] == 10
    assert first[0, 0] == 0
    assert session.seen[0][0]["x"] is x
    assert session.seen[1][1:] == ([OutputRequest("y", HOST, None)], "options", None)


def test_outputs_come_in_the_order_of_their_first_binding(binding):
    binding.bind_output("z")
    binding.bind_output("y")
    binding.bind_output("z")
    binding._run()
    z, y = binding.copy_outputs_to_cpu()
    assert y[0, 0] == 1
    assert z[0, 0] == -1
    assert [v.shape() for v in binding.get_outputs()] == [[2, 3], [2, 3]]


def test_each_run_gives_new_memory_where_none_is_bound(binding):
    binding.bind_output("y")
    binding._run()
    kept = binding.get_outputs()[0]
    binding.bind_cpu_input("x", X[:1])
    binding.bind_cpu_input("w", X[:1] * 100)
    binding._run()
    assert kept.shape() == [2, 3]
    assert binding.get_outputs()[0].shape() == [1, 3]


def test_a_bound_value_is_the_result(binding):
    value = OrtValue.ortvalue_from_shape_and_type([2, 3], np.float32)
    binding.bind_ortvalue_output("y", value)
    assert binding.get_outputs()[0] is value
    binding._run()
    assert value.numpy()[0, 0] == 1
    assert binding.get_outputs()[0] is value
    copied = binding.copy_outputs_to_cpu()[0]
    assert not np.shares_memory(copied, value.numpy())


def test_addresses_of_host_memory(session):
    x, out = X.copy(), np.zeros((2, 3), np.float32)
    binding = IOBinding(session)
    binding.bind_input("x", "cpu", 0, np.float32, [2, 3], x.ctypes.data)
    binding.bind_input("w", "cpu", 0, 1, (2, 3), x.ctypes.data)
    binding.bind_output("y", "cpu", 0, np.float32, [2, 3], out.ctypes.data)
    binding._run()
    assert np.array_equal(out, x + x)
    assert binding.get_outputs()[0].data_ptr() == out.ctypes.data


def test_types_that_numpy_lacks_at_an_address(session):
    source = np.arange(4).astype(ml_dtypes.bfloat16)
    target = np.zeros(4, np.uint16)
    binding = IOBinding(session)
    binding.bind_input("h", "cpu", 0, 16, [4], source.ctypes.data)
    binding.bind_output("half", "cpu", 0, ml_dtypes.bfloat16, [4], target.ctypes.data)
    binding._run()
    assert target.view(ml_dtypes.bfloat16).tolist() == [0, 1, 2, 3]


def test_device_inputs_and_outputs(fake, session):
    x, w = (OrtValue.ortvalue_from_numpy(X, "fake") for _ in range(2))
    binding = IOBinding(session)
    binding.bind_ortvalue_input("x", x)
    binding.bind_input("w", "fake", 0, np.float32, [2, 3], w.data_ptr())
    binding.bind_output("y", "fake")
    binding.synchronize_inputs()
    binding._run()
    binding.synchronize_outputs()
    (y,) = binding.get_outputs()
    assert y.device == FAKE
    assert np.array_equal(y.numpy(), X + X)
    assert np.array_equal(binding.copy_outputs_to_cpu()[0], X + X)
    target = OrtValue.ortvalue_from_shape_and_type([2, 3], np.float32, "fake")
    binding.bind_output("y", "fake", 0, np.float32, [2, 3], target.data_ptr())
    binding._run()
    assert np.array_equal(target.numpy(), X + X)
    del x, y
    gc.collect()
    assert np.array_equal(to_host(binding.feeds["x"]), X), "the binding keeps its inputs alive"


def test_synchronising_waits_for_events(fake, session):
    tensor = to_device(X, FAKE)
    stream = fake.new_stream()
    stream.submit(lambda: None)
    tensor.ready = stream.record()
    binding = IOBinding(session)
    binding.bind_ortvalue_input("x", OrtValue(tensor))
    binding.synchronize_inputs()
    assert stream.done == 1


def test_values_that_are_not_tensors(session, binding):
    binding.bind_cpu_input("u", np.array(["a", "b"]))
    for name in ("s", "t", "o"):
        binding.bind_output(name)
    binding._run()
    sequence, text, empty = binding.get_outputs()
    assert sequence.data_type() == "seq(tensor(float))"
    assert text.numpy().tolist() == ["a", "b"]
    assert not empty.has_value()
    assert empty.is_tensor()
    copied = binding.copy_outputs_to_cpu()
    assert np.array_equal(copied[0][0], X)
    assert not np.shares_memory(copied[0][0], X)
    assert copied[2] is None


def test_unusual_inputs_are_converted(session, binding):
    binding.bind_cpu_input("x", [[1, 2, 3]])
    binding.bind_cpu_input("w", np.asfortranarray(X).astype(">f4"))
    assert binding.feeds["x"].dtype == np.float32
    assert binding.feeds["w"].flags.c_contiguous


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda b: b.bind_cpu_input("q", X), "the model has no input 'q'. It has: x, w, u, h"),
        (lambda b: b.bind_output("q"), "the model has no output 'q'. It has: y, z"),
        (lambda b: b.bind_ortvalue_output("q", OrtValue(X)), "no output 'q'"),
        (lambda b: b.bind_input("q", "cpu", 0, 1, [1], 64), "no input 'q'"),
        (
            lambda b: b.bind_cpu_input("x", X.astype(float)),
            r"Actual: \(tensor\(double\)\) , expected: \(tensor\(float\)\)",
        ),
        (lambda b: b.bind_cpu_input("x", X[None]), "Invalid rank for input: x Got: 3 Expected: 2"),
        (lambda b: b.bind_ortvalue_input("x", X), "expected an OrtValue, got ndarray"),
        (lambda b: b.bind_ortvalue_input("x", OrtValue(X.astype(float))), r"tensor\(double\)"),
        (lambda b: b.bind_ortvalue_output("y", X), "output 'y': expected an OrtValue"),
        (lambda b: b.bind_ortvalue_output("y", OrtValue(X.astype(float))), r"Unexpected output data type.*'y'"),
        (lambda b: b.bind_ortvalue_output("y", OrtValue(X.reshape(3, 2))), "output: y .*index: 1 Got: 2 Expected: 3"),
        (lambda b: b.bind_ortvalue_output("y", OrtValue(X.reshape(6))), "Invalid rank for output: y"),
        (lambda b: b.bind_ortvalue_output("s", OrtValue([X])), "output 's' can be bound to a dense tensor only"),
        (lambda b: b.bind_ortvalue_output("s", OrtValue(X)), r"expected: \(seq\(tensor\(float\)\)\)"),
        (lambda b: b.bind_output("y", "cpu", 0, None, [2, 3], X.ctypes.data), "`element_type` and `shape`"),
        (lambda b: b.bind_output("y", "cpu", 0, 1, None, X.ctypes.data), "`element_type` and `shape`"),
        (lambda b: b.bind_output("y", "cpu", 0, 11, [2, 3], X.ctypes.data), r"Actual: \(tensor\(double\)\)"),
        (lambda b: b.bind_output("y", "cpu", 0, str, [2, 3], X.ctypes.data), "no agreed form"),
        (lambda b: b.bind_output("y", "foo"), "Unsupported device type: 'foo'"),
        (lambda b: b.bind_output("y", "cuda"), "cuda:0"),
        (lambda b: b.bind_input("x", "cpu", 0, 1, [2, 3], 0), "0x0 is not the address"),
        (lambda b: b.bind_input("x", "cpu", 0, 1, [2, 3], X.ctypes.data + 1), "multiple of 4"),
        (lambda b: b.bind_input("x", "cpu", 0, 1, [-2, 3], X.ctypes.data), "must not be negative"),
        (lambda b: b.bind_input("x", "cpu", 0, 1, [1 << 40, 1 << 40], X.ctypes.data), "overflow"),
        (lambda b: b.bind_input("x", "cpu", 0, 22, [2, 3], X.ctypes.data), "tensor\\(int4\\) has no agreed form"),
        (lambda b: b.bind_input("x", "cuda", 0, 1, [2, 3], X.ctypes.data), "cuda:0"),
        (lambda b: b._run(), "At least one output should be requested"),
    ],
)
def test_mistakes_are_named(fake, session, call, text):
    with pytest.raises(InvalidArgument, match=text):
        call(IOBinding(session))


def test_read_only_arrays_cannot_be_outputs(session):
    array = X.copy()
    array.flags.writeable = False
    with pytest.raises(InvalidArgument, match="output 'y' cannot be written to a read-only array"):
        IOBinding(session).bind_ortvalue_output("y", OrtValue(array))


def test_results_before_a_run(binding):
    binding.bind_output("y")
    assert not binding.get_outputs()[0].has_value()
    with pytest.raises(InvalidArgument, match="'y' has no result yet"):
        binding.copy_outputs_to_cpu()
    binding._run()
    binding.bind_output("y")
    assert not binding.get_outputs()[0].has_value()


def test_clearing(session, binding):
    binding.bind_output("y")
    binding._run()
    binding.clear_binding_inputs()
    assert dict(binding.feeds) == {}
    binding.clear_binding_outputs()
    assert binding.get_outputs() == binding.copy_outputs_to_cpu() == []
    assert binding.requests == []


def test_the_binding_id_names_a_set_of_addresses(session, binding):
    value = OrtValue.ortvalue_from_shape_and_type([2, 3], np.float32)
    binding.bind_ortvalue_output("y", value)
    first = binding.binding_id
    assert first is not None
    binding._run()
    assert session.seen[0][3] == binding.binding_id == first
    binding.bind_cpu_input("x", X)
    assert binding.binding_id != first
    binding.bind_output("z")
    assert binding.binding_id is None


def test_the_vector_of_results(binding):
    binding.bind_output("y")
    binding._run()
    vector = binding.get_outputs_as_ortvaluevector()
    assert isinstance(vector, OrtValueVector)
    assert len(vector) == 1
    assert vector.element_type_at(0) == 1
    vector.push_back(OrtValue(np.array([True])))
    vector.push_back_batch([OrtValue([np.ones(1)])])
    vector.reserve(10)
    vector.shrink_to_fit()
    assert vector.bool_tensor_indices() == [1]
    assert OrtValue.from_dlpack(vector.dlpack_at(0)).shape() == [2, 3]
    del vector[2]
    assert [v.shape() for v in vector.to_dlpacks(OrtValue.from_dlpack)] == [[2, 3], [1]]
    assert len(vector.to_dlpacks()) == 2


def test_the_native_argument_forms(fake, session):
    cpu = OrtDevice.make("cpu", 0)
    out = np.zeros((2, 3), np.float32)
    binding = SessionIOBinding(session)
    binding.bind_input("x", X)
    binding.bind_input("w", cpu, np.float32, [2, 3], X.ctypes.data)
    binding.bind_output("y", cpu, 1, [2, 3], out.ctypes.data)
    binding.bind_output("z", OrtDevice.make("fake", 0))
    binding._run()
    assert np.array_equal(out, X + X)
    assert isinstance(binding.get_outputs(), OrtValueVector)
    assert isinstance(binding.get_outputs()[1].value, DeviceTensor)
    with pytest.raises(InvalidArgument, match="expected \\(OrtDevice, element_type, shape, buffer_ptr\\)"):
        binding.bind_input("w", cpu, 1)
    with pytest.raises(InvalidArgument, match="expected \\(OrtDevice"):
        binding.bind_output("y", "cpu")
