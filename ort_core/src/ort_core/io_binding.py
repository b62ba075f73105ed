"""`IOBinding`: inputs and outputs of a session bound to memory of the caller's choice."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from ort_core.convert import check_shape, to_python, to_runtime_value
from ort_core.devices import HOST, Device
from ort_core.errors import InvalidArgument
from ort_core.ir.types import ElementType, TensorType, ValueType, describe
from ort_core.memory.host import array_over, check_size
from ort_core.memory.registry import runtime_for
from ort_core.memory.transfer import wait_ready
from ort_core.ort_device import OrtDevice
from ort_core.ort_value import OrtValue, element_of
from ort_core.values import DeviceTensor, RuntimeValue, fits, type_of


class OutputRequest(NamedTuple):
    """An output that a run is to produce.

    Attributes:
        device: where the result goes, if there is no buffer.
        buffer: an array or `DeviceTensor` to write to, which is then the result itself.
    """

    name: str
    device: Device = HOST
    buffer: RuntimeValue | None = None


class BindableSession(Protocol):
    """What a session offers to its bindings."""

    @property
    def _input_types(self) -> Mapping[str, ValueType | None]:
        """The declared types of everything that can be fed, overridable initializers included."""

    @property
    def _output_types(self) -> Mapping[str, ValueType | None]:
        """The declared types of the outputs."""

    def _execute(
        self,
        feeds: Mapping[str, RuntimeValue],
        outputs: Sequence[OutputRequest],
        run_options: Any,
        binding_id: int | None,
    ) -> list[RuntimeValue]:
        """Runs the model: one result for each request, in order; a request's buffer is its result."""


class OrtValueVector(list[OrtValue]):
    """A list of values under the method names of onnxruntime's native vector."""

    def push_back(self, value: OrtValue) -> None:
        """Appends a value."""
        self.append(value)

    def push_back_batch(self, values: Iterable[OrtValue]) -> None:
        """Appends several values."""
        self.extend(values)

    def reserve(self, n: int) -> None:
        """Does nothing: a list grows by itself."""

    def shrink_to_fit(self) -> None:
        """Does nothing: a list shrinks by itself."""

    def element_type_at(self, index: int) -> int:
        """The number of a value's element type in `onnx.TensorProto`."""
        return self[index].element_type()

    def bool_tensor_indices(self) -> list[int]:
        """Which values are tensors of bool."""
        return [i for i, value in enumerate(self) if value.is_tensor() and value.element_type() == ElementType.BOOL]

    def dlpack_at(self, index: int) -> Any:
        """The DLPack capsule of a value."""
        return self[index].__dlpack__()

    def to_dlpacks(self, to_tensor: Any = None) -> list[Any]:
        """The DLPack capsules of all values, each given to `to_tensor` if there is one."""
        capsules = [value.__dlpack__() for value in self]
        return capsules if to_tensor is None else [to_tensor(capsule) for capsule in capsules]


