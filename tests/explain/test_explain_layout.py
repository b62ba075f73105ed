"""Geometry: nothing overlaps, everything lies in what holds it, wires go down."""

from __future__ import annotations

import random

import explain_models as models
import pytest

import ort_core as ort
from ort_core.explain.drawing import curve
from ort_core.explain.layout import MAX_SPAN, Wire, arrange
from ort_core.explain.picture import Frame
from ort_core.explain.stack import Placer
from ort_core.testing import fake_device

DEVICE, REFERENCE = "FakeDeviceExecutionProvider", "ReferenceExecutionProvider"
UNOPTIMIZED = ort.SessionOptions()
UNOPTIMIZED.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL


def report_of(model, *providers):
    with fake_device(), ort.InferenceSession(model, UNOPTIMIZED, providers=list(providers)) as session:
        return session.explain()


REPORTS = {
    "chain": lambda: report_of(models.chain("Relu", "Exp", "Neg", "Tanh", "Abs"), (DEVICE, {"ops": "Exp,Neg"})),
    "transformer": lambda: report_of(models.transformer(6), DEVICE),
    "transformer on one": lambda: report_of(models.transformer(6), REFERENCE),
    "control flow": lambda: report_of(models.control_flow(), DEVICE),
    "random": lambda: report_of(models.random_graph(150), (DEVICE, {"ops": "Add,Mul,Relu,Neg,Sub"})),
}


def overlap(a, b):
    return a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height


def walk(placed):
    yield placed
    for child in placed.children:
        yield from walk(child)


@pytest.mark.parametrize("name", REPORTS)
def test_nothing_overlaps_and_everything_lies_inside(name):
    for holder in walk(Placer(REPORTS[name]()).place()):
        parts = [child for child in holder.children if not isinstance(child.what, Frame)]
        for at, part in enumerate(parts):
            assert part.x >= -0.01
            assert part.y >= -0.01
            assert part.x + part.width <= holder.width + 0.01
            assert part.y + part.height <= holder.height + 0.01
            assert not any(overlap(part, other) for other in parts[:at])


@pytest.mark.parametrize("name", REPORTS)
def test_wires_go_down(name):
    edges = [edge for holder in walk(Placer(REPORTS[name]()).place()) for edge in holder.edges]
    assert edges
    for edge in edges:
        heights = [y for _, y in edge.points]
        assert heights == sorted(heights)


@pytest.mark.parametrize("name", REPORTS)
def test_frames_hold_their_bands(name):
    for holder in walk(Placer(REPORTS[name]()).place()):
        frames = [child for child in holder.children if isinstance(child.what, Frame)]
        for frame in frames:
            others = [child for child in holder.children if child is not frame and overlap(frame, child)]
            assert len(others) == frame.what.last - frame.what.first + 1
            assert all(frame.y <= o.y and o.y + o.height <= frame.y + frame.height for o in others)


def random_cells(seed):
    rng = random.Random(seed)
    count = rng.randint(1, 40)
    sizes = [(rng.uniform(5, 200), rng.uniform(0, 80)) for _ in range(count)]
    wires = []
    for source in range(count - 1):
        targets = sorted(rng.sample(range(source + 1, count), rng.randint(0, min(3, count - 1 - source))))
        if targets:
            wires.append(Wire(source, tuple(targets)))
    return sizes, wires


@pytest.mark.parametrize("seed", range(40))
def test_cells_of_random_graphs_do_not_overlap_and_stand_above_what_they_feed(seed):
    sizes, wires = random_cells(seed)
    made = arrange(sizes, wires)
    boxes = [(x, y, x + w, y + h) for (x, y), (w, h) in zip(made.places, sizes, strict=True)]
    for at, (left, top, right, bottom) in enumerate(boxes):
        assert left >= -1e-6
        assert right <= made.width + 1e-6
        assert bottom <= made.height + 1e-6
        assert not any(left < r and l < right and top < b and t < bottom for l, t, r, b in boxes[:at])  # noqa: E741
    for wire in wires:
        assert all(boxes[wire.source][3] < boxes[target][1] for target in wire.targets)
    for (number, target), points in made.routes.items():
        assert points[0][1] == pytest.approx(boxes[wires[number].source][3])
        assert points[-1][1] == pytest.approx(boxes[target][1])


def test_an_empty_layout_has_no_size():
    made = arrange([], [])
    assert (made.width, made.height, made.routes) == (0, 0, {})


def test_tops_are_first_and_bottoms_last():
    sizes = [(6.0, 0.0), (50.0, 20.0), (50.0, 20.0), (6.0, 0.0)]
    made = arrange(sizes, [Wire(0, (1,)), Wire(1, (3,))], tops={0}, bottoms={3})
    heights = [y for _, y in made.places]
    assert heights[0] == min(heights)
    assert heights[3] == max(heights)


def test_wide_layers_are_broken():
    made = arrange([(200.0, 20.0)] * 30, [])
    assert made.width < 1500
    assert len({y for _, y in made.places}) > 1


def test_a_wire_over_very_many_layers_is_straight():
    count = MAX_SPAN + 5
    wires = [Wire(i, (i + 1,)) for i in range(1, count - 1)]
    made = arrange([(50.0, 20.0)] * count, [Wire(0, (1, count - 1)), *wires])
    assert len(made.routes[0, count - 1]) == 2


def test_a_chain_is_drawn_straight():
    made = arrange([(50.0, 20.0), (90.0, 20.0), (70.0, 20.0)], [Wire(0, (1,)), Wire(1, (2,))])
    middles = {round(x + w / 2, 3) for (x, _), w in zip(made.places, (50, 90, 70), strict=True)}
    assert len(middles) == 1


def test_a_path_bends_only_where_it_changes_column():
    assert curve([(1, 0), (1, 10), (5, 20)]) == "M1 0L1 10C1 15 5 15 5 20"
