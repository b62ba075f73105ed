"""Run as a script with the name of a module that has ONNX Runtime's API; prints what it answers as JSON."""

from __future__ import annotations

import importlib
import json
import sys
import warnings

import ml_dtypes
import numpy as np
from onnx import TensorProto, helper

warnings.simplefilter("ignore")
ort = importlib.import_module(sys.argv[1])
Value, Device, Sparse = ort.OrtValue, ort.OrtDevice, ort.SparseTensor
CPU = Device.make("cpu", 0)
ANSWERS = {}


def plain(value):
    if isinstance(value, np.ndarray):
        return [str(value.dtype), list(value.shape), [str(v) for v in value.reshape(-1).tolist()]]
    if isinstance(value, np.generic):
        return [str(value.dtype), str(value)]
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if hasattr(value, "name") and hasattr(value, "value"):
        return [str(value), repr(value), int(value)]
    return value


def ask(label, question):
    try:
        ANSWERS[label] = plain(question())
    except Exception:
        ANSWERS[label] = "error"


def described(value):
    return [
        value.data_type(),
        value.element_type(),
        value.shape(),
        value.tensor_size_in_bytes(),
        value.device_name(),
        value.has_value(),
        value.is_tensor(),
        value.is_sparse_tensor(),
        value.is_tensor_sequence(),
    ]


def enums():
    for name in ("OrtAllocatorType", "OrtMemType", "OrtDeviceMemoryType", "OrtMemoryInfoDeviceType", "OrtSparseFormat"):
        for member, value in getattr(ort, name).__members__.items():
            ask(f"{name}.{member}", lambda value=value: [str(value), repr(value), int(value), value.name, value.value])
    for member, value in ort.OrtDeviceVendorId.__members__.items():
        ask(f"vendor {member}", lambda value=value: int(value))
    ask("aliases", lambda: ort.OrtMemType.CPU == ort.OrtMemType.CPU_OUTPUT)


def info_fields(i):
    return [i.name, i.device_id, i.mem_type, i.allocator_type, i.device_mem_type, i.device_vendor_id]


def memory_infos():
    kinds = ort.OrtAllocatorType
    names = ["Cpu", "cpu", "Cuda", "CudaPinned", "CUDA", "DML", "foo", "WebGPU_Buffer", "WebGPU_Buf", "WebNN_Tensor"]
    for name in [*names, "QnnHtpShared", "HipPinned", "OpenVINO_GPU", "Cann"]:
        for mem in ("CPU_INPUT", "CPU_OUTPUT", "DEFAULT"):
            ask(
                f"memory info {name} {mem}",
                lambda name=name, mem=mem: info_fields(
                    ort.OrtMemoryInfo(name, kinds.ORT_ARENA_ALLOCATOR, 3, getattr(ort.OrtMemType, mem))
                ),
            )
    for kind in ("CPU", "GPU", "NPU", "FPGA"):
        for mem in ("DEFAULT", "HOST_ACCESSIBLE"):
            if kind != "CPU":
                ask(
                    f"v2 {kind} {mem}",
                    lambda kind=kind, mem=mem: info_fields(
                        ort.OrtMemoryInfo.create_v2(
                            "xyz",
                            getattr(ort.OrtMemoryInfoDeviceType, kind),
                            0x10DE,
                            1,
                            getattr(ort.OrtDeviceMemoryType, mem),
                            0,
                            kinds.ORT_DEVICE_ALLOCATOR,
                        )
                    ),
                )
    ask("bad allocator type", lambda: ort.OrtMemoryInfo("Cpu", 1, 0, ort.OrtMemType.DEFAULT))


def arena_cfgs():
    def fields(cfg):
        return [
            cfg.max_mem,
            cfg.arena_extend_strategy,
            cfg.initial_chunk_size_bytes,
            cfg.max_dead_bytes_per_chunk,
            cfg.initial_growth_chunk_size_bytes,
            cfg.max_power_of_two_extend_bytes,
        ]

    for label, arguments in {
        "four": (1, 0, 3, 4),
        "defaults": (0, -1, -1, -1),
        "negative cap": (-1, 0, -1, -1),
        "empty dict": ({},),
        "dict": ({"max_mem": 5, "initial_growth_chunk_size_bytes": 9, "max_power_of_two_extend_bytes": 10},),
        "unknown": ({"foo": 5},),
        "text": ({"max_mem": "5"},),
        "three": (0, 0, 0),
    }.items():
        ask(f"arena cfg {label}", lambda arguments=arguments: fields(ort.OrtArenaCfg(*arguments)))