class IOBinding:
    """Binds inputs and outputs of a session to arrays, `OrtValue`s, addresses or devices.

    What is bound is read and written at each `run_with_iobinding`, so a bound array may be refilled between runs. An output
    that is bound to a device but to no buffer gets new memory in each run.

    Attributes:
        feeds: the bound inputs, by name.
        requests: the bound outputs, in the order of their first binding.
    """

    def __init__(self, session: BindableSession) -> None:
        self._session = session
        self._inputs = session._input_types
        self._outputs = session._output_types
        self._feeds: dict[str, RuntimeValue] = {}
        self._requests: dict[str, OutputRequest] = {}
        self._results: dict[str, OrtValue] = {}
        self._id = next(_ids)

    @property
    def feeds(self) -> Mapping[str, RuntimeValue]:
        """The bound inputs, by name."""
        return self._feeds

    @property
    def requests(self) -> list[OutputRequest]:
        """The bound outputs, in the order of their first binding."""
        return list(self._requests.values())

    @property
    def binding_id(self) -> int | None:
        """Names the bound addresses: it changes when a binding does. None if an output has no fixed address."""
        return self._id if all(r.buffer is not None for r in self._requests.values()) else None

    def bind_cpu_input(self, name: str, arr_on_cpu: Any) -> None:
        """Binds an input to a host array, without a copy if it is dense and native-endian.

        Raises:
            InvalidArgument: the model has no such input, or of another type or shape.
        """
        self._feed(name, to_runtime_value(arr_on_cpu, self._input_type(name), name))

    def bind_input(
        self, name: str, device_type: str, device_id: int, element_type: Any, shape: Sequence[int], buffer_ptr: int
    ) -> None:
        """Binds an input to memory that the caller keeps alive.

        Args:
            device_type: `cpu`, `cuda`, ... or a device type of an installed provider.
            element_type: a numpy or ml_dtypes dtype, or the number of an `onnx.TensorProto` type.
            buffer_ptr: the address of the first element.

        Raises:
            InvalidArgument: the model has no such input, or of another type or shape; or an unknown device.
        """
        declared = self._input_type(name)
        device = OrtDevice.make(device_type, device_id).device
        self._feed(name, to_runtime_value(_at_address(device, element_type, shape, buffer_ptr, name), declared, name))

    def bind_ortvalue_input(self, name: str, ortvalue: OrtValue) -> None:
        """Binds an input to a value.

        Raises:
            InvalidArgument: the model has no such input, or of another type or shape.
        """
        _expect_ort_value(ortvalue, f"input '{name}'")
        self._feed(name, to_runtime_value(ortvalue, self._input_type(name), name))

    def synchronize_inputs(self) -> None:
        """Waits until the contents of the bound inputs are there."""
        for value in self._feeds.values():
            wait_ready(value)

    def bind_output(
        self,
        name: str,
        device_type: str = "cpu",
        device_id: int = 0,
        element_type: Any = None,
        shape: Sequence[int] | None = None,
        buffer_ptr: int | None = None,
    ) -> None:
        """Binds an output to a device, or to memory that the caller keeps alive.

        Args:
            device_type: `cpu`, `cuda`, ... or a device type of an installed provider.
            element_type: with `buffer_ptr`: a numpy or ml_dtypes dtype, or the number of an `onnx.TensorProto` type.
            shape: with `buffer_ptr`: the shape of the result.
            buffer_ptr: the address to write to; None allocates in each run.

        Raises:
            InvalidArgument: the model has no such output, or of another type or shape; or an unknown device.
        """
        declared = self._output_type(name)
        device = OrtDevice.make(device_type, device_id).device
        if buffer_ptr is None:
            runtime_for(device)
            self._request(OutputRequest(name, device))
            return
        if element_type is None or shape is None:
            raise InvalidArgument(
                f"output '{name}': `element_type` and `shape` are to be provided if pre-allocated memory is provided"
            )
        buffer = _at_address(device, element_type, shape, buffer_ptr, name)
        _check_buffer(buffer, declared, name)
        self._request(OutputRequest(name, device, buffer), OrtValue(buffer))

    def bind_ortvalue_output(self, name: str, ortvalue: OrtValue) -> None:
        """Binds an output to a tensor, which the runs write to.

        Raises:
            InvalidArgument: the model has no such output, or of another type or shape; or the tensor is read-only.
        """
        declared = self._output_type(name)
        _expect_ort_value(ortvalue, f"output '{name}'")
        _check_buffer(ortvalue.value, declared, name)
        self._request(OutputRequest(name, ortvalue.device, ortvalue.value), ortvalue)

    def synchronize_outputs(self) -> None:
        """Waits until the contents of the results are there."""
        for result in self._results.values():
            wait_ready(result.value)

    def get_outputs(self) -> list[OrtValue]:
        """The results of the last run, where they are; before a run, what is bound, or empty values."""
        return [self._results.get(n) or OrtValue(None, type_=self._outputs[n]) for n in self._requests]

    def get_outputs_as_ortvaluevector(self) -> OrtValueVector:
        """The results of the last run, as `get_outputs`, in a vector."""
        return OrtValueVector(self.get_outputs())

    def copy_outputs_to_cpu(self) -> list[Any]:
        """Copies of the results on the host: arrays, lists, dicts, `SparseTensor`.

        Raises:
            InvalidArgument: nothing has run yet.
        """
        for name in self._requests:
            if name not in self._results:
                raise InvalidArgument(f"output '{name}' has no result yet. Call session.run_with_iobinding first.")
        values = [self._results[name].value for name in self._requests]
        return [to_python(v) if isinstance(v, DeviceTensor) else _copied(to_python(v)) for v in values]

    def clear_binding_inputs(self) -> None:
        """Forgets the bound inputs."""
        self._feeds.clear()
        self._changed()

    def clear_binding_outputs(self) -> None:
        """Forgets the bound outputs and the results."""
        self._requests.clear()
        self._results.clear()
        self._changed()

    def _run(self, run_options: Any = None) -> None:
        """Runs the session on what is bound, and keeps the results."""
        if not self._requests:
            raise InvalidArgument("At least one output should be requested. Bind one: `bind_output(name)`.")
        requests = self.requests
        results = self._session._execute(self._feeds, requests, run_options, self.binding_id)
        for request, value in zip(requests, results, strict=True):
            bound = self._results.get(request.name)
            if bound is None or bound.value is not value:
                self._results[request.name] = OrtValue(value, type_=self._outputs[request.name])

    def _input_type(self, name: str) -> ValueType | None:
        return _declared(self._inputs, name, "input")

    def _output_type(self, name: str) -> ValueType | None:
        return _declared(self._outputs, name, "output")

    def _feed(self, name: str, value: RuntimeValue) -> None:
        self._feeds[name] = value
        self._changed()

    def _request(self, request: OutputRequest, bound: OrtValue | None = None) -> None:
        self._requests[request.name] = request
        self._results.pop(request.name, None)
        if bound is not None:
            self._results[request.name] = bound
        self._changed()

    def _changed(self) -> None:
        self._id = next(_ids)


