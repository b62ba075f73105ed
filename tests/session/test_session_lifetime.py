from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import resource
import subprocess
import sys
import textwrap
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from onnx import TensorProto, helper
from session_models import ADD, TWO_INPUTS, graph_model, long_loop, tensor

import ort_core as ort
from ort_core.errors import Fail, NoSuchFile, OrtError


def test_context_manager_closes_and_gives_the_session(x):
    with ort.InferenceSession(ADD) as session:
        assert isinstance(session, ort.InferenceSession)
        result = session.run(None, {"x": x})[0]
    assert result.tolist() == np.add(x, [1, 2]).tolist()
    with pytest.raises(Fail, match="closed"):
        session.__enter__()


def test_close_may_be_called_again():
    session = ort.InferenceSession(ADD)
    for _ in range(3):
        session.close()


def test_closed_session_runs_no_more_but_still_tells(x):
    session = ort.InferenceSession(ADD)
    binding = session.io_binding()
    binding.bind_cpu_input("x", x)
    binding.bind_output("y")
    value = ort.OrtValue.ortvalue_from_numpy(x)
    providers = session.get_providers()
    session.close()
    for attempt in (
        lambda: session.run(None, {"x": x}),
        lambda: session.run_with_ort_values(None, {"x": value}),
        lambda: session.run_with_iobinding(binding),
        lambda: session.run_async(None, {"x": x}, print, None),
        session.set_providers,
        session.explain,
        lambda: pickle.dumps(session),
    ):
        with pytest.raises(Fail, match=r"the session is closed. Create a new InferenceSession"):
            attempt()
    assert session.get_inputs()[0].name == "x"
    assert session.get_outputs()[0].name == "y"
    assert session.get_modelmeta().graph_name == "g"
    assert session.get_providers() == providers
    assert session.end_profiling() == ""


def test_results_stay_valid_after_close(x):
    session = ort.InferenceSession(TWO_INPUTS)
    arrays = session.run(None, {"a": x, "b": x})
    values = session.run_with_ort_values(None, {n: ort.OrtValue.ortvalue_from_numpy(x) for n in "ab"})
    binding = session.io_binding()
    for name in "ab":
        binding.bind_cpu_input(name, x)
    binding.bind_output("s")
    session.run_with_iobinding(binding)
    session.close()
    del session
    gc.collect()
    for result in (arrays[0], values[0].numpy(), binding.copy_outputs_to_cpu()[0]):
        assert result.tolist() == (x + x).tolist()
        result[:] = 1


def test_providers_are_closed_once(trouble, x):
    session = ort.InferenceSession(ADD, providers=[trouble.name])
    session.run(None, {"x": x})
    session.close()
    session.close()
    del session
    gc.collect()
    assert [p.closed for p in trouble.created] == [1]


def test_dropped_session_closes_its_providers_at_once(trouble, x):
    gc.disable()
    try:
        session = ort.InferenceSession(ADD, providers=[trouble.name])
        session.run(None, {"x": x})
        del session
        assert [p.closed for p in trouble.created] == [1]
    finally:
        gc.enable()


def test_close_lets_a_run_in_progress_end(trouble, x):
    session = ort.InferenceSession(ADD, providers=[trouble.name])
    entered = trouble.hold_runs()
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(session.run, None, {"x": x})
        assert entered.wait(30)
        session.close()
        assert trouble.created[0].closed == 0
        trouble.go_on.set()
        assert run.result(30)[0].tolist() == np.add(x, [1, 2]).tolist()
    assert trouble.created[0].closed == 1


def test_set_providers_lets_a_run_in_progress_end(trouble, x):
    with ort.InferenceSession(ADD, providers=[trouble.name]) as session:
        entered = trouble.hold_runs()
        with ThreadPoolExecutor(1) as pool:
            run = pool.submit(session.run, None, {"x": x})
            assert entered.wait(30)
            session.set_providers(["ReferenceExecutionProvider"])
            assert session.run(None, {"x": x})[0].tolist() == np.add(x, [1, 2]).tolist()
            assert trouble.created[0].closed == 0
            trouble.go_on.set()
            assert run.result(30)[0].tolist() == np.add(x, [1, 2]).tolist()
        assert trouble.created[0].closed == 1