def allocators():
    arena, default = ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, ort.OrtMemType.DEFAULT
    cpu, cfg = ort.OrtMemoryInfo("Cpu", arena, 0, default), ort.OrtArenaCfg(0, -1, -1, -1)
    cuda = ort.OrtMemoryInfo("Cuda", arena, 0, default)
    ask("register", lambda: ort.create_and_register_allocator(cpu, cfg))
    ask("register again", lambda: ort.create_and_register_allocator(cpu, cfg))
    ask("register cuda", lambda: ort.create_and_register_allocator(cuda, cfg))
    ask("register without cfg", lambda: ort.create_and_register_allocator(cpu, None))
    ask("v2", lambda: ort.create_and_register_allocator_v2("CPUExecutionProvider", cpu, {}, cfg))
    ask("v2 unknown", lambda: ort.create_and_register_allocator_v2("FooExecutionProvider", cpu, {}, cfg))
    ask("from memory info", lambda: described(Value.ortvalue_from_shape_and_type([2], np.float32, memory_info=cpu)))


def devices():
    def fields(*arguments):
        device = Device.make(*arguments)
        return [device.device_type(), device.device_id(), device.device_vendor_id(), device.device_mem_type()]

    for name in ("cpu", "cuda", "dml", "gpu", "npu", "cann", "webgpu", "fake", "rocm"):
        for vendor in ((), (0x10DE,), (0,)):
            ask(f"device {name} {vendor}", lambda name=name, vendor=vendor: fields(name, 1, *vendor))
    ask("device of text", lambda: Device("cpu"))