class SessionIOBinding(IOBinding):
    """A binding under the argument forms of onnxruntime's native class: devices are `OrtDevice`s."""

    def bind_input(self, name: str, *args: Any) -> None:
        """Binds an input to an array, or to `(device, element_type, shape, buffer_ptr)`.

        Raises:
            InvalidArgument: as `IOBinding.bind_input`, or another number of arguments.
        """
        if len(args) == 1:
            self.bind_cpu_input(name, args[0])
        else:
            self.bind_ortvalue_input(name, OrtValue(_at_address(*_native_arguments(args), name)))

    def bind_output(self, name: str, *args: Any) -> None:
        """Binds an output to a device, or to `(device, element_type, shape, buffer_ptr)`.

        Raises:
            InvalidArgument: as `IOBinding.bind_output`, or another number of arguments.
        """
        if len(args) == 1 and isinstance(args[0], OrtDevice):
            super().bind_output(name, args[0].device.type, args[0].device_id())
        else:
            self.bind_ortvalue_output(name, OrtValue(_at_address(*_native_arguments(args), name)))

    def get_outputs(self) -> OrtValueVector:
        """The results of the last run in a vector."""
        return OrtValueVector(super().get_outputs())


_ids = itertools.count(1)


def _native_arguments(args: Sequence[Any]) -> tuple[Device, Any, Sequence[int], int]:
    if len(args) != 4 or not isinstance(args[0], OrtDevice):
        raise InvalidArgument(f"expected (OrtDevice, element_type, shape, buffer_ptr), got {args!r}")
    return args[0].device, args[1], args[2], args[3]


def _declared(types: Mapping[str, ValueType | None], name: str, what: str) -> ValueType | None:
    if name not in types:
        raise InvalidArgument(f"the model has no {what} '{name}'. It has: {', '.join(types) or 'none'}.")
    return types[name]


def _expect_ort_value(value: object, where: str) -> None:
    if not isinstance(value, OrtValue):
        raise InvalidArgument(f"{where}: expected an OrtValue, got {type(value).__name__}")


def _at_address(
    device: Device, element_type: Any, shape: Sequence[int], buffer_ptr: int, name: str
) -> np.ndarray | DeviceTensor:
    """The tensor at an address that the caller keeps alive."""
    element = element_of(element_type)
    dims = tuple(int(d) for d in shape)
    if element is ElementType.STRING or element.bits < 8:
        raise InvalidArgument(
            f"'{name}': tensor({element.onnx_name}) has no agreed form at an address. Bind an OrtValue instead."
        )
    if any(d < 0 for d in dims):
        raise InvalidArgument(f"'{name}': the shape {list(dims)} must not be negative")
    nbytes = check_size(math.prod(dims) * element.dtype.itemsize)
    if nbytes and (not buffer_ptr or buffer_ptr % element.dtype.alignment):
        raise InvalidArgument(
            f"'{name}': {buffer_ptr:#x} is not the address of a tensor({element.onnx_name}): it must not be 0 and must be "
            f"a multiple of {element.dtype.alignment}"
        )
    if device.is_host:
        return array_over(buffer_ptr, element.dtype, dims, None)
    return DeviceTensor(element, dims, runtime_for(device).wrap(buffer_ptr, nbytes, None))


def _check_buffer(buffer: RuntimeValue, declared: ValueType | None, name: str) -> None:
    have = type_of(buffer)
    if not isinstance(have, TensorType):
        raise InvalidArgument(f"output '{name}' can be bound to a dense tensor only, got {describe(have)}")
    if not fits(buffer, declared):
        raise InvalidArgument(
            f"Unexpected output data type. Actual: ({have}) , expected: ({declared}) for output '{name}'. Bind a buffer of "
            "the declared type."
        )
    if isinstance(declared, TensorType):
        check_shape(buffer.shape, declared.shape, name, "output")
    if isinstance(buffer, np.ndarray) and not buffer.flags.writeable:
        raise InvalidArgument(f"output '{name}' cannot be written to a read-only array. Bind a writeable one.")


def _copied(result: Any) -> Any:
    if isinstance(result, list):
        return [_copied(item) for item in result]
    return result.copy() if isinstance(result, np.ndarray | dict) else result
