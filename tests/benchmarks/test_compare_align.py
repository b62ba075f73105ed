import pytest
from onnx import helper

from benchmarks.compare.align import ModelNodes, anchored, family, totals
from benchmarks.compare.results import NodeCost

NODES = [
    helper.make_node("Conv", ["x", "w"], ["c0"], name="/layer.0/conv_3x3/Conv"),
    helper.make_node("Relu", ["c0"], ["r0"], name="/layer.0/Relu"),
    helper.make_node("Conv", ["r0", "w"], ["c1"], name="/layer.1/conv_3x3/Conv"),
    helper.make_node("Add", ["c1", "r0"], ["s1"], name="/layer.1/Add"),
    helper.make_node("Gemm", ["s1", "w"], ["y"], name="/head/Gemm"),
]
MODEL = ModelNodes(NODES)


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("FusedConv", "Conv"),
        ("GroupConvolution", "Conv"),
        ("QLinearConv", "Conv"),
        ("Conv+Relu", "Conv"),
        ("FusedMatMul", "MatMul"),
        ("FullyConnected", "MatMul"),
        ("DequantizeLinear", "Quantize"),
        ("SkipLayerNormalization", "Normalization"),
        ("MultiHeadAttention", "Attention"),
        ("ReorderOutput", "Layout"),
        ("BiasGelu", "Activation"),
        ("Convert", "Convert"),
        ("NonMaxSuppression", "NonMaxSuppression"),
    ],
)
def test_operators_of_all_engines_fall_into_families(operator, expected):
    assert family(operator) == expected


@pytest.mark.parametrize(
    ("name", "operator", "expected"),
    [
        ("/layer.0/conv_3x3/Conv", "Conv", "/layer.0/conv_3x3/Conv"),
        ("/layer.0/conv_3x3/Conv/WithoutBiases", "Convolution", "/layer.0/conv_3x3/Conv"),
        ("r0_nchwc", "Conv", "/layer.0/conv_3x3/Conv"),
        ("/layer.0/Relu", "Conv+Relu", "/layer.0/conv_3x3/Conv"),
        ("s1_nchwc", "Conv", "/layer.1/conv_3x3/Conv"),
        ("fused /head/Gemm", "FusedGemm", "/head/Gemm"),
        ("ReorderInput", "ReorderInput", ""),
    ],
)
def test_rows_find_the_node_that_they_stand_for(name, operator, expected):
    assert MODEL.anchor(NodeCost(name, operator, 1.0)) == expected


def test_like_layers_add_up():
    names = ("/layer.0/conv_3x3/Conv", "/layer.1/conv_3x3/Conv", "unknown")
    rows = anchored([NodeCost(name, "Conv", 2.0) for name in names], MODEL)
    assert totals(rows, MODEL.place) == {"/layer.*/conv_3x3": (4.0, 2), "(none)": (2.0, 1)}
    assert totals(rows, lambda row: row.family) == {"Conv": (6.0, 3)}
