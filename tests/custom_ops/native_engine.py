"""An engine that calls kernels through their native entry, as `native_kernel.h` has it."""

from __future__ import annotations

import ctypes as c
from collections.abc import Sequence
from typing import Any

import numpy as np

from ort_core.ir.types import ElementType


class Tensor(c.Structure):
    _fields_ = (("data", c.c_void_p), ("dims", c.POINTER(c.c_int64)), ("rank", c.c_int32), ("element", c.c_int32))


_Allocate = c.CFUNCTYPE(c.c_void_p, c.c_void_p, c.c_size_t, c.c_int32, c.POINTER(c.c_int64), c.c_int32)
_Step = c.CFUNCTYPE(None, c.c_void_p, c.c_size_t)
_Parallel = c.CFUNCTYPE(None, c.c_void_p, _Step, c.c_size_t, c.c_size_t, c.c_void_p)


class Call(c.Structure):
    _fields_ = (
        ("inputs", c.POINTER(Tensor)),
        ("n_inputs", c.c_size_t),
        ("n_outputs", c.c_size_t),
        ("wanted", c.POINTER(c.c_uint8)),
        ("allocate", _Allocate),
        ("parallel_for", _Parallel),
        ("engine", c.c_void_p),
    )


class Kernel(c.Structure):
    _fields_ = (
        ("version", c.c_uint32),
        ("state", c.c_void_p),
        ("compute", c.CFUNCTYPE(c.c_int32, c.c_void_p, c.POINTER(Call), c.c_char_p, c.c_size_t)),
    )


def call(
    address: int,
    inputs: Sequence[np.ndarray | None],
    wanted: Sequence[bool] = (True,),
    refuse: bool = False,
    room: int = 500,
) -> tuple[int, str, list[np.ndarray | None], list[int]]:
    """Code, message, outputs and the numbers of steps of each parallel loop."""
    kernel = Kernel.from_address(address)
    assert kernel.version == 1
    outputs: list[np.ndarray | None] = [None] * len(wanted)
    loops: list[int] = []

    def allocate(_: Any, index: int, element: int, dims: Any, rank: int) -> int:
        if refuse:
            return 0
        outputs[index] = np.full([dims[i] for i in range(rank)], 99).astype(ElementType(element).dtype)
        return outputs[index].ctypes.data

    def parallel(_: Any, step: Any, total: int, __: int, user: Any) -> None:
        loops.append(total)
        for index in range(total):
            step(user, index)

    tensors = (Tensor * max(len(inputs), 1))()
    keep = []
    for tensor, x in zip(tensors, inputs, strict=False):
        if x is None:
            continue
        dims = (c.c_int64 * max(x.ndim, 1))(*x.shape)
        keep.append(dims)
        tensor.data, tensor.dims, tensor.rank = x.ctypes.data, dims, x.ndim
        tensor.element = int(ElementType.from_dtype(x.dtype))
    flags = (c.c_uint8 * max(len(wanted), 1))(*wanted)
    request = Call(tensors, len(inputs), len(wanted), flags, _Allocate(allocate), _Parallel(parallel), None)
    message = c.create_string_buffer(b"?" * room, room + 1)
    code = kernel.compute(kernel.state, c.byref(request), message, room)
    return code, message.value.decode("utf-8", "replace"), outputs, loops
