from __future__ import annotations

import time

import numpy as np
import onnx
import pytest
from load_samples import LARGE, everywhere, floats, info
from onnx import TensorProto, helper, numpy_helper

from ort_core.errors import InvalidGraph, InvalidProtobuf
from ort_core.ir.proto_tensors import WEIGHT_KEY
from ort_core.load.onnx_model import load_model
from ort_core.load.source import BufferSource
from ort_core.load.weights import StoredWeight, VarintWeight, decode_varints
from ort_core.load.wire import Span, encode_varint, walk


def cut(data: bytes) -> tuple[bytes, list[Span]]:
    return walk(BufferSource(data))


def field(number: int, payload: bytes, wire: int = 2) -> bytes:
    return encode_varint(number << 3 | wire) + encode_varint(len(payload)) + payload


def minimal(*initializers: onnx.TensorProto) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["y"])], "g", [info("x", 1)], [info("y", 1)], list(initializers)
    )
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)])


def test_every_large_tensor_is_cut_and_every_other_byte_stays() -> None:
    proto = everywhere()
    skeleton, spans = cut(proto.SerializeToString())
    data = proto.SerializeToString()
    assert skeleton.count(WEIGHT_KEY.encode()) == len(spans)
    parsed = onnx.ModelProto.FromString(skeleton)
    kept = parsed.graph.initializer
    assert [t.name for t in kept] == [t.name for t in proto.graph.initializer]
    assert [t.name for t in kept if not t.external_data] == ["small", "c", "strings"]
    assert {s.field for s in spans} == {
        "raw_data",
        "float_data",
        "int32_data",
        "int64_data",
        "double_data",
        "uint64_data",
    }
    for span in spans:
        assert LARGE <= span.length <= len(data) - span.offset
    assert len(skeleton) < len(data) - sum(s.length for s in spans) + 40 * len(spans)
    places = [t for g in (parsed.graph.sparse_initializer,) for t in g]
    assert places[0].values.external_data
    assert places[0].indices.external_data
    assert parsed.functions[0].node[0].attribute[0].t.external_data
    many = next(a for a in parsed.graph.node[3].attribute if a.name == "many")
    assert [bool(t.external_data) for t in many.tensors] == [False, True]


def test_every_cut_tensor_decodes_to_what_onnx_reads() -> None:
    proto = everywhere()
    model = load_model(proto.SerializeToString())
    for tensor in proto.graph.initializer:
        const = model.graph.initializers[tensor.name].const
        expected = numpy_helper.to_array(tensor)
        got = const.array()
        if expected.dtype.kind in "OU":
            assert got.tolist() == expected.tolist()
            continue
        assert got.dtype == expected.dtype
        assert got.shape == expected.shape
        assert got.tobytes() == expected.tobytes()
        assert not got.flags.writeable
        assert got.flags.aligned
        into = bytearray(const.nbytes)
        const.read_into(memoryview(into))
        assert bytes(into) == bytes(const.view()) == numpy_helper.from_array(expected).raw_data
    kinds = {n: type(v.const) for n, v in model.graph.initializers.items()}
    assert kinds["raw"] is kinds["float_data"] is kinds["double_data"] is kinds["complex"] is StoredWeight
    assert kinds["int64_data"] is kinds["int4"] is kinds["bool"] is kinds["uint32"] is VarintWeight


def test_tensors_of_1024_bytes_stay_and_one_more_byte_is_cut() -> None:
    for size, cuts in ((1024, 0), (1025, 1)):
        proto = minimal(numpy_helper.from_array(np.zeros(size, np.uint8), "w"))
        assert len(cut(proto.SerializeToString())[1]) == cuts


def test_a_model_without_large_tensors_is_its_own_skeleton() -> None:
    data = minimal(floats("w", 3)).SerializeToString()
    assert cut(data) == (data, [])


def test_payloads_split_into_several_fields_are_left_to_protobuf() -> None:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2 * LARGE])
    part = np.arange(LARGE, dtype=np.float32).tobytes()
    split = tensor.SerializeToString() + field(4, part) + field(4, part)
    data = minimal().SerializeToString() + field(7, field(5, split))
    skeleton, spans = cut(data)
    assert (skeleton, spans) == (data, [])
    assert load_model(data).graph.initializers["w"].const.array()[LARGE + 1] == 1


def test_unpacked_typed_fields_are_left_to_protobuf() -> None:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[LARGE]).SerializeToString()
    tensor += b"".join(b"\x25" + np.float32(i).tobytes() for i in range(LARGE))
    data = minimal().SerializeToString() + field(7, field(5, tensor))
    assert cut(data)[1] == []
    assert load_model(data).graph.initializers["w"].const.array()[7] == 7


def test_packed_dims_are_read() -> None:
    tensor = field(1, encode_varint(20) + encode_varint(20)) + b"\x10\x01" + field(8, b"w") + field(9, bytes(1600))
    model = load_model(minimal().SerializeToString() + field(7, field(5, tensor)))
    assert model.graph.initializers["w"].const.shape == (20, 20)


