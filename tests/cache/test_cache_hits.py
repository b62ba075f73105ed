"""What comes from the cache is what would have been prepared."""

import sys

import cache_compare
import numpy as np
import onnx
import pytest
from cache_models import BENCHMARKS, REFERENCE, benchmark, chain, external, large, saved
from onnx import TensorProto, helper, numpy_helper

import ort_core as ort
from ort_core.cache.decode import StoredModel
from ort_core.cache.lookup import prepare_cached
from ort_core.prepare import prepare
from tests.conftest import ROOT

sys.path[:0] = [str(ROOT / "tests" / folder) for folder in ("core", "load", "optimize")]

from load_samples import everywhere  # noqa: E402
from random_graphs import random_model  # noqa: E402
from random_models import random_case  # noqa: E402

SMALL = [name for name in BENCHMARKS if name not in ("bert_base", "llama_step", "llama_step_int4", "resnet50")]
SPECIAL = ("loop", "scan", "if_", "sequence", "optional", "string", "sparse", "cast_FLOAT_to_", "quantize", "training")


def assert_hit_is_miss(source, options):
    plain = prepare(source, options)
    first = prepare_cached(source, options)
    again = prepare_cached(source, options)
    assert not isinstance(first.model, StoredModel)
    assert isinstance(again.model, StoredModel)
    cache_compare.assert_same(plain, first)
    cache_compare.assert_same(plain, again)


@pytest.mark.parametrize(
    "name", [name if name in SMALL else pytest.param(name, marks=pytest.mark.models) for name in BENCHMARKS]
)
def test_architectures(name, tmp_path, options, cache):
    assert_hit_is_miss(str(benchmark(name, tmp_path)), options)
    assert sum(f.stat().st_size for f in cache.iterdir()) < 4 << 20


@pytest.mark.parametrize("seed", range(25))
def test_random_models_with_control_flow_and_functions(seed, options):
    case = random_case(seed)
    assert_hit_is_miss(case.model, options)
    feeds = case.feeds(seed)
    results = [ort.InferenceSession(case.model, o, REFERENCE).run(None, feeds) for o in (ort.SessionOptions(), options)]
    assert cache_compare.same_results(*results)


@pytest.mark.parametrize("seed", range(25))
def test_random_graphs_that_the_optimiser_changes(seed, options):
    assert_hit_is_miss(random_model(seed)[0].SerializeToString(), options)


def test_constants_in_every_place(options, tmp_path):
    assert_hit_is_miss(everywhere().SerializeToString(), options)
    path = str(saved(everywhere(), tmp_path / "m.onnx"))
    from_file = prepare_cached(path, options)
    assert isinstance(from_file.model, StoredModel)
    cache_compare.assert_same(prepare(path, options), from_file)


@pytest.mark.parametrize("level", list(ort.GraphOptimizationLevel.__members__.values()))
def test_every_level(level, options):
    options.graph_optimization_level = level
    assert_hit_is_miss(everywhere().SerializeToString(), options)


def test_constants_of_every_element_type(options):
    types = [t for t in TensorProto.DataType.values() if t]
    tensors = []
    for type_ in types:
        items = [b"a", b"b", b"\xff"] if type_ == TensorProto.STRING else [0, 1, 1]
        tensors.append(helper.make_tensor(f"c{type_}", type_, [3], items))
    outputs = [helper.make_tensor_value_info(t.name, t.data_type, [3]) for t in tensors]
    model = helper.make_model(helper.make_graph([], "g", [], outputs, tensors))
    assert_hit_is_miss(model.SerializeToString(), options)


def test_sparse_and_integer_constants(options):
    values = numpy_helper.from_array(np.arange(400, dtype=np.int64), "s")
    sparse = helper.make_sparse_tensor(values, numpy_helper.from_array(np.arange(400) * 2, "i"), [1000])
    packed = helper.make_tensor("packed", TensorProto.INT64, [600], list(range(-300, 300)))
    outputs = [helper.make_tensor_value_info(name, TensorProto.INT64, None) for name in ("s", "packed", "y")]
    graph = helper.make_graph(
        [helper.make_node("Neg", ["packed"], ["y"])], "g", [], outputs, [packed], sparse_initializer=[sparse]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    assert_hit_is_miss(model.SerializeToString(), options)


def test_attributes_of_every_kind(options):
    graph = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["z"])], "inner", [], [helper.make_empty_tensor_value_info("z")]
    )
    sparse = helper.make_sparse_tensor(
        large("v").__class__.FromString(numpy_helper.from_array(np.ones(2, np.float32), "v").SerializeToString()),
        numpy_helper.from_array(np.arange(2)),
        [9],
    )
    type_ = helper.make_optional_type_proto(
        helper.make_sequence_type_proto(helper.make_tensor_type_proto(1, ["n", None, 3]))
    )
    mapped = onnx.TypeProto()
    mapped.map_type.key_type = TensorProto.STRING
    mapped.map_type.value_type.CopyFrom(helper.make_sparse_tensor_type_proto(1, [2]))
    node = helper.make_node(
        "Everything",
        ["x"],
        ["y"],
        domain="mine",
        f=float("nan"),
        g_inf=float("-inf"),
        i=-(2**63),
        s=b"\xff\x00",
        t=large("t"),
        g=graph,
        floats=[1.5, -0.0],
        ints=[1, 2],
        strings=["a", b"\xfe"],
        tensors=[large("t", 1), large("t", 2)],
        graphs=[graph, graph],
        tp=type_,
        type_protos=[mapped, type_],
        sparse_tensor=sparse,
        sparse_tensors=[sparse, sparse],
    )
    model = helper.make_model(
        helper.make_graph(
            [node], "g", [helper.make_tensor_value_info("x", 1, [2])], [helper.make_empty_tensor_value_info("y")]
        ),
        opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("mine", 3)],
    )
    assert_hit_is_miss(model.SerializeToString(), options)