def values():
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    for dtype in ["bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)), "f2", "f4", "f8"]:
        ask(f"value {dtype}", lambda dtype=dtype: described(Value.ortvalue_from_numpy(np.zeros((2, 3), dtype))))
    shared = Value.ortvalue_from_numpy(a)
    ask("shares memory", lambda: [shared.data_ptr() == a.ctypes.data, np.shares_memory(shared.numpy(), a)])
    transposed = Value.ortvalue_from_numpy(a.T)
    ask("transposed", lambda: [transposed.shape(), transposed.numpy(), transposed.data_ptr() == a.ctypes.data])
    ask("scalar shape", lambda: Value.ortvalue_from_numpy(np.array(3.0)).shape())
    ask("list", lambda: Value.ortvalue_from_numpy([1]))
    ask("cuda", lambda: Value.ortvalue_from_numpy(a, "cuda"))
    ask("foo", lambda: Value.ortvalue_from_numpy(a, "foo"))
    for code in (9, 10, 16, 17, 18, 19, 20, 24):
        bits = np.ones(4, np.uint16 if code in (10, 16) else np.uint8)
        ask(
            f"bits {code}", lambda code=code, bits=bits: described(Value.ortvalue_from_numpy_with_onnx_type(bits, code))
        )
    for code in (0, 1, 8, 99):
        ask(f"bits {code}", lambda code=code: Value.ortvalue_from_numpy_with_onnx_type(np.ones(4, np.uint8), code))
    for label, kind in {"numpy": np.float32, "text": "float32", "onnx": 1, "bf16": 16, "bool": bool, "99": 99}.items():
        ask(f"new {label}", lambda kind=kind: described(Value.ortvalue_from_shape_and_type([2, 3], kind)))
    for label, shape in {
        "negative": [-2],
        "overflow": [1 << 40, 1 << 40],
        "zero": [0, 3],
        "scalar": [],
        "tuple": (2,),
    }.items():
        ask(f"new {label}", lambda shape=shape: described(Value.ortvalue_from_shape_and_type(shape, np.float32)))
    target = Value.ortvalue_from_numpy(np.zeros((2, 3), np.float32))
    for label, data in {
        "same": a,
        "transposed": a.T,
        "short": a[0],
        "value": Value.ortvalue_from_numpy(a + 1),
        "flat value": Value.ortvalue_from_numpy((a + 2).reshape(6)),
        "value of another type": Value.ortvalue_from_numpy(a.astype(np.float64)),
        "list": [1],
    }.items():
        ask(f"update {label}", lambda data=data: target.update_inplace(data))
        ask(f"updated {label}", target.numpy)
    ask("asarray", lambda: [np.asarray(target), np.array(target, dtype=np.float64)])
    ask("array without copy", lambda: np.array(target, dtype=np.float64, copy=False))
    ask("dlpack device", target.__dlpack_device__)
    ask("dlpack capsule", lambda: "dltensor" in repr(target.__dlpack__()))
    ask("dlpack shares", lambda: np.from_dlpack(target).ctypes.data == target.data_ptr())
    ask("from dlpack shares", lambda: Value.from_dlpack(a).data_ptr() == a.ctypes.data)
    capsule = target.__dlpack__()
    ask("capsule", lambda: Value.from_dlpack(capsule).shape())
    ask("used capsule", lambda: Value.from_dlpack(capsule).shape())
    half = Value.ortvalue_from_numpy_with_onnx_type(np.ones(4, np.uint16), 16)
    ask("bf16 dlpack", lambda: described(Value.from_dlpack(half.__dlpack__())))


def sparse():
    shape, v = np.array([3, 4]), np.array([1, 2, 3], np.float32)
    coordinates, inner, outer = np.array([[0, 1], [1, 2], [2, 3]]), np.array([1, 2, 3]), np.arange(4)
    coo, csr = Sparse.sparse_coo_from_numpy, Sparse.sparse_csr_from_numpy
    tensor = coo(shape, v, coordinates, CPU)
    ask(
        "coo",
        lambda: [tensor.values(), tensor.format(), tensor.dense_shape(), tensor.data_type(), tensor.device_name()],
    )
    ask("coo view", lambda: [type(tensor.as_coo_view()).__name__, tensor.as_coo_view().indices()])
    ask("coo as csr", tensor.as_csrc_view)
    ask("coo as block", tensor.as_blocksparse_view)
    ask("shared values", lambda: [np.shares_memory(tensor.values(), v), tensor.values().flags.writeable])
    ask("linear", lambda: coo(shape, v, np.array([1, 6, 11]), CPU).as_coo_view().indices())
    ask("int32", lambda: coo(shape, v, coordinates.astype(np.int32), CPU).as_coo_view().indices())
    ask("wrong count", lambda: coo(shape, v, coordinates[:2], CPU))
    ask("2-D values", lambda: coo(shape, v[None], coordinates, CPU))
    ask("strings", lambda: coo(shape, np.array(["a", "b", "c"]), coordinates, CPU).values())
    ask("other device", lambda: coo(shape, v, coordinates, Device.make("cuda", 0)))
    matrix = csr(shape, v, inner, outer, CPU)
    ask("csr", lambda: [matrix.format(), matrix.as_csrc_view().inner(), matrix.as_csrc_view().outer()])
    ask("csr view", lambda: type(matrix.as_csrc_view()).__name__)
    ask("csr as coo", matrix.as_coo_view)
    ask("csr outer", lambda: csr(shape, v, inner, outer[:3], CPU))
    ask("csr inner", lambda: csr(shape, v, inner[:2], outer, CPU))
    ask("csr rank", lambda: csr([3, 4, 5], v, inner, outer, CPU))
    ask("to_cuda", lambda: tensor.to_cuda(Device.make("cuda", 0)))
    value = Value.ort_value_from_sparse_tensor(tensor)
    ask(
        "value",
        lambda: [value.is_sparse_tensor(), value.is_tensor(), value.data_type(), value.shape(), value.element_type()],
    )
    for method in ("tensor_size_in_bytes", "numpy", "data_ptr", "__dlpack__", "__dlpack_device__"):
        ask(f"sparse {method}", getattr(value, method))
    ask("as sparse", lambda: value.as_sparse_tensor().values())
    ask("dense as sparse", lambda: Value.ortvalue_from_numpy(v).as_sparse_tensor())


def session_of(nodes, inputs, outputs):
    opsets = [helper.make_opsetid("", 18)]
    model = helper.make_model(helper.make_graph(nodes, "g", inputs, outputs), opset_imports=opsets, ir_version=8)
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def sessions():
    info, float_, string = helper.make_tensor_value_info, TensorProto.FLOAT, TensorProto.STRING
    nodes = [helper.make_node("Add", ["x", "w"], ["y"]), helper.make_node("Neg", ["y"], ["z"])]
    add = session_of(nodes, [info(n, float_, ["N", 3]) for n in "xw"], [info(n, float_, ["N", 3]) for n in "yz"])
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    for label, feed in {
        "array": x,
        "list": x.tolist(),
        "list of ints": [[1, 2, 3], [4, 5, 6]],
        "ragged": [[1, 2], [1]],
        "double": x.astype(np.float64),
        "int32": x.astype(np.int32),
        "bool": x > 1,
        "fortran": np.asfortranarray(x),
        "strings": x.astype(str),
        "rank": x[None],
        "dimension": np.ones((2, 4), np.float32),
        "value": Value.ortvalue_from_numpy(x),
        "wrong value": Value.ortvalue_from_numpy(x.astype(np.float64)),
        "dict": {},
        "none": None,
    }.items():
        ask(f"feed {label}", lambda feed=feed: add.run(None, {"x": feed, "w": x}))
    for code, lists in {
        7: [[1, 2], [1.0, 2.0]],
        6: [[1], [True], [1 << 40]],
        9: [[True], [1, 0]],
        8: [["a", 1], [1, 2]],
    }.items():
        echo = session_of(
            [helper.make_node("Identity", ["x"], ["y"])], [info("x", code, [None])], [info("y", code, [None])]
        )
        for feed in lists:
            ask(f"list {code} {feed}", lambda echo=echo, feed=feed: echo.run(None, {"x": feed}))
    texts = session_of(
        [helper.make_node("Identity", ["x"], ["y"])], [info("x", string, [None])], [info("y", string, [None])]
    )
    for feed in (np.array(["a", "é"]), np.array(["a", 1, None, 2.5], object), np.array(["a\0b"], object), x[0]):
        ask(f"strings {feed!r}", lambda feed=feed: texts.run(None, {"x": feed}))
    lists = session_of(
        [helper.make_node("SequenceConstruct", ["x", "x"], ["y"])],
        [info("x", float_, [None])],
        [helper.make_tensor_sequence_value_info("y", float_, None)],
    )

    def about(value):
        return [
            value.data_type(),
            value.element_type(),
            value.is_tensor(),
            value.is_tensor_sequence(),
            value.has_value(),
        ]

    sequence = lists.run_with_ort_values(None, {"x": Value.ortvalue_from_numpy(x[0])})[0]
    ask("sequence", lambda: about(sequence))
    for method in ("shape", "tensor_size_in_bytes", "device_name", "numpy", "data_ptr", "__dlpack__"):
        ask(f"sequence {method}", getattr(sequence, method))
    bindings(add, x)


def bindings(session, x):
    binding = session.io_binding()
    ask("bind unknown", lambda: binding.bind_cpu_input("q", x))
    ask("run nothing", lambda: session.run_with_iobinding(binding))
    x = x.copy()
    binding.bind_cpu_input("x", x)
    binding.bind_cpu_input("w", np.ones_like(x))
    binding.bind_output("z")
    binding.bind_output("y")
    binding.bind_output("z")

    def run():
        session.run_with_iobinding(binding)
        return binding.copy_outputs_to_cpu()

    ask("order", run)
    x += 10
    binding.bind_output("z")
    binding.bind_output("y")
    ask("aliased", run)
    ask("outputs", lambda: [v.numpy() for v in binding.get_outputs()])
    ask("vector", lambda: len(binding.get_outputs_as_ortvaluevector()))
    value = Value.ortvalue_from_shape_and_type([2, 3], np.float32)
    binding.bind_ortvalue_output("y", value)
    ask("bound", lambda: [run(), value.numpy(), binding.get_outputs()[1].data_ptr() == value.data_ptr()])
    for label, shape, dtype in (
        ("shape", [3, 2], "f4"),
        ("rank", [6], "f4"),
        ("rows", [4, 3], "f4"),
        ("type", [2, 3], "f8"),
    ):

        def bad(shape=shape, dtype=dtype):
            other = session.io_binding()
            other.bind_cpu_input("x", x)
            other.bind_cpu_input("w", x)
            other.bind_ortvalue_output("y", Value.ortvalue_from_shape_and_type(shape, np.dtype(dtype)))
            session.run_with_iobinding(other)

        ask(f"bound with another {label}", bad)
    buffer = np.zeros((2, 3), np.float32)
    binding.bind_input("x", "cpu", 0, np.float32, [2, 3], x.ctypes.data)
    binding.bind_input("w", "cpu", 0, 1, (2, 3), x.ctypes.data)
    binding.bind_output("y", "cpu", 0, np.float32, [2, 3], buffer.ctypes.data)
    ask("addresses", lambda: [run(), buffer])
    ask("no type", lambda: binding.bind_output("y", "cpu", 0, None, [2, 3], buffer.ctypes.data))
    ask("foo", lambda: binding.bind_output("y", "foo"))
    ask("negative shape", lambda: binding.bind_input("x", "cpu", 0, np.float32, [-2, 3], x.ctypes.data))
    binding.bind_ortvalue_input("x", Value.ortvalue_from_numpy(x))
    binding.synchronize_inputs()
    binding.synchronize_outputs()
    binding.clear_binding_outputs()
    ask("cleared", binding.get_outputs)


for section in (enums, memory_infos, arena_cfgs, allocators, devices, values, sparse, sessions):
    section()
ask("ml_dtypes arrays", lambda: described(Value.ortvalue_from_numpy(np.zeros(3, ml_dtypes.bfloat16))))
print(json.dumps(ANSWERS))
