"""Custom operators whose kernels the engine calls by their native entry."""

import ctypes
import subprocess
import threading

import numpy as np
import pytest
from onnx import TensorProto, helper

from ort_core.custom_ops.spec import Kernel
from ort_core.errors import Fail, InvalidArgument, InvalidGraph, RuntimeException
from tests.conftest import ROOT
from tests.custom_ops.core_operators import Scale, X, model_of, scale_node, session_of

SOURCE = r"""
#include <stdio.h>
#include <string.h>
#include "native_kernel.h"

struct work { const float* x; float* y; float factor; };

static void one(void* user, size_t i) {
  struct work* w = user;
  w->y[i] = w->x[i] * w->factor;
}

/* state: a float; below zero it is a fault to commit. */
static int32_t scale(void* state, const OrtCoreCall* call, char* message, size_t n) {
  const OrtCoreTensor* x = call->inputs;
  const float factor = *(float*)state;
  int64_t dims[8], size = 1;
  for (int i = 0; i < x->rank; ++i) size *= dims[i] = x->dims[i];
  if (factor <= -100) { snprintf(message, n, "code %d", (int)(-100 - factor)); return (int32_t)(-100 - factor); }
  if (factor == -1) return 0;
  if (factor == -2) dims[0] = -5;
  struct work w = {x->data, call->allocate(call->engine, factor == -3 ? 7 : 0, factor == -4 ? 11 : 1, dims, x->rank), factor};
  if (factor == -5) call->allocate(call->engine, 0, 1, dims, x->rank);
  if (w.y == NULL) return 1;
  call->parallel_for(call->engine, one, (size_t)size, 0, &w);
  return 0;
}

const OrtCoreKernel* make(uint32_t version, float* factor) {
  static OrtCoreKernel kernels[256];
  static int n;
  OrtCoreKernel* kernel = &kernels[n++ % 256];
  *kernel = (OrtCoreKernel){version, factor, scale};
  return kernel;
}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kernel")
    (folder / "scale.c").write_text(SOURCE)
    target = folder / "scale.so"
    include = ROOT / "ort_provider_cpu" / "native" / "ops"
    command = ["gcc", "-shared", "-fPIC", "-O1", f"-I{include}", folder / "scale.c", "-o", target]
    subprocess.run(command, check=True)
    loaded = ctypes.CDLL(str(target))
    loaded.make.restype = ctypes.c_void_p
    loaded.make.argtypes = [ctypes.c_uint32, ctypes.POINTER(ctypes.c_float)]
    return loaded


class NativeScale(Scale):
    has_native = True

    def __init__(self, library, version=1, **attributes):
        super().__init__(**attributes)
        self._make = lambda factor: library.make(version, ctypes.byref(factor))

    def bind(self, request):
        factor = ctypes.c_float(request.node.attr("factor", 2.0))
        address = self._make(factor)

        def fn(x, keep=factor):
            raise AssertionError("called through Python")

        return Kernel(fn, address)


def test_a_native_kernel_runs_in_the_engine_without_python(library):
    nodes = [helper.make_node("Neg", ["x"], ["a"]), scale_node("a", "b"), helper.make_node("Abs", ["b"], ["y"])]
    session = session_of(model_of(*nodes), NativeScale(library))
    assert len(session.explain().partitions) == 1
    for size in (4, 0, 1000):
        x = np.arange(size, dtype=np.float32)
        np.testing.assert_array_equal(session.run(None, {"x": x})[0], 2 * x)


def test_it_runs_in_the_body_of_a_loop(library):
    body = helper.make_graph(
        [helper.make_node("Identity", ["on"], ["still"]), scale_node("a", "b")],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("a", TensorProto.FLOAT, ["n"]),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("b", TensorProto.FLOAT, ["n"]),
        ],
    )
    trips = helper.make_tensor("trips", TensorProto.INT64, [], [5])
    loop = helper.make_node("Loop", ["trips", "", "x"], ["y"], body=body)
    session = session_of(model_of(loop, initializers=[trips]), NativeScale(library))
    assert len(session.explain().partitions) == 1
    np.testing.assert_array_equal(session.run(None, {"x": X})[0], 32 * X)


@pytest.mark.parametrize(
    ("factor", "error", "text"),
    [
        (-101.0, Fail, "code 1"),
        (-102.0, InvalidArgument, "code 2"),
        (-106.0, RuntimeException, "code 6"),
        (-110.0, InvalidGraph, "code 10"),
        (-1.0, InvalidArgument, "left out output 0"),
        (-2.0, InvalidArgument, r"output 0 of shape \[-5\]"),
        (-3.0, InvalidArgument, "output 7, which nobody wants"),
        (-4.0, InvalidArgument, "output 0 as element type 11, expected float"),
        (-5.0, InvalidArgument, "asks twice for output 0"),
    ],
)
def test_faults_of_a_kernel_raise_and_name_the_node(library, factor, error, text):
    node = scale_node(factor=factor)
    node.name = "faulty"
    session = session_of(model_of(node), NativeScale(library))
    with pytest.raises(error, match=rf"faulty.*{text}"):
        session.run(None, {"x": X})
    with pytest.raises(error):
        session.run(None, {"x": X})


def test_an_entry_of_another_version_is_left_to_the_core(library, caplog):
    operator = NativeScale(library, version=9)
    operator.bind = lambda request: NativeScale.bind(operator, request)._replace(fn=lambda x: x * 2)
    session = session_of(model_of(scale_node()), operator)
    np.testing.assert_array_equal(session.run(None, {"x": X})[0], 2 * X)


def test_threads_share_a_native_kernel(library):
    session = session_of(model_of(scale_node()), NativeScale(library))
    wrong = []

    def work(index):
        x = np.full(1000 + index, index, np.float32)
        wrong.extend(index for _ in range(200) if not np.array_equal(session.run(None, {"x": x})[0], 2 * x))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_operators_of_strings_or_of_the_engine_run_on_the_core(library):
    replaced = NativeScale(library, domain="", name="Relu")
    replaced.bind = lambda request: Kernel(lambda x: x * 3, 1)
    session = session_of(model_of(helper.make_node("Relu", ["x"], ["y"])), replaced)
    np.testing.assert_array_equal(session.run(None, {"x": X})[0], 3 * X)


def test_a_model_cannot_name_the_address_of_a_kernel():
    node = helper.make_node("CustomKernel", ["x"], ["y"], domain="ort.cpu", kernel=4096)
    with pytest.raises(NotImplementedError, match="CustomKernel"):
        session_of(model_of(node, domain="ort.cpu"))


def test_both_copies_of_the_header_are_equal():
    copies = [
        ROOT / "ort_provider_cpu" / "native" / "ops" / "native_kernel.h",
        ROOT / "ort_custom_ops" / "native" / "native_kernel.h",
    ]
    assert copies[0].read_text() == copies[1].read_text()
