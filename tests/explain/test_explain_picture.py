"""What the pictures show: repeats, placements, declines, copies; and that no model can break the markup."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import explain_models as models
import pytest
from explain_plugins import provider_of_everything

import ort_core as ort
from ort_core.explain.compose import Composer
from ort_core.explain.markup import TIMES
from ort_core.explain.picture import Block, covered, drawn, repeats, stand_ins
from ort_core.explain.report import GraphSummary, NodePlacement, PartitionSummary, PlacementReport
from ort_core.testing import fake_device

DEVICE, REFERENCE = "FakeDeviceExecutionProvider", "ReferenceExecutionProvider"
VOID = {"meta", "input", "br"}


class StrictParser(HTMLParser):
    """Fails on markup that does not nest; keeps the tags and the texts."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.ids, self.links, self.texts = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name == "href"]
        assert not any(name.startswith("on") or name == "src" for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def parse_page(page):
    parser = StrictParser()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))
    return parser


def explain(model, *providers):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    with fake_device(), ort.InferenceSession(model, options, providers=list(providers)) as session:
        return session.explain()


def chain_report(places, declined=None, op="Relu"):
    """A report over a line of nodes: `places` gives each node's provider, `declined` what some nodes say."""
    nodes, partitions = [], []
    for index, provider in enumerate(places):
        if not index or places[index - 1] != provider:
            partitions.append(PartitionSummary(f"p{len(partitions)}", provider, "cpu:0", 1, (), ()))
        why = (declined or {}).get(index, {})
        values = (f"v{index}",), (f"v{index + 1}",)
        nodes.append(NodePlacement(f"n{index}", op, "ai.onnx", "", provider, partitions[-1].name, "", why, *values))
    types = {f"v{i}": "tensor(float) [4]" for i in range(len(places) + 1)}
    graph = GraphSummary("", ("v0",), {"y": f"v{len(places)}"}, types, ())
    used = tuple(dict.fromkeys(places))
    return PlacementReport(used, dict.fromkeys(used, "ok"), tuple(partitions), tuple(nodes), {}, "line", (graph,))


def all_items(stack):
    pending = [item for band in stack.bands for item in band.items]
    while pending:
        item = pending.pop()
        yield item
        if isinstance(item, Block):
            pending += item.items
        else:
            for body in item.bodies:
                yield from all_items(body)


def nodes_of(stack, flow):
    """The nodes that a picture stands for: drawn ones, their copies, and those in bodies."""
    found = []
    for band in stack.bands:
        for item in band.items:
            found += covered(item)
    for frame in stack.frames:
        for copy in frame.copies[1:]:
            found += copy
    inner = [node for node in found for body in flow.nodes[node].bodies for node in flow.members[body]]
    while inner:
        found += inner
        inner = [node for node in inner for body in flow.nodes[node].bodies for node in flow.members[body]]
    return found


REPORTS = {
    "transformer over two": lambda: explain(models.transformer(6), DEVICE),
    "transformer on one": lambda: explain(models.transformer(12), REFERENCE),
    "control flow": lambda: explain(models.control_flow(), (DEVICE, {"ops": "Mul,Neg"})),
    "random over two": lambda: explain(models.random_graph(120), (DEVICE, {"ops": "Add,Mul,Neg,Relu"})),
    "line of equal nodes": lambda: chain_report(["A"] * 300),
}


@pytest.mark.parametrize("name", REPORTS)
def test_every_node_is_in_the_picture_once(name):
    report = REPORTS[name]()
    composer = Composer(report)
    stack = composer.stack()
    assert sorted(nodes_of(stack, composer.flow)) == list(range(len(report.nodes)))
    hidden = stand_ins(stack, composer.flow)
    shown = {int(number) for number in re.findall(r'id="n(\d+)"', report.to_svg())}
    left_out = {n for item in all_items(stack) for n in drawn(item) if n not in shown}
    assert set(hidden).isdisjoint(shown)
    assert set(hidden) | shown | left_out >= set(range(len(report.nodes)))
    assert set(hidden.values()) <= shown | left_out


def test_the_layers_of_a_transformer_are_drawn_once():
    report = explain(models.transformer(12), REFERENCE)
    composer = Composer(report)
    (block,) = repeats(composer.stack())
    assert len(block.copies) == 12
    assert {len(copy) for copy in block.copies} == {13}
    assert all(report.nodes[copy[0]].name.startswith(f"layer.{i}/") for i, copy in enumerate(block.copies))
    assert f"{TIMES} 12" in report.to_svg()