def test_fallback_in_eight_threads_happens_once(trouble, x):
    with ort.InferenceSession(ADD, providers=[trouble.name]) as session:
        trouble.fail_as_provider()
        trouble.go_on = threading.Barrier(8, timeout=30)
        trouble.hold_runs()
        with ThreadPoolExecutor(8) as pool:
            runs = [pool.submit(session.run, None, {"x": x}) for _ in range(8)]
            for run in runs:
                assert run.result(60)[0].tolist() == np.add(x, [1, 2]).tolist()
        assert trouble.name not in session.get_providers()


def test_eight_threads_on_one_session_get_their_own_results():
    with ort.InferenceSession(TWO_INPUTS) as session:

        def work(number):
            a = np.full((number % 5 + 1, 2), number, np.float32)
            for _ in range(60):
                s, d = session.run(None, {"a": a, "b": a + 1})
                if s.shape != a.shape or not (s == 2 * number + 1).all() or not (d == -1).all():
                    return False
                if session.run(["d"], {"a": a, "b": a})[0].any():
                    return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(work, range(8)))


def test_session_is_freed_without_the_garbage_collector(x):
    gc.collect()
    gc.disable()
    try:
        session = ort.InferenceSession(ADD)
        session.run(None, {"x": x})
        reference = weakref.ref(session)
        model = weakref.ref(session._model)
        del session
        assert reference() is None
        assert model() is None
    finally:
        gc.enable()


def heavy_model(megabytes):
    count = megabytes * 262144
    weight = helper.make_tensor("w", TensorProto.FLOAT, [count], np.ones(count, np.float32).tobytes(), raw=True)
    return graph_model(
        [helper.make_node("Add", ["x", "w"], ["y"])], [tensor("x", [1])], [tensor("y", [count])], [weight]
    )


def resident_mib():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
def test_close_gives_the_weights_back(tmp_path):
    path = tmp_path / "heavy.onnx"
    path.write_bytes(heavy_model(64))
    gc.collect()
    before = resident_mib()
    session = ort.InferenceSession(path)
    session.run(None, {"x": np.ones(1, np.float32)})
    assert resident_mib() > before + 48
    session.close()
    assert resident_mib() < before + 24


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
def test_two_hundred_sessions_do_not_leak(x):
    def once():
        session = ort.InferenceSession(ADD)
        session.run(None, {"x": x})

    for _ in range(20):
        once()
    gc.collect()
    objects, before = len(gc.get_objects()), resident_mib()
    for _ in range(200):
        once()
    gc.collect()
    assert len(gc.get_objects()) < objects + 1000
    assert resident_mib() < before + 16


def test_failed_sessions_do_not_leak(trouble):
    for _ in range(20):
        with pytest.raises(TypeError):
            ort.InferenceSession(None)
        with pytest.raises(OrtError):
            ort.InferenceSession(b"\x08\x07", providers=[trouble.name])
    gc.collect()
    assert all(p.closed == 1 for p in trouble.created)


# -- pickling


def test_session_from_bytes_pickles_with_options_and_providers(x):
    options = ort.SessionOptions()
    options.logid = "travelled"
    options.add_free_dimension_override_by_name("N", 3)
    options.add_initializer("w", ort.OrtValue.ortvalue_from_numpy(np.float32([5, 6])))
    with ort.InferenceSession(ADD, options, providers=["ReferenceExecutionProvider"]) as session:
        data = pickle.dumps(session)
    with pickle.loads(data) as other:
        assert other.run(None, {"x": x})[0].tolist() == np.add(x, [5, 6]).tolist()
        assert other.get_inputs()[0].shape == [3, 2]
        assert other.get_session_options().logid == "travelled"
        assert other.get_providers() == ["ReferenceExecutionProvider"]


def test_session_from_a_message_pickles(x):
    import onnx

    with ort.InferenceSession(onnx.load_from_string(ADD)) as session, pickle.loads(pickle.dumps(session)) as other:
        assert other.run(None, {"x": x})[0].tolist() == np.add(x, [1, 2]).tolist()