def test_walking_does_not_depend_on_the_size_of_payloads() -> None:
    def best(size: int) -> float:
        source = BufferSource(minimal(numpy_helper.from_array(np.zeros(size, np.uint8), "w")).SerializeToString())
        times = []
        for _ in range(20):
            start = time.perf_counter()
            walk(source)
            times.append(time.perf_counter() - start)
        return min(times)

    assert best(1 << 26) < 20 * best(1 << 12)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "field 7 of ModelProto needs 18446744073709551615 bytes"),
        (b"\x3a\x80", "truncated"),
        (b"\x3a", "truncated"),
        (b"\xff" * 11, "longer than 10 bytes"),
        (b"\x3a\x05abc", "needs 5 bytes, but only 3 are left"),
        (b"\x0b", "wire type 3"),
        (b"\x0f", "wire type 7"),
        (b"\x38\x01", "field 7 of ModelProto has wire type 0, expected 2"),
        (b"\x00\x00", "field number 0"),
        (b"\x0d\x01\x02", "needs 4 bytes"),
        (b"\x09\x01\x02", "needs 8 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_malformed_bytes_are_refused_with_the_offset(data: bytes, text: str) -> None:
    with pytest.raises(InvalidProtobuf, match=r"at byte [01] of \d+") as caught:
        cut(data)
    assert text in str(caught.value)


def test_the_offset_of_an_inner_error_is_that_in_the_file() -> None:
    inner = field(5, b"\x10\x01" + bytes([9 << 3 | 2]) + encode_varint(5000) + bytes(1100))
    data = field(2, b"producer") + field(7, inner)
    with pytest.raises(InvalidProtobuf, match=rf"at byte {len(data) - 1103} of {len(data)}, field 9 of TensorProto"):
        cut(data)


def test_nesting_bombs_are_refused() -> None:
    data = bytes(1100)
    for number in (6, 5, 1) * 60:
        data = field(number, data)
    with pytest.raises(InvalidProtobuf, match="nested more than 100 deep"):
        cut(field(7, data))


def test_the_reserved_key_in_a_file_is_refused() -> None:
    tensor = floats("w", 3)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key=WEIGHT_KEY, value="0")
    with pytest.raises(InvalidProtobuf, match="reserved key"):
        cut(minimal(tensor, floats("big")).SerializeToString())


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"dims": [LARGE + 1]}, "takes 1604 bytes, got 1600 bytes in raw_data"),
        ({"dims": [LARGE - 1]}, "takes 1596 bytes, got 1600 bytes in raw_data"),
        ({"dims": [-LARGE]}, "negative"),
        ({"dims": [1 << 62, 1 << 62]}, "overflows"),
        ({"data_type": 0}, "element type 0"),
        ({"data_type": 77}, "element type 77"),
        ({"data_type": TensorProto.STRING}, "string"),
    ],
    ids=str,
)
def test_a_cut_tensor_whose_type_does_not_fit_is_refused_by_name(change: dict[str, object], text: str) -> None:
    tensor = floats("the weight")
    for name, value in change.items():
        tensor.ClearField(name)
        tensor.MergeFrom(TensorProto(**{name: value}))
    with pytest.raises(InvalidGraph, match="'the weight'") as caught:
        load_model(minimal(tensor).SerializeToString())
    assert text in str(caught.value)


def test_a_typed_field_of_another_element_type_is_refused() -> None:
    tensor = TensorProto(name="w", data_type=TensorProto.DOUBLE, dims=[LARGE], float_data=[0.0] * LARGE)
    with pytest.raises(InvalidGraph, match="in float_data"):
        load_model(minimal(tensor).SerializeToString())


@pytest.mark.parametrize("count", [LARGE - 1, LARGE + 1])
def test_too_few_or_too_many_integers_are_refused(count: int) -> None:
    tensor = TensorProto(name="w", data_type=TensorProto.INT64, dims=[LARGE], int64_data=[1 << 40] * count)
    with pytest.raises(InvalidGraph, match="'w'"):
        load_model(minimal(tensor).SerializeToString()).graph.initializers["w"].const.array()


def test_varints_of_every_length_decode() -> None:
    values = [0, 1, 127, 128] + [1 << b for b in range(7, 64)] + [(1 << 64) - 1]
    raw = np.frombuffer(b"".join(encode_varint(v) for v in values), np.uint8)
    assert decode_varints(raw, len(values), "w").tolist() == values
    assert decode_varints(np.empty(0, np.uint8), 0, "w").tolist() == []


@pytest.mark.parametrize("raw", [b"\x80", b"\x01\x80", b"\xff" * 11 + b"\x01", b"\x01\x01"])
def test_malformed_varints_are_refused(raw: bytes) -> None:
    with pytest.raises(InvalidGraph, match="w"):
        decode_varints(np.frombuffer(raw, np.uint8), 1, "w")
