"""Kernels of compiled libraries: values in and out, errors, services, threads, the native entry."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from ort_core.errors import Fail, InvalidArgument, NotImplemented, RuntimeException  # noqa: A004
from ort_core.ir.types import ElementType, TensorType
from tests.custom_ops.library_builder import bind, node_of, run

X = np.array([[1, 2, 3], [4, 5, 6]], np.float32)


@pytest.mark.parametrize("op", ["AddOne1", "AddOne11", "AddOne17", "AddOne31"])
def test_callbacks_of_every_version_compute(op):
    y = run(op, X)
    assert y.dtype == np.float32
    assert (y == X + 1).all()


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,) * 9, (2, 3, 4), (5000, 7)])
def test_shapes_of_every_rank_pass(shape):
    x = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    y = run("AddOne17", x)
    assert y.shape == shape
    assert (y == x + 1).all()


ELEMENTS = [
    element
    for element in ElementType
    if element not in (ElementType.STRING, ElementType.FLOAT6E2M3, ElementType.FLOAT6E3M2)
]
_ABI = {ElementType.FLOAT8E8M0: 26, ElementType.UINT2: 24, ElementType.INT2: 25}


@pytest.mark.parametrize("element", ELEMENTS, ids=lambda e: e.name)
def test_every_element_type_passes_unchanged(element):
    values = np.array([[0, 1, 1], [1, 0, 1]])
    if element in (ElementType.INT4, ElementType.INT2):
        values = -values
    if element is ElementType.FLOAT8E8M0:
        values = 2.0**values
    x = values.astype(element.dtype)
    y, code = run("Identity", x, outputs=2)
    assert y.dtype == x.dtype
    assert y.shape == x.shape
    assert y.tobytes() == x.tobytes()
    assert code.item() == _ABI.get(element, int(element))


def test_types_that_the_abi_does_not_have_are_refused():
    with pytest.raises(InvalidArgument, match="no arrays of dtype float6_e2m3fn"):
        run("Identity", np.zeros(3, ml_dtypes.float6_e2m3fn), outputs=2)


def test_strings_are_utf8_and_need_not_be_valid():
    x = np.array([["a", "", "日本語"], ["é\n", "x" * 5000, "\udc80"]], object)
    y, _ = run("Identity", x, outputs=2)
    assert y.dtype == object
    assert y.tolist() == x.tolist()
    assert run("Upper", x).tolist() == [["A", "", "日本語"], ["é\n", "X" * 5000, "\udc80"]]


def test_string_tensor_that_holds_another_object_is_an_error():
    with pytest.raises(InvalidArgument, match=r"the_node.*object of type int"):
        run("Upper", np.array(["a", 3], object))


def test_input_of_another_type_is_an_error():
    kernel = bind(node_of("AddOne17", [X]))
    with pytest.raises(InvalidArgument, match=r"node 'the_node'.*input 0 is tensor\(double\).*takes tensor\(float\)"):
        kernel.fn(X.astype(np.float64))


def test_views_and_foreign_byte_order_are_copied():
    assert (run("AddOne17", X.T) == X.T + 1).all()
    assert (run("AddOne17", X[:, ::2].astype(">f4")) == X[:, ::2] + 1).all()


@pytest.mark.parametrize("x", [[X], "text", 3])
def test_what_is_no_tensor_is_refused(x):
    kernel = bind(node_of("AddOne17", [X]))
    with pytest.raises(InvalidArgument, match="is no tensor"):
        kernel.fn(x)


def test_wrong_number_of_arguments_is_a_type_error():
    kernel = bind(node_of("AddOne17", [X]))
    with pytest.raises(TypeError, match="takes 1 positional arguments, got 2"):
        kernel.fn(X, X)
    with pytest.raises(TypeError):
        kernel.fn(X, y=X)


FAILURES = [
    (0, "the kernel is tired"),
    (3, "negative dimension -1"),
    (4, "with another shape before"),
    (5, "1 outputs, the kernel asks for number 9"),
    (6, "OrtApi::CreateSessionFromArray is not offered"),
    (7, "GetStringTensorContent: its first argument is null"),
    (8, "more elements than memory can hold"),
    (9, "not a tensor of strings"),
    (10, "no stream"),
]


@pytest.mark.parametrize(("how", "message"), FAILURES)
@pytest.mark.parametrize(("op", "kind"), [("Throws1", RuntimeException), ("Throws2", NotImplemented)])
def test_error_of_a_kernel_names_the_node_and_keeps_the_message(op, kind, how, message):
    kernel = bind(node_of(op, [np.array(how)]))
    for _ in range(2):
        with pytest.raises(kind) as caught:
            kernel.fn(np.array(how))
        assert message in str(caught.value)
        assert "node 'the_node' (zoo::" in str(caught.value)


def test_exception_of_no_known_type_is_an_error():
    with pytest.raises(Fail, match="exception of unknown type"):
        run("Throws1", np.array(1))


def test_output_that_the_kernel_did_not_make_is_an_error():
    with pytest.raises(RuntimeException, match="without making output 0"):
        run("Throws2", np.array(2))


@pytest.mark.parametrize("op", ["FailsToStart1", "FailsToStart2"])
def test_kernel_that_cannot_be_made_is_an_error(op):
    with pytest.raises(RuntimeException, match=r"the_node.*there is no vocabulary"):
        run(op)


def test_outputs_start_as_zeros_also_in_recycled_memory():
    for _ in range(20):
        y = run("Zeros")
        assert (y == 0).all()
        y[:] = 7
        del y


def test_output_that_is_declared_to_be_an_input_starts_as_its_copy():
    x = np.arange(1000, dtype=np.float32).reshape(10, 100)
    y = run("Aliased", x)
    assert y[0, 0] == 1
    assert (y.ravel()[1:] == x.ravel()[1:]).all()
    assert x[0, 0] == 0


def test_outputs_outlive_the_kernel_and_are_writable():
    y = run("AddOne17", X)
    gc.collect()
    y += 1
    assert (y == X + 2).all()
    assert y.ctypes.data % 64 == 0
    assert run("AddOne17", np.zeros(200_000, np.float32)).ctypes.data % 64 == 0


def test_memory_loggers_sequences_and_attributes_serve_a_kernel(caplog):
    with caplog.at_level(logging.INFO, logger="ort_core"):
        assert run("Services", X).item() == 11
    (record,) = [record for record in caplog.records if "the zoo is open" in record.message]
    assert record.levelno == logging.ERROR
    assert record.name == "ort_core.custom_ops"
    assert "zoo.cpp:12" in record.message


@pytest.mark.parametrize("batches", [0, 1, 3, 100])
@pytest.mark.parametrize("n", [0, 1, 10, 5000])
def test_parallel_for_calls_every_index_once(n, batches):
    assert (run("Squares", np.array(n), np.array(batches)) == np.arange(n) ** 2).all()


def test_exception_in_parallel_for_is_an_error():
    with pytest.raises(NotImplemented, match="step 3 is broken"):
        run("Squares", np.array(-1), np.array(0))


def test_parallel_for_works_from_many_threads():
    kernel = bind(node_of("Squares", [np.array(0), np.array(0)]))
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: kernel.fn(np.array(n), np.array(0)), [1000 + i for i in range(64)]))
    assert all((y == np.arange(1000 + i) ** 2).all() for i, y in enumerate(results))


def test_kernel_lets_other_threads_run():
    kernel = bind(node_of("Blocks", [np.array(0)]))
    thread = threading.Thread(target=kernel.fn, args=(np.array(400),))
    started = time.perf_counter()
    thread.start()
    time.sleep(0.02)
    during = time.perf_counter() - started
    thread.join()
    assert during < 0.3


def test_one_kernel_serves_eight_threads():
    kernel = bind(node_of("Identity", [TensorType(ElementType.STRING)], 2))

    def work(seed: int) -> bool:
        right = True
        for i in range(100):
            x = np.array([f"{seed}:{i}:{k}" for k in range(10)], object)
            right &= kernel.fn(x)[0].tolist() == x.tolist()
        return right

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_operators_for_a_device_are_refused():
    with pytest.raises(NotImplemented, match="CUDAExecutionProvider"):
        run("OnDevice", X)


def test_calls_do_not_leak():
    import resource

    kernel, x = bind(node_of("AddOne17", [X])), np.zeros(100_000, np.float32)
    for _ in range(50):
        kernel.fn(x)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(1000):
        kernel.fn(x)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_parallel_for_works_in_a_forked_process():
    code = """
import os, numpy as np
from tests.custom_ops.library_builder import bind, node_of
kernel = bind(node_of("Squares", [np.array(0), np.array(0)]))
right = lambda: bool((kernel.fn(np.array(1000), np.array(0)) == np.arange(1000) ** 2).all())
assert right()
child = os.fork()
if child == 0:
    os._exit(0 if right() else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), right())
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=root, timeout=100
    )
    assert done.stdout.strip() == "0 True", done.stderr
