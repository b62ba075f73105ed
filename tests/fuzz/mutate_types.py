"""Mutations of declared types and shapes."""

from __future__ import annotations

import random

from onnx import TypeProto

from tests.fuzz.fuzz_protos import (
    BAD_CODES,
    CODES,
    DIMS,
    array_for,
    graphs,
    infos,
    pick,
    random_array,
    tensor_types,
    tensors,
)  # fmt: skip
from tests.fuzz.mutant import Mutant, mutation


def _fit_feeds(rng: random.Random, mutant: Mutant) -> None:
    """Most often, feeds that fit the changed declarations, so that more than the check of feeds is reached."""
    if not isinstance(mutant.feeds, dict) or rng.random() < 0.2:
        return
    for info in mutant.proto.graph.input:
        array = array_for(rng, info)
        if array is not None:
            mutant.feeds[info.name] = array


@mutation("types")
def change_dim(rng: random.Random, mutant: Mutant) -> str | None:
    dim = pick(rng, (d for t in tensor_types(mutant.proto) for d in t.shape.dim))
    if dim is None:
        return None
    dim.dim_value = rng.choice(DIMS)
    _fit_feeds(rng, mutant)
    return f"a dimension is {dim.dim_value}"


@mutation("types")
def name_dims(rng: random.Random, mutant: Mutant) -> str | None:
    found = [d for t in tensor_types(mutant.proto) for d in t.shape.dim]
    if not found:
        return None
    name = rng.choice(["N", "N", "", "0", "-1", "unk__0", " "])
    chosen = rng.sample(found, rng.randint(1, min(4, len(found))))
    for dim in chosen:
        dim.dim_param = name
    return f"{len(chosen)} dimensions are called {name!r}"


@mutation("types")
def change_rank(rng: random.Random, mutant: Mutant) -> str | None:
    type_ = pick(rng, tensor_types(mutant.proto))
    if type_ is None:
        return None
    how = rng.choice(["drop", "add", "many", "unknown", "scalar"])
    if how == "drop" and type_.shape.dim:
        type_.shape.dim.pop()
    elif how == "add":
        type_.shape.dim.add(dim_value=rng.choice(DIMS))
    elif how == "many":
        for _ in range(rng.choice([20, 70, 1000])):
            type_.shape.dim.add(dim_value=1)
    elif how == "unknown":
        type_.ClearField("shape")
    else:
        type_.shape.ClearField("dim")
        type_.shape.SetInParent()
    _fit_feeds(rng, mutant)
    return how


@mutation("types")
def resize_input(rng: random.Random, mutant: Mutant) -> str | None:
    """Another shape for an input and its feed, and none for what follows."""
    graph = mutant.proto.graph
    info = pick(rng, (i for i in graph.input if i.type.HasField("tensor_type")))
    if info is None:
        return None
    shape = rng.choice([[], [0], [1], [2], [0, 3], [2, 3], [1, 1, 1], [2, 0, 2], [1, 3, 4, 4], [3, 1, 1, 1], [1] * 8])
    info.type.tensor_type.shape.ClearField("dim")
    info.type.tensor_type.shape.SetInParent()
    for size in shape:
        info.type.tensor_type.shape.dim.add(dim_value=size)
    _forget_shapes(mutant)
    _fit_feeds(rng, mutant)
    return f"{info.name} is {shape}"


def _forget_shapes(mutant: Mutant) -> None:
    graph = mutant.proto.graph
    del graph.value_info[:]
    for info in graph.output:
        if info.type.HasField("tensor_type"):
            info.type.tensor_type.ClearField("shape")


@mutation("types")
def feed_another_shape(rng: random.Random, mutant: Mutant) -> str | None:
    """Inputs of unknown sizes, fed with sizes that the model was not made for."""
    graph = mutant.proto.graph
    for info in graph.input:
        for dim in info.type.tensor_type.shape.dim:
            dim.ClearField("dim_value")
    _forget_shapes(mutant)
    _fit_feeds(rng, mutant)
    return "all input sizes unknown"


