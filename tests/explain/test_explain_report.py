"""The data of the report: values, types, bodies, copies, and agreement with the assignment under ONNX Runtime's names."""

from __future__ import annotations

import json

import explain_models as models
import pytest

import ort_core as ort
from ort_core.errors import InvalidArgument
from ort_core.explain.report import CORE, PlacementReport
from ort_core.testing import fake_device

DEVICE, REFERENCE = "FakeDeviceExecutionProvider", "ReferenceExecutionProvider"
HOST = "cpu:0"


@pytest.fixture
def options():
    made = ort.SessionOptions()
    made.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return made


@pytest.fixture
def on_device(options):
    with fake_device():

        def make(model, ops=""):
            return ort.InferenceSession(model, options, providers=[(DEVICE, {"ops": ops})])

        yield make  # fmt: skip


def test_nodes_name_their_values_and_graphs_their_types(options):
    with ort.InferenceSession(models.transformer(1), options, providers=[REFERENCE]) as session:
        report = session.explain()
    gather = next(n for n in report.nodes if n.op_type == "Gather")
    assert gather.inputs == ("embed/table", "ids")
    assert gather.outputs == ("embed/Gather:0",)
    (graph,) = report.graphs
    assert report.model == "transformer"
    assert (graph.scope, graph.inputs, graph.outputs) == ("", ("ids",), {"y": "y"})
    assert graph.types["ids"] == "tensor(int64) [1, 16]"
    assert graph.types["embed/Gather:0"] == "tensor(float) [1, 16, 8]"
    assert "scale" in graph.constants


def test_bodies_are_graphs_of_their_own_and_belong_to_their_node(on_device):
    with on_device(models.control_flow()) as session:
        report = session.explain()
    scopes = [g.scope for g in report.graphs]
    assert scopes == ["", "repeat.body/", "repeat.body/choose.then_branch/", "repeat.body/choose.else_branch/"]
    placed = {n.name: n for n in report.nodes}
    assert placed["repeat"].bodies == ("repeat.body/",)
    assert placed["repeat"].provider == CORE
    assert placed["choose"].bodies == tuple(scopes[2:])
    assert placed["bend"].scope == "repeat.body/choose.then_branch/"


def test_scopes_are_unique_even_if_nodes_share_a_name(options):
    def branch(name, op):
        node = models.helper.make_node(op, ["x"], [name])
        return models.helper.make_graph([node], name, [], [models.tensor(name, [4])])

    nodes = [
        models.helper.make_node("If", ["c"], [f"y{i}"], name="same", then_branch=branch(f"t{i}", "Neg"),
                                else_branch=branch(f"e{i}", "Abs"))
        for i in range(2)
    ]  # fmt: skip
    inputs = [models.tensor("x", [4]), models.tensor("c", [], models.TensorProto.BOOL)]
    model = models.to_bytes(nodes, inputs, [models.tensor(f"y{i}", [4]) for i in range(2)])
    with ort.InferenceSession(model, options, providers=[REFERENCE]) as session:
        report = session.explain()
    scopes = [g.scope for g in report.graphs]
    assert len(set(scopes)) == len(scopes) == 5
    assert {n.scope for n in report.nodes} == set(scopes)
    assert {body for n in report.nodes for body in n.bodies} == set(scopes) - {""}


def test_copies_name_their_values_routes_and_sizes(on_device):
    with on_device(models.transformer(2)) as session:
        report = session.explain()
    assert report.copies == {f"{HOST} -> fake:0": 3, f"fake:0 -> {HOST}": 3}
    assert sum(report.copies.values()) == len(report.copied)
    first = report.copied[0]
    assert (first.scope, first.value, first.source, first.target) == ("", "embed/Gather:0", HOST, "fake:0")
    assert {c.size_bytes for c in report.copied} == {1 * 16 * 8 * 4}


def test_sizes_of_copies_that_depend_on_the_input_are_unknown(on_device):
    with on_device(models.transformer(1, batch="N")) as session:
        assert {c.size_bytes for c in session.explain().copied} == {None}


def test_copies_in_bodies_carry_their_scope_and_a_value_of_it(on_device):
    with on_device(models.control_flow(), "Mul,Neg,Add,Tanh") as session:
        report = session.explain()
    types = {g.scope: g.types for g in report.graphs}
    assert any(c.scope == "repeat.body/" for c in report.copied)
    for copy in report.copied:
        scope = copy.scope
        while copy.value not in types[scope]:
            scope = next(n.scope for n in report.nodes if scope in n.bodies)


@pytest.mark.parametrize("ops", ["", "Mul,Neg", "Sub,Tanh,Add"])
def test_assignment_under_onnxruntimes_names_agrees_with_the_report(on_device, ops):
    for model in (models.transformer(2), models.control_flow()):
        with on_device(model, ops) as session:
            report, groups = session.explain(), session.get_provider_graph_assignment_info()
        assert [g.ep_name for g in groups] == [p.provider for p in report.partitions]
        grouped = [(n.name, n.op_type, g.ep_name) for g in groups for n in g.get_nodes()]
        placed = [(n.name, n.op_type, n.provider) for n in report.nodes if n.provider != CORE]
        assert sorted(grouped) == sorted(placed)
        for group, partition in zip(groups, report.partitions, strict=True):
            assert len(group.get_nodes()) >= partition.nodes


def test_json_has_the_old_keys_and_the_new(on_device):
    with on_device(models.transformer(1)) as session:
        document = json.loads(session.explain().to_json())
    assert {"providers", "provider_status", "partitions", "nodes", "copies"} <= set(document)
    assert {"model", "graphs", "copied"} <= set(document)
    assert {"name", "op_type", "domain", "original", "provider", "partition", "scope", "declined"} <= set(
        document["nodes"][0]
    )
    assert {"name", "provider", "device", "nodes", "inputs", "outputs"} == set(document["partitions"][0])


@pytest.mark.parametrize("suffix", [".html", ".svg", ".json", ".txt", ".HTML"])
def test_save_writes_by_suffix_and_never_over_another_file(on_device, tmp_path, suffix):
    with on_device(models.transformer(1)) as session:
        report = session.explain()
    path = tmp_path / f"report{suffix}"
    report.save(path)
    first = path.read_text(encoding="utf-8")
    starts = {".html": "<!DOCTYPE html>", ".svg": "<svg ", ".json": "{", ".txt": f"{len(report.nodes)} nodes in"}
    assert first.startswith(starts[suffix.lower()])
    path.write_text("precious", encoding="utf-8")
    with pytest.raises(InvalidArgument, match="exists already"):
        report.save(path)
    assert path.read_text(encoding="utf-8") == "precious"
    report.save(path, overwrite=True)
    assert path.read_text(encoding="utf-8") == first


def test_save_refuses_other_suffixes(tmp_path):
    with pytest.raises(InvalidArgument, match=r"\.html, \.svg, \.json, \.txt"):
        PlacementReport((), {}, (), (), {}).save(tmp_path / "report.pdf")
    assert list(tmp_path.iterdir()) == []


def test_a_report_without_graphs_can_be_drawn():
    report = PlacementReport((REFERENCE,), {REFERENCE: "ok"}, (), (), {})
    assert "has no nodes" in report.to_html()
    assert report.to_svg().endswith("</svg>")
