"""Threads of the CPU provider: concurrent callers, idle time, fork."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from onnx import TensorProto, helper

import ort_core as ort


def matmul_model(size=256, layers=4):
    rng = np.random.default_rng(3)
    weights = [
        helper.make_tensor(
            f"w{i}", TensorProto.FLOAT, [size, size], rng.standard_normal((size, size)).astype(np.float32) / 16
        )
        for i in range(layers)
    ]
    nodes, last = [], "x"
    for i in range(layers):
        nodes += [
            helper.make_node("MatMul", [last, f"w{i}"], [f"m{i}"]),
            helper.make_node("Tanh", [f"m{i}"], [f"t{i}"]),
        ]
        last = f"t{i}"
    nodes.append(helper.make_node("Identity", [last], ["y"]))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", size])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]).SerializeToString()


def threaded_session(threads=2, **settings):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    for key, value in settings.items():
        options.add_session_config_entry(key.replace("__", "."), value)
    return ort.InferenceSession(matmul_model(), options, providers=["CPUExecutionProvider"])


def feed(seed=0, rows=64):
    return {"x": np.random.default_rng(seed).standard_normal((rows, 256)).astype(np.float32)}


@pytest.mark.parametrize("callers", [1, 2, 4, 8])
def test_callers_on_one_session_get_their_own_results(callers):
    session = threaded_session()
    feeds = [feed(i, rows=8 + 16 * i) for i in range(callers)]
    expected = [session.run(None, f)[0] for f in feeds]
    wrong = []

    def call(index):
        for _ in range(40):
            (result,) = session.run(None, feeds[index])
            if not np.allclose(result, expected[index], atol=1e-5):
                wrong.append(index)

    threads = [threading.Thread(target=call, args=(i,)) for i in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


_IDLE = """
import sys, time, numpy as np
sys.path.insert(0, sys.argv[1])
from tests.cpu.test_threads import feed, threaded_session
session = threaded_session()
for _ in range(50):
    session.run(None, feed())
time.sleep(0.2)
before = time.process_time()
time.sleep(1.0)
print((time.process_time() - before) * 1000)
"""


def test_an_idle_second_after_runs_takes_less_than_two_milliseconds_of_processor_time():
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    result = subprocess.run([sys.executable, "-c", _IDLE, root], capture_output=True, text=True, check=True)
    assert float(result.stdout) < 2.0


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_after_a_run_works():
    session = threaded_session()
    (expected,) = session.run(None, feed())
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=lambda: queue.put(session.run(None, feed())[0]))
    child.start()
    result = queue.get(timeout=60)
    child.join(60)
    assert child.exitcode == 0
    np.testing.assert_allclose(result, expected, atol=1e-5)
    np.testing.assert_allclose(session.run(None, feed())[0], expected, atol=1e-5)


@pytest.mark.parametrize("value", ["0", "1"])
def test_spinning_may_be_turned_off(value):
    session = threaded_session(session__intra_op__allow_spinning=value)
    first, second = session.run(None, feed())[0], session.run(None, feed())[0]
    np.testing.assert_array_equal(first, second)


def test_sessions_are_created_used_and_dropped_from_many_threads():
    errors = []

    def work():
        try:
            for _ in range(3):
                with threaded_session() as session:
                    session.run(None, feed())
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def test_long_runs_let_other_python_threads_work():
    session = threaded_session(threads=1)
    big = feed(rows=4096)
    session.run(None, big)
    ticks = []
    done = threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.0005)

    ticker = threading.Thread(target=tick)
    ticker.start()
    started = time.perf_counter()
    for _ in range(5):
        session.run(None, big)
    elapsed = time.perf_counter() - started
    done.set()
    ticker.join()
    assert len(ticks) > 3 or elapsed < 0.01