@mutation("types")
def change_element(rng: random.Random, mutant: Mutant) -> str | None:
    type_ = pick(rng, tensor_types(mutant.proto))
    if type_ is None:
        return None
    type_.elem_type = rng.choice([*CODES, *BAD_CODES])
    _fit_feeds(rng, mutant)
    return f"element type {type_.elem_type}"


@mutation("types")
def change_element_everywhere(rng: random.Random, mutant: Mutant) -> str | None:
    """One element type becomes another in declarations, constants and feeds alike."""
    types = list(tensor_types(mutant.proto))
    if not types:
        return None
    old, new = rng.choice(types).elem_type, rng.choice(CODES)
    for type_ in types:
        if type_.elem_type == old:
            type_.elem_type = new
    for tensor in tensors(mutant.proto):
        size = 1
        for dim in tensor.dims:
            size *= dim
        if tensor.data_type == old and 0 <= size < 5000 and len(tensor.dims) < 60:
            _refill(rng, tensor, new)
    if isinstance(mutant.feeds, dict):
        for info in mutant.proto.graph.input:
            if info.name in mutant.feeds and info.type.tensor_type.elem_type == new:
                mutant.feeds[info.name] = random_array(rng, new, list(getattr(mutant.feeds[info.name], "shape", ())))
    return f"{old} becomes {new}"


def _refill(rng: random.Random, tensor: object, code: int) -> None:
    from onnx import TensorProto, numpy_helper

    assert isinstance(tensor, TensorProto)
    name, dims = tensor.name, list(tensor.dims)
    tensor.CopyFrom(numpy_helper.from_array(random_array(rng, code, dims), name))


@mutation("types")
def change_type_kind(rng: random.Random, mutant: Mutant) -> str | None:
    info = pick(rng, infos(mutant.proto))
    if info is None:
        return None
    inner = TypeProto()
    inner.CopyFrom(info.type)
    kind = rng.choice(["sequence", "optional", "map", "sparse", "none", "opaque", "deep", "bad map"])
    info.type.Clear()
    if kind == "sequence":
        info.type.sequence_type.elem_type.CopyFrom(inner)
    elif kind == "optional":
        info.type.optional_type.elem_type.CopyFrom(inner)
    elif kind in {"map", "bad map"}:
        info.type.map_type.key_type = rng.choice(CODES if kind == "bad map" else (7, 8))
        info.type.map_type.value_type.CopyFrom(inner)
    elif kind == "sparse":
        info.type.sparse_tensor_type.elem_type = inner.tensor_type.elem_type
        info.type.sparse_tensor_type.shape.CopyFrom(inner.tensor_type.shape)
    elif kind == "opaque":
        info.type.opaque_type.name = "thing"
    elif kind == "deep":
        type_ = info.type
        for _ in range(rng.choice([3, 30])):
            type_ = rng.choice([type_.sequence_type, type_.optional_type]).elem_type
        type_.CopyFrom(inner)
    return f"{info.name} becomes {kind}"


@mutation("types")
def move_declaration(rng: random.Random, mutant: Mutant) -> str | None:
    """Declarations that are lost, repeated, or say something of another value."""
    graph = rng.choice(graphs(mutant.proto))
    part = rng.choice([graph.input, graph.output, graph.value_info])
    if not part:
        return None
    chosen = rng.choice(part)
    name = chosen.name
    how = rng.choice(["remove", "repeat", "rename", "declare twice"])
    if how == "remove":
        part.remove(chosen)
    elif how == "repeat":
        part.add().CopyFrom(chosen)
    elif how == "rename":
        chosen.name = rng.choice(["", "nobody", chosen.name * 2])
    else:
        graph.value_info.add().CopyFrom(chosen)
        graph.value_info[-1].type.tensor_type.elem_type = rng.choice(CODES)
    return f"{how} {name}"
