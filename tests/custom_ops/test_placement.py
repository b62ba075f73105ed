"""Where custom operators run, and how a session finds them."""

import pickle
import threading
from types import ModuleType

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import ort_core as ort
from ort_core.custom_ops import published
from ort_core.errors import Fail, InvalidArgument, InvalidGraph, RuntimeException
from ort_core.errors import NotImplemented as NoKernel
from ort_core.providers.entry_points import CUSTOM_OPS, EntryPoint
from tests.custom_ops.core_operators import DOMAIN, Scale, X, model_of, scale_node, session_of


def test_a_registered_operator_runs_under_the_name_of_the_cpu_provider():
    session = session_of(model_of(scale_node(factor=3.0)), Scale())
    np.testing.assert_array_equal(session.run(None, {"x": X})[0], 3 * X)
    assert [p.provider for p in session.explain().partitions] == ["CPUExecutionProvider"]


def test_it_runs_between_nodes_of_other_providers():
    nodes = [
        helper.make_node("Neg", ["x"], ["a"]),
        scale_node("a", "b"),
        helper.make_node("Abs", ["b"], ["y"]),
    ]
    np.testing.assert_array_equal(session_of(model_of(*nodes), Scale()).run(None, {"x": X})[0], 2 * X)


def test_it_runs_in_the_body_of_an_if():
    bodies = {
        f"{name}_branch": helper.make_graph(
            [scale_node("x", f"{name}_y", factor=factor)],
            name,
            [],
            [helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, ["n"])],
        )
        for name, factor in (("then", 5.0), ("else", 7.0))
    }
    zero = helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0])
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Greater", ["sum", "zero"], ["positive"]),
        helper.make_node("If", ["positive"], ["y"], **bodies),
    ]
    session = session_of(model_of(*nodes, initializers=[zero]), Scale())
    np.testing.assert_array_equal(session.run(None, {"x": X})[0], 5 * X)
    np.testing.assert_array_equal(session.run(None, {"x": -X})[0], -7 * X)


def test_types_flow_through_it_to_the_outputs():
    (output,) = session_of(model_of(scale_node(), dims=("n", 3)), Scale()).get_outputs()
    assert (output.type, output.shape) == ("tensor(float)", ["n", 3])


def test_a_kernel_learns_its_node_constants_and_configuration():
    operator = Scale()
    weight = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])
    operator.decline_reason = lambda node, types: None
    node = helper.make_node("Scale", ["x", "w"], ["y"], domain=DOMAIN, name="scaled")
    session_of(model_of(node, initializers=[weight]), operator, config={"test.key": "v"})
    (request,) = operator.requests
    assert request.node.name == "scaled"
    np.testing.assert_array_equal(request.constants[1], [1.0, 2.0])
    assert request.config["test.key"] == "v"


def test_of_several_that_fit_the_first_registered_is_called():
    first, second = Scale(), Scale()
    session_of(model_of(scale_node()), first, second)
    assert (len(first.requests), len(second.requests)) == (1, 0)


def test_an_overload_is_chosen_by_the_version_of_the_domain():
    old, new = Scale(end_version=1), Scale(since_version=2)
    session_of(model_of(scale_node(), version=2), old, new)
    assert (len(old.requests), len(new.requests)) == (0, 1)


def test_a_node_that_fits_no_overload_is_refused_with_the_reasons():
    node = helper.make_node("Scale", ["x", "x"], ["y"], domain=DOMAIN)
    with pytest.raises(InvalidGraph, match=r"Scale.*it takes 1 input, the node has 2"):
        session_of(model_of(node), Scale())
    with pytest.raises(InvalidGraph, match="it exists from version 4 on, the model imports 1"):
        session_of(model_of(scale_node()), Scale(since_version=4))


def test_the_domain_need_not_be_imported():
    session = session_of(model_of(scale_node(), domain="other.domain"), Scale())
    np.testing.assert_array_equal(session.run(None, {"x": X})[0], 2 * X)


def test_without_the_operator_the_session_says_what_is_missing():
    with pytest.raises(NoKernel, match=r"test.core::Scale.*register a custom-op library"):
        session_of(model_of(scale_node()))


def test_an_operator_of_a_device_that_is_not_there_is_declined():
    with pytest.raises(NoKernel, match="computes on cuda, which no provider of the session offers"):
        session_of(model_of(scale_node()), Scale(device_type="cuda"))


@pytest.mark.parametrize("has_native", [False, True])
def test_a_kernel_that_cannot_be_made_names_the_node(caplog, has_native):
    operator = Scale(has_native=has_native)
    operator.bind = lambda request: 1 / 0
    with pytest.raises(Fail, match=r"Scale.*could not make a kernel: ZeroDivisionError"):
        session_of(model_of(scale_node()), operator)
    assert "goes on without it" not in caplog.text


def test_a_result_of_another_type_is_refused():
    operator = Scale()
    operator.bind = lambda request: Scale.bind(operator, request)._replace(fn=lambda x: x.astype(np.float64))
    with pytest.raises(RuntimeException, match=r"Scale.*returned.*double.*output 'y'.*expected.*float"):
        session_of(model_of(scale_node()), operator).run(None, {"x": X})


def test_an_operator_of_onnx_itself_can_be_replaced_and_keeps_no_semantics_of_onnx():
    operator = Scale(domain="", name="Relu")
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Relu", ["a"], ["y"])]
    np.testing.assert_array_equal(session_of(model_of(*nodes), operator).run(None, {"x": -X})[0], -4 * X)