def test_session_pickles_with_provider_options(trouble, x):
    with (
        ort.InferenceSession(ADD, providers=[(trouble.name, {"level": 7})], enable_fallback=False) as session,
        pickle.loads(pickle.dumps(session)) as other,
    ):
        assert trouble.created[1].options.level == 7
        assert other.get_providers() == session.get_providers()
        trouble.fail_as_provider()
        with pytest.raises(OrtError, match="fell off the bus"):
            other.run(None, {"x": x})


def test_session_from_a_path_pickles_the_path_not_the_model(tmp_path, x, monkeypatch):
    path = tmp_path / "m.onnx"
    path.write_bytes(heavy_model(1))
    monkeypatch.chdir(tmp_path)
    with ort.InferenceSession("m.onnx") as session:
        data = pickle.dumps(session)
    assert len(data) < 10000
    monkeypatch.chdir("/")
    with pickle.loads(data) as other:
        assert other.run(None, {"x": np.ones(1, np.float32)})[0].shape == (262144,)
    path.write_bytes(heavy_model(2))
    with pytest.raises(Fail, match=r"m\.onnx' is not the one that the pickled session was created from: its SHA-256"):
        pickle.loads(data)
    path.unlink()
    with pytest.raises(NoSuchFile, match=r"m\.onnx' of a pickled session does not exist"):
        pickle.loads(data)


def test_session_whose_file_changed_does_not_pickle(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(ADD)
    with ort.InferenceSession(path) as session:
        path.write_bytes(TWO_INPUTS)
        with pytest.raises(Fail, match="changed since the session was created"):
            pickle.dumps(session)


def test_session_travels_to_a_spawned_process(tmp_path):
    script = tmp_path / "spawn.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import multiprocessing, numpy as np, ort_core as ort
            def work(session):
                return session.run(None, {{"x": np.ones((1, 2), np.float32)}})[0].tolist()
            if __name__ == "__main__":
                session = ort.InferenceSession({ADD!r})
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    print(pool.map(work, [session]))
            """
        )
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "[[[2.0, 3.0]]]", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_session_runs_in_a_forked_child_after_a_run_in_the_parent():
    script = f"""
import multiprocessing, numpy as np, ort_core as ort
session = ort.InferenceSession({ADD!r})
x = np.ones((1, 2), np.float32)
session.run(None, {{"x": x}})
def work(number):
    return session.run(None, {{"x": x * number}})[0].tolist()
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(work, [1, 2]))
print(work(3))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.split("\n")[:2] == ["[[[2.0, 3.0]], [[3.0, 4.0]]]", "[[4.0, 5.0]]"], done.stderr
    assert multiprocessing.get_start_method(allow_none=True) in (None, "fork", "spawn", "forkserver")


def test_session_alive_at_exit_ends_quietly(tmp_path):
    script = f"""
import numpy as np, ort_core as ort
options = ort.SessionOptions()
options.enable_profiling = True
options.profile_file_prefix = {str(tmp_path / "at_exit")!r}
session = ort.InferenceSession({ADD!r}, options)
session.run(None, {{"x": np.ones((1, 2), np.float32)}})
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Error" not in done.stderr
    assert len(list(tmp_path.iterdir())) == 1


def test_terminated_run_leaves_the_session_usable():
    options = ort.RunOptions()
    with ort.InferenceSession(long_loop()) as session:
        for _ in range(3):
            timer = threading.Timer(0.05, setattr, (options, "terminate", True))
            timer.start()
            with pytest.raises(Fail):
                session.run(None, {"n": np.array(1 << 40), "zero": np.array(0)}, options)
            timer.join()
            options.terminate = False
            assert session.run(None, {"n": np.array(3), "zero": np.array(0)})[0].item() == 3


def test_sessions_may_be_created_in_many_threads_at_once(tmp_path, x):
    path = tmp_path / "m.onnx"
    path.write_bytes(ADD)

    def work(number):
        with ort.InferenceSession(path if number % 2 else ADD) as session:
            return session.run(None, {"x": x + number})[0].tolist()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(40))) == [np.add(x + n, [1, 2]).tolist() for n in range(40)]
