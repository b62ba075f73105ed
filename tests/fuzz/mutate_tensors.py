"""Mutations of constants: data that does not fit, odd values, external, sparse and string data."""

from __future__ import annotations

import random

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.fuzz.fuzz_protos import (
    BAD_CODES,
    CODES,
    DIMS,
    FLOATS,
    INTS,
    array_for,
    graphs,
    pick,
    random_array,
    small_int_tensors,
    tensors,
)  # fmt: skip
from tests.fuzz.mutant import Mutant, mutation

_LOCATIONS = (
    "w.bin", "./w.bin", "sub/w.bin", "../w.bin", "/etc/passwd", "", ".", "w.bin\0", "nothing.bin", "a/../w.bin", "//w.bin",
    "w.bin/", "C:\\w.bin", "file:///etc/passwd", "x" * 5000, "model.onnx", "*/_ORT_MEM_ADDR_/*",
)  # fmt: skip


@mutation("tensors")
def change_small_integers(rng: random.Random, mutant: Mutant) -> str | None:
    """Another number in a constant that may be a shape, an axis or a count."""
    tensor = pick(rng, small_int_tensors(mutant.proto))
    if tensor is None:
        return None
    array = _array(tensor)
    if array is None or not array.size:
        return None
    array = array.copy()
    value = rng.choice(INTS)
    array.reshape(-1)[rng.randrange(array.size)] = np.array(value, np.int64).astype(array.dtype)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return f"{tensor.name} = {array.reshape(-1)[:6].tolist()}"


@mutation("tensors")
def change_floats(rng: random.Random, mutant: Mutant) -> str | None:
    kinds = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)
    tensor = pick(rng, (t for t in tensors(mutant.proto) if t.data_type in kinds))
    array = None if tensor is None else _array(tensor)
    if array is None or not array.size:
        return None
    array = array.copy()
    with np.errstate(all="ignore"):
        array.reshape(-1)[rng.randrange(array.size) :: rng.choice([1, 3, array.size])] = rng.choice(FLOATS)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return f"odd numbers in {tensor.name}"


@mutation("tensors")
def make_input_constant(rng: random.Random, mutant: Mutant) -> str | None:
    """An input becomes an initializer, which opens the way for constant folding."""
    graph = mutant.proto.graph
    info = pick(rng, (i for i in graph.input if i.type.HasField("tensor_type")))
    if info is None:
        return None
    fed = mutant.feeds.get(info.name) if isinstance(mutant.feeds, dict) else None
    array = fed if isinstance(fed, np.ndarray) else array_for(rng, info)
    if array is None:
        return None
    made = numpy_helper.from_array(array, info.name)
    made.data_type = info.type.tensor_type.elem_type
    graph.initializer.append(made)
    how = rng.choice(["constant", "constant", "overridable"])
    if how == "constant":
        graph.input.remove(info)
    if isinstance(mutant.feeds, dict) and (how == "constant" or rng.random() < 0.5):
        mutant.feeds.pop(made.name, None)
    return f"{made.name} is {how}"


@mutation("tensors")
def make_all_inputs_constant(rng: random.Random, mutant: Mutant) -> str | None:
    done = [make_input_constant(rng, mutant) for _ in mutant.proto.graph.input]
    return ", ".join(filter(None, done)) or None