def test_bands_that_repeat_are_drawn_once_with_their_copies():
    report = explain(models.transformer(6), DEVICE)
    (frame,) = Composer(report).stack().frames
    assert (frame.last - frame.first + 1, len(frame.copies), len(frame.copies[0]), frame.moved) == (2, 5, 13, 2)
    assert "13 nodes and 2 device copies each" in report.to_svg()


def test_parts_that_differ_in_placement_are_not_collapsed():
    same = ["A"] * 60
    assert [len(r.copies) for r in repeats(Composer(chain_report(same)).stack())] == [60]
    other = ["A"] * 30 + ["B"] + ["A"] * 29
    report = chain_report(other)
    found = list(repeats(Composer(report).stack()))
    assert sorted(len(r.copies) for r in found) == [29, 30]
    for repeat in found:
        assert len({report.nodes[n].provider for copy in repeat.copies for n in copy}) == 1


def test_parts_that_were_declined_for_another_reason_are_not_collapsed():
    reasons = {i: {"X": "too old" if i == 30 else "no kernel"} for i in range(60)}
    found = list(repeats(Composer(chain_report(["A"] * 60, reasons)).stack()))
    assert all(30 not in copy for repeat in found for copy in repeat.copies)


def test_reasons_that_differ_in_quoted_names_do_not_prevent_collapsing_and_count_as_one():
    reasons = {i: {"X": f"input 'v{i}' is not constant"} for i in range(60)}
    report = chain_report(["A"] * 60, reasons)
    assert [len(r.copies) for r in repeats(Composer(report).stack())] == [60]
    assert "input &#39;…&#39; is not constant" in report.to_html()


def test_a_small_model_is_drawn_whole():
    stack = Composer(chain_report(["A"] * 20)).stack()
    assert list(repeats(stack)) == []
    (box,) = stack.bands[0].items
    assert len(box.nodes) == 20


def test_a_long_line_shows_its_ends_and_how_many_are_between():
    assert "… 7 more in this line" in chain_report(["A"] * 20).to_svg()


def test_declines_are_on_the_node_and_grouped_by_reason():
    page = explain(models.transformer(6), DEVICE).to_html()
    text = re.sub(r"<[^>]+>", " ", page)
    assert re.search(r"6\s+no kernel for ai\.onnx::Erf", text)
    assert text.index("no kernel for ai.onnx::Erf") < text.rindex("no kernel for ai.onnx::Gather")
    assert "⚠ Erf" in page
    assert f"not on {DEVICE}: no kernel for ai.onnx::Erf" in page


def test_fallen_back_nodes_and_copies_are_in_the_headline():
    for picture in (explain(models.transformer(6), DEVICE).to_html(), explain(models.transformer(6), DEVICE).to_svg()):
        assert f"7 nodes fell back to {REFERENCE}, which is slow." in picture
        assert "Each run copies 14 tensors, 7.0 KiB between devices." in picture
        assert "band fallback" in picture


def test_a_provider_that_could_not_start_is_named_with_its_reason():
    report = chain_report(["A"] * 3)
    status = {"CUDAExecutionProvider": "no driver. Install one.", "A": "ok"}
    failed = PlacementReport(report.providers, status, report.partitions, report.nodes, {}, "line", report.graphs)
    for picture in (failed.to_html(), failed.to_svg()):
        assert "CUDAExecutionProvider could not be used." in picture
        assert "no driver. Install one." in picture


def test_copies_stand_on_their_wires_with_their_size():
    report = explain(models.transformer(1), DEVICE)
    assert len(re.findall(r"⇄ 1 tensor, 512 B", report.to_svg())) == len(report.copied) == 4


@pytest.mark.parametrize("ops", ["", "Mul,Neg", "Sub,Tanh,Add", "ReduceSum,Identity", "Greater,Mul,Neg"])
@pytest.mark.parametrize("model", [models.control_flow, lambda: models.random_graph(60)])
def test_every_copy_is_on_exactly_one_wire(model, ops):
    report = explain(model(), (DEVICE, {"ops": ops}))
    marked = re.findall(r">⇄ (\d+) tensors?", report.to_svg())
    assert sum(map(int, marked)) == len(report.copied)