def test_of_several_versions_that_fit_the_newest_is_called():
    old, new = Scale(), Scale(since_version=2)
    session_of(model_of(scale_node(), version=2), old, new)
    assert (len(old.requests), len(new.requests)) == (0, 1)


def test_an_overload_for_a_device_that_is_not_there_gives_way_to_one_that_can_run():
    session = session_of(model_of(scale_node()), Scale(device_type="cuda"), Scale())
    np.testing.assert_array_equal(session.run(None, {"x": X})[0], 2 * X)


def test_a_function_calls_the_version_that_it_imports():
    function = helper.make_function(
        "f", "Twice", ["a"], ["b"], [scale_node("a", "b")], [helper.make_opsetid(DOMAIN, 3)]
    )
    model = onnx.load_from_string(model_of(helper.make_node("Twice", ["x"], ["y"], domain="f"), domain="f"))
    model.functions.append(function)
    operator = Scale(since_version=3)
    np.testing.assert_array_equal(session_of(model.SerializeToString(), operator).run(None, {"x": X})[0], 2 * X)


def test_long_chains_and_nodes_without_outputs_before_a_custom_node_are_no_obstacle():
    chain = [helper.make_node("Identity", [f"v{i}" if i else "x"], [f"v{i + 1}"]) for i in range(3000)]
    session = session_of(model_of(*chain, scale_node("v3000"), dims=()), Scale())
    np.testing.assert_array_equal(session.run(None, {"x": X})[0], 2 * X)


def test_what_holds_no_operator_in_a_list_is_an_error():
    with pytest.raises(TypeError, match="holds no custom operators"):
        ort.SessionOptions().register_custom_ops([Scale(), print])


def test_a_package_whose_entry_point_has_another_name_than_its_domain_is_told_so(monkeypatch):
    entry = EntryPoint("other.name", CUSTOM_OPS, "tests.custom_ops.published_operators", "test-ops", "1.0", "/nowhere")
    monkeypatch.setattr(published.discovery, "entries", lambda group: [entry] if group == CUSTOM_OPS else [])
    with pytest.raises(Fail, match=r"test-ops 1.0 publishes operators of the domain test.core only"):
        session_of(model_of(helper.make_node("Scale", ["x"], ["y"], domain="other.name"), domain="other.name"))


def test_a_library_is_kept_by_its_absolute_path(monkeypatch, tmp_path):
    (tmp_path / "ops.so").touch()
    monkeypatch.chdir(tmp_path)
    seen = []
    monkeypatch.setattr(published, "load_library", lambda path, config: seen.append(path) or [Scale()])
    options = ort.SessionOptions()
    options.register_custom_ops_library("ops.so")
    assert seen == [str(tmp_path / "ops.so")]


def test_modules_and_lists_of_operators_can_be_registered():
    module = ModuleType("ops")
    module.scale = Scale()
    options = ort.SessionOptions()
    options.register_custom_ops(module)
    options.register_custom_ops([Scale()])
    assert len(options.custom_ops) == 2
    with pytest.raises(TypeError, match="holds no custom operators"):
        options.register_custom_ops(3)


def test_installed_packages_are_found_by_the_domains_of_a_model(monkeypatch):
    entry = EntryPoint(DOMAIN, CUSTOM_OPS, "tests.custom_ops.published_operators", "test-ops", "1.0", "/nowhere")
    monkeypatch.setattr(published.discovery, "entries", lambda group: [entry] if group == CUSTOM_OPS else [])
    np.testing.assert_array_equal(session_of(model_of(scale_node())).run(None, {"x": X})[0], 2 * X)
    with pytest.raises(NoKernel):
        session_of(model_of(helper.make_node("Scale", ["x"], ["y"], domain="other"), domain="other"))


def test_a_package_that_cannot_be_imported_is_named(monkeypatch):
    entry = EntryPoint(DOMAIN, CUSTOM_OPS, "no_such_module", "test-ops", "1.0", "/nowhere")
    monkeypatch.setattr(published.discovery, "entries", lambda group: [entry])
    with pytest.raises(Fail, match=r"test-ops 1.0.*cannot be loaded: ModuleNotFoundError"):
        session_of(model_of(scale_node()))


def test_sessions_with_operators_can_be_pickled():
    from tests.custom_ops import published_operators

    session = session_of(model_of(scale_node()), published_operators)
    copy = pickle.loads(pickle.dumps(session))
    np.testing.assert_array_equal(copy.run(None, {"x": X})[0], 2 * X)


def test_threads_share_a_session():
    session = session_of(model_of(scale_node()), Scale())
    wrong = []

    def work(index):
        x = X + index
        wrong.extend(index for _ in range(100) if not np.array_equal(session.run(None, {"x": x})[0], 2 * x))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_an_input_declared_as_a_scalar_takes_any_rank_where_only_custom_operators_read_it():
    through_identity = [helper.make_node("Identity", ["x"], ["a"]), scale_node("a")]
    for nodes in ([scale_node()], through_identity):
        session = session_of(model_of(*nodes, dims=()), Scale())
        assert session.get_inputs()[0].shape == []
        for x in (X, X.reshape(2, 2), np.float32(3).reshape(())):
            np.testing.assert_array_equal(session.run(None, {"x": x})[0], 2 * x)
    nodes = [helper.make_node("Neg", ["x"], ["a"]), scale_node("x", "b"), helper.make_node("Add", ["a", "b"], ["y"])]
    with pytest.raises(InvalidArgument, match="rank"):
        session_of(model_of(*nodes, dims=()), Scale()).run(None, {"x": X})