@mutation("tensors")
def change_raw_data(rng: random.Random, mutant: Mutant) -> str | None:
    tensor = pick(rng, (t for t in tensors(mutant.proto) if t.raw_data))
    if tensor is None:
        return None
    raw = tensor.raw_data
    changed = rng.choice(
        [b"", raw[:-1], raw + b"\0", raw * 2, raw[: len(raw) // 2], b"\xff" * len(raw), bytes(len(raw))]
    )
    tensor.raw_data = changed
    return f"{tensor.name}: {len(raw)} bytes to {len(changed)}"


@mutation("tensors")
def add_typed_data(rng: random.Random, mutant: Mutant) -> str | None:
    tensor = pick(rng, tensors(mutant.proto))
    if tensor is None:
        return None
    field = rng.choice(["float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data"])
    items = [b"s"] if field == "string_data" else [1.5] if field in {"float_data", "double_data"} else [1 << 30]
    getattr(tensor, field).extend(items * rng.choice([1, 3, 500]))
    return f"{tensor.name} has {field} too"


@mutation("tensors")
def change_typed_values(rng: random.Random, mutant: Mutant) -> str | None:
    tensor = pick(rng, (t for t in tensors(mutant.proto) if t.int32_data or t.int64_data or t.uint64_data))
    if tensor is None:
        return None
    items = tensor.int32_data or tensor.int64_data or tensor.uint64_data
    low = 0 if items is tensor.uint64_data else -(1 << 31)
    items[rng.randrange(len(items))] = rng.choice([v for v in INTS if low <= v < 1 << 31])
    return f"{tensor.name} = {list(items)[:6]}"


@mutation("tensors")
def change_tensor_type(rng: random.Random, mutant: Mutant) -> str | None:
    tensor = pick(rng, tensors(mutant.proto))
    if tensor is None:
        return None
    tensor.data_type = rng.choice([*CODES, *BAD_CODES])
    return f"{tensor.name} is of type {tensor.data_type}"


@mutation("tensors")
def convert_tensor(rng: random.Random, mutant: Mutant) -> str | None:
    """A well-formed constant of another type, such as a zero point that does not fit its scale."""
    tensor = pick(rng, (t for t in tensors(mutant.proto) if len(t.dims) < 5))
    array = None if tensor is None else _array(tensor)
    if array is None or array.size > 5000:
        return None
    code = rng.choice(CODES)
    dims = rng.choice([list(array.shape), list(array.shape), [], [1], [array.size], [0], [1, *array.shape]])
    tensor.CopyFrom(numpy_helper.from_array(random_array(rng, code, dims), tensor.name))
    return f"{tensor.name} is a tensor of type {code} and shape {dims}"


@mutation("tensors")
def change_tensor_dims(rng: random.Random, mutant: Mutant) -> str | None:
    tensor = pick(rng, tensors(mutant.proto))
    if tensor is None:
        return None
    how = rng.choice(["change", "add", "remove", "many"])
    if how == "change" and tensor.dims:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(DIMS)
    elif how == "remove" and tensor.dims:
        tensor.dims.pop()
    else:
        tensor.dims.extend([rng.choice(DIMS)] if how != "many" else [1] * rng.choice([40, 70, 3000]))
    return f"{tensor.name} is {list(tensor.dims)[:8]}"


@mutation("tensors")
def make_external(rng: random.Random, mutant: Mutant) -> str | None:
    tensor = pick(rng, (t for t in tensors(mutant.proto) if t.raw_data))
    if tensor is None:
        return None
    raw = tensor.raw_data
    mutant.files["w.bin"] = rng.choice([raw, raw, b"\0" * 8 + raw, raw[:-1], b""])
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entries = {"location": rng.choice(["w.bin", "w.bin", *_LOCATIONS])}
    if rng.random() < 0.6:
        entries["offset"] = str(rng.choice([0, 0, 8, 3, *INTS, "", "x", "1e3", " 8", "0x8", "٣"]))
    if rng.random() < 0.6:
        entries["length"] = str(rng.choice([len(raw), len(raw), *INTS, "", "x"]))
    if rng.random() < 0.1:
        entries[rng.choice(["", "checksum", "basepath"])] = "/"
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    if rng.random() < 0.1:
        tensor.external_data.add(key="location", value="other.bin")
    return f"{tensor.name} is at {str(entries)[:150]}"


@mutation("tensors")
def make_sparse(rng: random.Random, mutant: Mutant) -> str | None:
    graph = pick(rng, (g for g in graphs(mutant.proto) if g.initializer))
    if graph is None:
        return None
    tensor = rng.choice(graph.initializer)
    array = _array(tensor)
    if array is None or array.size > 5000 or array.dtype == object:
        return None
    flat = array.reshape(-1)
    count = rng.randint(0, flat.size)
    places = sorted(rng.sample(range(flat.size), count))
    if places and rng.random() < 0.5:
        places[rng.randrange(count)] = rng.choice(INTS)
    sparse = onnx.SparseTensorProto(dims=tensor.dims)
    sparse.values.CopyFrom(numpy_helper.from_array(flat[:count].copy(), tensor.name))
    shape = rng.choice([[count], [count], [count, 1], [count, max(1, array.ndim)], [count + 1]])
    indices = (places * (max(1, array.ndim) + 1))[: int(np.prod(shape))]
    indices += [0] * (int(np.prod(shape)) - len(indices))
    sparse.indices.CopyFrom(helper.make_tensor("", rng.choice([7, 7, 7, 6]), shape, [i % (1 << 31) for i in indices]))
    if sparse.indices.data_type == TensorProto.INT64:
        sparse.indices.CopyFrom(helper.make_tensor("", 7, shape, indices))
    if rng.random() < 0.2:
        sparse.dims.extend([rng.choice(DIMS)])
    graph.initializer.remove(tensor)
    graph.sparse_initializer.append(sparse)
    return f"{sparse.values.name} is sparse, {list(sparse.dims)[:6]} with indices {indices[:6]} as {shape}"


@mutation("tensors")
def repeat_initializer(rng: random.Random, mutant: Mutant) -> str | None:
    graph = pick(rng, (g for g in graphs(mutant.proto) if g.initializer))
    if graph is None:
        return None
    graph.initializer.add().CopyFrom(rng.choice(graph.initializer))
    graph.initializer[-1].name = rng.choice([graph.initializer[-1].name, "", "unused", graph.initializer[0].name])
    return f"another initializer {graph.initializer[-1].name!r}"


def _array(tensor: TensorProto) -> np.ndarray | None:
    try:
        return numpy_helper.to_array(tensor)
    except Exception:
        return None