def test_bodies_are_nested_and_labelled():
    svg = explain(models.control_flow(), DEVICE).to_svg()
    for label in ("then_branch", "else_branch", "body"):
        assert f">{label}</text>" in svg
    assert svg.count('<g class="body"') == 3
    assert "run by the core" in svg


def test_types_are_on_the_wires_and_origins_on_the_nodes():
    svg = explain(models.transformer(1), REFERENCE).to_svg()
    assert "embed/Gather:0: tensor(float) [1, 16, 8]" in svg
    assert "in the file: ai.onnx::Erf-21" in svg


@pytest.mark.parametrize("name", REPORTS)
def test_pictures_are_well_formed_and_deterministic(name):
    report = REPORTS[name]()
    svg, page = report.to_svg(), report.to_html()
    assert ET.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    parsed = parse_page(page)
    assert parsed.tags.count("script") == 1
    assert {link[0] for link in parsed.links} <= {"#"}
    again = REPORTS[name]()
    assert (svg, page) == (again.to_svg(), again.to_html())


def test_a_provider_that_takes_control_flow_whole_has_the_bodies_in_its_region():
    with provider_of_everything() as name:
        report = explain(models.control_flow(), name)
    assert {n.provider for n in report.nodes} == {name}
    assert {n.scope for n in report.nodes} == {g.scope for g in report.graphs}
    svg = report.to_svg()
    ET.fromstring(svg)
    assert svg.count('<g class="body"') == 3
    assert "run by the core" not in svg
    composer = Composer(report)
    assert sorted(nodes_of(composer.stack(), composer.flow)) == list(range(len(report.nodes)))


def test_links_lead_to_drawn_nodes():
    report = explain(models.transformer(6), DEVICE)
    parsed = parse_page(report.to_html())
    assert parsed.links
    assert {link[1:] for link in parsed.links} <= set(parsed.ids)


EVIL = '<script>alert("1")</script>\'&\n\x00\x1b[31m\ud800\u202e]]>--><!--'


@pytest.mark.parametrize("evil", [EVIL, EVIL + "x" * 10_000, "/" * 10_000, "{0}%s{", "</title></style></svg>"])
def test_names_from_a_model_cannot_break_the_markup(evil):
    node = NodePlacement(evil, evil, evil, evil, evil, evil, "", {evil: evil}, (evil,), ("y",), (evil,))
    inner = NodePlacement(evil, evil, evil, evil, evil, evil, evil, {evil: evil}, (evil,), (evil + "1",))
    graphs = (
        GraphSummary("", (evil,), {evil: "y"}, {evil: evil, "y": evil}, ()),
        GraphSummary(evil, (), {evil: evil + "1"}, {evil + "1": evil}, ()),
    )
    report = PlacementReport(
        (evil,), {evil: evil}, (PartitionSummary(evil, evil, evil, 1, (), ()),), (node, inner), {}, evil, graphs
    )
    svg, page = report.to_svg(evil), report.to_html(evil)
    ET.fromstring(svg)
    parsed = parse_page(page)
    assert parsed.tags.count("script") == 1
    assert len(page) < 60_000
    assert "\u202e" not in page
    page.encode("utf-8")


def test_the_page_loads_nothing():
    page = explain(models.transformer(2), DEVICE).to_html()
    assert "default-src 'none'" in page.replace("&#39;", "'")
    assert not re.search(
        r"(?:src|href)=[\"'](?!#)|@import|url\(|fetch\(|XMLHttpRequest|https?://(?!www\.w3\.org)", page
    )


def test_a_notebook_gets_the_page_in_a_frame_of_its_own():
    report = chain_report(["A"] * 3)
    frame = report._repr_html_()
    parser = parse_frame(frame)
    assert parser["sandbox"] == "allow-scripts"
    assert parser["srcdoc"] == report.to_html()


def parse_frame(markup):
    found = {}

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attrs):
            assert tag == "iframe"
            found.update(attrs)

    Parser().feed(markup)
    return found


def test_a_thousand_different_nodes_are_drawn_in_time():
    report = explain(models.random_graph(1000), REFERENCE)
    started = time.perf_counter()
    page = report.to_html()
    assert time.perf_counter() - started < 8
    assert len(page) < 3_000_000


def test_a_thousand_partitions_are_drawn_in_time():
    report = chain_report([("A", "B", "C")[(i * i + i // 7) % 3] for i in range(1500)])
    started = time.perf_counter()
    report.to_html()
    assert time.perf_counter() - started < 8