def test_documentation_metadata_and_interface(options):
    model = chain()
    model.doc_string, model.producer_name, model.graph.doc_string = "über", "me", "graph"
    helper.set_model_props(model, {"key": "value"})
    node, value = model.graph.node[1], model.graph.input[0]
    node.doc_string = "node"
    node.metadata_props.add(key="a", value="b")
    value.metadata_props.add(key="c", value="d")
    model.graph.initializer[0].doc_string = "weights"
    model.graph.quantization_annotation.add(tensor_name="x")
    model.graph.input.append(helper.make_tensor_value_info("c", TensorProto.FLOAT, [20, 20]))
    data = model.SerializeToString()
    assert_hit_is_miss(data, options)
    plain, cached = (ort.InferenceSession(data, o, REFERENCE) for o in (ort.SessionOptions(), options))
    for name in ("get_inputs", "get_outputs", "get_overridable_initializers"):
        assert list(map(repr, getattr(plain, name)())) == list(map(repr, getattr(cached, name)()))
    for field in ("producer_name", "description", "graph_description", "custom_metadata_map", "version"):
        assert getattr(plain.get_modelmeta(), field) == getattr(cached.get_modelmeta(), field)
    feeds = {"x": np.ones((2, 20), np.float32), "c": np.eye(20, dtype=np.float32)}
    assert cache_compare.same_results(plain.run(None, feeds), cached.run(None, feeds))


def test_messages_name_nodes_as_the_file_has_them(options):
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Softmax", ["x"], ["y"], name="soft", axis=1)],
            "g",
            [helper.make_tensor_value_info("x", 1, ["n", 2, 3])],
            [helper.make_tensor_value_info("y", 1, None)],
        ),
        opset_imports=[helper.make_opsetid("", 9)],
    ).SerializeToString()
    assert_hit_is_miss(model, options)
    origins = {str(n) for n in prepare_cached(model, options).model.graph.walk()}
    assert any("Softmax, opset 9" in text for text in origins)


def test_weights_stay_in_the_file(options, cache, tmp_path):
    model = chain()
    model.graph.initializer[1].CopyFrom(numpy_helper.from_array(np.ones((20, 100_000), np.float32), "c"))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 100_000
    path = str(saved(model, tmp_path / "m.onnx"))
    assert_hit_is_miss(path, options)
    assert sum(f.stat().st_size for f in cache.iterdir()) < 10_000


def test_external_data_stays_in_its_file(options, cache, tmp_path):
    path = str(external(tmp_path / "m"))
    assert_hit_is_miss(path, options)
    weight = prepare_cached(path, options).model.graph.initializers["c"].const
    assert weight.source.name.endswith("weights.bin")
    assert sorted(f.suffix for f in cache.iterdir()) == [".digest", ".digest", ".files", ".model"]


def test_a_copy_of_the_model_has_the_same_entry(options, tmp_path):
    assert_hit_is_miss(str(external(tmp_path / "a")), options)
    other = prepare_cached(str(external(tmp_path / "b")), options)
    assert isinstance(other.model, StoredModel)
    assert other.model.graph.initializers["c"].const.source.name.startswith(str(tmp_path / "b"))


def test_small_external_tensors_take_part(options, tmp_path):
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Add", ["x", "k"], ["y"])],
            "g",
            [helper.make_tensor_value_info("x", 1, [2])],
            [helper.make_tensor_value_info("y", 1, [2])],
            [numpy_helper.from_array(np.ones(2, np.float32), "k")],
        ),
        opset_imports=[helper.make_opsetid("", 21)],
    )
    for value in (3, 4, 3):
        model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.full(2, value, np.float32), "k"))
        onnx.save_model(model, tmp_path / "m.onnx", save_as_external_data=True, location="w", size_threshold=0)
        for _ in range(2):
            session = ort.InferenceSession(tmp_path / "m.onnx", options, REFERENCE)
            assert session.run(None, {"x": np.zeros(2, np.float32)})[0].tolist() == [value, value]


def test_model_without_constants_or_nodes(options):
    info = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])
    model = helper.make_model(helper.make_graph([], "g", [info], [info]))
    assert_hit_is_miss(model.SerializeToString(), options)
